"""How weights change their names from one library to another."""

import re
from collections.abc import Mapping


def renamed(name: str, table: Mapping[str, str]) -> str:
    """A name after all replacements of a table, pattern → ours, in order."""
    for pattern, replacement in table.items():
        name = re.sub(pattern, replacement, name)
    return name
