"""The world is frozen: a changed toy, scene or clip means a new VERSION and retraining every model.

Words, choices and which part each pixel shows are compared by hash, exactly. Cameras, depth and normals of a dataset's
view are compared by some of their numbers, and colours by small thumbnails, to one level of 255, because processors may
round the last bit of a square root or an exponential differently.
`python tests/unit/test_golden.py` writes golden.json anew.
"""

import hashlib
import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from minilib.images import to_uint8
from minilib.toybox import SPLITS, VERSION
from minilib.toybox.catalog import CATEGORIES, make_toy
from minilib.toybox.datasets import FIELDS, ToyViews
from minilib.toybox.render import Stage, View
from minilib.toybox.scenes import make_clip, make_scene
from minilib.views.cameras import orbit

FILE = Path(__file__).with_name("golden.json")


def fingerprint(words: str, view: View) -> dict[str, str]:
    digest = hashlib.sha256(words.encode())
    digest.update(view.instance_ids.numpy().tobytes() + view.part_ids.numpy().tobytes())
    thumbnail = F.avg_pool2d(view.rgb[None], view.rgb.shape[-1] // 8)[0]
    return {"sha256": digest.hexdigest(), "thumbnail": to_uint8(thumbnail).numpy().tobytes().hex()}


def samples() -> dict[str, dict]:
    found = {}
    for seed in [*range(len(CATEGORIES)), *(seeds[-1] for seeds in SPLITS.values())]:
        toy = make_toy(seed)
        view = Stage(toy.items()).render(orbit(math.radians(35), math.radians(20), 2.9), image_size=64)
        found[f"toy {seed}"] = fingerprint(f"{toy.caption} {sorted(toy.attributes.items())}", view)
    for split in SPLITS:
        item = ToyViews(split, num_toys=1, views_per_toy=2, fields=list(FIELDS), cache=False)[1]
        pose, flat = item["camera_to_world"], item["depth"].nan_to_num(posinf=0.0)
        numbers = torch.cat([pose.flatten().float(), flat[::8, ::8].flatten(), item["normals"][:, ::8, ::8].flatten()])
        found[f"{split} view"] = {"numbers": [round(float(x), 2) + 0.0 for x in numbers]}
    for seed in [*range(6), SPLITS["test"][0]]:
        view = make_scene(seed).render(image_size=64)
        found[f"scene {seed}"] = fingerprint(view.caption, view)
    for seed in range(2):
        for number, view in enumerate(make_clip(seed, num_frames=4).render(image_size=64)):
            found[f"clip {seed} frame {number}"] = fingerprint(view.caption, view)
    return found


@pytest.fixture(scope="module")
def rendered():
    return samples()


GOLDEN = json.loads(FILE.read_text()) if FILE.exists() else {"version": VERSION, "samples": {}}


def test_version_and_samples_are_those_of_the_file(rendered):
    assert GOLDEN["version"] == VERSION
    assert list(GOLDEN["samples"]) == list(rendered)


@pytest.mark.parametrize("name", GOLDEN["samples"])
def test_world_is_unchanged(rendered, name):
    expected, found = GOLDEN["samples"][name], rendered[name]
    if "numbers" in expected:
        assert found["numbers"] == pytest.approx(expected["numbers"], abs=0.0101)
        return
    assert found["sha256"] == expected["sha256"], f"{name} has changed; see the head of this file"
    levels = [torch.tensor(list(bytes.fromhex(x["thumbnail"]))) for x in (found, expected)]
    assert (levels[0] - levels[1]).abs().max() <= 1


if __name__ == "__main__":
    FILE.write_text(json.dumps({"version": VERSION, "samples": samples()}, indent=1) + "\n")
