"""Does the Vision Transformer name toys, does it need its positions, and do its maps show where the toy is?"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minilib.attention.maps import patch_map, relevance, rollout
from minilib.attention.recorder import record_attention, unfused
from minilib.attention.vit import ViT
from minilib.evaluate.common import in_parts, metric, say, stacked
from minilib.recipes.vit_toybox import ViTToybox, draw_placement, place, toys64

Placed = tuple[Float[Tensor, "n 3 h w"], Bool[Tensor, "n h w"], Int[Tensor, " n"]]


def plain_toys(num_toys: int, first: int = 0) -> tuple[Float[Tensor, "n 3 h w"], Int[Tensor, " n"]]:
    """Eight views of each of some toys of the test split on white, and their categories."""
    data = toys64("test", num_toys=num_toys, first=first)
    images, labels = stacked(data, range(len(data)), "rgb", "category")
    return images, labels


def placed_toys(num_toys: int, first: int = 0, *, seed: int = 0) -> Placed:
    """One view of each of some toys of the test split, placed as in training: pictures, masks, categories."""
    data = toys64("test", num_toys=num_toys, first=first, cache=False)  # one view of eight is used
    rgb, alpha, labels = stacked(data, [8 * i + i % 8 for i in range(num_toys)], "rgb", "alpha", "category")
    images, alpha = place(rgb, alpha, **draw_placement(num_toys, torch.Generator().manual_seed(seed)))
    return images, alpha > 0.5, labels


def with_shuffled_positions(model: ViT, *, seed: int = 0) -> ViT:
    """A copy whose patches have each other's position vectors."""
    copy = ViT(model.config).eval()
    copy.load_state_dict(model.state_dict())
    order = torch.randperm(len(model.positions) - 1, generator=torch.Generator().manual_seed(seed))
    copy.positions.data[1:] = model.positions.data[1:][order]
    return copy.requires_grad_(False)


def maps_of(model: ViT, images: Float[Tensor, "n 3 h w"], labels: Int[Tensor, " n"]) -> dict[str, Tensor]:
    """Where the class token looks, (n, h, w) each: the last layer's attention, rollout, relevance of the label.

    The box in the centre, which has seen nothing, falls off with the distance from the middle.
    """
    grid, size = (model.config.grid, model.config.grid), (images.shape[2], images.shape[3])
    with unfused(model), record_attention(model) as records:
        logits = model(images.clone().requires_grad_())
    layers = [weights for (weights,) in records.values()]
    score = logits.gather(1, labels[:, None]).sum()
    found = {
        "last": layers[-1].detach().mean(1)[:, 0],
        "rollout": rollout([weights.detach() for weights in layers])[:, 0],
        "relevance": relevance(layers, score)[:, 0],
    }
    pictures = {name: patch_map(row, grid, size, num_prefix=model.num_prefix) for name, row in found.items()}
    rows, columns = (torch.linspace(-1, 1, side) for side in size)
    box = -torch.maximum(rows[:, None].abs(), columns.abs())
    return pictures | {"centre": box.expand(len(images), -1, -1)}


def pointing(maps: Float[Tensor, "n h w"], masks: Bool[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """1 where a map's highest pixel is on the toy (Zhang et al. 2018, section 4.2, without tolerance), 0 elsewhere."""
    peaks = maps.flatten(1).argmax(1)
    return masks.flatten(1).gather(1, peaks[:, None])[:, 0].float()


def iou_at_true_size(maps: Float[Tensor, "n h w"], masks: Bool[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Intersection over union of the mask with as many of the map's highest pixels as the mask has."""
    order = maps.flatten(1).argsort(dim=1, descending=True)
    rank = torch.empty_like(order).scatter(1, order, torch.arange(order.shape[1]).expand_as(order))
    chosen, wanted = rank < masks.flatten(1).sum(1, keepdim=True), masks.flatten(1)
    return (chosen & wanted).sum(1) / (chosen | wanted).sum(1).clamp(min=1)


def evaluate_vit(recipe: ViTToybox, model: ViT, *, num_toys: int = 1000, map_toys: int = 500) -> dict[str, Any]:
    """How often it is right, without its positions too, and how well its maps show the toy.

    `accuracy`: eight views of each held-out toy on white; the interval is over toys. `accuracy_placed`: one view of
    each, placed as in training; `accuracy_shuffled`: the same with positions shuffled among patches. `iou_*` and
    `pointing_*`: of placed toys, for the last layer's attention, rollout, relevance, and a box in the centre that has
    seen nothing.
    """
    images, labels = plain_toys(num_toys)
    right = (in_parts(model, images).argmax(1) == labels).float()
    metrics = {"accuracy": metric(right.unflatten(0, (num_toys, -1)).mean(1))}
    images, masks, labels = placed_toys(num_toys)
    right = (in_parts(model, images).argmax(1) == labels).float()
    mixed = (in_parts(with_shuffled_positions(model), images).argmax(1) == labels).float()
    metrics["accuracy_placed"] = metric(right)
    metrics["accuracy_shuffled"] = metric(mixed)
    metrics["accuracy_lost_by_shuffling"] = metric(right - mixed)
    say(metrics)
    some = slice(0, map_toys)
    parts = zip(images[some].split(100), labels[some].split(100), strict=True)
    pieces = [maps_of(model, *part) for part in parts]
    scores: dict[str, Tensor] = {}
    for name in pieces[0]:
        maps = torch.cat([piece[name] for piece in pieces])
        scores |= {f"iou_{name}": iou_at_true_size(maps, masks[some]), f"pointing_{name}": pointing(maps, masks[some])}
    found = {name: metric(values) for name, values in scores.items()}
    for kind in ("iou", "pointing"):
        for other in ("last", "relevance", "centre"):
            difference = scores[f"{kind}_rollout"] - scores[f"{kind}_{other}"]
            found[f"{kind}_rollout_minus_{other}"] = metric(difference)
    say(found)
    return metrics | found
