"""A small SAM 2 that follows a toy through a clip: behind a board, and past its identical twin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.data import Dataset

from minilib.checkpoints import fit_state_dict
from minilib.recipes.sam_toybox import SMALLEST, SamToybox, Talks, for_each
from minilib.segmentation.frames import FramePrediction, Prompt
from minilib.segmentation.losses import sam2_loss
from minilib.segmentation.memory import MemoryConfig
from minilib.segmentation.prompts import first_click, jittered_boxes
from minilib.segmentation.sam import Sam, SamConfig, resize_logits
from minilib.segmentation.sam2 import Sam2, Sam2Config
from minilib.toybox.datasets import Clips
from minilib.training import Recipe, TrainConfig

CUT = 0.3
"""In how many clips the film cuts away to another table, for two frames."""

KINDS = {"click": 0.4, "box": 0.2, "mask": 0.4}
"""How often the first prompt is what."""


def clips128(split: str, *, num_clips: int, first: int = 0) -> Clips:
    """Clips of 8 frames of 128 pixels, with the ids of toys; arguments as `Clips`."""
    return Clips(split, num_clips=num_clips, first=first, fields=("rgb", "instance_ids"))


class PromptedSam2(Talks, Sam2):
    """A SAM 2 that talks."""


class EncodedClips(Dataset):
    """Clips as the image encoder sees them. It does not learn, so each frame goes through it once.

    Items are dicts: embedding (t, d, g, g), in half precision; elsewhere, the same of another clip; instance_ids
    (t, h, w).

    Args:
        clips: to be encoded, now, on a GPU if there is one.
        sam: whose encoder.
    Raises:
        ValueError: fewer than two clips.
    """

    @torch.no_grad()
    def __init__(self, clips: Clips, sam: Sam):
        if len(clips) < 2:
            raise ValueError(f"expected at least two clips, to cut from one to another, got {len(clips)}")
        self.clips = clips
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        sam = sam.to(device)
        frames = (clips[index]["rgb"].to(device) for index in range(len(clips)))
        self.embeddings = [sam.encode_image(some).half().cpu() for some in frames]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {
            "embedding": self.embeddings[index],
            "elsewhere": self.embeddings[(index + 1) % len(self)],
            "instance_ids": self.clips[index]["instance_ids"],
        }


def choose_object(instances: Int[Tensor, "h w"], which: float) -> int:
    """The id of an object that shows enough of itself: in half of the cases or more toy 1, which a board will hide.

    Args:
        instances: ids, 0 where there is none.
        which: in [0, 1).
    """
    found, counts = instances[instances > 0].unique(return_counts=True)
    large = found[counts >= min(SMALLEST, int(counts.max()))].tolist()
    if 1 in large and which < 0.5:
        return 1
    return large[int(which * 2 % 1 * len(large))]


def cut_away(cut: Float[Tensor, " b"], length: int) -> Bool[Tensor, "b {length}"]:
    """Frames on which a clip shows another one: two in a row, if its number is below `CUT`; that also says which."""
    first = (cut / CUT * length).long()
    frames = torch.arange(length, device=cut.device)
    return (cut < CUT)[:, None] & (first[:, None] <= frames) & (frames < first[:, None] + 2)


@dataclass(frozen=True, kw_only=True)
class Sam2Toybox(Recipe):
    """Clips of 8 frames, prompted on one frame or two, forwards and backwards (Ravi et al. 2024, appendix D.2.2).

    Starts from `sam-toybox`, whose image encoder stays as it is; everything else learns. How many memories there are
    (none, too), and whether there are pointers, is drawn anew in each step: so that what they bring can be measured in
    one model. A toy in these clips is seldom quite out of sight; so some of them cut away to another one and back.

    Args:
        sam: shape of `sam-toybox`.
        memory: shape of what is added to it.
        num_clips: of the training split.
    """

    name: str = "sam2-toybox"
    leaves_weights_unused: ClassVar[bool] = True
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=2200,
            batch_size=16,
            learning_rate=7e-4,
            weight_decay=0.05,
            ema_decay=0.998,
            sample_every=100_000,
        )
    )
    sam: SamConfig = field(default_factory=lambda: SamToybox().sam)
    memory: MemoryConfig = field(
        default_factory=lambda: MemoryConfig(
            channels=32, depth=2, hidden=256, fuser_hidden=256, layer_scale=0.1, max_pointers=8
        )
    )
    num_clips: int = 1400

    def make_model(self) -> nn.Module:
        """A SAM 2 that is `sam-toybox` but for its memory, which is untrained."""
        shape = self.sam
        config = Sam2Config(
            encoder=shape.encoder,
            decoder=shape.decoder,
            mask_channels=shape.mask_channels,
            image_mean=shape.image_mean,
            image_std=shape.image_std,
            memory=self.memory,
        )
        sam2 = PromptedSam2(config)
        new = r"^memory\.|^mask_to_prompt\.|^mask_decoder\.score_"
        fit_state_dict(sam2, trained_sam().state_dict(), source="sam-toybox", new=new)
        sam2.image_encoder.requires_grad_(False)
        return sam2

    def make_dataset(self) -> Dataset:
        """Clips through the encoder of `sam-toybox`, and where each toy is."""
        return EncodedClips(clips128("train", num_clips=self.num_clips), trained_sam())

    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Which object is followed, in which direction of time; what is said of which frames, and what is remembered
        (these are the same for the whole batch)."""

        def shared() -> Float[Tensor, " b"]:
            return torch.rand(1, generator=generator).expand(batch_size)

        return {
            "object": torch.rand(batch_size, generator=generator),
            "reversed": torch.rand(batch_size, generator=generator) < 0.5,
            "seed": torch.randint(0, 2**31, (batch_size,), generator=generator),
            "frame": (2 * shared() - 1).clamp(min=0),  # the first in half of the cases, and its share of the rest
            "cut": torch.rand(batch_size, generator=generator),
            "kind": shared(),
            "second": shared(),
            "memories": shared(),
            "pointers": shared() < 0.75,
        }

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """See `loss_of`."""
        backwards = batch["reversed"][:, None, None]
        embeddings, ids = batch["embedding"].float(), batch["instance_ids"].long()
        embeddings = torch.where(backwards[..., None, None], embeddings.flip(1), embeddings)
        ids = torch.where(backwards[..., None], ids.flip(1), ids)
        length = ids.shape[1]
        frame = int(batch["frame"][0] * length)
        chosen = [choose_object(some[frame], which) for some, which in zip(ids, batch["object"].tolist(), strict=True)]
        target = ids == torch.tensor(chosen, device=ids.device)[:, None, None, None]
        prompts = self.draw_prompts(target, frame, batch)
        away = cut_away(batch["cut"], length)
        away[:, list(prompts)] = False
        embeddings = torch.where(away[..., None, None, None], batch["elsewhere"].float(), embeddings)
        target = target & ~away[..., None, None]
        options = {
            "num_memories": int(batch["memories"][0] * (self.memory.num_memories + 1)),
            "pointers": bool(batch["pointers"][0]),
        }

        def talk(sam2: Sam2) -> Float[Tensor, " b"]:
            return loss_of(sam2.follow(embeddings, prompts, **options), prompts, target)

        return model(talk=talk)

    def draw_prompts(self, target: Bool[Tensor, "b t h w"], frame: int, batch: dict[str, Tensor]) -> dict[int, Prompt]:
        """What is said of a frame: a click, a box, or a mask; and, one time in four, the mask of another frame."""
        kind, second = float(batch["kind"][0]), float(batch["second"][0])
        prompts: dict[int, Prompt] = {}
        length = target.shape[1]
        if second < 0.25:
            other = (frame + 1 + int(4 * second * (length - 1))) % length
            prompts[other] = Prompt(mask=target[:, other])
        if kind >= KINDS["click"] + KINDS["box"]:
            return prompts | {frame: Prompt(mask=target[:, frame])}
        generators = [torch.Generator().manual_seed(seed) for seed in batch["seed"].tolist()]
        is_box = kind >= KINDS["click"]
        (drawn,) = for_each(jittered_boxes if is_box else first_click, generators, target[:, frame])
        points = drawn.unflatten(1, (2, 2)) if is_box else drawn
        labels = torch.tensor([2, 3] if is_box else [1], device=target.device).expand(len(target), -1)
        return prompts | {frame: Prompt(points, labels)}


def loss_of(
    answers: Sequence[FramePrediction], prompts: Mapping[int, Prompt], target: Bool[Tensor, "b t h w"]
) -> Float[Tensor, " b"]:
    """Mean of `sam2_loss` over all frames whose mask was not given."""
    losses = []
    for number, answer in enumerate(answers):
        if number not in prompts or prompts[number].mask is None:
            logits = resize_logits(answer.logits, target.shape[-1])
            losses.append(sam2_loss(logits, answer.iou, answer.object_score, target[:, number]))
    return torch.stack(losses).mean(0)


def trained_sam() -> Sam:
    """`sam-toybox`, of which this recipe begins."""
    from minilib.weights import load_trained

    return load_trained(SamToybox().name)[1]
