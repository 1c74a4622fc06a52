"""Arrays rendered once into memory-mapped files, safe when interrupted and when several processes start at once.

Rows are written with ordinary writes (a full disk then raises an error; a memory map would crash the process) under a
lock, and counted as they are done: whoever takes the lock next goes on from there.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from filelock import FileLock  # torch depends on it
from tqdm import tqdm

Row = Mapping[str, np.ndarray]


def cache_folder() -> Path:
    """$MINILIB_CACHE, or ~/.cache/minilib."""
    return Path(os.environ.get("MINILIB_CACHE") or "~/.cache/minilib").expanduser()


def cached_rows(key: Mapping[str, object], count: int, make_row: Callable[[int], Row]) -> dict[str, np.ndarray]:
    """`count` rows, from the cache or made now, with a progress bar on a terminal.

    Args:
        key: everything the rows depend on, as plain values; another key gives another set of files.
        count: number of rows.
        make_row: row number → arrays by name; their shapes and dtypes are the same in every row.
    Returns:
        For each name a read-only memory map whose first axis is the row.
    Raises:
        OSError: the folder cannot be written, or there is too little room; what is finished stays.
    """
    digest = hashlib.sha256(json.dumps([dict(key), count], sort_keys=True, default=float).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{key.get('name', 'rows')}-{digest}"
    try:
        if not (folder / "complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / "lock"):
                if not (folder / "complete").exists():
                    _fill(folder, key, count, make_row)
    except OSError as error:
        advice = "set MINILIB_CACHE to a folder you can write to, or pass cache=False"
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot keep rendered pictures in {folder}: {reason}; {advice}") from error
    layout = json.loads((folder / "layout.json").read_text())
    return {
        name: np.memmap(folder / f"{name}.bin", dtype=dtype, mode="r", shape=(count, *shape))
        for name, (dtype, shape) in layout.items()
    }


def _fill(folder: Path, key: Mapping[str, object], count: int, make_row: Callable[[int], Row]) -> None:
    first = make_row(0)
    layout = {name: (array.dtype.str, array.shape) for name, array in first.items()}
    (folder / "key.json").write_text(json.dumps(dict(key), indent=1, sort_keys=True, default=float))
    (folder / "layout.json").write_text(json.dumps(layout))
    progress = folder / "done"
    done = int(progress.read_text()) if progress.exists() else 0
    size = (count - done) * sum(array.nbytes for array in first.values())
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(errno.ENOSPC, f"{size / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free")
    for name in layout:
        (folder / f"{name}.bin").touch()
    files = {name: (folder / f"{name}.bin").open("r+b") for name in layout}
    try:
        bar = {"initial": done, "total": count, "desc": f"rendering {key.get('name', 'rows')}", "disable": None}
        for index in tqdm(range(done, count), **bar):
            row = make_row(index)
            for name, file in files.items():
                file.seek(index * row[name].nbytes)
                file.write(np.ascontiguousarray(row[name]).tobytes())
            if index % 64 == 63 or index == count - 1:
                for file in files.values():
                    file.flush()
                counted = progress.with_suffix(".new")
                counted.write_text(str(index + 1))
                counted.replace(progress)  # at once: a process killed while writing would leave an empty file
    finally:
        for file in files.values():
            file.close()
    (folder / "complete").touch()
