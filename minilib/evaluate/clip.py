"""What a small CLIP knows without labels, with a few, and what it does not know, on toys that no training has seen."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minilib.clip.losses import contrastive_loss
from minilib.clip.model import CLIP
from minilib.clip.zero_shot import calibration_error, class_features, classify, recalled
from minilib.evaluate.common import in_parts, metric, say, stacked
from minilib.evaluate.few_shot import few_shot
from minilib.metrics import bootstrap_statistic
from minilib.recipes.clip_toybox import (
    BESIDE,
    NUMBERS,
    QUARTERS,
    CLIPToybox,
    Words,
    arranged,
    is_held_out,
    toybox_tokenizer,
)
from minilib.recipes.vit_toybox import draw_placement, place, toys64
from minilib.toybox.captions import side_seen
from minilib.toybox.catalog import CATEGORIES, Toy, make_toy
from minilib.toybox.catalog.parts import COLORS
from minilib.toybox.datasets import ToyViews

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


def combination_features(clip: CLIP, prompts: Sequence[str] = PROMPTS) -> Float[Tensor, "200 d"]:
    """One feature for each category with each colour."""
    names = [Words("", color, category, "").phrase() for category, color in COMBINATIONS]
    return class_features(clip, toybox_tokenizer(), names, prompts)


def confusable(combination: int, generator: torch.Generator) -> list[int]:
    """The combination, the nine others of its category, and ten of its colour: 20 candidates, the right one first."""
    category, color = divmod(combination, len(COLORS))
    same_category = [category * len(COLORS) + other for other in range(len(COLORS)) if other != color]
    others = [other for other in torch.randperm(len(CATEGORIES), generator=generator).tolist() if other != category]
    return [combination, *same_category, *(other * len(COLORS) + color for other in others[:10])]


def joint_right(
    images: Float[Tensor, "n v d"], combinations: Int[Tensor, " n"], classes: Float[Tensor, "200 d"], *, seed: int = 0
) -> Float[Tensor, " n"]:
    """For each toy the share of its views whose best of 20 confusable candidates is the right one."""
    generator = torch.Generator().manual_seed(seed)
    candidates = torch.tensor([confusable(int(one), generator) for one in combinations])
    scores = torch.einsum("nvd,ncd->nvc", images, classes[candidates])
    return (scores.argmax(2) == 0).float().mean(1)


def evaluate_clip(recipe: CLIPToybox, model: CLIP, *, num_toys: int = 2000) -> dict[str, Any]:
    """All that the card says; see the functions that measure it."""
    toys = Toys(num_toys)
    features = encode(model, toys.images.flatten(0, 1)).unflatten(0, (num_toys, -1))
    metrics: dict[str, Any] = {}
    for found in (
        zero_shot(model, toys, features),
        prompting(model, toys, features),
        retrieval(model, toys, features),
        shifted(model, toys),
        failures(model, toys),
        batch_sizes(model, toys, features),
        few_shot(model),
    ):
        say(found)
        metrics |= found
    return metrics


def zero_shot(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"]) -> dict[str, Any]:
    """Naming without labels, eight views of each toy; intervals are over toys.

    `zero_shot_seen`: category among 20, of toys whose combinations were in training; `zero_shot_unseen`: category and
    colour among 20 confusable candidates, of toys whose combination was held out (chance 5 %); `joint_seen`: the same of
    toys as in training; `color_unseen`, `category_unseen`: only one of the two asked, among all. `calibration_error`: of
    the category's probability.
    """
    names = class_features(clip, toybox_tokenizer(), CATEGORY_NAMES, PROMPTS)
    classes = combination_features(clip)
    right = (features @ names.T).argmax(2) == toys.categories[:, None]
    per_toy = right.float().mean(1)
    own = classes.unflatten(0, (len(CATEGORIES), -1))[toys.categories]
    color = torch.einsum("nvd,ncd->nvc", features, own).argmax(2) == (toys.combinations % len(COLORS))[:, None]
    joint = joint_right(features, toys.combinations, classes)
    probabilities = classify(features[toys.seen].flatten(0, 1), names, clip.scale).unflatten(0, (-1, 8))
    labels = toys.categories[toys.seen, None, None].expand(-1, 8, -1)
    packed = torch.cat([probabilities, labels], dim=2)

    return {
        "zero_shot_seen": metric(per_toy[toys.seen]),
        "zero_shot_unseen": metric(joint[toys.unseen]),
        "joint_seen": metric(joint[toys.seen]),
        "category_unseen": metric(per_toy[toys.unseen]),
        "color_unseen": metric(color.float().mean(1)[toys.unseen]),
        "calibration_error": {
            "value": miscalibration(packed),
            "ci95": list(bootstrap_statistic(miscalibration, packed)),
            "n": len(packed),
        },
    }


def miscalibration(packed: Float[Tensor, "n 8 k"]) -> float:
    """The calibration error of probabilities behind which, in the last column, stands the label."""
    rows = packed.flatten(0, 1)
    return float(calibration_error(rows[:, :-1], rows[:, -1].long()))


def prompting(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"]) -> dict[str, Any]:
    """Does it matter how one asks? The joint label of held-out combinations, as `zero_shot_unseen`.

    `prompt_known_i`, `prompt_new_i`: single prompts, like captions in training or not; `ensemble_known`,
    `ensemble_new`: all of them together; `*_minus_single`: the ensemble less the mean of its members.
    """
    found = {}
    for kind, prompts in (("known", PROMPTS), ("new", NEW_PROMPTS)):
        unseen, labels = features[toys.unseen], toys.combinations[toys.unseen]
        each = [joint_right(unseen, labels, combination_features(clip, [prompt])) for prompt in prompts]
        together = joint_right(unseen, labels, combination_features(clip, prompts))
        found |= {f"prompt_{kind}_{i}": metric(values) for i, values in enumerate(each)}
        found[f"ensemble_{kind}"] = metric(together)
        found[f"ensemble_{kind}_minus_single"] = metric(together - torch.stack(each).mean(0))
    return found


def retrieval(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"], *, size: int = 1000) -> dict[str, Any]:
    """Pictures and their full captions, one of each toy, among `size`; an equal caption is as right as the own.

    `recall_at_K`: mean of both directions; `recall_at_K_text`: from a picture to its text; `recall_at_K_image`: from a
    text to its picture; `recall_at_1_shuffled`: mean of both directions when the words of each caption are in random
    order.
    """
    views = [i % 8 for i in range(size)]
    captions = [
        Words.of(toy).phrase(size=True, detail=True, side=sides[view])
        for toy, sides, view in zip(toys.toys, toys.sides, views, strict=False)
    ]
    images, texts = features[torch.arange(size), views], encode_texts(clip, captions)
    same = torch.tensor([[one == other for other in captions] for one in captions])
    found = {}
    for k in (1, 5):
        text, image = recalled(images, texts, k, same), recalled(texts, images, k, same)
        found |= {
            f"recall_at_{k}": metric((text + image) / 2),
            f"recall_at_{k}_text": metric(text),
            f"recall_at_{k}_image": metric(image),
        }
    generator = torch.Generator().manual_seed(0)
    mixed = encode_texts(clip, [in_random_order(caption, generator) for caption in captions])
    both = (recalled(images, mixed, 1, same) + recalled(mixed, images, 1, same)) / 2
    return found | {"recall_at_1_shuffled": metric(both)}


def in_random_order(text: str, generator: torch.Generator) -> str:
    """The words of a text, shuffled."""
    words = text.replace(",", "").split()
    return " ".join(words[i] for i in torch.randperm(len(words), generator=generator).tolist())


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


def shifted(clip: CLIP, toys: Toys, *, count: int = 1000) -> dict[str, Any]:
    """The category among 20, one view of each toy, where pictures are not like those in training.

    `shift_BACKGROUND`: before backgrounds of `BACKGROUNDS`; `shift_above`: from 60 to 80 degrees above the horizon, on
    white (training: 5 to 40).
    """
    names = class_features(clip, toybox_tokenizer(), CATEGORY_NAMES, PROMPTS)

    def right(images: Images, labels: Int[Tensor, " n"]) -> dict[str, Any]:
        return metric(((encode(clip, images) @ names.T).argmax(1) == labels).float())

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


def failures(clip: CLIP, toys: Toys, *, count: int = 1000) -> dict[str, Any]:
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


def batch_sizes(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"]) -> dict[str, Any]:
    """`loss_of_SIZE`: the contrastive loss of this one model on held-out pairs, in batches of different sizes."""
    count = 1024
    captions = [Words.of(toy).phrase(detail=True) for toy in toys.toys[:count]]
    texts = encode_texts(clip, captions)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    images, texts = features[:count, 0][order], texts[order]
    found = {}
    for size in (2, 8, 32, 128, 512):
        parts = zip(images.split(size), texts.split(size), strict=True)
        found[f"loss_of_{size}"] = metric(torch.cat([contrastive_loss(*part, clip.scale) for part in parts]))
    return found
