"""HoverMaps: point at a place of a picture, see its map, as HTML that needs nothing but a browser."""

import json
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from minilib.interactive.fragment import asset, element, text
from minilib.interactive.pictures import as_bytes, data_uri, png, webp

SHADOW = 200
"""How dark, of 255, a picture is where the map over it is 0."""


class HoverMaps:
    """A picture under a grid of places, each with one map in each panel: attention of a patch, mask of a click.

    Shown by a notebook's last line or by `display`. Mouse, finger and arrow keys move from place to place. All maps are
    inside the HTML, one image for each panel; those of the first place are visible even where scripts do not run.

    Args:
        image: the picture, float (3, h, w) in [-1, 1] or bytes (h, w, 3).
        maps: name of a panel → maps (rows, columns, map height, map width), not negative: entry [i, j] is the map of
            the place in row i and column j. Each is shown from 0 (dark) to its own largest value (bright).
        over: show the maps over the picture, which is dark where they are 0: for masks.
        alt: what the picture and the maps show, in a few words.
        caption: a sentence below, plain text with $mathematics$. Leave it out where the page adds a numbered one.
        readouts: a short text for each place, line by line.
        start: row and column of the first place; by default the middle.
        across: panels in a line.
        scale: size of an image's pixel on the screen, in CSS pixels.
        panel: width of a panel, in CSS pixels.
    Attributes:
        kilobytes: size of the fragment in the page.
    Raises:
        TypeError: an image or maps that are neither a tensor nor an array.
        ValueError: an image or maps of another shape or range, panels with different grids, no panels, another number
            of readouts, a start outside the grid, an empty `alt`, or a size below 1.
    """

    def __init__(
        self,
        image: Tensor | np.ndarray,
        maps: Mapping[str, Tensor | np.ndarray],
        *,
        alt: str,
        caption: str = "",
        over: bool = False,
        readouts: Sequence[str] = (),
        start: tuple[int, int] | None = None,
        across: int = 1,
        scale: int = 4,
        panel: int = 96,
    ):
        pixels = as_bytes(image, name="image")
        found = {name: _as_maps(values, name=name) for name, values in maps.items()}
        rows, columns = _grid(found)
        start = (rows // 2, columns // 2) if start is None else start
        if not (0 <= start[0] < rows and 0 <= start[1] < columns):
            raise ValueError(f"expected a start in {rows} rows and {columns} columns, got {tuple(start)}")
        if readouts and len(readouts) != rows * columns:
            raise ValueError(f"expected {rows * columns} readouts, one a place, got {len(readouts)}")
        if not alt.strip():
            raise ValueError("expected an alt text that says what the picture and the maps show, got an empty one")
        for name, value in (("across", across), ("scale", scale), ("panel", panel)):
            if value < 1:
                raise ValueError(f"expected {name} of at least 1, got {value}")
        self._summary = f"{rows} × {columns} places, {', '.join(map(repr, found))}"

        height, width = pixels.shape[:2]
        picture = element(
            "div",
            element("div", class_="hovermaps-cell"),
            class_="hovermaps-picture",
            role="slider",
            tabindex=0,
            aria_label=f"{alt}: place",
            aria_valuemin=0,
            aria_valuemax=rows * columns - 1,
            aria_valuenow=start[0] * columns + start[1],
        )
        left = element(
            "div", picture, element("output", class_="hovermaps-output", aria_live="off"), class_="hovermaps-left"
        )
        below = ", var(--picture)" if over else ""
        panels = [
            element(
                "div",
                element(
                    "div",
                    element("div", class_="hovermaps-cell"),
                    class_="hovermaps-map",
                    role="img",
                    aria_label=f"{alt}: {name}",
                    style=f"background-image: url({data_uri(png(_sprite(values, over=over)), 'png')}){below}",
                ),
                text(name),
                class_="hovermaps-panel",
            )
            for name, values in found.items()
        ]
        where = [100 * place / max(1, count - 1) for place, count in zip(start, (rows, columns), strict=True)]
        style = (
            f"--picture: url({data_uri(webp(pixels), 'webp')}); --width: {width * scale}px;"
            f" --aspect: {width} / {height}; --rows: {rows}; --columns: {columns}; --across: {across};"
            f" --panel: {panel}px; --row: {start[0]}; --column: {start[1]}; --y: {where[0]:g}%; --x: {where[1]:g}%"
        )
        self._html = element(
            "figure",
            element("style", asset("hovermaps.css")),
            element("div", left, element("div", *panels, class_="hovermaps-panels"), class_="hovermaps-body"),
            element("figcaption", text(caption)) if caption else "",
            element("script", asset("hovermaps.js")),
            class_="hovermaps hovermaps-over" if over else "hovermaps",
            role="group",
            aria_label=f"Hover maps: {alt}",
            data_grid=f"{rows} {columns}",
            data_start=f"{start[0]} {start[1]}",
            data_readouts=json.dumps(list(readouts)),
            style=style,
        )

    @property
    def kilobytes(self) -> float:
        """Size of the fragment in the page, in kB."""
        return len(self._html.encode()) / 1000

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return f"HoverMaps({self._summary}, {self.kilobytes:.0f} kB)"


def _as_maps(values: Tensor | np.ndarray, *, name: str) -> Float[Tensor, "rows columns h w"]:
    if not isinstance(values, Tensor | np.ndarray):
        raise TypeError(f"maps {name!r}: expected a tensor or an array, got {type(values).__name__}")
    maps = torch.as_tensor(values).detach().cpu().float()
    if maps.ndim != 4 or 0 in maps.shape:
        raise ValueError(
            f"maps {name!r}: expected shape (rows, columns, map height, map width), got {tuple(maps.shape)}"
        )
    if not maps.isfinite().all() or maps.min() < 0:
        raise ValueError(
            f"maps {name!r}: expected values that are not negative, got {maps.min():.3g} to {maps.max():.3g}"
        )
    return maps


def _grid(maps: Mapping[str, Tensor]) -> tuple[int, int]:
    grids = {(values.shape[0], values.shape[1]) for values in maps.values()}
    if len(grids) != 1:
        raise ValueError(f"expected panels with one grid of places (rows, columns), got {sorted(grids) or 'no panels'}")
    return grids.pop()


def _sprite(maps: Float[Tensor, "rows columns h w"], *, over: bool = False) -> np.ndarray:
    """All maps of a panel as one picture, bytes (rows · h, columns · w, channels), each from 0 to its largest value: in
    colour or, to be laid over a picture, as a shadow with alpha."""
    bright = maps / maps.amax((2, 3), keepdim=True).clamp(min=1e-12)
    table = (matplotlib.colormaps["inferno"](np.linspace(0, 1, 64))[:, :3] * 255).round().astype(np.uint8)
    levels = (bright * 63).round().long().permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    if over:
        shadow = (SHADOW * (1 - levels.numpy() / 63)).astype(np.uint8)
        return np.stack([np.zeros_like(shadow), shadow], axis=-1)
    return np.ascontiguousarray(table[levels.numpy()])
