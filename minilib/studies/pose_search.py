"""How near does the quick search for cameras come, and how long does it take? With five pictures of each of the toys
of `studies.adaptation`, whose own search is more thorough.

`python -m minilib.studies.pose_search` writes pose_search.json; run it on a machine that does nothing else.
"""

import argparse
import time

import torch

from minilib.evaluate.adaptation import NEAR, pose_errors
from minilib.evaluate.common import metric
from minilib.evaluate.views import COUNTS, held_out
from minilib.studies import write_study
from minilib.studies.adaptation import FIRST, object_of
from minilib.views.pose_search import search_poses
from minilib.weights import load_trained


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m minilib.studies.pose_search", description=__doc__)
    parser.add_argument("--toys", type=int, default=40)
    options = parser.parse_args()
    if options.toys < 2:  # an interval needs two
        parser.error(f"expected --toys 2 at least, got {options.toys}")
    recipe, model = load_trained("views-toybox")
    toys = held_out(recipe, options.toys, FIRST)
    errors, near, seconds = [], [], []
    for row in range(len(toys.truth)):
        thing = object_of(toys, row, COUNTS[-1])
        started = time.perf_counter()
        found = search_poses(model, thing.images, thing.camera.intrinsics[0])
        seconds.append(time.perf_counter() - started)
        off = pose_errors(found, thing.camera)
        errors.append(off.mean())
        near.append((off < NEAR).float().mean())
        print(f"{seconds[-1]:.1f} s, off by {errors[-1]:.0f} degrees", flush=True)
    columns = {"error": torch.stack(errors), "near": torch.stack(near), "seconds": torch.tensor(seconds)}
    write_study("pose_search", {name: metric(column) for name, column in columns.items()})


if __name__ == "__main__":
    main()
