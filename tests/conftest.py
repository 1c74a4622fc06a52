"""Shapes and types of the library are checked at run time in every test but those of its own error messages."""

import pytest
from jaxtyping import install_import_hook


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-shape-checks",
        action="store_true",
        help="run without beartype and jaxtyping, as users do; tests/errors needs it to see the library's own messages",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--no-shape-checks"):
        install_import_hook("minilib", "typechecker.check")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--no-shape-checks") and any("tests/errors" in item.nodeid for item in items):
        raise pytest.UsageError("tests/errors are run on their own: pytest tests/errors --no-shape-checks")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder of the test's own."""
    monkeypatch.setenv("MINILIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
