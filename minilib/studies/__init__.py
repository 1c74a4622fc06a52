"""Experiments that take too long for a chapter: each is a script that writes its numbers beside itself as JSON."""

import json
from pathlib import Path
from typing import Any

from minilib.errors import unknown_name

FOLDER = Path(__file__).parent


def read_study(name: str) -> dict[str, Any]:
    """What a study has measured.

    Raises:
        ValueError: an unknown name; the nearest known one is suggested.
    """
    known = {path.stem: path for path in sorted(FOLDER.glob("*.json"))}
    if name not in known:
        raise unknown_name("study", name, known)
    return json.loads(known[name].read_text(encoding="utf-8"))


def write_study(name: str, found: dict[str, Any], *, add: bool = False) -> None:
    """Keeps what a study has measured.

    Args:
        name: of the study.
        found: what is kept, by name.
        add: whether what was kept before under other names stays, too: the parts of a long study may be measured on
            different days.
    """
    path = FOLDER / f"{name}.json"
    before = json.loads(path.read_text(encoding="utf-8")) if add and path.exists() else {}
    path.write_text(json.dumps(before | found, indent=1) + "\n", encoding="utf-8")
