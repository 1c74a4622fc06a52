"""Scores as a CSV file and a text of feedback for each student; written as they come, so that nothing is lost."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from minilib.grading.scoring import Score
from minilib.grading.submissions import Submission

Row = dict[str, str]


class Report:
    """OUT.csv and the folder OUT-feedback.

    Args:
        path: the CSV file.
        questions: names, in order.
        resume: go on with the rows that are there.
    Raises:
        FileExistsError: the file is there and `resume` is off.
        ValueError: the file that is there is no report of these questions.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, questions: Sequence[str], *, resume: bool):
        self.path, self.questions = path, list(questions)
        self.columns = [
            "student",
            "file",
            "sha256",
            *questions,
            "score",
            "possible",
            "percent",
            "seconds",
            "look",
            "notes",
        ]
        self.feedback = path.with_name(f"{path.stem}-feedback")
        self.rows: dict[str, Row] = {}
        if path.exists() and not path.is_dir():
            if not resume:
                raise FileExistsError(f"{path} is there already: --resume goes on with it, or choose another name")
            self.rows = self._read()
        try:
            self.feedback.mkdir(exist_ok=True)
            self._write_all()
        except OSError as error:
            raise OSError(f"{path} cannot be written: {error.strerror}") from error

    def has(self, submission: Submission) -> bool:
        """Whether this very file is scored already; one that could not be scored is tried again."""
        row = self.rows.get(_cell(submission.student))
        return row is not None and row["sha256"] == submission.sha256 and row["score"] != ""

    def add(self, submission: Submission, score: Score | None, *, look: str = "") -> Row:
        """Writes one student's row and feedback; without a score the row says only why, for a person to see to."""
        row = {"student": submission.student, "file": submission.file, "sha256": submission.sha256, "look": look}
        if score is not None:
            points = {q: score.points(q) for q in score.questions}
            total, possible = sum(points.values()), sum(score.possible(q) for q in score.questions)
            row |= {q: f"{value:g}" for q, value in points.items()}
            row |= {"score": f"{total:g}", "possible": f"{possible:g}", "percent": f"{100 * total / possible:.1f}"}
            row |= {"seconds": f"{score.seconds:.1f}", "look": look or score.look, "notes": "; ".join(score.notes)}
        row = {column: _cell(row.get(column, "")) for column in self.columns}
        again = row["student"] in self.rows
        self.rows[row["student"]] = row
        name = submission.student.replace("/", "_")
        (self.feedback / f"{name}.txt").write_text(_feedback(submission.student, score, look), encoding="utf-8")
        if again:
            self._write_all()
        else:
            self._append(row)
        return row

    def finish(self) -> None:
        """Puts the rows in order of the students' names."""
        self.rows = dict(sorted(self.rows.items()))
        self._write_all()

    def _append(self, row: Row) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            file.write(self._text([row], header=False))
            file.flush()
            os.fsync(file.fileno())

    def _write_all(self) -> None:
        new = self.path.with_name(self.path.name + ".new")
        new.write_text(self._text(self.rows.values(), header=True), encoding="utf-8", newline="")
        new.replace(self.path)

    def _text(self, rows: Iterable[Row], *, header: bool) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns)
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def _read(self) -> dict[str, Row]:
        """The finished rows; one cut short when the machine stopped is left out."""
        with self.path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = [row for row in reader if None not in row and None not in row.values()]
            if reader.fieldnames != self.columns:
                raise ValueError(f"{self.path} is no report of these questions: choose another name for the scores")
        return {row["student"]: row for row in rows}


def _feedback(student: str, score: Score | None, look: str) -> str:
    if score is None:
        return f"{student}\n\nNot scored yet: {look}\n"
    total = sum(score.points(q) for q in score.questions)
    lines = [student, "", f"Score: {total:g} of {sum(score.possible(q) for q in score.questions):g}"]
    for question, checks in score.questions.items():
        lines += ["", f"{question}: {score.points(question):g} of {score.possible(question):g}"]
        for check in checks:
            kind = " (hidden)" if check.hidden else ""
            unit = "point" if check.points == 1 else "points"
            lines.append(f"  {'passed' if check.passed else 'FAILED'}  {check.name}{kind}, {check.points:g} {unit}")
            lines += [f"          {line}" for line in check.message.splitlines()]
    if score.notes or score.look:
        lines += ["", "While the notebook ran:", *[f"  {note}" for note in (*score.notes, score.look) if note]]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A spreadsheet must show the text, not run it as a formula."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return "'" + plain if plain[:1] in ("=", "+", "-", "@") else plain
