"""Importing the package is cheap, and its rooms import in the allowed direction only."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import minilib

ROOT = Path(minilib.__file__).parent
FOREIGN = {
    "diffusers",
    "transformers",
    "segment_anything",
    "sam2",
    "timm",
    "open_clip",
    "otter",
    "ipywidgets",
    "anywidget",
    "traitlets",
    "nbformat",
}
SHARED = ("minilib.views.cameras", "minilib.attention.layers", "minilib.attention.blocks")
PARTS = ["diffusion", "attention", "clip", "segmentation", "views"]


def imports(path: Path) -> set[str]:
    """Modules that a file imports when it is imported: not those inside functions."""
    return names_in(ast.parse(path.read_text(encoding="utf-8")).body)


def all_imports(path: Path) -> set[str]:
    """Modules that a file imports anywhere."""
    return names_in(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def names_in(nodes: Iterable[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            found |= {package} if package != "minilib" else {f"minilib.{alias.name}" for alias in node.names}
    return found


@pytest.mark.alone
def test_import_costs_less_than_a_tenth_of_a_second_beyond_torch():
    code = "import time, torch, numpy; start = time.perf_counter(); import minilib; print(time.perf_counter() - start)"
    best = min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3))
    assert best < 0.1


def test_foreign_models_and_extras_are_imported_lazily():
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] not in ("interop", "grading"):
            assert not {name.split(".")[0] for name in imports(path)} & FOREIGN, path


def test_arrows_point_one_way():
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0]
        for name in all_imports(path):
            assert name.split(".")[0] not in ("book", "exercises", "tests", "solutions"), path
            target = name.split(".")[1] if name.startswith("minilib.") and "." in name else ""
            if room in PARTS and target in PARTS and name not in SHARED:
                assert PARTS.index(target) <= PARTS.index(room), f"{path} imports the later part {name}"
            if room == "toybox":
                assert target not in PARTS or name == "minilib.views.cameras", f"{path} imports {name}"
