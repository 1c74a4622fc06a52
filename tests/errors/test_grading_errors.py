"""Bad input of the grading commands: one line each that says what to do, before any work starts."""

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

import minilib.grading.__main__ as command
from minilib.grading.build import build
from minilib.grading.build import main as build_main
from minilib.grading.bundle import Bundle
from minilib.grading.walls import SandboxError, check_sandbox
from minilib.grading.withhold import make_library, without

ROOT = Path(__file__).parents[2]
CHECKS = """
from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None

@test_case(points=1, hidden=False)
def test_f(f):
    assert f() == 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small bundle and one submission, in the working directory."""
    monkeypatch.chdir(tmp_path)
    bundle = Bundle(name="tiny", withheld={}, mutants=(), tests={"q1": CHECKS}, student="{}", reference="{}")
    bundle.write(tmp_path / "tiny.zip")
    (tmp_path / "class").mkdir()
    cell = {"cell_type": "code", "source": "EXERCISE = 'tiny'\ndef f(): return 1"}
    (tmp_path / "class" / "anna.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    return tmp_path


def _refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert command.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith("minilib.grading: ")
    return said.err


def test_missing_bundle(folder: Path, capsys: pytest.CaptureFixture[str]):
    said = _refused(capsys, "none.zip", "class", "out.csv")
    assert "none.zip: no such bundle; python -m minilib.grading.build makes it" in said


@pytest.mark.parametrize("content", [b"", b"no zip file", b"PK\x03\x04 cut short"])
def test_corrupt_bundle(folder: Path, capsys: pytest.CaptureFixture[str], content: bytes):
    (folder / "bad.zip").write_bytes(content)
    assert "bad.zip: not a bundle of an exercise" in _refused(capsys, "bad.zip", "class", "out.csv")


def test_damaged_and_foreign_bundles(folder: Path, capsys: pytest.CaptureFixture[str]):
    raw = bytearray((folder / "tiny.zip").read_bytes())
    raw[60] ^= 255
    (folder / "damaged.zip").write_bytes(raw)
    for name, members in {"other.zip": {"a.txt": "b"}, "new.zip": {"exercise.json": '{"format": 99}'}}.items():
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, text in members.items():
                archive.writestr(member, text)
    for name in ("damaged.zip", "other.zip", "new.zip"):
        assert f"{name}: not a bundle of an exercise" in _refused(capsys, name, "class", "out.csv")


def test_submissions_folder(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert "nowhere: no such folder of submissions" in _refused(capsys, "tiny.zip", "nowhere", "out.csv")
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("")
    assert "empty: no notebooks here; put one .ipynb" in _refused(capsys, "tiny.zip", "empty", "out.csv")


def test_out_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "check_sandbox", lambda library: None)
    said = _refused(capsys, "tiny.zip", "class", "no/such/folder/out.csv")
    assert "no/such/folder/out.csv cannot be written: No such file or directory" in said
    (folder / "taken.csv").mkdir()
    assert "taken.csv cannot be written: Is a directory" in _refused(capsys, "tiny.zip", "class", "taken.csv")
    (folder / "old.csv").write_text("student,score\nanna,3\n")
    said = _refused(capsys, "tiny.zip", "class", "old.csv")
    assert "old.csv is there already: --resume goes on with it, or choose another name" in said
    said = _refused(capsys, "tiny.zip", "class", "old.csv", "--resume")
    assert "old.csv is no report of these questions: choose another name" in said
    assert (folder / "old.csv").read_text() == "student,score\nanna,3\n"


def test_without_bubblewrap_nothing_is_run(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(folder))
    said = _refused(capsys, "tiny.zip", "class", "out.csv")
    assert "bwrap was not found, and students' code is never run without a sandbox" in said
    assert "apt install bubblewrap" in said and not (folder / "out.csv").exists()


@pytest.mark.parametrize(
    ("stderr", "advice"),
    [
        ("bwrap: No permissions to create new namespace, likely because ...", "allow unprivileged user namespaces"),
        ("bwrap: setting up uid map: Permission denied", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("bwrap: Unknown option --size", "bubblewrap 0.7 or newer is needed"),
        ("bwrap: execvp /x/python: Permission denied", "must be able to read this Python"),
    ],
)
def test_bubblewrap_that_is_not_allowed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stderr: str, advice: str
):
    (folder / "bin").mkdir()
    (folder / "bin" / "bwrap").write_text(f"#!/bin/sh\necho '{stderr}' >&2\nexit 1\n")
    (folder / "bin" / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    said = _refused(capsys, "tiny.zip", "class", "out.csv")
    assert f"bubblewrap cannot make a sandbox here ({stderr})" in said and advice in said
    assert not (folder / "out.csv").exists()


def test_other_systems_are_told_to_use_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="score on a Linux machine"):
        check_sandbox(tmp_path)


@pytest.mark.parametrize("module", ["otter.test_files.exception_test", "jupytext"])
def test_missing_extra(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, module: str):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(ROOT if module == "jupytext" else folder)
    if module == "jupytext":
        assert build_main(["noising", "--check"]) == 2
        said = capsys.readouterr().err
    else:
        said = _refused(capsys, "tiny.zip", "class", "out.csv")
    assert f"{module} is needed here and is not installed: pip install 'minilib[grade]'" in said


@pytest.mark.parametrize("value", ["0", "-1", "many"])
@pytest.mark.parametrize("option", ["--jobs", "--cell-seconds", "--memory-gib"])
def test_limits_must_be_positive(folder: Path, capsys: pytest.CaptureFixture[str], option: str, value: str):
    with pytest.raises(SystemExit):
        command.main(["tiny.zip", "class", "out.csv", f"{option}={value}"])
    assert f"argument {option}: expected a number above 0, got '{value}'" in capsys.readouterr().err


def test_build_in_the_wrong_place_or_of_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    assert build_main([]) == 2
    assert "solutions/ has no exercise: run this in the folder of the course's clone" in capsys.readouterr().err
    monkeypatch.chdir(ROOT)
    assert build_main(["noisng"]) == 2
    assert "Unknown exercise 'noisng'. Did you mean 'noising'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schedules.linear_betas\n", "schedules.liner_betas\n", "Did you mean 'linear_betas'?"),
        ("schedules.linear_betas\n", "scedules.linear_betas\n", "'scedules.linear_betas' is withheld but not defined"),
        ('mutant="float32" question="q1" says=', 'mutant="float32" question="q1" x=', "needs a question and the words"),
        ('mutant="float32" question="q1"', 'mutant="float32" question="q7"', "there is no question q7"),
        ("# END SOLUTION\n\n# %% [raw]", "# %% [raw]", "Otter cannot take it apart"),
        ("#\n# Write `linear_", "#\n# return torch.cumprod(1 - betas, dim=0)\n# Write `linear_", "would show students"),
        ("points: 1\n", "points: 1\nhidden: true\n", "needs a check that students can see"),
    ],
)
def test_mistakes_in_a_source(tmp_path: Path, old: str, new: str, words: str):
    text = (ROOT / "solutions" / "noising.py").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "noising.py"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        build(path)


def test_withholding_refuses_what_is_not_there(tmp_path: Path):
    with pytest.raises(ValueError, match=r"'A.g' is withheld but not defined. Did you mean 'A.f'\?"):
        without("class A:\n    def f(self): return 1\n", {"A.g": "q1"})
    with pytest.raises(ValueError, match=r"'minilib.nothing' is withheld, but minilib has no such module"):
        make_library(tmp_path, {"minilib.nothing": "q1"})
