"""Flipbook: rows of frames under one slider, as HTML that needs nothing but a browser."""

import json
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from torch import Tensor

from minilib.interactive.fragment import asset, element, text
from minilib.interactive.pictures import as_bytes, data_uri, webp

Frames = Sequence[Tensor | np.ndarray] | Tensor | np.ndarray


class Flipbook:
    """Frames that a slider turns over, several tracks side by side: noise levels, steps of a sampler, epochs.

    Shown by a notebook's last line or by `display`. The frames are images inside the HTML. The first is visible even
    where scripts do not run, and each has a text for those who do not see it: `alt`, track, label and readout.

    Args:
        tracks: name → frames, each a float image (3, h, w) in [-1, 1] or bytes (h, w, 3); all of one number and size.
            A name is shown above its track; a single track may be called "".
        labels: what the slider says at each frame, such as "t = 250".
        alt: what the pictures show, in a few words.
        caption: a sentence below, plain text with $mathematics$. Leave it out where the page adds a numbered one.
        readouts: track → a short text for each frame, shown below it, such as "SNR 0.31".
        scale: size of an image's pixel on the screen, in CSS pixels.
        slider: what the slider is called to those who cannot see it.
        clip: cut floats outside [-1, 1] off (noisy images have them) instead of refusing them.
    Attributes:
        kilobytes: size of the fragment in the page.
    Raises:
        TypeError: a frame that is neither a tensor nor an array.
        ValueError: no tracks, no frames, tracks, labels or readouts of different lengths, readouts of an unknown track,
            frames of different sizes, of a wrong shape or range, an empty `alt`, or a scale below 1.
    """

    def __init__(
        self,
        tracks: Mapping[str, Frames],
        labels: Sequence[str],
        *,
        alt: str,
        caption: str = "",
        readouts: Mapping[str, Sequence[str]] | None = None,
        scale: int = 4,
        slider: str = "Frame",
        clip: bool = False,
    ):
        readouts = readouts or {}
        _check_lengths(tracks, labels, readouts)
        if not alt.strip():
            raise ValueError("expected an alt text that says what the frames show, got an empty one")
        if scale < 1:
            raise ValueError(f"expected a scale of at least 1, got {scale}")
        pixels = {
            name: [as_bytes(frame, name=f"track {name!r}, frame {i}", clip=clip) for i, frame in enumerate(frames)]
            for name, frames in tracks.items()
        }
        sizes = {frame.shape[:2] for frames in pixels.values() for frame in frames}
        if len(sizes) > 1:
            raise ValueError(f"expected frames of one size (height, width), got {sorted(sizes)}")
        self._summary = f"{', '.join(map(repr, tracks))} × {len(labels)} frames"
        self._html = _render(pixels, list(labels), readouts, alt=alt, caption=caption, scale=scale, slider=slider)

    @property
    def kilobytes(self) -> float:
        """Size of the fragment in the page, in kB."""
        return len(self._html.encode()) / 1000

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return f"Flipbook({self._summary}, {self.kilobytes:.0f} kB)"


def _check_lengths(tracks: Mapping[str, Frames], labels: Sequence[str], readouts: Mapping[str, Sequence[str]]) -> None:
    if not tracks:
        raise ValueError("expected at least one track of frames, got none")
    if len(labels) == 0:
        raise ValueError("expected a label for each frame, got no labels")
    for kind, group in (("frames", tracks), ("readouts", readouts)):
        for name, items in group.items():
            if name not in tracks:
                raise ValueError(f"readouts for unknown track {name!r}; the tracks are {', '.join(map(repr, tracks))}")
            if len(items) != len(labels):
                raise ValueError(f"expected {len(labels)} {kind} in track {name!r}, one a label, got {len(items)}")


def _render(
    pixels: Mapping[str, list[np.ndarray]],
    labels: list[str],
    readouts: Mapping[str, Sequence[str]],
    *,
    alt: str,
    caption: str,
    scale: int,
    slider: str,
) -> str:
    height, width = next(iter(pixels.values()))[0].shape[:2]

    def frame(name: str, index: int) -> str:
        readout = readouts[name][index] if name in readouts else ""
        words = ", ".join(part for part in (name, labels[index], readout) if part)
        image = element(
            "img",
            src=data_uri(webp(pixels[name][index]), "webp"),
            alt=f"{alt}: {words}",
            width=width * scale,
            height=height * scale,
        )
        below = element("div", escape(readout), class_="flipbook-readout") if readout else ""
        return element("div", image, below, class_="flipbook-frame", hidden=index > 0)

    def track(name: str) -> str:
        heading = element("div", escape(name), class_="flipbook-name") if name else ""
        return element("div", heading, *(frame(name, i) for i in range(len(labels))), class_="flipbook-track")

    controls = element(
        "div",
        element("button", "Play", type="button"),
        element(
            "input",
            type="range",
            min=0,
            max=len(labels) - 1,
            value=0,
            step=1,
            autocomplete="off",
            aria_label=slider,
            aria_valuetext=labels[0],
        ),
        element("output", escape(labels[0]), class_="flipbook-output", aria_live="polite"),
        class_="flipbook-controls",
    )
    lengths = f"--frame: {width * scale}px; --strip: {(width * scale + 16) * len(pixels)}px"
    return element(
        "figure",
        element("style", asset("flipbook.css")),
        element("div", *(track(name) for name in pixels), class_="flipbook-tracks"),
        controls,
        element("figcaption", text(caption)) if caption else "",
        element("script", asset("flipbook.js")),
        class_="flipbook",
        role="group",
        aria_label=f"Flipbook: {alt}",
        data_labels=json.dumps(labels),
        style=f"{lengths}; --longest: {max(map(len, labels))}ch",
    )
