"""The U-Net equals diffusers' UNet2DModel with the same random weights, float32, 1e-4; so does the whole pipeline."""

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel

from minilib.attention.recorder import record_attention, use_fused
from minilib.diffusion.guidance import make_denoiser
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.samplers import ddpm, sampling_times
from minilib.diffusion.schedules import make_betas
from minilib.diffusion.unet import UNet, UNetConfig
from minilib.interop.diffusers import load_ddpm, to_ddpm_pipeline, unet_from_diffusers, unet_to_diffusers

SMALL = {"block_out_channels": (32, 64), "layers_per_block": 1, "norm_num_groups": 8}
MIXED = {
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
}
CROSSED = {
    "down_block_types": ("AttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
}
CONFIGS = {
    "labels": {**SMALL, **MIXED, "num_class_embeds": 5},
    "two layers": {**SMALL, **MIXED, "layers_per_block": 2},
    "attention differs up and down": {**SMALL, **CROSSED, "attention_head_dim": 16},
    "scale and shift": {**SMALL, **MIXED, "resnet_time_scale_shift": "scale_shift"},
    "no attention in the middle": {**SMALL, **MIXED, "add_attention": False},
    "as the original DDPM": {
        **{"block_out_channels": (128, 256, 256, 256), "layers_per_block": 2, "norm_eps": 1e-6},
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        **{"attention_head_dim": None, "downsample_padding": 0, "flip_sin_to_cos": False, "freq_shift": 1},
    },
}


@pytest.fixture(params=CONFIGS)
def theirs(request):
    torch.manual_seed(0)
    model = UNet2DModel(**CONFIGS[request.param]).eval()
    for parameter in model.parameters():  # their biases start at zero, where a lost one would not show
        if parameter.ndim == 1:
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return model


def inputs(model):
    generator = torch.Generator().manual_seed(1)
    labels = torch.tensor([1, 4]) if model.config["num_class_embeds"] else None
    return torch.randn(2, 3, 16, 16, generator=generator), torch.tensor([3, 900]), labels


@torch.no_grad()
def test_outputs_are_equal_both_ways(theirs):
    x, t, labels = inputs(theirs)
    expected = theirs(x, t, class_labels=labels).sample
    ours = unet_from_diffusers(theirs.config, theirs.state_dict())
    torch.testing.assert_close(ours(x, t, labels), expected, rtol=1e-4, atol=1e-4)
    back = unet_to_diffusers(ours)
    torch.testing.assert_close(back(x, t, class_labels=labels).sample, expected, rtol=1e-4, atol=1e-4)


def test_gradients_are_equal():
    torch.manual_seed(0)
    theirs = UNet2DModel(**CONFIGS["labels"])
    ours = unet_from_diffusers(theirs.config, theirs.state_dict())
    x, t, labels = inputs(theirs)
    theirs(x, t, class_labels=labels).sample.square().mean().backward()
    ours(x, t, labels).square().mean().backward()
    torch.testing.assert_close(ours.conv_in.weight.grad, theirs.conv_in.weight.grad, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_attention_names_of_old_checkpoints():
    theirs = UNet2DModel(**CONFIGS["labels"]).eval()
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    state = theirs.state_dict()
    for new, before in old.items():
        state = {name.replace(new, before): value for name, value in state.items()}
    x, t, labels = inputs(theirs)
    ours = unet_from_diffusers(theirs.config, state)
    torch.testing.assert_close(ours(x, t, labels), theirs(x, t, class_labels=labels).sample, rtol=1e-4, atol=1e-4)


def small_unet():
    torch.manual_seed(0)
    config = UNetConfig(**SMALL, attention=(False, True), num_class_embeds=4, attention_head_dim=32)
    unet = UNet(config).eval()
    for parameter in unet.parameters():  # some layers start at zero
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return unet


@torch.no_grad()
def test_a_new_network_blurs_and_adds_nothing():
    """Halving and doubling begin as a blur of each channel; residual blocks and attention as nothing."""
    torch.manual_seed(0)
    unet = UNet(UNetConfig(**SMALL, attention=(False, True)))
    x = torch.randn(2, 32, 16, 16)
    kernel = torch.tensor([0.25, 0.5, 0.25])
    blurred = torch.nn.functional.conv2d(
        x, (kernel[:, None] * kernel).expand(32, 1, 3, 3), stride=2, padding=1, groups=32
    )
    half = unet.down_blocks[0].resample
    torch.testing.assert_close(half(x) - half.conv.bias[:, None, None], blurred, rtol=1e-5, atol=1e-5)
    block = unet.down_blocks[0].resnets[0]
    added = block(x, torch.randn(2, 128)) - x
    torch.testing.assert_close(added, block.conv2.bias[:, None, None].expand_as(added), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_recording_attention_changes_nothing():
    unet, x = small_unet(), torch.randn(2, 3, 16, 16)
    t, labels = torch.tensor([3, 900]), torch.tensor([0, 3])
    expected = unet(x, t, labels)
    use_fused(unet, False)
    with record_attention(unet) as records:
        torch.testing.assert_close(unet(x, t, labels), expected, rtol=1e-5, atol=1e-5)
    assert set(records) == {"down_blocks.1.attentions.0", "mid_block.attentions.0"} | {
        f"up_blocks.0.attentions.{k}" for k in range(2)
    }
    for (weights,) in records.values():
        assert weights.shape == (2, 2, 64, 64)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 64))
    unet(x, t, labels)
    assert all(len(weights) == 1 for weights in records.values())


@torch.no_grad()
def test_pipeline_draws_what_our_sampler_draws():
    unet, process = small_unet(), GaussianDiffusion(make_betas("cosine", 20))
    pipeline = to_ddpm_pipeline(unet, process, prediction_type="v_prediction", label=2)
    pipeline.unet.register_to_config(sample_size=16)
    drawn = pipeline(
        batch_size=3, generator=torch.Generator().manual_seed(5), num_inference_steps=20, output_type="np"
    ).images
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(3, 3, 16, 16, generator=generator)
    denoise = make_denoiser(unet, process, prediction_type="v_prediction", labels=torch.full((3,), 2))
    ours = ddpm(denoise, process, noise, sampling_times(20, 20), generator=generator)
    found = (ours / 2 + 0.5).clamp(0, 1).movedim(1, -1)
    torch.testing.assert_close(found, torch.from_numpy(drawn), rtol=1e-4, atol=1e-4)


def test_a_published_model_loads_from_its_folder(tmp_path):
    """A stand-in with random weights, in the layout of google/ddpm-cifar10-32 on the hub."""
    settings = {"beta_schedule": "linear", "variance_type": "fixed_large", "prediction_type": "epsilon"}
    theirs = UNet2DModel(**CONFIGS["as the original DDPM"])
    theirs.save_pretrained(tmp_path)
    DDPMScheduler(**settings).save_pretrained(tmp_path)
    unet, process, prediction_type = load_ddpm(str(tmp_path))
    x, t, _ = inputs(theirs)
    with torch.no_grad():
        torch.testing.assert_close(unet(x, t), theirs(x, t).sample, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(process.betas, make_betas("linear").float(), rtol=1e-5, atol=0)
    assert prediction_type == "epsilon"


def test_a_hub_that_cannot_be_reached_is_one_error_at_once():
    with pytest.raises(OSError, match="'nobody/nothing' is no folder here, and the hub does not give it"):
        load_ddpm("nobody/nothing")
