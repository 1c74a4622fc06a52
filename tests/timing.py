"""Bounds in seconds. Tests of them are marked `alone`, and run one after the other in a process of their own."""

import time
from collections.abc import Callable


def within(seconds: float, work: Callable[[], object], *, tries: int = 10) -> bool:
    """Whether some work takes so many seconds at most, in one of some tries: what else a machine does is not the
    work's."""
    for _ in range(tries):
        started = time.perf_counter()
        work()
        if time.perf_counter() - started <= seconds:
            return True
    return False
