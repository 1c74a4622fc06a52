"""Images as the browser takes them: bytes, and data URIs that are part of the page."""

import base64
import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from minilib.images import to_uint8

# A frame that needs more bits than this is mostly noise, in which the steps of coarser colours cannot be seen.
BITS_PER_PIXEL = 14
NOISE_LEVELS = 32


def as_bytes(image: Tensor | np.ndarray, *, name: str, clip: bool = False) -> np.ndarray:
    """One image as a uint8 array of shape (h, w, 3).

    Args:
        image: a float tensor (3, h, w) or (1, h, w) in [-1, 1], or bytes 0..255 as an array or tensor (h, w, 3) or
            (h, w, 1).
        name: what an error message calls the image.
        clip: cut floats outside [-1, 1] off instead of refusing them.
    Raises:
        TypeError: neither a tensor nor an array.
        ValueError: another shape, another dtype, or floats outside [-1, 1] and no `clip`.
    """
    if not isinstance(image, Tensor | np.ndarray):
        raise TypeError(f"{name}: expected a tensor or an array, got {type(image).__name__}")
    tensor = torch.as_tensor(image).detach().cpu()
    channels_first = tensor.is_floating_point()
    if not channels_first and tensor.dtype != torch.uint8:
        raise ValueError(f"{name}: expected floats in [-1, 1] or uint8 bytes, got {tensor.dtype}")
    channels = tensor.shape[0 if channels_first else -1] if tensor.ndim == 3 else 0
    if channels not in (1, 3) or 0 in tensor.shape:
        expected = "(3, height, width) for floats" if channels_first else "(height, width, 3) for bytes"
        raise ValueError(f"{name}: expected one image of shape {expected}, got {tuple(tensor.shape)}")
    if channels_first:
        try:
            tensor = to_uint8(tensor.float(), clip=clip)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return np.ascontiguousarray(tensor.expand(-1, -1, 3).numpy())


def png(pixels: np.ndarray) -> bytes:
    """An exact PNG of bytes (h, w, 3), or (h, w, 2) for grey with alpha."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def webp(pixels: np.ndarray) -> bytes:
    """A lossless WebP of bytes (h, w, 3): exact, except that noise is rounded to NOISE_LEVELS values a channel.

    Not lossy WebP: it halves the resolution of colour, and so would show colour noise as grey.
    """
    exact = _lossless(pixels)
    if 8 * len(exact) <= BITS_PER_PIXEL * pixels.shape[0] * pixels.shape[1]:
        return exact
    step = 255.0 / (NOISE_LEVELS - 1)
    return _lossless((np.rint(pixels / step) * step).astype(np.uint8))


def data_uri(image: bytes, kind: str) -> str:
    """The bytes of an image file of a `kind` ("png", "webp") as an address that holds the image itself."""
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def _lossless(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    # Without loss, quality is effort: at 100 noise takes fifty times as long and is as large.
    Image.fromarray(pixels).save(buffer, format="WEBP", lossless=True, method=6, quality=75)
    return buffer.getvalue()
