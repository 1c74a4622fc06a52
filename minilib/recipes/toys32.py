"""Small pictures of toys, as a shop would show them: the data of the first models."""

import math

from minilib.toybox.datasets import ToyViews


def toys32(split: str, *, num_toys: int, first: int = 0, cache: bool = True) -> ToyViews:
    """Eight views of each toy at 32 pixels, from 5° to 40° above the horizon; arguments and errors as `ToyViews`."""
    elevation = (math.radians(5), math.radians(40))
    return ToyViews(
        split,
        num_toys=num_toys,
        first=first,
        views_per_toy=8,
        image_size=32,
        elevation=elevation,
        fields=("rgb",),
        cache=cache,
    )
