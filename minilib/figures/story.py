"""The course in one picture, from noise to views; `python -m minilib.figures.story FILE` saves it."""

import math
import sys

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import cosine_betas
from minilib.images import to_uint8
from minilib.toybox.catalog import make_toy
from minilib.toybox.render import Stage
from minilib.views.cameras import orbit


def story_figure(seed: int = 578) -> Figure:
    """Eight panels for a toy of the toybox; all is rendered or noised, nothing is learned yet.

    Args:
        seed: the toy's.
    Raises:
        ValueError: a seed outside every split.
    """
    toy = make_toy(seed)
    stage = Stage(toy.items())
    front, left, behind, right = (
        stage.render(orbit(math.radians(25 + turn), math.radians(18), 2.85), image_size=128, supersample=3)
        for turn in (0, 90, 180, 270)
    )
    process, t = GaussianDiffusion(cosine_betas(1000)), torch.tensor([999, 820, 600])
    noise = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(1)).expand(3, -1, -1, -1)
    noised = process.q_sample(front.rgb.expand(3, -1, -1, -1), t, noise)
    mask = torch.where(front.instance_ids > 0, front.rgb.new_tensor([-0.5, 0.0, 0.7])[:, None, None], front.rgb)
    panels = [*noised, front.rgb, mask, left.rgb, behind.rgb, right.rgb]
    titles = [
        "noise",
        "less noise",
        "less again",
        "a picture",
        "which pixels?",
        "from its left?",
        "from behind?",
        "from its right?",
    ]
    figure, axes = plt.subplots(2, 4, figsize=(7.6, 4.3), layout="constrained")
    figure.patch.set_facecolor("white")
    for axis, panel, title in zip(axes.flat, to_uint8(torch.stack(panels), clip=True), titles, strict=True):
        axis.imshow(panel.numpy())
        axis.set_title(title, fontsize=11)
        axis.axis("off")
    figure.supxlabel(f"and in words: {toy.caption}", fontsize=11)
    return figure


if __name__ == "__main__":
    story_figure().savefig(sys.argv[1], dpi=100)
