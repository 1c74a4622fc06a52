"""Scores one submission: the checks run here, the student's functions in the sandbox."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from minilib.grading import codec
from minilib.grading.bundle import Bundle
from minilib.grading.feedback import CheckFailed, StudentError
from minilib.grading.sandbox import STARTUP_S, Ended, Limits, Lost, Sandbox


@dataclasses.dataclass(frozen=True)
class Check:
    """One check's outcome; `message` is empty where it passed."""

    name: str
    points: float
    hidden: bool
    message: str

    @property
    def passed(self) -> bool:
        return not self.message


@dataclasses.dataclass(frozen=True)
class Score:
    """A submission's outcome.

    Attributes:
        questions: question → its checks.
        notes: what happened on the way, such as a cell that raised.
        look: why a person should look at this submission; empty for most.
        seconds: wall clock.
    """

    questions: dict[str, list[Check]]
    notes: list[str]
    look: str
    seconds: float

    def points(self, question: str) -> float:
        return sum(check.points for check in self.questions[question] if check.passed)

    def possible(self, question: str) -> float:
        return sum(check.points for check in self.questions[question])


class Replay:
    """A notebook being run in a sandbox; started again without the cell that killed or hung it.

    Args:
        sandbox: where to run it.
        cells: sources of the code cells.
        limits: see `Limits`.
    """

    def __init__(self, sandbox: Sandbox, cells: Sequence[str], limits: Limits):
        self.sandbox, self.limits = sandbox, limits
        self.cells = dict(enumerate(cells, start=1))
        self.notes: list[str] = []
        self.look = ""
        self.deadline = time.monotonic() + limits.notebook_s
        self.restarts = 0

    def run(self) -> None:
        """Runs all cells; one that raises is noted, one that kills or hangs the process is left out from then on."""
        while not self.look:
            number = 0
            try:
                self.sandbox.open(self._seconds(STARTUP_S))
                for number, source in self.cells.items():
                    if self._late():
                        return
                    error = self.sandbox.ask("cell", self._seconds(self.limits.cell_s), source=source).get("error")
                    if error is not None:
                        self._note(f"code cell {number}: {_line(error)}")
                return
            except (Ended, Lost) as error:
                if number:
                    del self.cells[number]
                self._restart(f"code cell {number} is left out: {error}" if number else str(error))

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls the student's function.

        Raises:
            StudentError: it raised, or returned what cannot be read.
            CheckFailed: there is none, or it killed or hung its process.
        """
        if self.look or self._late():
            raise CheckFailed(f"not run: {self.look}")
        fields = {"name": name, "args": codec.encode(list(args)), "kwargs": codec.encode(kwargs)}
        try:
            reply = self.sandbox.ask("call", self._seconds(self.limits.call_s), **fields)
        except (Ended, Lost) as error:
            self._restart(f"{name}: {error}")
            self.run()
            raise CheckFailed(f"{name} was stopped: {error}") from None
        if reply.get("undefined"):
            raise CheckFailed(f"the notebook defines no function {name}")
        if reply.get("error") is not None:
            raise StudentError(_line(reply["error"]))
        try:
            changed = {int(i): codec.decode(value) for i, value in reply.get("changed", ())}
            value = codec.decode(reply.get("value"))
        except (TypeError, ValueError) as error:
            self._note(f"{name} returned what cannot be read: {_line(error)}")
            raise StudentError("ValueError: what the function returned cannot be read") from None
        for index, new in changed.items():
            _write_back(args, index, new)
        return value

    def _seconds(self, limit: float) -> float:
        return max(0.1, min(limit, self.deadline - time.monotonic()))

    def _restart(self, note: str) -> None:
        """Notes what happened; gives up where it has happened too often."""
        self._note(note)
        self.restarts += 1
        if not self._late() and self.restarts > self.limits.restarts:
            self.look = f"it was stopped {self.restarts} times, last: {_line(note)}"

    def _late(self) -> bool:
        if time.monotonic() >= self.deadline:
            self.look = f"it took longer than {self.limits.notebook_s:.3g} s altogether"
        return bool(self.look)

    def _note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < 20:
            self.notes.append(text)


class Remote:
    """Stands for a function of the notebook; calling it calls the one in the sandbox."""

    def __init__(self, replay: Replay, name: str):
        self._replay, self.__name__ = replay, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._replay.call(self.__name__, args, kwargs)


class Names(dict[str, Any]):
    """The notebook's names as Otter's test files look them up."""

    def __init__(self, replay: Replay):
        super().__init__()
        self._replay = replay

    def get(self, key: str, default: Any = None) -> Any:
        return Remote(self._replay, key)


def score(bundle: Bundle, cells: Sequence[str], library: Path, limits: Limits) -> Score:
    """Scores a submission in a sandbox of its own.

    Args:
        bundle: the exercise.
        cells: sources of the submission's code cells.
        library: see `withhold.make_library`.
        limits: see `Limits`.
    """
    with Sandbox(library, limits) as sandbox:
        return score_in(sandbox, bundle, cells, limits)


def score_in(sandbox: Sandbox, bundle: Bundle, cells: Sequence[str], limits: Limits) -> Score:
    """As `score`, in a sandbox that may serve again after `close`: for notebooks that one trusts, such as one's own."""
    start = time.monotonic()
    replay = Replay(sandbox, cells, limits)
    replay.run()
    questions = {question: _check(file, replay) for question, file in bundle.test_files().items()}
    return Score(questions, replay.notes, replay.look, time.monotonic() - start)


def _check(file: Any, replay: Replay) -> list[Check]:
    outcomes = []
    for case in file.test_cases:
        message = ""
        try:
            case.body.call_func(Names(replay))
        except CheckFailed as error:
            message = str(error)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
        outcomes.append(Check(case.body.test_func.__name__, case.points, case.hidden, _text(message)))
    return outcomes


def _write_back(args: tuple[Any, ...], index: int, new: Any) -> None:
    """Repeats here what the function did to its argument in the sandbox, where that is a change of values only."""
    old = args[index] if 0 <= index < len(args) else None
    if not isinstance(old, torch.Tensor) or not isinstance(new, torch.Tensor):
        return
    if old.shape == new.shape and old.dtype == new.dtype and old.device == new.device:
        old.copy_(new)


def _text(message: str, limit: int = 1000) -> str:
    """Printable text: a student's words must not steer a terminal or a spreadsheet."""
    plain = "".join(c if c.isprintable() or c == "\n" else "�" for c in message)
    return plain if len(plain) <= limit else plain[:limit] + " …"


def _line(message: object) -> str:
    return " ".join(_text(str(message), 300).split())
