"""The exercises, built once for all tests."""

from collections.abc import Iterator

import pytest
from exercise_tools import SOLUTIONS, Exercise

from minilib.grading.bundle import Bundle


@pytest.fixture(scope="session")
def exercises(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Exercise]]:
    """All exercises by name."""
    folder = tmp_path_factory.mktemp("libraries")
    made = {path.stem: Exercise(path.stem, folder) for path in sorted(SOLUTIONS.glob("*.py"))}
    yield made
    for exercise in made.values():
        exercise.sandbox.kill()


@pytest.fixture(scope="session")
def noising(exercises: dict[str, Exercise]) -> Bundle:
    """The bundle of the exercise on noising."""
    return exercises["noising"].bundle
