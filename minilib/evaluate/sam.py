"""Does a click give the toy, does another one help, and does the model know how good its masks are?"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minilib.evaluate.common import metric, say
from minilib.recipes.sam_toybox import KINDS, SamToybox, large_enough, scenes128
from minilib.segmentation.automatic import AutomaticConfig, MaskGenerator
from minilib.segmentation.metrics import boundary_iou, mask_iou
from minilib.segmentation.prompts import centre_click, mask_boxes
from minilib.segmentation.sam import Sam, resize_logits

AUTOMATIC = AutomaticConfig(points_per_side=16, pred_iou_thresh=0.4, stability_score_thresh=0.7)
"""For 128 pixels: a click every 8, and thresholds chosen by `minilib.studies.sam_thresholds`."""


@dataclass(frozen=True)
class Table:
    """A held-out scene and what is on it.

    Attributes:
        image: in [−1, 1].
        instances, parts: ids of toys and of their parts.
        toys: a mask for each toy that shows enough of itself.
    """

    image: Float[Tensor, "3 h w"]
    instances: Int[Tensor, "h w"]
    parts: Int[Tensor, "h w"]
    toys: Bool[Tensor, "n h w"]

    def meanings(self, x: int, y: int) -> Bool[Tensor, "3 h w"]:
        """What a click there may mean: the part, the toy, all toys."""
        toy = self.instances == self.instances[y, x]
        return torch.stack([toy & (self.parts == self.parts[y, x]), toy, self.instances > 0])

    def odds(self, x: int, y: int) -> Float[Tensor, " 3"]:
        """How likely each meaning is in training, if the click is there: Bayes' rule for what `choose_target` chooses
        and a click that is equally likely everywhere in it."""
        part, toy, everything = self.meanings(x, y)
        parts = large_enough(self.parts, toy)
        chance = torch.tensor([KINDS["part"] / max(1, len(parts)), KINDS["toy"], KINDS["group"] * len(self.toys)])
        if not parts:  # then `choose_target` takes the toy
            chance[1] += KINDS["part"]
        if int(self.parts[y, x]) not in parts:
            chance[0] = 0.0
        likely = chance / torch.stack([part.sum(), toy.sum(), everything.sum()])
        return likely / likely.sum()


def tables(num_scenes: int, first: int = 0, *, split: str = "test") -> list[Table]:
    """Scenes of a split that show at least one toy."""
    data, found = scenes128(split, num_scenes=num_scenes, first=first), []
    for number in range(num_scenes):
        item = data[number]
        instances, parts = item["instance_ids"].long(), item["part_ids"].long()
        ids = large_enough(instances)
        if ids:
            found.append(Table(item["rgb"], instances, parts, torch.stack([instances == one for one in ids])))
    return found


def answers(
    sam: Sam, embedding: Tensor, size: int, *prompts: Any, multimask: bool, **more: Any
) -> tuple[Bool[Tensor, "p m h w"], Float[Tensor, "p m"], Float[Tensor, "p m s s"]]:
    """Masks at the picture's size, predicted IoUs, and the logits as they came."""
    logits, iou = sam.predict(embedding, *prompts, multimask=multimask, **more)
    return resize_logits(logits, size) > 0, iou, logits


@torch.no_grad()
def evaluate_sam(recipe: SamToybox, model: Sam, *, num_scenes: int = 300, auto_scenes: int = 60) -> dict[str, Any]:
    """Masks of whole toys on held-out tables; every interval is over scenes.

    `iou_best_of_3`, `iou_picked`: one click at the toy's deepest point, the best mask and the one whose predicted IoU
    is highest; `iou_single`: the mask for unambiguous prompts; `boundary_iou`: of the picked one; `iou_box`: a box;
    `iou_clicks_K`: after K clicks, each at the deepest point of what is wrong, and `gain_of_click_K`, what the last one
    brought. `ambiguous_oracle`, `ambiguous_single`: the click may mean part, toy or all: mean over these of the best of
    three masks, and of the single one; `ambiguous_gain`, their difference. `iou_error`: mean distance of the predicted
    IoUs from what is to be expected, the mean of the true IoUs with the three meanings, weighted by their odds;
    `iou_over`: predicted minus expected. `auto_recall`, `auto_precision`: of masks nobody asked for, at IoU 0.5: toys
    that are found, masks that are a part, a toy or all.
    """
    scores: dict[str, list[float]] = {}

    def add(name: str, values: Tensor) -> None:
        scores.setdefault(name, []).append(float(values.float().mean()))

    scenes = tables(num_scenes)
    for table in scenes:
        for name, values in clicked(model, table, recipe.max_clicks).items():
            add(name, values)
    metrics = {name: metric(torch.tensor(values)) for name, values in scores.items()}
    differences = {
        f"gain_of_click_{k}": (f"iou_clicks_{k}", f"iou_clicks_{k - 1}") for k in range(2, recipe.max_clicks + 1)
    }
    differences["ambiguous_gain"] = ("ambiguous_oracle", "ambiguous_single")
    for name, (one, other) in differences.items():
        metrics[name] = metric(torch.tensor(scores[one]) - torch.tensor(scores[other]))
    say(metrics)
    recalls, precisions = zip(*(automatic(model, table) for table in scenes[:auto_scenes]), strict=True)
    found = {"auto_recall": metric(torch.tensor(recalls)), "auto_precision": metric(torch.tensor(precisions))}
    say(found)
    return metrics | found


