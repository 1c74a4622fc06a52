"""Small pictures of toys, as a shop would show them: the data of the first models."""

import math

from minilib.toybox.datasets import ToyViews


def toys32(split: str, *, num_toys: int, first: int = 0, cache: bool = True) -> ToyViews:
    """Eight views of each toy at 32 pixels, from about the front; arguments and errors as `ToyViews`."""
    return ToyViews(
        split,
        num_toys=num_toys,
        first=first,
        views_per_toy=8,
        image_size=32,
        elevation=(math.radians(10), math.radians(30)),
        azimuth=(math.radians(-45), math.radians(45)),
        fields=("rgb",),
        cache=cache,
    )
