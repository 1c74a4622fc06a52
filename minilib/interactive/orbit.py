"""Orbit: an object seen from rings of cameras; drag to turn it, as HTML that needs nothing but a browser."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from minilib.interactive.fragment import asset, element, text
from minilib.interactive.pictures import as_bytes, data_uri, webp


class Orbit:
    """Views of an object from rings of cameras, which a drag turns, in panels that turn together: truth, and model.

    Shown by a notebook's last line or by `display`. Mouse, finger and arrow keys turn the object as if it were held:
    to the right shows more of its left. All views are inside the HTML, one image for each panel; those of the first
    camera are visible even where scripts do not run.

    Args:
        panels: name → views (rings, cameras, 3, h, w) in [-1, 1], or bytes (rings, cameras, h, w, 3). Rings begin with
            the highest; in each, azimuths grow evenly around the object, so that the last camera is beside the first.
        alt: what the views show, in a few words.
        caption: a sentence below, plain text with $mathematics$. Leave it out where the page adds a numbered one.
        readouts: a short text for each camera, ring by ring, such as "azimuth 45°".
        start: ring and camera of the first view.
        scale: size of an image's pixel on the screen, in CSS pixels.
        across: panels in a line; by default all.
    Attributes:
        kilobytes: size of the fragment in the page.
    Raises:
        TypeError: views that are neither a tensor nor an array.
        ValueError: no panels, views of another shape or range, panels of different sizes, another number of readouts, a
            start that is not there, an empty `alt`, or a size below 1.
    """

    def __init__(
        self,
        panels: Mapping[str, Tensor | np.ndarray],
        *,
        alt: str,
        caption: str = "",
        readouts: Sequence[str] = (),
        start: tuple[int, int] = (0, 0),
        scale: int = 3,
        across: int | None = None,
    ):
        sprites = {name: _sprite(views, name=name) for name, views in panels.items()}
        pairs = zip(panels.values(), sprites.values(), strict=True)
        shapes = {(*views.shape[:2], *sprite.shape) for views, sprite in pairs}
        if len(shapes) != 1:
            raise ValueError(f"expected panels of one size, got {sorted(shapes) or 'no panels'}")
        rings, cameras, height, width, _ = shapes.pop()
        if not (0 <= start[0] < rings and 0 <= start[1] < cameras):
            raise ValueError(f"expected a start in {rings} rings of {cameras} cameras, got {tuple(start)}")
        if readouts and len(readouts) != rings * cameras:
            raise ValueError(f"expected {rings * cameras} readouts, one a camera, got {len(readouts)}")
        if not alt.strip():
            raise ValueError("expected an alt text that says what the views show, got an empty one")
        across = across or len(sprites)
        for name, value in (("across", across), ("scale", scale)):
            if value < 1:
                raise ValueError(f"expected {name} of at least 1, got {value}")
        self._summary = f"{rings} × {cameras} cameras, {', '.join(map(repr, sprites))}"

        places = [100 * place / max(1, count - 1) for place, count in zip(start, (rings, cameras), strict=True)]
        views = [
            element(
                "div",
                element(
                    "div",
                    class_="orbit-view",
                    style=f"background-image: url({data_uri(webp(sprite), 'webp')})",
                ),
                text(name),
                class_="orbit-panel",
            )
            for name, sprite in sprites.items()
        ]
        self._html = element(
            "figure",
            element("style", asset("orbit.css")),
            element(
                "div",
                *views,
                class_="orbit-panels",
                role="slider",
                tabindex=0,
                aria_label=f"{alt}{', '.join(['', *filter(None, sprites)])}: camera",
                aria_valuemin=0,
                aria_valuemax=rings * cameras - 1,
                aria_valuenow=start[0] * cameras + start[1],
            ),
            element("output", class_="orbit-output", aria_live="off"),
            element("figcaption", text(caption)) if caption else "",
            element("script", asset("orbit.js")),
            class_="orbit",
            role="group",
            aria_label=f"Orbit: {alt}",
            data_grid=f"{rings} {cameras}",
            data_start=f"{start[0]} {start[1]}",
            data_readouts=json.dumps(list(readouts)),
            style=(
                f"--touch: {'none' if rings > 1 else 'pan-y'}; --across: {across};"
                f" --rings: {rings}; --cameras: {cameras}; --aspect: {width // cameras} /"
                f" {height // rings}; --width: {width // cameras * scale}px; --y: {places[0]:g}%; --x: {places[1]:g}%"
            ),
        )

    @property
    def kilobytes(self) -> float:
        """Size of the fragment in the page, in kB."""
        return len(self._html.encode()) / 1000

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return f"Orbit({self._summary}, {self.kilobytes:.0f} kB)"


def _sprite(views: Tensor | np.ndarray, *, name: str) -> np.ndarray:
    """All views of a panel as one picture, bytes (rings · h, cameras · w, 3)."""
    if not isinstance(views, Tensor | np.ndarray):
        raise TypeError(f"panel {name!r}: expected a tensor or an array, got {type(views).__name__}")
    if views.ndim != 5 or 0 in views.shape:
        raise ValueError(f"panel {name!r}: expected views (rings, cameras, 3, h, w), got {tuple(views.shape)}")
    rows = [
        np.concatenate([as_bytes(view, name=f"panel {name!r}, ring {i}, camera {j}") for j, view in enumerate(ring)], 1)
        for i, ring in enumerate(views)
    ]
    return np.concatenate(rows, axis=0)
