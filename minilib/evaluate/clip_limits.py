"""Where a small CLIP fails: pictures unlike those in training, and texts that differ only in who is what."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from minilib.clip.model import CLIP
from minilib.clip.zero_shot import class_features
from minilib.evaluate.clip_toys import CATEGORY_NAMES, PROMPTS, Images, Toys, encode, encode_texts
from minilib.evaluate.common import metric, stacked
from minilib.recipes.clip_toybox import (
    BESIDE,
    NUMBERS,
    QUARTERS,
    Words,
    arranged,
    is_held_out,
    toybox_tokenizer,
)
from minilib.recipes.vit_toybox import draw_placement, place
from minilib.toybox.catalog import Toy
from minilib.toybox.datasets import ToyViews

BACKGROUNDS: dict[str, Callable[[int, torch.Generator], Images]] = {
    "light": lambda n, g: (1 - 0.6 * torch.rand(n, 3, 1, 1, generator=g)).expand(-1, -1, 64, 64),
    "dark": lambda n, g: (-1 + 0.6 * torch.rand(n, 3, 1, 1, generator=g)).expand(-1, -1, 64, 64),
    "checks": lambda n, g: (
        (2 * torch.rand(n, 3, 8, 8, generator=g) - 1).repeat_interleave(8, 2).repeat_interleave(8, 3)
    ),
    "noise": lambda n, g: 2 * torch.rand(n, 3, 64, 64, generator=g) - 1,
}
"""What toys stand before: one light colour, as in training; one dark colour; coloured squares; coloured noise."""


def before(toys: Toys, background: str, *, count: int, seed: int = 0) -> Images:
    """One view of each of the first toys, placed as in training, before another background."""
    generator = torch.Generator().manual_seed(seed)
    rows = [8 * i + i % 8 for i in range(count)]
    rgb, alpha = stacked(toys.data, rows, "rgb", "alpha")
    placement = draw_placement(count, generator)
    placement["mirrored"], placement["background"] = torch.zeros(count, dtype=torch.bool), torch.ones(count, 3)
    rgb, alpha = place(rgb, alpha, **placement)
    return rgb + (1 - alpha[:, None]) * (BACKGROUNDS[background](count, generator) - 1)


def from_above(count: int) -> tuple[Images, Int[Tensor, " n"]]:
    """One view of each of the first test toys from 60 to 80 degrees above, and the categories."""
    low, high = torch.deg2rad(torch.tensor([60.0, 80.0])).tolist()
    data = ToyViews("test", num_toys=count, views_per_toy=1, elevation=(low, high), fields=("rgb",))
    rgb, labels = stacked(data, range(count), "rgb", "category")
    return rgb, labels


SIDES = ("the front", "its left", "behind", "its right")
OPPOSITE = {"its left": "its right", "its right": "its left"}


def shifted(clip: CLIP, toys: Toys, *, count: int) -> dict[str, Any]:
    """The category among 20, one view of each toy with a combination as in training, where pictures are unlike it.

    `shift_BACKGROUND`: before backgrounds of `BACKGROUNDS`; `shift_above`: from 60 to 80 degrees above the horizon, on
    white (training: 5 to 40).
    """
    names = class_features(clip, toybox_tokenizer(), CATEGORY_NAMES, PROMPTS)

    def right(images: Images, labels: Int[Tensor, " n"]) -> dict[str, Any]:
        return metric(((encode(clip, images) @ names.T).argmax(1) == labels).float()[toys.seen[:count]])

    labels = toys.categories[:count]
    found = {f"shift_{name}": right(before(toys, name, count=count), labels) for name in BACKGROUNDS}
    return found | {"shift_above": right(*from_above(count))}


def preferred(clip: CLIP, images: Images, right: Sequence[str], wrong: Sequence[Sequence[str]]) -> Bool[Tensor, " n"]:
    """Whether each picture is closer to its right text than to all of its wrong ones."""
    texts = torch.stack([encode_texts(clip, some) for some in (right, *zip(*wrong, strict=True))], dim=1)
    scores = torch.einsum("nd,nkd->nk", encode(clip, images), texts)
    return scores[:, 0] > scores[:, 1:].amax(1)


def pairs(toys: Toys) -> tuple[Images, list[tuple[Words, Words]]]:
    """Two toys beside each other and their words, left first; each toy in one picture at most.

    Categories and colours differ, and training has seen each category with each of the two colours: else the wrong text
    might be known by what is held out.
    """
    images, words, half = [], [], len(toys.toys) // 2
    others = (half + torch.randperm(half, generator=torch.Generator().manual_seed(0))).tolist()
    for i, j in enumerate(others):
        left, right = Words.of(toys.toys[i]), Words.of(toys.toys[j])
        crossed = [(one.category, other.color) for one in (left, right) for other in (left, right)]
        if left.color == right.color or left.category == right.category or any(is_held_out(*one) for one in crossed):
            continue
        items = [toys.data[8 * k + i % 8] for k in (i, j)]
        images.append(arranged([(item["rgb"], item["alpha"]) for item in items], BESIDE)[0])
        words.append((left, right))
    return torch.stack(images), words


def crowds(toys: Toys, rows: Sequence[int], *, seed: int = 0) -> tuple[Images, list[int]]:
    """Two, three or four views of each of some toys in one picture, and how many."""
    generator = torch.Generator().manual_seed(seed)
    numbers = [2 + i % 3 for i in range(len(rows))]
    images = []
    for row, number in zip(rows, numbers, strict=True):
        places = [QUARTERS[k] for k in torch.randperm(4, generator=generator)[:number].tolist()]
        items = [toys.data[8 * row + k] for k in range(number)]
        images.append(arranged([(item["rgb"], item["alpha"]) for item in items], places)[0])
    return torch.stack(images), numbers


def failures(clip: CLIP, toys: Toys) -> dict[str, Any]:
    """What it was told in captions and may still not know, of toys with combinations as in training.

    The right text against wrong ones of the same words: `binding_toys`, "a red mug and a blue car" against "a blue mug
    and a red car"; `binding_parts`, "a red mug with a blue handle" against the colours exchanged; `order`, "a mug left
    of a car" against "a car left of a mug" (chance 50 % each). Against texts with another word: `left_right`, "left of"
    against "right of"; `left_or_right_side`, seen from its left against its right, where it is one (50 %); `counting`,
    two, three or four (33 %); `side`, seen from where, of four (25 %).
    """
    images, words = pairs(toys)
    right = [f"{one.phrase()} and {other.phrase()}" for one, other in words]
    exchanged = [(one._replace(color=other.color), other._replace(color=one.color)) for one, other in words]
    wrong = [[f"{one.phrase()} and {other.phrase()}"] for one, other in exchanged]
    found = {"binding_toys": preferred(clip, images, right, wrong)}
    plain = [(one.phrase(color=False), other.phrase(color=False)) for one, other in words]
    right = [f"{one} left of {other}" for one, other in plain]
    found["left_right"] = preferred(clip, images, right, [[f"{one} right of {other}"] for one, other in plain])
    found["order"] = preferred(clip, images, right, [[f"{other} left of {one}"] for one, other in plain])

    rows = torch.where(toys.seen)[0].tolist()
    some, views = [toys.toys[row] for row in rows], [row % 8 for row in rows]
    singles = torch.stack([toys.images[row, view] for row, view in zip(rows, views, strict=True)])
    phrases = [Words.of(toy) for toy in some]
    wrong = [
        [words._replace(color=toy.accent, detail=recolored(toy)).phrase(detail=True)]
        for toy, words in zip(some, phrases, strict=True)
    ]
    found["binding_parts"] = preferred(clip, singles, [words.phrase(detail=True) for words in phrases], wrong)

    crowd, numbers = crowds(toys, rows)
    texts = [{number: f"{NUMBERS[number]} {toy.color} {toy.category}s" for number in NUMBERS} for toy in some]
    right = [options[number] for options, number in zip(texts, numbers, strict=True)]
    wrong = [[o[k] for k in NUMBERS if k != number] for o, number in zip(texts, numbers, strict=True)]
    found["counting"] = preferred(clip, crowd, right, wrong)

    sides = [toys.sides[row][view] for row, view in zip(rows, views, strict=True)]
    right = [words.phrase(side=side) for words, side in zip(phrases, sides, strict=True)]
    wrong = [[w.phrase(side=o) for o in SIDES if o != side] for w, side in zip(phrases, sides, strict=True)]
    found["side"] = preferred(clip, singles, right, wrong)
    lateral = [i for i, side in enumerate(sides) if side in OPPOSITE]
    wrong = [[phrases[i].phrase(side=OPPOSITE[sides[i]])] for i in lateral]
    found["left_or_right_side"] = preferred(clip, singles[lateral], [right[i] for i in lateral], wrong)
    return {name: metric(values.float()) for name, values in found.items()}


def recolored(toy: Toy) -> str:
    """A toy's named part, in the toy's main colour."""
    part = toy.detail.split(toy.accent)[1].strip()
    article = "" if toy.detail.startswith(toy.accent) else ("an " if toy.color[0] in "aeiou" else "a ")
    return f"{article}{toy.color} {part}"
