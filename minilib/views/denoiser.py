"""The view-conditioned diffusion model: a U-Net that takes noise off a view and sees what the input views say of it.

As GeNVS (Chan et al. 2023) and SyncDreamer (Liu et al. 2023) do it: features rendered from a volume of the input views
stand beside the noised picture, pixel for pixel. The volume is computed once for an object, the maps once for a target;
only the U-Net runs in every step.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from minilib.diffusion.guidance import Denoise, guided
from minilib.diffusion.unet import UNet, UNetConfig
from minilib.views.cameras import Camera
from minilib.views.inputs import ViewModel, Views, check_views, turned_to
from minilib.views.lifted import Lifted, LiftedConfig, Volume
from minilib.views.volume import Rendering


@dataclass(frozen=True, kw_only=True)
class ViewDenoiserConfig:
    """Shape of the model.

    Args:
        lifted: of the network from views to maps.
        widths: of the U-Net, at half the image's size, the finest first.
        layers_per_block: of the U-Net.
    """

    lifted: LiftedConfig = field(default_factory=LiftedConfig)
    widths: tuple[int, ...] = (64, 96, 128)
    layers_per_block: int = 1


class ViewDenoiser(ViewModel):
    """Views of an object, a target camera, a noised picture and its time in; the picture without noise out.

    Args:
        config: its shape.
        max_views: see `ViewModel`.
    """

    def __init__(self, config: ViewDenoiserConfig, *, max_views: int = 5):
        super().__init__(max_views)
        self.config = config
        self.lifted = Lifted(config.lifted)
        self.unet = UNet(
            UNetConfig(
                in_channels=12 + self.lifted.map_channels,
                out_channels=12,
                block_out_channels=config.widths,
                attention=(False,) * (len(config.widths) - 1) + (True,),
                mid_attention=False,
                layers_per_block=config.layers_per_block,
                attention_head_dim=32,
                norm_num_groups=config.lifted.norm_num_groups,
                time_embedding_norm="scale_shift",
            )
        )
        nn.init.zeros_(self.unet.conv_out.weight)

    def observe(self, views: Views, targets: Camera) -> tuple[Volume, Camera]:
        """The volume of the input views, and target cameras (b, m) in its frame, that of the first view's axes.

        Raises:
            ValueError, TypeError: see `check_views`.
        """
        lifted = self.config.lifted
        check_views(views, targets, image_size=lifted.image_size, trained=self.max_views, extent=lifted.extent)
        first = views.camera[:, 0]
        inputs, asked = (turned_to(some, first).to(views.images.dtype) for some in (views.camera, targets))
        return self.lifted(Views(views.images, inputs)), asked

    def maps(self, volume: Volume, targets: Camera) -> tuple[Float[Tensor, "b m d h2 w2"], Rendering]:
        """See `Lifted.look`."""
        return self.lifted.look(volume, targets)

    def predict(
        self, x_t: Float[Tensor, "k 3 h w"], t: Int[Tensor, " k"], maps: Float[Tensor, "k d h2 w2"]
    ) -> Float[Tensor, "k 3 h w"]:
        """x̂_0 of noised views, each with its time and its maps; maps of zeros stand for no input view."""
        folded = torch.cat([F.pixel_unshuffle(x_t, 2), maps], dim=1)
        return F.pixel_shuffle(self.unet(folded, t), 2)

    def denoiser_of(self, views: Views, targets: Camera, *, guidance_scale: float = 1.0, samples: int = 1) -> Denoise:
        """The `Denoise` for samplers, of views at target cameras (b, m): x_t is (b · m · samples, 3, h, w), the samples
        of a target one after the other.

        Args:
            views: input views.
            targets: cameras of the views to be made.
            guidance_scale: see `classifier_free_guidance`; at 1 the U-Net runs once a step, otherwise twice.
            samples: how many of each target.
        Raises:
            ValueError, TypeError: see `check_views`.
        """
        with torch.no_grad():
            volume, turned = self.observe(views, targets)
            maps = self.maps(volume, turned)[0].flatten(0, 1).repeat_interleave(samples, dim=0)

        return guided(
            lambda x_t, t: self.predict(x_t, t, maps),
            lambda x_t, t: self.predict(x_t, t, torch.zeros_like(maps)),
            guidance_scale=guidance_scale,
        )
