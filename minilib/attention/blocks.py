"""The layer of a transformer: attention, then a small network for each token (Vaswani et al. 2017, section 3.1)."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from minilib.attention.layers import SelfAttention
from minilib.errors import unknown_name

Activation = Literal["gelu", "quick_gelu"]


class QuickGELU(nn.Module):
    """x · sigmoid(1.702 x), the cheap approximation of GELU that OpenAI's CLIP was trained with (Hendrycks & Gimpel
    2016, section 2)."""

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """x, gated."""
        return x * torch.sigmoid(1.702 * x)


NORMS = ("pre", "post")
ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "quick_gelu": QuickGELU}


def make_activation(name: str) -> nn.Module:
    """The named activation.

    Raises:
        ValueError: an unknown name; the nearest known one is suggested.
    """
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


class MLP(nn.Sequential):
    """Two linear layers, applied to each token by itself (Vaswani et al. 2017, section 3.3)."""

    def __init__(self, width: int, hidden: int, activation: nn.Module | None = None):
        super().__init__(nn.Linear(width, hidden), activation or nn.GELU(), nn.Linear(hidden, width))


class Scale(nn.Module):
    """A learned factor for each channel (LayerScale; Touvron et al. 2021, "Going deeper with Image Transformers",
    section 2)."""

    def __init__(self, width: int, initial: float):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), initial))

    def forward(self, x: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        """x, scaled."""
        return x * self.gamma


class Block(nn.Module):
    """One layer of a transformer: attention, then an MLP, each added to its input.

    Args:
        width, num_heads: of the attention.
        hidden: width inside the MLP.
        norm: "pre" normalises what goes into each part (ViT); "post" the sums (Vaswani et al. 2017).
        norm_eps: of the layer normalisation.
        bias: whether queries, keys and values have one.
        layer_scale: first value of the factors that each part's result is multiplied with; None for no factors.
        activation: in the MLP; None for GELU.
    Raises:
        ValueError: heads that do not divide the width, or an unknown norm.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        hidden: int,
        *,
        norm: Literal["pre", "post"] = "pre",
        norm_eps: float = 1e-6,
        bias: bool = True,
        layer_scale: float | None = None,
        activation: nn.Module | None = None,
    ):
        super().__init__()
        if norm not in NORMS:
            raise unknown_name("norm", norm, NORMS)
        self.norm = norm
        self.norm1, self.norm2 = (nn.LayerNorm(width, norm_eps) for _ in range(2))
        self.attention = SelfAttention(width, num_heads, bias=bias)
        self.mlp = MLP(width, hidden, activation)
        self.scale1, self.scale2 = (
            nn.Identity() if layer_scale is None else Scale(width, layer_scale) for _ in range(2)
        )

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Bool[Tensor, "..."] | None = None,
        angles: Float[Tensor, "... n r"] | None = None,
        first: int | None = None,
    ) -> Float[Tensor, "b m d"]:
        """The tokens after this layer, or only the `first` few of them; `mask` and `angles` as for `Heads`."""
        if self.norm == "pre":
            x = x[:, :first] + self.scale1(self.attention(self.norm1(x), mask, angles, first))
            return x + self.scale2(self.mlp(self.norm2(x)))
        x = self.norm1(x[:, :first] + self.scale1(self.attention(x, mask, angles, first)))
        return self.norm2(x + self.scale2(self.mlp(x)))
