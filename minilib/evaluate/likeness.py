"""How alike pictures are: to a window, to a network, and in how sharp they are."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minilib.attention.vit import ViT
from minilib.errors import require


def ssim(images: Float[Tensor, "b 3 h w"], truth: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Structural similarity of pictures in [−1, 1] (Wang et al. 2004), in Gaussian windows of 11 pixels, those at
    the edge included; 1 for equal.

    Raises:
        ImportError: torchmetrics is not installed.
    """
    measure = require("torchmetrics.functional.image", extra="train").structural_similarity_index_measure
    halves = ((some.clamp(-1, 1) + 1) / 2 for some in (images, truth))
    return measure(*halves, data_range=1.0, reduction="none")


@torch.no_grad()
def feature_distance(
    vit: ViT, images: Float[Tensor, "b 3 h w"], truth: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, " b"]:
    """How differently a ViT sees pictures in [−1, 1]: the squared distance of its patches' tokens, each scaled to
    length 1, mean over places and blocks, 0..4.

    In the manner of LPIPS (Zhang et al. 2018, eq. 1), in another network, with all channels weighted alike. Positions
    are in the tokens, so even unlike pictures are far below 4: compare such numbers only with each other.
    """
    pairs = zip(_tokens_of_blocks(vit, images), _tokens_of_blocks(vit, truth), strict=True)
    return torch.stack([(ours - theirs).square().sum(-1).mean(1) for ours, theirs in pairs]).mean(0)


def _tokens_of_blocks(vit: ViT, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
    found: list[Any] = []
    hooks = [block.register_forward_hook(lambda _, __, out: found.append(out)) for block in vit.blocks]
    try:
        vit.tokens(images.clamp(-1, 1))
    finally:
        for hook in hooks:
            hook.remove()
    return [nn.functional.normalize(tokens[:, vit.num_prefix :], dim=-1) for tokens in found]


def sharpness(images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b"]:
    """Root of the mean square of the steps from pixel to pixel, to the right and down. A blur goes by smaller steps:
    their sum may be the same, their squares are less."""
    right, down = images.diff(dim=-1)[..., :-1, :], images.diff(dim=-2)[..., :-1]
    return (right.square() + down.square()).sum(-3).mean((-2, -1)).sqrt()
