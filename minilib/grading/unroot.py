"""`unroot.py NUMBER FOLDER... -- COMMAND...`: root becomes user NUMBER, who owns nothing, and runs COMMAND.

The new user must reach FOLDERs that may lie below a folder that only root may enter, such as /root. So the command gets
its own view of the file system, where such a folder is replaced by one that all may enter and that holds only FOLDERs.
Runs on its own, without the rest of this package: it replaces itself by the command, which therefore stays a child of
the grader and dies with it.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000


def main(number: int, folders: list[Path], command: list[str]) -> None:
    """Does what the module says; does not return.

    Raises:
        OSError: root may not mount here, as in most containers.
    """
    closed = [path for path in map(_first_closed, folders) if path is not None]
    if closed:
        libc = ctypes.CDLL(None, use_errno=True)
        _succeed(libc.unshare(CLONE_NEWNS), "unshare")
        _mount(libc, b"none", b"/", None, MS_REC | MS_PRIVATE)
        # A handle still leads to a folder once something is mounted above it.
        handles = {folder: os.open(folder, os.O_PATH) for folder in folders}
        for path in set(closed):
            _mount(libc, b"none", bytes(path), b"tmpfs", 0, b"mode=755")
        for folder, handle in handles.items():
            if not folder.exists():
                folder.mkdir(parents=True)
                _mount(libc, f"/proc/self/fd/{handle}".encode(), bytes(folder), None, MS_BIND | MS_REC)
            os.close(handle)
    os.setgroups([])
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)
    os.execvp(command[0], command)


def _first_closed(folder: Path) -> Path | None:
    """The outermost folder on the way to `folder` that others may not enter."""
    return next((path for path in reversed((folder, *folder.parents)) if not path.stat().st_mode & 0o001), None)


def _mount(libc: ctypes.CDLL, source: bytes, target: bytes, kind: bytes | None, flags: int, data: bytes = b"") -> None:
    _succeed(libc.mount(source, target, kind, ctypes.c_ulong(flags), data), f"mount on {target.decode()}")


def _succeed(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    try:
        cut = sys.argv.index("--")
        main(int(sys.argv[1]), [Path(folder).absolute() for folder in sys.argv[2:cut]], sys.argv[cut + 1 :])
    except OSError as error:
        sys.exit(f"root cannot step down: {error.strerror}")
