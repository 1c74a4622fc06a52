"""Masks of everything in a picture, without being asked for any (Kirillov et al. 2023, section 5 and appendix B)."""

import itertools
import math
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minilib.segmentation.prompts import mask_boxes
from minilib.segmentation.sam import Sam, resize_logits, scaled_size
from minilib.segmentation.selection import near_edge, nms, stability_score


@dataclass(frozen=True, kw_only=True)
class AutomaticConfig:
    """What is asked, and what is kept; names and defaults are those of `segment_anything.SamAutomaticMaskGenerator`.

    Args:
        points_per_side: of the grid of clicks on the whole picture.
        points_per_batch: clicks that are computed at once.
        pred_iou_thresh: masks whose predicted IoU is not above it are dropped; 0 keeps all.
        stability_score_thresh: masks whose stability is below it are dropped; 0 keeps all.
        stability_score_offset: of `stability_score`.
        box_nms_thresh: of two masks of a crop whose boxes have a higher IoU, the worse is dropped.
        crop_n_layers: how often to look closer: layer i cuts the picture into 2^i × 2^i overlapping crops.
        crop_nms_thresh: as `box_nms_thresh`, between crops; the smaller crop wins.
        crop_overlap_ratio: of the shorter side, in the first layer; it halves with each.
        crop_n_points_downscale_factor: by which the grid's side shrinks with each layer.
        crop_edge: masks whose box comes so near to a crop's edge, in pixels, are dropped: they may have been cut off.
    Raises:
        ValueError: a setting out of range.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    crop_edge: float = 20.0

    def __post_init__(self):
        for name in ("points_per_side", "points_per_batch", "crop_n_points_downscale_factor"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} >= 1, got {getattr(self, name)}")
        if self.crop_n_layers < 0 or self.points_per_side < self.crop_n_points_downscale_factor**self.crop_n_layers:
            raise ValueError(
                f"expected crop_n_layers >= 0 with a point in each crop, got {self.crop_n_layers} layers of"
                f" {self.points_per_side} points a side, divided by {self.crop_n_points_downscale_factor} in each"
            )
        if not 0 <= self.crop_overlap_ratio < 1:
            raise ValueError(f"expected crop_overlap_ratio in [0, 1), got {self.crop_overlap_ratio}")


@dataclass(frozen=True, kw_only=True)
class FoundMasks:
    """Masks of one picture, best first.

    Attributes:
        masks: pixels inside.
        boxes: around them, (x1, y1, x2, y2), the outermost pixels inside.
        iou: that the model predicts.
        stability: see `stability_score`.
        points: the clicks (x, y) that they answer.
        crops: what the model saw of the picture, (x1, y1, x2, y2).
    """

    masks: Bool[Tensor, "n h w"]
    boxes: Int[Tensor, "n 4"]
    iou: Float[Tensor, " n"]
    stability: Float[Tensor, " n"]
    points: Float[Tensor, "n 2"]
    crops: Int[Tensor, "n 4"]

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, keep: Tensor) -> "FoundMasks":
        """Some of them: bool, or indices."""
        return FoundMasks(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})


class MaskGenerator:
    """Clicks on a grid of points, and keeps good masks of different things.

    Args:
        sam: the model.
        config: what to ask, and what to keep.
    """

    def __init__(self, sam: Sam, config: AutomaticConfig | None = None):
        self.sam, self.config = sam, config or AutomaticConfig()

    @torch.no_grad()
    def __call__(self, image: Float[Tensor, "c h w"]) -> FoundMasks:
        """The masks of a picture of any size, values in [−1, 1].

        Raises:
            TypeError, ValueError: see `Sam.fit_photograph`.
        """
        config = self.config
        if image.ndim != 3:
            raise ValueError(f"expected a picture (c, h, w), got {tuple(image.shape)}")
        crops = crop_boxes((image.shape[-2], image.shape[-1]), config.crop_n_layers, config.crop_overlap_ratio)
        found = joined([self._look(image, crop, layer) for crop, layer in crops])
        if len(crops) == 1:
            return found
        areas = (found.crops[:, 2:] - found.crops[:, :2]).prod(1)
        return found[nms(found.boxes.float(), 1 / areas, config.crop_nms_thresh)]

    def _look(self, image: Tensor, crop: tuple[int, int, int, int], layer: int) -> FoundMasks:
        """The masks that are found in a crop."""
        config, (x1, y1, x2, y2) = self.config, crop
        embedding = self.sam.encode_image(self.sam.fit_photograph(image[:, y1:y2, x1:x2]))
        side = int(config.points_per_side / config.crop_n_points_downscale_factor**layer)
        points = point_grid(side) * torch.tensor([x2 - x1, y2 - y1])
        size = (image.shape[1], image.shape[2])
        found = joined([self._ask(embedding, part, crop, size) for part in points.split(config.points_per_batch)])
        return found[nms(found.boxes.float(), found.iou, config.box_nms_thresh)]

    def _ask(
        self, embedding: Tensor, points: Tensor, crop: tuple[int, int, int, int], size: tuple[int, int]
    ) -> FoundMasks:
        """What is kept of the masks for some clicks, in the frame of the whole picture."""
        config, (x1, y1, x2, y2), device = self.config, crop, embedding.device
        image_size = self.sam.config.encoder.image_size
        height, width = scaled_size((y2 - y1, x2 - x1), image_size)
        clicks = (points * torch.tensor([width / (x2 - x1), height / (y2 - y1)])).to(embedding)
        foreground = torch.ones(len(clicks), 1, dtype=torch.long, device=device)
        logits, iou = self.sam.predict(embedding, clicks[:, None], foreground)
        logits = resize_logits(logits, image_size, original=(y2 - y1, x2 - x1)).flatten(0, 1)
        offset, number = torch.tensor([x1, y1], device=device), iou.shape[1]
        found = FoundMasks(
            masks=logits > 0,
            boxes=mask_boxes(logits > 0) + offset.repeat(2),
            iou=iou.flatten(),
            stability=stability_score(logits, config.stability_score_offset),
            points=points.to(device).repeat_interleave(number, 0) + offset,
            crops=torch.tensor(crop, device=device).expand(len(logits), 4),
        )
        keep = ~near_edge(found.boxes, crop, size, config.crop_edge)
        if config.pred_iou_thresh > 0:
            keep &= found.iou > config.pred_iou_thresh
        if config.stability_score_thresh > 0:
            keep &= found.stability >= config.stability_score_thresh
        found = found[keep]
        return replace(found, masks=F.pad(found.masks, (x1, size[1] - x2, y1, size[0] - y2)))


def joined(parts: list[FoundMasks]) -> FoundMasks:
    """All masks of several batches."""
    names = [field.name for field in fields(FoundMasks)]
    return FoundMasks(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def point_grid(side: int) -> Float[Tensor, "n 2"]:
    """The centres (x, y) of side × side equal parts of a picture, in shares of it, line by line."""
    centres = (torch.arange(side, dtype=torch.float32) + 0.5) / side
    return torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1).flatten(0, 1)


def crop_boxes(size: tuple[int, int], layers: int, overlap: float) -> list[tuple[tuple[int, int, int, int], int]]:
    """Crops (x1, y1, x2, y2) of a picture of height and width `size`, each with its layer; the first is all of it."""
    height, width = size
    found = [((0, 0, width, height), 0)]
    for layer in range(1, layers + 1):
        count = 2**layer
        shared = int(overlap * min(size) * 2 / count)
        wide, high = (math.ceil((shared * (count - 1) + length) / count) for length in (width, height))
        for column, row in itertools.product(range(count), repeat=2):
            x, y = column * (wide - shared), row * (high - shared)
            found.append(((x, y, min(x + wide, width), min(y + high, height)), layer))
    return found
