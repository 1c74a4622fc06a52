"""Attention among tokens on a square, within windows and with relative positions.

Windows come from ViTDet (Li et al. 2022, "Exploring Plain Vision Transformer Backbones for Object Detection", section
3), relative positions for each axis from MViTv2 (Li et al. 2022, section 4.1).
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from minilib.attention.layers import Heads, SelfAttention

BIAS_ENTRIES = 2**24
"""Scores for which relative positions are held in memory at once."""


class RelativeHeads(Heads):
    """Heads for a square of tokens, whose scores know how far apart two tokens are (MViTv2, eq. 4).

    score(i, j) = qᵢ·kⱼ/√d + qᵢ·h[yᵢ − yⱼ] + qᵢ·w[xᵢ − xⱼ], with a learned vector for each distance along each axis.

    Args:
        num_heads: equal parts that queries, keys and values are cut into.
        head_width: of one part.
        side: tokens along a side of the square.
    """

    def __init__(self, num_heads: int, head_width: int, side: int):
        super().__init__(num_heads)
        self.side = side
        self.height_positions, self.width_positions = (
            nn.Parameter(torch.zeros(2 * side - 1, head_width)) for _ in range(2)
        )

    def relative_scores(self, q: Float[Tensor, "b heads n d"]) -> Float[Tensor, "b heads n n"]:
        """What the distances add to the scores."""
        places = torch.arange(self.side, device=q.device)
        distances = places[:, None] - places + self.side - 1
        squares = rearrange(q, "b heads (y x) d -> b heads y x d", y=self.side)
        rows = torch.einsum("bhyxd, ykd -> bhyxk", squares, self.height_positions[distances])
        columns = torch.einsum("bhyxd, xkd -> bhyxk", squares, self.width_positions[distances])
        return (rows[..., :, None] + columns[..., None, :]).reshape(*q.shape[:3], -1)

    def forward(
        self,
        q: Float[Tensor, "b n d"],
        k: Float[Tensor, "b n d"],
        v: Float[Tensor, "b n d"],
        mask: Bool[Tensor, "..."] | None = None,
        rotation: tuple[Float[Tensor, "..."], Float[Tensor, "..."]] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """What each token of the square gathers.

        Raises:
            ValueError: a mask or a rotation, which these heads do not have; or it is to record, and fused.
        """
        if mask is not None or rotation is not None:
            raise ValueError("expected neither mask nor rotation: all tokens of a window see each other")
        if self.fused and self.record is not None:
            raise ValueError("fused attention gives no weights to record: call use_fused(model, False) first")
        q, k, v = (rearrange(x, "b n (heads d) -> b heads n d", heads=self.num_heads) for x in (q, k, v))
        # On CPUs torch's fused function has no gradient for added scores, and would do more than what is written out.
        learns = torch.is_grad_enabled() and self.height_positions.requires_grad
        if self.fused and not (learns and q.device.type == "cpu"):
            # The scores of some heads at a time: those of all would fill 800 MB in a global block of ViT-B.
            step = max(1, BIAS_ENTRIES // (len(q) * q.shape[2] ** 2))
            parts = zip(*(x.split(step, dim=1) for x in (q, k, v)), strict=True)
            each = [F.scaled_dot_product_attention(*part, attn_mask=self.relative_scores(part[0])) for part in parts]
            gathered = torch.cat(each, dim=1) if len(each) > 1 else each[0]
        else:
            q, k = q.contiguous(), k.contiguous()  # used several times: one copy of each instead of several
            added, pairs = self.relative_scores(q).flatten(0, 1), (q.flatten(0, 1), k.flatten(0, 1).mT)
            scores = torch.baddbmm(added, *pairs, alpha=q.shape[-1] ** -0.5)
            weights = torch.softmax(scores, dim=-1).unflatten(0, q.shape[:2])
            if self.record is not None:
                self.record.append(weights)
            gathered = weights @ v
        return rearrange(gathered, "b heads n d -> b n (heads d)")


class GridAttention(SelfAttention):
    """Self-attention of a square of tokens, all with all or within windows.

    Windows that stick out of the square are filled up with tokens of zeros, which the others see, as in ViTDet.

    Args:
        width, num_heads, bias: as for `SelfAttention`.
        grid: tokens along a side of the square.
        window_size: tokens along a side of a window; None for one window, the whole square.
    """

    def __init__(self, width: int, num_heads: int, *, grid: int, window_size: int | None = None, bias: bool = True):
        super().__init__(width, num_heads, bias=bias)
        self.grid, self.window_size = grid, window_size or grid
        self.heads = RelativeHeads(num_heads, width // num_heads, self.window_size)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Bool[Tensor, "..."] | None = None,
        angles: Float[Tensor, "..."] | None = None,
        first: int | None = None,
    ) -> Float[Tensor, "b n d"]:
        """What the tokens, line by line, gather.

        Raises:
            ValueError: a mask, angles or `first`, which `SelfAttention` has and this has not.
        """
        if mask is not None or angles is not None or first is not None:
            raise ValueError("expected neither mask, angles nor first: all tokens of a window see each other")
        grid, side = self.grid, self.window_size
        if side == grid:
            return self.to_out(self.heads(*self.to_qkv(x).chunk(3, dim=-1)))
        missing = -grid % side
        if missing:
            # The layer's bias is added after the filling, so that tokens of zeros need not go through the layer.
            joint = F.linear(x, self.to_qkv.weight).unflatten(1, (grid, grid))
            joint = to_windows(F.pad(joint, (0, 0, 0, missing, 0, missing)), side)
            joint = joint if self.to_qkv.bias is None else joint + self.to_qkv.bias
        else:
            joint = self.to_qkv(to_windows(x.unflatten(1, (grid, grid)), side))
        gathered = self.heads(*joint.chunk(3, dim=-1))
        rows = (grid + missing) // side
        square = rearrange(gathered, "(b r c) (y x) d -> b (r y) (c x) d", r=rows, c=rows, y=side)
        return self.to_out(square[:, :grid, :grid].flatten(1, 2))


def to_windows(squares: Float[Tensor, "b h w d"], side: int) -> Float[Tensor, "n t d"]:
    """The tokens of each window, line by line, windows line by line."""
    return rearrange(squares, "b (r y) (c x) d -> (b r c) (y x) d", y=side, x=side)
