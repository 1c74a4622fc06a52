"""Figures that more than one chapter needs."""

from minilib.figures.grid import image_grid

__all__ = ["image_grid"]
