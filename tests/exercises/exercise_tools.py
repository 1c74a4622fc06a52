"""An exercise built from its source, and a way to score cells with it."""

from pathlib import Path

from minilib.grading.build import build
from minilib.grading.sandbox import Limits, Sandbox
from minilib.grading.scoring import Score, score_in
from minilib.grading.submissions import code_cells
from minilib.grading.withhold import make_library

SOLUTIONS = Path(__file__).parents[2] / "solutions"


class Exercise:
    """A built exercise and a way to score cells with it."""

    def __init__(self, name: str, folder: Path):
        self.files, self.bundle = build(SOLUTIONS / f"{name}.py")
        self.course = folder / name
        self.course.mkdir()
        make_library(self.course, self.bundle.withheld)
        self.reference = list(code_cells(self.bundle.reference))
        self.blank = list(code_cells(self.bundle.student))
        self.limits = Limits()
        self.sandbox = Sandbox(self.course, self.limits)

    def score(self, cells: list[str]) -> Score:
        """Scores trusted cells in a process of their own, forked in one sandbox."""
        result = score_in(self.sandbox, self.bundle, cells, self.limits)
        self.sandbox.close()
        return result
