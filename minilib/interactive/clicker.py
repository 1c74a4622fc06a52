"""Click on a picture, and Segment Anything answers: needs a running kernel, and ipywidgets and anywidget (`live`)."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from minilib.errors import require
from minilib.interactive.fragment import asset, text
from minilib.interactive.pictures import as_bytes, png
from minilib.segmentation.sam import Sam, resize_logits

FILL, OUTLINE = (30, 144, 255), (255, 225, 0)
"""Colours of a mask: on every picture at least one of them can be seen."""
OPACITY = 0.45
THUMBNAIL = 112
"""Width of a thumbnail on the screen, in CSS pixels."""


def mask_clicker(sam: Sam, image: Float[Tensor, "3 s s"], *, scale: int = 3) -> Any:
    """A picture to click on, and the mask that SAM gives for the clicks.

    A click adds a point inside, a click with Shift one outside; a click on a point removes it; dragging draws a box. On
    the keyboard, arrows move a cursor, Enter and Shift+Enter add points, and B marks two corners of a box. The image is
    encoded once, here; each change asks the mask decoder only. One point alone can mean several things: it gives three
    masks with their predicted IoUs, of which the best is shown first. Any other prompt gives one mask.

    Args:
        sam: the model; its mode and device stay as they are.
        image: the picture, in [-1, 1], of the model's `image_size`.
        scale: screen pixels for one pixel of the image.
    Returns:
        An ipywidgets box; its parts `picture`, `label` (what a plain click means), `clear_points`, `clear_box`,
        `thumbnails`, `choice` (of a mask) and `readout` are attributes of these names. `picture`, what is clicked on,
        has the traits `points`, a list of (x, y, label) in pixels with label 1 inside and 0 outside, `box`, either []
        or [x1, y1, x2, y2] in pixels, and `picture`, a PNG. Points or a box outside the image are told in `readout`;
        what was there before stays.
    Raises:
        ImportError: anywidget or ipywidgets is not installed; the message names the extra.
        TypeError: an image that is not a floating-point tensor.
        ValueError: an image of another shape or range, or a scale below 1.
    """
    widgets, anywidget = require("ipywidgets", extra="live"), require("anywidget", extra="live")
    size = sam.config.encoder.image_size
    if not isinstance(image, Tensor) or not image.is_floating_point():
        given = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise TypeError(f"expected a floating-point image in [-1, 1], got {given}")
    if tuple(image.shape) != (3, size, size):
        raise ValueError(
            f"expected an image of shape (3, {size}, {size}), got {tuple(image.shape)};"
            " Sam.fit_photograph makes one of any picture"
        )
    if scale < 1:
        raise ValueError(f"expected a scale of at least 1, got {scale}")
    pixels = as_bytes(image, name="image")
    with torch.no_grad():
        embedding = sam.encode_image(image[None].to(sam.mean))

    box = widgets.VBox()
    picture = box.picture = _clickable(anywidget)(size=size, scale=scale)
    box.label = widgets.ToggleButtons(options=[("click: inside", 1), ("click: outside", 0)])
    box.clear_points, box.clear_box = (widgets.Button(description=f"clear {what}") for what in ("points", "box"))
    box.thumbnails = widgets.HBox()
    box.choice = widgets.ToggleButtons(style={"button_width": f"{THUMBNAIL}px"})
    box.readout = widgets.HTML()
    buttons = widgets.HBox([box.label, box.clear_points, box.clear_box], layout={"flex_flow": "row wrap"})
    box.children = (picture, buttons, box.thumbnails, box.choice, box.readout)

    asked: tuple[Sequence[Any], Sequence[float]] = ([], [])
    masks, ious = torch.zeros(0, size, size, dtype=torch.bool), torch.zeros(0)

    def ask(_: object = None) -> None:
        nonlocal asked, masks, ious
        if (picture.points, picture.box) == asked:
            return
        try:
            prompts = _prompts(sam, picture.points, picture.box)
        except ValueError as error:
            picture.points, picture.box = asked
            box.readout.value = text(str(error))
            return
        asked = (list(picture.points), list(picture.box))
        masks, ious = masks[:0], ious[:0]
        if prompts:
            with torch.no_grad():
                logits, found = sam.predict(
                    embedding, **prompts, multimask=len(picture.points) == 1 and not picture.box
                )
            masks, ious = (resize_logits(logits, size)[0] > 0).cpu(), found[0].float().cpu()
        offer()

    def offer() -> None:
        """Thumbnails and a choice of the masks, the best one chosen."""
        step = max(1, size // THUMBNAIL)  # a large picture need not travel three times
        drawn = [png(_overlay(pixels, mask)[::step, ::step].copy()) for mask in masks]
        before = box.thumbnails.children
        box.thumbnails.children = [
            widgets.Image(value=value, format="png", width=THUMBNAIL, height=THUMBNAIL) for value in drawn
        ]
        for thumbnail in before:
            thumbnail.layout.close()
            thumbnail.close()  # else kernel and page keep it for ever
        box.choice.unobserve(show, names="value")
        box.choice.options = [(f"IoU {value:.2f}", number) for number, value in enumerate(ious.tolist())]
        if len(ious):
            box.choice.value = int(ious.argmax())
        box.choice.layout.display = None if len(ious) else "none"
        box.choice.observe(show, names="value")
        show()

    def show(_: object = None) -> None:
        chosen = box.choice.value
        for number, thumbnail in enumerate(box.thumbnails.children):
            thumbnail.layout.border = f"3px solid {'#1976d2' if number == chosen else 'transparent'}"
        picture.picture = png(_overlay(pixels, None if chosen is None else masks[chosen], scale=scale))
        box.readout.value = text(_words(picture.points, picture.box, masks, ious, chosen))

    def clear_points(_: object) -> None:
        picture.points = []

    def clear_box(_: object) -> None:
        picture.box = []

    def relabel(change: Any) -> None:
        picture.label = change.new

    box.clear_points.on_click(clear_points)
    box.clear_box.on_click(clear_box)
    box.label.observe(relabel, names="value")
    box.choice.observe(show, names="value")
    picture.observe(ask, names=["points", "box"])
    offer()
    return box


@cache
def _clickable(anywidget: Any) -> type:
    """The class of the picture: what the browser draws and reports is in clicker.js."""
    traits = require("traitlets", extra="live")

    class Clickable(anywidget.AnyWidget):
        _esm = asset("clicker.js")
        _css = asset("clicker.css")
        picture = traits.Bytes().tag(sync=True)
        points = traits.List(traits.Tuple(traits.Float(), traits.Float(), traits.Enum([0, 1]))).tag(sync=True)
        box = traits.List(traits.Float()).tag(sync=True)
        label = traits.Enum([0, 1], default_value=1).tag(sync=True)
        size = traits.Int().tag(sync=True)
        scale = traits.Int().tag(sync=True)

    return Clickable


def _prompts(sam: Sam, points: Sequence[tuple[float, float, int]], box: Sequence[float]) -> dict[str, Tensor]:
    """Arguments of `Sam.predict`; raises ValueError for points or a box outside the image, on every device."""
    given = {}
    if points:
        given["points"] = torch.tensor([[point[:2] for point in points]], dtype=torch.float32)
        given["labels"] = torch.tensor([[point[2] for point in points]], dtype=torch.long)
    if box:
        given["boxes"] = torch.tensor([list(box)], dtype=torch.float32)
    if given:
        sam.prompt_encoder.check(given.get("points"), given.get("labels"), given.get("boxes"), None)
    return {name: value.to(sam.mean.device) for name, value in given.items()}


def _overlay(
    pixels: UInt8[np.ndarray, "h w 3"], mask: Bool[Tensor, "h w"] | None, *, scale: int = 1
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture, enlarged without blurring, and over it the mask: a transparent colour and an outline."""
    large = np.ascontiguousarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1))
    if mask is None:
        return large
    inside = mask.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
    wide = 1 if scale == 1 else 2
    edge = inside & (F.max_pool2d((~inside)[None].float(), 2 * wide + 1, stride=1, padding=wide)[0] > 0)
    tinted = (1 - OPACITY) * large + OPACITY * np.array(FILL)
    large = np.where(inside.numpy()[..., None], np.rint(tinted), large)
    return np.where(edge.numpy()[..., None], OUTLINE, large).astype(np.uint8)


def _words(
    points: Sequence[Any],
    box: Sequence[float],
    masks: Bool[Tensor, "m h w"],
    ious: Float[Tensor, " m"],
    chosen: int | None,
) -> str:
    if chosen is None:
        return "No prompt yet: click on something, or drag a box around it."
    given = [f"{len(points)} point{'s' if len(points) > 1 else ''}"] if points else []
    given += ["a box"] if box else []
    share = masks[chosen].float().mean().item()
    found = f"mask {chosen + 1} of {len(masks)}" if len(masks) > 1 else "one mask"
    return f"{' and '.join(given)}: {found}, predicted IoU {ious[chosen]:.2f}, {share:.1%} of the picture"
