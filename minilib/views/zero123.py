"""Zero-1-to-3, small: one view in, another out, and the camera said in four numbers (Liu et al. 2023, section 3.2).

The input view stands beside the noised one, channel by channel, so that details can be copied; and what it shows as a
whole, with the camera's change of place, is a context that the U-Net's blocks look at. The paper's network works on
latents an eighth of the picture's size; here pictures are folded to half their size, which loses nothing.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minilib.diffusion.guidance import Denoise, guided
from minilib.diffusion.unet import UNet, UNetConfig


@dataclass(frozen=True, kw_only=True)
class Zero123Config:
    """Shape of the model.

    Args:
        image_size: of the views, in pixels.
        feature_dim: of the features of the input view, the paper's from CLIP.
        context_dim: of the tokens that the U-Net looks at.
        widths: of the U-Net, at half the image's size, the finest first.
        attention: which of its resolutions look at each other and at the context.
        layers_per_block: of the U-Net.
        norm_num_groups: of its normalisations.
    """

    image_size: int = 64
    feature_dim: int = 128
    context_dim: int = 128
    widths: tuple[int, ...] = (64, 96, 128)
    attention: tuple[bool, ...] = (False, True, True)
    layers_per_block: int = 1
    norm_num_groups: int = 8


class Zero123(nn.Module):
    """A view, its features, and where the other camera is, in; the other view out.

    With *one* feature there is one context token, as in the paper. A softmax over one key is 1 whatever is asked, so
    every pixel is told the same; with several (the patches' features) they can ask for different things.

    Args:
        config: its shape.
    """

    def __init__(self, config: Zero123Config):
        super().__init__()
        self.config = config
        self.to_context = nn.Linear(config.feature_dim + 4, config.context_dim)
        self.unet = UNet(
            UNetConfig(
                in_channels=24,
                out_channels=12,
                block_out_channels=config.widths,
                attention=config.attention,
                mid_attention=False,
                layers_per_block=config.layers_per_block,
                attention_head_dim=32,
                norm_num_groups=config.norm_num_groups,
                context_dim=config.context_dim,
                time_embedding_norm="scale_shift",
            )
        )
        nn.init.zeros_(self.unet.conv_out.weight)

    def context(self, features: Float[Tensor, "b n f"], offset: Float[Tensor, "b 4"]) -> Float[Tensor, "b n e"]:
        """Context tokens: each feature, joined with the camera's [Δθ, sin Δφ, cos Δφ, Δr] by a linear layer."""
        told = offset.to(features)[:, None].expand(-1, features.shape[1], -1)
        return self.to_context(torch.cat([features, told], dim=-1))

    def forward(
        self,
        x_t: Float[Tensor, "b 3 h w"],
        t: Int[Tensor, " b"],
        image: Float[Tensor, "b 3 h w"],
        features: Float[Tensor, "b n f"],
        offset: Float[Tensor, "b 4"],
        blind: Bool[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b 3 h w"]:
        """x̂_0 of noised views.

        Args:
            x_t, t: the noised views and their times.
            image, features: of the input views.
            offset: from their cameras to those of the noised views, as from `spherical_offset`.
            blind: which are made without an input view: picture and context are zeros.
        """
        context = self.context(features, offset)
        if blind is not None:
            image = image.masked_fill(blind[:, None, None, None], 0.0)
            context = context.masked_fill(blind[:, None, None], 0.0)
        folded = F.pixel_unshuffle(torch.cat([x_t, image], dim=1), 2)
        return F.pixel_shuffle(self.unet(folded, t, context=context), 2)

    def denoiser_of(
        self,
        image: Float[Tensor, "b 3 h w"],
        features: Float[Tensor, "b n f"],
        offset: Float[Tensor, "b 4"],
        *,
        guidance_scale: float = 1.0,
    ) -> Denoise:
        """The `Denoise` for samplers, of one view for each input view.

        Args:
            image, features, offset: as for `forward`.
            guidance_scale: see `classifier_free_guidance`; at 1 the U-Net runs once a step, otherwise twice.
        """
        blind = torch.ones(len(image), dtype=torch.bool, device=image.device)
        return guided(
            lambda x_t, t: self(x_t, t, image, features, offset),
            lambda x_t, t: self(x_t, t, image, features, offset, blind),
            guidance_scale=guidance_scale,
        )
