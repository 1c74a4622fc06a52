"""How the sandbox is built with bubblewrap: what it sees, what it may write, and what its processes use."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
)
# Packages that hold the answers; the course's own is replaced by a reduced copy.
HIDDEN_PACKAGES = ("minilib", "diffusers")
ENVIRONMENT = {
    "HOME": "/tmp",
    "USER": "student",
    "LANG": "C.UTF-8",
    "PYTHONPATH": "/course",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
    "IPYTHONDIR": "/tmp/ipython",
    # Installing cannot work without a network: let it fail at once instead of trying again for a minute.
    "PIP_NO_INDEX": "1",
    "HF_HUB_OFFLINE": "1",
}


class SandboxError(RuntimeError):
    """No sandbox can be made on this machine; the text says what to do."""


def check_sandbox(library: Path) -> None:
    """Makes a sandbox and leaves it again.

    Raises:
        SandboxError: bubblewrap is missing, too old, or not allowed to make one.
    """
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        raise SandboxError(
            "bwrap was not found, and students' code is never run without a sandbox:"
            " on Linux, install bubblewrap (apt install bubblewrap); elsewhere, score on a Linux machine"
        )
    command = bwrap_command(library, disk_bytes=1 << 20, argv=["-c", "import sys, json, codec"])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        raise SandboxError(
            "the sandbox took more than 300 s to import torch: wait until the machine is less busy"
        ) from None
    if done.returncode != 0:
        words = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise SandboxError(f"bubblewrap cannot make a sandbox here ({words[:200]}): {_advice(done.stderr)}")


def bwrap_command(library: Path, *, disk_bytes: int, argv: Sequence[str]) -> list[str]:
    """The command that runs this Python with `argv` in a new sandbox.

    Args:
        library: host folder that the sandbox sees as /course.
        disk_bytes: size of /tmp and of /dev/shm, its only writable places.
        argv: what follows the interpreter's name.
    """
    bwrap = shutil.which("bwrap") or "bwrap"
    command = [bwrap, "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    command += [f"--unshare-{kind}" for kind in ("user", "pid", "net", "ipc", "uts", "cgroup-try")]
    command += ["--disable-userns"] if _knows(bwrap, "--disable-userns") else []
    small = ["--size", str(disk_bytes), "--perms", "1777", "--tmpfs"]
    command += [*small, "/tmp"]  # before the view, which may lie below it
    command += _read_only_view(library)
    command += ["--dev", "/dev", *small, "/dev/shm", "--proc", "/proc"]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
    for name, value in {**ENVIRONMENT, "PATH": f"{sys.prefix}/bin:/usr/bin:/bin"}.items():
        command += ["--setenv", name, value]
    step_down = _no_longer_root(library, Path(bwrap).parent) if os.geteuid() == 0 else []
    return [*step_down, *command, sys.executable, *argv]


def _no_longer_root(library: Path, tools: Path) -> list[str]:
    """For root, what runs the rest as a user who owns nothing and shares a number with nobody.

    Root's own sandbox would leave the student's code the owner of the host's files and of /proc/sys.
    """
    number = str(1_000_000_000 + secrets.randbelow(1_000_000_000))
    folders = [sys.base_prefix, sys.prefix, str(library), str(tools)]
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("unroot.py")), number, *folders, "--"]


def usage(pid: int) -> tuple[int, int]:
    """Number of processes below and including `pid`, and their anonymous and shared memory in bytes."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            stat = _read(f"/proc/{entry.name}/stat")
            if stat:
                children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    count, memory, queue = 0, 0, [pid]
    while queue:
        process = queue.pop()
        queue += children.get(process, [])
        count += 1
        for line in _read(f"/proc/{process}/status").splitlines():
            if line.startswith(("RssAnon:", "RssShmem:")):
                memory += int(line.split()[1]) << 10
    return count, memory


def _read_only_view(library: Path) -> list[str]:
    """The system, this Python and the reduced library; other copies of the answers are covered by empty folders."""
    roots = _outermost([*SYSTEM, sys.base_prefix, sys.prefix])
    options: list[str] = []
    for root in roots:
        options += _bind(root, root)
    for answers in _answers(roots):
        options += ["--tmpfs", str(answers)]
        if Path(sys.prefix).is_relative_to(answers):
            options += ["--ro-bind", sys.prefix, sys.prefix]
    for package in _hidden_packages(roots):
        options += ["--tmpfs", str(package)]
    return [*options, "--ro-bind", str(library), "/course"]


def _bind(source: str, target: str) -> list[str]:
    """A read-only mount; the folders above it are made so that everybody may enter them."""
    parents = [option for parent in reversed(Path(target).parents[:-1]) for option in ("--dir", str(parent))]
    return [*parents, "--ro-bind", source, target]


def _answers(roots: Iterable[str]) -> list[Path]:
    """Folders inside `roots` that may hold the course's sources or archives of the hidden packages."""
    spec = find_spec("minilib")
    package = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    folders = [Path(sys.base_prefix, "pkgs"), Path(sys.base_prefix, "envs")]
    if package is not None and package.parent.name not in ("site-packages", "dist-packages"):
        folders.append(package.parent)
    return [folder for folder in folders if folder.is_dir() and any(folder.is_relative_to(root) for root in roots)]


def _hidden_packages(roots: Iterable[str]) -> list[Path]:
    """The hidden packages in every folder of `roots` where a Python keeps its packages."""
    return sorted(
        folder
        for root in {*roots, "/usr/local", sys.prefix}
        for lib in ("lib", "lib64", "local/lib")
        for name in HIDDEN_PACKAGES
        for folder in Path(root, lib).glob(f"python3*/*-packages/{name}")
        if folder.is_dir() and not Path(root, lib).is_symlink()
    )


def _outermost(paths: Sequence[str]) -> list[str]:
    """The existing `paths` without those that lie inside another."""
    found = [path for path in dict.fromkeys(paths) if Path(path).exists()]
    return [p for p in found if not any(p != q and Path(p).is_relative_to(q) for q in found)]


def _advice(stderr: str) -> str:
    if "--size" in stderr or "Unknown option" in stderr:
        return "bubblewrap 0.7 or newer is needed"
    if "namespace" in stderr or "uid map" in stderr or "Operation not permitted" in stderr:
        return (
            "allow unprivileged user namespaces (Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0;"
            " Debian: sysctl kernel.unprivileged_userns_clone=1; in Docker: --privileged) or score on another machine"
        )
    return "the sandbox must be able to read this Python and the system's libraries"


@cache
def _knows(bwrap: str, option: str) -> bool:
    return option in subprocess.run([bwrap, "--help"], capture_output=True, text=True).stdout


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        return ""
