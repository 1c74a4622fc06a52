"""Trained weights that ship with the library, each NAME.safetensors beside its card NAME.json."""

import hashlib
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def cards(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The card of every shipped model by name: recipe, seed, steps, minutes, hardware, toybox version, sha256, metrics.

    Raises:
        FileNotFoundError: a card without its weights.
        ValueError: weights whose sha256 is not the card's.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        card, weights = json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".safetensors")
        if not weights.is_file():
            raise FileNotFoundError(f"{path.name} describes {weights.name}, which is missing from {folder}")
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        if digest != card["sha256"]:
            raise ValueError(f"{weights.name} has sha256 {digest}, its card says {card['sha256']}: fetch it again")
        found[path.stem] = card
    return found
