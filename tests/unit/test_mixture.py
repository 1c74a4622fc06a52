"""Where everything is known exactly: losses, scores, guidance and samplers on a mixture of Gaussians in the plane."""

import math

import pytest
import torch

from minilib.diffusion import losses, samplers
from minilib.diffusion.flow import flow_euler, flow_path, flow_times
from minilib.diffusion.guidance import classifier_free_guidance, classifier_guidance, make_denoiser
from minilib.diffusion.mixture import GaussianMixture
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import make_betas
from minilib.metrics import energy_distance

ANGLES = torch.arange(3) * 2 * math.pi / 3
MIXTURE = GaussianMixture(
    torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1), torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.3, 0.2])
)
PROCESS = GaussianDiffusion(make_betas("cosine", 1000))
KINDS = ["epsilon", "sample", "v_prediction"]
N = 2000


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def denoise(x, t):
    return MIXTURE.x0(PROCESS, x, t)


def noised(k, seed=0, n=N):
    x0, label = MIXTURE.sample(n, generator=seeded(seed))
    t, noise = torch.full((n,), k), torch.randn(n, 2, generator=seeded(seed + 1))
    return x0, label, t, noise, PROCESS.q_sample(x0, t, noise)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [20, 300, 700, 980])
def test_no_prediction_has_a_lower_loss_than_the_mixture_s_own(kind, k):
    x0, _, t, noise, x_t = noised(k)
    best = losses.prediction_target(PROCESS, denoise(x_t, t), t, noise, prediction_type="sample")
    convert = {"epsilon": PROCESS.predict_noise, "sample": PROCESS.predict_x0, "v_prediction": PROCESS.predict_velocity}
    said = convert[kind](best, x_t, t, prediction_type="sample")

    def loss(prediction):
        return losses.simple_loss(PROCESS, prediction, x0, t, noise, prediction_type=kind)

    scale = losses.prediction_target(PROCESS, x0, t, noise, prediction_type=kind).std()
    for change in (0.3 * scale, -0.3 * scale, 0.3 * scale * x_t.sin(), 0.3 * scale * (5 * x_t).cos()):
        assert (loss(said + change) - loss(said)).mean() > 0
    # At the minimum the error is uncorrelated with everything the network sees.
    target = losses.prediction_target(PROCESS, x0, t, noise, prediction_type=kind)
    error = (target - said) * x_t
    assert (error.mean(0).abs() < 4 * error.std(0) / N**0.5).all()


