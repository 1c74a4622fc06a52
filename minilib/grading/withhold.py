"""What a student's notebook finds in place of the library while it is scored: the same modules, without the answers."""

import ast
import difflib
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

OTTER_STUB = '''"""Stands in for Otter inside the sandbox, where the notebook's own checks are not run."""


class Notebook:
    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        return lambda *args, **kwargs: None
'''
LEFT_OUT = ("__pycache__", "grading")


def make_library(target: Path, withheld: Mapping[str, str]) -> None:
    """Fills the folder that the sandbox sees as /course: the worker, a stand-in for Otter, and the reduced library.

    Args:
        target: an empty folder.
        withheld: dotted name of a function, method or class → the question it would answer.
    Raises:
        ValueError: a name that the library does not have; the nearest one is suggested.
    """
    here = Path(__file__).parent
    for name in ("worker.py", "codec.py"):
        shutil.copy(here / name, target / name)
    (target / "otter").mkdir()
    (target / "otter" / "__init__.py").write_text(OTTER_STUB)
    package = _package_folder()
    shutil.copytree(package, target / "minilib", ignore=shutil.ignore_patterns(*LEFT_OUT))
    for module, names in _by_module(package, withheld).items():
        copy = target / "minilib" / module.relative_to(package)
        copy.write_text(without(copy.read_text(), names))
    # Root hands the sandbox to a user that owns nothing: the copy must be readable by all.
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def without(source: str, names: Mapping[str, str]) -> str:
    """The module's `source` with the bodies of `names` (qualified name → question) replaced by an error that says why.

    Raises:
        ValueError: a name that is no function, method or class of this module.
    """
    tree = ast.parse(source)
    found = _definitions(tree, "")
    for name, question in names.items():
        if name not in found:
            near = difflib.get_close_matches(name, found, n=1)
            raise ValueError(f"{name!r} is withheld but not defined." + (f" Did you mean {near[0]!r}?" if near else ""))
        for node in found[name]:
            inside = ast.walk(node) if isinstance(node, ast.ClassDef) else [node]
            for function in inside:
                if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    function.body = [_refusal(name, question)]
    return ast.unparse(ast.fix_missing_locations(tree))


def _refusal(name: str, question: str) -> ast.stmt:
    message = (
        f"{name} of minilib would answer question {question}: it is withheld while you are scored, write it yourself"
    )
    return ast.parse(f"raise RuntimeError({message!r})").body[0]


def _definitions(node: ast.AST, prefix: str) -> dict[str, list[ast.stmt]]:
    """Qualified name → its definitions (more than one where it is overloaded or defined under an if)."""
    found: dict[str, list[ast.stmt]] = {}
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.setdefault(prefix + child.name, []).append(child)
            inner = f"{prefix}{child.name}."
        for name, nodes in _definitions(child, inner).items():
            found.setdefault(name, []).extend(nodes)
    return found


def _by_module(package: Path, withheld: Mapping[str, str]) -> dict[Path, dict[str, str]]:
    """Module file → the qualified names to withhold in it."""
    modules: dict[Path, dict[str, str]] = {}
    for dotted, question in withheld.items():
        parts = dotted.split(".")[1:]
        for cut in range(len(parts) - 1, 0, -1):
            stem = package.joinpath(*parts[:cut])
            files = [f for f in (stem.with_suffix(".py"), stem / "__init__.py") if f.is_file()]
            if files:
                modules.setdefault(files[0], {})[".".join(parts[cut:])] = question
                break
        else:
            raise ValueError(f"{dotted!r} is withheld, but minilib has no such module")
    return modules


def _package_folder() -> Path:
    spec = find_spec("minilib")
    if spec is None or spec.origin is None:
        raise ValueError("minilib is not installed as files: pip install -e . in a clone of the course")
    return Path(spec.origin).parent
