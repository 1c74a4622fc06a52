"""Bad input to diffusion, recipes and weights gets one clear line. Run without shape checks, as users do."""

import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from minilib.checkpoints import fit_state_dict
from minilib.diffusion import flow, guidance, losses, samplers, schedules
from minilib.diffusion.mixture import GaussianMixture
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.unet import UNet, UNetConfig
from minilib.interop.diffusers import config_from_diffusers, load_ddpm, to_ddpm_pipeline, unet_to_diffusers
from minilib.metrics import energy_distance, frechet_distance
from minilib.recipes import DDPMToybox, make_recipe
from minilib.studies import read_study
from minilib.train import with_settings
from minilib.training import TrainConfig
from minilib.weights import FOLDER, cards, load_trained

process = GaussianDiffusion(schedules.linear_betas(10))
x = torch.rand(2, 3, 8, 8)
now = torch.tensor([0, 9])
labels = torch.tensor([0, 2])
unet = UNet(UNetConfig(block_out_channels=(8, 8), attention=(False, False), norm_num_groups=4, num_class_embeds=3))


def tiny(**changes):
    return UNetConfig(**{"block_out_channels": (8, 8), "attention": (False, True), "norm_num_groups": 4, **changes})


told = UNet(tiny(num_class_embeds=3, context_dim=4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: samplers.sampling_times(10, 11), r"1 to 10 sampling steps \(the model was trained on 10\), got 11"),
        (lambda: samplers.sampling_times(10, 5, spacing="trail"), "Unknown spacing 'trail'. Did you mean 'trailing'"),
        (lambda: samplers.ddim(None, process, x, torch.tensor([3, 5])), r"times that fall within 9..0, got \[3, 5\]"),
        (lambda: samplers.ddim(None, process, x, torch.tensor([10, 5])), r"times that fall within 9..0"),
        (lambda: samplers.ddim(None, process, x, now.flip(0), eta=1.5), r"eta in \[0, 1\], got 1.5"),
        (lambda: samplers.ddpm(None, process, x, now.flip(0), variance="fixed"), "Unknown variance 'fixed'"),
        (lambda: losses.min_snr_weights(x, gamma=0, prediction_type="sample"), "gamma > 0, got 0"),
        (lambda: losses.simple_loss(process, x, x, now, x, prediction_type="eps"), "Unknown prediction type 'eps'"),
        (lambda: losses.hybrid_loss(process, x, x, now, x), "expected 6 channels, a prediction and a variance, got 3"),
        (
            lambda: guidance.make_denoiser(unet, process, prediction_type="sample", guidance_scale=2.0),
            "guidance_scale 2.0 needs labels and null_label",
        ),
        (lambda: guidance.dynamic_threshold(x, quantile=0), r"quantile in \(0, 1\], got 0"),
        (lambda: flow.flow_path(x, x, torch.tensor([0.0, 1.5])), r"u in \[0, 1\], got 0 to 1.5"),
        (lambda: flow.flow_path(x, x[:1], torch.zeros(2)), "one shape and one u for each example"),
        (lambda: flow.flow_euler(None, x, torch.tensor([0.0, 1.0])), "at least two falling times"),
        (lambda: flow.flow_times(0), "num_inference_steps >= 1"),
        (lambda: flow.flow_times(4, shift=0.0), "shift > 0, got 0"),
        (lambda: GaussianMixture(torch.zeros(2, 2), torch.ones(3)), r"got \(2, 2\), \(3,\) and \(3,\)"),
        (lambda: GaussianMixture(torch.zeros(2, 2), torch.zeros(2)), "positive deviations"),
        (lambda: unet(x, now), r"expected class labels 0..2, got none"),
        (lambda: unet(x, now, labels + 1), r"class labels in 0..2, got 1..3"),
        (lambda: unet(x, now, labels, torch.zeros(2, 1, 4)), r"expected no context, got \(2, 1, 4\)"),
        (
            lambda: tiny(attention=(False, False), context_dim=4),
            "a resolution with attention to look at a context of 4",
        ),
        (lambda: told(x, now, labels), r"expected a context \(b, n, 4\), got none"),
        (lambda: unet_to_diffusers(told), "expected a U-Net without a context, as UNet2DModel is, got context_dim 4"),
        (lambda: unet(x[:, :, :7], now, labels), r"height and width divisible by 2, got \(7, 8\)"),
        (lambda: unet(x[:, :1], now, labels), r"images \(b, 3, h, w\), got \(2, 1, 8, 8\)"),
        (lambda: unet(x, now[:1], labels), r"t of shape \(2,\), one time for each image, got \(1,\)"),
        (lambda: tiny(norm_num_groups=3), "norm_num_groups to divide every width, got 3 and width 8"),
        (lambda: tiny(attention_head_dim=3), "attention_head_dim to divide every width, got 3 and width 8"),
        (lambda: tiny(attention=(True,)), "attention to have 2 entries, as block_out_channels, got 1"),
        (lambda: config_from_diffusers({"downsample_type": "resnet"}), "downsample_type = 'conv', got 'resnet'"),
        (lambda: config_from_diffusers({"down_block_types": ("SkipDownBlock2D",)}), "got SkipDownBlock2D"),
        (lambda: to_ddpm_pipeline(unet, process, prediction_type="sample", label=3), "a label in 0..2, got 3"),
        (lambda: frechet_distance(x[0, 0], x[0, 0, :, :3]), r"sets of features .* \(8, 8\) and \(8, 3\)"),
        (lambda: energy_distance(x[0, 0], x[0, 0, :1]), "two sets of points"),
        (lambda: read_study("objective"), "Unknown study 'objective'. Did you mean 'objectives'"),
        (lambda: make_recipe("ddpm-toy"), "Unknown recipe 'ddpm-toy'. Did you mean 'ddpm-toybox'"),
        (lambda: with_settings(make_recipe("ddpm-toybox"), ["train.step=3"]), "Did you mean 'steps'"),
        (lambda: with_settings(make_recipe("ddpm-toybox"), ["train.steps=a"]), "train.steps=a: invalid literal"),
        (lambda: with_settings(make_recipe("ddpm-toybox"), ["steps"]), "expected name=value"),
        (lambda: TrainConfig(steps=0, batch_size=1, learning_rate=1.0), "steps > 0, got 0"),
        (lambda: TrainConfig(steps=1, batch_size=1, learning_rate=1.0, warmup_steps=-1), "warmup_steps >= 0, got -1"),
        (lambda: DDPMToybox(schedule="cosin"), "Did you mean 'cosine'"),
        (lambda: DDPMToybox(prediction_type="v"), "Unknown prediction type 'v'"),
        (lambda: DDPMToybox(num_train_timesteps=10), "num_train_timesteps >= 25, the previews' steps, got 10"),
        (lambda: DDPMToybox(label_dropout=1.0), r"label_dropout in \[0, 1\), got 1.0"),
        (lambda: DDPMToybox(time_shift=0.0), "time_shift > 0, got 0"),
    ],
)
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_keys_that_do_not_fit_are_listed():
    state = unet.state_dict()
    state["extra"] = state.pop("conv_in.bias")
    state["conv_out.bias"] = torch.zeros(4)
    message = (
        r"1 missing: conv_in.bias; 1 unexpected: extra; 1 of another shape: conv_out.bias \(4,\) \(expected \(3,\)\)"
    )
    with pytest.raises(ValueError, match=message):
        fit_state_dict(unet, state, source="a file")