def clicked(sam: Sam, table: Table, max_clicks: int) -> dict[str, Tensor]:
    """What clicks and boxes on every toy of a table give."""
    size, toys = table.image.shape[-1], table.toys
    embedding = sam.encode_image(table.image[None])
    points, labels = centre_click(torch.zeros_like(toys), toys)
    masks, predicted, logits = answers(sam, embedding, size, points, labels, multimask=True)
    ious = mask_iou(masks, toys[:, None].expand_as(masks))
    rows, picked = torch.arange(len(toys)), predicted.argmax(1)
    alone, _, _ = answers(sam, embedding, size, points, labels, multimask=False)
    boxed, _, _ = answers(sam, embedding, size, boxes=mask_boxes(toys).float(), multimask=False)
    found = {
        "iou_best_of_3": ious.amax(1),
        "iou_picked": ious[rows, picked],
        "boundary_iou": boundary_iou(masks[rows, picked], toys),
        "iou_single": mask_iou(alone[:, 0], toys),
        "iou_box": mask_iou(boxed[:, 0], toys),
        "iou_clicks_1": ious[rows, picked],
    }
    meanings = torch.stack([table.meanings(*map(int, point[0])) for point in points])
    several = mask_iou(
        masks[:, :, None].expand(-1, -1, 3, -1, -1), meanings[:, None].expand(-1, masks.shape[1], -1, -1, -1)
    )
    found["ambiguous_oracle"] = several.amax(1).mean(1)
    expected = (several * torch.stack([table.odds(*map(int, point[0])) for point in points])[:, None]).sum(2)
    found["iou_error"] = (predicted - expected).abs().mean(1)
    found["iou_over"] = (predicted - expected).mean(1)
    found["ambiguous_single"] = mask_iou(alone.expand(-1, 3, -1, -1), meanings).mean(1)

    said, before = masks[rows, picked], logits[rows, picked]
    for click in range(2, max_clicks + 1):
        new_points, new_labels = centre_click(said, toys)
        points, labels = torch.cat([points, new_points], dim=1), torch.cat([labels, new_labels], dim=1)
        masks, _, logits = answers(sam, embedding, size, points, labels, masks=before, multimask=False)
        said, before = masks[:, 0], logits[:, 0]
        found[f"iou_clicks_{click}"] = mask_iou(said, toys)
    return found


def automatic(sam: Sam, table: Table, config: AutomaticConfig = AUTOMATIC) -> tuple[float, float]:
    """Share of a table's toys that are found without prompts, and share of the found masks that are something."""
    masks = MaskGenerator(sam, config)(table.image).masks
    parts = [
        table.instances.eq(toy) & table.parts.eq(part)
        for toy in large_enough(table.instances)
        for part in large_enough(table.parts, table.instances == toy)
    ]
    things = torch.cat([table.toys, table.instances[None] > 0, *(part[None] for part in parts)])
    if not len(masks):
        return 0.0, 0.0
    ious = mask_iou(masks[:, None].expand(-1, len(things), -1, -1), things.expand(len(masks), -1, -1, -1))
    recall = (ious[:, : len(table.toys)].amax(0) > 0.5).float().mean()
    return float(recall), float((ious.amax(1) > 0.5).float().mean())
