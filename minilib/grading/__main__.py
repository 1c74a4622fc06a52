"""`python -m minilib.grading BUNDLE SUBMISSIONS OUT.csv`: scores a folder of submitted notebooks."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import torch

from minilib.grading.bundle import Bundle
from minilib.grading.report import Report
from minilib.grading.sandbox import Limits
from minilib.grading.scoring import score
from minilib.grading.submissions import Submission, find_submissions
from minilib.grading.walls import SandboxError, check_sandbox
from minilib.grading.withhold import make_library


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, or 2 after a line that says what is wrong and what to do."""
    options = _parser().parse_args(argv)
    limits = Limits(
        cell_s=options.cell_seconds,
        call_s=options.call_seconds,
        notebook_s=options.notebook_seconds,
        memory_bytes=int(options.memory_gib * (1 << 30)),
    )
    torch.set_num_threads(1)
    try:
        bundle = Bundle.read(options.bundle)
        questions = list(bundle.test_files())
        submissions = find_submissions(options.submissions, bundle)
        with tempfile.TemporaryDirectory(prefix="grading-") as folder:
            library = Path(folder, "course")
            library.mkdir()
            make_library(library, bundle.withheld)
            check_sandbox(library)
            report = Report(options.out, questions, resume=options.resume)
            _score_all(bundle, submissions, report, library, limits, jobs=options.jobs)
    except (OSError, ValueError, ImportError, SandboxError) as error:
        print(f"minilib.grading: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nstopped; the finished scores are in {options.out}, --resume goes on", file=sys.stderr, flush=True)
        # Leaving at once ends the sandboxes, too: they die with their parent.
        os._exit(130)
    return 0


def _score_all(
    bundle: Bundle, submissions: Sequence[Submission], report: Report, library: Path, limits: Limits, *, jobs: int
) -> None:
    start = time.monotonic()
    todo = [submission for submission in submissions if not report.has(submission)]
    if len(todo) < len(submissions):
        print(f"{len(submissions) - len(todo)} scored already", flush=True)
    pool = ThreadPoolExecutor(jobs)
    futures = {pool.submit(score, bundle, s.cells, library, limits): s for s in todo if not s.problem}
    try:
        for submission in todo:
            if submission.problem:
                _tell(report.add(submission, None, look=submission.problem))
        for future in as_completed(futures):
            error = future.exception()
            look = "" if error is None else f"scoring failed: {type(error).__name__}: {error}"[:300]
            _tell(report.add(futures[future], None if error else future.result(), look=look))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    report.finish()
    seconds = time.monotonic() - start
    look = sum(bool(row["look"]) for row in report.rows.values())
    each = f", {seconds / len(todo):.1f} s each" if todo else ""
    print(f"{len(todo)} submissions in {seconds:.0f} s{each}; {look} for a person to look at; scores: {report.path}")


def _tell(row: dict[str, str]) -> None:
    points = f"{row['score']}/{row['possible']}" if row["score"] else "no score"
    print(f"{row['student']}: {points} {'— ' + row['look'] if row['look'] else ''}".rstrip(), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m minilib.grading", description="Scores submitted notebooks.")
    parser.add_argument("bundle", type=Path, help="build/exercises/NAME.zip, made by python -m minilib.grading.build")
    parser.add_argument(
        "submissions", type=Path, help="folder with one notebook for each student, flat or in subfolders"
    )
    parser.add_argument(
        "out", type=Path, help="CSV file to write; feedback goes into the folder OUT-feedback beside it"
    )
    parser.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, help="submissions at once (default: all cores)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with OUT: score only what is new or has changed")
    limits = Limits()
    parser.add_argument(
        "--cell-seconds", type=_positive, default=limits.cell_s, help="for one cell (default: %(default)g)"
    )
    parser.add_argument(
        "--call-seconds", type=_positive, default=limits.call_s, help="for one call (default: %(default)g)"
    )
    parser.add_argument(
        "--notebook-seconds",
        type=_positive,
        default=limits.notebook_s,
        help="for a whole notebook (default: %(default)g)",
    )
    parser.add_argument("--memory-gib", type=_positive, default=4.0, help="for one notebook (default: %(default)g)")
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def _count(text: str) -> int:
    return max(1, int(_positive(text)))


if __name__ == "__main__":
    sys.exit(main())
