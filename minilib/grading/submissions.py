"""Finds the notebooks in a folder of submissions and takes their code cells; anything odd is left to a person."""

import dataclasses
import hashlib
import inspect
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minilib.grading.bundle import Bundle

MAX_BYTES = 32 << 20
SKIPPED = (".ipynb_checkpoints", "__MACOSX")
MARKER = re.compile(r"^EXERCISE\s*=\s*[\"']([\w-]+)[\"']", re.MULTILINE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Submission:
    """One student's work.

    Attributes:
        student: name of the subfolder, or of the file where they lie flat.
        file: path inside the folder of submissions; empty where there is none.
        sha256: of the file, first 16 digits; tells `--resume` that nothing has changed.
        cells: sources of the code cells.
        problem: why it cannot be scored; empty for most.
    """

    student: str
    file: str = ""
    sha256: str = ""
    cells: tuple[str, ...] = ()
    problem: str = ""


def find_submissions(folder: Path, bundle: Bundle) -> list[Submission]:
    """All submissions in `folder`: notebooks in a subfolder for each student, or flat, or both.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: there is nothing in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of submissions")
    found: dict[str, Submission] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in SKIPPED:
            continue
        if entry.is_dir() and not entry.is_symlink():
            submission = _in_folder(entry, folder, bundle)
        elif entry.suffix == ".ipynb":
            submission = _read(entry, entry.stem, folder, bundle)
        else:
            continue
        if submission.student in found:
            submission = dataclasses.replace(submission, student=entry.name)
        found[submission.student] = submission
    if not found:
        raise ValueError(f"{folder}: no notebooks here; put one .ipynb for each student into it, flat or in subfolders")
    return list(found.values())


def code_cells(text: str) -> tuple[str, ...]:
    """Sources of the code cells of a notebook given as JSON text.

    Raises:
        ValueError: it is no notebook of format 4.
    """
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a notebook: {type(error).__name__} while reading it as JSON") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("not a notebook of format 4: it has no list of cells; open it in Jupyter and save it again")
    return tuple(_source(cell) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code")


def function_names(bundle: Bundle) -> set[str]:
    """The names that the checks of an exercise ask for."""
    cases = [case for file in bundle.test_files().values() for case in file.test_cases]
    return {name for case in cases for name in inspect.signature(case.body.test_func).parameters}


def _in_folder(student: Path, folder: Path, bundle: Bundle) -> Submission:
    notebooks = [
        path
        for path in sorted(student.rglob("*.ipynb"))
        if not any(part in SKIPPED or part.startswith(".") for part in path.relative_to(student).parts)
    ]
    read = [_read(path, student.name, folder, bundle) for path in notebooks]
    fitting = [submission for submission in read if not submission.problem]
    if len(fitting) == 1 or len(read) == 1:
        return (fitting or read)[0]
    names = ", ".join(str(path.relative_to(student)) for path in notebooks[:5])
    problem = f"{len(notebooks)} notebooks, which one counts? {names}" if notebooks else "no notebook in this folder"
    return Submission(student=student.name, problem=problem)


def _read(path: Path, student: str, folder: Path, bundle: Bundle) -> Submission:
    """Reads one notebook; what is wrong with it becomes its `problem`."""
    file, digest = str(path.relative_to(folder)), ""
    try:
        if not path.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
            raise ValueError("a link, not a file")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES >> 20} MiB; clear its outputs")
        raw = path.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()[:16]
        cells = code_cells(raw.decode("utf-8-sig"))
        _check_exercise(cells, bundle)
    except (OSError, ValueError) as error:
        return Submission(student=student, file=file, sha256=digest, problem=str(error)[:300])
    return Submission(student=student, file=file, sha256=digest, cells=cells)


def _check_exercise(cells: Sequence[str], bundle: Bundle) -> None:
    """Raises ValueError for a notebook that belongs to another exercise, or to none."""
    code = "\n".join(cells)
    marked = set(MARKER.findall(code))
    if bundle.name in marked:
        return
    if marked:
        raise ValueError(f"a notebook of the exercise {', '.join(sorted(marked))}, not of {bundle.name}")
    if not any(re.search(rf"\b{re.escape(name)}\b", code) for name in function_names(bundle)):
        raise ValueError(f"no notebook of the exercise {bundle.name}: it defines none of its functions")


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(str(line) for line in source) if isinstance(source, list) else str(source)
