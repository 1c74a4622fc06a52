"""A small SAM for tables with toys: a click means a part of a toy, the toy, or all toys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.data import Dataset

from minilib.attention.positions import resized_positions
from minilib.checkpoints import fit_state_dict
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.losses import sam_loss
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.prompts import corrective_click, first_click, jittered_boxes
from minilib.segmentation.sam import Sam, SamConfig, resize_logits
from minilib.toybox.datasets import Scenes
from minilib.training import Recipe, TrainConfig

SMALLEST = 24
"""Pixels that a toy or a part must show to be asked for."""

KINDS = {"toy": 0.6, "part": 0.2, "group": 0.2}
"""How often a prompt means what."""


def scenes128(split: str, *, num_scenes: int, first: int = 0) -> Scenes:
    """Tables with toys at 128 pixels, with the ids of toys and parts; arguments as `Scenes`."""
    return Scenes(split, num_scenes=num_scenes, first=first, fields=("rgb", "instance_ids", "part_ids"))


def large_enough(ids: Int[Tensor, "h w"], inside: Bool[Tensor, "h w"] | None = None) -> list[int]:
    """The ids, except 0, that at least `SMALLEST` pixels (of those inside) have."""
    values = ids if inside is None else ids[inside]
    found, counts = values.unique(return_counts=True)
    return [int(one) for one, count in zip(found, counts, strict=True) if one > 0 and count >= SMALLEST]


def choose_target(
    instances: Int[Tensor, "h w"], parts: Int[Tensor, "h w"], kind: float, which: float, part: float
) -> Bool[Tensor, "h w"]:
    """What one prompt means.

    Args:
        instances, parts: ids of toys and of their parts, 0 where there is none.
        kind: in [0, 1): a toy, a part of one, or all toys, as often as `KINDS` says.
        which, part: in [0, 1): of the toys and parts that are large enough.
    """
    toys = large_enough(instances)
    if not toys or kind >= KINDS["toy"] + KINDS["part"]:
        return instances > 0
    toy = instances == toys[int(which * len(toys))]
    options = large_enough(parts, toy)
    if kind < KINDS["toy"] or not options:
        return toy
    return toy & (parts == options[int(part * len(options))])


class Talks(nn.Module):
    """For a model whose one call can be a whole conversation, so that training on several devices sees all of it."""

    def forward(self, *arguments: Any, talk: Callable[..., Any] | None = None, **options: Any) -> Any:
        """What the model says or, with `talk`, what that says of the model."""
        return super().forward(*arguments, **options) if talk is None else talk(self)


class PromptedSam(Talks, Sam):
    """A SAM that talks."""


def for_each(
    function: Callable[..., Any], generators: Sequence[torch.Generator], *masks: Bool[Tensor, "p h w"]
) -> list[Tensor]:
    """What a function draws for the prompts of each picture, by the picture's own generator, joined again."""
    size = len(masks[0]) // len(generators)
    parts = zip(generators, *(some.split(size) for some in masks), strict=True)
    found = [function(*some, generator) for generator, *some in parts]
    found = [one if isinstance(one, tuple) else (one,) for one in found]
    return [torch.cat(some) for some in zip(*found, strict=True)]


