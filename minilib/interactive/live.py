"""Interactives that compute while you drag: they need a running kernel and ipywidgets (the extra `live`)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import snr
from minilib.errors import require
from minilib.interactive.pictures import as_bytes, png


def noising_lab(image: Float[Tensor, "3 h w"], processes: Mapping[str, GaussianDiffusion], *, scale: int = 4) -> Any:
    """Sliders for time and noise seed, a choice of schedule, and the noised image x_t they give.

    Args:
        image: the clean image x_0, in [-1, 1].
        processes: name of the schedule → its forward process, all with the same number of steps.
        scale: screen pixels for one pixel of the image.
    Returns:
        An ipywidgets box; its parts `schedule`, `time`, `seed`, `picture` and `readout` are attributes of these names.
    Raises:
        ImportError: ipywidgets is not installed; the message names the extra.
        TypeError, ValueError: an image of another shape or range, no processes, processes with different numbers of
            steps, or a scale below 1.
    """
    widgets = require("ipywidgets", extra="live")
    as_bytes(image, name="image")
    steps = {process.num_train_timesteps for process in processes.values()}
    if len(steps) != 1:
        raise ValueError(f"expected processes with one number of steps T, got {sorted(steps) or 'no processes'}")
    if scale < 1:
        raise ValueError(f"expected a scale of at least 1, got {scale}")

    box = widgets.VBox()
    box.schedule = widgets.ToggleButtons(options=list(processes), description="schedule")
    box.time = widgets.IntSlider(value=0, min=0, max=steps.pop() - 1, description="t", layout={"width": "28rem"})
    box.seed = widgets.IntSlider(value=0, min=0, max=99, description="noise seed", layout={"width": "28rem"})
    box.picture = widgets.Image(format="png", width=image.shape[2] * scale, height=image.shape[1] * scale)
    box.readout = widgets.HTML()
    box.children = (box.schedule, box.time, box.seed, box.picture, box.readout)

    def draw(_: object = None) -> None:
        process, t = processes[box.schedule.value], torch.tensor([box.time.value])
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(box.seed.value))
        x_t = process.q_sample(image.cpu()[None], t, noise[None])[0]
        pixels = as_bytes(x_t, name="x_t", clip=True)
        ratio = snr(process.alphas_cumprod[t].double()).item()
        box.picture.value = png(np.ascontiguousarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1)))
        box.readout.value = f"{box.schedule.value} schedule, t = {box.time.value}: SNR {ratio:.3g}"

    for control in (box.schedule, box.time, box.seed):
        control.observe(draw, names="value")
    draw()
    return box
