"""The forward process equals diffusers' schedulers, float32, 1e-5."""

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from scheduler_tools import CLOSE, THEIR_NAMES, in_float64

from minilib.diffusion import schedules
from minilib.diffusion.process import GaussianDiffusion


@pytest.fixture(params=[("linear", 1000), ("cosine", 1000), ("linear", 50), ("cosine", 50)], ids=str)
def twins(request):
    name, num_steps = request.param
    theirs = DDPMScheduler(num_train_timesteps=num_steps, beta_schedule=THEIR_NAMES[name], clip_sample=False)
    return GaussianDiffusion(schedules.make_betas(name, num_steps)), theirs


@pytest.fixture
def batch(twins):
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 16, 3, 8, 8, generator=generator)
    return x0, noise, torch.linspace(0, twins[0].num_train_timesteps - 1, 16).long()


def test_schedule(twins):
    ours, theirs = twins
    torch.testing.assert_close(ours.betas, theirs.betas, **CLOSE)
    torch.testing.assert_close(ours.alphas_cumprod, theirs.alphas_cumprod, **CLOSE)


def test_add_noise(twins, batch):
    x0, noise, t = batch
    torch.testing.assert_close(twins[0].q_sample(x0, t, noise), twins[1].add_noise(x0, noise, t), **CLOSE)


def test_get_velocity(twins, batch):
    x0, noise, t = batch
    torch.testing.assert_close(twins[0].velocity(x0, t, noise), twins[1].get_velocity(x0, noise, t), **CLOSE)


def test_compute_snr(twins, batch):
    _, theirs = twins
    in_float64(theirs)
    found = schedules.snr(schedules.alphas_cumprod(theirs.betas))[batch[2]]
    torch.testing.assert_close(found.float(), compute_snr(theirs, batch[2]), **CLOSE)


@pytest.mark.parametrize("prediction_type", ["epsilon", "sample", "v_prediction"])
def test_posterior(twins, batch, prediction_type):
    """One `step` of DDPMScheduler: its mean is the posterior's, at the x_0 the prediction stands for."""
    ours, theirs = twins
    theirs.register_to_config(prediction_type=prediction_type)
    in_float64(theirs)
    x0, noise, times = batch
    for k in range(len(times)):
        t = times[k : k + 1]
        x_t = ours.q_sample(x0[k : k + 1], t, noise[k : k + 1])
        target = {
            "epsilon": noise[k : k + 1],
            "sample": x0[k : k + 1],
            "v_prediction": ours.velocity(x0[k : k + 1], t, noise[k : k + 1]),
        }[prediction_type]
        clean = ours.predict_x0(target, x_t, t, prediction_type=prediction_type)
        mean, variance = ours.q_posterior(clean, x_t, t)
        stepped = theirs.step(target, int(t), x_t, generator=torch.Generator().manual_seed(k)).prev_sample
        draw = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(k))
        found = mean + (variance.clamp(min=1e-20).sqrt() * draw if int(t) > 0 else 0)
        torch.testing.assert_close(found, stepped, **CLOSE)
