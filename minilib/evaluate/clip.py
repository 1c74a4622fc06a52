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

SIZES = {"pictures": 1000, "pairs": 1024}
"""Of what is measured on a part of the toys: pictures searched, shifted and asked about; pairs in all batches."""


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
    for measure in (
        lambda: zero_shot(model, toys, features),
        lambda: prompting(model, toys, features),
        lambda: retrieval(model, toys, features),
        lambda: shifted(model, toys, count=SIZES["pictures"]),
        lambda: failures(model, toys, count=SIZES["pictures"]),
        lambda: batch_sizes(model, toys, features),
        lambda: few_shot(model),
    ):
        found = measure()
        say(found)
        metrics |= found
    return metrics


def zero_shot(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"]) -> dict[str, Any]:
    """Naming without labels, eight views of each toy; intervals are over toys.

    `zero_shot_seen`: category among 20, of toys whose combinations were in training; `zero_shot_unseen`: category and
    colour among 20 confusable candidates, of toys whose combination was held out (chance 5 %); `joint_seen`: the same
    of toys as in training; `color_unseen`, `category_unseen`: only one of the two asked, among all.
    `calibration_error`: of the category's probability.
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
    """The words of a text, shuffled."""
    words = text.replace(",", "").split()
    return " ".join(words[i] for i in torch.randperm(len(words), generator=generator).tolist())


def batch_sizes(clip: CLIP, toys: Toys, features: Float[Tensor, "n 8 d"]) -> dict[str, Any]:
    """`loss_of_SIZE`: the contrastive loss of this one model on held-out pairs, in batches of different sizes."""
    count = SIZES["pairs"]
    captions = [Words.of(toy).phrase(detail=True) for toy in toys.toys[:count]]
    texts = encode_texts(clip, captions)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    images, texts = features[:count, 0][order], texts[order]
    found = {}
    for size in (2, 8, 32, 128, 512):
        parts = zip(images.split(size), texts.split(size), strict=True)
        found[f"loss_of_{size}"] = metric(torch.cat([contrastive_loss(*part, clip.scale) for part in parts]))
    return found
