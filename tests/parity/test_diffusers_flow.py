"""Flow matching walks as diffusers' FlowMatchEulerDiscreteScheduler, float32, 1e-5."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from scheduler_tools import CLOSE

from minilib.diffusion.flow import flow_euler, flow_path, flow_times


def velocity(x, u):
    return torch.sin(3 * x) - x * u.reshape(-1, 1) + 0.3


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("num_steps", [1, 5, 50])
def test_walk(num_steps, shift):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / num_steps, num_steps))
    times = flow_times(num_steps, shift=shift)
    torch.testing.assert_close(times, scheduler.sigmas, **CLOSE)
    x = start = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    theirs, ours = [], []
    for t, sigma in zip(scheduler.timesteps, scheduler.sigmas[:-1], strict=True):
        x = scheduler.step(velocity(x, sigma.expand(8)), t, x).prev_sample
        theirs.append(x)
    flow_euler(velocity, start, times, callback=lambda i, u, x: ours.append(x))
    torch.testing.assert_close(torch.stack(ours), torch.stack(theirs), **CLOSE)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_path(shift):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 6, 3, 4, 4, generator=generator)
    picks = torch.tensor([0, 1, 100, 500, 900, 999])
    theirs = scheduler.scale_noise(x0, scheduler.timesteps[picks], noise)
    ours, target = flow_path(x0, noise, scheduler.sigmas[picks])
    torch.testing.assert_close(ours, theirs, **CLOSE)
    torch.testing.assert_close(ours - x0, scheduler.sigmas[picks][:, None, None, None] * target, **CLOSE)
