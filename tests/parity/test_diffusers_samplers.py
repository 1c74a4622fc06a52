"""Every sampler walks as diffusers' scheduler of the same name, all the way from noise to data, float32, 1e-5."""

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
)
from scheduler_tools import CLOSE, THEIR_NAMES, in_float64

from minilib.diffusion import samplers, schedules
from minilib.diffusion.guidance import make_denoiser
from minilib.diffusion.mixture import GaussianMixture
from minilib.diffusion.process import GaussianDiffusion

STEPS = 1000
KINDS = ["epsilon", "sample", "v_prediction"]
SPACINGS = ["leading", "trailing"]
CASES = [(schedule, kind, spacing) for schedule in THEIR_NAMES for kind in KINDS for spacing in SPACINGS]
PROCESSES = {name: GaussianDiffusion(schedules.make_betas(name, STEPS)) for name in THEIR_NAMES}
MIXTURE = GaussianMixture(
    torch.tensor([[0.8, -0.5, 0.3], [-0.6, 0.9, 0.1], [0.1, -0.2, -0.9]]), torch.tensor([0.3, 0.5, 0.4])
)
START = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))


def model_of(process, kind):
    """The perfect network of the mixture, predicting `kind`."""

    def model(x_t, t):
        x0 = MIXTURE.x0(process, x_t, t)
        return {
            "epsilon": process.predict_noise,
            "sample": process.predict_x0,
            "v_prediction": process.predict_velocity,
        }[kind](x0, x_t, t, prediction_type="sample")

    return model


def our_walk(sampler, schedule, kind, times, **options):
    process, states = PROCESSES[schedule], []
    denoise = make_denoiser(model_of(process, kind), process, prediction_type=kind, clip=False)
    sampler(denoise, process, START, times, callback=lambda step: states.append(step.x_prev), **options)
    return torch.stack(states)


def their_scheduler(kind_of, schedule, kind, **options):
    scheduler = kind_of(num_train_timesteps=STEPS, beta_schedule=THEIR_NAMES[schedule], prediction_type=kind, **options)
    in_float64(scheduler)
    return scheduler


def their_walk(scheduler, schedule, kind, **options):
    x, model, states = START, model_of(PROCESSES[schedule], kind), []
    for t in scheduler.timesteps:
        prediction = model(x, t.expand(len(x)))
        x = scheduler.step(prediction, t, x, **options).prev_sample.float()
        states.append(x)
    return torch.stack(states)


def seeded():
    return torch.Generator().manual_seed(1)


def assert_same_walk(ours, theirs):
    torch.testing.assert_close(ours, theirs, **CLOSE)


@pytest.mark.parametrize("num_steps", [5, 25])
@pytest.mark.parametrize(("schedule", "kind", "spacing"), CASES)
class TestStepCounts:
    def test_ddpm(self, schedule, kind, spacing, num_steps):
        times = samplers.sampling_times(STEPS, num_steps, spacing=spacing)
        scheduler = their_scheduler(DDPMScheduler, schedule, kind, clip_sample=False, timestep_spacing=spacing)
        scheduler.set_timesteps(num_steps)
        assert torch.equal(scheduler.timesteps, times)
        ours = our_walk(samplers.ddpm, schedule, kind, times, generator=seeded())
        theirs = their_walk(scheduler, schedule, kind, generator=seeded())
        assert_same_walk(ours, theirs)

    @pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
    def test_ddim(self, schedule, kind, spacing, num_steps, eta):
        times = samplers.sampling_times(STEPS, num_steps, spacing=spacing)
        scheduler = their_scheduler(DDIMScheduler, schedule, kind, clip_sample=False, timestep_spacing=spacing)
        scheduler.set_timesteps(num_steps)
        assert torch.equal(scheduler.timesteps, times)
        ours = our_walk(samplers.ddim, schedule, kind, times, eta=eta, generator=seeded())
        theirs = their_walk(scheduler, schedule, kind, eta=eta, generator=seeded())
        assert_same_walk(ours, theirs)

    def test_dpm_solver_pp_2m(self, schedule, kind, spacing, num_steps):
        times = samplers.sampling_times(STEPS, num_steps, spacing=spacing)
        scheduler = their_scheduler(DPMSolverMultistepScheduler, schedule, kind, final_sigmas_type="zero")
        scheduler.set_timesteps(timesteps=times.tolist())
        ours = our_walk(samplers.dpm_solver_pp_2m, schedule, kind, times)
        assert_same_walk(ours, their_walk(scheduler, schedule, kind))


