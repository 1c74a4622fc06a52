"""The command: finished scores are never lost, and usual notebooks run as they do in Jupyter."""

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from exercise_tools import Exercise

import minilib.grading.__main__ as command
from minilib.grading.scoring import Check, Score
from minilib.grading.walls import bwrap_command

USUAL = [
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "%load_ext autoreload\n%autoreload 2",
    "%%time\nfrom tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass",
    "import asyncio\nawait asyncio.sleep(0)",
    "display({'a': 1})\nprint('ᾱ' * 10)\ntorch.ones(2)",
    "!echo hello",
    "import numpy as np, os, tempfile\nwith open('notes.txt', 'w') as f: f.write('x')\ntempfile.mkstemp()",
    "from concurrent.futures import ThreadPoolExecutor\nlist(ThreadPoolExecutor(4).map(str, range(9)))",
    "from torch.utils.data import DataLoader\nlist(DataLoader(torch.arange(4), num_workers=2))",
    "torch.cuda.is_available()",
    "from minilib.errors import unknown_name",
]


def test_usual_cells_run_as_in_jupyter(exercises: dict[str, Exercise]):
    exercise = exercises["noising"]
    result = exercise.score([*exercise.reference, *USUAL])
    assert result.notes == [] and result.look == ""
    assert sum(result.points(question) for question in result.questions) == 20


@pytest.fixture
def class_of_three(exercises: dict[str, Exercise], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three submissions and a scorer that needs no sandbox; it fails for the student whose notebook says so."""
    exercises["noising"].bundle.write(tmp_path / "noising.zip")
    (tmp_path / "class").mkdir()
    for student in ("anna", "ben", "cleo"):
        (tmp_path / "class" / f"{student}.ipynb").write_text(exercises["noising"].bundle.student, encoding="utf-8")

    def quick(bundle: object, cells: tuple[str, ...], *rest: object) -> Score:
        if "broken" in cells[-1]:
            raise OSError("no space left")
        return Score({"q1": [Check("a", 2.0, False, ""), Check("b", 1.0, True, "wrong\nby far")]}, [], "", 0.5)

    monkeypatch.setattr(command, "score", quick)
    monkeypatch.setattr(command, "check_sandbox", lambda library: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "out.csv").open(newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_one_failure_of_the_scorer_stops_nothing(class_of_three: Path, exercises: dict[str, Exercise]):
    ben = class_of_three / "class" / "ben.ipynb"
    ben.write_text(exercises["noising"].bundle.student.replace('grader.check(\\"q5\\")', "broken"), encoding="utf-8")
    assert command.main(["noising.zip", "class", "out.csv", "--jobs=1"]) == 0
    rows = _rows(class_of_three)
    assert rows["ben"]["score"] == "" and rows["ben"]["look"] == "scoring failed: OSError: no space left"
    assert (rows["anna"]["score"], rows["anna"]["possible"], rows["anna"]["percent"]) == ("2", "3", "66.7")
    assert "FAILED  b (hidden), 1 point\n          wrong\n          by far" in (
        class_of_three / "out-feedback" / "anna.txt"
    ).read_text(encoding="utf-8")


def test_resume_scores_only_what_is_new_or_changed(class_of_three: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["noising.zip", "class", "out.csv", "--jobs=1"]
    assert command.main(arguments) == 0
    lines = (class_of_three / "out.csv").read_bytes().splitlines(keepends=True)
    # As if the machine had stopped while it wrote Cleo's row.
    (class_of_three / "out.csv").write_bytes(b"".join(lines[:3]) + lines[3][:20])
    with (class_of_three / "class" / "anna.ipynb").open("a") as file:
        file.write("\n")
    capsys.readouterr()
    assert command.main([*arguments, "--resume"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 scored already\n") and "anna: 2/3" in said and "cleo: 2/3" in said and "ben" not in said
    assert list(_rows(class_of_three)) == ["anna", "ben", "cleo"]
    assert (class_of_three / "out.csv").read_bytes().count(b"\n") == 4


def test_a_course_below_tmp_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The sandbox has a /tmp of its own; an environment that lies in the host's must show through it, read-only."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        environment = Path(folder, "environment")
        environment.mkdir()
        (environment / "marker").write_text("seen")
        monkeypatch.setattr(sys, "prefix", str(environment))
        monkeypatch.setattr(sys, "executable", str(Path(sys.base_prefix, "bin", "python3")))
        code = f"print(open('{environment}/marker').read()); open('/tmp/own', 'w'); open('{environment}/more', 'w')"
        command = bwrap_command(tmp_path, disk_bytes=1 << 20, argv=["-c", code])
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.stdout == "seen\n", done.stderr
        assert "Read-only file system" in done.stderr
        assert [path.name for path in environment.iterdir()] == ["marker"]


def test_killing_the_command_ends_its_sandboxes(exercises: dict[str, Exercise], tmp_path: Path):
    exercises["noising"].bundle.write(tmp_path / "noising.zip")
    (tmp_path / "class").mkdir()
    marker = "876543.21"
    cell = f"EXERCISE = 'noising'\nimport subprocess; subprocess.run(['sleep', '{marker}'])"
    notebook = {"cells": [{"cell_type": "code", "source": cell}], "nbformat": 4}
    (tmp_path / "class" / "anna.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    arguments = [sys.executable, "-m", "minilib.grading", "noising.zip", "class", "out.csv"]
    process = subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(lambda: _running(marker))
    finally:
        process.kill()
        process.wait()
    _wait(lambda: not _running(marker))


def _running(marker: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"sleep\0{marker}".encode() in path.read_bytes():
                return True
        except OSError:
            continue
    return False


def _wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
