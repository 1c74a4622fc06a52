"""Error messages shared by all rooms: they name what was given, what was expected and what to do."""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


def unknown_name(kind: str, given: object, known: Iterable[str]) -> ValueError:
    """A ValueError that lists the `known` names of a `kind` and suggests the nearest to the one `given`."""
    names = sorted(known)
    nearest = difflib.get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return ValueError(f"Unknown {kind} {given!r}.{hint} Known: {', '.join(names)}.")


def require(module: str, *, extra: str) -> ModuleType:
    """Imports an optional `module`.

    Raises:
        ImportError: it is not installed; the message names the `extra` of this package that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} is needed here and is not installed: pip install 'minilib[{extra}]'"
            f" (in a clone of the course: pip install -e '.[{extra}]')"
        ) from error
