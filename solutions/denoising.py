# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [raw] about=true
# For the instructor. This one file is the exercise: `make exercises` turns it into exercises/denoising/ (what students
# get) and build/exercises/denoising.zip (what `python -m minilib.grading` scores with). solutions/noising.py explains
# the cells, and CONTRIBUTING.md the rules.
# ruff: noqa: E402, F811

# %% [raw]
# # ASSIGNMENT CONFIG
# name: denoising
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: denoising
#
# Five questions on the chapter *Denoising*. You write one step of training, the wiring of the network, one step of
# sampling, and two small rules that most training recipes of today contain. All of it takes plain torch, and none of
# it more than about ten lines. Allow an hour and a half.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - **Time is counted from 0.** Index `t` of a tensor holds the paper's step $t+1$: index 0 has been noised once, index
#   $T-1$ is the end, and the clean image has no index.
# - Batches of images have the shape `(b, c, h, w)`. The schedule comes as `alphas_cumprod`, the $\bar\alpha$ of all
#   times, shape `(T,)`.
# - No question needs the answer to another one. If you are stuck, go on with the next.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "denoising"
if "google.colab" in sys.modules and not Path("tests").is_dir():
    import subprocess

    if not Path("/content/course").is_dir():
        address = os.environ.get("COURSE_REPOSITORY") or input("Address of the course, https://github.com/OWNER/NAME: ")
        subprocess.run(["git", "clone", "--quiet", "--depth", "1", address, "/content/course"], check=True)
    packages = "/content/course jaxtyping wadler-lindig otter-grader==7.0.0 fica==0.4.1 dill==0.4.1 ipylab==1.1.0"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, *packages.split(), "python-frontmatter==1.3.0"], check=True)
    os.chdir(f"/content/course/exercises/{EXERCISE}")

import otter
import torch
import torch.nn.functional as F

grader = otter.Notebook(tests_dir="tests")

# %% [raw]
# # BEGIN QUESTION
# name: q1

