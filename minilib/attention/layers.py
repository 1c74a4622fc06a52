"""Attention, written out and fused, in one head and in many (Vaswani et al. 2017): what all later models stand on.

A mask is bool and True where a query may look, as in `F.scaled_dot_product_attention`; a query that may look nowhere
gathers zeros.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from minilib.attention.positions import rotate


def attention_weights(
    q: Float[Tensor, "*b n d"], k: Float[Tensor, "*b m d"], mask: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*b n m"]:
    """How much each query takes from each key: softmax(QKᵀ/√d) (Vaswani et al. 2017, eq. 1).

    Args:
        q: queries.
        k: keys.
        mask: True where a query may look; its shape broadcasts to (*b, n, m).
    Returns:
        Rows that sum to 1; zeros for a query that may look nowhere.
    Raises:
        TypeError: a mask that is not bool.
        ValueError: a mask of another shape.
    """
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if mask is None:
        return torch.softmax(scores, dim=-1)
    _check_mask(mask, scores.shape)
    weights = torch.softmax(scores.masked_fill(~mask, torch.finfo(scores.dtype).min), dim=-1)
    return weights.masked_fill(~mask, 0.0)


def attention(
    q: Float[Tensor, "*b n d"],
    k: Float[Tensor, "*b m d"],
    v: Float[Tensor, "*b m e"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*b n e"]:
    """Means of the values, weighted by `attention_weights`, in one fused call that never stores the weights.

    Arguments and errors as for `attention_weights`; `v` holds a value for each key.
    """
    if mask is not None:
        _check_mask(mask, (*q.shape[:-1], k.shape[-2]))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def causal_mask(n: int, *, device: torch.device | None = None) -> Bool[Tensor, "{n} {n}"]:
    """Each of n tokens may look at itself and at those before it."""
    return torch.ones(n, n, dtype=torch.bool, device=device).tril()


class Heads(nn.Module):
    """Attention in several heads at once, without any weights of its own.

    Args:
        num_heads: equal parts that queries, keys and values are cut into.
    Attributes:
        fused: whether to use `attention`; otherwise the weights are computed, and can be recorded.
        record: list that receives the weights (b, heads, n, m) of each call; see `minilib.attention.recorder`.
    """

    def __init__(self, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.fused = True
        self.record: list[Tensor] | None = None

    def forward(
        self,
        q: Float[Tensor, "b n d"],
        k: Float[Tensor, "b m d"],
        v: Float[Tensor, "b m e"],
        mask: Bool[Tensor, "..."] | None = None,
        rotation: tuple[Float[Tensor, "... n r"], Float[Tensor, "... m r"]] | None = None,
    ) -> Float[Tensor, "b n e"]:
        """What each query gathers.

        Args:
            q, k, v: queries, keys and values of all heads, side by side.
            mask: True where a query may look; broadcasts to (b, heads, n, m).
            rotation: angles that turn queries and keys before they meet (`minilib.attention.positions`).
        Raises:
            TypeError, ValueError: a mask of another dtype or shape.
            ValueError: it is to record, and fused.
        """
        q, k, v = (rearrange(x, "b n (heads d) -> b heads n d", heads=self.num_heads) for x in (q, k, v))
        if rotation is not None:
            q, k = rotate(q, rotation[0]), rotate(k, rotation[1])
        if self.fused:
            if self.record is not None:
                raise ValueError("fused attention gives no weights to record: call use_fused(model, False) first")
            gathered = attention(q, k, v, mask)
        else:
            weights = attention_weights(q, k, mask)
            if self.record is not None:
                self.record.append(weights)
            gathered = weights @ v
        return rearrange(gathered, "b heads n d -> b n (heads d)")


class SelfAttention(nn.Module):
    """Every token asks all tokens: multi-head attention with one input (Vaswani et al. 2017, section 3.2.2).

    Args:
        width: of a token.
        num_heads: divides `width`.
        bias: whether queries, keys and values have one.
    Raises:
        ValueError: heads that do not divide the width.
    """

    def __init__(self, width: int, num_heads: int, *, bias: bool = True):
        super().__init__()
        check_heads(width, num_heads)
        self.to_qkv = nn.Linear(width, 3 * width, bias=bias)
        self.heads = Heads(num_heads)
        self.to_out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Bool[Tensor, "..."] | None = None,
        angles: Float[Tensor, "... n r"] | None = None,
        first: int | None = None,
    ) -> Float[Tensor, "b m d"]:
        """What the tokens, or the `first` few of them, gather from all; `mask` and `angles` as for `Heads`."""
        q, k, v = self.to_qkv(x).chunk(3, dim=-1)
        q = q[:, :first]
        rotation = None if angles is None else (angles[..., :first, :], angles)
        return self.to_out(self.heads(q, k, v, mask, rotation))


class CrossAttention(nn.Module):
    """Tokens ask others, of a context: multi-head attention with two inputs.

    Args:
        width: of a token that asks, and of the result.
        num_heads: divides `inner`.
        context_width: of a token that answers; None for `width`.
        inner: of queries, keys and values; None for `width`.
        bias: whether queries, keys and values have one.
    Raises:
        ValueError: heads that do not divide `inner`.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        context_width: int | None = None,
        inner: int | None = None,
        bias: bool = True,
    ):
        super().__init__()
        inner = inner or width
        check_heads(inner, num_heads)
        self.to_q = nn.Linear(width, inner, bias=bias)
        self.to_k, self.to_v = (nn.Linear(context_width or width, inner, bias=bias) for _ in range(2))
        self.heads = Heads(num_heads)
        self.to_out = nn.Linear(inner, width)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        keys: Float[Tensor, "b m c"],
        values: Float[Tensor, "b m c"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        rotation: tuple[Float[Tensor, "... n r"], Float[Tensor, "... m r"]] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """What the tokens `x` gather from `values` (None for `keys`), asked by `keys`; the rest as for `Heads`."""
        values = keys if values is None else values
        return self.to_out(self.heads(self.to_q(x), self.to_k(keys), self.to_v(values), mask, rotation))


def check_heads(width: int, num_heads: int) -> None:
    """Raises ValueError if the heads do not divide the width."""
    if num_heads < 1 or width % num_heads:
        raise ValueError(f"expected num_heads to divide the width, got {num_heads} heads and width {width}")


def _check_mask(mask: Tensor, shape: tuple[int, ...]) -> None:
    if mask.dtype != torch.bool:
        raise TypeError(f"expected a bool mask, True where a query may look, got {mask.dtype}")
    try:
        fits = torch.broadcast_shapes(mask.shape, shape) == torch.Size(shape)
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(
            f"expected a mask that broadcasts to (..., queries, keys) = {tuple(shape)}, got {tuple(mask.shape)}"
        )
