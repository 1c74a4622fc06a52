"""The instructor's bundle: one zip file with all that scoring an exercise needs. Students never get it.

exercise.json      name, withheld names, wrong answers
tests/QUESTION.py  visible and hidden checks, in Otter's format
student.ipynb      the notebook as students get it
reference.ipynb    the notebook with the answers
"""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

from minilib.errors import require

FORMAT = 1
# A fixed date keeps the file the same, byte for byte, however often it is built.
DATE = (1980, 1, 1, 0, 0, 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mutant:
    """A wrong answer that the checks must see through.

    Attributes:
        name: the slip, in a few words.
        question: the question that it gets wrong; all others stay right.
        says: words that the feedback must contain.
        source: cell that redefines the question's functions.
    """

    name: str
    question: str
    says: str
    source: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """An exercise as scoring needs it.

    Attributes:
        name: the exercise's name.
        withheld: dotted name in minilib → the question that it would answer.
        mutants: wrong answers.
        tests: question → source of its test file.
        student, reference: notebooks as JSON text.
    """

    name: str
    withheld: dict[str, str]
    mutants: tuple[Mutant, ...]
    tests: dict[str, str]
    student: str
    reference: str

    def write(self, path: Path) -> None:
        """Writes the zip file."""
        head = {
            "format": FORMAT,
            "name": self.name,
            "withheld": self.withheld,
            "mutants": [dataclasses.asdict(mutant) for mutant in self.mutants],
        }
        members = {
            "exercise.json": json.dumps(head, indent=1, ensure_ascii=False),
            **{f"tests/{question}.py": source for question, source in self.tests.items()},
            "student.ipynb": self.student,
            "reference.ipynb": self.reference,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in members.items():
                archive.writestr(zipfile.ZipInfo(name, DATE), text)

    @classmethod
    def read(cls, path: Path) -> "Bundle":
        """Reads the zip file.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is no bundle, or one of another version.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such bundle; python -m minilib.grading.build makes it from solutions/")
        try:
            with zipfile.ZipFile(path) as archive:
                texts = {name: archive.read(name).decode() for name in archive.namelist()}
            head = json.loads(texts["exercise.json"])
            if head["format"] != FORMAT:
                raise ValueError(f"made by another version of the course (format {head['format']}, not {FORMAT})")
            return cls(
                name=head["name"],
                withheld=head["withheld"],
                mutants=tuple(Mutant(**mutant) for mutant in head["mutants"]),
                tests={Path(name).stem: text for name, text in sorted(texts.items()) if name.startswith("tests/")},
                student=texts["student.ipynb"],
                reference=texts["reference.ipynb"],
            )
        except (zipfile.BadZipFile, EOFError, KeyError, TypeError, UnicodeDecodeError, ValueError) as error:
            raise ValueError(
                f"{path}: not a bundle of an exercise ({error}); python -m minilib.grading.build makes it anew"
            ) from error

    def test_files(self) -> dict[str, Any]:
        """Question → Otter's test file, compiled.

        Raises:
            ImportError: Otter is not installed; says which extra brings it.
        """
        otter = require("otter.test_files.exception_test", extra="grade")
        return {q: otter.ExceptionTestFile.from_string(source, path=q) for q, source in self.tests.items()}
