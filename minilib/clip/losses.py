"""What pulls a picture and its caption together: softmax over the batch (CLIP), or a yes or no for each pair (SigLIP).

Where several processes each hold a part of the batch, both losses compare with all of it: each process computes the
losses of its own pairs, and gradients flow back to the features of the others.
"""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def contrastive_loss(
    images: Float[Tensor, "b d"], texts: Float[Tensor, "b d"], scale: Float[Tensor, ""]
) -> Float[Tensor, " b"]:
    """Each picture finds its text among all, each text its picture (Radford et al. 2021, figure 3).

    Args:
        images, texts: features of unit length; row i of both belongs together.
        scale: what cosines are multiplied with before the softmax, 1/temperature.
    Returns:
        For each pair the mean of the two cross-entropies.
    Raises:
        ValueError: features of different shapes or not of unit length, or a single pair in all processes.
    """
    check_features(images, texts)
    all_images, all_texts, first = gathered(images, texts)
    if len(all_images) < 2:
        raise ValueError("expected at least 2 pairs: a single one has no others to be told from")
    labels = first + torch.arange(len(images), device=images.device)
    per_image = F.cross_entropy(scale * images @ all_texts.T, labels, reduction="none")
    per_text = F.cross_entropy(scale * texts @ all_images.T, labels, reduction="none")
    return (per_image + per_text) / 2


def sigmoid_loss(
    images: Float[Tensor, "b d"], texts: Float[Tensor, "b d"], scale: Float[Tensor, ""], bias: Float[Tensor, ""]
) -> Float[Tensor, " b"]:
    """Is this its text? For each picture, summed over all texts (SigLIP; Zhai et al. 2023, eq. 1).

    Args:
        images, texts, scale: as for `contrastive_loss`.
        bias: added to the logits; starts at −10, since nearly all answers are no.
    Raises:
        ValueError: features of different shapes or not of unit length.
    """
    check_features(images, texts)
    _, all_texts, first = gathered(images, texts)
    own = first + torch.arange(len(images), device=images.device)
    signs = -torch.ones(len(images), len(all_texts), device=images.device, dtype=images.dtype)
    signs = signs.scatter(1, own[:, None], 1.0)
    return -F.logsigmoid(signs * (scale * images @ all_texts.T + bias)).sum(1)


def gathered(
    images: Float[Tensor, "b d"], texts: Float[Tensor, "b d"]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"], int]:
    """The features of all processes, and the row at which this one's begin."""
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return images, texts, 0
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(images)), torch.cat(all_gather(texts)), dist.get_rank() * len(images)


def check_features(images: Tensor, texts: Tensor) -> None:
    """Raises ValueError for features of different shapes, or not of unit length (which is looked at on CPUs only)."""
    if images.ndim != 2 or images.shape != texts.shape:
        raise ValueError(
            f"expected features of pictures and texts of one shape (b, d), got {tuple(images.shape)} and"
            f" {tuple(texts.shape)}"
        )
    check_unit_length("pictures", images)
    check_unit_length("texts", texts)


def check_unit_length(name: str, features: Tensor) -> None:
    """Raises ValueError for features that are not of unit length; looked at on CPUs only."""
    if features.device.type != "cpu" or not features.numel():  # elsewhere, looking would make the device wait
        return
    worst = float((features.detach().float().norm(dim=-1) - 1).abs().max())
    if not worst < 1e-2:
        raise ValueError(
            f"expected features of unit length, got {name} whose length is off by {worst:.3g}:"
            " F.normalize(features, dim=-1)"
        )
