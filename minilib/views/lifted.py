"""A network that lifts pictures into a volume and says what another camera would see of it.

Geometry is in the network, not in a pose vector, as in pixelNeRF, GeNVS (Chan et al. 2023) and SyncDreamer: which
pixel of which view a point belongs to is computed, not learned. What is learned is what features mean, how the unseen
part of a volume follows from the seen one, and how dense space is.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from minilib.diffusion.unet import UNet, UNetConfig
from minilib.views.cameras import Camera, pixel_centers, unproject
from minilib.views.inputs import EXTENT, Views
from minilib.views.volume import Rendering, lift, mean_and_variance, render, voxel_centers


@dataclass(frozen=True, kw_only=True)
class LiftedConfig:
    """Shape of the network from views to feature maps.

    Args:
        image_size: of the views, in pixels, divisible by 2 for each width of the encoder.
        encoder: widths of the image encoder, a U-Net at half the image's size, the finest first; the groups divide
            them.
        channels: of features and of the volume; the groups divide them.
        volume_size: voxels along a side, divisible by 4.
        extent: half the volume's side, in world units.
        render_size: of rendered maps, in pixels.
        num_samples: on each ray.
        norm_num_groups: of all group normalisations.
    Raises:
        ValueError: sizes that halving does not fit, widths that groups do not divide, or what is not positive.
    """

    image_size: int = 64
    encoder: tuple[int, ...] = (32, 48, 64)
    channels: int = 24
    volume_size: int = 16
    extent: float = EXTENT
    render_size: int = 16
    num_samples: int = 20
    norm_num_groups: int = 8

    def __post_init__(self):
        halvings = 2 ** len(self.encoder)
        if self.image_size % halvings or self.volume_size % 4:
            raise ValueError(
                f"expected an image_size divisible by {halvings} and a volume_size divisible by 4, got"
                f" {self.image_size} and {self.volume_size}"
            )
        if self.render_size < 1 or self.image_size % self.render_size:
            raise ValueError(f"expected a render_size that divides {self.image_size}, got {self.render_size}")
        if any(width % self.norm_num_groups for width in (self.channels, *self.encoder)):
            raise ValueError(
                f"expected channels and widths of the encoder divisible by {self.norm_num_groups}, got {self.channels}"
                f" and {self.encoder}"
            )
        if self.num_samples < 1 or not self.extent > 0:
            raise ValueError(f"expected num_samples >= 1 and extent > 0, got {self.num_samples} and {self.extent}")


class Volume(NamedTuple):
    """What is known of b objects after their views went through the network; targets read it, as many as there are.

    Attributes:
        values, density: of the volume.
        features: of the views, at half their size.
        seen: of the volume, from the views' own cameras, without values.
        views: what it was made of.
    """

    values: Float[Tensor, "b c r r r"]
    density: Float[Tensor, "b 1 r r r"]
    features: Float[Tensor, "b n c h2 w2"]
    seen: Rendering
    views: Views


class Lifted(nn.Module):
    """Views to volumes, and volumes to what target cameras see.

    Args:
        config: its shape.
    """

    def __init__(self, config: LiftedConfig):
        super().__init__()
        self.config = config
        c, groups = config.channels, config.norm_num_groups
        self.encoder = UNet(
            UNetConfig(
                in_channels=12,
                out_channels=c,
                block_out_channels=config.encoder,
                attention=(False,) * (len(config.encoder) - 1) + (True,),
                mid_attention=False,
                layers_per_block=1,
                norm_num_groups=groups,
            )
        )
        self.point = nn.Linear(c + 4, c)
        self.fuse = VolumeNet(2 * c + 4, c, groups)
        self.colour = nn.Linear(c, 3, bias=False)  # what is not there has none
        self.sharpness = nn.Parameter(torch.tensor([10.0, 4.0]))

    def forward(self, views: Views) -> Volume:
        """The volume of views; in which order they come does not matter, but for the first, whose axes it has."""
        config, (b, n) = self.config, views.images.shape[:2]
        folded = F.pixel_unshuffle(views.images.flatten(0, 1), 2)
        features = self.encoder(folded, folded.new_zeros(b * n)).unflatten(0, (b, n))
        position = views.camera.position
        points = voxel_centers(config.volume_size, config.extent, device=position.device).to(position)
        flat = points.reshape(1, -1, 3).expand(b, -1, 3)
        found, depth = lift(features, views.camera, flat)
        away = (depth - position.norm(dim=-1)[..., None]) / config.extent
        sight = F.normalize(position[:, :, None] - flat[:, None], dim=-1)
        told = F.silu(self.point(torch.cat([found.mT, away[..., None], sight], dim=-1))).mT
        mean, variance = mean_and_variance(told, torch.ones_like(depth))
        share = torch.full_like(mean[:, :1], 1 / n)  # how much one view weighs in the mean
        cube = torch.cat([mean, variance, share, flat.mT / config.extent], dim=1)
        size = config.volume_size
        values, density = self.fuse(rearrange(cube, "b c (z y x) -> b c z y x", z=size, y=size))
        seen = self._render(values[:, :0], density, views.camera)
        return Volume(values, density, features, seen, views)

    def _render(self, values: Tensor, density: Tensor, camera: Camera) -> Rendering:
        config = self.config
        return render(
            values,
            density,
            camera,
            image_size=config.render_size,
            num_samples=config.num_samples,
            extent=config.extent,
        )

    def glimpse(self, volume: Volume, cameras: Camera) -> Rendering:
        """What the volume itself looks like from cameras (b, m): colours, at `render_size`. A ray that is not stopped
        adds nothing; on white, add 1 − opacity."""
        colours = F.conv3d(volume.values, self.colour.weight[:, :, None, None, None])
        return self._render(colours, volume.density, cameras)

    @property
    def map_channels(self) -> int:
        """How many channels `look` gives."""
        return 2 * self.config.channels + 2 + 3 + 2 * 12 + 2

    def look(self, volume: Volume, targets: Camera) -> tuple[Float[Tensor, "b m d h2 w2"], Rendering]:
        """What target cameras (b, m) would see: maps at half the image's size, and the rendering that they are of.

        The maps hold the rendered features, opacity, depth and colour, and what the views show at the places that the
        depth leads to: their features and pixels, mixed by how likely each view sees the place, and the pixels of the
        view that is the likeliest.
        """
        config, m = self.config, targets.batch_shape[1]
        seen = self._render(volume.values, volume.density, targets)
        half = config.image_size // 2
        colour = self.colour(seen.values.movedim(2, -1)).movedim(-1, 2)
        away = seen.depth - targets.position.norm(dim=-1).to(seen.depth)[..., None, None]
        coarse = torch.cat([seen.values, seen.opacity[:, :, None], away[:, :, None], colour], dim=2)
        coarse = F.interpolate(coarse.flatten(0, 1), (half, half), mode="bilinear", align_corners=False)
        maps = torch.cat([coarse.unflatten(0, (-1, m)), *self._looked_up(volume, targets, seen.depth)], dim=2)
        return maps, seen._replace(values=colour)

    def _looked_up(self, volume: Volume, targets: Camera, depth: Float[Tensor, "b m s s"]) -> list[Tensor]:
        """What the views show of the surface that targets see, at half the image's size: features; pixels, of all views
        mixed and of the best one; whether that one sees the place, and from how near a direction."""
        size, views, m = self.config.image_size, volume.views, depth.shape[1]
        fine = F.interpolate(depth, (size, size), mode="bilinear", align_corners=False)
        uv = pixel_centers(size, size, device=depth.device).to(targets.position)
        uv = uv.expand(*targets.batch_shape, size, size, 2)
        places = unproject(targets, uv, fine.to(targets.position)).flatten(1, 3)
        white = torch.cat([views.images - 1, torch.ones_like(views.images[:, :, :1])], dim=2)
        found, reached = lift(white, views.camera, places)
        pixels, inside = found[:, :, :3] + 1, found[:, :, 3]  # white beside the picture, too
        surface, _ = lift(volume.seen.depth[:, :, None], views.camera, places)
        behind = (reached - surface[:, :, 0]).clamp(min=0)
        to_view = F.normalize(views.camera.position[:, :, None] - places[:, None], dim=-1)
        to_target = F.normalize(targets.position.repeat_interleave(size * size, dim=1) - places, dim=-1)
        alike = (to_view * to_target[:, None]).sum(-1)
        seen = inside * torch.exp(-self.sharpness[0] * behind)
        score = self.sharpness[1] * alike + 4 * seen
        share, best = score.softmax(dim=1)[:, :, None], score.max(1, keepdim=True).indices
        picked = pixels.gather(1, best[:, :, None].expand(-1, -1, 3, -1))[:, 0]
        folded = [
            F.pixel_unshuffle(rearrange(some, "b c (m y x) -> (b m) c y x", m=m, y=size), 2).unflatten(0, (-1, m))
            for some in ((share * pixels).sum(1), picked)
        ]
        halved = {"m": m, "y": size // 2, "x": size // 2, "p": 2, "q": 2}
        trust = torch.cat([seen.gather(1, best), alike.gather(1, best)], dim=1)
        trust = reduce(trust, "b c (m y p x q) -> b m c y x", "mean", **halved)
        middles = reduce(places, "b (m y p x q) d -> b (m y x) d", "mean", **halved)
        weights = reduce(share, "b n 1 (m y p x q) -> b n 1 (m y x)", "mean", **halved)
        found, _ = lift(volume.features, views.camera, middles)
        features = rearrange((weights * found).sum(1), "b c (m y x) -> b m c y x", m=m, y=size // 2)
        return [features, *folded, trust]


class VolumeNet(nn.Module):
    """A small U-Net in three dimensions: what is not seen has to follow from what is, anywhere in the volume."""

    def __init__(self, in_channels: int, channels: int, groups: int):
        super().__init__()
        c = channels
        self.first = nn.Conv3d(in_channels, c, 3, padding=1)
        self.fine, self.halve = VolumeBlock(c, groups), nn.Conv3d(c, 2 * c, 3, stride=2, padding=1)
        self.middle, self.quarter = VolumeBlock(2 * c, groups), nn.Conv3d(2 * c, 4 * c, 3, stride=2, padding=1)
        self.coarse = nn.Sequential(VolumeBlock(4 * c, groups), VolumeBlock(4 * c, groups))
        self.widen, self.finish = nn.Conv3d(4 * c, 2 * c, 1), nn.Conv3d(2 * c, c, 1)
        self.last = VolumeBlock(c, groups)
        self.out = nn.Conv3d(c, c + 1, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c r r r"]) -> tuple[Float[Tensor, "b c2 r r r"], Float[Tensor, "b 1 r r r"]]:
        """Values and density."""
        fine = self.fine(self.first(x))
        middle = self.middle(self.halve(fine))
        coarse = self.coarse(self.quarter(middle))
        middle = middle + F.interpolate(self.widen(coarse), scale_factor=2.0, mode="nearest")
        fine = fine + F.interpolate(self.finish(middle), scale_factor=2.0, mode="nearest")
        out = self.out(F.silu(self.last(fine)))
        return out[:, 1:], 8 * F.softplus(out[:, :1] - 3)  # begins as thin air


class VolumeBlock(nn.Module):
    """A convolution, with its input added."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.conv = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c r r r"]) -> Float[Tensor, "b c r r r"]:
        """x and what the block has to add."""
        return x + self.conv(F.silu(self.norm(x)))
