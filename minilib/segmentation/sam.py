"""Segment Anything: an image encoder, a prompt encoder and a mask decoder (Kirillov et al. 2023, section 3)."""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn

from minilib.images import from_uint8, to_uint8
from minilib.segmentation.image_encoder import ImageEncoder, ImageEncoderConfig
from minilib.segmentation.mask_decoder import MaskDecoder, MaskDecoderConfig
from minilib.segmentation.prompt_encoder import PromptEncoder


@dataclass(frozen=True, kw_only=True)
class SamConfig:
    """Shape of SAM; the defaults are those of ViT-B.

    Args:
        encoder, decoder: of its parts.
        mask_channels: of the network that reads masks as prompts.
        image_mean, image_std: of the channels of pictures in [0, 1], by which they are normalised.
    Raises:
        ValueError: another number of means or deviations than channels.
    """

    encoder: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    decoder: MaskDecoderConfig = field(default_factory=MaskDecoderConfig)
    mask_channels: int = 16
    image_mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    image_std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self):
        if not len(self.image_mean) == len(self.image_std) == self.encoder.in_channels:
            raise ValueError(
                f"expected a mean and a deviation for each of {self.encoder.in_channels} channels,"
                f" got {self.image_mean} and {self.image_std}"
            )


class Sam(nn.Module):
    """Pictures and prompts in, masks out.

    Args:
        config: its shape.
    """

    def __init__(self, config: SamConfig):
        super().__init__()
        self.config = config
        width, image_size = config.encoder.out_channels, config.encoder.image_size
        self.image_encoder = ImageEncoder(config.encoder)
        self.prompt_encoder = PromptEncoder(
            width=width, grid=config.encoder.grid, image_size=image_size, mask_channels=config.mask_channels
        )
        self.mask_decoder = MaskDecoder(config.decoder, width=width)
        mean, std = (torch.tensor(values)[:, None, None] for values in (config.image_mean, config.image_std))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", 2 * mean - 1, persistent=False)
        self.register_buffer("std", 2 * std, persistent=False)

    def encode_image(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g g"]:
        """What all prompts for a picture share, and what takes nearly all of the time.

        Args:
            images: values in [−1, 1], of `image_size`.
        Raises:
            TypeError: pictures that are not floating-point.
            ValueError: pictures of another shape, or (looked at on CPUs only) with values outside [−1, 1].
        """
        self.image_encoder.check(images)
        check_range(images)
        return self.image_encoder((images - self.mean) / self.std)

    def fit_photograph(self, photograph: Float[Tensor, "c h w"]) -> Float[Tensor, "1 c s s"]:
        """A picture of any size made one of `image_size`: scaled (bilinear), then filled up below or on the right with
        what normalises to 0.

        Raises:
            TypeError, ValueError: see `encode_image`.
        """
        if photograph.ndim != 3 or len(photograph) != self.config.encoder.in_channels or not photograph.numel():
            raise ValueError(f"expected a picture (c, h, w), got {tuple(photograph.shape)}")
        check_range(photograph)
        size = self.config.encoder.image_size
        height, width = scaled_size((photograph.shape[1], photograph.shape[2]), size)
        # Pillow rounds to bytes, as it does in Meta's code; torch's own kernel gives slightly other values.
        pixels = Image.fromarray(to_uint8(photograph, clip=True).cpu().numpy())
        scaled = np.array(pixels.resize((width, height), Image.Resampling.BILINEAR))
        filled = self.mean.expand(-1, size, size).clone()
        filled[:, :height, :width] = from_uint8(torch.from_numpy(scaled)).to(filled)
        return filled[None]

    def predict(
        self,
        embedding: Float[Tensor, "b d g g"],
        points: Float[Tensor, "p n 2"] | None = None,
        labels: Int[Tensor, "p n"] | None = None,
        boxes: Float[Tensor, "p 4"] | None = None,
        masks: Float[Tensor, "p s s"] | None = None,
        *,
        multimask: bool = True,
    ) -> tuple[Float[Tensor, "p m s s"], Float[Tensor, "p m"]]:
        """Masks for p prompts, each of them points, a box, a mask, or several of these together.

        Args:
            embedding: as from `encode_image`; b divides p, and the p / b prompts of one picture follow each other.
            points: pixels (x, y); (0, 0) is the upper left one.
            labels: of the points: 1 foreground, 0 background, −1 no point, 2 and 3 a box's corners.
            boxes: (x1, y1, x2, y2) in pixels.
            masks: logits as returned here, of an earlier answer.
            multimask: whether the prompts are ambiguous, as a single click is: three masks for each, else one.
        Returns:
            Logits of the masks, above 0 inside, at a quarter of the resolution for patches of 16; predicted IoUs.
        Raises:
            ValueError, TypeError: see `PromptEncoder.forward`; or a number of pictures that does not divide p.
        """
        prompts, dense = self.prompt_encoder(points, labels, boxes, masks)
        positions = self.prompt_encoder.grid_positions()
        return self.mask_decoder(embedding, positions, prompts, dense, multimask=multimask)

    def forward(
        self,
        images: Float[Tensor, "b c h w"],
        points: Float[Tensor, "p n 2"] | None = None,
        labels: Int[Tensor, "p n"] | None = None,
        boxes: Float[Tensor, "p 4"] | None = None,
        masks: Float[Tensor, "p s s"] | None = None,
        *,
        multimask: bool = True,
    ) -> tuple[Float[Tensor, "p m s s"], Float[Tensor, "p m"]]:
        """`predict` on what `encode_image` gives; arguments, results and errors as there."""
        return self.predict(self.encode_image(images), points, labels, boxes, masks, multimask=multimask)


def scaled_size(size: tuple[int, int], image_size: int) -> tuple[int, int]:
    """Height and width of a picture after its longer side has become `image_size`."""
    scale = image_size / max(size)
    return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)


def resize_logits(
    logits: Float[Tensor, "p m s s"], image_size: int, *, original: tuple[int, int] | None = None
) -> Float[Tensor, "p m h w"]:
    """Logits of masks, brought to the size of the picture (bilinear, as in Meta's code).

    Args:
        logits: as from `Sam.predict`.
        image_size: of the model.
        original: height and width of a photograph that was scaled to fit and filled up below or on the right; None for
            a picture of `image_size`.
    Raises:
        ValueError: a size below 1.
    """
    if image_size < 1 or (original is not None and min(original) < 1):
        raise ValueError(f"expected sizes >= 1, got {image_size} and {original}")
    whole = F.interpolate(logits, (image_size, image_size), mode="bilinear", align_corners=False)
    if original is None:
        return whole
    height, width = scaled_size(original, image_size)
    return F.interpolate(whole[..., :height, :width], original, mode="bilinear", align_corners=False)


def check_range(images: Tensor) -> None:
    """Raises TypeError for pictures that are not floating-point, ValueError for values outside [−1, 1]."""
    if not images.is_floating_point():
        raise TypeError(f"expected floating-point images in [-1, 1], got {images.dtype}; from_uint8 converts bytes")
    if images.device.type != "cpu" or not images.numel():  # reading a value back would make the device wait
        return
    low, high = images.detach().aminmax()
    if not (low >= -1 - 1e-4 and high <= 1 + 1e-4):
        raise ValueError(f"expected image values in [-1, 1], got {low:.3g} to {high:.3g}")