@dataclass(frozen=True, kw_only=True)
class SamToybox(Recipe):
    """Clicks, boxes and corrections on tables with toys (Kirillov et al. 2023, appendix A).

    The encoder starts as `vit-toybox`, whose shape it has, as SAM's starts as a masked autoencoder. Each step asks
    about the same targets three times: by a click, which may mean three things and gets three masks; by a box; and by
    the first answer with up to `max_clicks` − 1 corrections, of which the last answer is learned from. Most of the time
    goes into the encoder, which computes in half precision; the rest does not, since clicks are exact.

    Args:
        sam: shape of the network.
        num_scenes: of the training split.
        prompts_per_scene: targets in each picture.
        max_clicks: in a conversation.
    Raises:
        ValueError: no prompts, or fewer than two clicks.
    """

    name: str = "sam-toybox"
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=10_000,
            batch_size=16,
            learning_rate=8e-4,
            weight_decay=0.05,
            ema_decay=0.998,
            mixed_precision="bf16",
            sample_every=100_000,
        )
    )
    sam: SamConfig = field(
        default_factory=lambda: SamConfig(
            encoder=ImageEncoderConfig(
                image_size=128,
                patch_size=8,
                width=192,
                depth=6,
                num_heads=6,
                hidden=768,
                window_size=8,
                global_blocks=(2, 5),
                out_channels=128,
            ),
            decoder=MaskDecoderConfig(hidden=512, iou_hidden=128),
            image_mean=(0.5, 0.5, 0.5),
            image_std=(0.5, 0.5, 0.5),
        )
    )
    num_scenes: int = 8000
    prompts_per_scene: int = 2
    max_clicks: int = 5

    def __post_init__(self):
        if self.prompts_per_scene < 1 or self.max_clicks < 2:
            raise ValueError(
                f"expected prompts_per_scene >= 1 and max_clicks >= 2, got {self.prompts_per_scene} and"
                f" {self.max_clicks}"
            )

    def make_model(self) -> nn.Module:
        """A SAM whose encoder is `vit-toybox`, its positions stretched; the rest is untrained."""
        from minilib.weights import load_trained

        sam, (_, vit) = PromptedSam(self.sam), load_trained("vit-toybox")
        encoder, grid = sam.image_encoder, self.sam.encoder.grid
        encoder.patch_embedding.load_state_dict(vit.patch_embedding.state_dict())
        new = r"attention\.heads\.(height|width)_positions$"
        fit_state_dict(encoder.blocks, vit.blocks.state_dict(), source="vit-toybox", new=new)
        encoder.positions.data = resized_positions(vit.positions[1:], (vit.config.grid,) * 2, (grid, grid)).clone()
        return sam

    def make_dataset(self) -> Dataset:
        """Tables with toys, and where each toy and part is."""
        return scenes128("train", num_scenes=self.num_scenes)

    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Mirrored or not, what prompts mean, how many clicks there are, and a seed for where they are."""
        shape = (batch_size, self.prompts_per_scene)
        return {
            "mirrored": torch.rand(batch_size, generator=generator) < 0.5,
            "kind": torch.rand(shape, generator=generator),
            "which": torch.rand(shape, generator=generator),
            "part": torch.rand(shape, generator=generator),
            "clicks": torch.randint(2, self.max_clicks + 1, (1,), generator=generator).expand(batch_size),
            "seed": torch.randint(0, 2**31, (batch_size,), generator=generator),
        }

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """Focal, dice and the error of the predicted IoU, mean over the three ways to ask."""
        mirrored = batch["mirrored"][:, None, None]
        images = torch.where(mirrored[..., None], batch["rgb"].flip(-1), batch["rgb"])
        ids = [batch[name].long() for name in ("instance_ids", "part_ids")]
        ids = [torch.where(mirrored, some.flip(-1), some) for some in ids]
        choices = zip(*(batch[name].tolist() for name in ("kind", "which", "part")), strict=True)
        targets = [
            choose_target(instances, parts, *choice)
            for instances, parts, some in zip(*ids, choices, strict=True)
            for choice in zip(*some, strict=True)
        ]
        generators = [torch.Generator().manual_seed(seed) for seed in batch["seed"].tolist()]
        target, clicks = torch.stack(targets), int(batch["clicks"][0])

        def talk(sam: Sam) -> Float[Tensor, " p"]:
            embedding = sam.encode_image(images)
            with torch.autocast(embedding.device.type, enabled=False):
                return conversation(sam, embedding.float(), target, generators, clicks)

        return model(talk=talk).unflatten(0, (len(images), -1)).mean(1)


def conversation(
    sam: Sam,
    embedding: Float[Tensor, "b d g g"],
    target: Bool[Tensor, "p h w"],
    generators: Sequence[torch.Generator],
    clicks: int,
) -> Float[Tensor, " p"]:
    """The loss of a first click, a box, and the answer after a number of clicks."""

    def loss(answer: tuple[Tensor, Tensor]) -> Float[Tensor, " p"]:
        return sam_loss(resize_logits(answer[0], target.shape[-1]), answer[1], target).total

    (points,) = for_each(first_click, generators, target)
    labels = torch.ones(points.shape[:2], dtype=torch.long, device=points.device)
    (boxes,) = for_each(jittered_boxes, generators, target)
    answer = first = sam.predict(embedding, points, labels)
    total = loss(first) + loss(sam.predict(embedding, boxes=boxes, multimask=False))
    logits, iou = (value.detach() for value in first)
    logits = logits[torch.arange(len(logits)), iou.argmax(1)][:, None]
    for click in range(1, clicks):
        said = resize_logits(logits, target.shape[-1])[:, 0] > 0
        new_points, new_labels = for_each(corrective_click, generators, said, target)
        points, labels = torch.cat([points, new_points], dim=1), torch.cat([labels, new_labels], dim=1)
        with torch.set_grad_enabled(click == clicks - 1 and torch.is_grad_enabled()):
            answer = sam.predict(embedding, points, labels, masks=logits[:, 0], multimask=False)
        logits = answer[0].detach()
    return (total + loss(answer)) / 3
