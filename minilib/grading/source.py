"""Reads an exercise's one source, solutions/NAME.py: a jupytext percent file with Otter's markup.

Three kinds of cells are ours:
`# %% [raw] about=true`: notes for the instructor, dropped.
`# %% [raw] withheld="q1"`: dotted names in minilib, one a line, that would answer the question.
`# %% mutant="slip" question="q1" says="words"`: a wrong answer, and words its feedback must contain.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

from minilib.errors import require
from minilib.grading.bundle import Mutant

QUESTION = re.compile(r"# BEGIN QUESTION\n(?:.*\n)*?name:\s*(\S+)")
CHECK = re.compile(r"# END TEST CONFIG\n(\s*def (\w+)\(.*)", re.DOTALL)
SOLUTION = re.compile(r"# BEGIN SOLUTION\n(.*?)# END SOLUTION", re.DOTALL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """An exercise before Otter has taken it apart.

    Attributes:
        name: name of the file.
        master: notebook with Otter's markup, without the cells that are ours.
        withheld: dotted name → question.
        mutants: wrong answers.
        secrets: lines of the answers that no student file may hold.
        checks: question → name of a check → its source as it was written, comments and line breaks included.
    """

    name: str
    master: Any
    withheld: dict[str, str]
    mutants: tuple[Mutant, ...]
    secrets: tuple[str, ...]
    checks: dict[str, dict[str, str]]


def read_source(path: Path) -> Source:
    """Reads solutions/NAME.py.

    Raises:
        ValueError: a mutant without a question or words.
        ImportError: jupytext is not installed; says which extra brings it.
    """
    notebook = require("jupytext", extra="grade").read(path)
    withheld: dict[str, str] = {}
    mutants, kept, secrets, question = [], [], [], ""
    checks: dict[str, dict[str, str]] = {}
    for cell in notebook.cells:
        data = cell.metadata
        if "withheld" in data:
            withheld |= dict.fromkeys(cell.source.split(), data["withheld"])
        elif "mutant" in data:
            if not data.get("question") or not data.get("says"):
                raise ValueError(f"{path}: the mutant {data['mutant']!r} needs a question and the words it must meet")
            mutants.append(
                Mutant(name=data["mutant"], question=data["question"], says=data["says"], source=cell.source)
            )
        elif "about" not in data:
            kept.append(cell)
            question = next(iter(QUESTION.findall(cell.source)), question)
            for text, name in CHECK.findall(cell.source):
                checks.setdefault(question, {})[name] = text.strip() + "\n"
            for block in SOLUTION.findall(cell.source):
                secrets += [line.strip() for line in block.splitlines() if len(line.strip()) > 12]
    notebook.cells = kept
    return Source(
        name=path.stem,
        master=notebook,
        withheld=withheld,
        mutants=tuple(mutants),
        secrets=tuple(secrets),
        checks=checks,
    )
