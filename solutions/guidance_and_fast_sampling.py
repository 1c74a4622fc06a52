# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [raw] about=true
# For the instructor. solutions/noising.py explains how such a file is built; CONTRIBUTING.md has the rules.
# All five questions work on plain tensors and numbers: a check cannot hand a network or any other function across.
# ruff: noqa: E402, F811

# %% [raw]
# # ASSIGNMENT CONFIG
# name: guidance_and_fast_sampling
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: guidance and fast sampling
#
# Five questions on the chapter *Guidance and fast sampling*, from one line of code to ten. You write the parts of a
# fast sampler that can be steered: the times it visits, guidance, and three ways to take one step. No network is
# needed. What a network has predicted is handed in as a tensor. Allow an hour and a half.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - **Time is counted from 0.** Index `t` holds the paper's step $t+1$: index 0 has been noised once, index $T-1$ is the
#   end. The clean image has no index; its $\bar\alpha$ is 1.
# - Batches of images have the shape `(b, c, h, w)`. In questions 2 and 4 the whole batch is at one time, so an
#   $\bar\alpha$ is one Python float.
# - Results have the dtype and the device of the images. Arguments stay as they were.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib.diffusion` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "guidance_and_fast_sampling"
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
# ## Question 1: which times to visit
#
# A network that was trained on $T$ times need not be asked at all of them. A fast sampler visits $n$ of them, evenly
# spaced. *Trailing* spacing counts down from the end. In the paper's count, from 1 to $T$, its times are
#
# $$T,\quad T - \tfrac{T}{n},\quad T - 2\,\tfrac{T}{n},\quad \ldots \qquad (n \text{ of them, each rounded})
# \qquad \text{(Lin et al. 2023, table 2)}$$
#
# The first one matters most. A sampler starts from pure noise, and only the last time of training was close to that. A
# sampler that starts earlier tells the network that its input still holds some picture, which is not true.
#
# Write `trailing_times`. Return the times as the code counts them, **from 0**: shape `(n,)`, `int64`, falling.
# `trailing_times(1000, 4)` is 999, 749, 499, 249. The stride $T/n$ need not be a whole number; round each time, not
# the stride. (No check has a time that lies exactly halfway between two whole numbers.)
#
# <details><summary>Hint</summary>
#
# You know how many times there are. Number them 0, 1, …, $n-1$ and compute each from its number. Do not walk down until
# you meet 0: a stride such as 100/29 is stored with a tiny error, and the walk may then take one step too many.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def trailing_times(num_train_timesteps, num_inference_steps):
    """The times a sampler visits, with trailing spacing.

    Args:
        num_train_timesteps: T, a Python int.
        num_inference_steps: n, a Python int in 1..T.
    Returns:
        falling times, each in 0..T-1, shape (n,), int64.
    """
    # BEGIN SOLUTION
    visits = torch.arange(num_inference_steps, dtype=torch.float64)
    in_paper = num_train_timesteps - visits * num_train_timesteps / num_inference_steps
    return in_paper.round().long() - 1
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_six_of_fourteen(trailing_times):
    import torch

    from minilib.grading.feedback import compare, run

    right = [13, 11, 8, 6, 4, 1]
    shapes = {
        (7,): "n times were asked for: the step after the last one goes to the clean image, which has no time.",
        (14,): "Only n of the T times are visited.",
    }
    slips = {
        "These are the paper's times, from 1 to T: index t of the code is the paper's step t + 1.": [
            14,
            12,
            9,
            7,
            5,
            2,
        ],
        "The times rise: a sampler starts with the noisiest, so they have to fall.": [1, 4, 6, 8, 11, 13],
        "This is leading spacing, which ends at 0 but starts too early; start at T − 1.": [10, 8, 6, 4, 2, 0],
        "This is leading spacing, rounded: it starts too early; start at T − 1.": [12, 9, 7, 5, 2, 0],
        "This spacing includes both T − 1 and 0, so its stride is (T − 1)/(n − 1), not T/n.": [13, 10, 8, 5, 3, 0],
        "The stride is T/n, here 14/6. You rounded it down to a whole number.": [13, 11, 9, 7, 5, 3],
        "Each time is rounded to the nearest whole number, not cut off.": [13, 10, 8, 6, 3, 1],
        "Each time is rounded to the nearest whole number, not up.": [13, 11, 9, 6, 4, 2],
    }
    got = run(trailing_times, 14, 6)
    compare(got, right, what="trailing_times(14, 6)", dtype=torch.int64, between=(0, 13), shapes=shapes, slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_long_lists(trailing_times):
    import torch

    from minilib.grading.feedback import compare, run

    right = [999, 749, 499, 249]
    compare(run(trailing_times, 1000, 4), right, what="trailing_times(1000, 4)", dtype=torch.int64, rtol=0.0, atol=0.1)
    compare(run(trailing_times, 3, 3), [2, 1, 0], what="trailing_times(3, 3)", dtype=torch.int64)
    right = [
        99,
        96,
        92,
        89,
        85,
        82,
        78,
        75,
        71,
        68,
        65,
        61,
        58,
        54,
        51,
        47,
        44,
        40,
        37,
        33,
        30,
        27,
        23,
        20,
        16,
        13,
        9,
        6,
        2,
    ]
    shapes = {(30,): "One time too many: 100/29 is not stored exactly, so count the times instead of walking to 0."}
    what, kind = "trailing_times(100, 29)", torch.int64
    compare(run(trailing_times, 100, 29), right, what=what, dtype=kind, shapes=shapes, rtol=0.0, atol=0.1)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 1
"""  # END TEST CONFIG


def test_many_spacings(trailing_times):
    import torch

    from minilib.grading.feedback import compare, run

    for total, steps in ((1000, 1), (1000, 7), (1000, 50), (1000, 103), (1000, 999), (50, 31), (25, 25), (4000, 121)):
        right = [round(total - i * total / steps) - 1 for i in range(steps)]
        what = f"trailing_times({total}, {steps})"
        compare(run(trailing_times, total, steps), right, what=what, dtype=torch.int64, rtol=0.0, atol=0.1)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.diffusion.samplers.sampling_times


# %% mutant="counts from 1" question="q1" says="These are the paper's times"
def trailing_times(num_train_timesteps, num_inference_steps):
    visits = torch.arange(num_inference_steps, dtype=torch.float64)
    return (num_train_timesteps - visits * num_train_timesteps / num_inference_steps).round().long()


# %% mutant="rising" question="q1" says="so they have to fall"
def trailing_times(num_train_timesteps, num_inference_steps):
    visits = torch.arange(num_inference_steps, dtype=torch.float64)
    return (num_train_timesteps - visits * num_train_timesteps / num_inference_steps).round().long().flip(0) - 1


# %% mutant="leading" question="q1" says="ends at 0 but starts too early"
def trailing_times(num_train_timesteps, num_inference_steps):
    stride = num_train_timesteps // num_inference_steps
    return (torch.arange(num_inference_steps) * stride).flip(0)


# %% mutant="leading, real stride" question="q1" says="This is leading spacing, rounded"
def trailing_times(num_train_timesteps, num_inference_steps):
    visits = torch.arange(num_inference_steps, dtype=torch.float64)
    return (visits * num_train_timesteps / num_inference_steps).round().long().flip(0)


# %% mutant="both ends" question="q1" says="includes both T − 1 and 0"
def trailing_times(num_train_timesteps, num_inference_steps):
    return torch.linspace(num_train_timesteps - 1, 0, num_inference_steps, dtype=torch.float64).round().long()


# %% mutant="whole stride" question="q1" says="You rounded it down to a whole number"
def trailing_times(num_train_timesteps, num_inference_steps):
    stride = num_train_timesteps // num_inference_steps
    return num_train_timesteps - 1 - torch.arange(num_inference_steps) * stride


# %% mutant="cut off" question="q1" says="not cut off"
def trailing_times(num_train_timesteps, num_inference_steps):
    visits = torch.arange(num_inference_steps, dtype=torch.float64)
    return (num_train_timesteps - visits * num_train_timesteps / num_inference_steps).long() - 1


# %% mutant="rounded up" question="q1" says="not up"
def trailing_times(num_train_timesteps, num_inference_steps):
    visits = torch.arange(num_inference_steps, dtype=torch.float64)
    return (num_train_timesteps - visits * num_train_timesteps / num_inference_steps).ceil().long() - 1


# %% mutant="n + 1 times" question="q1" says="which has no time"
def trailing_times(num_train_timesteps, num_inference_steps):
    visits = torch.arange(num_inference_steps + 1, dtype=torch.float64)
    return (num_train_timesteps - visits * num_train_timesteps / num_inference_steps).round().long() - 1


# %% mutant="walks down to 0" question="q1" says="count the times instead of walking to 0"
def trailing_times(num_train_timesteps, num_inference_steps):
    stride = num_train_timesteps / num_inference_steps
    return torch.arange(num_train_timesteps, 0, -stride, dtype=torch.float64).round().long() - 1


# %% mutant="floats" question="q1" says="expected dtype int64, got float64"
def trailing_times(num_train_timesteps, num_inference_steps):
    visits = torch.arange(num_inference_steps, dtype=torch.float64)
    return (num_train_timesteps - visits * num_train_timesteps / num_inference_steps).round() - 1


# %% mutant="a list" question="q1" says="expected torch.Tensor, got a value of type list"
def trailing_times(num_train_timesteps, num_inference_steps):
    stride = num_train_timesteps / num_inference_steps
    return [round(num_train_timesteps - i * stride) - 1 for i in range(num_inference_steps)]


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: a step that keeps its noise
#
# DDIM (Song, Meng & Ermon 2021) goes from one time to any earlier one. It first goes all the way to an estimate of the
# clean image, then back to the next level of noise, along the noise that the network has predicted:
#
# $$\hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\;\hat\varepsilon}{\sqrt{\bar\alpha_t}}, \qquad
# x_{\mathrm{prev}} = \sqrt{\bar\alpha_{\mathrm{prev}}}\;\hat x_0 +
# \sqrt{1-\bar\alpha_{\mathrm{prev}}-\sigma^2}\;\hat\varepsilon + \sigma\,z \qquad \text{(DDIM, eq. 12)}$$
#
# $$\sigma = \eta\,\sqrt{\frac{1-\bar\alpha_{\mathrm{prev}}}{1-\bar\alpha_t}}\,
# \sqrt{1-\frac{\bar\alpha_t}{\bar\alpha_{\mathrm{prev}}}} \qquad \text{(DDIM, eq. 16)}$$
#
# The paper writes $\alpha$ for our $\bar\alpha$. Here *prev* is the less noisy time, which the sampler visits next. The
# number $\eta$ measures the fresh noise $z$, as a fraction of DDPM's: none at $\eta = 0$; at $\eta = 1$ the step is one
# of DDPM. Either way $x_{\mathrm{prev}}$ holds noise of variance
# $1-\bar\alpha_{\mathrm{prev}}$ altogether.
#
# Write `ddim_step`. The fresh noise is an argument, so that results can be compared; do not draw any yourself. The last
# step goes to the clean image: there `alpha_bar_prev` is 1.0 and the result is $\hat x_0$.
#
# <details><summary>Hint</summary>
#
# Compute $\hat x_0$, then $\sigma$, then $x_{\mathrm{prev}}$, one line each. The $\bar\alpha$ are Python floats, so
# `math.sqrt` or `** 0.5` takes their roots. The first formula takes away the noise of the old time. On the way back,
# the factors are those of the new time.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    """One step of DDIM, from a time to a less noisy one.

    Args:
        x_t: noisy images, shape (b, c, h, w).
        predicted_noise: the noise that the network sees in them, shape (b, c, h, w).
        alpha_bar: ᾱ at the time of x_t, a Python float.
        alpha_bar_prev: ᾱ at the time to go to, a Python float, larger; 1.0 for the last step.
        eta: fresh noise as a fraction of DDPM's, a Python float in [0, 1].
        noise: fresh noise ε, shape (b, c, h, w).
    Returns:
        x_prev, shape (b, c, h, w), dtype and device of x_t.
    """
    # BEGIN SOLUTION
    x0 = (x_t - math.sqrt(1 - alpha_bar) * predicted_noise) / math.sqrt(alpha_bar)
    sigma = eta * math.sqrt((1 - alpha_bar_prev) / (1 - alpha_bar)) * math.sqrt(1 - alpha_bar / alpha_bar_prev)
    kept = math.sqrt(1 - alpha_bar_prev - sigma**2)
    return math.sqrt(alpha_bar_prev) * x0 + kept * predicted_noise + sigma * noise
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_without_fresh_noise(ddim_step):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x_t = torch.tensor([[[[1.0, -0.5]]], [[[-0.25, 2.0]]]])
    predicted_noise = torch.tensor([[[[0.5, -1.0]]], [[[1.0, 0.25]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -0.5]]]])
    before, predicted_before = x_t.clone(), predicted_noise.clone()
    hints = {"must be Tensor, not float": "The ᾱ are Python floats: math.sqrt or ** 0.5 takes their roots."}
    got = run(ddim_step, x_t, predicted_noise, 0.36, 0.81, 0.0, noise, hints=hints)
    unchanged(before, x_t, what="x_t")
    unchanged(predicted_before, predicted_noise, what="predicted_noise")
    right = [[[[1.117945, 0.01411]]], [[[-1.13911, 2.808972]]]]
    slips = {
        "x̂_0 takes √(1 − ᾱ_t) times the noise away and divides by √ᾱ_t; the two have changed places.": [
            [[[1.005445, -0.32339]]],
            [[[-0.52036, 2.190222]]],
        ],
        "√ is missing: all factors are square roots.": [[[[1.625, 0.125]]], [[[-1.8125, 4.1875]]]],
        "√ is missing on the way back: the factors there are square roots, too.": [
            [[[0.905, 0.215]]],
            [[[-1.2275, 2.4775]]],
        ],
        "x̂_0 is still to be divided by √ᾱ_t.": [[[[0.757945, -0.16589]]], [[[-0.50911, 1.728972]]]],
        "x̂_0 takes the predicted noise away; you added it.": [[[[2.317945, -2.38589]]], [[[1.26089, 3.408972]]]],
        "The factor of x̂_0 is √ᾱ of the time to go to, not of the time of x_t.": [
            [[[0.817945, -0.13589]]],
            [[[-0.61411, 1.908972]]],
        ],
        "The factor of the predicted noise belongs to the time to go to, not to that of x_t.": [
            [[[1.3, -0.35]]],
            [[[-0.775, 2.9]]],
        ],
        "alpha_bar and alpha_bar_prev have changed places: alpha_bar belongs to x_t.": [
            [[[0.92137, -0.84274]]],
            [[[0.34274, 1.460685]]],
        ],
        "This is x̂_0 itself; the way back to the next level of noise is missing.": [[[[1.0, 0.5]]], [[[-1.75, 3.0]]]],
        "η is missing in σ: with η = 0 there is no fresh noise.": [[[[0.57305, 0.494725]]], [[[-0.604434, 2.536525]]]],
        "You went back along fresh noise; the step goes back along the predicted one.": [
            [[[0.46411, 0.667945]]],
            [[[-0.70322, 2.482055]]],
        ],
        "Fresh noise is multiplied by σ, and σ is 0 here.": [[[[0.117945, 0.51411]]], [[[0.86089, 2.308972]]]],
    }
    compare(got, right, what="ddim_step with η = 0", slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_with_fresh_noise(ddim_step):
    import torch

    from minilib.grading.feedback import compare, run

    x_t = torch.tensor([[[[1.0, -0.5]]], [[[-0.25, 2.0]]]])
    predicted_noise = torch.tensor([[[[0.5, -1.0]]], [[[1.0, 0.25]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -0.5]]]])
    negative = "The number under a root is negative. Is it σ² that you take from 1 − ᾱ_prev, and is σ right?"
    hints = {"math domain error": negative, "nonnegative input": negative}
    got = run(ddim_step, x_t, predicted_noise, 0.36, 0.81, 0.4, noise, hints=hints)
    right = [[[[0.939798, 0.126735]]], [[[-0.845618, 2.719899]]]]
    slips = {
        "Fresh noise comes on top of all the predicted noise: under the root, σ² is to be taken away.": [
            [[[0.955498, 0.095333]]],
            [[[-0.814217, 2.727749]]],
        ],
        "Under the root σ is squared: 1 − ᾱ_prev − σ².": [[[[0.82055, 0.365231]]], [[[-1.084115, 2.660275]]]],
        "σ² belongs under the root, not behind it.": [[[[0.942304, 0.121722]]], [[[-0.840606, 2.721152]]]],
        "Fresh noise is multiplied by the deviation σ, not by the variance σ².": [
            [[[1.075855, 0.058706]]],
            [[[-1.117734, 2.787928]]],
        ],
        "The fresh noise is missing: σ² was taken away, but σ times the noise was not added.": [
            [[[1.102244, 0.045511]]],
            [[[-1.170511, 2.801122]]],
        ],
        "η is not used: this is the step with η = 0.": [[[[1.117945, 0.01411]]], [[[-1.13911, 2.808972]]]],
        "η multiplies σ, not σ²: it stands outside the roots.": [[[[0.819237, 0.22625]]], [[[-0.709123, 2.659619]]]],
        "√ is missing in σ: it is the product of two square roots.": [
            [[[1.049462, 0.052118]]],
            [[[-1.012187, 2.774731]]],
        ],
        "σ has two roots; the one with (1 − ᾱ_prev)/(1 − ᾱ_t) is missing.": [
            [[[0.760847, 0.281091]]],
            [[[-0.660735, 2.630424]]],
        ],
        "σ has two roots; the one with ᾱ_t/ᾱ_prev is missing.": [[[[0.870801, 0.181481]]], [[[-0.761618, 2.6854]]]],
        "σ multiplies fresh noise; you used the predicted noise twice.": [
            [[[1.183468, -0.116935]]],
            [[[-1.008065, 2.841734]]],
        ],
    }
    compare(got, right, what="ddim_step with η = 0.4 (the fresh noise is the argument noise)", slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_last_step(ddim_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    x_t, predicted_noise, noise = torch.full((3, 2, 4, 5), 1.4), torch.ones(3, 2, 4, 5), torch.full((3, 2, 4, 5), 5.0)
    zero = "With alpha_bar_prev = 1, σ is 0. Is the factor 1 − ᾱ_prev on top of its fraction?"
    hints = {"math domain error": zero, "nonnegative input": zero, "ZeroDivisionError": zero}
    got = run(ddim_step, x_t, predicted_noise, 0.36, 1.0, 1.0, noise, hints=hints)
    slips = {"Fresh noise was added in the last step, which goes to the clean image.": torch.full((3, 2, 4, 5), 5.0)}
    compare(got, torch.ones(3, 2, 4, 5), what="ddim_step to the clean image with η = 1", slips=slips)
    got = run(ddim_step, x_t.double(), predicted_noise.double(), 0.36, 1.0, 0.5, noise.double(), hints=hints)
    compare(got, torch.ones(3, 2, 4, 5, dtype=torch.float64), what="ddim_step for images in float64")
    follows_device(ddim_step, x_t, predicted_noise, 0.36, 0.81, 0.4, noise, what="ddim_step")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_steps_of_any_length(ddim_step):
    import torch

    from minilib.grading.feedback import compare, run

    generator = torch.Generator().manual_seed(17)
    x_t, predicted_noise, noise = torch.randn(3, 4, 3, 2, 4, generator=generator)
    for after, before in ((0.05, 0.4), (0.3, 0.35), (0.5, 0.98), (0.9, 1.0)):
        for eta in (0.0, 0.3, 1.0):
            variance = eta**2 * (1 - before) / (1 - after) * (1 - after / before)
            # x̂_0 put into eq. 12 and sorted by x_t and the predicted noise.
            scale = (before / after) ** 0.5
            kept = (1 - before - variance) ** 0.5 - scale * (1 - after) ** 0.5
            right = scale * x_t + kept * predicted_noise + variance**0.5 * noise
            what = f"ddim_step from ᾱ = {after} to {before} with η = {eta}"
            got = run(ddim_step, x_t, predicted_noise, after, before, eta, noise)
            compare(got, right, what=what, rtol=1e-3, atol=1e-4)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.diffusion.samplers.ddim
# minilib.diffusion.samplers.ddpm
# minilib.diffusion.samplers.euler
# minilib.diffusion.samplers.heun
# minilib.diffusion.process.GaussianDiffusion


# %% mutant="x̂0 with its factors swapped" question="q2" says="the two have changed places"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - alpha_bar**0.5 * predicted_noise) / (1 - alpha_bar) ** 0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="forgets the roots" question="q2" says="all factors are square roots"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) * predicted_noise) / alpha_bar
    sigma = eta * (1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)
    return alpha_bar_prev * x0 + (1 - alpha_bar_prev - sigma**2) * predicted_noise + sigma * noise


# %% mutant="no roots on the way back" question="q2" says="√ is missing on the way back"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev * x0 + (1 - alpha_bar_prev - sigma**2) * predicted_noise + sigma * noise


# %% mutant="x̂0 not divided" question="q2" says="still to be divided by √ᾱ_t"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = x_t - (1 - alpha_bar) ** 0.5 * predicted_noise
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="sign of the noise in x̂0" question="q2" says="you added it"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t + (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="√ᾱ of the old time" question="q2" says="not of the time of x_t"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="noise of the old time" question="q2" says="not to that of x_t"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="times change places" question="q2" says="alpha_bar belongs to x_t"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar_prev) ** 0.5 * predicted_noise) / alpha_bar_prev**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar**0.5 * x0 + (1 - alpha_bar - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="stops at x̂0" question="q2" says="the way back to the next level of noise is missing"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    return (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5


# %% mutant="ignores η" question="q2" says="η is missing in σ"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="only fresh noise" question="q2" says="You went back along fresh noise"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev) ** 0.5 * noise


# %% mutant="σ forgotten" question="q2" says="Fresh noise is multiplied by σ, and σ is 0 here"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + noise


# %% mutant="σ² not taken away" question="q2" says="on top of all the predicted noise"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="σ in place of σ² under the root" question="q2" says="Under the root σ is squared"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="σ behind the root" question="q2" says="belongs under the root, not behind it"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + ((1 - alpha_bar_prev) ** 0.5 - sigma**2) * predicted_noise + sigma * noise


# %% mutant="variance in place of deviation" question="q2" says="not by the variance σ²"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    variance = eta**2 * (1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - variance) ** 0.5 * predicted_noise + variance * noise


# %% mutant="no fresh noise" question="q2" says="The fresh noise is missing"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise


# %% mutant="always η = 0" question="q2" says="this is the step with η = 0"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev) ** 0.5 * predicted_noise


# %% mutant="η in the variance" question="q2" says="η multiplies σ, not σ²"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = (eta * (1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="σ without roots" question="q2" says="it is the product of two square roots"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * (1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="σ without its first root" question="q2" says="the one with (1 − ᾱ_prev)/(1 − ᾱ_t) is missing"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * (1 - alpha_bar / alpha_bar_prev) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="fresh noise in the last step" question="q2" says="Fresh noise was added in the last step"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * (1 - alpha_bar / alpha_bar_prev) ** 0.5
    kept = max(1 - alpha_bar_prev - sigma**2, 0) ** 0.5
    return alpha_bar_prev**0.5 * x0 + kept * predicted_noise + sigma * noise


# %% mutant="σ without its second root" question="q2" says="the one with ᾱ_t/ᾱ_prev is missing"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="fraction in σ upside down" question="q2" says="The number under a root is negative"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - math.sqrt(1 - alpha_bar) * predicted_noise) / math.sqrt(alpha_bar)
    sigma = eta * math.sqrt((1 - alpha_bar) / (1 - alpha_bar_prev)) * math.sqrt(1 - alpha_bar / alpha_bar_prev)
    kept = math.sqrt(1 - alpha_bar_prev - sigma**2)
    return math.sqrt(alpha_bar_prev) * x0 + kept * predicted_noise + sigma * noise


# %% mutant="fraction in σ upside down, root by power" question="q2" says="on top of its fraction"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar) / (1 - alpha_bar_prev) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="predicted noise twice" question="q2" says="you used the predicted noise twice"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x0 + ((1 - alpha_bar_prev - sigma**2) ** 0.5 + sigma) * predicted_noise


# %% mutant="draws noise itself" question="q2" says="the fresh noise is the argument noise"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * predicted_noise) / alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    kept = (1 - alpha_bar_prev - sigma**2) ** 0.5
    return alpha_bar_prev**0.5 * x0 + kept * predicted_noise + sigma * torch.randn_like(x_t)


# %% mutant="roots by torch" question="q2" says="The ᾱ are Python floats"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x0 = (x_t - torch.sqrt(1 - alpha_bar) * predicted_noise) / torch.sqrt(alpha_bar)
    sigma = eta * torch.sqrt((1 - alpha_bar_prev) / (1 - alpha_bar)) * torch.sqrt(1 - alpha_bar / alpha_bar_prev)
    return torch.sqrt(alpha_bar_prev) * x0 + torch.sqrt(1 - alpha_bar_prev - sigma**2) * predicted_noise + sigma * noise


# %% mutant="float64 factors" question="q2" says="expected dtype float32, got float64"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    before, after = torch.tensor([[alpha_bar_prev], [alpha_bar]], dtype=torch.float64)
    x0 = (x_t - (1 - after).sqrt() * predicted_noise) / after.sqrt()
    sigma = eta * ((1 - before) / (1 - after) * (1 - after / before)).sqrt()
    return before.sqrt() * x0 + (1 - before - sigma**2).sqrt() * predicted_noise + sigma * noise


# %% mutant="writes into x_t" question="q2" says="changed its argument x_t in place"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    x_t -= (1 - alpha_bar) ** 0.5 * predicted_noise
    x_t /= alpha_bar**0.5
    sigma = eta * ((1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)) ** 0.5
    return alpha_bar_prev**0.5 * x_t + (1 - alpha_bar_prev - sigma**2) ** 0.5 * predicted_noise + sigma * noise


# %% mutant="factors made on the CPU" question="q2" says="it would stop on a GPU"
def ddim_step(x_t, predicted_noise, alpha_bar, alpha_bar_prev, eta, noise):
    before, after = torch.tensor([[alpha_bar_prev], [alpha_bar]])
    x0 = (x_t - (1 - after).sqrt() * predicted_noise) / after.sqrt()
    sigma = eta * ((1 - before) / (1 - after) * (1 - after / before)).sqrt()
    return before.sqrt() * x0 + (1 - before - sigma**2).sqrt() * predicted_noise + sigma * noise


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: guidance, and two ways to count it
#
# A network that sometimes saw no label in training can predict the noise in two ways: with a label $c$, and without.
# Guidance starts at the prediction without the label and goes towards the one with it, and beyond:
#
# $$\tilde\varepsilon = (1 + w)\,\varepsilon_\theta(x_t, c) - w\,\varepsilon_\theta(x_t, \varnothing)
# \qquad \text{(Ho \& Salimans 2022, eq. 6)}$$
#
# Libraries, this one included, count differently. They call their number `guidance_scale`:
#
# | what happens | $w$ | `guidance_scale` |
# |---|---|---|
# | the label is ignored | −1 | 0 |
# | the prediction with the label, as it is: no guidance | 0 | 1 |
# | the label is exaggerated | above 0 | above 1 |
#
# The two numbers lie on one straight line. Whoever takes one for the other gets a wrong picture and no error.
#
# Write two short functions:
# 1. `guided_noise`: the prediction for a `guidance_scale`. Both predictions came out of one call of the network, in
#    one tensor `both`, shape `(2b, c, h, w)`: first `b` predictions **with** the label, then `b` without it, for the
#    same images in the same order. Return shape `(b, c, h, w)`.
# 2. `to_guidance_scale`: the `guidance_scale` that does the same as a paper's $w$, for a tensor of values.
#
# <details><summary>Hint</summary>
#
# `both.chunk(2)` cuts along the first axis. Write the guided prediction as a start plus a number times a direction. The
# table tells you the start (nothing is left of the label at 0) and where one whole direction leads (at 1).
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def guided_noise(both, guidance_scale):
    """The guided prediction, in the libraries' convention: 0 ignores the label, 1 is no guidance.

    Args:
        both: predictions with the label, then those without, shape (2b, c, h, w).
        guidance_scale: a Python float.
    Returns:
        guided prediction, shape (b, c, h, w), dtype and device of both.
    """
    # BEGIN SOLUTION
    with_label, without_label = both.chunk(2)
    return without_label + guidance_scale * (with_label - without_label)
    # END SOLUTION


def to_guidance_scale(w):
    """The guidance scales that do the same as a paper's w; w is a tensor, the result has its shape and dtype."""
    # BEGIN SOLUTION
    return w + 1
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_images(guided_noise):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    with_label = torch.tensor([[[[1.0, -0.5]], [[0.5, 2.0]]], [[[-1.0, 0.25]], [[0.75, -2.0]]]])
    without_label = torch.tensor([[[[0.5, -1.0]], [[-0.5, 1.5]]], [[[-0.25, 1.0]], [[0.25, -1.5]]]])
    both = torch.cat([with_label, without_label])
    before = both.clone()
    got = run(guided_noise, both, 3.0)
    unchanged(before, both, what="both")
    right = [[[[2.0, 0.5]], [[2.5, 3.0]]], [[[-2.5, -1.25]], [[1.75, -3.0]]]]
    shapes = {
        (4, 2, 1, 2): "The two halves become one prediction for each image.",
        (4, 1, 1, 2): "You cut along the channels; the halves lie along the first axis, the batch.",
        (4, 2, 1, 1): "You cut along the columns; the halves lie along the first axis, the batch.",
    }
    slips = {
        "You used guidance_scale as the paper's w: at 1 the prediction with the label has to come out as it is.": [
            [[[2.5, 1.0]], [[3.5, 3.5]]],
            [[[-3.25, -2.0]], [[2.25, -3.5]]],
        ],
        "The halves have changed places: the first one is the prediction with the label.": [
            [[[-0.5, -2.0]], [[-2.5, 0.5]]],
            [[[1.25, 2.5]], [[-0.75, -0.5]]],
        ],
        "The direction is reversed: it leads from the prediction without the label to the one with it.": [
            [[[-1.0, -2.5]], [[-3.5, 0.0]]],
            [[[2.0, 3.25]], [[-1.25, 0.0]]],
        ],
        "You took every other image; the first half of the batch has the label, the second has not.": [
            [[[5.0, -2.0]], [[0.0, 10.0]]],
            [[[2.0, -5.0]], [[-2.0, 7.5]]],
        ],
        "The start is missing: the prediction without the label is to be added.": [
            [[[1.5, 1.5]], [[3.0, 1.5]]],
            [[[-2.25, -2.25]], [[1.5, -1.5]]],
        ],
        "Only the prediction with the label was multiplied; multiply the difference of the two.": [
            [[[2.5, -0.5]], [[2.0, 4.5]]],
            [[[-2.75, -0.25]], [[2.0, -4.5]]],
        ],
        "This is the prediction with the label, whatever guidance_scale is.": [
            [[[1.0, -0.5]], [[0.5, 2.0]]],
            [[[-1.0, 0.25]], [[0.75, -2.0]]],
        ],
        "You took 1 from guidance_scale: that gives w, and w counts from the prediction with the label.": [
            [[[1.5, 0.0]], [[1.5, 2.5]]],
            [[[-1.75, -0.5]], [[1.25, -2.5]]],
        ],
    }
    compare(got, right, what="guided_noise(both, 3.0)", shapes=shapes, slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 0.5
"""  # END TEST CONFIG


def test_to_guidance_scale(to_guidance_scale):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    w = torch.tensor([0.0, 0.5, 2.0, -1.0])
    before = w.clone()
    got = run(to_guidance_scale, w)
    unchanged(before, w, what="w")
    slips = {
        "This is w itself: w = 0 is no guidance, and so is guidance_scale = 1.": [0.0, 0.5, 2.0, -1.0],
        "This converts the other way, from guidance_scale to w.": [-1.0, -0.5, 1.0, -2.0],
        "The sign of w is the other way round: more w is more guidance.": [1.0, 0.5, -1.0, 2.0],
        "No guidance is right, but w = −1 ignores the label: there guidance_scale is 0.": [1.0, 2.0, 5.0, -1.0],
    }
    compare(got, [1.0, 1.5, 3.0, 0.0], what="to_guidance_scale(w)", slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 0.5
"""  # END TEST CONFIG


def test_dtype_device(guided_noise):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    both = torch.cat([torch.full((3, 2, 4, 5), 0.75), torch.full((3, 2, 4, 5), -0.5)])
    ignored, as_is = "guided_noise with guidance_scale 0 (ignores the label)", "guided_noise with guidance_scale 1"
    compare(run(guided_noise, both, 0.0), torch.full((3, 2, 4, 5), -0.5), what=ignored)
    right = torch.full((3, 2, 4, 5), 0.75)
    compare(run(guided_noise, both, 1.0), right, what=f"{as_is} (no guidance)")
    compare(run(guided_noise, both.double(), 1.0), right.double(), what=f"{as_is}, predictions in float64")
    follows_device(guided_noise, both, 2.0, what="guided_noise")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 1
"""  # END TEST CONFIG


def test_guidance_of_many_scales(guided_noise):
    import torch

    from minilib.grading.feedback import compare, run

    generator = torch.Generator().manual_seed(19)
    both = torch.randn(10, 3, 4, 5, generator=generator)
    for scale in (2.0, 7.5, 0.5, 1.0, 0.0):
        images = [scale * both[i] + (1 - scale) * both[i + 5] for i in range(5)]
        compare(
            run(guided_noise, both, scale),
            torch.stack(images),
            what=f"guided_noise for five images and guidance_scale {scale}",
            slips={
                "You used guidance_scale as the paper's w.": (1 + scale) * both[:5] - scale * both[5:],
                "The halves have changed places.": scale * both[5:] + (1 - scale) * both[:5],
            },
            rtol=1e-3,
            atol=1e-5,
        )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 1
"""  # END TEST CONFIG


def test_same_picture_in_both_conventions(guided_noise, to_guidance_scale):
    import torch

    from minilib.grading.feedback import compare, run

    generator = torch.Generator().manual_seed(23)
    w, both = torch.tensor([0.25, 3.0, 6.5], dtype=torch.float64), torch.randn(4, 1, 3, 3, generator=generator)
    scales = run(to_guidance_scale, w)
    compare(scales, [1.25, 4.0, 7.5], what="to_guidance_scale for three other w", dtype=torch.float64)
    for value, scale in zip(w.tolist(), scales.tolist(), strict=True):
        paper = (1 + value) * both[:2] - value * both[2:]
        compare(run(guided_noise, both, scale), paper, what=f"guided_noise for w = {value}", rtol=1e-3, atol=1e-5)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.diffusion.guidance.classifier_free_guidance
# minilib.diffusion.guidance.make_denoiser


# %% mutant="the paper's w" question="q3" says="You used guidance_scale as the paper's w"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    return (1 + guidance_scale) * with_label - guidance_scale * without_label


# %% mutant="halves change places" question="q3" says="The halves have changed places"
def guided_noise(both, guidance_scale):
    without_label, with_label = both.chunk(2)
    return without_label + guidance_scale * (with_label - without_label)


# %% mutant="mixes the other way round" question="q3" says="the first one is the prediction with the label"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    return (1 - guidance_scale) * with_label + guidance_scale * without_label


# %% mutant="direction reversed" question="q3" says="The direction is reversed"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    return without_label + guidance_scale * (without_label - with_label)


# %% mutant="every other image" question="q3" says="You took every other image"
def guided_noise(both, guidance_scale):
    with_label, without_label = both[::2], both[1::2]
    return without_label + guidance_scale * (with_label - without_label)


# %% mutant="start forgotten" question="q3" says="The start is missing"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    return guidance_scale * (with_label - without_label)


# %% mutant="scales the labelled prediction" question="q3" says="multiply the difference of the two"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    return guidance_scale * with_label - without_label


# %% mutant="no guidance" question="q3" says="the label, whatever guidance_scale is"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    return without_label + (with_label - without_label)


# %% mutant="one too little" question="q3" says="You took 1 from guidance_scale"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    return without_label + (guidance_scale - 1) * (with_label - without_label)


# %% mutant="cuts the channels" question="q3" says="You cut along the channels"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2, dim=1)
    return without_label + guidance_scale * (with_label - without_label)


# %% mutant="both halves come back" question="q3" says="become one prediction for each image"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    return (without_label + guidance_scale * (with_label - without_label)).repeat(2, 1, 1, 1)


# %% mutant="writes into both" question="q3" says="changed its argument both in place"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    with_label -= without_label
    return without_label + guidance_scale * with_label


# %% mutant="result in float32" question="q3" says="expected dtype float64, got float32"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.float().chunk(2)
    return without_label + guidance_scale * (with_label - without_label)


# %% mutant="scale made on the CPU" question="q3" says="it would stop on a GPU"
def guided_noise(both, guidance_scale):
    with_label, without_label = both.chunk(2)
    scales = torch.full((len(with_label), 1, 1, 1), guidance_scale, dtype=both.dtype)
    return without_label + scales * (with_label - without_label)


# %% mutant="w itself" question="q3" says="This is w itself"
def to_guidance_scale(w):
    return w


# %% mutant="converts the other way" question="q3" says="from guidance_scale to w"
def to_guidance_scale(w):
    return w - 1


# %% mutant="sign of w" question="q3" says="The sign of w is the other way round"
def to_guidance_scale(w):
    return 1 - w


# %% mutant="twice as steep" question="q3" says="No guidance is right"
def to_guidance_scale(w):
    return 1 + 2 * w


# %% mutant="writes into w" question="q3" says="changed its argument w in place"
def to_guidance_scale(w):
    w += 1
    return w


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: look back once, step further
#
# DDIM takes $\hat x_0$ to stay as it is during a step. In fact it drifts: the less noise, the better the estimate.
# DPM-Solver++(2M) (Lu et al. 2022) also keeps the $\hat x_0$ of the step before, and lets the drift go on in a straight
# line. That costs nothing: the network is asked once a step, as before. Distances between times are measured in
#
# $$\lambda = \tfrac12 \ln \frac{\bar\alpha}{1 - \bar\alpha},$$
#
# half the $\lambda = \ln\mathrm{SNR}$ of the exercise on noising. It grows as the noise goes away. With
# $h_{\mathrm{before}} = \lambda - \lambda_{\mathrm{before}}$, the length of the step before, and
# $h = \lambda_{\mathrm{next}} - \lambda$, that of this one,
#
# $$r = \frac{h_{\mathrm{before}}}{h}, \qquad D = \left(1 + \frac{1}{2r}\right) \hat x_0 - \frac{1}{2r}\,
# \hat x_{0,\mathrm{before}},$$
#
# $$x_{\mathrm{next}} = \sqrt{\frac{1-\bar\alpha_{\mathrm{next}}}{1-\bar\alpha}}\; x
# - \sqrt{\bar\alpha_{\mathrm{next}}}\,\left(e^{-h} - 1\right) D \qquad \text{(DPM-Solver++, algorithm 2)}$$
#
# $D$ is the value of that line half a step ahead of $x$, hence the ½.
#
# Write `dpm_solver_step`. **The first step** has nothing to look back to: `x0_before` and `alpha_bar_before` are then
# both `None`, and $D = \hat x_0$. The other $\bar\alpha$ lie strictly between 0 and 1. (The very last step goes to the
# clean image. It is not asked for: it has infinite length in $\lambda$ and simply returns $\hat x_0$.)
#
# <details><summary>Hint</summary>
#
# Write a small helper for $\lambda$ of one $\bar\alpha$. Leave the step before alone until you know that there is one:
# `x0_before is None` tells you. To test your answer, hand in the same tensor as `x0` and `x0_before`: the result has to
# be that of the first step. And on the first step, `ddim_step` with $\eta = 0$ must give the same, for
# $\hat\varepsilon = (x - \sqrt{\bar\alpha}\,\hat x_0)/\sqrt{1-\bar\alpha}$.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    """One step of DPM-Solver++(2M), from a time to a less noisy one.

    Args:
        x: noisy images, shape (b, c, h, w).
        x0: estimate of the clean images made from x, shape (b, c, h, w).
        x0_before: the estimate of the step before, shape (b, c, h, w); None on the first step.
        alpha_bar_before: ᾱ at the time that x0_before was made at, a Python float; None on the first step.
        alpha_bar: ᾱ at the time of x, a Python float.
        alpha_bar_next: ᾱ at the time to go to, a Python float, larger, below 1.
    Returns:
        x at the next time, shape (b, c, h, w), dtype and device of x.
    """

    # BEGIN SOLUTION
    def half_log_snr(bar):
        return 0.5 * math.log(bar / (1 - bar))

    length = half_log_snr(alpha_bar_next) - half_log_snr(alpha_bar)
    estimate = x0
    if x0_before is not None:
        ratio = (half_log_snr(alpha_bar) - half_log_snr(alpha_bar_before)) / length
        estimate = x0 + (x0 - x0_before) / (2 * ratio)
    shrink = math.sqrt((1 - alpha_bar_next) / (1 - alpha_bar))
    return shrink * x - math.sqrt(alpha_bar_next) * math.expm1(-length) * estimate
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_first_step(dpm_solver_step):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x = torch.tensor([[[[1.0, -0.5]]], [[[-0.25, 2.0]]]])
    x0 = torch.tensor([[[[0.5, -1.0]]], [[[1.0, 0.25]]]])
    x_original, x0_original = x.clone(), x0.clone()
    missing = "On the first step x0_before and alpha_bar_before are None: use them only where x0_before is given."
    floats = "The ᾱ are Python floats: use the functions of the module math, not those of torch."
    hints = {"NoneType": missing, "must be Tensor, not float": floats}
    got = run(dpm_solver_step, x, x0, None, None, 0.36, 0.81, hints=hints)
    unchanged(x_original, x, what="x")
    unchanged(x0_original, x0, what="x0")
    right = [[[[0.831404, -0.845514]]], [[[0.436867, 1.232995]]]]
    slips = {
        "λ is half the logarithm; without the ½ the step comes out twice as long.": [
            [[[0.935487, -1.053681]]],
            [[[0.645034, 1.285037]]],
        ],
        "The sign in front of √ᾱ_next is a minus: e^(−h) − 1 is negative, so x̂_0 is added in the end.": [
            [[[0.258321, 0.300651]]],
            [[[-0.709298, 0.946454]]],
        ],
        "The exponent is −h, with h = λ_next − λ, which is positive.": [
            [[[-0.243983, 1.305259]]],
            [[[-1.713906, 0.695302]]],
        ],
        "After e^(−h), a 1 is to be taken away.": [[[[0.381404, 0.054486]]], [[[-0.463133, 1.007995]]]],
        "The factor of x is upside down: noise gets less, so x shrinks.": [
            [[[2.121867, -1.490746]]],
            [[[0.114251, 3.813922]]],
        ],
        "√ is missing in front of x and of D: both factors are square roots.": [
            [[[0.554762, -0.664212]]],
            [[[0.441556, 0.722694]]],
        ],
        "√ is missing in front of D.": [[[[0.80275, -0.788206]]], [[[0.379559, 1.218668]]]],
        "The factor of D holds ᾱ of the next time, not of the time of x.": [
            [[[0.73589, -0.654486]]],
            [[[0.245839, 1.185238]]],
        ],
        "The logarithm in λ is the natural one.": [[[[0.704989, -0.592685]]], [[[0.184038, 1.169788]]]],
        "λ is made of ᾱ/(1 − ᾱ), not of ᾱ alone.": [[[[0.694862, -0.572431]]], [[[0.163784, 1.164725]]]],
    }
    compare(got, right, what="dpm_solver_step, the first step", slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_second_step(dpm_solver_step):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x = torch.tensor([[[[1.0, -0.5]]], [[[-0.25, 2.0]]]])
    x0 = torch.tensor([[[[0.5, -1.0]]], [[[1.0, 0.25]]]])
    x0_before = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -0.5]]]])
    x0_original, before_original = x0.clone(), x0_before.clone()
    got = run(dpm_solver_step, x, x0, x0_before, 0.2, 0.36, 0.81, hints={"ambiguous": "Ask whether x0_before is None."})
    unchanged(x0_original, x0, what="x0")
    unchanged(before_original, x0_before, what="x0_before")
    right = [[[[1.904899, -1.919009]]], [[[-0.278797, 1.769743]]]]
    slips = {
        "The estimate of the step before was not used: this is the first-order step.": [
            [[[0.831404, -0.845514]]],
            [[[0.436867, 1.232995]]],
        ],
        "D goes on in the direction of the drift, from x0_before to x0 and beyond; yours goes back.": [
            [[[-0.242092, 0.227982]]],
            [[[1.152531, 0.696248]]],
        ],
        "r is to be doubled: D goes on for half a step only, 1/(2r).": [
            [[[2.978395, -2.992505]]],
            [[[-0.994461, 2.306491]]],
        ],
        "r is upside down: it is h_before over h.": [[[[1.003494, -1.017604]]], [[[0.32214, 1.319041]]]],
        "x0 and x0_before have changed places in D.": [[[[-1.101716, 1.087606]]], [[[1.725613, 0.266436]]]],
        "h_before ends at the time of x, where h begins; yours goes on to the next time.": [
            [[[1.138328, -1.152438]]],
            [[[0.232251, 1.386457]]],
        ],
        "This takes both steps to be of the same length, r = 1.": [[[[1.261216, -1.275326]]], [[[0.150326, 1.447901]]]],
        "The factors in D add up to 1: that of x0 is 1 + 1/(2r).": [
            [[[1.547067, -1.203346]]],
            [[[-0.994461, 1.590827]]],
        ],
        "Your D is the mean of the two estimates; it has to lie beyond x0, not between them.": [
            [[[0.401592, -0.415702]]],
            [[[0.723408, 1.018089]]],
        ],
    }
    compare(got, right, what="dpm_solver_step, the second step", slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_steady_estimate(dpm_solver_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    x, x0 = torch.full((3, 2, 4, 5), 1.4), torch.ones(3, 2, 4, 5)
    right = torch.full((3, 2, 4, 5), 1.33589)
    what = "dpm_solver_step where x0 and x0_before are the same"
    compare(run(dpm_solver_step, x, x0, x0, 0.1, 0.36, 0.81), right, what=what)
    got = run(dpm_solver_step, x.double(), x0.double(), x0.double(), 0.1, 0.36, 0.81)
    compare(got, right.double(), what=f"{what}, images in float64")
    follows_device(dpm_solver_step, x, x0, x0, 0.1, 0.36, 0.81, what="dpm_solver_step")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_three_steps_in_a_row(dpm_solver_step):
    import math

    import torch

    from minilib.grading.feedback import compare, run

    generator = torch.Generator().manual_seed(29)
    x, *estimates = torch.randn(4, 4, 3, 2, 4, generator=generator)
    bars, before = (0.02, 0.1, 0.5, 0.95), None
    for i, x0 in enumerate(estimates):
        # s is the noise beside one unit of picture: λ = −ln s.
        s = [math.sqrt((1 - bar) / bar) for bar in bars]
        scale = math.sqrt(bars[i + 1])
        line = x0 if before is None else x0 + (x0 - before) * math.log(s[i] / s[i + 1]) / math.log(s[i - 1] / s[i]) / 2
        right = scale * (s[i + 1] / s[i] * x / math.sqrt(bars[i]) + (1 - s[i + 1] / s[i]) * line)
        earlier = None if before is None else bars[i - 1]
        what = f"dpm_solver_step, step {i + 1} of three"
        got = run(dpm_solver_step, x, x0, before, earlier, bars[i], bars[i + 1])
        compare(got, right, what=what, rtol=1e-3, atol=1e-4)
        x, before = right, x0


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.diffusion.samplers.dpm_solver_pp_2m


# %% mutant="λ without ½" question="q4" says="λ is half the logarithm"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="plus in place of minus" question="q4" says="The sign in front of √ᾱ_next is a minus"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x + alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="sign of the exponent" question="q4" says="The exponent is −h"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(h) * estimate


# %% mutant="exponential without − 1" question="q4" says="a 1 is to be taken away"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.exp(-h) * estimate


# %% mutant="factor of x upside down" question="q4" says="The factor of x is upside down"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar) / (1 - alpha_bar_next)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="forgets the roots" question="q4" says="√ is missing in front of x and of D"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return (1 - alpha_bar_next) / (1 - alpha_bar) * x - alpha_bar_next * math.expm1(-h) * estimate


# %% mutant="ᾱ in front of D" question="q4" says="√ is missing in front of D"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next * math.expm1(-h) * estimate


# %% mutant="ᾱ of the old time" question="q4" says="holds ᾱ of the next time"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar**0.5 * math.expm1(-h) * estimate


# %% mutant="logarithm to base 10" question="q4" says="The logarithm in λ is the natural one"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log10(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="logarithm of ᾱ alone" question="q4" says="not of ᾱ alone"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="first step not treated" question="q4" says="On the first step x0_before and alpha_bar_before are None"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="asks whether a tensor is true" question="q4" says="Ask whether x0_before is None"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 + h / (2 * (now - before)) * (x0 - x0_before) if x0_before else x0
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="first order" question="q4" says="this is the first-order step"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    h = (math.log(alpha_bar_next / (1 - alpha_bar_next)) - math.log(alpha_bar / (1 - alpha_bar))) / 2
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * x0


# %% mutant="looks back" question="q4" says="yours goes back"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 - h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="½ forgotten in D" question="q4" says="r is to be doubled"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (now - before) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="r upside down" question="q4" says="r is upside down"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + (now - before) / (2 * h) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="estimates change places" question="q4" says="have changed places in D"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0_before + h / (2 * (now - before)) * (x0_before - x0)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="h_before too long" question="q4" says="yours goes on to the next time"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (following - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="even steps" question="q4" says="of the same length, r = 1"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    h = (math.log(alpha_bar_next / (1 - alpha_bar_next)) - math.log(alpha_bar / (1 - alpha_bar))) / 2
    estimate = x0 if x0_before is None else 1.5 * x0 - 0.5 * x0_before
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="factors do not add up" question="q4" says="The factors in D add up to 1"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 - h / (2 * (now - before)) * x0_before
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="mean of the estimates" question="q4" says="Your D is the mean of the two estimates"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    h = (math.log(alpha_bar_next / (1 - alpha_bar_next)) - math.log(alpha_bar / (1 - alpha_bar))) / 2
    estimate = x0 if x0_before is None else (x0 + x0_before) / 2
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * estimate


# %% mutant="logarithms by torch" question="q4" says="The ᾱ are Python floats"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and torch.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * torch.expm1(-h) * estimate


# %% mutant="float64 factors" question="q4" says="expected dtype float32, got float64"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    bars = torch.tensor([[alpha_bar_before or 0.5], [alpha_bar], [alpha_bar_next]], dtype=torch.float64)
    h_before, h = (torch.log(bars / (1 - bars)) / 2).diff(dim=0)
    estimate = x0 if x0_before is None else x0 + h / (2 * h_before) * (x0 - x0_before)
    return ((1 - bars[2]) / (1 - bars[1])).sqrt() * x - bars[2].sqrt() * torch.expm1(-h) * estimate


# %% mutant="writes into x0" question="q4" says="changed its argument x0 in place"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    if x0_before is not None:
        x0 += h / (2 * (now - before)) * (x0 - x0_before)
    return ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5 * x - alpha_bar_next**0.5 * math.expm1(-h) * x0


# %% mutant="writes into x" question="q4" says="changed its argument x in place"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    before, now, following = (b and math.log(b / (1 - b)) / 2 for b in (alpha_bar_before, alpha_bar, alpha_bar_next))
    h = following - now
    estimate = x0 if x0_before is None else x0 + h / (2 * (now - before)) * (x0 - x0_before)
    x *= ((1 - alpha_bar_next) / (1 - alpha_bar)) ** 0.5
    x -= alpha_bar_next**0.5 * math.expm1(-h) * estimate
    return x


# %% mutant="factors made on the CPU" question="q4" says="it would stop on a GPU"
def dpm_solver_step(x, x0, x0_before, alpha_bar_before, alpha_bar, alpha_bar_next):
    bars = torch.tensor([[alpha_bar_before or 0.5], [alpha_bar], [alpha_bar_next]], dtype=x.dtype)
    h_before, h = (torch.log(bars / (1 - bars)) / 2).diff(dim=0)
    estimate = x0 if x0_before is None else x0 + h / (2 * h_before) * (x0 - x0_before)
    return ((1 - bars[2]) / (1 - bars[1])).sqrt() * x - bars[2].sqrt() * torch.expm1(-h) * estimate


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: a straight path
#
# Flow matching (Lipman et al. 2023; Liu et al. 2023) takes the simplest schedule. Image and noise are the two ends of a
# straight line, and time $u$ says how far along it a point lies:
#
# $$x_u = (1 - u)\,x_0 + u\,\varepsilon, \qquad u = 0 \text{ is the image, } u = 1 \text{ is noise.}$$
#
# The network learns the *velocity* $\mathrm{d}x_u/\mathrm{d}u$ of that point. This velocity is another one than the
# $v$ of the exercise on noising. Both papers let time run from noise to data; we keep the direction of the book, so our
# velocity has the opposite sign of theirs.
#
# Write two short functions:
# 1. `flow_pair`: what the network is shown in training and what it should answer, $(x_u, \mathrm{d}x_u/\mathrm{d}u)$.
#    **Each image has its own** $u$. Work out the derivative on paper first.
# 2. `flow_euler_step`: one step of sampling with Euler's method. It moves $x$ from time `u` to `u_next` as if the
#    velocity stayed the same all the way. Sampling goes from 1 to 0, so `u_next` is the smaller one.
#
# <details><summary>Hint</summary>
#
# The derivative does not depend on $u$: on a straight path the velocity is the same everywhere. `u` has the shape
# `(b,)`; which shape lines up with the first axis of `(b, c, h, w)`? To test both functions together, start at the
# noise and take one step from $u = 1$ to 0 with the velocity of the pair. It has to arrive at the image.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def flow_pair(x0, noise, u):
    """Points on the straight paths from images to noise, and their velocities.

    Args:
        x0: clean images, shape (b, c, h, w).
        noise: ε, shape (b, c, h, w).
        u: times, shape (b,), floats in [0, 1]; 0 is the image, 1 is noise.
    Returns:
        x_u and velocity, shape (b, c, h, w) each, dtype and device of x0.
    """
    # BEGIN SOLUTION
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    return (1 - share) * x0 + share * noise, noise - x0
    # END SOLUTION


def flow_euler_step(x, velocity, u, u_next):
    """Moves x, shape (b, c, h, w), from time u to u_next (Python floats) along velocity, shape (b, c, h, w)."""
    # BEGIN SOLUTION
    return x + (u_next - u) * velocity
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_paths(flow_pair):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    x0 = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    x0_before, noise_before = x0.clone(), noise.clone()
    what = "flow_pair(x0, noise, u)"
    x_u, velocity = parts(run(flow_pair, x0, noise, torch.tensor([0.2, 0.75])), ("x_u", "velocity"), what=what)
    unchanged(x0_before, x0, what="x0")
    unchanged(noise_before, noise, what="noise")
    right = [[[[0.6, -0.3]]], [[[1.5625, -0.5625]]]]
    slips = {
        "x_u and velocity have changed places: return (x_u, velocity).": [[[[-2.0, 1.0]]], [[[1.75, -1.75]]]],
        "Time runs the wrong way: u = 0 is the image, u = 1 is noise.": [[[[-0.6, 0.3]]], [[[0.6875, 0.3125]]]],
        "u was lined up with the columns of the images: it needs the shape (b, 1, 1, 1).": [
            [[[0.6, 0.25]]],
            [[[0.6, -0.5625]]],
        ],
        "All images were moved to the time of the first one.": [[[[0.6, -0.3]]], [[[0.6, 0.4]]]],
        "The path is straight: its factors are 1 − u and u themselves, without roots.": [
            [[[0.447214, -0.223607]]],
            [[[1.857051, -0.491025]]],
        ],
        "The image keeps its full weight; its factor is 1 − u.": [[[[0.8, -0.4]]], [[[1.75, 0.0]]]],
    }
    compare(x_u, right, what=f"x_u of {what}", slips=slips)
    right = [[[[-2.0, 1.0]]], [[[1.75, -1.75]]]]
    slips = {
        "The sign is the other way round: as u grows, x_u moves away from the image.": [
            [[[2.0, -1.0]]],
            [[[-1.75, 1.75]]],
        ],
        "This is the noise; the path also leaves the image behind, which the derivative of 1 − u says.": [
            [[[-1.0, 0.5]]],
            [[[2.0, -1.0]]],
        ],
        "This is x_u itself; the velocity is its derivative with respect to u.": [
            [[[0.6, -0.3]]],
            [[[1.5625, -0.5625]]],
        ],
        "This is the way from the image to x_u; divide it by the time that it took, u.": [
            [[[-0.4, 0.2]]],
            [[[1.3125, -1.3125]]],
        ],
        "This is the way that is left from x_u to the noise; on a straight path the velocity stays the same.": [
            [[[-1.6, 0.8]]],
            [[[0.4375, -0.4375]]],
        ],
        "The noise and the image are to be subtracted, not added.": [[[[0.0, 0.0]]], [[[2.25, -0.25]]]],
    }
    compare(velocity, right, what=f"velocity of {what}", slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_euler_step(flow_euler_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, run, unchanged

    x = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    velocity = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    x_before, velocity_before = x.clone(), velocity.clone()
    got = run(flow_euler_step, x, velocity, 0.8, 0.5)
    unchanged(x_before, x, what="x")
    unchanged(velocity_before, velocity, what="velocity")
    right = [[[[1.3, -0.65]]], [[[-0.35, 1.05]]]]
    slips = {
        "The step goes the wrong way: its length is u_next − u, which is negative.": [
            [[[0.7, -0.35]]],
            [[[0.85, 0.45]]],
        ],
        "The whole velocity was added: it has to be multiplied by u_next − u.": [[[[0.0, 0.0]]], [[[2.25, -0.25]]]],
        "This goes all the way to the image; stop at u_next.": [[[[1.8, -0.9]]], [[[-1.35, 1.55]]]],
        "The length of the step is u_next − u, not u_next.": [[[[0.5, -0.25]]], [[[1.25, 0.25]]]],
        "The length of the step is u_next − u, not −u_next.": [[[[1.5, -0.75]]], [[[-0.75, 1.25]]]],
        "This is the step alone; it has to be added to x.": [[[[0.3, -0.15]]], [[[-0.6, 0.3]]]],
    }
    compare(got, right, what="flow_euler_step from 0.8 to 0.5", slips=slips)
    got = run(flow_euler_step, x.double(), velocity.double(), 0.8, 0.5)
    compare(got, torch.tensor(right).double(), what="flow_euler_step for images in float64")
    follows_device(flow_euler_step, x, velocity, 0.8, 0.5, what="flow_euler_step")


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_dtype_device(flow_pair):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    x0, noise = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5)
    u = torch.tensor([1.0, 0.0, 0.3], dtype=torch.float64)
    hints = {"must match the size": "u was lined up with the columns of the images: it needs the shape (b, 1, 1, 1)."}
    right = torch.tensor([1.0, 0.0, 0.3]).reshape(3, 1, 1, 1).expand(3, 2, 4, 5)
    what = "flow_pair for images in float32 and times in float64"
    x_u, velocity = parts(run(flow_pair, x0, noise, u, hints=hints), ("x_u", "velocity"), what=what)
    compare(x_u, right, what=f"x_u of {what}")
    compare(velocity, noise, what=f"velocity of {what}")
    what = "flow_pair for images in float64 and times in float32"
    got = run(flow_pair, x0.double(), noise.double(), u.float())
    x_u, velocity = parts(got, ("x_u", "velocity"), what=what)
    compare(x_u, right.double(), what=f"x_u of {what}")
    compare(velocity, noise.double(), what=f"velocity of {what}")
    follows_device(flow_pair, x0, noise, u, what="flow_pair")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 1
"""  # END TEST CONFIG


def test_square_batch(flow_pair):
    import torch

    from minilib.grading.feedback import compare, parts, run

    generator = torch.Generator().manual_seed(31)
    x0, noise = torch.randn(2, 5, 3, 4, 5, generator=generator)
    u = torch.tensor([0.0, 1.0, 0.35, 0.9, 0.6])
    images = [x0[i] + share * (noise[i] - x0[i]) for i, share in enumerate(u.tolist())]
    what = "flow_pair for five images, five columns wide"
    x_u, velocity = parts(run(flow_pair, x0, noise, u), ("x_u", "velocity"), what=what)
    axis = "u was lined up with the columns of the images: it needs the shape (b, 1, 1, 1)."
    compare(x_u, torch.stack(images), what=f"x_u of {what}", slips={axis: (1 - u) * x0 + u * noise}, atol=1e-5)
    compare(velocity, noise - x0, what=f"velocity of {what}", atol=1e-5)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 1
"""  # END TEST CONFIG


def test_walk_from_noise_to_image(flow_euler_step):
    import torch

    from minilib.grading.feedback import compare, run

    generator = torch.Generator().manual_seed(37)
    x0, noise = torch.randn(2, 4, 3, 2, 4, generator=generator)
    x, steps = noise, ((1.0, 0.7), (0.7, 0.65), (0.65, 0.2), (0.2, 0.0))
    for u, following in steps:
        right = (1 - following) * x0 + following * noise
        what = f"flow_euler_step from {u} to {following} on a straight path"
        compare(run(flow_euler_step, x, noise - x0, u, following), right, what=what, rtol=1e-3, atol=1e-5)
        x = right


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.diffusion.flow.flow_path
# minilib.diffusion.flow.flow_euler


# %% mutant="tuple in the wrong order" question="q5" says="return (x_u, velocity)"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    return noise - x0, (1 - share) * x0 + share * noise


# %% mutant="time runs the wrong way" question="q5" says="Time runs the wrong way"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    return share * x0 + (1 - share) * noise, x0 - noise


# %% mutant="time along the columns" question="q5" says="it needs the shape (b, 1, 1, 1)"
def flow_pair(x0, noise, u):
    share = u.to(x0.dtype)
    return (1 - share) * x0 + share * noise, noise - x0


# %% mutant="one time for the whole batch" question="q5" says="the time of the first one"
def flow_pair(x0, noise, u):
    share = u[0].to(x0.dtype)
    return (1 - share) * x0 + share * noise, noise - x0


# %% mutant="square roots" question="q5" says="without roots"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    return (1 - share).sqrt() * x0 + share.sqrt() * noise, noise - x0


# %% mutant="image not weakened" question="q5" says="The image keeps its full weight"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    return x0 + share * noise, noise - x0


# %% mutant="sign of the velocity" question="q5" says="x_u moves away from the image"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    return (1 - share) * x0 + share * noise, x0 - noise


# %% mutant="noise in place of the velocity" question="q5" says="which the derivative of 1 − u says"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    return (1 - share) * x0 + share * noise, noise


# %% mutant="x_u twice" question="q5" says="This is x_u itself"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    x_u = (1 - share) * x0 + share * noise
    return x_u, x_u


# %% mutant="velocity times u" question="q5" says="divide it by the time that it took"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    x_u = (1 - share) * x0 + share * noise
    return x_u, x_u - x0


# %% mutant="the way left" question="q5" says="the way that is left from x_u to the noise"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    x_u = (1 - share) * x0 + share * noise
    return x_u, noise - x_u


# %% mutant="sum" question="q5" says="are to be subtracted, not added"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    return (1 - share) * x0 + share * noise, noise + x0


# %% mutant="returns x_u only" question="q5" says="expected a tuple (x_u, velocity)"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    return (1 - share) * x0 + share * noise


# %% mutant="result in the dtype of u" question="q5" says="expected dtype float32, got float64"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1)
    return (1 - share) * x0 + share * noise, noise - x0


# %% mutant="writes into x0" question="q5" says="changed its argument x0 in place"
def flow_pair(x0, noise, u):
    share = u.reshape(-1, 1, 1, 1).to(x0.dtype)
    velocity = noise - x0
    x0 += share * velocity
    return x0, velocity


# %% mutant="factors made on the CPU" question="q5" says="it would stop on a GPU"
def flow_pair(x0, noise, u):
    share = (torch.ones(len(x0), 1, 1, 1) * u.reshape(-1, 1, 1, 1)).to(x0.dtype)
    return (1 - share) * x0 + share * noise, noise - x0


# %% mutant="step the wrong way" question="q5" says="The step goes the wrong way"
def flow_euler_step(x, velocity, u, u_next):
    return x - (u_next - u) * velocity


# %% mutant="step of length 1" question="q5" says="The whole velocity was added"
def flow_euler_step(x, velocity, u, u_next):
    return x + velocity


# %% mutant="all the way to the image" question="q5" says="This goes all the way to the image"
def flow_euler_step(x, velocity, u, u_next):
    return x - u * velocity


# %% mutant="length u_next" question="q5" says="not u_next"
def flow_euler_step(x, velocity, u, u_next):
    return x + u_next * velocity


# %% mutant="length −u_next" question="q5" says="not −u_next"
def flow_euler_step(x, velocity, u, u_next):
    return x - u_next * velocity


# %% mutant="step not added" question="q5" says="it has to be added to x"
def flow_euler_step(x, velocity, u, u_next):
    return (u_next - u) * velocity


# %% mutant="writes into x" question="q5" says="changed its argument x in place"
def flow_euler_step(x, velocity, u, u_next):
    x += (u_next - u) * velocity
    return x


# %% [raw]
# # END QUESTION

# %% [markdown]
# ## Done
#
# Save the notebook and hand in the `.ipynb` file itself. What comes next in the book: one picture that is larger than
# what the network has learned, put together from several samples at once.
