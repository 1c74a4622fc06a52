"""`python -m minilib.grading.build [NAME...]`: solutions/NAME.py → exercises/NAME/ and build/exercises/NAME.zip.

The folder is for students, the zip file for instructors. The same source gives the same bytes, so the student notebooks
are committed and `--check` can tell that they are up to date.
"""

import argparse
import ast
import contextlib
import io
import json
import shutil
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minilib.errors import require, unknown_name
from minilib.grading.bundle import Bundle
from minilib.grading.source import Source, read_source
from minilib.grading.withhold import make_library

MARKUP = ("SOLUTION", "hidden=True", "BEGIN ", "END ")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0; 1 where `--check` found a difference; 2 after a line that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m minilib.grading.build", description="Makes the exercises.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="exercises to make (default: all in solutions/)")
    parser.add_argument("--out", type=Path, default=Path(), help="where exercises/ and build/ go (default: here)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a byte would change")
    options = parser.parse_args(argv)
    try:
        for path in _sources(options.names):
            files, bundle = build(path)
            student = options.out / "exercises" / path.stem
            if options.check:
                difference = _difference(student, files)
                if difference:
                    print(f"{difference}; run: make exercises", file=sys.stderr)
                    return 1
                continue
            _replace(student, files)
            bundle.write(options.out / "build" / "exercises" / f"{path.stem}.zip")
            print(f"{student}: {len(bundle.tests)} questions, {len(bundle.mutants)} wrong answers")
    except (OSError, ValueError, ImportError) as error:
        print(f"minilib.grading.build: {error}", file=sys.stderr)
        return 2
    return 0


def build(path: Path) -> tuple[dict[str, str], Bundle]:
    """Makes one exercise in memory.

    Returns:
        the student's files (path inside exercises/NAME → text), and the instructor's bundle.
    Raises:
        ValueError: markup that Otter refuses, an answer that would leak, a withheld name that does not exist.
        ImportError: Otter or jupytext is not installed; says which extra brings them.
    """
    source = read_source(path)
    with tempfile.TemporaryDirectory() as folder:
        made = _assign(source, Path(folder))
        library = Path(folder, "library")
        library.mkdir()
        make_library(library, source.withheld)
        notebook = f"{source.name}.ipynb"
        files = {notebook: _notebook(made / "student" / notebook, source.name)}
        for test in sorted((made / "student" / "tests").glob("*.py")):
            files[f"tests/{test.name}"] = _tests(test, source)
        bundle = Bundle(
            name=source.name,
            withheld=source.withheld,
            mutants=source.mutants,
            tests={test.stem: _tests(test, source) for test in sorted((made / "autograder" / "tests").glob("*.py"))},
            student=files[notebook],
            reference=_notebook(made / "autograder" / notebook, source.name),
        )
    _check(source, files, bundle)
    return files, bundle


def _sources(names: Sequence[str]) -> list[Path]:
    known = {path.stem: path for path in sorted(Path("solutions").glob("*.py"))}
    if not known:
        raise FileNotFoundError("solutions/ has no exercise: run this in the folder of the course's clone")
    for name in names:
        if name not in known:
            raise unknown_name("exercise", name, known)
    return [known[name] for name in names or known]


def _assign(source: Source, folder: Path) -> Path:
    """Otter takes the master apart into a student's and an instructor's notebook and test files."""
    nbformat, assign = require("nbformat", extra="grade"), require("otter.assign", extra="grade")
    master = folder / f"{source.name}.ipynb"
    nbformat.write(source.master, master)
    words = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
            warnings.simplefilter("ignore")
            assign.main(str(master), str(folder / "made"), no_run_tests=True, no_pdfs=True)
    except Exception as error:
        raise ValueError(f"{source.name}: Otter cannot take it apart: {error}") from error
    return folder / "made"


def _notebook(path: Path, name: str) -> str:
    """The notebook's text, without all that differs from one build to the next."""
    made = json.loads(path.read_text(encoding="utf-8"))
    cells = []
    for number, cell in enumerate(made["cells"]):
        source = "".join(cell["source"])
        locked = {key: cell["metadata"][key] for key in ("deletable", "editable") if key in cell["metadata"]}
        plain: dict[str, Any] = {"cell_type": cell["cell_type"], "id": f"{name}-{number:02d}", "metadata": locked}
        if cell["cell_type"] == "code":
            plain |= {"execution_count": None, "outputs": []}
        cells.append({**plain, "source": source.splitlines(keepends=True)})
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _check(source: Source, files: dict[str, str], bundle: Bundle) -> None:
    """Stops a build that would hand out an answer, or checks that would not run."""
    for name, text in files.items():
        for secret in (*MARKUP, *source.secrets):
            if secret in text or json.dumps(secret, ensure_ascii=False)[1:-1] in text:
                raise ValueError(f"{source.name}: {name} would show students {secret!r}")
    for question, file in bundle.test_files().items():
        if not file.test_cases or not any(not case.hidden for case in file.test_cases):
            raise ValueError(f"{source.name}: question {question} needs a check that students can see")
    unknown = {m.question for m in source.mutants} | set(source.withheld.values())
    if unknown - set(bundle.tests):
        raise ValueError(f"{source.name}: there is no question {', '.join(sorted(unknown - set(bundle.tests)))}")


def _difference(folder: Path, files: dict[str, str]) -> str:
    """What `_replace` would change, in a few words; empty where nothing."""
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    # What running a notebook leaves behind (.OTTER_LOG, .ipynb_checkpoints, __pycache__) is nobody's source.
    there = {path.as_posix() for path in found if not any(part.startswith((".", "__")) for part in path.parts)}
    for name in sorted(there | set(files)):
        if name not in files:
            return f"{folder / name} is not made from solutions/"
        if name not in there:
            return f"{folder / name} is missing"
        if (folder / name).read_bytes() != files[name].encode():
            return f"{folder / name} is not what solutions/ makes"
    return ""


def _replace(folder: Path, files: dict[str, str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def _tests(path: Path, source: Source) -> str:
    """A test file of Otter's with the checks as they were written: Otter drops their comments and line breaks.

    Other versions of Python would also write them back differently.
    """
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    made = []
    for node in ast.parse(text).body:
        checks = source.checks.get(path.stem, {})
        if isinstance(node, ast.FunctionDef) and node.name in checks:
            first = node.decorator_list[0].lineno - 1
            made.append("\n\n" + "\n".join([*lines[first : node.lineno - 1], checks[node.name]]))
        else:
            made.append("\n".join(lines[node.lineno - 1 : node.end_lineno]) + "\n")
    return "".join(made)


if __name__ == "__main__":
    sys.exit(main())
