"""Hostile and broken submissions, scored in one run of the command as an instructor would start it."""

import csv
import dataclasses
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import jupytext
import pytest
from exercise_tools import Exercise

from minilib.grading.sandbox import Limits
from minilib.grading.scoring import score

pytestmark = pytest.mark.alone  # cells have seconds to end in

Rows = dict[str, dict[str, str]]
MARKER = "987654.321"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attack:
    """One cell of attacks.py; see there."""

    attack: str
    holds: str
    score: float
    source: str
    notes: str = ""
    look: str = ""
    says: str = ""


ATTACKS = [
    Attack(**cell.metadata, source=cell.source)
    for cell in jupytext.read(Path(__file__).with_name("attacks.py")).cells
    if "attack" in cell.metadata
]
# Submissions that cannot be scored, and words of the reason given.
BROKEN = {
    "no_notebook": "no notebook in this folder",
    "two_notebooks": "2 notebooks, which one counts? a.ipynb, b.ipynb",
    "not_json": "not a notebook: JSONDecodeError",
    "deep_json": "not a notebook: RecursionError",
    "a_list": "it has no list of cells",
    "a_link": "a link, not a file",
    "binary": "codec can't decode",
    "other_exercise": "a notebook of the exercise attention, not of noising",
    "shopping_list": "it defines none of its functions",
}


class Run:
    """What one run of the command left behind."""

    def __init__(self, done: subprocess.CompletedProcess[str], out: Path, connections: list[str], canary: Path):
        with out.open(newline="", encoding="utf-8") as file:
            self.rows: Rows = {row["student"]: row for row in csv.DictReader(file)}
        self.done, self.folder = done, out.with_name("scores-feedback")
        self.connections, self.canary = connections, canary

    def feedback(self, student: str) -> str:
        return (self.folder / f"{student}.txt").read_text(encoding="utf-8")


def _notebook(cells: list[str]) -> str:
    made = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def _write_broken(folder: Path, exercise: Exercise) -> None:
    reference = _notebook(exercise.reference)
    files = {
        "two_notebooks/a.ipynb": reference,
        "two_notebooks/b.ipynb": reference,
        "not_json.ipynb": "This is my homework.",
        "deep_json.ipynb": "[" * 100_000,
        "a_list/x.ipynb": "[]",
        "other_exercise/x.ipynb": _notebook(['EXERCISE = "attention"', "def softmax(x): return x"]),
        "shopping_list/x.ipynb": _notebook(["milk = 2"]),
        "two_with_one_fitting/noising.ipynb": reference,
        "two_with_one_fitting/notes.ipynb": _notebook(["milk = 2"]),
        "two_with_one_fitting/.ipynb_checkpoints/noising-checkpoint.ipynb": reference,
        "flat.ipynb": reference,
        "readme.txt": "not a submission",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "no_notebook").mkdir()
    (folder / "binary.ipynb").write_bytes(b"\xff\xfe\x00\x01" * 100)
    (folder / "a_link.ipynb").symlink_to(folder / "flat.ipynb")


@pytest.fixture(scope="module")
def run(exercises: dict[str, Exercise], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder, exercise = tmp_path_factory.mktemp("class"), exercises["noising"]
    connections: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, connections), daemon=True).start()
        canary = folder / "canary"
        names = f"PORT, CANARY, MARKER = {server.getsockname()[1]}, {str(canary)!r}, {MARKER!r}"
        for attack in ATTACKS:
            base = {"answers": exercise.reference, "nothing": exercise.blank}[attack.holds]
            student = folder / "submissions" / attack.attack
            student.mkdir(parents=True)
            (student / "noising.ipynb").write_text(_notebook([*base, names, attack.source]), encoding="utf-8")
        _write_broken(folder / "submissions", exercise)
        exercise.bundle.write(folder / "noising.zip")
        limits = ["--jobs=2", "--cell-seconds=5", "--call-seconds=3", "--notebook-seconds=90", "--memory-gib=1"]
        command = [sys.executable, "-m", "minilib.grading", "noising.zip", "submissions", "scores.csv", *limits]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr
        yield Run(done, folder / "scores.csv", connections, canary)


def _accept(server: socket.socket, connections: list[str]) -> None:
    while True:
        try:
            connection, address = server.accept()
        except OSError:
            return
        connections.append(str(address))
        connection.close()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.attack)
def test_scored_as_deserved(run: Run, attack: Attack):
    row = run.rows[attack.attack]
    assert float(row["score"]) == attack.score and row["possible"] == "20", row
    for words, found in ((attack.notes, row["notes"]), (attack.look, row["look"])):
        assert words in found if words else found == "", row
    assert attack.says in run.feedback(attack.attack)


@pytest.mark.parametrize(("student", "reason"), BROKEN.items())
def test_broken_submission_is_left_to_a_person(run: Run, student: str, reason: str):
    row = run.rows[student]
    assert row["score"] == "" and reason in row["look"]
    assert reason in run.feedback(student)


@pytest.mark.parametrize("student", ["flat", "two_with_one_fitting"])
def test_every_usual_layout_is_found(run: Run, student: str):
    assert run.rows[student]["percent"] == "100.0"


def test_nothing_got_out(run: Run):
    assert run.connections == []
    assert not run.canary.exists()
    left = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _readable(path)]
    assert not any(MARKER.encode() in line for line in left)


def test_every_submission_has_one_row_in_order(run: Run):
    assert list(run.rows) == sorted([*(a.attack for a in ATTACKS), *BROKEN, "flat", "two_with_one_fitting"])
    assert f"{len(run.rows)} submissions in" in run.done.stdout


def test_no_cell_of_the_table_is_a_formula_or_steers_the_terminal(run: Run):
    text = "".join(value for row in run.rows.values() for value in row.values())
    assert not any(value[:1] in ("=", "+", "-", "@") for row in run.rows.values() for value in row.values())
    assert all(char.isprintable() for char in text + run.done.stdout.replace("\n", ""))


def test_takes_all_day(exercises: dict[str, Exercise]):
    exercise = exercises["noising"]
    cells = [*exercise.blank, "import time", *["time.sleep(1)"] * 20]
    result = score(exercise.bundle, cells, exercise.course, Limits(notebook_s=8.0))
    assert result.look == "it took longer than 8 s altogether"
    assert sum(result.points(question) for question in result.questions) == 0
    assert result.seconds < 20


def _readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True
