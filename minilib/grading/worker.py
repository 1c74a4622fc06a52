"""The other side of the wall: runs inside the sandbox, next to the student's code, and answers in lines of JSON.

The sandbox holds a copy of this file and of `codec`. A parent process imports torch once. For every "open" it forks a
child that executes cells and calls functions until "close"; a child that dies costs no second import. Nothing here is
trusted: the student's code may patch all of it, and gains only the power to return other values.
"""

import gc
import json
import os
import resource
from typing import Any

import codec  # pyright: ignore[reportMissingImports]  # the copy next to this one


class Lines:
    """Requests in, replies out, one line of JSON each, on two private file descriptors."""

    def __init__(self, incoming: int, outgoing: int):
        self.incoming, self.outgoing, self.rest = incoming, outgoing, b""

    def read(self) -> dict[str, Any]:
        """The next request; leaves the process at the end of input."""
        while b"\n" not in self.rest:
            chunk = os.read(self.incoming, 1 << 20)
            if not chunk:
                os._exit(0)
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def write(self, reply: dict[str, Any]) -> None:
        """Sends one reply."""
        data = memoryview(json.dumps(reply).encode() + b"\n")
        while data:
            data = data[os.write(self.outgoing, data) :]


class Forgetful(dict[int, list[Any]]):
    """Gives a new list for every key and keeps none."""

    def __missing__(self, key: int) -> list[Any]:
        return []


def main() -> None:
    """Serves until the other side closes the pipe."""
    os.nice(5)
    lines = Lines(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    shell = _shell()
    gc.freeze()
    lines.write({"ready": True})
    while True:
        request = lines.read()
        child = os.fork()
        if child == 0:
            _limit(**request["limits"])
            lines.write({"id": request["id"]})
            _serve(shell, lines)
        _, status = os.waitpid(child, 0)
        lines.write({"closed": True} if status == 0 else {"died": _cause(status)})


def _shell() -> Any:
    """An IPython shell, so that magics, `display` and top-level `await` work as they do in a notebook."""
    import torch
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    torch.set_num_threads(1)
    # The first operation on a meta tensor imports half of torch (1 s): once, here, for all that are forked later.
    torch.ones(1, device="meta").cumsum(0)

    class Shell(InteractiveShell):
        def enable_gui(self, gui: object = None) -> None:
            """`%matplotlib` asks for a window system; figures go nowhere here."""

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.cache_size = 0
    config.InteractiveShell.colors = "NoColor"
    # A traceback nobody will read costs time and can run the student's own __repr__.
    config.InteractiveShell.xmode = "Minimal"
    shell = Shell.instance(config=config)
    # IPython would keep everything that is ever printed.
    if shell.history_manager is not None:
        shell.history_manager.outputs = Forgetful()
    return shell


def _limit(*, memory: int, processes: int, file: int, cpu: int) -> None:
    """Limits of each single process; those of the whole sandbox are watched from outside."""
    pairs = {
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_FSIZE: file,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_NOFILE: 512,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in pairs.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _serve(shell: Any, lines: Lines) -> None:
    while True:
        request = lines.read()
        if request["op"] == "close":
            os._exit(0)
        reply: dict[str, Any]
        try:
            reply = _cell(shell, request["source"]) if request["op"] == "cell" else _call(shell, request)
        except BaseException as error:  # SystemExit and KeyboardInterrupt included: nothing may end the serving
            reply = {"error": _describe(error)}
        lines.write({**reply, "id": request["id"]})


def _cell(shell: Any, source: str) -> dict[str, Any]:
    result = shell.run_cell(source, store_history=False)
    error = result.error_before_exec or result.error_in_exec
    return {"error": None if error is None else _describe(error)}


def _call(shell: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Calls a function of the notebook; says which arguments it changed in place, so that checks can see that too."""
    function = shell.user_ns.get(request["name"])
    if not callable(function):
        return {"undefined": True}
    args, kwargs = codec.decode(request["args"]), codec.decode(request["kwargs"])
    value = codec.encode(function(*args, **kwargs))
    now = [codec.encode(arg) for arg in args]
    sent = request["args"]["list"]
    changed = [[i, new] for i, (new, old) in enumerate(zip(now, sent, strict=True)) if new != old]
    return {"value": value, "changed": changed}


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:2000]
    except BaseException:
        return type(error).__name__


def _cause(status: int) -> str:
    return f"killed by signal {status & 127}" if status & 127 else f"left with exit code {status >> 8}"


if __name__ == "__main__":
    main()