def test_damaged_weights_are_refused(tmp_path):
    save_file({"a": torch.zeros(100)}, tmp_path / "ddpm-toybox.safetensors")
    (tmp_path / "ddpm-toybox.json").write_text(json.dumps({"sha256": "0" * 64}))
    for load in (lambda: cards(tmp_path), lambda: load_trained("ddpm-toybox", tmp_path)):
        with pytest.raises(
            ValueError, match=r"ddpm-toybox.safetensors has sha256 \w+, its card says 0000.*fetch it again"
        ):
            load()
    with pytest.raises(FileNotFoundError, match=r"no trained 'classifier-toybox' .*there: ddpm-toybox"):
        load_trained("classifier-toybox", tmp_path)


def test_cards_that_are_damaged_or_of_another_version_are_refused(tmp_path):
    path = tmp_path / "ddpm-toybox.json"
    save_file({"a": torch.zeros(1)}, tmp_path / "ddpm-toybox.safetensors")
    digest = hashlib.sha256((tmp_path / "ddpm-toybox.safetensors").read_bytes()).hexdigest()
    path.write_text(json.dumps({"sha256": digest, "recipe": {"colour": "red"}}))
    with pytest.raises(ValueError, match=r"ddpm-toybox.json has settings that this version's ddpm-toybox .*'colour'"):
        load_trained("ddpm-toybox", tmp_path)
    path.write_text(path.read_text()[:20])
    with pytest.raises(ValueError, match=r"the card .*ddpm-toybox.json is damaged"):
        cards(tmp_path)


def test_a_model_that_builds_on_another_one_is_refused_if_that_has_changed(tmp_path):
    for suffix in (".json", ".safetensors"):
        shutil.copy(FOLDER / f"sam2-toybox{suffix}", tmp_path)
    path = tmp_path / "sam2-toybox.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"given_sha256": "0" * 64}))
    with pytest.raises(ValueError, match="sam2-toybox was trained with other weights of the model that it builds on"):
        load_trained("sam2-toybox", tmp_path)


@pytest.mark.parametrize("answer", [x, (x, x)])
def test_variances_and_denoisers_that_do_not_belong_together(answer):
    variance = "learned" if answer is x else "posterior"
    with pytest.raises(TypeError, match='expected a pair from the denoiser with variance "learned" only'):
        samplers.ddpm(lambda *_: answer, process, x, now.flip(0), variance=variance)


def test_folders_that_are_not_there():
    with pytest.raises(OSError, match=r"'/nowhere/at/all' is no folder here, and the hub does not give it"):
        load_ddpm("/nowhere/at/all")


def test_only_new_weights_may_be_missing():
    layer = torch.nn.Linear(2, 2)
    before = layer.bias.clone()
    fit_state_dict(layer, {"weight": torch.ones(2, 2)}, source="a file", new="^bias$")
    assert torch.equal(layer.weight, torch.ones(2, 2)) and torch.equal(layer.bias, before)
    with pytest.raises(ValueError, match="a file does not fit Linear: 1 missing: weight; 1 unexpected: other"):
        fit_state_dict(layer, {"other": torch.ones(1)}, source="a file", new="^bias$")
