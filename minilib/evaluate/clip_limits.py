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
from minilib.recipes.clip_toybox import BESIDE, NUMBERS, QUARTERS, Words, arranged, toybox_tokenizer
from minilib.recipes.vit_toybox import draw_placement, place
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
    features, texts = encode(clip, images), encode_texts(clip, right)
    others = torch.stack([encode_texts(clip, some) for some in zip(*wrong, strict=True)], dim=1)
    return (features * texts).sum(1) > torch.einsum("nd,nkd->nk", features, others).amax(1)


def pairs(toys: Toys, *, count: int) -> tuple[Images, list[tuple[Words, Words]]]:
    """Two toys beside each other, of different categories and colours, and their words, left first."""
    images, words = [], []
    data = toys.data
    for i in range(len(toys.toys) - 1):
        j = (i + 7) % len(toys.toys)
        left, right = Words.of(toys.toys[i]), Words.of(toys.toys[j])
        if left.color == right.color or left.category == right.category:
            continue
        items = [data[8 * k + i % 8] for k in (i, j)]
        images.append(arranged([(item["rgb"], item["alpha"]) for item in items], BESIDE)[0])
        words.append((left, right))
        if len(images) == count:
            break
    return torch.stack(images), words


def crowds(toys: Toys, *, count: int, seed: int = 0) -> tuple[Images, list[int]]:
    """Two, three or four views of a toy in one picture, and how many."""
    generator = torch.Generator().manual_seed(seed)
    numbers = [2 + i % 3 for i in range(count)]
    images = []
    for i, number in enumerate(numbers):
        places = [QUARTERS[k] for k in torch.randperm(4, generator=generator)[:number].tolist()]
        items = [toys.data[8 * i + k] for k in range(number)]
        images.append(arranged([(item["rgb"], item["alpha"]) for item in items], places)[0])
    return torch.stack(images), numbers


def failures(clip: CLIP, toys: Toys, *, count: int) -> dict[str, Any]:
    """What it was told in captions and may still not know; the right text against wrong ones of the same words.

    `binding_toys`: two toys, "a red mug and a blue car" against "a blue mug and a red car" (chance 50 %);
    `binding_parts`: one toy, "a red mug with a blue handle" against the colours exchanged; `left_right`: "a mug left of
    a car" against "right of"; `order`: against "a car left of a mug"; `counting`: two, three or four (chance 33 %);
    `side`: seen from where, of four (chance 25 %); `left_or_right_side`: its left against its right, where it is one.
    """
    images, words = pairs(toys, count=count)

    def swapped(one: Words, other: Words) -> str:
        return f"{one._replace(color=other.color).phrase()} and {other._replace(color=one.color).phrase()}"

    found = {
        "binding_toys": preferred(
            clip,
            images,
            [f"{one.phrase()} and {other.phrase()}" for one, other in words],
            [[swapped(one, other)] for one, other in words],
        )
    }
    plain = [(one.phrase(color=False), other.phrase(color=False)) for one, other in words]
    right = [f"{one} left of {other}" for one, other in plain]
    found["left_right"] = preferred(clip, images, right, [[f"{one} right of {other}"] for one, other in plain])
    found["order"] = preferred(clip, images, right, [[f"{other} left of {one}"] for one, other in plain])

    singles, whole, parts = [], [], []
    for i, toy in enumerate(toys.toys[:count]):
        words_of = Words.of(toy)
        detail = toy.detail.replace("an ", "a ").replace(toy.accent, toy.color).replace("a orange", "an orange")
        singles.append(toys.images[i, i % 8])
        whole.append(words_of.phrase(detail=True))
        parts.append([words_of._replace(color=toy.accent, detail=detail).phrase(detail=True)])
    found["binding_parts"] = preferred(clip, torch.stack(singles), whole, parts)

    images, numbers = crowds(toys, count=count)
    texts = [
        {number: f"{NUMBERS[number]} {toy.color} {toy.category}s" for number in NUMBERS} for toy in toys.toys[:count]
    ]
    right = [some[number] for some, number in zip(texts, numbers, strict=True)]
    wrong = [[some[k] for k in NUMBERS if k != number] for some, number in zip(texts, numbers, strict=True)]
    found["counting"] = preferred(clip, images, right, wrong)

    sides = [toys.sides[i][i % 8] for i in range(count)]
    phrases = [Words.of(toy) for toy in toys.toys[:count]]
    options = ("the front", "its left", "behind", "its right")
    right = [words_of.phrase(side=side) for words_of, side in zip(phrases, sides, strict=True)]
    wrong = [[w.phrase(side=o) for o in options if o != side] for w, side in zip(phrases, sides, strict=True)]
    found["side"] = preferred(clip, torch.stack(singles), right, wrong)
    lateral = [i for i, side in enumerate(sides) if side.startswith("its")]
    other = {"its left": "its right", "its right": "its left"}
    found["left_or_right_side"] = preferred(
        clip,
        torch.stack([singles[i] for i in lateral]),
        [right[i] for i in lateral],
        [[phrases[i].phrase(side=other[sides[i]])] for i in lateral],
    )
    return {name: metric(values.float()) for name, values in found.items()}
