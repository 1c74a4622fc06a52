"""The checks are checked: right answers get all points, none get none, and every wrong answer is told what is wrong."""

import pytest
from exercise_tools import SOLUTIONS, Exercise

from minilib.grading.bundle import Mutant
from minilib.grading.scoring import Score
from minilib.grading.source import read_source

NAMES = [path.stem for path in sorted(SOLUTIONS.glob("*.py"))]
MUTANTS = [
    pytest.param(name, mutant, id=f"{name}-{mutant.question}-{mutant.name}")
    for name in NAMES
    for mutant in read_source(SOLUTIONS / f"{name}.py").mutants
]


def _points(score: Score) -> dict[str, float]:
    return {question: score.points(question) for question in score.questions}


def _possible(score: Score) -> dict[str, float]:
    return {question: score.possible(question) for question in score.questions}


@pytest.mark.parametrize("name", NAMES)
def test_reference_gets_all_points(exercises: dict[str, Exercise], name: str):
    score = exercises[name].score(exercises[name].reference)
    assert _points(score) == _possible(score)
    assert score.notes == [] and score.look == ""


@pytest.mark.parametrize("name", NAMES)
def test_untouched_notebook_gets_none(exercises: dict[str, Exercise], name: str):
    score = exercises[name].score(exercises[name].blank)
    assert sum(_points(score).values()) == 0
    assert score.notes == [] and score.look == ""


@pytest.mark.parametrize(("name", "mutant"), MUTANTS)
def test_wrong_answer_is_told_what_is_wrong(exercises: dict[str, Exercise], name: str, mutant: Mutant):
    score = exercises[name].score([*exercises[name].reference, mutant.source])
    said = "\n".join(check.message for check in score.questions[mutant.question])
    assert mutant.says in said
    points, possible = _points(score), _possible(score)
    assert points.pop(mutant.question) < possible.pop(mutant.question)
    assert points == possible


@pytest.mark.parametrize("name", NAMES)
def test_every_question_has_wrong_answers_and_withholds_its_own(exercises: dict[str, Exercise], name: str):
    bundle = exercises[name].bundle
    for question in bundle.tests:
        assert sum(mutant.question == question for mutant in bundle.mutants) >= 4
        assert question in bundle.withheld.values()
