"""The published Zero-1-to-3, whose parts diffusers and transformers run: the same model on latents, and large."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from minilib.diffusion.guidance import make_denoiser
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.samplers import ddim, sampling_times
from minilib.errors import require
from minilib.interop.hub import check_source

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def load_zero123(source: str) -> Callable[..., Float[Tensor, "b 3 h w"]]:
    """A published Zero-1-to-3 (Liu et al. 2023), such as "ashawkey/zero123-xl-diffusers".

    Args:
        source: its name on the hub, or a folder of the same layout: unet, vae, image_encoder, scheduler, and
            clip_camera_projection with the layer that makes the context token.
    Returns:
        A function `views(image, offset, *, steps=25, guidance_scale=3.0, seed=0)` from a picture (3, h, w) in
        [−1, 1] on white and motions (b, 4) of the camera, as `spherical_offset` says them, to b views at the model's
        size. It raises ValueError for other shapes or values.
    Raises:
        OSError: no such folder, or no such name, or no network, or a file is missing.
        ValueError: a model that predicts something else than noise.
    """
    diffusers, transformers = (require(name, extra="pretrained") for name in ("diffusers", "transformers"))
    check_source(source, file="unet/config.json")
    unet = diffusers.UNet2DConditionModel.from_pretrained(source, subfolder="unet").eval()
    vae = diffusers.AutoencoderKL.from_pretrained(source, subfolder="vae").eval()
    encoder = transformers.CLIPVisionModelWithProjection.from_pretrained(source, subfolder="image_encoder").eval()
    projection = _projection_kind(diffusers).from_pretrained(source, subfolder="clip_camera_projection")
    scheduler = diffusers.DDIMScheduler.from_pretrained(source, subfolder="scheduler")
    if scheduler.config.prediction_type != "epsilon":
        raise ValueError(f"expected a model that predicts epsilon, got {scheduler.config.prediction_type!r}")
    process = GaussianDiffusion(scheduler.betas.double())
    size = unet.config.sample_size * 2 ** (len(vae.config.block_out_channels) - 1)

    @torch.no_grad()
    def views(
        image: Tensor, offset: Tensor, *, steps: int = 25, guidance_scale: float = 3.0, seed: int = 0
    ) -> Float[Tensor, "b 3 h w"]:
        if image.ndim != 3 or len(image) != 3 or offset.ndim != 2 or offset.shape[1] != 4:
            raise ValueError(
                f"expected a picture (3, h, w) and motions (b, 4), got {tuple(image.shape)} and {tuple(offset.shape)}"
            )
        if not bool((image.abs() <= 1.01).all()):  # NaN is not, either
            raise ValueError(f"expected a picture in [-1, 1], got values in [{image.min():.3g}, {image.max():.3g}]")
        count = len(offset)
        features = encoder(_for_clip(image, encoder.config.image_size)).image_embeds.expand(count, -1)
        token = projection.proj(torch.cat([features, offset.to(features)], dim=-1))[:, None]
        # The latents beside the noised ones are not scaled, unlike those: so it was trained.
        beside = vae.encode(_resized(image, size)).latent_dist.mode().expand(count, -1, -1, -1)

        def predict(x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
            told = labels.to(x_t)[:, None, None]
            repeats = len(x_t) // count
            latents = beside.repeat(repeats, 1, 1, 1) * told[..., None]
            return unet(torch.cat([x_t, latents], dim=1), t, token.repeat(repeats, 1, 1) * told).sample

        denoise = make_denoiser(
            predict,
            process,
            prediction_type="epsilon",
            labels=torch.ones(count, dtype=torch.long),
            null_label=0,
            guidance_scale=guidance_scale,
            clip=False,
        )
        noise = torch.randn(beside.shape, generator=torch.Generator().manual_seed(seed))
        latents = ddim(denoise, process, noise, sampling_times(process.num_train_timesteps, steps))
        return vae.decode(latents / vae.config.scaling_factor).sample.clamp(-1, 1)

    return views


def _projection_kind(diffusers: Any) -> Any:
    """The class of the layer from CLIP's feature and four numbers to the context token."""

    class CLIPCameraProjection(diffusers.ModelMixin, diffusers.ConfigMixin):
        config_name = "config.json"

        @diffusers.configuration_utils.register_to_config
        def __init__(self, embedding_dim: int = 768, additional_embeddings: int = 4):
            super().__init__()
            self.proj = nn.Linear(embedding_dim + additional_embeddings, embedding_dim)

    return CLIPCameraProjection


def _resized(image: Float[Tensor, "3 h w"], size: int) -> Float[Tensor, "1 3 s s"]:
    return F.interpolate(image[None], (size, size), mode="bicubic", align_corners=False).clamp(-1, 1)


def _for_clip(image: Float[Tensor, "3 h w"], size: int) -> Float[Tensor, "1 3 s s"]:
    mean, std = (image.new_tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    return ((_resized(image, size) + 1) / 2 - mean) / std
