"""SAM's prompt encoder: points, boxes and masks become tokens and a map (Kirillov et al. 2023, section 3)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minilib.segmentation.image_encoder import ChannelNorm

LABELS = (-1, 0, 1, 2, 3)
"""What a point can be: none at all (−1), background (0), foreground (1), a box's upper left (2) or lower right (3)."""


class PromptEncoder(nn.Module):
    """Prompts to vectors in the space of the image embedding.

    Args:
        width: of the vectors, even.
        grid: tokens along a side of the image embedding.
        image_size: in pixels.
        mask_channels: of the network that reads masks, divisible by 4.
    Raises:
        ValueError: an odd width, or mask_channels that 4 does not divide.
    """

    def __init__(self, *, width: int, grid: int, image_size: int, mask_channels: int = 16):
        super().__init__()
        if width % 2 or mask_channels < 4 or mask_channels % 4:
            raise ValueError(
                f"expected an even width and mask_channels divisible by 4, got {width} and {mask_channels}"
            )
        self.grid, self.image_size = grid, image_size
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.randn(2, width // 2))
        self.label_embeddings = nn.Parameter(torch.randn(len(LABELS), width))
        self.no_mask = nn.Parameter(torch.randn(width))
        self.mask_network = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, 2, stride=2),
            ChannelNorm(mask_channels // 4, 1e-6),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, 2, stride=2),
            ChannelNorm(mask_channels, 1e-6),
            nn.GELU(),
            nn.Conv2d(mask_channels, width, 1),
        )

    @property
    def mask_size(self) -> int:
        """Height and width of masks as prompts, and of those that SAM gives."""
        return 4 * self.grid

    def encode_positions(self, places: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n d"]:
        """Random Fourier features of places (x, y) in shares of the image (Tancik et al. 2020).

        sin and cos of 2π (2p − 1)·F with a fixed, random F: near places get similar vectors.
        """
        angles = 2 * math.pi * ((2 * places - 1) @ self.frequencies)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def grid_positions(self) -> Float[Tensor, "n d"]:
        """The encoding of the centre of each token of the image embedding, line by line."""
        centres = (torch.arange(self.grid, device=self.frequencies.device) + 0.5).to(self.frequencies.dtype) / self.grid
        return self.encode_positions(torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)).flatten(0, 1)

    def encode_points(self, points: Float[Tensor, "p n 2"], labels: Int[Tensor, "p n"]) -> Float[Tensor, "p n d"]:
        """A token for each point: the encoding of its pixel's centre, plus a learned vector for its label.

        Args:
            points: pixels (x, y); (0, 0) is the upper left one.
            labels: one of `LABELS` each; −1 marks a point that only fills up a row, and is not looked at.
        """
        places = self.encode_positions(((points + 0.5) / self.image_size).to(self.frequencies.dtype))
        places = places.masked_fill((labels == -1)[..., None], 0.0)
        return places + self.label_embeddings[labels]  # −1 is the last row

    def forward(
        self,
        points: Float[Tensor, "p n 2"] | None = None,
        labels: Int[Tensor, "p n"] | None = None,
        boxes: Float[Tensor, "p 4"] | None = None,
        masks: Float[Tensor, "p s s"] | None = None,
    ) -> tuple[Float[Tensor, "p m d"], Float[Tensor, "q d g g"]]:
        """Tokens for what is sparse, points and boxes, and a map for what is dense, masks.

        Args:
            points, labels: as for `encode_points`; without boxes, a point of label −1 is added to them.
            boxes: (x1, y1, x2, y2) in pixels; each becomes two points, of labels 2 and 3.
            masks: logits of size `mask_size`, as SAM gives them.
        Returns:
            Tokens; the map to add to the image embedding, q = 1 without masks, else q = p.
        Raises:
            ValueError: no prompt at all, points without labels or labels without points, shapes that do not fit
                together, a point or box outside the image, a label that is not in `LABELS`, or a box with x2 < x1 or
                y2 < y1. Values are looked at on CPUs only.
            TypeError: points, boxes or masks that are not floating-point, labels that are not integers.
        """
        self.check(points, labels, boxes, masks)
        tokens = []
        if points is not None and labels is not None:
            if boxes is None:
                points = torch.cat([points, points.new_zeros(len(points), 1, 2)], dim=1)
                labels = torch.cat([labels, labels.new_full((len(labels), 1), -1)], dim=1)
            tokens.append(self.encode_points(points, labels))
        if boxes is not None:
            corners = torch.tensor([2, 3], device=boxes.device).expand(len(boxes), 2)
            tokens.append(self.encode_points(boxes.unflatten(-1, (2, 2)), corners))
        if masks is None:
            dense = self.no_mask[None, :, None, None].expand(1, -1, self.grid, self.grid)
        else:
            dense = self.mask_network(masks[:, None].to(self.no_mask.dtype))
            if not tokens:
                tokens.append(dense.new_zeros(len(masks), 0, len(self.no_mask)))
        return torch.cat(tokens, dim=1), dense

    def check(self, points: Tensor | None, labels: Tensor | None, boxes: Tensor | None, masks: Tensor | None) -> None:
        """Raises what `forward` says."""
        given = {"points": points, "labels": labels, "boxes": boxes, "masks": masks}
        given = {name: value for name, value in given.items() if value is not None}
        if not given:
            raise ValueError("expected a prompt: points with labels, boxes or masks; got none")
        if ("points" in given) != ("labels" in given):
            raise ValueError(f"expected points and labels together, got {', '.join(given)} only")
        for name, value in given.items():
            if value.is_floating_point() == (name == "labels") or value.is_complex() or value.dtype == torch.bool:
                kind = "integer" if name == "labels" else "floating-point"
                raise TypeError(f"expected {kind} {name}, got {value.dtype}")
        count, size = len(next(iter(given.values()))), self.mask_size
        rows = points.shape[1] if points is not None and points.ndim > 1 else "n"
        shapes = {
            "points": (count, rows, 2),
            "labels": (count, rows),
            "boxes": (count, 4),
            "masks": (count, size, size),
        }
        for name, value in given.items():
            if tuple(value.shape) != shapes[name]:
                raise ValueError(f"expected {name} of shape {shapes[name]}, got {tuple(value.shape)}")
        if count == 0 or rows == 0:
            raise ValueError("expected at least one prompt with at least one point, got none")
        if points is not None and labels is not None and points.device.type == "cpu":
            _check_points(points, labels, self.image_size)
        if boxes is not None and boxes.device.type == "cpu":
            _check_boxes(boxes, self.image_size)


def _check_points(points: Tensor, labels: Tensor, image_size: int) -> None:
    unknown = labels[(labels < LABELS[0]) | (labels > LABELS[-1])]
    if len(unknown):
        raise ValueError(f"expected labels in {LABELS}, got {unknown[0].item()}")
    inside = ((points >= 0) & (points < image_size)).all(-1) | (labels == -1)
    if not inside.all():
        x, y = points[~inside][0].tolist()
        raise ValueError(f"expected points (x, y) with 0 <= x, y < image_size = {image_size}, got ({x:g}, {y:g})")


def _check_boxes(boxes: Tensor, image_size: int) -> None:
    inside = ((boxes >= 0) & (boxes <= image_size)).all(-1)
    ordered = (boxes[:, :2] <= boxes[:, 2:]).all(-1)
    if not (inside & ordered).all():
        found = ", ".join(f"{side:g}" for side in boxes[~(inside & ordered)][0].tolist())
        expected = f"0 <= x1 <= x2 <= {image_size} and 0 <= y1 <= y2 <= {image_size}"
        raise ValueError(f"expected boxes (x1, y1, x2, y2) with {expected}, got ({found})")
