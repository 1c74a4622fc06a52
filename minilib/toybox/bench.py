"""Measures the renderer on one core: `python -m minilib.toybox.bench`."""

import time
from collections.abc import Callable

import torch

from minilib.toybox.catalog import CATEGORIES, make_toy
from minilib.toybox.render import Stage
from minilib.toybox.scenes import make_scene
from minilib.views.cameras import orbit


def rate(work: Callable[[], int], *, repeats: int = 7) -> float:
    """Pictures a second of CPU time: the best of several calls of `work`, which returns how many it made."""
    work()
    rates = []
    for _ in range(repeats):
        start = time.process_time()
        made = work()
        rates.append(made / (time.process_time() - start))
    return max(rates)


def measure() -> dict[str, float]:
    """Pictures a second on one core, by what is measured."""
    torch.set_num_threads(1)
    cameras = [orbit(0.8 * k, 0.4, 2.9) for k in range(8)]
    stages = [Stage(make_toy(seed).items()) for seed in range(len(CATEGORIES))]
    scenes = [make_scene(seed) for seed in range(12)]

    def views() -> int:
        for stage in stages:
            for camera in cameras:
                stage.render(camera, image_size=64)
        return len(stages) * len(cameras)

    def views_and_toys() -> int:
        for seed in range(len(CATEGORIES)):
            stage = Stage(make_toy(seed).items())
            for camera in cameras:
                stage.render(camera, image_size=64)
        return len(CATEGORIES) * len(cameras)

    def still_scenes() -> int:
        for scene in scenes:
            scene.render(image_size=128)
        return len(scenes)

    def scenes_and_toys() -> int:
        for seed in range(len(scenes)):
            make_scene(seed).render(image_size=128)
        return len(scenes)

    return {
        "single-toy views at 64 px, 2×2 supersampling": rate(views),
        "the same, with making the toy for every 8 views": rate(views_and_toys),
        "scenes at 128 px, 2×2 supersampling": rate(still_scenes),
        "the same, with making the toys for every scene": rate(scenes_and_toys),
    }


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{value:6.0f} / s  {name}")