@pytest.mark.parametrize("schedule", THEIR_NAMES)
class TestWholeWalks:
    @pytest.mark.parametrize("num_steps", [10, 50])
    def test_ddpm_with_the_larger_variance(self, schedule, num_steps):
        times = samplers.sampling_times(STEPS, num_steps, spacing="leading")
        options = {"clip_sample": False, "timestep_spacing": "leading", "variance_type": "fixed_large"}
        scheduler = their_scheduler(DDPMScheduler, schedule, "epsilon", **options)
        scheduler.set_timesteps(num_steps)
        ours = our_walk(samplers.ddpm, schedule, "epsilon", times, variance="beta", generator=seeded())
        assert_same_walk(ours, their_walk(scheduler, schedule, "epsilon", generator=seeded()))

    @pytest.mark.parametrize("num_steps", [10, 50])
    def test_ddpm_with_a_learned_variance(self, schedule, num_steps):
        times = samplers.sampling_times(STEPS, num_steps, spacing="leading")
        process = PROCESSES[schedule]
        options = {"clip_sample": False, "timestep_spacing": "leading", "variance_type": "learned_range"}
        scheduler = their_scheduler(DDPMScheduler, schedule, "epsilon", **options)
        scheduler.set_timesteps(num_steps)
        model = model_of(process, "epsilon")
        x, generator, theirs, ours = START, seeded(), [], []
        for t in scheduler.timesteps:
            both = torch.cat([model(x, t.expand(len(x))), torch.cos(3 * x)], dim=1)
            x = scheduler.step(both, t, x, generator=generator).prev_sample.float()
            theirs.append(x)
        plain = make_denoiser(model, process, prediction_type="epsilon", clip=False)
        samplers.ddpm(
            lambda x, t: (plain(x, t), torch.cos(3 * x)),
            process,
            START,
            times,
            variance="learned",
            generator=seeded(),
            callback=lambda step: ours.append(step.x_prev),
        )
        assert_same_walk(torch.stack(ours), torch.stack(theirs))

    def test_each_of_a_thousand_steps(self, schedule):
        """Step by step from their state: over a thousand steps in float32 the rounding of both adds up to 3e-5."""
        times, process = samplers.sampling_times(STEPS, STEPS), PROCESSES[schedule]
        assert torch.equal(times, torch.arange(STEPS).flip(0))
        model = model_of(process, "v_prediction")
        denoise = make_denoiser(model, process, prediction_type="v_prediction", clip=False)
        scheduler = their_scheduler(DDPMScheduler, schedule, "v_prediction", clip_sample=False)
        scheduler.set_timesteps(STEPS)
        x, noises, theirs, ours = START, seeded(), [], []
        for i, t in enumerate(scheduler.timesteps):
            again = torch.Generator()
            again.set_state(noises.get_state())
            samplers.ddpm(
                denoise,
                process,
                x,
                times[i : i + 2],
                generator=again,
                callback=lambda step: ours.append(step.x_prev) if step.index == 0 else None,
            )
            x = scheduler.step(model(x, t.expand(len(x))), t, x, generator=noises).prev_sample.float()
            theirs.append(x)
        assert_same_walk(torch.stack(ours), torch.stack(theirs))

    @pytest.mark.parametrize("num_steps", [1, 7, 50])
    def test_times_spaced_evenly_from_end_to_end(self, schedule, num_steps):
        scheduler = their_scheduler(DDPMScheduler, schedule, "epsilon", timestep_spacing="linspace")
        scheduler.set_timesteps(num_steps)
        times = samplers.sampling_times(STEPS, num_steps, spacing="linspace")
        assert torch.equal(torch.as_tensor(scheduler.timesteps.tolist()), times)


# Not cosine with "trailing": it starts at σ = 2 · 10⁴, where diffusers' y + (σ' − σ)(y − x̂_0)/σ rounds in float32.
# Found there, as x: Euler up to 1.2e-3 apart, Heun up to 3.8 (its second slope is divided by the much smaller σ').
@pytest.mark.parametrize("num_steps", [5, 25])
@pytest.mark.parametrize(("schedule", "kind", "spacing"), [c for c in CASES if c[::2] != ("cosine", "trailing")])
class TestKarrasVariables:
    def test_euler(self, schedule, kind, spacing, num_steps):
        check_karras(samplers.euler, EulerDiscreteScheduler, schedule, kind, spacing, num_steps)

    def test_heun(self, schedule, kind, spacing, num_steps):
        # Their Heun takes no prediction of x_0; as noise it is the same walk.
        their_kind = "epsilon" if kind == "sample" else kind
        check_karras(samplers.heun, HeunDiscreteScheduler, schedule, kind, spacing, num_steps, their_kind)


def check_karras(sampler, kind_of, schedule, kind, spacing, num_steps, their_kind=None):
    """Walks in y = x/√ᾱ; compared as x, where both ends of the schedule are about 1."""
    their_kind = their_kind or kind
    process, model = PROCESSES[schedule], model_of(PROCESSES[schedule], their_kind)
    times = samplers.sampling_times(STEPS, num_steps, spacing=spacing)
    scheduler = their_scheduler(kind_of, schedule, their_kind, timestep_spacing=spacing)
    scheduler.set_timesteps(num_steps)
    assert scheduler.timesteps.unique().flip(0).tolist() == times.tolist()
    signal = torch.cat([process.alphas_cumprod[times].sqrt(), torch.ones(1)])
    y, states, sigmas = START / signal[0], [], scheduler.sigmas
    for i, t in enumerate(scheduler.timesteps):
        prediction = model(scheduler.scale_model_input(y, t), t.long().expand(len(y)))
        y = scheduler.step(prediction, t, y).prev_sample
        if i + 1 == len(scheduler.timesteps) or sampler is samplers.euler or i % 2 == 1:
            states.append(y)  # Heun's odd calls are its corrections
    theirs = torch.stack(states) * signal[1:, None, None]
    assert len(sigmas) == len(scheduler.timesteps) + 1
    assert_same_walk(our_walk(sampler, schedule, kind, times), theirs)


@pytest.mark.parametrize("num_steps", [5, 25])
@pytest.mark.parametrize(("schedule", "kind", "spacing"), CASES)
def test_euler_is_ddim_without_fresh_noise(schedule, kind, spacing, num_steps):
    times = samplers.sampling_times(STEPS, num_steps, spacing=spacing)
    ddim = our_walk(samplers.ddim, schedule, kind, times)
    torch.testing.assert_close(our_walk(samplers.euler, schedule, kind, times), ddim, **CLOSE)
