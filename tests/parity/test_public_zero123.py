"""The published Zero-1-to-3: its parts from a folder, drawn from as diffusers would; random weights, float32, 1e-4."""

import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, ConfigMixin, DDIMScheduler, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from minilib.interop.hub import check_source
from minilib.interop.zero123 import CLIP_MEAN, CLIP_STD, load_zero123

WIDTH = 32


class Projection(ModelMixin, ConfigMixin):
    config_name = "config.json"

    @register_to_config
    def __init__(self, embedding_dim: int = WIDTH, additional_embeddings: int = 4):
        super().__init__()
        self.proj = nn.Linear(embedding_dim + additional_embeddings, embedding_dim)


def stand_in(folder, prediction_type="epsilon"):
    """Random weights in the layout of ashawkey/zero123-xl-diffusers, which draws 256 pixels; this one 32."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=8,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
    )
    vae = AutoencoderKL(
        block_out_channels=(16, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
    )
    clip = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=40,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=32,
            patch_size=8,
            projection_dim=WIDTH,
        )
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
    )
    parts = {
        "unet": unet.eval(),
        "vae": vae.eval(),
        "image_encoder": clip.eval(),
        "scheduler": scheduler,
        "clip_camera_projection": Projection(),
    }
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    return parts


@torch.no_grad()
@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
def test_it_draws_what_diffusers_sampler_draws_from_the_same_parts(tmp_path, guidance_scale):
    parts = stand_in(tmp_path)
    image = 2 * torch.rand(3, 64, 64) - 1
    offset = torch.tensor([[0.1, 0.5, 0.8, 0.0], [-0.2, -1.0, 0.0, 0.1]])
    ours = load_zero123(str(tmp_path))(image, offset, steps=4, guidance_scale=guidance_scale, seed=3)
    assert ours.shape == (2, 3, 32, 32)

    small = F.interpolate(image[None], (32, 32), mode="bicubic").clamp(-1, 1)
    mean, std = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    feature = parts["image_encoder"](((small + 1) / 2 - mean) / std).image_embeds.expand(2, -1)
    token = parts["clip_camera_projection"].proj(torch.cat([feature, offset], dim=1))[:, None]
    beside = parts["vae"].encode(small).latent_dist.mode().expand(2, -1, -1, -1)
    scheduler = DDIMScheduler.from_config(parts["scheduler"].config, timestep_spacing="trailing", set_alpha_to_one=True)
    scheduler.set_timesteps(4)
    x = torch.randn(beside.shape, generator=torch.Generator().manual_seed(3))
    for t in scheduler.timesteps:
        given = parts["unet"](torch.cat([x, beside], dim=1), t, token).sample
        blind = parts["unet"](torch.cat([x, torch.zeros_like(beside)], dim=1), t, torch.zeros_like(token)).sample
        x = scheduler.step(blind + guidance_scale * (given - blind), t, x).prev_sample
    theirs = parts["vae"].decode(x / parts["vae"].config.scaling_factor).sample.clamp(-1, 1)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_what_does_not_fit_is_refused(tmp_path):
    stand_in(tmp_path)
    views, offset = load_zero123(str(tmp_path)), torch.zeros(1, 4)
    with pytest.raises(ValueError, match=r"expected a picture \(3, h, w\) and motions \(b, 4\), got \(1, 3, 8, 8\)"):
        views(torch.zeros(1, 3, 8, 8), offset)
    with pytest.raises(ValueError, match=r"got \(3, 8, 8\) and \(1, 3\)"):
        views(torch.zeros(3, 8, 8), offset[:, :3])
    with pytest.raises(ValueError, match=r"expected a picture in \[-1, 1\], got values in \[0, 255\]"):
        views(torch.tensor([0.0, 255.0]).expand(3, 8, 2), offset)
    with pytest.raises(OSError, match="'nobody/nothing' is no folder here, and the hub does not give it"):
        load_zero123("nobody/nothing")
    stand_in(tmp_path, prediction_type="v_prediction")
    with pytest.raises(ValueError, match="expected a model that predicts epsilon, got 'v_prediction'"):
        load_zero123(str(tmp_path))


def test_what_was_fetched_before_needs_no_network(monkeypatch):
    """A model of several parts has no config.json of its own."""
    fetched = "unet/config.json"
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda source, file: file if file == fetched else None
    )
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: pytest.fail("the hub was asked"))
    check_source("somebody/something", file=fetched)
