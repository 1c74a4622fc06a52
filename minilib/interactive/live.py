"""Interactives that compute while you drag: they need a running kernel and ipywidgets (the extra `live`)."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import snr
from minilib.errors import require
from minilib.interactive.fragment import text
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
        ratio = snr(process.alphas_cumprod[t].double()).item()
        box.picture.value = _enlarged(x_t, scale, name="x_t", clip=True)
        box.readout.value = f"{box.schedule.value} schedule, t = {box.time.value}: SNR {ratio:.3g}"

    for control in (box.schedule, box.time, box.seed):
        control.observe(draw, names="value")
    draw()
    return box


def caption_search(
    images: Float[Tensor, "n 3 h w"],
    features: Float[Tensor, "n d"],
    encode: Callable[[str], Float[Tensor, " d"]],
    *,
    caption: str = "",
    shown: int = 8,
    scale: int = 2,
) -> Any:
    """A field for a caption, and the pictures whose features are nearest to it.

    Args:
        images: to be searched, in [-1, 1].
        features: of the images, of unit length.
        encode: a text → its feature, of unit length.
        caption: what is searched for first.
        shown: how many pictures.
        scale: screen pixels for one pixel of an image.
    Returns:
        An ipywidgets box; its parts `caption`, `pictures` and `readout` are attributes of these names. Pressing Enter
        in `caption` searches; a text that cannot be encoded is told in `readout`, and the pictures stay.
    Raises:
        ImportError: ipywidgets is not installed; the message names the extra.
        ValueError: another number of features than images, more pictures to show than there are, or a scale below 1.
    """
    widgets = require("ipywidgets", extra="live")
    if len(images) != len(features):
        raise ValueError(f"expected one feature for each image, got {len(features)} for {len(images)} images")
    if not 1 <= shown <= len(images) or scale < 1:
        raise ValueError(f"expected shown in 1..{len(images)} and scale >= 1, got {shown} and {scale}")
    size = {"width": images.shape[3] * scale, "height": images.shape[2] * scale}
    box = widgets.VBox()
    box.caption = widgets.Text(
        value=caption, description="caption", continuous_update=False, layout={"width": "36rem", "max_width": "100%"}
    )
    box.pictures = widgets.HBox([widgets.Image(format="png", **size) for _ in range(shown)])
    box.pictures.layout.flex_flow = "row wrap"
    box.readout = widgets.HTML()
    box.children = (box.caption, box.pictures, box.readout)

    def search(_: object = None) -> None:
        try:
            cosines = features @ encode(box.caption.value)
        except ValueError as error:
            box.readout.value = text(str(error))
            return
        best = cosines.topk(shown)
        for widget, number in zip(box.pictures.children, best.indices.tolist(), strict=True):
            widget.value = _enlarged(images[number], scale, name=f"image {number}")
        box.readout.value = "cosines " + ", ".join(f"{value:.2f}" for value in best.values.tolist())

    box.caption.observe(search, names="value")
    search()
    return box


def view_lab(
    draw: Callable[[float, float, int], Float[Tensor, "3 h w"]],
    *,
    azimuths: tuple[int, int] = (-180, 180),
    elevations: tuple[int, int] = (-10, 60),
    scale: int = 4,
) -> Any:
    """Sliders for where a camera stands and for the noise, and the view that a model draws from there.

    Args:
        draw: azimuth and elevation in radians, and a seed → the view, in [-1, 1]; what is outside is cut off.
        azimuths, elevations: from where to where, in degrees.
        scale: screen pixels for one pixel of the view.
    Returns:
        An ipywidgets box; its parts `azimuth`, `elevation`, `seed` and `picture` are attributes of these names. A view
        is drawn when a slider is let go.
    Raises:
        ImportError: ipywidgets is not installed; the message names the extra.
        ValueError: a scale below 1, or a range that ends before it begins.
    """
    widgets = require("ipywidgets", extra="live")
    for name, (low, high) in (("azimuths", azimuths), ("elevations", elevations)):
        if low >= high:
            raise ValueError(f"expected {name} from a lower to a higher angle, got {(low, high)}")
    if scale < 1:
        raise ValueError(f"expected a scale of at least 1, got {scale}")
    box = widgets.VBox()
    options = {"continuous_update": False, "layout": {"width": "28rem"}}
    for name, low, high, step in (("azimuth", *azimuths, 5), ("elevation", *elevations, 5), ("seed", 0, 99, 1)):
        value = min(max(0, low), high)
        setattr(box, name, widgets.IntSlider(value, min=low, max=high, step=step, description=name, **options))
    box.picture = widgets.Image(format="png")
    box.children = (box.azimuth, box.elevation, box.seed, box.picture)

    def show(_: object = None) -> None:
        view = draw(math.radians(box.azimuth.value), math.radians(box.elevation.value), box.seed.value)
        box.picture.value = _enlarged(view, scale, name="view", clip=True)
        box.picture.height, box.picture.width = (str(scale * length) for length in view.shape[1:])

    for control in (box.azimuth, box.elevation, box.seed):
        control.observe(show, names="value")
    show()
    return box


def _enlarged(image: Float[Tensor, "3 h w"], scale: int, *, name: str, clip: bool = False) -> bytes:
    """A PNG with `scale` pixels across and down for each of the image's."""
    pixels = as_bytes(image, name=name, clip=clip)
    return png(np.ascontiguousarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1)))
