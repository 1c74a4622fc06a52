"""Views as tokens: a transformer that draws several views together, with no volume and no ray marching in it.

Clean views look at each other; noised ones look at clean ones and at each other. What cameras have to do with it is in
the attention alone: queries, keys and values are moved by each view's camera, so that only the motion from one camera
to the other is left in their products (GTA: Miyato et al. 2024, section 3; PRoPE: Li et al. 2025). Places in a picture
turn the other half of the channels (RoPE).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from minilib.attention.blocks import MLP
from minilib.attention.layers import Heads, check_heads
from minilib.attention.positions import axial_angles, rotate, sinusoidal
from minilib.attention.vit import patchify, unpatchify
from minilib.diffusion.guidance import Denoise, guided
from minilib.views.cameras import Camera, pixel_centers
from minilib.views.inputs import ViewModel, Views, check_views
from minilib.views.relative import inverse_pose

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class ViewTransformerConfig:
    """Shape of the transformer.

    Args:
        image_size, patch_size: of the views and of a token, in pixels.
        width, depth, num_heads, hidden: of tokens, number of blocks, heads in each, width inside the MLPs.
        unit: length in world units that counts as 1 where cameras move channels.
    Raises:
        ValueError: patches that do not divide the image, or heads whose width is not divisible by 8.
    """

    image_size: int = 64
    patch_size: int = 8
    width: int = 256
    depth: int = 8
    num_heads: int = 8
    hidden: int = 768
    unit: float = 2.9

    def __post_init__(self):
        check_heads(self.width, self.num_heads)
        if self.image_size % self.patch_size or self.width // self.num_heads % 8:
            raise ValueError(
                f"expected a patch_size that divides {self.image_size} and heads of a width divisible by 8, got"
                f" {self.patch_size} and {self.width // self.num_heads}"
            )

    @property
    def grid(self) -> int:
        """Tokens along a side of a view."""
        return self.image_size // self.patch_size


class ViewTransformer(ViewModel):
    """Clean views and noised ones, with their cameras, in; the noised ones without noise out.

    Args:
        config: its shape.
        max_views: see `ViewModel`.
    """

    def __init__(self, config: ViewTransformerConfig, *, max_views: int = 5):
        super().__init__(max_views)
        self.config = config
        d, pixels = config.width, 3 * config.patch_size**2
        self.embedding = nn.Linear(pixels, d)
        self.lens = nn.Linear(2, d)
        self.time = nn.Sequential(nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
        self.clean = nn.Parameter(0.02 * torch.randn(d))
        self.blocks = nn.ModuleList(ViewBlock(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(d, elementwise_affine=False)
        self.modulation = nn.Linear(d, 2 * d)
        self.out = nn.Linear(d, pixels)
        for layer in (self.modulation, self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def tokens(self, images: Float[Tensor, "b v 3 h w"], camera: Camera) -> Float[Tensor, "b v n d"]:
        """A token for each patch: its pixels, and where its middle is on the plane one unit ahead of the camera."""
        grid, k = self.config.grid, camera.intrinsics
        middles = pixel_centers(grid, grid, device=k.device).flatten(0, 1).to(k)
        plane = (middles - k[..., None, :2, 2]) / k.diagonal(dim1=-2, dim2=-1)[..., None, :2]
        patches = patchify(images.flatten(0, 1), self.config.patch_size).unflatten(0, images.shape[:2])
        return self.embedding(patches) + self.lens(plane.to(patches))

    def remember(self, views: Views) -> list[KeysValues]:
        """Keys and values of clean views in each block. They do not depend on what is noised, nor on the time: once for
        an object is enough."""
        x, moves = self.tokens(views.images, views.camera), Moves(views.camera, self.config)
        condition = self.clean.expand(*x.shape[:2], -1)
        memory = []
        for block in self.blocks:
            x, keys_values = block(x, condition, moves, None)
            memory.append(keys_values)
        return memory

    def predict(
        self,
        x_t: Float[Tensor, "b m 3 h w"],
        t: Int[Tensor, "b m"],
        targets: Camera,
        memory: Sequence[KeysValues] | None,
    ) -> Float[Tensor, "b m 3 h w"]:
        """x̂_0 of m noised views of each object, drawn together; no memory stands for no input view."""
        x, moves = self.tokens(x_t, targets), Moves(targets, self.config)
        condition = self.time(sinusoidal(t.float(), self.config.width).to(x.dtype))
        for index, block in enumerate(self.blocks):
            x, _ = block(x, condition, moves, None if memory is None else memory[index])
        shift, scale = self.modulation(F.silu(condition))[:, :, None].chunk(2, dim=-1)
        pixels = self.out(self.norm(x) * (1 + scale) + shift).flatten(0, 1)
        return unpatchify(pixels, (self.config.grid, self.config.grid)).unflatten(0, x_t.shape[:2])

    def denoiser_of(
        self, views: Views, targets: Camera, *, guidance_scale: float = 1.0, samples: int = 1, cached: bool = True
    ) -> Denoise:
        """The `Denoise` for samplers, of views at target cameras (b, m): x_t is (b · m · samples, 3, h, w), the samples
        of a target one after the other. All targets of a sample are drawn together.

        Args:
            views: input views.
            targets: cameras of the views to be made.
            guidance_scale: see `classifier_free_guidance`; at 1 the network runs once a step, otherwise twice.
            samples: how many of each target.
            cached: whether keys and values of the input views are kept from step to step.
        Raises:
            ValueError, TypeError: see `check_views`.
        """
        config = self.config
        check_views(views, targets, image_size=config.image_size, trained=self.max_views)
        b, m = targets.batch_shape
        many = Camera(
            *(some.repeat_interleave(samples, dim=0) for some in (targets.camera_to_world, targets.intrinsics))
        )

        def remembered() -> list[KeysValues]:
            found = self.remember(views)
            return [(k.repeat_interleave(samples, dim=0), v.repeat_interleave(samples, dim=0)) for k, v in found]

        with torch.no_grad():
            kept = remembered() if cached else None

        def together(x_t: Tensor, t: Tensor, memory: list[KeysValues] | None) -> Tensor:
            x, times = (rearrange(some, "(b m s) ... -> (b s) m ...", b=b, m=m) for some in (x_t, t))
            return rearrange(self.predict(x, times, many, memory), "(b s) m c h w -> (b m s) c h w", b=b)

        return guided(
            lambda x_t, t: together(x_t, t, kept or remembered()),
            lambda x_t, t: together(x_t, t, None),
            guidance_scale=guidance_scale,
        )


class Moves:
    """What the cameras of views do to the channels of their queries, keys and values.

    In each head, half of the channels are read as vectors of four and moved by a camera's matrix; the others are turned
    by the token's place in its picture.

    Args:
        camera: of the views, batch shape (b, v).
        config: shape of the transformer.
    """

    def __init__(self, camera: Camera, config: ViewTransformerConfig):
        to_camera = inverse_pose(camera.camera_to_world).clone()
        to_camera[..., :3, 3] /= config.unit
        to_world = camera.camera_to_world.clone()
        to_world[..., :3, 3] /= config.unit
        self.to_camera, self.to_world = to_camera, to_world
        half = config.width // config.num_heads // 2
        self.angles = axial_angles(config.grid, half, device=to_world.device)

    def query(self, x: Float[Tensor, "b v n h c"]) -> Float[Tensor, "b v n h c"]:
        """Queries, moved so that with moved keys they make qᵀ · (world → own camera) · (other camera → world) · k."""
        return self._move(x, self.to_camera.mT, 1.0)

    def key(self, x: Float[Tensor, "b v n h c"]) -> Float[Tensor, "b v n h c"]:
        """Keys, and values, brought from their camera into the world."""
        return self._move(x, self.to_world, 1.0)

    def out(self, x: Float[Tensor, "b v n h c"]) -> Float[Tensor, "b v n h c"]:
        """What was gathered, brought from the world into the camera that asked."""
        return self._move(x, self.to_camera, -1.0)

    def _move(self, x: Tensor, matrix: Tensor, sign: float) -> Tensor:
        moved, turned = x.chunk(2, dim=-1)
        with torch.autocast(x.device.type, enabled=False):  # poses in half precision would move views
            vectors = (moved.reshape(*x.shape[:2], -1, 4).float() @ matrix.mT.float()).to(x.dtype)
        turned = rotate(turned.transpose(2, 3), sign * self.angles).transpose(2, 3)
        return torch.cat([vectors.view_as(moved), turned], dim=-1)


class ViewBlock(nn.Module):
    """Attention over views, then an MLP; what is known of a view as a whole scales and shifts both (adaLN-Zero; Peebles
    & Xie 2023, section 3.2), once for the view, not for each of its tokens."""

    def __init__(self, config: ViewTransformerConfig):
        super().__init__()
        d = config.width
        self.num_heads = config.num_heads
        self.norm1, self.norm2 = (nn.LayerNorm(d, elementwise_affine=False) for _ in range(2))
        self.to_qkv, self.to_out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d)
        self.heads = Heads(config.num_heads)
        self.mlp = MLP(d, config.hidden)
        self.modulation = nn.Linear(d, 6 * d)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(
        self,
        x: Float[Tensor, "b v n d"],
        condition: Float[Tensor, "b v d"],
        moves: Moves,
        memory: KeysValues | None,
    ) -> tuple[Float[Tensor, "b v n d"], KeysValues]:
        """The tokens after the block; their own keys and values, for others to look at.

        Args:
            x: tokens of v views.
            condition: of each view.
            moves: of the views' cameras.
            memory: keys and values of other views, which these look at, too.
        """
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(F.silu(condition))[:, :, None].chunk(6, dim=-1)
        parts = self.to_qkv(self.norm1(x) * (1 + scale1) + shift1)
        q, k, v = parts.unflatten(-1, (3, self.num_heads, -1)).unbind(-3)
        q, k, v = (
            rearrange(some, "b v n h c -> b (v n) (h c)") for some in (moves.query(q), moves.key(k), moves.key(v))
        )
        keys, values = (k, v) if memory is None else (torch.cat([memory[0], k], 1), torch.cat([memory[1], v], 1))
        gathered = self.heads(q, keys, values)
        gathered = rearrange(gathered, "b (v n) (h c) -> b v n h c", v=x.shape[1], h=self.num_heads)
        x = x + gate1 * self.to_out(moves.out(gathered).flatten(-2))
        x = x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)
        return x, (k, v)
