"""Where a model looks: what recorded attention says about it, and what it does not.

The functions take what `minilib.attention.recorder` has collected in one forward pass: a tensor (b, heads, n, n) for
each layer, in order.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from minilib.errors import unknown_name

Fusion = Literal["mean", "max", "min"]
FUSIONS = {
    "mean": lambda weights: weights.mean(1),
    "max": lambda weights: weights.amax(1),
    "min": lambda weights: weights.amin(1),
}


def rollout(
    layers: Sequence[Float[Tensor, "b heads n n"]], *, fusion: Fusion = "mean", discard_ratio: float = 0.0
) -> Float[Tensor, "b n n"]:
    """Attention followed through all layers (Abnar & Zuidema 2020, section 3): Ã_L … Ã_1 with Ã = ½(A + 1).

    Half of what a token is comes from itself, through the residual connection. Rows are normalised after fusion and
    discarding, so that those of the result sum to 1.

    Args:
        layers: recorded weights, the first layer first.
        fusion: how heads become one: their mean, or for each pair of tokens the largest or smallest.
        discard_ratio: share of each layer's pairs, those of the least weight, that are set to 0.
    Returns:
        Entry [i, j]: how much of input token j is in output token i.
    Raises:
        ValueError: no layers, layers of different sizes, an unknown fusion, or a ratio outside [0, 1).

    The layers of a U-Net have different numbers of tokens, with convolutions between: follow those of one resolution,
    such as `[w for (w,) in records.values() if w.shape[-1] == 64]`. That holds for `relevance`, too.
    """
    _check_layers(layers)
    if fusion not in FUSIONS:
        raise unknown_name("fusion", fusion, FUSIONS)
    if not 0.0 <= discard_ratio < 1.0:
        raise ValueError(f"expected discard_ratio in [0, 1), got {discard_ratio}")
    own = torch.eye(layers[0].shape[-1], device=layers[0].device, dtype=layers[0].dtype)
    joint = own.expand(len(layers[0]), -1, -1)
    for weights in layers:
        fused = FUSIONS[fusion](weights)
        least = fused.flatten(1).topk(int(discard_ratio * own.numel()), largest=False).indices
        fused = fused.flatten(1).scatter(1, least, 0.0).reshape(fused.shape) + own
        joint = fused / fused.sum(-1, keepdim=True) @ joint
    return joint


def relevance(layers: Sequence[Float[Tensor, "b heads n n"]], score: Tensor) -> Float[Tensor, "b n n"]:
    """Attention weighted by how much it speaks for one answer (Chefer et al. 2021, eqs. 5 and 6).

    R ← R + mean over heads of max(0, ∂score/∂A · A) · R, from the first layer on, R = 1. Unlike `rollout` it depends on
    the class that is asked about.

    Args:
        layers: recorded weights of a pass with gradients, the first layer first.
        score: sum over the batch of the logits to explain.
    Returns:
        Entry [i, j]: how much input token j matters for output token i.
    Raises:
        ValueError: no layers, layers of different sizes, weights recorded without gradients, or a score that is no
            scalar.
    """
    _check_layers(layers)
    if score.numel() != 1 or not score.requires_grad or not all(weights.requires_grad for weights in layers):
        without = [i for i, weights in enumerate(layers) if not weights.requires_grad]
        raise ValueError(
            "expected a scalar score of a pass with gradients, and the weights recorded in it; got a score of shape"
            f" {tuple(score.shape)}, requires_grad = {score.requires_grad}, and layers {without} without gradients"
        )
    gradients = torch.autograd.grad(score, list(layers), retain_graph=True, allow_unused=True)
    unused = [i for i, gradient in enumerate(gradients) if gradient is None]
    if unused:
        raise ValueError(f"the score does not depend on layers {unused}: expected the weights of its own pass")
    n = layers[0].shape[-1]
    joint = torch.eye(n, device=score.device, dtype=layers[0].dtype).expand(len(layers[0]), n, n)
    for weights, gradient in zip(layers, gradients, strict=True):
        joint = joint + (gradient * weights.detach()).clamp(min=0).mean(1) @ joint
    return joint


def attention_distance(
    weights: Float[Tensor, "b heads n n"], grid: tuple[int, int], *, num_prefix: int = 0
) -> Float[Tensor, "b heads"]:
    """How far a head looks: the mean distance from a patch to those it looks at (Dosovitskiy et al. 2021, figure 7).

    Args:
        weights: of one layer.
        grid: rows and columns of patches.
        num_prefix: tokens before those of the patches; what patches take from them does not count.
    Returns:
        In patches; multiply by the patch size to have pixels. NaN where a patch gives the patches nothing at all.
    Raises:
        ValueError: another number of tokens.
    """
    _check_tokens(weights.shape[-1], grid, num_prefix)
    among = weights[..., num_prefix:, num_prefix:]
    places = torch.cartesian_prod(*(torch.arange(side, device=weights.device) for side in grid)).to(weights.dtype)
    distances = torch.cdist(places[None], places[None])[0]
    return ((among * distances).sum(-1) / among.sum(-1)).mean(-1)


def patch_map(
    weights: Float[Tensor, "*b n"], grid: tuple[int, int], size: tuple[int, int], *, num_prefix: int = 0
) -> Float[Tensor, "*b h w"]:
    """One row of attention as a picture: its patches' values, interpolated to a picture's size.

    Args:
        weights: what one query takes from each token.
        grid: rows and columns of patches.
        size: height and width of the picture.
        num_prefix: tokens before those of the patches, which are left out.
    Raises:
        ValueError: another number of tokens.
    """
    _check_tokens(weights.shape[-1], grid, num_prefix)
    values = weights[..., num_prefix:].reshape(-1, 1, *grid)
    larger = F.interpolate(values, size=size, mode="bilinear", align_corners=False)
    return larger.reshape(*weights.shape[:-1], *size)


def entropy(weights: Float[Tensor, "*b n"]) -> Float[Tensor, "*b"]:
    """How evenly a query looks around, in nats: 0 at one token, log n at all alike."""
    return -torch.special.xlogy(weights, weights).sum(-1)


def _check_tokens(n: int, grid: tuple[int, int], num_prefix: int) -> None:
    if n != num_prefix + grid[0] * grid[1]:
        raise ValueError(f"expected {num_prefix} + {grid[0]} · {grid[1]} tokens, got {n}")


def _check_layers(layers: Sequence[Tensor]) -> None:
    if len({(len(weights), *weights.shape[-2:]) for weights in layers}) != 1:
        raise ValueError(
            "expected the weights of at least one layer, all of one number of tokens,"
            f" got shapes {[tuple(weights.shape) for weights in layers]}"
        )
