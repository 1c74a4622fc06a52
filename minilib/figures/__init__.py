"""Figures that more than one chapter needs."""

from minilib.figures.attention import head_grid, overlay
from minilib.figures.grid import image_grid

__all__ = ["head_grid", "image_grid", "overlay"]
