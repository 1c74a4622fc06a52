"""Images: float tensors in [-1, 1], channels first, inside the library; bytes only at its edges."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

INK = 0.12
"""How far from white, in the range [−1, 1], the darkest channel of a pixel is that shows something."""


def shown(images: Float[Tensor, "*b 3 h w"]) -> Bool[Tensor, "*b h w"]:
    """Which pixels of pictures on white show something: those that are not white, but for `INK`. White parts of what is
    shown are missing in it."""
    return images.amin(-3) < 1 - INK


def from_uint8(image: UInt8[Tensor, "*b h w c"]) -> Float[Tensor, "*b c h w"]:
    """Bytes 0..255, channels last, to floats in [-1, 1], channels first.

    Raises:
        TypeError: not a uint8 tensor.
    """
    if not isinstance(image, Tensor) or image.ndim < 3:
        raise TypeError(f"expected a uint8 tensor of shape (..., height, width, channels), got {type(image).__name__}")
    if image.dtype != torch.uint8:
        raise TypeError(f"expected a uint8 image with values 0..255, got {image.dtype}")
    return image.movedim(-1, -3).float().div_(127.5).sub_(1.0)


def to_uint8(image: Float[Tensor, "*b c h w"], *, clip: bool = False) -> UInt8[Tensor, "*b h w c"]:
    """Floats in [-1, 1], channels first, to bytes 0..255, channels last.

    Args:
        image: values in [-1, 1].
        clip: cut values outside [-1, 1] off instead of refusing them (noisy images have them).
    Raises:
        TypeError: not a floating-point tensor.
        ValueError: fewer than three dimensions, or a value outside [-1, 1] and no `clip`.
    """
    if not image.is_floating_point():
        raise TypeError(f"expected a floating-point image in [-1, 1], got {image.dtype}; from_uint8 converts bytes")
    if image.ndim < 3:
        raise ValueError(f"expected an image of shape (..., channels, height, width), got {tuple(image.shape)}")
    if bool(image.isnan().any()) if image.device.type == "cpu" else False:
        raise ValueError("expected numbers, got NaN values in the image")
    if not clip and image.numel():
        low, high = image.min().item(), image.max().item()
        if low < -1.0 - 1e-4 or high > 1.0 + 1e-4:
            raise ValueError(
                f"expected image values in [-1, 1], got {low:.3g} to {high:.3g}; scale the image, or pass clip=True"
            )
    return image.clamp(-1.0, 1.0).add(1.0).mul(127.5).round().to(torch.uint8).movedim(-3, -1)
