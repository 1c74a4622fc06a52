"""Toys to ask a small CLIP about, and how it is asked."""

from collections.abc import Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from minilib.clip.model import CLIP
from minilib.evaluate.common import in_parts, stacked
from minilib.recipes.clip_toybox import is_held_out, toybox_tokenizer
from minilib.recipes.vit_toybox import toys64
from minilib.toybox.captions import side_seen
from minilib.toybox.catalog import CATEGORIES, Toy, make_toy
from minilib.toybox.catalog.parts import COLORS

PROMPTS = ("{}", "a picture of {}", "a photo of {}", "this is {}")
"""As captions in training begin; names bring their article."""

NEW_PROMPTS = ("look, {}!", "a drawing of {}", "my toy is {}", "{} on a table", "here you see {}", "not {}")
"""As no caption in training begins."""

CATEGORY_NAMES = [f"a {category}" for category in CATEGORIES]

COMBINATIONS = list(product(CATEGORIES, COLORS))
"""Category and colour, in the order of `combination_features`."""

Images = Float[Tensor, "n 3 h w"]


class Toys:
    """Toys of a split with their pictures.

    Args:
        num_toys: how many.
        first: number of the first.
        split: of the toys.
    Attributes:
        toys: themselves.
        images: eight views of each, (n, 8, 3, 64, 64), on white.
        sides: from where each view was taken.
    """

    def __init__(self, num_toys: int, first: int = 0, *, split: str = "test"):
        data = toys64(split, num_toys=num_toys, first=first)
        self.data = data
        self.toys: list[Toy] = [make_toy(seed) for seed in data.seeds]
        self.images = stacked(data, range(len(data)), "rgb")[0].unflatten(0, (num_toys, -1))
        self.sides = [[side_seen(data.camera(seed, view)) for view in range(8)] for seed in data.seeds]
        combinations = [COMBINATIONS.index((toy.category, toy.color)) for toy in self.toys]
        self.combinations = torch.tensor(combinations)
        self.categories = self.combinations // len(COLORS)
        self.unseen = torch.tensor([is_held_out(toy.category, toy.color) for toy in self.toys])
        accents = torch.tensor([is_held_out(toy.category, toy.accent) for toy in self.toys])
        self.seen = ~(self.unseen | accents)


def encode(clip: CLIP, images: Images) -> Float[Tensor, "n d"]:
    """Features of many pictures."""
    return in_parts(clip.encode_images, images)


def encode_texts(clip: CLIP, texts: Sequence[str]) -> Float[Tensor, "n d"]:
    """Features of many texts."""
    return in_parts(clip.encode_texts, toybox_tokenizer()(texts))
