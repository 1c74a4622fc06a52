# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [raw] about=true
# For the instructor. This one file is the exercise: `make exercises` turns it into exercises/noising/ (what students
# get) and build/exercises/noising.zip (what `python -m minilib.grading` scores with). Each question has
#   a prompt, an answer between BEGIN SOLUTION and END SOLUTION, and checks, visible or hidden;
#   the library functions that would answer it (cells marked "withheld");
#   wrong answers (cells marked "mutant") and the words that their feedback must contain, proved by tests/exercises.
# Visible checks compare with literals: students can read them, so they must not spell out the formula.
# ruff: noqa: E402, F811

# %% [raw]
# # ASSIGNMENT CONFIG
# name: noising
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: noising
#
# Five questions on the chapter *Noising*, from one line of code to ten. You write the forward process of a diffusion
# model (Ho et al. 2020, "DDPM") with torch tensors and nothing else. Allow an hour.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - **Time is counted from 0.** Index `t` of a tensor holds the paper's step $t+1$: index 0 has been noised once, index
#   $T-1$ is the end, and the clean image has no index.
# - Batches of images have the shape `(b, c, h, w)`; their times `t` have the shape `(b,)`, one for each image.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib.diffusion` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "noising"
if "google.colab" in sys.modules and not Path("tests").is_dir():
    import subprocess

    if not Path("/content/course").is_dir():
        address = os.environ.get("COURSE_REPOSITORY") or input("Address of the course, https://github.com/OWNER/NAME: ")
        subprocess.run(["git", "clone", "--quiet", "--depth", "1", address, "/content/course"], check=True)
    packages = "/content/course jaxtyping wadler-lindig otter-grader==7.0.0 fica==0.4.1 dill==0.4.1 ipylab==1.1.0"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, *packages.split(), "python-frontmatter==1.3.0"], check=True)
    os.chdir(f"/content/course/exercises/{EXERCISE}")

import math

import otter
import torch

grader = otter.Notebook(tests_dir="tests")

# %% [raw]
# # BEGIN QUESTION
# name: q1