@pytest.mark.parametrize("k", [20, 300, 700])
def test_score_is_the_gradient_of_the_log_density(k):
    *_, t, _, x_t = noised(k, n=50)
    x = x_t.double().requires_grad_()
    mixture = GaussianMixture(MIXTURE.means.double(), MIXTURE.variances.double().sqrt(), MIXTURE.log_weights.exp())
    (gradient,) = torch.autograd.grad(mixture.log_density(PROCESS, x, t).sum(), x)
    torch.testing.assert_close(mixture.score(PROCESS, x, t).detach(), gradient, rtol=1e-4, atol=1e-4)
    said = PROCESS.predict_noise(denoise(x_t, t), x_t, t, prediction_type="sample")
    _, sigma = PROCESS.signal_and_noise(t, x_t)
    torch.testing.assert_close(-said / sigma, gradient.float(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("k", [100, 500, 900])
def test_classifier_guidance_turns_the_whole_into_one_class(k):
    """With the exact classifier and scale 1 the result is the denoiser of the class; so is guidance without one."""
    _, label, t, _, x_t = noised(k, n=100)

    def log_probability(x, times):
        return MIXTURE.log_class_probability(PROCESS, x, times)[torch.arange(100), label]

    guided = classifier_guidance(denoise, PROCESS, log_probability)(x_t, t)
    conditional = MIXTURE.x0(PROCESS, x_t, t, label)
    torch.testing.assert_close(guided, conditional, rtol=1e-3, atol=1e-3)
    double = classifier_guidance(denoise, PROCESS, log_probability, guidance_scale=2.0)(x_t, t)
    free = classifier_free_guidance(conditional, denoise(x_t, t), guidance_scale=2.0)
    torch.testing.assert_close(double, free, rtol=1e-3, atol=2e-3)


DATA, _ = MIXTURE.sample(N, generator=seeded(10))
# What the distance of two sets of real points is: nineteen in twenty are below LIMIT.
LIMIT = sorted(
    energy_distance(MIXTURE.sample(N, generator=seeded(100 + i))[0], MIXTURE.sample(N, generator=seeded(200 + i))[0])
    for i in range(20)
)[-1]
START = torch.randn(N, 2, generator=seeded(11))


def distance_of(points):
    return energy_distance(points, DATA)


def walk(sampler, num_steps, denoiser=denoise, **options):
    return sampler(denoiser, PROCESS, START, samplers.sampling_times(1000, num_steps), **options)


SAMPLERS = {
    "ddpm": lambda: walk(samplers.ddpm, 200, generator=seeded(1)),
    "ddpm beta": lambda: walk(samplers.ddpm, 1000, variance="beta", generator=seeded(1)),
    "ddim": lambda: walk(samplers.ddim, 100),
    "ddim, eta 1": lambda: walk(samplers.ddim, 200, eta=1.0, generator=seeded(1)),
    "dpm_solver_pp_2m": lambda: walk(samplers.dpm_solver_pp_2m, 50),
    "euler": lambda: walk(samplers.euler, 100),
    "heun": lambda: walk(samplers.heun, 50),
    "flow_euler": lambda: flow_euler(flow_velocity, START, flow_times(100)),
}


def flow_velocity(x, u):
    """E[ε − x_0 | x_u]: the straight path at u is a noised point of another scale."""
    signal, sigma = 1 - u[:, None], u[:, None]
    gain = signal * MIXTURE.variances / (signal**2 * MIXTURE.variances + sigma**2).clamp(min=1e-12)
    means = MIXTURE.means + gain[..., None] * (x[:, None] - signal[..., None] * MIXTURE.means)
    spread = signal**2 * MIXTURE.variances + sigma**2
    distance = (x[:, None] - signal[..., None] * MIXTURE.means).square().sum(-1)
    share = torch.softmax(MIXTURE.log_weights - distance / (2 * spread) - torch.log(spread), dim=1)
    x0 = torch.einsum("bk,bkd->bd", share, means)
    return (x - x0) / sigma


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_end_at_the_data_s_distribution(name):
    assert distance_of(SAMPLERS[name]()) < LIMIT


def test_heun_is_of_second_order_on_the_cosine_schedule_too():
    """From pure noise, where √ᾱ is 5·10⁻⁵, the mean slope of the first step would miss by more than the data's size."""
    exact = walk(samplers.heun, 1000)

    def error(sampler, num_steps):
        return (walk(sampler, num_steps) - exact).norm(dim=1).mean()

    solvers = samplers.euler, samplers.heun
    euler, heun = ([error(solver, num_steps) for num_steps in (25, 100)] for solver in solvers)
    assert 3 < euler[0] / euler[1] < 5, "first order: a quarter of the step, a quarter of the error"
    assert heun[0] / heun[1] > 6
    assert heun[1] < euler[1] / 3


def test_guided_denoiser_of_a_learned_variance():
    """Guidance moves the prediction; the fraction is the conditional one's."""

    def model(x, t, labels):
        return torch.cat([x + labels[:, None], x * 0 + 0.1 * labels[:, None]], dim=1)

    x, t = START[:6], torch.full((6,), 500)
    options = {"prediction_type": "sample", "labels": torch.full((6,), 3), "null_label": 1, "clip": False}
    said, fraction = make_denoiser(model, PROCESS, guidance_scale=2.0, learned_variance=True, **options)(x, t)
    torch.testing.assert_close(said, x + 5)
    torch.testing.assert_close(fraction, torch.full_like(x, 0.3))
    plain, _ = make_denoiser(model, PROCESS, learned_variance=True, **options)(x, t)
    torch.testing.assert_close(plain, x + 3)


def wrong_ddpm(*, last_noise=0.0, deviation=1.0, shift=0):
    """Ancestral sampling with a mistake."""
    x, generator, times = START, seeded(1), samplers.sampling_times(1000, 1000)
    for k in times.tolist():
        t = torch.full((N,), k)
        mean, variance = PROCESS.q_posterior(denoise(x, (t + shift).clamp(0, 999)), x, t)
        spread = deviation * variance.sqrt() if k else last_noise
        x = mean + spread * torch.randn(x.shape, generator=generator)
    return x


def one_cluster(x, t):
    return MIXTURE.x0(PROCESS, x, t, torch.zeros(len(x), dtype=torch.long))


WRONG = {
    "noise after the last step": lambda: wrong_ddpm(last_noise=0.2),
    "no fresh noise at all": lambda: wrong_ddpm(deviation=0.0),
    "variance for deviation": lambda: wrong_ddpm(deviation=0.8),
    "asks for times too late": lambda: wrong_ddpm(shift=150),
    "DDIM with the noise of the next level": lambda: walk(
        samplers.ddim, 100, lambda x, t: denoise(x, (t - 50).clamp(min=0))
    ),
    "two steps": lambda: walk(samplers.ddim, 2),
    "one cluster only": lambda: walk(samplers.ddim, 100, one_cluster),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_sampler_is_found_out(name):
    assert distance_of(WRONG[name]()) > LIMIT


def test_the_right_ancestral_loop_would_pass():
    assert distance_of(wrong_ddpm()) < LIMIT


def test_learned_fractions_go_between_the_two_variances():
    """The network's second output at −1 and 1 gives the two fixed variances, step by step."""
    for fraction, variance in ((-1.0, "posterior"), (1.0, "beta")):
        learned = walk(
            samplers.ddpm,
            20,
            lambda x, t, fraction=fraction: (denoise(x, t), torch.full_like(x, fraction)),
            variance="learned",
            generator=seeded(2),
        )
        fixed = walk(samplers.ddpm, 20, variance=variance, generator=seeded(2))
        torch.testing.assert_close(learned, fixed, rtol=1e-4, atol=1e-5)


def test_flow_loss_is_lowest_at_the_mixture_s_velocity():
    x0, _ = MIXTURE.sample(N, generator=seeded(3))
    u = torch.rand(N, generator=seeded(4)) * 0.9 + 0.05
    x_u, target = flow_path(x0, torch.randn(N, 2, generator=seeded(5)), u)
    best = flow_velocity(x_u, u)
    for change in (0.2, -0.2, 0.1 * best, -0.1 * best):
        assert ((best + change - target).square() - (best - target).square()).mean() > 0
