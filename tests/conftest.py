"""Shapes and types of the library are checked at run time in every test but those that meet it as users do: of its own
error messages, and of what the shipped weights can do (checks double the time of rendering what they are shown)."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

AS_USERS = ("errors", "claims")
"""Folders of tests that run without shape checks, and only so."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-shape-checks",
        action="store_true",
        help="run without beartype and jaxtyping, as users do: for tests/errors and tests/claims",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--no-shape-checks"):
        install_import_hook("minilib", "typechecker.check")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if collection_path.name in AS_USERS and not config.getoption("--no-shape-checks") else None


def pytest_report_header(config: pytest.Config) -> str:
    if config.getoption("--no-shape-checks"):
        return "shape checks: off"
    return "shape checks: on; without them run: pytest tests/errors tests/claims --no-shape-checks"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder of the test's own."""
    monkeypatch.setenv("MINILIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
