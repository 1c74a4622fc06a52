"""What a small CLIP knows without labels, with a few, and what it does not know, on toys that no training has seen."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minilib.clip.losses import contrastive_loss
from minilib.clip.model import CLIP
from minilib.clip.zero_shot import calibration_error, class_features, classify, recalled
from minilib.evaluate.clip_limits import failures, shifted
from minilib.evaluate.clip_toys import (
    CATEGORY_NAMES,
    COMBINATIONS,
    NEW_PROMPTS,
    PROMPTS,
    Toys,
    encode,
    encode_texts,
)
from minilib.evaluate.common import metric, say
from minilib.evaluate.few_shot import few_shot
from minilib.metrics import bootstrap_statistic
from minilib.recipes.clip_toybox import CLIPToybox, Words, toybox_tokenizer
from minilib.toybox.catalog import CATEGORIES
from minilib.toybox.catalog.parts import COLORS

SIZES = {"pictures": 1000}
"""Of what is measured on a part of the toys: pictures searched, shifted and asked about."""


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
    return (scores[..., 0] > scores[..., 1:].amax(2)).float().mean(1)


def evaluate_clip(recipe: CLIPToybox, model: CLIP, *, num_toys: int = 2000) -> dict[str, Any]:
    """All that the card says; see the functions that measure it."""
    toys = Toys(num_toys)
    features = encode(model, toys.images.flatten(0, 1)).unflatten(0, (num_toys, -1))
    metrics: dict[str, Any] = {}
    for measure in (
        lambda: zero_shot(model, toys, features),
        lambda: prompting(model, toys, features),
        lambda: retrieval(model, toys, features),
        lambda: shifted(model, toys, count=SIZES["pictures"]),
        lambda: failures(model, toys),
        lambda: batch_sizes(model, toys, features),
        lambda: few_shot(model),
    ):
        found = measure()
        say(found)
        metrics |= found
    return metrics


def zero_shot(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"]) -> dict[str, Any]:
    """Naming without labels, eight views of each toy; intervals are over toys.

    Of toys whose combinations were in training: `zero_shot_seen`, the category among 20; `joint_seen`, category and
    colour among 20 confusable candidates (chance 5 %); `calibration_error` of the category's probability. Of toys whose
    combination was held out: `zero_shot_unseen`, as `joint_seen`; `joint_of_200_unseen`, among all combinations;
    `category_unseen`, among 20; `category_given_color`, `color_given_category`: among phrases that share the other;
    `confidence_unseen`, the mean probability of the category that is named, and `calibration_error_unseen`.
    """
    names, classes = class_features(clip, toybox_tokenizer(), CATEGORY_NAMES, PROMPTS), combination_features(clip)
    right = ((features @ names.T).argmax(2) == toys.categories[:, None]).float().mean(1)
    scores = features @ classes.T
    every = (scores.argmax(2) == toys.combinations[:, None]).float().mean(1)
    table = scores.unflatten(2, (len(CATEGORIES), len(COLORS)))
    colors, rows = toys.combinations % len(COLORS), torch.arange(len(features))
    category = (table[rows, :, :, colors].argmax(2) == toys.categories[:, None]).float().mean(1)
    color = (table[rows, :, toys.categories].argmax(2) == colors[:, None]).float().mean(1)
    joint = joint_right(features, toys.combinations, classes)
    probabilities = classify(features.flatten(0, 1), names, clip.scale).unflatten(0, (-1, 8))
    packed = torch.cat([probabilities, toys.categories[:, None, None].expand(-1, 8, -1)], dim=2)
    return {
        "zero_shot_seen": metric(right[toys.seen]),
        "zero_shot_unseen": metric(joint[toys.unseen]),
        "joint_seen": metric(joint[toys.seen]),
        "joint_of_200_unseen": metric(every[toys.unseen]),
        "category_unseen": metric(right[toys.unseen]),
        "category_given_color": metric(category[toys.unseen]),
        "color_given_category": metric(color[toys.unseen]),
        "confidence_unseen": metric(probabilities.amax(2).mean(1)[toys.unseen]),
        "calibration_error": calibration(packed[toys.seen]),
        "calibration_error_unseen": calibration(packed[toys.unseen]),
    }


def calibration(packed: Float[Tensor, "n 8 k"]) -> dict[str, Any]:
    """`miscalibration` as cards hold it."""
    interval = bootstrap_statistic(miscalibration, packed)
    return {"value": miscalibration(packed), "ci95": list(interval), "n": len(packed)}


def miscalibration(packed: Float[Tensor, "n 8 k"]) -> float:
    """The calibration error of probabilities behind which, in the last column, stands the label."""
    rows = packed.flatten(0, 1)
    return float(calibration_error(rows[:, :-1], rows[:, -1].long()))


def prompting(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"]) -> dict[str, Any]:
    """Does it matter how one asks? The joint label of held-out combinations, as `zero_shot_unseen`.

    `prompt_known_i`, `prompt_new_i`: single prompts, like captions in training or not; `ensemble_known`,
    `ensemble_new`: all of them together; `*_minus_single`: the ensemble less the mean of its members; `*_minus_best`:
    less the member that does best here, which nobody could have chosen without labels.
    """
    found = {}
    for kind, prompts in (("known", PROMPTS), ("new", NEW_PROMPTS)):

        def right(some: Sequence[str]) -> Float[Tensor, " n"]:
            return joint_right(features, toys.combinations, combination_features(clip, some))[toys.unseen]

        each, together = torch.stack([right([prompt]) for prompt in prompts]), right(prompts)
        found |= {f"prompt_{kind}_{i}": metric(values) for i, values in enumerate(each)}
        found[f"ensemble_{kind}"] = metric(together)
        found[f"ensemble_{kind}_minus_single"] = metric(together - each.mean(0))
        found[f"ensemble_{kind}_minus_best"] = metric(together - each[each.mean(1).argmax()])
    return found


def retrieval(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"]) -> dict[str, Any]:
    """Pictures and their full captions, one of each toy, among 1,000; an equal caption is as right as the own.

    `recall_at_K`: mean of both directions; `recall_at_K_text`: from a picture to its text; `recall_at_K_image`: from a
    text to its picture; `recall_at_1_shuffled`: mean of both directions when the words of each caption are in random
    order.
    """
    size = SIZES["pictures"]
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
    """The words of a text, shuffled; a comma is one of them."""
    words = text.replace(",", " ,").split()
    return " ".join(words[i] for i in torch.randperm(len(words), generator=generator).tolist())


def batch_sizes(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"]) -> dict[str, Any]:
    """`loss_of_SIZE`: the contrastive loss of this one model on pairs of which no two have the same caption, cut into
    batches of a size; the interval is over batches."""
    captions = [Words.of(toy).phrase(size=True, detail=True) for toy in toys.toys]
    different = torch.tensor(sorted({caption: row for row, caption in enumerate(captions)}.values()))
    order = different[torch.randperm(len(different), generator=torch.Generator().manual_seed(0))]
    images, texts = features[order, 0], encode_texts(clip, [captions[row] for row in order])
    found = {}
    for size in (2, 8, 32, 128):
        whole = len(order) // size * size
        parts = zip(images[:whole].split(size), texts[:whole].split(size), strict=True)
        found[f"loss_of_{size}"] = metric(torch.stack([contrastive_loss(*one, clip.scale).mean() for one in parts]))
    return found