# %% [markdown]
# ## Question 1: how much of the picture is left?
#
# Each step mixes in a little noise, of variance $\beta_t$, and keeps $\alpha_t = 1 - \beta_t$ of the picture's
# variance. What is left of it after several steps is the product
#
# $$\bar\alpha_t = \prod_{s=1}^{t} \alpha_s \qquad \text{(DDPM, defined with eq. 4)}$$
#
# Write `linear_alphas_cumprod`: the $\beta$ lie evenly spaced on the line from `beta_start` to `beta_end`, both ends
# included. Return $\bar\alpha$ for all times, shape `(num_train_timesteps,)`, as `float64`: a product of a thousand
# factors should not be rounded at each of them.
#
# <details><summary>Hint</summary>
#
# Two functions of torch do nearly all of it: one makes evenly spaced numbers, the other multiplies up as it goes along.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    """ᾱ of the linear schedule.

    Args:
        num_train_timesteps: T, a Python int.
        beta_start, beta_end: first and last β.
    Returns:
        ᾱ, shape (T,), float64.
    """
    # BEGIN SOLUTION
    betas = torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)
    return torch.cumprod(1 - betas, dim=0)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_four_steps(linear_alphas_cumprod):
    import torch

    from minilib.grading.feedback import compare, run

    right = [0.9, 0.72, 0.504, 0.3024]
    shapes = {(5,): "One value for each of the T steps: the clean image has no index."}
    slips = {
        "You added the factors up; what is left after several steps is their product.": [0.9, 1.7, 2.4, 3.0],
        "You subtracted the sum of the β; the factors 1 − β have to be multiplied.": [0.9, 0.7, 0.4, 0.0],
        "You multiplied the β; what each step keeps of the variance is 1 − β.": [0.1, 0.02, 0.006, 0.0024],
        "These are the factors of the single steps; they still have to be multiplied up.": [0.9, 0.8, 0.7, 0.6],
        "Shifted by one: index 0 has been noised once already, the clean image has no index.": [1, 0.9, 0.72, 0.504],
        "The last β is not beta_end: both ends of the line are included.": [0.9, 0.7425, 0.556875, 0.375891],
        "This is the square root of what was asked for.": [0.948683, 0.848528, 0.70993, 0.549909],
        "The β are evenly spaced themselves, not their square roots.": [0.9, 0.74, 0.534444, 0.320667],
    }
    what, kind, between = "linear_alphas_cumprod(4, 0.1, 0.4)", torch.float64, (0.0, 1.0)
    got = run(linear_alphas_cumprod, 4, 0.1, 0.4)
    compare(got, right, what=what, dtype=kind, between=between, shapes=shapes, slips=slips)
    last = "the last of a thousand values, to seven digits (make the β in float64; converting the product is too late)"
    compare(run(linear_alphas_cumprod, 1000)[-1:], [4.03582976537568e-05], what=last, dtype=kind, rtol=1e-7, atol=0.0)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_thousand_steps(linear_alphas_cumprod):
    import torch

    from minilib.grading.feedback import compare, run

    product, right = 1.0, []
    for index in range(1000):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * index / 999)
        right.append(product)
    kind = torch.float64
    got = run(linear_alphas_cumprod, 1000)
    compare(got, right, what="linear_alphas_cumprod(1000)", dtype=kind, rtol=1e-7, atol=0.0)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.diffusion.schedules.linear_betas
# minilib.diffusion.schedules.linear_alpha_bar
# minilib.diffusion.schedules.make_betas
# minilib.diffusion.schedules.alphas_cumprod


# %% mutant="adds the factors up" question="q1" says="You added the factors up"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    betas = torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)
    return torch.cumsum(1 - betas, dim=0)


# %% mutant="one minus the sum of the β" question="q1" says="You subtracted the sum of the β"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    betas = torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)
    return 1 - torch.cumsum(betas, dim=0)


# %% mutant="product of the β" question="q1" says="You multiplied the β"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    return torch.cumprod(torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64), dim=0)


# %% mutant="forgets the product" question="q1" says="factors of the single steps"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    return 1 - torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)


# %% mutant="starts with the clean image" question="q1" says="Shifted by one"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    betas = torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)
    return torch.cumprod(torch.cat([torch.ones(1), 1 - betas[:-1]]), dim=0)


# %% mutant="T + 1 values" question="q1" says="One value for each of the T steps"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    betas = torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)
    return torch.cumprod(torch.cat([torch.ones(1), 1 - betas]), dim=0)


# %% mutant="leaves out the end of the line" question="q1" says="The last β is not beta_end"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    steps = torch.arange(num_train_timesteps, dtype=torch.float64) / num_train_timesteps
    return torch.cumprod(1 - (beta_start + (beta_end - beta_start) * steps), dim=0)


# %% mutant="evenly spaced √β" question="q1" says="not their square roots"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    roots = torch.linspace(beta_start**0.5, beta_end**0.5, num_train_timesteps, dtype=torch.float64)
    return torch.cumprod(1 - roots**2, dim=0)


# %% mutant="returns √ᾱ" question="q1" says="square root of what was asked for"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    betas = torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float64)
    return torch.cumprod(1 - betas, dim=0).sqrt()


# %% mutant="float32" question="q1" says="expected dtype float64, got float32"
def linear_alphas_cumprod(num_train_timesteps, beta_start=1e-4, beta_end=0.02):
    return torch.cumprod(1 - torch.linspace(beta_start, beta_end, num_train_timesteps), dim=0)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: to any time in one jump
#
# There is no need to walk through all the steps: a clean image $x_0$ gets to time $t$ at once,
#
# $$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I)
# \qquad \text{(DDPM, eq. 4)}$$
#
# Write `q_sample` for a batch in which **each image has its own time**. The result has the dtype and the device of
# `x0`, also where `alphas_cumprod` is `float64`; the arguments stay as they were.
#
# <details><summary>Hint</summary>
#
# `alphas_cumprod[t]` has the shape `(b,)`. Multiplied with `(b, c, h, w)`, torch would line it up with the *last* axis,
# and where `b == w` it does not even complain. Which shape lines up with the first axis?
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def q_sample(x0, t, noise, alphas_cumprod):
    """Noises clean images to their times.

    Args:
        x0: clean images, shape (b, c, h, w).
        t: times, shape (b,), int64, each in 0..T-1.
        noise: ε, shape (b, c, h, w).
        alphas_cumprod: ᾱ, shape (T,).
    Returns:
        x_t, shape (b, c, h, w), dtype and device of x0.
    """
    # BEGIN SOLUTION
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1)
    return bar.sqrt().to(x0.dtype) * x0 + (1 - bar).sqrt().to(x0.dtype) * noise
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_images(q_sample):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x0 = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    before, t, alphas_cumprod = x0.clone(), torch.tensor([1, 2]), torch.tensor([0.81, 0.64, 0.36, 0.04])
    noise_before = noise.clone()
    got = run(q_sample, x0, t, noise, alphas_cumprod)
    unchanged(before, x0, what="x0")
    unchanged(noise_before, noise, what="noise")
    right, what = [[[[0.2, -0.1]]], [[[1.75, -0.35]]]], "q_sample(x0, t, noise, alphas_cumprod)"
    slips = {
        "√ is missing: both factors are square roots.": [[[[0.28, -0.14]]], [[[1.37, -0.37]]]],
        "The noise is multiplied by √(1 − ᾱ), not by 1 − ᾱ.": [[[[0.44, -0.22]]], [[[1.43, -0.19]]]],
        "The noise is multiplied by √(1 − ᾱ), not by 1 − √ᾱ.": [[[[0.6, -0.3]]], [[[0.95, 0.05]]]],
        "x0 is multiplied by √ᾱ, not by ᾱ.": [[[[0.04, -0.02]]], [[[1.69, -0.53]]]],
        "The two factors have changed places.": [[[[-0.2, 0.1]]], [[[1.4, 0.0]]]],
        "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1).": [
            [[[0.2, 0.1]]],
            [[[1.4, -0.35]]],
        ],
        "You read ᾱ at t − 1: index t is already the paper's step t + 1.": [
            [[[0.464110, -0.232055]]],
            [[[1.4, 0.0]]],
        ],
        "You read ᾱ at t + 1: index t is the paper's step t + 1, no shift is needed.": [
            [[[-0.2, 0.1]]],
            [[[2.009592, -0.829796]]],
        ],
        "All images were noised to the time of the first one.": [[[[0.2, -0.1]]], [[[1.4, 0.0]]]],
    }
    compare(got, right, what=what, slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_dtype_device_shape(q_sample):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    x0, noise = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5)
    t, alphas_cumprod = torch.tensor([3, 0, 1]), torch.tensor([0.84, 0.64, 0.36, 0.19], dtype=torch.float64)
    hints = {"must match the size": "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1)."}
    right = torch.tensor([0.9, 0.4, 0.6]).reshape(3, 1, 1, 1).expand(3, 2, 4, 5)
    got = run(q_sample, x0, t, noise, alphas_cumprod, hints=hints)
    compare(got, right, what="q_sample for images in float32 and a schedule in float64")
    got = run(q_sample, x0.double(), t, noise.double(), alphas_cumprod)
    compare(got, right.double(), what="q_sample for images in float64")
    follows_device(q_sample, x0, t, noise, alphas_cumprod, what="q_sample")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_square_batch(q_sample):
    import torch

    from minilib.grading.feedback import compare, run

    generator = torch.Generator().manual_seed(7)
    x0, noise = torch.randn(2, 5, 3, 4, 5, generator=generator)
    t = torch.tensor([999, 0, 412, 57, 700])
    bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)
    images = []
    for image, index in enumerate(t.tolist()):
        images.append(bar[index] ** 0.5 * x0[image] + (1 - bar[index]) ** 0.5 * noise[image])
    across = bar[t].float()
    compare(
        run(q_sample, x0, t, noise, bar),
        torch.stack(images).float(),
        what="q_sample for five images, five columns wide",
        slips={
            "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1).": across.sqrt() * x0
            + (1 - across).sqrt() * noise
        },
    )


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.diffusion.process.GaussianDiffusion


# %% mutant="ᾱ in place of √ᾱ, both factors" question="q2" says="√ is missing"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    return bar * x0 + (1 - bar) * noise


# %% mutant="1 − ᾱ without a root" question="q2" says="not by 1 − ᾱ"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    return bar.sqrt() * x0 + (1 - bar) * noise


# %% mutant="1 − √ᾱ" question="q2" says="not by 1 − √ᾱ"
def q_sample(x0, t, noise, alphas_cumprod):
    signal = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype).sqrt()
    return signal * x0 + (1 - signal) * noise


# %% mutant="ᾱ without a root" question="q2" says="x0 is multiplied by √ᾱ, not by ᾱ"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    return bar * x0 + (1 - bar).sqrt() * noise


# %% mutant="factors change places" question="q2" says="have changed places"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    return (1 - bar).sqrt() * x0 + bar.sqrt() * noise


# %% mutant="time along the columns" question="q2" says="it needs the shape (b, 1, 1, 1)"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[t].to(x0.dtype)
    return bar.sqrt() * x0 + (1 - bar).sqrt() * noise


# %% mutant="index one too low" question="q2" says="You read ᾱ at t − 1"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[t - 1].reshape(-1, 1, 1, 1).to(x0.dtype)
    return bar.sqrt() * x0 + (1 - bar).sqrt() * noise


# %% mutant="index one too high" question="q2" says="You read ᾱ at t + 1"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[(t + 1).clamp(max=len(alphas_cumprod) - 1)].reshape(-1, 1, 1, 1).to(x0.dtype)
    return bar.sqrt() * x0 + (1 - bar).sqrt() * noise


# %% mutant="one time for the whole batch" question="q2" says="time of the first one"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[t[0]].to(x0.dtype)
    return bar.sqrt() * x0 + (1 - bar).sqrt() * noise


# %% mutant="result in the schedule's dtype" question="q2" says="expected dtype float32, got float64"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x0 + (1 - bar).sqrt() * noise


# %% mutant="writes into x0" question="q2" says="changed its argument x0 in place"
def q_sample(x0, t, noise, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x0 *= bar.sqrt()
    x0 += (1 - bar).sqrt() * noise
    return x0


# %% mutant="copies the schedule to the CPU" question="q2" says="it would stop on a GPU"
def q_sample(x0, t, noise, alphas_cumprod):
    factors = torch.ones(len(t), 1, 1, 1)
    bar = (factors * alphas_cumprod[t].reshape(-1, 1, 1, 1)).to(x0.dtype)
    return bar.sqrt() * x0 + (1 - bar).sqrt() * noise


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: one step back, if you knew the picture
#
# Whoever knows the clean image $x_0$ also knows where $x_t$ came from, up to a Gaussian
# $q(x_{t-1} \mid x_t, x_0)$ with
#
# $$\tilde\mu_t = \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}\, x_0 +
# \frac{\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\, x_t, \qquad
# \tilde\beta_t = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t \qquad \text{(DDPM, eq. 6 and 7)}$$
#
# Write `q_posterior`, which returns the mean, shape `(b, c, h, w)`, and the variance, shape `(b, 1, 1, 1)`, both in the
# dtype of `x_t`. Before the first step nothing has been lost, $\bar\alpha = 1$: at index 0 the mean is $x_0$ itself and
# the variance is 0.
#
# <details><summary>Hint</summary>
#
# Make a tensor of the $\bar\alpha$ *before* each step, as long as `betas`, with a 1 in front (`torch.cat`). Index −1 is
# the last entry in Python, not the one before the first.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def q_posterior(x0, x_t, t, betas):
    """Mean and variance of q(x_{t-1} | x_t, x_0).

    Args:
        x0: clean images, shape (b, c, h, w).
        x_t: the same images at time t, shape (b, c, h, w).
        t: times, shape (b,), int64, each in 0..T-1.
        betas: β, shape (T,).
    Returns:
        mean, shape (b, c, h, w), and variance, shape (b, 1, 1, 1); dtype and device of x_t.
    """
    # BEGIN SOLUTION
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones_like(bars[:1]), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1) for values in (betas, bars, bars_before))
    from_x0 = before.sqrt() * beta / (1 - bar)
    from_x_t = (1 - beta).sqrt() * (1 - before) / (1 - bar)
    variance = (1 - before) / (1 - bar) * beta
    return from_x0.to(x_t.dtype) * x0 + from_x_t.to(x_t.dtype) * x_t, variance.to(x_t.dtype)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_mean(q_posterior):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    x0 = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    x_t = torch.tensor([[[[0.5, -1.0]]], [[[-0.5, 1.0]]]])
    before, betas = x_t.clone(), torch.tensor([0.1, 0.2, 0.3, 0.4])
    what = "q_posterior(x0, x_t, t, betas)"
    mean, _ = parts(run(q_posterior, x0, x_t, torch.tensor([0, 2]), betas), ("mean", "variance"), what=what)
    unchanged(before, x_t, what="x_t")
    right = [[[[1.0, -0.5]]], [[[-0.107848, 0.857225]]]]
    slips = {
        "The factors of x0 and x_t have changed places.": [[[[0.5, -1.0]]], [[[-0.138534, 0.867454]]]],
        "At index 0 you read index −1, which is the last entry; before the first step ᾱ is 1.": [
            [[[3.858916, -6.892969]]],
            [[[-0.107848, 0.857225]]],
        ],
        "At index 0 the ᾱ before the step is 1, not ᾱ at index 0.": [
            [[[1.423025, -1.423025]]],
            [[[-0.107848, 0.857225]]],
        ],
        "Both numerators hold a square root: √ᾱ before the step, and √α.": [
            [[[1.0, -0.5]]],
            [[[-0.08871, 0.721774]]],
        ],
        "The numerators hold the ᾱ before the step, not the one after it.": [
            [[[1.423025, -1.423025]]],
            [[[-0.310982, 1.158705]]],
        ],
        "The factor of x_t holds √α of this one step, not √ᾱ of all steps so far.": [
            [[[1.0, -0.5]]],
            [[[-0.072078, 0.785684]]],
        ],
        "Both factors are still to be divided by 1 − ᾱ.": [[[[0.1, -0.05]]], [[[-0.053493, 0.425184]]]],
    }
    compare(mean, right, what=f"the mean of {what}", slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_variance(q_posterior):
    import torch

    from minilib.grading.feedback import compare, parts, run

    x = torch.ones(2, 1, 1, 2)
    what = "q_posterior(x0, x_t, t, betas)"
    got = run(q_posterior, x, x, torch.tensor([0, 2]), torch.tensor([0.1, 0.2, 0.3, 0.4]))
    _, variance = parts(got, ("mean", "variance"), what=what)
    right = [[[[0.0]]], [[[0.169355]]]]
    shapes = {
        (2,): "Every image has one variance: give it three more axes of size 1, so that it can multiply images.",
        (2, 1, 1, 2): "Every image has one variance: there is no need to repeat it for each pixel.",
    }
    slips = {
        "This is β itself; knowing x0 makes the variance smaller (β̃).": [[[[0.1]]], [[[0.3]]]],
        "This is the standard deviation; the variance was asked for.": [[[[0.0]]], [[[0.411527]]]],
        "At index 0 you read index −1, which is the last entry; before the first step ᾱ is 1.": [
            [[[0.6976]]],
            [[[0.169355]]],
        ],
        "At index 0 nothing is uncertain: there ᾱ before the step is 1, and the variance 0.": [
            [[[0.1]]],
            [[[0.169355]]],
        ],
        "This is the logarithm of the variance.": [[[[float("-inf")]]], [[[-1.775758]]]],
    }
    compare(variance, right, what=f"the variance of {what}", shapes=shapes, slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_dtype_device(q_posterior):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    x0, x_t, t = torch.ones(3, 1, 2, 4), torch.ones(3, 1, 2, 4), torch.tensor([0, 0, 0])
    betas = torch.tensor([0.1, 0.2], dtype=torch.float64)
    what = "q_posterior for images in float32 and a schedule in float64"
    mean, variance = parts(run(q_posterior, x0, x_t, t, betas), ("mean", "variance"), what=what)
    compare(mean, x0, what=f"the mean of {what}")
    compare(variance, torch.zeros(3, 1, 1, 1), what=f"the variance of {what}")
    follows_device(q_posterior, x0, x_t, t, betas, what="q_posterior")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_thousand_steps(q_posterior):
    import torch

    from minilib.grading.feedback import compare, parts, run

    generator = torch.Generator().manual_seed(11)
    x0, x_t = torch.randn(2, 4, 3, 2, 4, generator=generator)
    t, betas = torch.tensor([0, 1, 500, 999]), torch.linspace(1e-4, 0.02, 1000)
    products = [1.0]
    for beta in betas.tolist():
        products.append(products[-1] * (1 - beta))
    means, variances = [], []
    for image, index in enumerate(t.tolist()):
        beta, before, after = betas[index].item(), products[index], products[index + 1]
        mean = before**0.5 * beta * x0[image] + (1 - beta) ** 0.5 * (1 - before) * x_t[image]
        means.append(mean / (1 - after))
        variances.append((1 - before) / (1 - after) * beta)
    what = "q_posterior at the times 0, 1, 500, 999"
    mean, variance = parts(run(q_posterior, x0, x_t, t, betas), ("mean", "variance"), what=what)
    compare(mean, torch.stack(means), what=f"the mean of {what}", rtol=2e-3, atol=1e-4)
    right = torch.tensor(variances).reshape(4, 1, 1, 1)
    compare(variance, right, what=f"the variance of {what}", rtol=2e-3, atol=1e-7)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.diffusion.process.GaussianDiffusion.q_posterior
# minilib.diffusion.samplers.ddpm
# minilib.diffusion.samplers.ddim


# %% mutant="factors change places" question="q3" says="factors of x0 and x_t have changed places"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones_like(bars[:1]), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1).to(x_t.dtype) for values in (betas, bars, bars_before))
    mean = (before.sqrt() * beta * x_t + (1 - beta).sqrt() * (1 - before) * x0) / (1 - bar)
    return mean, (1 - before) / (1 - bar) * beta


# %% mutant="index −1 is the last entry" question="q3" says="you read index −1, which is the last entry"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    beta, bar, before = (v.reshape(-1, 1, 1, 1).to(x_t.dtype) for v in (betas[t], bars[t], bars[t - 1]))
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean, (1 - before) / (1 - bar) * beta


# %% mutant="variance not 0 at index 0" question="q3" says="At index 0 nothing is uncertain"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    earlier = (t - 1).clamp(min=0)
    beta, bar, before = (v.reshape(-1, 1, 1, 1).to(x_t.dtype) for v in (betas[t], bars[t], bars[earlier]))
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean, (1 - before) / (1 - bar) * beta


# %% mutant="forgets the roots" question="q3" says="Both numerators hold a square root"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones_like(bars[:1]), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1).to(x_t.dtype) for values in (betas, bars, bars_before))
    mean = (before * beta * x0 + (1 - beta) * (1 - before) * x_t) / (1 - bar)
    return mean, (1 - before) / (1 - bar) * beta


# %% mutant="ᾱ after the step" question="q3" says="not the one after it"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    beta, bar = (values[t].reshape(-1, 1, 1, 1).to(x_t.dtype) for values in (betas, bars))
    mean = (bar.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - bar) * x_t) / (1 - bar)
    return mean, (1 - bar) / (1 - bar) * beta


# %% mutant="√ᾱ in place of √α" question="q3" says="not √ᾱ of all steps so far"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones_like(bars[:1]), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1).to(x_t.dtype) for values in (betas, bars, bars_before))
    mean = (before.sqrt() * beta * x0 + bar.sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean, (1 - before) / (1 - bar) * beta


# %% mutant="β in place of β̃" question="q3" says="This is β itself"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones_like(bars[:1]), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1).to(x_t.dtype) for values in (betas, bars, bars_before))
    return (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar), beta


# %% mutant="standard deviation" question="q3" says="This is the standard deviation"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones_like(bars[:1]), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1).to(x_t.dtype) for values in (betas, bars, bars_before))
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean, ((1 - before) / (1 - bar) * beta).sqrt()


# %% mutant="variance of shape (b,)" question="q3" says="give it three more axes of size 1"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones_like(bars[:1]), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1).to(x_t.dtype) for values in (betas, bars, bars_before))
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean, ((1 - before) / (1 - bar) * beta).flatten()


# %% mutant="returns the mean only" question="q3" says="expected a tuple (mean, variance)"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones_like(bars[:1]), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1).to(x_t.dtype) for values in (betas, bars, bars_before))
    return (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)


# %% mutant="a 1 made on the CPU" question="q3" says="it would stop on a GPU"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones(1), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1).to(x_t.dtype) for values in (betas, bars, bars_before))
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean, (1 - before) / (1 - bar) * beta


# %% mutant="result in the schedule's dtype" question="q3" says="expected dtype float32, got float64"
def q_posterior(x0, x_t, t, betas):
    bars = torch.cumprod(1 - betas, dim=0)
    bars_before = torch.cat([torch.ones_like(bars[:1]), bars[:-1]])
    beta, bar, before = (values[t].reshape(-1, 1, 1, 1) for values in (betas, bars, bars_before))
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean, (1 - before) / (1 - bar) * beta


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: two answers from one prediction
#
# A network can be asked for the noise, for the clean image, or for a mixture of both, the *velocity*
#
# $$v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x_0 \qquad \text{(Salimans & Ho 2022, section 4)}$$
#
# Together with eq. 4 these are two equations for the two unknowns $x_0$ and $\varepsilon$. Solve them on paper, then
# write `from_velocity`, which returns `(x0, noise)` in the dtype of `x_t`. It has to be right also where
# $\bar\alpha_t$ is almost 0: a division by $\sqrt{\bar\alpha_t}$ would magnify rounding there.
#
# <details><summary>Hint</summary>
#
# The squares of $\sqrt{\bar\alpha_t}$ and $\sqrt{1-\bar\alpha_t}$ add up to 1: they are a cosine and a sine, and
# $(x_t, v)$ is $(x_0, \varepsilon)$ rotated by one angle. Rotate back: no division is needed, so it also works where
# $\bar\alpha_t$ is almost 0.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def from_velocity(v, x_t, t, alphas_cumprod):
    """The clean image and the noise that a velocity stands for.

    Args:
        v: velocity, shape (b, c, h, w).
        x_t: noisy images, shape (b, c, h, w).
        t: times, shape (b,), int64, each in 0..T-1.
        alphas_cumprod: ᾱ, shape (T,).
    Returns:
        x0 and noise, shape (b, c, h, w) each, dtype and device of x_t.
    """
    # BEGIN SOLUTION
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1)
    signal, sigma = bar.sqrt().to(x_t.dtype), (1 - bar).sqrt().to(x_t.dtype)
    return signal * x_t - sigma * v, sigma * x_t + signal * v
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_images(from_velocity):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    v = torch.tensor([[[[0.5, -1.0]]], [[[-0.5, 1.0]]]])
    x_t = torch.tensor([[[[1.0, 2.0]]], [[[-1.0, 0.5]]]])
    before, alphas_cumprod = v.clone(), torch.tensor([0.81, 0.64, 0.36, 0.04])
    what = "from_velocity(v, x_t, t, alphas_cumprod)"
    x0, noise = parts(run(from_velocity, v, x_t, torch.tensor([1, 2]), alphas_cumprod), ("x0", "noise"), what=what)
    unchanged(before, v, what="v")
    right_x0, right_noise = [[[[0.5, 2.2]]], [[[-0.2, -0.5]]]], [[[[1.0, 0.4]]], [[[-1.1, 1.0]]]]
    swapped = "x0 and noise have changed places: return (x0, noise)."
    sign = "The sign of v is the other way round: x0 is taken away from √ᾱ ε in v, not added."
    roots = "√ is missing: both factors are square roots."
    axis = "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1)."
    shift = "You read ᾱ at t − 1: index t is already the paper's step t + 1."
    slips = {
        swapped: right_noise,
        sign: [[[[1.1, 1.0]]], [[[-1.0, 1.1]]]],
        roots: [[[[0.46, 1.64]]], [[[-0.04, -0.46]]]],
        axis: [[[[0.5, 2.0]]], [[[-0.5, -0.5]]]],
        shift: [[[[0.682055, 2.23589]]], [[[-0.5, -0.2]]]],
        "This solves eq. 4 as if v were the noise.": [[[[0.875, 3.25]]], [[[-1.0, -0.5]]]],
        "The factors of x_t and v have changed places.": [[[[0.2, 2.0]]], [[[-0.5, -0.2]]]],
    }
    compare(x0, right_x0, what=f"x0 of {what}", slips=slips)
    slips = {
        "This is v itself: it holds the noise and the clean image.": [[[[0.5, -1.0]]], [[[-0.5, 1.0]]]],
        sign: [[[[0.2, 2.0]]], [[[-0.5, -0.2]]]],
        "This solves eq. 4 as if v were the clean image.": [[[[1.0, 4.666667]]], [[[-0.875, -0.125]]]],
        "The factors of x_t and v have changed places.": [[[[1.1, 1.0]]], [[[-1.0, 1.1]]]],
    }
    compare(noise, right_noise, what=f"noise of {what}", slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_dtype_device(from_velocity):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    v, x_t, t = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5), torch.tensor([0, 0, 0])
    alphas_cumprod = torch.tensor([0.64, 0.36], dtype=torch.float64)
    what = "from_velocity for images in float32 and a schedule in float64"
    hints = {"must match the size": "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1)."}
    x0, noise = parts(run(from_velocity, v, x_t, t, alphas_cumprod, hints=hints), ("x0", "noise"), what=what)
    compare(x0, torch.full((3, 2, 4, 5), 0.8), what=f"x0 of {what}")
    compare(noise, torch.full((3, 2, 4, 5), 0.6), what=f"noise of {what}")
    x_t, v = torch.full((1, 1, 1, 1), 1.000005), torch.full((1, 1, 1, 1), -0.49999)
    what = "from_velocity where ᾱ is 1e-10 (a division by √ᾱ magnifies rounding; rotate back instead)"
    got = parts(run(from_velocity, v, x_t, t[:1], torch.tensor([1e-10])), ("x0", "noise"), what=what)
    compare(got[0], [[[[0.5]]]], what=f"x0 of {what}")
    compare(got[1], [[[[1.0]]]], what=f"noise of {what}")
    v, x_t = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5)
    follows_device(from_velocity, v, x_t, t, alphas_cumprod, what="from_velocity")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_there_and_back(from_velocity):
    import torch

    from minilib.grading.feedback import compare, parts, run

    generator = torch.Generator().manual_seed(13)
    x0, noise = torch.randn(2, 4, 3, 2, 4, generator=generator)
    bars, t = torch.tensor([0.9999, 0.7, 0.2, 1e-6]), torch.tensor([3, 0, 1, 2])
    v, x_t = torch.empty_like(x0), torch.empty_like(x0)
    for image, index in enumerate(t.tolist()):
        cosine, sine = bars[index].item() ** 0.5, (1 - bars[index].item()) ** 0.5
        x_t[image] = cosine * x0[image] + sine * noise[image]
        v[image] = cosine * noise[image] - sine * x0[image]
    what = "from_velocity for an image that is almost all noise, and three others"
    got = parts(run(from_velocity, v, x_t, t, bars), ("x0", "noise"), what=what)
    compare(got[0], x0, what=f"x0 of {what}", rtol=1e-4, atol=1e-4)
    compare(got[1], noise, what=f"noise of {what}", rtol=1e-4, atol=1e-4)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.diffusion.process.GaussianDiffusion.predict_x0
# minilib.diffusion.process.GaussianDiffusion.predict_noise
# minilib.diffusion.losses.prediction_target


# %% mutant="x0 and noise change places" question="q4" says="return (x0, noise)"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x_t.dtype)
    return (1 - bar).sqrt() * x_t + bar.sqrt() * v, bar.sqrt() * x_t - (1 - bar).sqrt() * v


# %% mutant="sign of v" question="q4" says="The sign of v is the other way round"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x_t.dtype)
    return bar.sqrt() * x_t + (1 - bar).sqrt() * v, (1 - bar).sqrt() * x_t - bar.sqrt() * v


# %% mutant="forgets the roots" question="q4" says="√ is missing"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x_t.dtype)
    return bar * x_t - (1 - bar) * v, (1 - bar) * x_t + bar * v


# %% mutant="takes v for the noise" question="q4" says="as if v were the noise"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x_t.dtype)
    return (x_t - (1 - bar).sqrt() * v) / bar.sqrt(), v


# %% mutant="right x0, v for the noise" question="q4" says="This is v itself"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x_t.dtype)
    return bar.sqrt() * x_t - (1 - bar).sqrt() * v, v


# %% mutant="factors change places" question="q4" says="The factors of x_t and v have changed places"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x_t.dtype)
    return (1 - bar).sqrt() * x_t - bar.sqrt() * v, bar.sqrt() * x_t + (1 - bar).sqrt() * v


# %% mutant="time along the columns" question="q4" says="it needs the shape (b, 1, 1, 1)"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t].to(x_t.dtype)
    return bar.sqrt() * x_t - (1 - bar).sqrt() * v, (1 - bar).sqrt() * x_t + bar.sqrt() * v


# %% mutant="index one too low" question="q4" says="You read ᾱ at t − 1"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t - 1].reshape(-1, 1, 1, 1).to(x_t.dtype)
    return bar.sqrt() * x_t - (1 - bar).sqrt() * v, (1 - bar).sqrt() * x_t + bar.sqrt() * v


# %% mutant="result in the schedule's dtype" question="q4" says="expected dtype float32, got float64"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1)
    return bar.sqrt() * x_t - (1 - bar).sqrt() * v, (1 - bar).sqrt() * x_t + bar.sqrt() * v


# %% mutant="writes into v" question="q4" says="changed its argument v in place"
def from_velocity(v, x_t, t, alphas_cumprod):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x_t.dtype)
    noise = (1 - bar).sqrt() * x_t + bar.sqrt() * v
    v *= (1 - bar).sqrt()
    return bar.sqrt() * x_t - v, noise


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: a schedule that keeps the picture longer
#
# The linear schedule spends many steps on pictures that are all but gone. The cosine schedule (Nichol & Dhariwal 2021,
# eq. 17) starts from the curve itself,
#
# $$\bar\alpha(u) = \frac{f(u)}{f(0)}, \qquad f(u) = \cos^2\!\left(\frac{u + s}{1 + s}\cdot\frac{\pi}{2}\right),
# \qquad u = \frac{t}{T},$$
#
# and cuts it into steps: $\beta_t = \min\left(1 - \bar\alpha(t/T)\,/\,\bar\alpha((t-1)/T),\; \beta_{\max}\right)$
# for the paper's steps $t = 1 \ldots T$. Schedules are best compared by their signal-to-noise ratio (Kingma et al.
# 2021, eq. 3):
#
# $$\mathrm{SNR}_t = \frac{\bar\alpha_t}{1 - \bar\alpha_t}, \qquad \lambda_t = \ln \mathrm{SNR}_t.$$
#
# Write three short functions:
# 1. `cosine_betas`: the $\beta$, shape `(T,)`, `float64`. The parameter `offset` is $s$.
# 2. `log_snr`: $\lambda$ at all times from any `betas`, same shape and dtype.
# 3. `first_noisy_index`: the first index (a Python `int`, counted from 0) at which the noise is stronger than the
#    picture, $\mathrm{SNR} < 1$.
#
# <details><summary>Hint</summary>
#
# The curve needs $T + 1$ points, from $u = 0$ to $u = 1$; $T$ steps lie between them. $f(0)$ cancels in $\beta$. For
# the third function, `nonzero()` of a tensor of bools lists where it is true.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def cosine_betas(num_train_timesteps, offset=0.008, max_beta=0.999):
    """β of the cosine schedule, shape (T,), float64, none above max_beta."""
    # BEGIN SOLUTION
    u = torch.linspace(0, 1, num_train_timesteps + 1, dtype=torch.float64)
    curve = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
    return (1 - curve[1:] / curve[:-1]).clamp(max=max_beta)
    # END SOLUTION


def log_snr(betas):
    """Natural logarithm of the signal-to-noise ratio at each time, shape and dtype of betas, (T,)."""
    # BEGIN SOLUTION
    bars = torch.cumprod(1 - betas, dim=0)
    return torch.log(bars / (1 - bars))
    # END SOLUTION


def first_noisy_index(betas):
    """The first index (a Python int, counted from 0) with a signal-to-noise ratio below 1; there is one."""
    # BEGIN SOLUTION
    return int((torch.cumprod(1 - betas, dim=0) < 0.5).nonzero()[0])
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 0.5
"""  # END TEST CONFIG