# %% [markdown]
# ## Question 1: one step of training
#
# A diffusion model is trained by a short loop. Take clean images, noise each of them to a time of its own, ask the
# network $\varepsilon_\theta$ which noise it sees, and move its weights $\theta$ a little *against* the gradient
#
# $$\nabla_\theta \left\| \varepsilon -
# \varepsilon_\theta\!\left(\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \varepsilon,\; t\right) \right\|^2
# \qquad \text{(DDPM, algorithm 1)}$$
#
# Our network is as small as a network can be: one 3×3 convolution without a bias, which is not even told the time.
# What it predicts is `F.conv2d(x_t, weight, padding=1)`. Everything around it is the same as for a large one.
#
# Write `training_step`, one turn of the loop for given images, times and noise:
# 1. Noise the images, each to its own time.
# 2. Predict, and compare with what the network *should* have said. The loss is the **mean** squared error over all
#    numbers of the batch. (The paper writes a sum; a mean does not grow with the size of the images.)
# 3. Take one step of plain gradient descent: $\theta - \eta\, \nabla_\theta L$ with the learning rate $\eta$.
#
# Return the pair `(loss, new_weight)`. The loss is the one before the step, a tensor of shape `()`. Both have the dtype
# and the device of `x0`, also where `alphas_cumprod` is `float64`; the arguments stay as they were.
#
# <details><summary>Hint</summary>
#
# torch follows a tensor only if it is told to. Make a copy of `weight`, call `requires_grad_()` on it, and predict with
# the copy. `torch.autograd.grad(loss, copy)` then returns a tuple of one gradient. Unlike `backward()`, it leaves
# nothing behind that would have to be set back to zero.
#
# The factors are needed in the shape `(b, 1, 1, 1)`, one for each image.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    """One step of gradient descent for a network that is a single convolution.

    Args:
        weight: the network, a kernel of shape (c, c, 3, 3); it does not require a gradient.
        x0: clean images, shape (b, c, h, w).
        t: times, shape (b,), int64, each in 0..T-1.
        noise: ε, shape (b, c, h, w).
        alphas_cumprod: ᾱ, shape (T,).
        learning_rate: η, a Python float.
    Returns:
        loss before the step, shape (), and the new weight, shape (c, c, 3, 3); dtype and device of x0.
    """
    # BEGIN SOLUTION
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1)
    x_t = bar.sqrt().to(x0.dtype) * x0 + (1 - bar).sqrt().to(x0.dtype) * noise
    kernel = weight.detach().clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    (gradient,) = torch.autograd.grad(loss, kernel)
    return loss.detach(), weight - learning_rate * gradient
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_loss(training_step):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    weight = torch.tensor([[[[0.1, -0.2, 0.3], [0.2, 0.5, -0.1], [-0.3, 0.1, 0.2]]]])
    x0 = torch.tensor([[[[1.0, -0.5], [0.5, 0.25]]], [[[0.25, 0.75], [-1.0, 0.5]]]])
    noise = torch.tensor([[[[-1.0, 0.5], [0.5, 1.5]]], [[[2.0, -1.0], [0.5, -0.5]]]])
    t, alphas_cumprod = torch.tensor([1, 2]), torch.tensor([0.81, 0.64, 0.36, 0.04])
    copies = weight.clone(), x0.clone(), noise.clone()
    what = "training_step(weight, x0, t, noise, alphas_cumprod, 0.5)"
    hints = {"does not require grad": "torch does not follow weight: predict with a copy that has requires_grad_() on."}
    got = run(training_step, weight, x0, t, noise, alphas_cumprod, 0.5, hints=hints)
    for name, before, after in zip(("weight", "x0", "noise"), copies, (weight, x0, noise), strict=True):
        unchanged(before, after, what=name)
    loss, _ = parts(got, ("loss", "new_weight"), what=what)
    shapes = {
        (1, 1, 3, 3): "The loss and the new weight have changed places: return (loss, new_weight).",
        (2,): "This is one loss for each image; take the mean over all numbers of the batch.",
        (2, 1, 2, 2): "These are the squared errors of all pixels; take their mean.",
    }
    slips = {
        "The target is the noise: the network is asked which noise it sees, not what the clean image is.": 0.229684,
        "The target is the noise: you compared the prediction with the network's own input x_t.": 0.218372,
        "The network has to look at the noised images x_t; you showed it the clean ones.": 1.577969,
        "The network has to look at the noised images x_t; you showed it the noise itself.": 0.541563,
        "√ is missing in x_t: both factors are square roots.": 0.926771,
        "The factors of x0 and noise in x_t have changed places.": 0.959522,
        "This is the sum of the squared errors; the mean was asked for.": 7.332475,
        "You summed over each image; the mean is taken over all numbers of the batch.": 3.666237,
        "There is no ½ in front of the squared error here.": 0.45828,
        "This is the mean of the absolute errors; they are to be squared.": 0.895625,
        "This is the square root of the loss.": 0.957371,
        "You read ᾱ at t − 1: index t is already the paper's step t + 1.": 1.098623,
        "You read ᾱ at t + 1: index t is the paper's step t + 1, no shift is needed.": 0.692136,
        "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1).": 0.968481,
        "All images were noised to the time of the first one.": 1.038262,
        "This is the loss after the step; return the one that the gradient was taken of.": 0.446063,
    }
    slips = {reason: torch.tensor(wrong) for reason, wrong in slips.items()}
    compare(loss, torch.tensor(0.916559), what=f"loss of {what}", shapes=shapes, slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_new_weight(training_step):
    import torch

    from minilib.grading.feedback import compare, parts, run

    weight = torch.tensor([[[[0.1, -0.2, 0.3], [0.2, 0.5, -0.1], [-0.3, 0.1, 0.2]]]])
    x0 = torch.tensor([[[[1.0, -0.5], [0.5, 0.25]]], [[[0.25, 0.75], [-1.0, 0.5]]]])
    noise = torch.tensor([[[[-1.0, 0.5], [0.5, 1.5]]], [[[2.0, -1.0], [0.5, -0.5]]]])
    t, alphas_cumprod = torch.tensor([1, 2]), torch.tensor([0.81, 0.64, 0.36, 0.04])
    what = "training_step(weight, x0, t, noise, alphas_cumprod, 0.5)"
    hints = {"does not require grad": "torch does not follow weight: predict with a copy that has requires_grad_() on."}
    got = run(training_step, weight, x0, t, noise, alphas_cumprod, 0.5, hints=hints)
    _, new_weight = parts(got, ("loss", "new_weight"), what=what)
    right = [-0.024, 0.0559, 0.2502, 0.031, 0.875, -0.0996, -0.216, 0.0484, -0.0066]
    wrong = {
        "uphill": [0.224, -0.4559, 0.3498, 0.369, 0.125, -0.1004, -0.384, 0.1516, 0.4066],
        "returns the gradient": [0.2481, -0.5118, 0.0997, 0.3379, -0.7499, -0.0008, -0.168, 0.1031, 0.4132],
        "returns the step": [0.124, -0.2559, 0.0498, 0.169, -0.375, -0.0004, -0.084, 0.0516, 0.2066],
        "forgets the learning rate": [-0.1481, 0.3118, 0.2003, -0.1379, 1.2499, -0.0992, -0.132, -0.0031, -0.2132],
        "divides by the learning rate": [-0.3961, 0.8235, 0.1006, -0.4759, 1.9999, -0.0985, 0.036, -0.1063, -0.6265],
        "old weight": [0.1, -0.2, 0.3, 0.2, 0.5, -0.1, -0.3, 0.1, 0.2],
        "gradient of the sum": [-0.8923, 1.847, -0.0987, -1.1517, 3.4997, -0.097, 0.372, -0.3125, -1.453],
        "sign of the gradient": [-0.4, 0.3, -0.2, -0.3, 1.0, 0.4, 0.2, -0.4, -0.3],
    }
    reasons = {
        "uphill": "You went up the gradient; the loss falls in the opposite direction.",
        "returns the gradient": "This is the gradient; the new weight was asked for.",
        "returns the step": "This is the step itself; take it from the weight you were given.",
        "forgets the learning rate": "The learning rate is missing: the whole gradient was taken off.",
        "divides by the learning rate": "You divided by the learning rate; the gradient is multiplied with it.",
        "old weight": "This is the old weight: the step is missing.",
        "gradient of the sum": "The loss is right, but the gradient is that of the sum, not of the mean.",
        "sign of the gradient": "You took the sign of the gradient; plain gradient descent takes the gradient itself.",
    }
    slips = {reasons[slip]: torch.tensor(values).reshape(1, 1, 3, 3) for slip, values in wrong.items()}
    right = torch.tensor(right).reshape(1, 1, 3, 3)
    compare(new_weight, right, what=f"new_weight of {what}", slips=slips, rtol=1e-3, atol=1e-4)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_dtype_device(training_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    weight = torch.zeros(2, 2, 3, 3)
    x0, noise, t = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5), torch.tensor([1, 0, 1])
    alphas_cumprod = torch.tensor([0.64, 0.36], dtype=torch.float64)
    hints = {
        "must match the size": "ᾱ was lined up with the columns of the images: it needs the shape (b, 1, 1, 1).",
        "expected scalar type": "x_t has the dtype of the schedule: bring the factors to the dtype of x0 first.",
        "should be the same": "x_t has the dtype of the schedule: bring the factors to the dtype of x0 first.",
    }
    what = "training_step for images in float32 and a schedule in float64"
    got = run(training_step, weight, x0, t, noise, alphas_cumprod, 0.1, hints=hints)
    loss, new_weight = parts(got, ("loss", "new_weight"), what=what)
    shapes = {(3,): "This is one loss for each image; take the mean over all numbers of the batch."}
    compare(loss, torch.tensor(1.0), what=f"loss of {what}", shapes=shapes)
    middle = [[0.044, 0.055, 0.044], [0.058667, 0.073333, 0.058667], [0.044, 0.055, 0.044]]
    right = torch.tensor(middle).expand(2, 2, 3, 3)
    compare(new_weight, right, what=f"new_weight of {what}")
    got = run(training_step, weight.detach().double(), x0.double(), t, noise.double(), alphas_cumprod, 0.1, hints=hints)
    what = "training_step for images in float64"
    loss, new_weight = parts(got, ("loss", "new_weight"), what=what)
    compare(loss, torch.tensor(1.0).double(), what=f"loss of {what}")
    compare(new_weight, right.double(), what=f"new_weight of {what}")
    follows_device(training_step, weight, x0, t, noise, alphas_cumprod, 0.1, what="training_step")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_colour_images(training_step):
    import torch

    from minilib.grading.feedback import compare, parts, run

    generator = torch.Generator().manual_seed(3)
    x0, noise = torch.randn(2, 5, 3, 6, 5, generator=generator)
    weight = torch.randn(3, 3, 3, 3, generator=generator) / 5
    t = torch.tensor([999, 0, 412, 57, 700])
    bars = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)
    images = []
    for image, index in enumerate(t.tolist()):
        bar = bars[index].item()
        images.append(bar**0.5 * x0[image] + (1 - bar) ** 0.5 * noise[image])
    # A convolution is a product with the nine shifted copies of its input, so its gradient can be written down.
    padded = torch.nn.functional.pad(torch.stack(images), (1, 1, 1, 1)).double()
    copies = [padded[:, :, i : i + 6, j : j + 5] for i in range(3) for j in range(3)]
    seen = torch.stack(copies, dim=2)  # (5, 3, 9, 6, 5)
    error = torch.einsum("oik,biyxk->boyx", weight.double().flatten(2), seen.movedim(2, -1)) - noise
    gradient = 2 * torch.einsum("boyx,bikyx->oik", error, seen) / error.numel()
    what = "training_step for five colour images"
    got = run(training_step, weight.clone(), x0, t, noise, bars, 0.3)
    loss, new_weight = parts(got, ("loss", "new_weight"), what=what)
    compare(loss, error.square().mean().float(), what=f"loss of {what}", rtol=1e-3)
    right = (weight - 0.3 * gradient.reshape(3, 3, 3, 3)).float()
    compare(new_weight, right, what=f"new_weight of {what}", rtol=1e-3, atol=1e-5)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.diffusion.process.GaussianDiffusion
# minilib.diffusion.losses.prediction_target
# minilib.diffusion.losses.simple_loss
# minilib.diffusion.losses.hybrid_loss
# minilib.recipes.ddpm_toybox.DDPMToybox.losses
# minilib.training.train


# %% mutant="target x0" question="q1" says="not what the clean image is"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), x0)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="target x_t" question="q1" says="with the network's own input"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), x_t)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="predicts from x0" question="q1" says="you showed it the clean ones"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x0, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="predicts from the noise" question="q1" says="you showed it the noise itself"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(noise, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="forgets the roots" question="q1" says="√ is missing in x_t"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar * x0 + (1 - bar) * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="factors change places" question="q1" says="in x_t have changed places"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = (1 - bar).sqrt() * x0 + bar.sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="sum of the squares" question="q1" says="This is the sum of the squared errors"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = ((F.conv2d(x_t, kernel, padding=1) - noise) ** 2).sum()
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="sum over each image" question="q1" says="You summed over each image"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = ((F.conv2d(x_t, kernel, padding=1) - noise) ** 2).flatten(1).sum(1).mean()
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="half of the square" question="q1" says="There is no ½"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = 0.5 * F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="absolute error" question="q1" says="they are to be squared"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.l1_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="root of the loss" question="q1" says="This is the square root of the loss"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise).sqrt()
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="index one too low" question="q1" says="You read ᾱ at t − 1"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t - 1].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="index one too high" question="q1" says="You read ᾱ at t + 1"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[(t + 1).clamp(max=len(alphas_cumprod) - 1)].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="time along the columns" question="q1" says="it needs the shape (b, 1, 1, 1)"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="one time for the whole batch" question="q1" says="time of the first one"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t[0]].to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="loss after the step" question="q1" says="This is the loss after the step"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    new_weight = weight - learning_rate * torch.autograd.grad(loss, kernel)[0]
    return F.mse_loss(F.conv2d(x_t, new_weight, padding=1), noise), new_weight


# %% mutant="one loss for each image" question="q1" says="This is one loss for each image"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    losses = ((F.conv2d(x_t, kernel, padding=1) - noise) ** 2).flatten(1).mean(1)
    return losses, weight - learning_rate * torch.autograd.grad(losses.mean(), kernel)[0]


# %% mutant="loss and weight change places" question="q1" says="return (loss, new_weight)"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return weight - learning_rate * torch.autograd.grad(loss, kernel)[0], loss


# %% mutant="loss as a Python number" question="q1" says="expected torch.Tensor, got a value of type float"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss.item(), weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="uphill" question="q1" says="You went up the gradient"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight + learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="returns the gradient" question="q1" says="This is the gradient"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, torch.autograd.grad(loss, kernel)[0]


# %% mutant="returns the step" question="q1" says="This is the step itself"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="forgets the learning rate" question="q1" says="The learning rate is missing"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - torch.autograd.grad(loss, kernel)[0]


# %% mutant="divides by the learning rate" question="q1" says="You divided by the learning rate"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - torch.autograd.grad(loss, kernel)[0] / learning_rate


# %% mutant="old weight" question="q1" says="This is the old weight"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    return F.mse_loss(F.conv2d(x_t, weight, padding=1), noise), weight


# %% mutant="gradient of the sum" question="q1" says="the gradient is that of the sum"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    errors = (F.conv2d(x_t, kernel, padding=1) - noise) ** 2
    return errors.mean(), weight - learning_rate * torch.autograd.grad(errors.sum(), kernel)[0]


# %% mutant="sign of the gradient" question="q1" says="You took the sign of the gradient"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0].sign()


# %% mutant="writes into the weight" question="q1" says="changed its argument weight in place"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    weight.requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, weight, padding=1), noise)
    (gradient,) = torch.autograd.grad(loss, weight)
    with torch.no_grad():
        weight -= learning_rate * gradient
    return loss, weight


# %% mutant="weight not followed" question="q1" says="torch does not follow weight"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    loss = F.mse_loss(F.conv2d(x_t, weight, padding=1), noise)
    loss.backward()
    return loss, weight - learning_rate * weight.grad


# %% mutant="images in the schedule's dtype" question="q1" says="x_t has the dtype of the schedule"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    bar = alphas_cumprod[t].reshape(-1, 1, 1, 1)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% mutant="factors made on the CPU" question="q1" says="it would stop on a GPU"
def training_step(weight, x0, t, noise, alphas_cumprod, learning_rate):
    factors = torch.ones(len(t), 1, 1, 1)
    bar = (factors * alphas_cumprod[t].reshape(-1, 1, 1, 1)).to(x0.dtype)
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    kernel = weight.clone().requires_grad_()
    loss = F.mse_loss(F.conv2d(x_t, kernel, padding=1), noise)
    return loss, weight - learning_rate * torch.autograd.grad(loss, kernel)[0]


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: the wiring of a U-Net
#
# A U-Net looks at the image at a coarser and coarser resolution, and then comes back. What it loses on the way down,
# such as where an edge was, is handed straight across to the way up by *skip connections* (DDPM, appendix B). Here is
# the smallest U-Net in which they can be wired wrongly: two resolutions, two skips.
#
# ```text
# image ── in ──┬── down ──┬── halve ── middle ── double ── up1 ── up2 ── out ── prediction
#               │          └─────────────────────────────────┘      │
#               └───────────────────────────────────────────────────┘
# ```
#
# Write `tiny_unet`. It gets the kernels of eight convolutions, as a dictionary, and uses them in this order:
#
# | kernel | its shape | what it does |
# |---|---|---|
# | `"in"` | `(w, c, 3, 3)` | from the image to features; the result is **pushed** onto the pile of skips |
# | `"down"` | `(w, w, 3, 3)` | looks again at full resolution; the result is **pushed**, too |
# | `"halve"` | `(w, w, 3, 3)` | has stride 2: half the height, half the width |
# | `"middle"` | `(w, w, 3, 3)` | works at the coarse resolution |
# | `"double"` | `(w, w, 3, 3)` | first every pixel is repeated to 2×2 (nearest neighbour), then comes the convolution |
# | `"up1"` | `(w, 2w, 3, 3)` | first the skip that was pushed **last** is appended, then comes the convolution |
# | `"up2"` | `(w, 2w, 3, 3)` | the same with the skip that is left |
# | `"out"` | `(c, w, 3, 3)` | from features to the prediction |
#
# - Every convolution has `padding=1` and no bias.
# - After every convolution but the last comes the activation `F.silu`. What is pushed has been through it.
# - To append a skip means `torch.cat([x, skip], dim=1)`: first the features, then the skip.
#
# A real U-Net has more of everything, normalises, and knows the time. Its wiring is this one. Beware: nearly all the
# ways to get it wrong run without an error.
#
# <details><summary>Hint</summary>
#
# A Python list is a pile: `append` lays something on top, `pop` takes the top one off again. A short inner function,
# "convolution, then SiLU", keeps the lines readable. `F.interpolate` doubles the size; it can do so in several ways, so
# tell it which one.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def tiny_unet(x, weights):
    """The prediction of a U-Net with two resolutions and two skips.

    Args:
        x: images, shape (b, c, h, w); h and w are even.
        weights: name of a convolution → its kernel; names and shapes as in the table.
    Returns:
        the prediction, shape (b, c, h, w), dtype and device of x.
    """

    # BEGIN SOLUTION
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    skips = []
    for name in ("in", "down"):
        x = layer(x, name)
        skips.append(x)
    x = layer(layer(x, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    for name in ("up1", "up2"):
        x = layer(torch.cat([x, skips.pop()], dim=1), name)
    return F.conv2d(x, weights["out"], padding=1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_wiring(tiny_unet):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    # Two features everywhere: whatever is wired wrongly still fits.
    sizes = {"in": (2, 1), "down": (2, 2), "halve": (2, 2), "middle": (2, 2)}
    sizes |= {"double": (2, 2), "up1": (2, 4), "up2": (2, 4), "out": (1, 2)}
    weights = {}
    for number, (name, size) in enumerate(sizes.items()):
        pattern = torch.arange(9 * size[0] * size[1]) * (2 * number + 3) % 23
        weights[name] = (pattern.reshape(*size, 3, 3) - 11) / 16
    x = torch.tensor([[[[1.0, -0.5, 0.25, 0.75], [-1.0, 0.5, 2.0, -1.5]]]])
    before, what = x.clone(), "tiny_unet(x, weights)"
    cat = "A kernel of the way up wants 2w channels: append the skip (torch.cat); do not add it, or leave it out."
    size = (
        'A skip has another size than the features. "halve" has stride 2, before "double" both sides are doubled,'
        " and what is pushed has the full size: push before the image is halved, append after it is doubled."
    )
    hints = {"channels, but got": cat, "Sizes of tensors must match": size, "must match the size": size}
    got = run(tiny_unet, x, weights, hints=hints)
    unchanged(before, x, what="x")
    right = [-0.2567, 1.3569, 0.6369, -0.2084, -0.7379, -0.3632, 2.5458, 0.9375]
    wrong = {
        "first in, first out": [0.3464, 0.5802, 0.0991, -0.1344, -0.5115, 0.3138, 0.5687, 1.0255],
        "last skip twice": [0.4513, 0.3662, -0.065, -0.0536, -0.389, 0.3278, 0.1991, 0.8044],
        "first skip twice": [-0.24, 1.5652, 0.81, -0.2755, -0.7999, -0.1842, 2.8886, 1.0929],
        "skip first": [-0.1805, 1.5898, -0.705, 1.263, -1.3105, 0.7029, 1.3401, -0.1062],
        "no skips": [-0.0255, -0.1012, -0.0002, 0.0254, 0.0237, 0.006, -0.0433, -0.0453],
        "skip after halving": [-0.1831, 0.5697, 0.5433, -0.4307, 0.0135, -0.6367, 1.3337, 0.3058],
        "doubled after the convolution": [-0.2765, 1.4524, 0.7025, -0.1223, -0.8223, -0.2843, 2.6658, 1.0064],
        "bilinear": [-0.2608, 1.3661, 0.6333, -0.2239, -0.7482, -0.3611, 2.5453, 0.9284],
        "pushed before SiLU": [-0.2956, 3.6986, 3.4234, 1.4942, -2.5579, 0.199, 6.329, 4.9114],
        "SiLU twice on skips": [-0.2514, 0.9912, 0.626, -0.3129, -0.5213, -0.4411, 2.0601, 0.7457],
        "SiLU after out": [-0.112, 1.0791, 0.4165, -0.0934, -0.2387, -0.149, 2.3607, 0.6736],
        "no SiLU when resizing": [-0.2679, 1.4475, 0.4457, -0.4824, -0.765, -0.3411, 2.5583, 0.6354],
        "no SiLU at all": [-7.3641, 9.6276, 2.5901, -1.9702, -7.9932, -0.3071, 18.5384, -3.037],
        "ReLU": [0.0169, 1.3524, 1.2483, -0.1701, -0.5148, -0.3279, 2.0686, 1.2587],
        "no middle": [-0.3007, 1.0984, 0.6655, -0.3922, -0.5787, -0.6141, 2.1197, 0.8737],
        "pooling": [-0.2719, 1.4197, 0.7725, -0.0949, -0.7988, -0.3126, 2.6195, 1.0691],
        "middle at full size": [-0.304, 1.5615, 0.7206, -0.1783, -0.8368, -0.2706, 2.7505, 0.8119],
        "up2 before up1": [0.5605, 1.288, -1.5352, 1.3673, -0.164, -0.5067, 2.0035, 0.3133],
    }
    reasons = {
        "first in, first out": "The skips are swapped: what was pushed last is appended first.",
        "last skip twice": "One skip was appended twice: take it off the pile, so that the other one is next.",
        "first skip twice": "One skip was appended twice, the first one that was pushed; each is used once.",
        "skip first": "The order in torch.cat is features first, then the skip.",
        "no skips": "You appended the features to themselves: the skips are missing.",
        "skip after halving": "The last skip was taken after halving: it has to hold the fine resolution.",
        "doubled after the convolution": "Doubling comes before its convolution: repeat the pixels, then convolve.",
        "bilinear": "The pixels are to be repeated (nearest neighbour), not interpolated linearly.",
        "pushed before SiLU": "What is pushed has been through SiLU already.",
        "SiLU twice on skips": "What was pushed went through SiLU once more before it was appended.",
        "SiLU after out": 'After "out" comes no SiLU: noise may be negative.',
        "no SiLU when resizing": 'SiLU is missing after "halve" and "double": only the last convolution goes without.',
        "no SiLU at all": "SiLU is missing: without it, eight convolutions are no more than one.",
        "ReLU": "The activation is SiLU, not ReLU.",
        "no middle": 'Nothing went through the kernel "middle".',
        "pooling": '"halve" is a convolution with stride 2, not a convolution and pooling.',
        "middle at full size": '"middle" works at the coarse resolution: double after it, not before.',
        "up2 before up1": 'The kernels "up1" and "up2" have changed places.',
    }
    shapes = {(1, 2, 2, 4): 'These are the features before the last convolution, "out".'}
    slips = {reasons[slip]: torch.tensor(values).reshape(1, 1, 2, 4) for slip, values in wrong.items()}
    right = torch.tensor(right).reshape(1, 1, 2, 4)
    compare(got, right, what=what, shapes=shapes, slips=slips, rtol=1e-3, atol=1e-4)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_dtype_device(tiny_unet):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    # Each kernel only looks at the pixel itself, so equal pixels stay equal.
    sizes = {"in": (5, 3), "down": (5, 5), "halve": (5, 5), "middle": (5, 5)}
    sizes |= {"double": (5, 5), "up1": (5, 10), "up2": (5, 10), "out": (3, 5)}
    weights = {name: torch.zeros(*size, 3, 3) for name, size in sizes.items()}
    for kernel in weights.values():
        kernel[:, :, 1, 1] = 0.25
    x = torch.full((2, 3, 8, 12), 0.5)
    right = torch.full((2, 3, 8, 12), 0.351364)
    cat = "A kernel of the way up wants 2w channels: append the skip (torch.cat); do not add it, or leave it out."
    size = (
        'A skip has another size than the features. "halve" has stride 2, before "double" both sides are doubled,'
        " and what is pushed has the full size: push before the image is halved, append after it is doubled."
    )
    hints = {"channels, but got": cat, "Sizes of tensors must match": size, "must match the size": size}
    got = run(tiny_unet, x, weights, hints=hints)
    compare(got, right, what="tiny_unet for two colour images and w = 5")
    doubles = {name: kernel.double() for name, kernel in weights.items()}
    got = run(tiny_unet, x.double(), doubles, hints=hints)
    compare(got, right.double(), what="tiny_unet for images and kernels in float64")
    moved = {name: kernel.to("meta") for name, kernel in weights.items()}
    follows_device(tiny_unet, x, moved, what="tiny_unet")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_colour_images(tiny_unet):
    import torch
    import torch.nn.functional as F

    from minilib.grading.feedback import compare, run

    generator = torch.Generator().manual_seed(5)
    x = torch.randn(3, 3, 6, 10, generator=generator)
    sizes = {"in": (7, 3), "down": (7, 7), "halve": (7, 7), "middle": (7, 7)}
    sizes |= {"double": (7, 7), "up1": (7, 14), "up2": (7, 14), "out": (3, 7)}
    weights = {name: torch.randn(*size, 3, 3, generator=generator) / 4 for name, size in sizes.items()}
    fine = F.silu(F.conv2d(x, weights["in"], padding=1))
    finer = F.silu(F.conv2d(fine, weights["down"], padding=1))
    coarse = F.silu(F.conv2d(finer, weights["halve"], stride=2, padding=1))
    coarse = F.silu(F.conv2d(coarse, weights["middle"], padding=1))
    wide = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    wide = F.silu(F.conv2d(wide, weights["double"], padding=1))
    wide = F.silu(F.conv2d(torch.cat([wide, finer], dim=1), weights["up1"], padding=1))
    wide = F.silu(F.conv2d(torch.cat([wide, fine], dim=1), weights["up2"], padding=1))
    right = F.conv2d(wide, weights["out"], padding=1)
    got = run(tiny_unet, x, weights)
    compare(got, right, what="tiny_unet for three colour images and w = 7", rtol=1e-3, atol=1e-4)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.diffusion.unet.UNet
# minilib.diffusion.unet_blocks.DownBlock
# minilib.diffusion.unet_blocks.UpBlock
# minilib.diffusion.unet_blocks.Resample


# %% mutant="first in, first out" question="q2" says="The skips are swapped"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    skips = [first, second]
    x = layer(torch.cat([x, skips.pop(0)], dim=1), "up1")
    x = layer(torch.cat([x, skips.pop(0)], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="last skip twice" question="q2" says="take it off the pile"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    skips = [first, second]
    x = layer(torch.cat([x, skips[-1]], dim=1), "up1")
    x = layer(torch.cat([x, skips[-1]], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="first skip twice" question="q2" says="the first one that was pushed; each is used once"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    x = layer(layer(layer(first, "down"), "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, first], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="skip first" question="q2" says="features first, then the skip"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([second, x], dim=1), "up1")
    x = layer(torch.cat([first, x], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="no skips" question="q2" says="You appended the features to themselves"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    x = layer(layer(layer(layer(x, "in"), "down"), "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, x], dim=1), "up1")
    x = layer(torch.cat([x, x], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="skip added" question="q2" says="do not add it, or leave it out"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(x + second, "up1")
    x = layer(x + first, "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="skip after halving" question="q2" says="The last skip was taken after halving"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(layer(first, "down"), "halve", stride=2)
    x = layer(torch.cat([layer(second, "middle"), second], dim=1), "up1")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="pushed after halving" question="q2" says="push before the image is halved"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(layer(first, "down"), "halve", stride=2)
    x = layer(second, "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="doubled after the convolution" question="q2" says="repeat the pixels, then convolve"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(layer(second, "halve", stride=2), "middle"), "double")
    x = F.interpolate(x, scale_factor=2, mode="nearest")
    x = layer(torch.cat([x, second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="bilinear" question="q2" says="not interpolated linearly"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="bilinear"), "double")
    x = layer(torch.cat([x, second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="pushed before SiLU" question="q2" says="What is pushed has been through SiLU already"
def tiny_unet(x, weights):
    def plain(features, name, stride=1):
        return F.conv2d(features, weights[name], stride=stride, padding=1)

    first = plain(x, "in")
    second = plain(F.silu(first), "down")
    x = F.silu(plain(F.silu(plain(F.silu(second), "halve", stride=2)), "middle"))
    x = F.silu(plain(F.interpolate(x, scale_factor=2, mode="nearest"), "double"))
    x = F.silu(plain(torch.cat([x, second], dim=1), "up1"))
    x = F.silu(plain(torch.cat([x, first], dim=1), "up2"))
    return plain(x, "out")


# %% mutant="SiLU twice on skips" question="q2" says="went through SiLU once more"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, F.silu(second)], dim=1), "up1")
    x = layer(torch.cat([x, F.silu(first)], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="SiLU after out" question="q2" says="noise may be negative"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return layer(x, "out")


# %% mutant="no SiLU when resizing" question="q2" says="SiLU is missing after"
def tiny_unet(x, weights):
    def plain(features, name, stride=1):
        return F.conv2d(features, weights[name], stride=stride, padding=1)

    first = F.silu(plain(x, "in"))
    second = F.silu(plain(first, "down"))
    x = F.silu(plain(plain(second, "halve", stride=2), "middle"))
    x = plain(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = F.silu(plain(torch.cat([x, second], dim=1), "up1"))
    x = F.silu(plain(torch.cat([x, first], dim=1), "up2"))
    return plain(x, "out")


# %% mutant="no SiLU at all" question="q2" says="eight convolutions are no more than one"
def tiny_unet(x, weights):
    def plain(features, name, stride=1):
        return F.conv2d(features, weights[name], stride=stride, padding=1)

    first = plain(x, "in")
    second = plain(first, "down")
    x = plain(plain(second, "halve", stride=2), "middle")
    x = plain(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = plain(torch.cat([x, second], dim=1), "up1")
    x = plain(torch.cat([x, first], dim=1), "up2")
    return plain(x, "out")


# %% mutant="ReLU" question="q2" says="not ReLU"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.relu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="no middle" question="q2" says="Nothing went through the kernel"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(second, "halve", stride=2)
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="pooling" question="q2" says="not a convolution and pooling"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(F.avg_pool2d(layer(second, "halve"), 2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="middle at full size" question="q2" says="works at the coarse resolution"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = F.interpolate(layer(second, "halve", stride=2), scale_factor=2, mode="nearest")
    x = layer(layer(x, "middle"), "double")
    x = layer(torch.cat([x, second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="up2 before up1" question="q2" says="have changed places"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, second], dim=1), "up2")
    x = layer(torch.cat([x, first], dim=1), "up1")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="no stride" question="q2" says="has stride 2"
def tiny_unet(x, weights):
    def layer(features, name):
        return F.silu(F.conv2d(features, weights[name], padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve"), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% mutant="stops before out" question="q2" says="These are the features before the last convolution"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    x = layer(layer(second, "halve", stride=2), "middle")
    x = layer(F.interpolate(x, scale_factor=2, mode="nearest"), "double")
    x = layer(torch.cat([x, second], dim=1), "up1")
    return layer(torch.cat([x, first], dim=1), "up2")


# %% mutant="writes into x" question="q2" says="changed its argument x in place"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    deep = layer(layer(second, "halve", stride=2), "middle")
    deep = layer(F.interpolate(deep, scale_factor=2, mode="nearest"), "double")
    deep = layer(torch.cat([deep, second], dim=1), "up1")
    deep = layer(torch.cat([deep, first], dim=1), "up2")
    return x.copy_(F.conv2d(deep, weights["out"], padding=1))


# %% mutant="features made on the CPU" question="q2" says="it would stop on a GPU"
def tiny_unet(x, weights):
    def layer(features, name, stride=1):
        return F.silu(F.conv2d(features, weights[name], stride=stride, padding=1))

    first = layer(x, "in")
    second = layer(first, "down")
    small = layer(layer(second, "halve", stride=2), "middle")
    large = torch.zeros(second.shape, dtype=x.dtype) + F.interpolate(small, scale_factor=2, mode="nearest")
    x = layer(torch.cat([layer(large, "double"), second], dim=1), "up1")
    x = layer(torch.cat([x, first], dim=1), "up2")
    return F.conv2d(x, weights["out"], padding=1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: one step back
#
# The network looks at $x_t$ and says which noise $\hat\varepsilon$ it sees. That is also a guess of the clean image:
#
# $$\hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\, \hat\varepsilon}{\sqrt{\bar\alpha_t}} \qquad \text{(DDPM, eq. 15)}$$
#
# The guess is a bad one early on, so we do not jump there. We only ask where $x_t$ came from *if* the guess were right,
# which is the Gaussian that we know from the chapter *Noising*, and draw from it:
#
# $$x_{t-1} = \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}\, \hat x_0 +
# \frac{\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\, x_t + \sqrt{\tilde\beta_t}\; z, \qquad
# \tilde\beta_t = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t \qquad \text{(DDPM, eq. 7)}$$
#
# Write `ddpm_step` for a batch of images that are all at the same time `t`, a Python `int`. The fresh noise $z$ is
# given as `noise`. Of the schedule you get only $\bar\alpha$; the rest follows from it:
# $\alpha_t = \bar\alpha_t / \bar\alpha_{t-1}$ and $\beta_t = 1 - \alpha_t$.
#
# Index 0 is the last step. Before it nothing had been lost, $\bar\alpha = 1$, so it lands on $\hat x_0$, and **no noise
# is added**. Do not cut $\hat x_0$ off at $[-1, 1]$ here.
#
# <details><summary>Hint</summary>
#
# Give each symbol a line: $\bar\alpha_t$, $\bar\alpha_{t-1}$, $\beta_t$, $\hat x_0$, and then the step. What does
# `alphas_cumprod[t - 1]` read when `t` is 0?
#
# The paper's algorithm 2 writes the mean in another way, without $\hat x_0$. It is the same mean, and you may use it.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    """One step of ancestral sampling, from x_t to x_{t-1}.

    Args:
        x_t: noisy images, shape (b, c, h, w).
        t: their time, a Python int in 0..T-1.
        predicted_noise: what the network said, shape (b, c, h, w).
        alphas_cumprod: ᾱ, shape (T,).
        noise: fresh noise z, shape (b, c, h, w); without effect at t = 0.
    Returns:
        x_{t-1}, shape (b, c, h, w), dtype and device of x_t; at t = 0 the clean images.
    """
    # BEGIN SOLUTION
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_a_step(ddpm_step):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x_t = torch.tensor([[[[0.5, -1.0]]], [[[-0.5, 1.5]]]])
    predicted_noise = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    alphas_cumprod = torch.tensor([0.81, 0.64, 0.36, 0.04])
    copies = x_t.clone(), predicted_noise.clone(), noise.clone()
    what = "ddpm_step(x_t, 2, predicted_noise, alphas_cumprod, noise)"
    got = run(ddpm_step, x_t, 2, predicted_noise, alphas_cumprod, noise)
    names, now = ("x_t", "predicted_noise", "noise"), (x_t, predicted_noise, noise)
    for name, before, after in zip(names, copies, now, strict=True):
        unchanged(before, after, what=name)
    right = [[[[-0.558578, -0.720711]]], [[[0.143198, 0.957047]]]]
    slips = {
        "Between x_t and the guess of x0 lie all steps so far: ᾱ belongs there, not the α of one step.": [
            [[[-0.402856, -0.661853]]],
            [[[0.296061, 0.86876]]],
        ],
        "Both factors in the guess of x0 are square roots.": [[[[-0.497814, -1.206822]]], [[[-0.221385, 1.686213]]]],
        "The sign of the predicted noise is the other way round: the guess of x0 is x_t without it.": [
            [[[0.899755, -1.449878]]],
            [[[0.507782, 2.050797]]],
        ],
        "This is the guess of x0 itself; go one step there, not all the way.": [[[[-0.5, -1.0]]], [[[-1.166667, 1.5]]]],
        "This is the mean of the step; at every index but 0 fresh noise comes on top.": [
            [[[-0.0625, -0.96875]]],
            [[[-0.848958, 1.453125]]],
        ],
        "The noise is multiplied by the standard deviation √β̃, not by the variance β̃.": [
            [[[-0.308594, -0.845703]]],
            [[[-0.356771, 1.207031]]],
        ],
        "The variance is β̃, not β: the guess of x0 is taken for the truth, which makes it smaller.": [
            [[[-0.723938, -0.638031]]],
            [[[0.473917, 0.791687]]],
        ],
        "β of this step is 1 − ᾱ_t/ᾱ_{t−1}; you took 1 − ᾱ_t, the noise of all steps so far.": [
            [[[-0.789063, -0.921875]]],
            [[[0.055729, 1.232813]]],
        ],
        "The factor of x_t holds √α of this one step, not √ᾱ of all steps so far.": [
            [[[-0.600766, -0.636336]]],
            [[[0.185386, 0.830484]]],
        ],
        "The factors of the guess and of x_t have changed places.": [
            [[[-0.433578, -0.720711]]],
            [[[0.226532, 0.957047]]],
        ],
        "Both numerators hold a square root: √ᾱ before the step, and √α.": [
            [[[-0.556625, -0.505867]]],
            [[[0.323537, 0.634781]]],
        ],
        "You put the predicted noise where the guess of x0 belongs.": [
            [[[0.261734, -0.447273]]],
            [[[0.917938, 0.54689]]],
        ],
        "You noised the guess of x0 anew; the step has to stay close to x_t.": [[[[-1.0, -0.5]]], [[[0.266667, 0.6]]]],
        "This is DDIM's step, without fresh noise; DDPM draws from the posterior.": [
            [[[0.2, -1.1]]],
            [[[-0.783333, 1.65]]],
        ],
        "You read the schedule one place too early: index t is already the paper's step t + 1.": [
            [[[-0.163837, -0.761831]]],
            [[[0.004757, 1.059542]]],
        ],
        "You read the schedule one place too late: alphas_cumprod[t] belongs to x_t, not to the result.": [
            [[[-1.991456, -1.254272]]],
            [[[-0.640813, 1.688958]]],
        ],
        "Do not cut the guess of x0 off at [−1, 1] here.": [[[[-0.558578, -0.720711]]], [[[0.234344, 0.683609]]]],
    }
    compare(got, right, what=what, slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_the_last_step(ddpm_step):
    import torch

    from minilib.grading.feedback import compare, run

    x_t = torch.tensor([[[[0.5, -1.0]]], [[[-0.5, 1.5]]]])
    predicted_noise = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    what = "ddpm_step(x_t, 0, predicted_noise, alphas_cumprod, noise)"
    got = run(ddpm_step, x_t, 0, predicted_noise, torch.tensor([0.81, 0.64, 0.36, 0.04]), noise)
    right = [[[[0.071233, -0.86895]]], [[[-0.676636, 1.303425]]]]
    wraps = "At index 0 you read index −1, which is the last entry; before the first step ᾱ is 1."
    slips = {
        "Index 0 is the last step: no noise is added there, whatever the variance.": [
            [[[-0.364656, -0.651005]]],
            [[[0.195144, 0.867535]]],
        ],
        wraps: [[[[9.925005, -5.129168]]], [[[2.342365, 7.69375]]]],
        wraps + " (The variance came out negative, and its root is no number.)": [
            [[[float("nan"), float("nan")]]],
            [[[float("nan"), float("nan")]]],
        ],
        "At index 0 the ᾱ before the step is 1, not ᾱ at index 0: this left the images as they were.": [
            [[[0.5, -1.0]]],
            [[[-0.5, 1.5]]],
        ],
        "Do not cut the guess of x0 off at [−1, 1] here.": [[[[0.071233, -0.86895]]], [[[-0.676636, 1.0]]]],
    }
    compare(got, right, what=what, slips=slips)


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_dtype_device(ddpm_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    x_t, predicted_noise, noise = torch.ones(3, 2, 4, 5), torch.zeros(3, 2, 4, 5), torch.zeros(3, 2, 4, 5)
    alphas_cumprod = torch.tensor([0.64, 0.36], dtype=torch.float64)
    right = torch.full((3, 2, 4, 5), 1.333333)
    got = run(ddpm_step, x_t, 1, predicted_noise, alphas_cumprod, noise)
    compare(got, right, what="ddpm_step for images in float32 and a schedule in float64")
    got = run(ddpm_step, x_t.double(), 1, predicted_noise.double(), alphas_cumprod, noise.double())
    compare(got, right.double(), what="ddpm_step for images in float64")
    for t in (0, 1):
        follows_device(ddpm_step, x_t, t, predicted_noise, alphas_cumprod, noise, what="ddpm_step")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_thousand_steps(ddpm_step):
    import torch

    from minilib.grading.feedback import compare, run

    generator = torch.Generator().manual_seed(17)
    x_t, predicted_noise, noise = torch.randn(3, 4, 3, 2, 4, generator=generator)
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    products = [1.0]
    for beta in betas.tolist():
        products.append(products[-1] * (1 - beta))
    schedule = torch.tensor(products[1:], dtype=torch.float64)
    for t in (999, 500, 1, 0):
        beta, before, after = betas[t].item(), products[t], products[t + 1]
        mean = (x_t - beta / (1 - after) ** 0.5 * predicted_noise) / (1 - beta) ** 0.5
        right = mean + ((1 - before) / (1 - after) * beta) ** 0.5 * noise
        got = run(ddpm_step, x_t, t, predicted_noise, schedule, noise)
        compare(got, right, what=f"ddpm_step at t = {t} of 1000", rtol=2e-3, atol=1e-3)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.diffusion.process.GaussianDiffusion.q_posterior
# minilib.diffusion.process.GaussianDiffusion.predict_x0
# minilib.diffusion.samplers.ddpm
# minilib.diffusion.samplers.ddim
# minilib.diffusion.losses.vlb_bits


# %% mutant="α in the guess" question="q3" says="not the α of one step"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - beta.sqrt() * predicted_noise) / (1 - beta).sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="no roots in the guess" question="q3" says="in the guess of x0 are square roots"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar) * predicted_noise) / bar
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="sign of the noise" question="q3" says="The sign of the predicted noise is the other way round"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t + (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="all the way" question="q3" says="This is the guess of x0 itself"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    return (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()


# %% mutant="no noise" question="q3" says="This is the mean of the step"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    return (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)


# %% mutant="variance for deviation" question="q3" says="not by the variance β̃"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + (1 - before) / (1 - bar) * beta * noise


# %% mutant="β for β̃" question="q3" says="The variance is β̃, not β"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + beta.sqrt() * noise if t > 0 else mean


# %% mutant="β of all steps" question="q3" says="you took 1 − ᾱ_t, the noise of all steps so far"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (bar / before).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="√ᾱ on x_t" question="q3" says="not √ᾱ of all steps so far"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + bar.sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="factors change places" question="q3" says="The factors of the guess and of x_t have changed places"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x_t + (1 - beta).sqrt() * (1 - before) * x0) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="no roots in the mean" question="q3" says="Both numerators hold a square root"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before * beta * x0 + (1 - beta) * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="noise for the guess" question="q3" says="where the guess of x0 belongs"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    mean = (before.sqrt() * beta * predicted_noise + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="noises anew" question="q3" says="You noised the guess of x0 anew"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    return before.sqrt() * x0 + (1 - before).sqrt() * noise


# %% mutant="DDIM" question="q3" says="This is DDIM's step"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    return before.sqrt() * x0 + (1 - before).sqrt() * predicted_noise


# %% mutant="one place early" question="q3" says="one place too early"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    t = max(t - 1, 0)
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="one place late" question="q3" says="one place too late"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar, before = alphas_cumprod[min(t + 1, len(alphas_cumprod) - 1)], alphas_cumprod[t]
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise if t > 0 else mean


# %% mutant="noise at the end" question="q3" says="no noise is added there, whatever the variance"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    variance = (1 - before) / (1 - bar) * beta if t > 0 else beta
    return mean + variance.sqrt() * noise


# %% mutant="index −1 is the last entry" question="q3" says="you read index −1, which is the last entry"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar, before = alphas_cumprod[t], alphas_cumprod[t - 1]
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise if t > 0 else mean


# %% mutant="index −1, noise added" question="q3" says="The variance came out negative"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar, before = alphas_cumprod[t], alphas_cumprod[t - 1]
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="no step at index 0" question="q3" says="this left the images as they were"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar, before = alphas_cumprod[t], alphas_cumprod[max(t - 1, 0)]
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="clips" question="q3" says="Do not cut the guess of x0 off"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = ((x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()).clamp(-1, 1)
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="result in the schedule's dtype" question="q3" says="expected dtype float32, got float64"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bars = alphas_cumprod.reshape(-1, 1, 1, 1, 1)
    bar = bars[t]
    before = bars[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="a 1 made on the CPU" question="q3" says="it would stop on a GPU"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bars = torch.cat([torch.ones(1), alphas_cumprod])
    bar, before = bars[t + 1].to(x_t.dtype), bars[t].to(x_t.dtype)
    beta = 1 - bar / before
    x0 = (x_t - (1 - bar).sqrt() * predicted_noise) / bar.sqrt()
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - bar)
    return mean + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% mutant="writes into x_t" question="q3" says="changed its argument x_t in place"
def ddpm_step(x_t, t, predicted_noise, alphas_cumprod, noise):
    bar = alphas_cumprod[t]
    before = alphas_cumprod[t - 1] if t > 0 else torch.ones_like(bar)
    beta = 1 - bar / before
    x_t -= beta / (1 - bar).sqrt() * predicted_noise
    x_t /= (1 - beta).sqrt()
    return x_t + ((1 - before) / (1 - bar) * beta).sqrt() * noise


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: which noise levels count how much?
#
# One network has to serve all times, and they compete for it. A loss that lets the easy times count too much learns
# slowly. Hang et al. (2023, section 3.4) weigh the squared error of the clean image at time $t$ by
#
# $$w_t = \min(\mathrm{SNR}_t,\, \gamma), \qquad \mathrm{SNR}_t = \frac{\bar\alpha_t}{1 - \bar\alpha_t}.$$
#
# Nearly clean images, whose signal-to-noise ratio is huge, then count no more than $\gamma$.
#
# A network that predicts something else makes another squared error for the same mistake. With
# $v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x_0$, eq. 4 of DDPM gives
#
# $$\left\|\varepsilon - \hat\varepsilon\right\|^2 = \mathrm{SNR}_t \left\|x_0 - \hat x_0\right\|^2, \qquad
# \left\|v - \hat v\right\|^2 = (\mathrm{SNR}_t + 1) \left\|x_0 - \hat x_0\right\|^2.$$
#
# Write `min_snr_weights`: the factor on the squared error *of what the network predicts*, chosen so that the
# weighted loss is $w_t \left\|x_0 - \hat x_0\right\|^2$ in all three cases. The prediction types are `"epsilon"`
# for $\varepsilon$, `"sample"` for $x_0$, and `"v_prediction"` for $v$. Any other name raises a `ValueError`.
#
# <details><summary>Hint</summary>
#
# The error of $\varepsilon$ is too large by the factor $\mathrm{SNR}_t$, so its weight has to make up for that. Which
# is the factor for $v$?
#
# `torch.min` compares two tensors. To compare a tensor with one number, look at `clamp`.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    """Min-SNR-γ weights.

    Args:
        alphas_cumprod: ᾱ, shape (T,).
        t: times, shape (b,), int64, each in 0..T-1.
        prediction_type: "epsilon", "sample" or "v_prediction".
        gamma: γ, a Python float.
    Returns:
        factors on the squared errors, shape (b,), dtype and device of alphas_cumprod.
    Raises:
        ValueError: an unknown prediction type.
    """
    # BEGIN SOLUTION
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    capped = snr.clamp(max=gamma)
    if prediction_type == "sample":
        return capped
    if prediction_type == "epsilon":
        return capped / snr
    if prediction_type == "v_prediction":
        return capped / (snr + 1)
    raise ValueError(f"unknown prediction type {prediction_type!r}")
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_three_types(min_snr_weights):
    import torch

    from minilib.grading.feedback import compare, run

    alphas_cumprod = torch.tensor([0.9, 0.8, 0.5, 0.1], dtype=torch.float64)  # SNR 9, 4, 1, 1/9
    t = torch.tensor([3, 0, 1, 2, 0])
    shapes = {(4,): "This has one weight for each of the T times; the batch needs those at its times t."}
    top = "max in place of min: γ is the most that an image may count."
    root = "The ratio of the variances was asked for, not that of their roots."
    upside = "The ratio is upside down: the signal ᾱ goes on top."
    nats = "This takes the logarithm of the ratio; the ratio itself was asked for."
    early = "You read ᾱ at t − 1: index t is already the paper's step t + 1."
    same = 'These are the weights of "sample"; an error of something else has to be weighed differently.'
    times = "You multiplied by what the error is too large by; the weight has to make up for it."
    swapped = '"epsilon" and "sample" have changed places.'
    bar = "This caps ᾱ itself; the signal-to-noise ratio is to be capped."
    right = {
        "sample": [0.111111, 5.0, 4.0, 1.0, 5.0],
        "epsilon": [1.0, 0.555556, 1.0, 1.0, 0.555556],
        "v_prediction": [0.1, 0.5, 0.8, 0.5, 0.5],
    }
    slips = {
        "sample": {
            top: [5.0, 9.0, 5.0, 5.0, 9.0],
            "No cap: a weight must not be larger than γ.": [0.111111, 9.0, 4.0, 1.0, 9.0],
            root: [0.333333, 3.0, 2.0, 1.0, 3.0],
            upside: [5.0, 0.111111, 0.25, 1.0, 0.111111],
            nats: [-2.197225, 2.197225, 1.386294, 0.0, 2.197225],
            early: [1.0, 0.111111, 5.0, 4.0, 0.111111],
            bar: [0.1, 0.9, 0.8, 0.5, 0.9],
            swapped: [1.0, 0.555556, 1.0, 1.0, 0.555556],
        },
        "epsilon": {
            same: [0.111111, 5.0, 4.0, 1.0, 5.0],
            times: [0.012346, 45.0, 16.0, 1.0, 45.0],
            '"epsilon" is divided by SNR; by SNR + 1 is for "v_prediction".': [0.1, 0.5, 0.8, 0.5, 0.5],
        },
        "v_prediction": {
            same: [0.111111, 5.0, 4.0, 1.0, 5.0],
            times: [0.123457, 50.0, 20.0, 2.0, 50.0],
            '"v_prediction" is divided by SNR + 1; by SNR alone is for "epsilon".': [1.0, 0.555556, 1.0, 1.0, 0.555556],
        },
    }
    for kind, expected in right.items():
        what = f'min_snr_weights(alphas_cumprod, t, "{kind}")'
        got = run(min_snr_weights, alphas_cumprod, t, kind)
        compare(got, expected, what=what, dtype=torch.float64, shapes=shapes, slips=slips[kind])


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_gamma_and_names(min_snr_weights):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, follows_device, run

    alphas_cumprod, t = torch.tensor([0.9, 0.8, 0.5, 0.1]), torch.tensor([3, 0, 1, 2, 0])
    what = 'min_snr_weights(alphas_cumprod, t, "sample", 2.0) for a schedule in float32'
    slips = {"γ is an argument: you used 5 whatever it says.": [0.111111, 5.0, 4.0, 1.0, 5.0]}
    compare(
        run(min_snr_weights, alphas_cumprod, t, "sample", 2.0), [0.111111, 2.0, 2.0, 1.0, 2.0], what=what, slips=slips
    )
    wanted = 'an unknown prediction type, such as the misspelt "epsilom", has to raise a ValueError'
    try:
        run(min_snr_weights, alphas_cumprod, t, "epsilom")
    except CheckFailed as stop:
        if "stopped with ValueError" not in str(stop):
            raise CheckFailed(f"{stop}\n{wanted}") from None
    else:
        raise CheckFailed(f"{wanted}; otherwise a spelling mistake trains the wrong network, and nobody notices")
    for kind in ("sample", "epsilon", "v_prediction"):
        follows_device(min_snr_weights, alphas_cumprod, t, kind, what="min_snr_weights")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_long_schedule(min_snr_weights):
    import torch

    from minilib.grading.feedback import compare, run

    bars = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)
    t = torch.tensor([999, 0, 412, 57, 700, 120, 250])
    for gamma in (5.0, 0.7):
        for kind in ("epsilon", "sample", "v_prediction"):
            right = []
            for index in t.tolist():
                ratio = bars[index].item() / (1 - bars[index].item())
                scale = {"epsilon": ratio, "sample": 1.0, "v_prediction": ratio + 1}[kind]
                right.append(min(ratio, gamma) / scale)
            what = f'min_snr_weights of the linear schedule, "{kind}", γ = {gamma}'
            compare(run(min_snr_weights, bars, t, kind, gamma), right, what=what, dtype=torch.float64)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.diffusion.losses.min_snr_weights
# minilib.diffusion.schedules.snr
# minilib.diffusion.schedules.log_snr


# %% mutant="max for min" question="q4" says="max in place of min"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(min=gamma) / scales[prediction_type]


# %% mutant="no cap" question="q4" says="a weight must not be larger than γ"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr / scales[prediction_type]


# %% mutant="ratio of the roots" question="q4" says="not that of their roots"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t].sqrt() / (1 - alphas_cumprod[t]).sqrt()
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="noise over signal" question="q4" says="The ratio is upside down"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = (1 - alphas_cumprod[t]) / alphas_cumprod[t]
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="logarithm" question="q4" says="This takes the logarithm"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = torch.log(alphas_cumprod[t] / (1 - alphas_cumprod[t]))
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="index one too low" question="q4" says="You read ᾱ at t − 1"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t - 1] / (1 - alphas_cumprod[t - 1])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="caps ᾱ" question="q4" says="This caps ᾱ itself"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return alphas_cumprod[t].clamp(max=gamma) / scales[prediction_type]


# %% mutant="two types swapped" question="q4" says="have changed places"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": snr, "epsilon": torch.ones_like(snr), "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="one weight for all" question="q4" says="has to be weighed differently"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    if prediction_type not in ("sample", "epsilon", "v_prediction"):
        raise ValueError(prediction_type)
    return (alphas_cumprod[t] / (1 - alphas_cumprod[t])).clamp(max=gamma)


# %% mutant="multiplies" question="q4" says="the weight has to make up for it"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) * scales[prediction_type]


# %% mutant="ε by SNR + 1" question="q4" says="is divided by SNR; by SNR + 1 is for"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr + 1, "v_prediction": snr}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="v by SNR" question="q4" says="is divided by SNR + 1; by SNR alone is for"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="γ is always 5" question="q4" says="you used 5 whatever it says"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=5.0) / scales[prediction_type]


# %% mutant="all times" question="q4" says="one weight for each of the T times"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod / (1 - alphas_cumprod)
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="any other name means v" question="q4" says="has to raise a ValueError; otherwise a spelling mistake"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    if prediction_type == "sample":
        return snr.clamp(max=gamma)
    return snr.clamp(max=gamma) / (snr if prediction_type == "epsilon" else snr + 1)


# %% mutant="another kind of error" question="q4" says="stopped with KeyError"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="float32" question="q4" says="expected dtype float64, got float32"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = (alphas_cumprod[t] / (1 - alphas_cumprod[t])).float()
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return snr.clamp(max=gamma) / scales[prediction_type]


# %% mutant="γ made on the CPU" question="q4" says="it would stop on a GPU"
def min_snr_weights(alphas_cumprod, t, prediction_type, gamma=5.0):
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    scales = {"sample": torch.ones_like(snr), "epsilon": snr, "v_prediction": snr + 1}
    if prediction_type not in scales:
        raise ValueError(prediction_type)
    return torch.minimum(snr, torch.full(snr.shape, gamma, dtype=snr.dtype)) / scales[prediction_type]


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: weights that follow slowly
#
# The weights in training jump about: every batch pulls them another way. Samples are drawn with a calmer copy, an
# exponential moving average, which follows them slowly:
#
# $$\text{average} \leftarrow d \cdot \text{average} + (1 - d) \cdot \text{weights}.$$
#
# With $d = 0.999$ it reaches back about a thousand steps. That is too far at the beginning: for a thousand steps the
# average would be mostly the random numbers that the network started from. So the decay $d$ starts low and rises with
# the number $s$ of the step, until it has reached its final value:
#
# $$d_s = \min\left(\text{decay},\; \frac{1 + s}{10 + s}\right), \qquad s = 0, 1, 2, \ldots$$
#
# Write `ema_update`. A network has many tensors of weights, so `average` and `weights` are **lists** of tensors, in the
# same order. Return a new list; the tensors in the old one stay as they were.
#
# <details><summary>Hint</summary>
#
# `zip` walks through two lists side by side. The steps are counted from 0, as everywhere in this course, so `step`
# goes into the formula as it is. Check your formula at `step = 0`: a tenth of the old average should be left.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def ema_update(average, weights, step, decay=0.999):
    """The averaged weights after a step of training.

    Args:
        average: averaged weights before the step, a list of tensors of any shapes.
        weights: the network's weights after the step, a list of tensors of the same shapes.
        step: number of the step, a Python int, counted from 0.
        decay: d once the ramp has reached it, a Python float.
    Returns:
        a new list of new tensors; shapes, dtypes and devices as in average.
    """
    # BEGIN SOLUTION
    share = min(decay, (1 + step) / (10 + step))
    return [share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_one_update(ema_update):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, follows_device, run, unchanged

    average = [torch.tensor([1.0, 2.0]), torch.tensor([[4.0], [0.0]])]
    weights = [torch.tensor([3.0, -2.0]), torch.tensor([[0.0], [8.0]])]
    copies, what = [tensor.clone() for tensor in average], "ema_update(average, weights, 2)"
    got = run(ema_update, average, weights, 2)
    if got is None or got is Ellipsis:
        raise CheckFailed(f"{what} returned {got}: write your answer in place of the ... and return it")
    if not isinstance(got, list) or len(got) != 2:
        kind = f"a list of {len(got)}" if isinstance(got, list) else f"a value of type {type(got).__name__}"
        raise CheckFailed(f"{what}: expected a list of 2 tensors, one for each tensor of weights, got {kind}")
    for number in (0, 1):
        unchanged(copies[number], average[number], what=f"average[{number}]")
    right = [[2.5, -1.0], [[1.0], [6.0]]]
    slips = [
        {
            "The two factors have changed places: d belongs to the old average.": [1.5, 1.0],
            "The ramp has no effect: at this step d is still (1 + s)/(10 + s), which is less than decay.": [
                1.002,
                1.996,
            ],
            "These are the weights themselves; the average should only move towards them.": [3.0, -2.0],
            "This is the old average: it did not move.": [1.0, 2.0],
            "The two parts do not add up to a mean: the old average is multiplied by d.": [3.25, 0.5],
            "The two parts do not add up to a mean: the weights are multiplied by 1 − d.": [3.25, -1.5],
            "This is the plain mean of both: d is missing.": [2.0, 0.0],
        },
        {
            "Only the first tensor was averaged; all of them are to be.": [[4.0], [0.0]],
        },
    ]
    for number in (0, 1):
        compare(got[number], right[number], what=f"{what}[{number}]", slips=slips[number])
    double = run(ema_update, [average[0].double()], [weights[0].double()], 2)
    compare(double[0], right[0], what="ema_update for a list of one tensor in float64", dtype=torch.float64)
    there = [tensor.to("meta") for tensor in average]
    follows_device(ema_update, there, there, 2, what="ema_update")


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_ramp(ema_update):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, run

    # From 1 towards 0: what comes out is d itself.
    found, what = [], "d at the steps 0, 2, 8, 20, 20000, with decay 0.6"
    for step in (0, 2, 8, 20, 20000):
        got = run(ema_update, [torch.ones(1)], [torch.zeros(1)], step, 0.6)
        if not isinstance(got, list) or len(got) != 1 or not isinstance(got[0], torch.Tensor):
            raise CheckFailed("ema_update for lists of one tensor: expected a list of one tensor")
        found.append(got[0])
    slips = {
        "max in place of min: decay is the most that d may be.": [0.6, 0.6, 0.6, 0.7, 0.99955],
        "The ramp has no effect: in the first steps d is (1 + s)/(10 + s). Are its brackets there?": [
            0.6,
            0.6,
            0.6,
            0.6,
            0.6,
        ],
        "The ramp does not end: d must not be larger than decay.": [0.1, 0.25, 0.5, 0.7, 0.99955],
        "The step was counted from 1: at step 0 d is 1/10.": [0.0, 0.181818, 0.470588, 0.6, 0.6],
        "The step was counted one too high: at step 0 d is 1/10.": [0.181818, 0.307692, 0.526316, 0.6, 0.6],
        "The two factors have changed places: d belongs to the old average.": [0.9, 0.75, 0.5, 0.4, 0.4],
        "The ramp is multiplied with decay; take the smaller of the two.": [0.06, 0.15, 0.3, 0.42, 0.59973],
        "Nothing is left of the old average: // rounds the ramp down to 0.": [0.0, 0.0, 0.0, 0.0, 0.0],
        "decay was ignored: you used 0.999 whatever it says.": [0.1, 0.25, 0.5, 0.7, 0.999],
    }
    compare(torch.cat(found), [0.1, 0.25, 0.5, 0.6, 0.6], what=what, slips=slips)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_many_updates(ema_update):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, run

    generator = torch.Generator().manual_seed(19)
    shapes = [(3, 2), (4,), (2, 1, 3)]
    average = [torch.randn(shape, generator=generator) for shape in shapes]
    right = [tensor.clone() for tensor in average]
    for step in (0, 1, 5, 79, 200, 9989, 20000):
        weights = [torch.randn(shape, generator=generator) for shape in shapes]
        share = min(0.9, (1 + step) / (10 + step))
        right = [share * old + (1 - share) * new for old, new in zip(right, weights, strict=True)]
        average = run(ema_update, average, weights, step, 0.9)
        if not isinstance(average, list) or len(average) != 3:
            raise CheckFailed("ema_update for lists of three tensors: expected a list of three")
    for got, expected in zip(average, right, strict=True):
        compare(got, expected, what="ema_update after seven steps")
    got = run(ema_update, [torch.ones(1)], [torch.zeros(1)], 20000)
    if not isinstance(got, list) or len(got) != 1:
        raise CheckFailed("ema_update for lists of one tensor: expected a list of one")
    compare(got[0], [0.999], what="d long after the ramp", rtol=1e-5)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.training.EMA
# minilib.training.ema_decay_at


# %% mutant="max for min" question="q5" says="max in place of min"
def ema_update(average, weights, step, decay=0.999):
    share = max(decay, (1 + step) / (10 + step))
    return [share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="no ramp" question="q5" says="The ramp has no effect"
def ema_update(average, weights, step, decay=0.999):
    return [decay * mean + (1 - decay) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="no end of the ramp" question="q5" says="The ramp does not end"
def ema_update(average, weights, step, decay=0.999):
    share = (1 + step) / (10 + step)
    return [share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="one step behind" question="q5" says="The step was counted from 1"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, step / (9 + step))
    return [share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="one step ahead" question="q5" says="The step was counted one too high"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, (2 + step) / (11 + step))
    return [share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="factors change places" question="q5" says="The two factors have changed places"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, (1 + step) / (10 + step))
    return [(1 - share) * mean + share * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="product" question="q5" says="take the smaller of the two"
def ema_update(average, weights, step, decay=0.999):
    share = decay * (1 + step) / (10 + step)
    return [share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="whole numbers" question="q5" says="// rounds the ramp down to 0"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, (1 + step) // (10 + step))
    return [share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="no brackets" question="q5" says="Are its brackets there?"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, 1 + step / 10 + step)
    return [share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="decay is always 0.999" question="q5" says="decay was ignored"
def ema_update(average, weights, step, decay=0.999):
    share = min(0.999, (1 + step) / (10 + step))
    return [share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="returns the weights" question="q5" says="These are the weights themselves"
def ema_update(average, weights, step, decay=0.999):
    return [weight.clone() for weight in weights]


# %% mutant="returns the average" question="q5" says="This is the old average"
def ema_update(average, weights, step, decay=0.999):
    return [mean.clone() for mean in average]


# %% mutant="average not scaled" question="q5" says="the old average is multiplied by d"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, (1 + step) / (10 + step))
    return [mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="weights not scaled" question="q5" says="the weights are multiplied by 1 − d"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, (1 + step) / (10 + step))
    return [share * mean + weight for mean, weight in zip(average, weights, strict=True)]


# %% mutant="plain mean" question="q5" says="This is the plain mean of both"
def ema_update(average, weights, step, decay=0.999):
    return [(mean + weight) / 2 for mean, weight in zip(average, weights, strict=True)]


# %% mutant="only the first" question="q5" says="Only the first tensor was averaged"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, (1 + step) / (10 + step))
    return [share * average[0] + (1 - share) * weights[0], *average[1:]]


# %% mutant="returns the first tensor" question="q5" says="expected a list of 2 tensors"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, (1 + step) / (10 + step))
    return share * average[0] + (1 - share) * weights[0]


# %% mutant="a generator" question="q5" says="got a value of type generator"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, (1 + step) / (10 + step))
    return (share * mean + (1 - share) * weight for mean, weight in zip(average, weights, strict=True))


# %% mutant="zeros made on the CPU" question="q5" says="it would stop on a GPU"
def ema_update(average, weights, step, decay=0.999):
    share = min(decay, (1 + step) / (10 + step))
    fresh = [torch.zeros(mean.shape, dtype=mean.dtype) for mean in average]
    return [z + share * mean + (1 - share) * weight for z, mean, weight in zip(fresh, average, weights, strict=True)]


# %% [raw]
# # END QUESTION

# %% [markdown]
# ## Done
#
# Save the notebook and hand in the `.ipynb` file itself. What you have written is, but for size, all of a diffusion
# model: training it, its network, and drawing from it. What comes next in the book: asking it for something in
# particular.
