"""Student notebooks are what solutions/ makes, byte for byte, and show no answer."""

import json
from pathlib import Path

import pytest
from exercise_tools import SOLUTIONS, Exercise

from minilib.grading.build import build, main
from minilib.grading.bundle import Bundle

ROOT = SOLUTIONS.parent
NAMES = [path.stem for path in sorted(SOLUTIONS.glob("*.py"))]


@pytest.mark.parametrize("name", NAMES)
def test_committed_files_are_what_solutions_make(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(ROOT)
    assert main([name, "--check"]) == 0, capsys.readouterr().err


def test_no_exercise_is_left_from_a_source_that_is_gone():
    assert {path.name for path in (ROOT / "exercises").iterdir() if path.is_dir()} == set(NAMES)


def test_building_twice_gives_the_same_bytes(exercises: dict[str, Exercise], tmp_path: Path):
    files, bundle = build(SOLUTIONS / "noising.py")
    assert files == exercises["noising"].files
    for name, made in {"a.zip": bundle, "b.zip": exercises["noising"].bundle}.items():
        made.write(tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert Bundle.read(tmp_path / "a.zip") == bundle


@pytest.mark.parametrize("name", NAMES)
def test_students_get_no_answers_and_no_outputs(exercises: dict[str, Exercise], name: str):
    files, bundle = exercises[name].files, exercises[name].bundle
    notebook = json.loads(files[f"{name}.ipynb"])
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    text = "\n".join(files.values())
    assert "hidden=True" not in text and "SOLUTION" not in text
    hidden = [
        case.body.test_func.__name__ for f in bundle.test_files().values() for case in f.test_cases if case.hidden
    ]
    assert hidden and not any(f"def {test}(" in files[f"tests/{q}.py"] for q in bundle.tests for test in hidden[:1])
    solutions = {"".join(cell["source"]) for cell in json.loads(bundle.reference)["cells"]}
    assert len([cell for cell in code if "".join(cell["source"]) not in solutions]) == len(bundle.tests)


@pytest.mark.parametrize("name", NAMES)
def test_first_code_cell_fetches_the_course_only_on_colab(exercises: dict[str, Exercise], name: str):
    cells = json.loads(exercises[name].files[f"{name}.ipynb"])["cells"]
    setup = "".join(next(cell["source"] for cell in cells if cell["cell_type"] == "code"))
    guard = setup.index('if "google.colab" in sys.modules')
    assert setup.index("subprocess") > guard and "--no-deps" in setup and f'EXERCISE = "{name}"' in setup
    assert "github.com/OWNER/NAME" in setup
    assert not any(f" {package}" in setup.split("packages = ")[1].split("\n")[0] for package in ("torch", "numpy"))


def test_check_names_the_file_that_would_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(ROOT)
    out = ["noising", "--out", str(tmp_path)]
    assert main(out) == 0 and main([*out, "--check"]) == 0
    assert (tmp_path / "build" / "exercises" / "noising.zip").is_file()
    notebook = tmp_path / "exercises" / "noising" / "noising.ipynb"
    capsys.readouterr()
    notebook.write_bytes(notebook.read_bytes() + b" ")
    assert main([*out, "--check"]) == 1
    assert capsys.readouterr().err == f"{notebook} is not what solutions/ makes; run: make exercises\n"
    assert notebook.read_bytes().endswith(b" ")
    notebook.unlink()
    assert main([*out, "--check"]) == 1
    assert "noising.ipynb is missing" in capsys.readouterr().err
    main(out)
    (tmp_path / "exercises" / "noising" / "tests" / "q9.py").write_text("")
    assert main([*out, "--check"]) == 1
    assert "q9.py is not made from solutions/" in capsys.readouterr().err
