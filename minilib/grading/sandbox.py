"""A process without network, without the host's files and with limits, in which a student's notebook runs.

Nothing on the host is writable from inside: the only writable places are small memory file systems that vanish with the
sandbox. The one way out is a pipe that carries lines of JSON (see `worker` for the other end).
"""

import contextlib
import dataclasses
import json
import os
import secrets
import select
import subprocess
import time
from pathlib import Path
from typing import Any

from minilib.grading.walls import bwrap_command, usage

POLL_S = 0.1
STARTUP_S = 120.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What one submission may use. Seconds are wall clock; `memory_bytes` and `processes` count the whole sandbox.

    Attributes:
        cell_s: one cell.
        call_s: one call from a check.
        notebook_s: everything together, restarts included.
        restarts: how often a notebook that kills or hangs its process is started again without the cell that did it.
        memory_bytes: anonymous memory of all processes.
        processes: processes of the sandbox; threads have a limit of their own, 256.
        disk_bytes: each of the two memory file systems, /tmp and /dev/shm.
        reply_bytes: the longest answer read back.
    """

    cell_s: float = 60.0
    call_s: float = 20.0
    notebook_s: float = 300.0
    restarts: int = 3
    memory_bytes: int = 4 << 30
    processes: int = 64
    disk_bytes: int = 256 << 20
    reply_bytes: int = 32 << 20


class Ended(Exception):
    """The student's process died; the sandbox can open another."""


class Lost(Exception):
    """The sandbox was killed, for the reason given; a new one has to be started."""


class Sandbox:
    """One sandbox, used as a context manager; it starts with the first `open`.

    Args:
        library: folder that `withhold.make_library` filled: the worker and the reduced copy of the course's library.
        limits: see `Limits`.
    """

    def __init__(self, library: Path, limits: Limits):
        self.course, self.limits = library, limits
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = bytearray()
        self._watched = 0.0

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def open(self, seconds: float = STARTUP_S) -> None:
        """A fresh process with an empty notebook; starts the sandbox where it is not running.

        Raises:
            Lost: it did not start within `seconds`.
        """
        if self._process is None:
            self._start(seconds)
        limits = {
            "memory": self.limits.memory_bytes,
            "processes": 256,
            "file": self.limits.disk_bytes,
            "cpu": int(self.limits.notebook_s) + 60,
        }
        try:
            self.ask("open", seconds, limits=limits)
        except Ended as error:
            self.kill()
            raise Lost(str(error)) from None

    def close(self) -> None:
        """Ends the open notebook; the sandbox stays and can open another."""
        try:
            self.ask("close", 10.0)
        except (Ended, Lost):
            self.kill()

    def kill(self) -> None:
        """Ends the sandbox with all that runs in it."""
        if self._process is not None:
            # bwrap is the parent of the sandbox's first process, which dies with it and takes all others along.
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._process, self._buffer = None, bytearray()

    def ask(self, op: str, seconds: float, **fields: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer, at most `seconds`.

        Raises:
            Ended: the student's process died over it.
            Lost: time, memory, processes or the size of the answer went beyond the limit, or the answer was forged.
        """
        number = secrets.token_hex(8)
        request = json.dumps({"op": op, "id": number, **fields}).encode() + b"\n"
        reply = self._exchange(request, seconds)
        if isinstance(reply.get("died"), str):
            raise Ended(f"the process ended: {reply['died'][:100]}")
        if "closed" in reply:
            if op == "close":
                return reply
            raise Ended("the process ended: left with exit code 0")
        if reply.get("id") != number:
            raise self._lost("something else than the answer came back")
        return reply

    def _start(self, seconds: float) -> None:
        self._process = subprocess.Popen(
            bwrap_command(self.course, disk_bytes=self.limits.disk_bytes, argv=["/course/worker.py"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
        )
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        if self._exchange(b"", seconds) != {"ready": True}:
            raise self._lost("the sandbox did not start")

    def _exchange(self, request: bytes, seconds: float) -> dict[str, Any]:
        """Writes `request`, reads one line, and keeps watch over the sandbox meanwhile."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise Lost("the sandbox is not running")
        writing, reading = process.stdin.fileno(), process.stdout.fileno()
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        pending = memoryview(request)
        if pending:
            poll.register(writing, select.POLLOUT)
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            for descriptor, event in poll.poll(POLL_S * 1000):
                if descriptor == writing:
                    pending = self._write(writing, pending, event)
                    if not pending:
                        poll.unregister(writing)
                else:
                    chunk = os.read(reading, 1 << 20)
                    if not chunk:
                        raise self._lost("all processes of the sandbox ended")
                    self._buffer += chunk
            if len(self._buffer) > self.limits.reply_bytes:
                raise self._lost(f"an answer of more than {self.limits.reply_bytes >> 20} MiB")
            now = time.monotonic()
            if now > deadline:
                raise self._lost(f"it ran longer than {seconds:.3g} s")
            if now > self._watched + 2 * POLL_S:
                self._watched = now
                self._watch(process.pid)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise self._lost("something else than the answer came back")
        return reply

    def _write(self, descriptor: int, pending: memoryview, event: int) -> memoryview:
        if event & (select.POLLERR | select.POLLHUP):
            raise self._lost("all processes of the sandbox ended")
        try:
            return pending[os.write(descriptor, pending[: 1 << 16]) :]
        except BlockingIOError:
            return pending
        except BrokenPipeError:
            raise self._lost("all processes of the sandbox ended") from None

    def _watch(self, pid: int) -> None:
        processes, memory = usage(pid)
        # Two of them are bubblewrap's own, and two the worker's.
        if processes > self.limits.processes + 4:
            raise self._lost(f"it started more than {self.limits.processes} processes")
        if memory > self.limits.memory_bytes:
            raise self._lost(f"it used more than {self.limits.memory_bytes / (1 << 30):.3g} GiB of memory")

    def _lost(self, reason: str) -> Lost:
        self.kill()
        return Lost(reason)