def test_cosine_four_steps(cosine_betas):
    import torch

    from minilib.grading.feedback import compare, run

    right = [0.152988, 0.416958, 0.707859, 0.999]
    shapes = {
        (5,): "T steps lie between the T + 1 points of the curve.",
        (3,): "T steps need T + 1 points of the curve, from u = 0 to u = 1.",
    }
    slips = {
        "The last β must not be larger than max_beta.": [0.152988, 0.416958, 0.707859, 1.0],
        "The square of the cosine is missing.": [0.079667, 0.236428, 0.459499, 0.999],
        "This is 1 − ᾱ; β compares with the step before, 1 − ᾱ_t / ᾱ_{t−1}.": [0.152988, 0.506156, 0.855728, 0.999],
        "This is the curve ᾱ itself; it still has to be cut into steps β.": [0.847012, 0.493844, 0.144272, 0.0],
        "u + s is still to be divided by 1 + s.": [0.15531, 0.422851, 0.717555, 0.998853],
        "The first step goes from u = 0 to u = 1/T, so its β is not 0.": [0.0, 0.257116, 0.668255, 0.999],
    }
    what, kind, between = "cosine_betas(4)", torch.float64, (0.0, 0.999)
    got = run(cosine_betas, 4)
    compare(got, right, what=what, dtype=kind, between=between, shapes=shapes, slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 0.5
"""  # END TEST CONFIG


def test_log_snr(log_snr):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    betas = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    right = [2.197225, 0.944462, 0.016, -0.835895]
    slips = {
        "This is the logarithm to base 10; use the natural one.": [0.954243, 0.410174, 0.006949, -0.363025],
        "This is the logarithm to base 2; use the natural one.": [3.169925, 1.36257, 0.023084, -1.205942],
        "The ratio of the variances was asked for, not that of their roots.": [1.098612, 0.472231, 0.008, -0.417948],
        "The sign is the other way round: the picture goes on top.": [-2.197225, -0.944462, -0.016, 0.835895],
        "This is the ratio itself, without the logarithm.": [9.0, 2.571429, 1.016129, 0.433486],
        "You used 1 − β of the single steps in place of their product ᾱ.": [2.197225, 1.386294, 0.847298, 0.405465],
    }
    compare(run(log_snr, betas), right, what="log_snr(betas)", dtype=torch.float64, slips=slips)
    follows_device(log_snr, betas, what="log_snr")


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_first_noisy_index(first_noisy_index):
    import torch

    from minilib.grading.feedback import compare_int, run

    betas = torch.tensor([0.1, 0.2, 0.25, 0.3, 0.4, 0.5], dtype=torch.float64)
    slips = {
        "You counted from 1: index t is the paper's step t + 1.": 4,
        "This is the last index at which the picture is still the stronger one.": 2,
        "This is the last such index; the first was asked for.": 5,
        "SNR < 1 means that ᾱ < 1/2, not that ᾱ < 1.": 0,
    }
    compare_int(run(first_noisy_index, betas), 3, what="first_noisy_index(betas)", slips=slips)
    slips = {"At an SNR of exactly 1 the noise is not yet stronger: SNR < 1 was asked for.": 0}
    got = run(first_noisy_index, torch.tensor([0.5, 0.5], dtype=torch.float64))
    compare_int(got, 1, what="first_noisy_index for SNR 1, 1/3", slips=slips)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 1
"""  # END TEST CONFIG


def test_cosine_thousand_steps(cosine_betas):
    import math

    import torch

    from minilib.grading.feedback import compare, run

    for steps, offset in ((1000, 0.008), (7, 0.1)):
        curve = [math.cos((i / steps + offset) / (1 + offset) * math.pi / 2) ** 2 for i in range(steps + 1)]
        right = [min(1 - curve[i + 1] / curve[i], 0.9) for i in range(steps)]
        compare(
            run(cosine_betas, steps, offset, 0.9),
            right,
            what=f"cosine_betas({steps}, {offset}, 0.9)",
            dtype=torch.float64,
            rtol=1e-6,
            atol=1e-12,
        )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 1
"""  # END TEST CONFIG


def test_both_on_a_long_schedule(log_snr, first_noisy_index):
    import math

    import torch

    from minilib.grading.feedback import compare, compare_int, run

    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    product, right = 1.0, []
    for beta in betas.tolist():
        product *= 1 - beta
        right.append(math.log(product) - math.log(1 - product))
    compare(run(log_snr, betas), right, what="log_snr of the linear schedule", dtype=torch.float64, rtol=1e-6)
    first = next(index for index, value in enumerate(right) if value < 0)
    compare_int(run(first_noisy_index, betas), first, what="first_noisy_index of the linear schedule")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.diffusion.schedules.cosine_betas
# minilib.diffusion.schedules.cosine_alpha_bar
# minilib.diffusion.schedules.betas_from_alpha_bar
# minilib.diffusion.schedules.snr
# minilib.diffusion.schedules.log_snr


# %% mutant="no cap" question="q5" says="must not be larger than max_beta"
def cosine_betas(num_train_timesteps, offset=0.008, max_beta=0.999):
    u = torch.linspace(0, 1, num_train_timesteps + 1, dtype=torch.float64)
    curve = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
    return 1 - curve[1:] / curve[:-1]


# %% mutant="cosine without its square" question="q5" says="The square of the cosine is missing"
def cosine_betas(num_train_timesteps, offset=0.008, max_beta=0.999):
    u = torch.linspace(0, 1, num_train_timesteps + 1, dtype=torch.float64)
    curve = torch.cos((u + offset) / (1 + offset) * math.pi / 2)
    return (1 - curve[1:] / curve[:-1]).clamp(max=max_beta)


# %% mutant="ᾱ in place of β" question="q5" says="it still has to be cut into steps"
def cosine_betas(num_train_timesteps, offset=0.008, max_beta=0.999):
    u = torch.linspace(0, 1, num_train_timesteps + 1, dtype=torch.float64)
    curve = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
    return curve[1:] / curve[0]


# %% mutant="T points for T steps" question="q5" says="T steps need T + 1 points"
def cosine_betas(num_train_timesteps, offset=0.008, max_beta=0.999):
    u = torch.linspace(0, 1, num_train_timesteps, dtype=torch.float64)
    curve = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
    return (1 - curve[1:] / curve[:-1]).clamp(max=max_beta)


# %% mutant="offset not divided" question="q5" says="still to be divided by 1 + s"
def cosine_betas(num_train_timesteps, offset=0.008, max_beta=0.999):
    u = torch.linspace(0, 1, num_train_timesteps + 1, dtype=torch.float64)
    curve = torch.cos((u + offset) * math.pi / 2) ** 2
    return (1 - curve[1:] / curve[:-1]).clamp(max=max_beta)


# %% mutant="float32 schedule" question="q5" says="expected dtype float64, got float32"
def cosine_betas(num_train_timesteps, offset=0.008, max_beta=0.999):
    u = torch.linspace(0, 1, num_train_timesteps + 1)
    curve = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
    return (1 - curve[1:] / curve[:-1]).clamp(max=max_beta)


# %% mutant="logarithm to base 10" question="q5" says="This is the logarithm to base 10"
def log_snr(betas):
    bars = torch.cumprod(1 - betas, dim=0)
    return torch.log10(bars / (1 - bars))


# %% mutant="logarithm to base 2" question="q5" says="This is the logarithm to base 2"
def log_snr(betas):
    bars = torch.cumprod(1 - betas, dim=0)
    return torch.log2(bars / (1 - bars))


# %% mutant="ratio of the roots" question="q5" says="not that of their roots"
def log_snr(betas):
    bars = torch.cumprod(1 - betas, dim=0)
    return torch.log(bars.sqrt() / (1 - bars).sqrt())


# %% mutant="noise over signal" question="q5" says="the picture goes on top"
def log_snr(betas):
    bars = torch.cumprod(1 - betas, dim=0)
    return torch.log((1 - bars) / bars)


# %% mutant="no logarithm" question="q5" says="without the logarithm"
def log_snr(betas):
    bars = torch.cumprod(1 - betas, dim=0)
    return bars / (1 - bars)


# %% mutant="single steps in the ratio" question="q5" says="in place of their product"
def log_snr(betas):
    return torch.log((1 - betas) / betas)


# %% mutant="counts from 1" question="q5" says="You counted from 1"
def first_noisy_index(betas):
    return int((torch.cumprod(1 - betas, dim=0) < 0.5).nonzero()[0]) + 1


# %% mutant="last index of the picture" question="q5" says="the picture is still the stronger one"
def first_noisy_index(betas):
    return int((torch.cumprod(1 - betas, dim=0) >= 0.5).nonzero()[-1])


# %% mutant="SNR = 1 counts, too" question="q5" says="At an SNR of exactly 1"
def first_noisy_index(betas):
    return int((torch.cumprod(1 - betas, dim=0) <= 0.5).nonzero()[0])


# %% mutant="returns a tensor" question="q5" says="expected a Python int, got a tensor"
def first_noisy_index(betas):
    return (torch.cumprod(1 - betas, dim=0) < 0.5).nonzero()[0]


# %% [raw]
# # END QUESTION

# %% [markdown]
# ## Done
#
# Save the notebook and hand in the `.ipynb` file itself. What comes next in the book: a network that learns to undo one
# of these steps.
