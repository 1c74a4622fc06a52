"""Fingerprints of what a build depends on: the execution cache and the tests of the built pages compare them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

LIBRARY = ("minilib/**/*.py", "minilib/**/assets/*", "minilib/weights/*", "constraints.txt")
PAGES = ("book/**/*.md", "book/**/*.py", "book/**/*.yml", "book/**/*.bib", "book/_static/*")


def fingerprint(root: Path, patterns: Iterable[str]) -> str:
    """Hash of the names and contents of all files under `root` that match; what does not exist counts as absent."""
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    digest = hashlib.sha256()
    for path in sorted(found):
        name = path.relative_to(root).as_posix()
        if not name.startswith("book/_build/"):
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
