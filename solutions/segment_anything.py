# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [raw] about=true
# For the instructor: how this file becomes an exercise is told in solutions/noising.py and in CONTRIBUTING.md.
# Visible checks hold numbers, not formulas, so that they do not give an answer away.
# ruff: noqa: E402, F811

# %% [raw]
# # ASSIGNMENT CONFIG
# name: segment_anything
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: Segment Anything
#
# Six questions on the chapter *Point, and get a mask*, from one line of code to five. Allow an hour and a half.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - Points are pixels `(x, y)`: x counts columns from the left, y rows from the top; the upper left pixel is `(0, 0)`.
#   Sizes are `(height, width)`.
# - Each of `p` prompts gets `m` masks, `(p, m, h, w)`, as logits: positive inside. Its true mask is one of `(p, h, w)`,
#   and bool.
# - torch is enough. New tensors go to the device of the arguments (`device=points.device`): hidden checks look.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "segment_anything"
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
import torch.nn.functional as F

grader = otter.Notebook(tests_dir="tests")

# %% [raw]
# # BEGIN QUESTION
# name: q1

# %% [markdown]
# ## Question 1: where a click is
#
# A click becomes a vector of width `d`, by Fourier features with random frequencies (Tancik et al. 2020; Kirillov et
# al. 2023, appendix A, "Prompt encoder"). A pixel's centre lies half a pixel to the right of its corner, and half a
# pixel below it. In shares of the picture it is $p$, from 0 to 1 along both axes, and
#
# $$\gamma(p) = [\sin(2\pi\,(2p - 1)\,F),\ \cos(2\pi\,(2p - 1)\,F)]$$
#
# $F$ is a fixed matrix of shape $(2, d/2)$, drawn once from a normal distribution: its first row belongs to x, its
# second one to y. All sines come first, then all cosines. Write `encode`.
#
# <details><summary>Hint</summary>
#
# x is a share of the width, y of the height; the wrong order gives wrong numbers, and no error. A tensor of two numbers
# divides both coordinates of all points at once; give it the device of `points`.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def encode(points, frequencies, size):
    """Fourier features of clicks.

    Args:
        points: pixels (x, y), float, shape (b, n, 2).
        frequencies: F, shape (2, d/2).
        size: (height, width) of the picture, two Python ints.
    Returns:
        Shape (b, n, d).
    """
    # BEGIN SOLUTION
    height, width = size
    shares = (points + 0.5) / torch.tensor([width, height], device=points.device)
    angles = 2 * math.pi * (2 * shares - 1) @ frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_points(encode):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    points = torch.tensor([[[3.0, 1.0], [13.0, 6.0]]])
    frequencies = torch.tensor([[0.3, -0.7], [0.8, 0.45]])
    before = points.clone()
    slips = {
        "These are corners of the pixels: their centres are half a pixel further.": [
            [[0.97237, 0.587785, 0.233445, 0.809017], [-0.522499, -0.97237, -0.85264, 0.233445]]
        ],
        "The shares go from 0 to 1 here; F is multiplied with 2p − 1, from −1 to 1.": [
            [[0.976766, -0.41866, 0.214309, 0.908143], [-0.571787, -0.987688, 0.820402, 0.156434]]
        ],
        "2π is missing: a frequency of 1 is a whole turn.": [
            [[-0.620006, 0.112263, 0.784597, 0.993679], [0.648985, -0.198669, 0.760801, 0.980067]]
        ],
        "This is π; a frequency of 1 is a whole turn, 2π.": [
            [[-0.862734, 0.346117, -0.505657, 0.938191], [0.797321, -0.587785, -0.603556, 0.809017]]
        ],
        "The cosines come first here: first all sines, then all cosines.": [
            [[-0.488621, 0.760406, 0.872496, 0.649448], [-0.27144, 0.309017, -0.962455, -0.951057]]
        ],
        "x was divided by the height and y by the width: size is (height, width).": [
            [[0.92388, -0.984427, -0.382683, -0.175796], [-0.382684, 0.999807, -0.923879, -0.019633]]
        ],
        "x and y have changed places: the first row of F belongs to x.": [
            [[0.760406, 0.916188, -0.649448, 0.400749], [-0.996917, -0.720854, -0.078459, 0.693087]]
        ],
        "Sines and cosines take turns here: first all sines, then all cosines.": [
            [[0.872496, -0.488621, 0.649448, 0.760406], [-0.962455, -0.27144, -0.951057, 0.309017]]
        ],
        "The half pixel is added to the shares; it belongs to the pixels.": [
            [[0.92388, -0.809017, -0.382684, 0.587785], [-0.92388, -0.233445, -0.382683, -0.97237]]
        ],
    }
    shapes = {(1, 2, 2): "Sines and cosines, side by side: twice the columns of F."}
    right = [[[0.872496, 0.649448, -0.488621, 0.760406], [-0.962455, -0.951057, -0.27144, 0.309017]]]
    got = run(encode, points, frequencies, (8, 16))
    unchanged(before, points, what="points")
    compare(got, right, what="encode(points, frequencies, (8, 16))", slips=slips, shapes=shapes)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_more_points(encode):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(1)
    points = torch.rand(3, 4, 2, generator=generator) * torch.tensor([29.0, 19.0])
    frequencies = torch.randn(2, 5, generator=generator)
    x, y = 2 * (points[..., 0] + 0.5) / 30 - 1, 2 * (points[..., 1] + 0.5) / 20 - 1
    columns = [2 * math.pi * (x * row_x + y * row_y) for row_x, row_y in frequencies.T.tolist()]
    right = torch.stack([*map(torch.sin, columns), *map(torch.cos, columns)], dim=-1)
    got = run(encode, points, frequencies, (20, 30))
    compare(got, right, what="encode of twelve points in a picture 20 high and 30 wide", atol=1e-5)
    follows_device(encode, points, frequencies, (20, 30), what="encode")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.segmentation.prompt_encoder.PromptEncoder.encode_positions
# minilib.segmentation.prompt_encoder.PromptEncoder.encode_points


# %% mutant="corners" question="q1" says="half a pixel further"
def encode(points, frequencies, size):
    shares = points / torch.tensor([size[1], size[0]])
    angles = 2 * math.pi * (2 * shares - 1) @ frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# %% mutant="from 0 to 1" question="q1" says="from −1 to 1"
def encode(points, frequencies, size):
    shares = (points + 0.5) / torch.tensor([size[1], size[0]])
    angles = 2 * math.pi * shares @ frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# %% mutant="no 2π" question="q1" says="2π is missing"
def encode(points, frequencies, size):
    shares = (points + 0.5) / torch.tensor([size[1], size[0]])
    angles = (2 * shares - 1) @ frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# %% mutant="half a turn" question="q1" says="This is π"
def encode(points, frequencies, size):
    shares = (points + 0.5) / torch.tensor([size[1], size[0]])
    angles = math.pi * (2 * shares - 1) @ frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# %% mutant="cosines first" question="q1" says="The cosines come first"
def encode(points, frequencies, size):
    shares = (points + 0.5) / torch.tensor([size[1], size[0]])
    angles = 2 * math.pi * (2 * shares - 1) @ frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


# %% mutant="size in the wrong order" question="q1" says="size is (height, width)"
def encode(points, frequencies, size):
    shares = (points + 0.5) / torch.tensor(size)
    angles = 2 * math.pi * (2 * shares - 1) @ frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# %% mutant="rows of F exchanged" question="q1" says="x and y have changed places"
def encode(points, frequencies, size):
    shares = (points + 0.5) / torch.tensor([size[1], size[0]])
    angles = 2 * math.pi * (2 * shares.flip(-1) - 1) @ frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# %% mutant="interleaved" question="q1" says="take turns"
def encode(points, frequencies, size):
    shares = (points + 0.5) / torch.tensor([size[1], size[0]])
    angles = 2 * math.pi * (2 * shares - 1) @ frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


# %% mutant="half a picture" question="q1" says="it belongs to the pixels"
def encode(points, frequencies, size):
    shares = points / torch.tensor([size[1], size[0]]) + 0.5
    angles = 2 * math.pi * (2 * shares - 1) @ frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# %% mutant="sines alone" question="q1" says="twice the columns of F"
def encode(points, frequencies, size):
    shares = (points + 0.5) / torch.tensor([size[1], size[0]])
    return torch.sin(2 * math.pi * (2 * shares - 1) @ frequencies)


# %% mutant="another device" question="q1" says="it would stop on a GPU"
def encode(points, frequencies, size):
    shares = (points + 0.5) / torch.tensor([size[1], size[0]])
    angles = 2 * math.pi * (2 * shares - 1) @ frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: two ways
#
# In SAM's mask decoder tokens read the picture, then the picture reads the tokens (Kirillov et al. 2023, appendix A,
# "Lightweight mask decoder", steps 2 and 4 of a layer). Here attention has one head and no weights of its own:
#
# $$\mathrm{attend}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt d}\right)V$$
#
# $t$ are the tokens and $x$ the pixels of the image embedding, $p_t$ and $p_x$ their positions. Positions are added to
# queries and keys, *not* to values, and they do not stay: what is returned holds no positions.
#
# $$t' = t + \mathrm{attend}(t + p_t,\ x + p_x,\ x) \qquad\qquad
# x' = x + \mathrm{attend}(x + p_x,\ t' + p_t,\ t')$$
#
# Write `two_way`, which returns $t'$ and $x'$.
#
# <details><summary>Hint</summary>
#
# `F.scaled_dot_product_attention(q, k, v)` is attend; or write it with `torch.softmax`, over the axis of the keys. Who
# asks gives the query and gets the sum; who is asked gives the key and the value.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def two_way(tokens, image, token_positions, image_positions):
    """Tokens read the picture, then the picture reads the tokens.

    Args:
        tokens: t, shape (b, k, d).
        image: x, shape (b, n, d).
        token_positions: shape (b, k, d).
        image_positions: shape (n, d).
    Returns:
        t' and x', of the shapes of t and x.
    """
    # BEGIN SOLUTION
    placed = image + image_positions
    tokens = tokens + F.scaled_dot_product_attention(tokens + token_positions, placed, image)
    image = image + F.scaled_dot_product_attention(placed, tokens + token_positions, tokens)
    return tokens, image
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_tokens_three_pixels(two_way):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    tokens = torch.tensor([[[1.0, -0.5], [0.25, 2.0]]])
    image = torch.tensor([[[0.5, 1.0], [-1.0, 0.75], [2.0, -0.25]]])
    token_positions = torch.tensor([[[0.5, 1.0], [-1.0, 0.25]]])
    image_positions = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]])
    before = tokens.clone(), image.clone()
    got = run(two_way, tokens, image, token_positions, image_positions)
    new_tokens, new_image = parts(got, ["tokens", "image"], what="two_way(tokens, image, ...)")
    unchanged(before[0], tokens, what="tokens")
    unchanged(before[1], image, what="image")
    slips = {
        "Values have no positions: what is asked answers with itself alone.": [
            [[2.761487, -0.217579], [-0.885383, 3.716882]]
        ],
        "The tokens are replaced; what they read is added to them.": [[[1.131306, 0.437801], [-0.816547, 0.77905]]],
        "The scale is missing: divide the scores by √d.": [[[2.14158, -0.04519], [-0.664828, 2.764096]]],
        "The softmax is over those who ask; for each query, weights of keys sum to 1.": [
            [[3.29254, -0.111137], [-0.54254, 3.111137]]
        ],
        "Neither queries nor keys have positions here.": [[[2.551285, -0.472695], [0.480791, 2.765586]]],
        "The keys have no positions here: pixels need theirs, too.": [[[2.525651, -0.41914], [-0.08915, 2.823806]]],
        "The positions stay in the result; they are added for asking alone.": [
            [[2.631306, 0.937801], [-1.566547, 3.02905]]
        ],
    }
    swapped = {(1, 3, 2): "The two results are exchanged: first the tokens, then the picture."}
    what = "tokens of two_way(tokens, image, ...)"
    compare(new_tokens, [[[2.131306, -0.062199], [-0.566547, 2.77905]]], what=what, slips=slips, shapes=swapped)
    slips = {
        "The picture reads the old tokens; it is its turn after theirs.": [
            [[1.22217, 1.4261], [-0.742173, 2.72391], [2.995573, -0.735245]]
        ],
        "The picture's keys are the old tokens; only its values are the new ones.": [
            [[1.631913, 1.990313], [-1.538392, 3.499399], [4.115383, -0.29543]]
        ],
        "The picture is replaced; what it reads is added to it.": [
            [[1.870412, 0.212562], [-0.564186, 2.776564], [2.130772, -0.061637]]
        ],
        "The values of the new tokens have positions here; they must not.": [
            [[2.725355, 2.140034], [-2.562874, 3.77722], [4.630475, 0.688215]]
        ],
        "The picture is as it was: it reads the tokens, too.": [[[0.5, 1.0], [-1.0, 0.75], [2.0, -0.25]]],
    }
    compare(
        new_image,
        [[[2.370412, 1.212562], [-1.564186, 3.526564], [4.130772, -0.311637]]],
        what="image of two_way(tokens, image, ...)",
        slips=slips,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_two_pictures(two_way):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    generator = torch.Generator().manual_seed(2)
    tokens, positions = torch.randn(2, 2, 3, 4, generator=generator)
    image, image_positions = torch.randn(2, 5, 4, generator=generator), torch.randn(5, 4, generator=generator)
    new_tokens, new_image = torch.zeros_like(tokens), torch.zeros_like(image)
    for one in range(2):
        keys = [image[one, i] + image_positions[i] for i in range(5)]
        for token in range(3):
            query = tokens[one, token] + positions[one, token]
            odds = [float(torch.exp(query @ key / 2)) for key in keys]
            read = sum(odd * image[one, i] for i, odd in enumerate(odds)) / sum(odds)
            new_tokens[one, token] = tokens[one, token] + read
        for pixel in range(5):
            odds = [float(torch.exp(keys[pixel] @ (new_tokens[one, i] + positions[one, i]) / 2)) for i in range(3)]
            read = sum(odd * new_tokens[one, i] for i, odd in enumerate(odds)) / sum(odds)
            new_image[one, pixel] = image[one, pixel] + read
    arguments = (tokens, image, positions, image_positions)
    got = parts(run(two_way, *arguments), ["tokens", "image"], what="two_way for two pictures")
    compare(got[0], new_tokens, what="tokens for two pictures", atol=1e-5)
    compare(got[1], new_image, what="image for two pictures", atol=1e-5)
    follows_device(two_way, *arguments, what="two_way")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.segmentation.mask_decoder.TwoWayBlock


# %% mutant="positions in values" question="q2" says="Values have no positions"
def two_way(tokens, image, token_positions, image_positions):
    placed = image + image_positions
    tokens = tokens + F.scaled_dot_product_attention(tokens + token_positions, placed, placed)
    asked = tokens + token_positions
    return tokens, image + F.scaled_dot_product_attention(placed, asked, asked)


# %% mutant="positions in the tokens' values" question="q2" says="they must not"
def two_way(tokens, image, token_positions, image_positions):
    placed = image + image_positions
    tokens = tokens + F.scaled_dot_product_attention(tokens + token_positions, placed, image)
    asked = tokens + token_positions
    return tokens, image + F.scaled_dot_product_attention(placed, asked, asked)


# %% mutant="old tokens" question="q2" says="The picture reads the old tokens"
def two_way(tokens, image, token_positions, image_positions):
    asking, placed = tokens + token_positions, image + image_positions
    new_tokens = tokens + F.scaled_dot_product_attention(asking, placed, image)
    return new_tokens, image + F.scaled_dot_product_attention(placed, asking, tokens)


# %% mutant="old keys" question="q2" says="only its values are the new ones"
def two_way(tokens, image, token_positions, image_positions):
    asking, placed = tokens + token_positions, image + image_positions
    tokens = tokens + F.scaled_dot_product_attention(asking, placed, image)
    return tokens, image + F.scaled_dot_product_attention(placed, asking, tokens)


# %% mutant="tokens replaced" question="q2" says="The tokens are replaced"
def two_way(tokens, image, token_positions, image_positions):
    placed = image + image_positions
    tokens = F.scaled_dot_product_attention(tokens + token_positions, placed, image)
    return tokens, F.scaled_dot_product_attention(placed, tokens + token_positions, tokens)


# %% mutant="picture replaced" question="q2" says="The picture is replaced"
def two_way(tokens, image, token_positions, image_positions):
    placed = image + image_positions
    tokens = tokens + F.scaled_dot_product_attention(tokens + token_positions, placed, image)
    return tokens, F.scaled_dot_product_attention(placed, tokens + token_positions, tokens)


# %% mutant="one way" question="q2" says="it reads the tokens, too"
def two_way(tokens, image, token_positions, image_positions):
    placed = image + image_positions
    return tokens + F.scaled_dot_product_attention(tokens + token_positions, placed, image), image


# %% mutant="no scale" question="q2" says="The scale is missing"
def two_way(tokens, image, token_positions, image_positions):
    placed = image + image_positions
    tokens = tokens + torch.softmax((tokens + token_positions) @ placed.mT, dim=-1) @ image
    return tokens, image + torch.softmax(placed @ (tokens + token_positions).mT, dim=-1) @ tokens


# %% mutant="softmax over queries" question="q2" says="over those who ask"
def two_way(tokens, image, token_positions, image_positions):
    placed, root = image + image_positions, image.shape[-1] ** 0.5
    tokens = tokens + torch.softmax((tokens + token_positions) @ placed.mT / root, dim=1) @ image
    return tokens, image + torch.softmax(placed @ (tokens + token_positions).mT / root, dim=1) @ tokens


# %% mutant="no positions" question="q2" says="Neither queries nor keys"
def two_way(tokens, image, token_positions, image_positions):
    tokens = tokens + F.scaled_dot_product_attention(tokens, image, image)
    return tokens, image + F.scaled_dot_product_attention(image, tokens, tokens)


# %% mutant="positions for queries alone" question="q2" says="pixels need theirs, too"
def two_way(tokens, image, token_positions, image_positions):
    tokens = tokens + F.scaled_dot_product_attention(tokens + token_positions, image, image)
    return tokens, image + F.scaled_dot_product_attention(image + image_positions, tokens, tokens)


# %% mutant="positions stay" question="q2" says="The positions stay in the result"
def two_way(tokens, image, token_positions, image_positions):
    asking, placed = tokens + token_positions, image + image_positions
    tokens = asking + F.scaled_dot_product_attention(asking, placed, image)
    return tokens, placed + F.scaled_dot_product_attention(placed, tokens, tokens)


# %% mutant="exchanged" question="q2" says="The two results are exchanged"
def two_way(tokens, image, token_positions, image_positions):
    placed = image + image_positions
    tokens = tokens + F.scaled_dot_product_attention(tokens + token_positions, placed, image)
    return image + F.scaled_dot_product_attention(placed, tokens + token_positions, tokens), tokens


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: how wrong is a mask?
#
# Masks are learned with $20\cdot\text{focal} + \text{dice}$ (Kirillov et al. 2023, appendix A, "Losses"). With
# $s = \mathrm{sigmoid}(\text{logit})$, and $y = 1$ for pixels inside the true mask, else $y = 0$:
#
# $$\text{focal} = \text{mean of } -\alpha_t\,(1 - p_t)^2\,\log p_t \text{ over pixels}
# \qquad \text{(Lin et al. 2017, eq. 5)}$$
#
# Inside, $p_t = s$ and $\alpha_t = 0.25$; outside, $p_t = 1 - s$ and $\alpha_t = 0.75$.
#
# $$\text{dice} = 1 - \frac{2\sum s\,y + 1}{\sum s + \sum y + 1}
# \qquad \text{(after Milletari et al. 2016; both 1 keep tiny masks steady)}$$
#
# Sums are over pixels, too. Write `mask_losses`: a loss for each of the `m` masks of each of the `p` prompts. It is
# finite even where a logit is 100 and should be −100.
#
# <details><summary>Hint</summary>
#
# `target[:, None]` is `(p, 1, h, w)`: all masks of a prompt meet the same truth. `torch.where(target[:, None], a, b)`
# takes `a` inside and `b` outside. Outside, $1 - s$ is the sigmoid of minus the logit, and `F.logsigmoid` stays finite
# where the logarithm of a sigmoid does not.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def mask_losses(logits, target):
    """20 · focal + dice of each mask.

    Args:
        logits: shape (p, m, h, w).
        target: true masks, bool, shape (p, h, w).
    Returns:
        Shape (p, m).
    """
    # BEGIN SOLUTION
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_prompts_two_masks(mask_losses):
    import torch

    from minilib.grading.feedback import compare, run

    logits = torch.tensor([[[[2.0, -1.0, 0.5]], [[-0.5, 1.5, 1.0]]], [[[0.25, 3.0, -2.0]], [[-1.5, 0.75, 2.5]]]])
    target = torch.tensor([[[True, False, True]], [[False, True, True]]])  # pictures one pixel high
    hints = {
        "bool tensor": "Arithmetic needs numbers: bring the target to the type of the logits.",
        "must match the size": "The target is (p, h, w): give it an axis for the masks.",
    }
    slips = {
        "α is exchanged: pixels inside weigh 0.25, those outside 0.75.": [[0.545096, 4.242719], [9.007617, 0.333543]],
        "α is missing: pixels inside weigh 0.25, those outside 0.75.": [[0.774014, 10.595864], [13.063088, 0.43418]],
        "(1 − p_t)² looks away from what is right already; this is p_t².": [[1.467814, 1.140464], [1.237096, 1.203878]],
        "(1 − p_t)² is not squared here.": [[0.905215, 8.453032], [5.769405, 0.521556]],
        "Without (1 − p_t)² this is cross-entropy.": [[2.728431, 10.999547], [8.077182, 1.904341]],
        "The dice has no 2: what is shared counts twice above the line.": [[0.704369, 6.925105], [4.608386, 0.556662]],
        "The dice cuts the masks at 0 and so cannot be learned from: it takes s as it is.": [
            [0.228919, 6.753145],
            [4.455472, 0.100636],
        ],
        "The focal loss is summed; it is the mean over pixels.": [[0.847203, 19.406353], [12.488041, 0.422915]],
        "The dice is without its 1 above and below the line.": [[0.4319, 6.788423], [4.465603, 0.253606]],
        "The 20 belongs to the focal loss alone.": [[3.43786, 13.291492], [10.487989, 2.52076]],
        "The focal loss counts 20 times.": [[0.171893, 0.664575], [0.524399, 0.126038]],
        "The dice is upside down: 1 − overlap is to be small.": [[1.068472, 7.006228], [4.733846, 0.97963]],
        "The target is lined up with masks, not with prompts: it needs the shape (p, 1, h, w).": [
            [0.389366, 0.555068],
            [17.255653, 0.221642],
        ],
    }
    shapes = {
        (2,): "One loss for each mask of each prompt: sums and means are over pixels alone.",
        (): "One loss for each mask of each prompt: sums and means are over pixels alone.",
    }
    right = [[0.389366, 6.700062], [4.377098, 0.221642]]
    got = run(mask_losses, logits, target, hints=hints)
    compare(got, right, what="mask_losses(logits, target)", slips=slips, shapes=shapes)
    wrong = torch.tensor([[[[100.0, -100.0]]]])
    got = run(mask_losses, wrong, torch.tensor([[[False, True]]]), hints=hints)
    compare(got, [[1000.666687]], what="mask_losses of logits ±100, all wrong")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_more_masks(mask_losses):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, run, unchanged

    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(2, 3, 4, 5, generator=generator)
    target = torch.rand(2, 4, 5, generator=generator) < 0.4
    before = logits.clone()
    right = torch.zeros(2, 3)
    for prompt in range(2):
        for mask in range(3):
            focal, shared, both = 0.0, 0.0, 0.0
            for logit, y in zip(
                logits[prompt, mask].flatten().tolist(), target[prompt].flatten().tolist(), strict=True
            ):
                s = 1 / (1 + math.exp(-logit))
                focal -= 0.25 * (1 - s) ** 2 * math.log(s) if y else 0.75 * s**2 * math.log(1 - s)
                shared, both = shared + s * y, both + s + y
            right[prompt, mask] = 20 * focal / (4 * 5) + 1 - (2 * shared + 1) / (both + 1)
    compare(run(mask_losses, logits, target), right, what="mask_losses of two prompts with three masks")
    unchanged(before, logits, what="logits")
    follows_device(mask_losses, logits, target, what="mask_losses")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.segmentation.losses.focal_loss
# minilib.segmentation.losses.dice_loss


# %% mutant="alpha exchanged" question="q3" says="α is exchanged"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.75, 0.25) * (1 - log_right.exp()) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="no alpha" question="q3" says="α is missing"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = (1 - log_right.exp()) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="looks at what is right" question="q3" says="this is p_t²"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * log_right.exp() ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="gamma 1" question="q3" says="is not squared"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp())
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="no gamma" question="q3" says="this is cross-entropy"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75)
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="dice without 2" question="q3" says="The dice has no 2"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = 1 - ((inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="dice of cut masks" question="q3" says="The dice cuts the masks"
def mask_losses(logits, target):
    inside, truth = (logits > 0).to(logits.dtype), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="sum over pixels" question="q3" says="The focal loss is summed"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).sum((-2, -1)) + dice


# %% mutant="not smooth" question="q3" says="without its 1"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = 1 - 2 * (inside * truth).sum((-2, -1)) / (inside.sum((-2, -1)) + truth.sum((-2, -1)))
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="20 for both" question="q3" says="the focal loss alone"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * ((weight * -log_right).mean((-2, -1)) + dice)


# %% mutant="no 20" question="q3" says="The focal loss counts 20 times"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="overlap for loss" question="q3" says="The dice is upside down"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="prompts for masks" question="q3" says="lined up with masks"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target.to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target, logits, -logits))
    weight = torch.where(target, 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -log_right).mean((-2, -1)) + dice


# %% mutant="logarithm of a sigmoid" question="q3" says="expected finite numbers"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    right = torch.where(target[:, None], inside, 1 - inside)
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - right) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return 20 * (weight * -right.log()).mean((-2, -1)) + dice


# %% mutant="mean over masks, too" question="q3" says="over pixels alone"
def mask_losses(logits, target):
    inside, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    log_right = F.logsigmoid(torch.where(target[:, None], logits, -logits))
    weight = torch.where(target[:, None], 0.25, 0.75) * (1 - log_right.exp()) ** 2
    dice = 1 - (2 * (inside * truth).sum((-2, -1)) + 1) / (inside.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return (20 * (weight * -log_right).mean((-2, -1)) + dice).mean(1)


# %% mutant="bool arithmetic" question="q3" says="Arithmetic needs numbers"
def mask_losses(logits, target):
    inside, outside = logits.sigmoid(), 1 - target[:, None]
    return (inside * outside).mean((-2, -1))


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: the best of three
#
# A click on a wheel may mean the wheel or the car. So SAM gives three masks, and only the one with the **smallest**
# loss learns from the target (Kirillov et al. 2023, appendix A, "Making the model ambiguity-aware"): the others stay
# free to mean something else. When nobody knows the target, a predicted IoU says which mask to take. It learns here
# from **all** masks, by the mean squared error (appendix A, "Losses"):
#
# $$L = \frac1p\sum_i \min_j\,\ell_{ij} + \frac1{pm}\sum_{i,j}\left(\hat u_{ij} - u_{ij}\right)^2$$
#
# $\ell$ are losses like those of question 3, and given; $\hat u$ are predicted IoUs. A true IoU $u$ compares the target
# with the mask where logits are above 0: pixels in both, divided by pixels in either. Write `best_of_three`, which
# returns $L$ as a tensor of shape `()`.
#
# <details><summary>Hint</summary>
#
# `&` and `|` of bool masks give the pixels in both and in either; `sum` counts them. `target[:, None]` meets all masks
# of its prompt. A comparison such as `>` lets no gradient through: the true IoU is a fixed number to be guessed.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def best_of_three(losses, predicted, logits, target):
    """What a prompt with several masks teaches.

    Args:
        losses: of each mask, shape (p, m).
        predicted: IoUs as the model guesses them, shape (p, m).
        logits: of masks, shape (p, m, h, w).
        target: true masks, bool, none of them empty, shape (p, h, w).
    Returns:
        L, shape ().
    """
    # BEGIN SOLUTION
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses.amin(1).mean() + (predicted - ious).square().mean()
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_three_prompts_three_masks(best_of_three):
    import torch

    from minilib.grading.feedback import compare, run

    losses = torch.tensor([[0.9, 0.4, 1.3], [2.0, 1.1, 0.7], [0.3, 0.8, 0.6]])
    predicted = torch.tensor([[0.5, 0.7, 0.9], [0.4, 0.8, 0.6], [0.2, 0.3, 0.95]])
    logits = torch.tensor(
        [  # pictures one pixel high and four wide
            [[[2.0, 1.0, -1.0, 0.3]], [[1.5, 3.0, -0.5, -2.0]], [[-1.0, 0.2, 2.0, 1.0]]],
            [[[-2.0, 1.0, 0.4, -1.0]], [[0.1, 2.0, 1.0, 3.0]], [[-1.0, -2.0, 1.0, 0.2]]],
            [[[1.0, -0.3, 2.0, 1.0]], [[-1.0, 0.4, -2.0, 1.0]], [[2.0, -1.0, 0.3, -3.0]]],
        ]
    )
    target = torch.tensor([[[True, True, False, False]], [[False, False, True, True]], [[True, False, True, True]]])
    hints = {
        "bool tensor": "Arithmetic with bool masks stops; & and | are what it takes.",
        "must match the size": "The target is (p, h, w): give it an axis for the masks.",
    }
    slips = {
        "This is the mean over masks: only the best mask of each prompt learns.": torch.tensor(1.068611),
        "The smallest losses are looked for among prompts, not among the masks of one.": torch.tensor(0.601944),
        "These are the largest losses; the mask with the smallest one learns.": torch.tensor(1.535278),
        "The smallest losses are added up; take their mean.": torch.tensor(1.568611),
        "The mask is chosen by its predicted IoU; here the target is known, the loss chooses.": torch.tensor(1.168611),
        "Only the best mask's IoU is learned; the bad ones have to be known as bad, too.": torch.tensor(0.763333),
        "The IoU is that of probabilities; first cut the masks, logits > 0.": torch.tensor(0.58214),
        "The masks are cut at 0.5; a logit of 0 is a probability of 0.5.": torch.tensor(0.728796),
        "This is dice, with the sum of both areas below the line; IoU has the union.": torch.tensor(0.610031),
        "The error of the IoUs is not squared.": torch.tensor(0.801852),
        "The errors of the IoUs are summed; take their mean.": torch.tensor(1.984167),
        "The error of the IoUs is missing.": torch.tensor(0.466667),
        "The target is lined up with masks, not with prompts: it needs the shape (p, 1, h, w).": torch.tensor(0.562284),
    }
    shapes = {(3,): "One number for the batch: the mean over prompts.", (3, 3): "One number for the batch."}
    right = torch.tensor(0.635278)
    got = run(best_of_three, losses, predicted, logits, target, hints=hints)
    compare(got, right, what="best_of_three(losses, predicted, logits, target)", slips=slips, shapes=shapes)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_four_prompts(best_of_three):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(4)
    losses, predicted = torch.rand(2, 4, 3, generator=generator)
    logits = torch.randn(4, 3, 5, 6, generator=generator)
    target = torch.rand(4, 5, 6, generator=generator) < 0.5
    right = 0.0
    for prompt in range(4):
        right += min(losses[prompt].tolist()) / 4
        true = set(target[prompt].flatten().nonzero()[:, 0].tolist())
        for mask in range(3):
            said = {place for place, logit in enumerate(logits[prompt, mask].flatten().tolist()) if logit > 0}
            right += (predicted[prompt, mask].item() - len(said & true) / len(said | true)) ** 2 / 12
    got = run(best_of_three, losses, predicted, logits, target)
    compare(got, torch.tensor(right), what="best_of_three of four prompts")
    follows_device(best_of_three, losses, predicted, logits, target, what="best_of_three")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.segmentation.losses.sam_loss
# minilib.segmentation.metrics.mask_iou


# %% mutant="mean over masks" question="q4" says="the mean over masks"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses.mean() + (predicted - ious).square().mean()


# %% mutant="best prompt" question="q4" says="looked for among prompts"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses.amin(0).mean() + (predicted - ious).square().mean()


# %% mutant="the worst of three" question="q4" says="the largest losses"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses.amax(1).mean() + (predicted - ious).square().mean()


# %% mutant="sum over prompts" question="q4" says="The smallest losses are added up"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses.amin(1).sum() + (predicted - ious).square().mean()


# %% mutant="chosen by the prediction" question="q4" says="chosen by its predicted IoU"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses[torch.arange(len(losses)), predicted.argmax(1)].mean() + (predicted - ious).square().mean()


# %% mutant="IoU of the best alone" question="q4" says="Only the best mask's IoU"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    best = losses.argmin(1, keepdim=True)
    return losses.amin(1).mean() + (predicted - ious).square().gather(1, best).mean()


# %% mutant="IoU of probabilities" question="q4" says="The IoU is that of probabilities"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits.sigmoid(), target[:, None].to(logits.dtype)
    shared = (masks * truth).sum((-2, -1))
    ious = shared / (masks.sum((-2, -1)) + truth.sum((-2, -1)) - shared)
    return losses.amin(1).mean() + (predicted - ious).square().mean()


# %% mutant="cut at 0.5" question="q4" says="The masks are cut at 0.5"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0.5, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses.amin(1).mean() + (predicted - ious).square().mean()


# %% mutant="dice for IoU" question="q4" says="This is dice"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = 2 * (masks & truth).sum((-2, -1)) / (masks.sum((-2, -1)) + truth.sum((-2, -1)))
    return losses.amin(1).mean() + (predicted - ious).square().mean()


# %% mutant="not squared" question="q4" says="is not squared"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses.amin(1).mean() + (predicted - ious).abs().mean()


# %% mutant="sum of errors" question="q4" says="The errors of the IoUs are summed"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses.amin(1).mean() + (predicted - ious).square().sum()


# %% mutant="no IoUs" question="q4" says="The error of the IoUs is missing"
def best_of_three(losses, predicted, logits, target):
    return losses.amin(1).mean()


# %% mutant="prompts for masks" question="q4" says="lined up with masks"
def best_of_three(losses, predicted, logits, target):
    masks = logits > 0
    ious = (masks & target).sum((-2, -1)) / (masks | target).sum((-2, -1))
    return losses.amin(1).mean() + (predicted - ious).square().mean()


# %% mutant="one for each prompt" question="q4" says="One number for the batch: the mean"
def best_of_three(losses, predicted, logits, target):
    masks, truth = logits > 0, target[:, None]
    ious = (masks & truth).sum((-2, -1)) / (masks | truth).sum((-2, -1))
    return losses.amin(1) + (predicted - ious).square().mean(1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: the next click
#
# To learn to be corrected, SAM is clicked again where it is wrong: at a pixel drawn from the error region, all of them
# equally likely (Kirillov et al. 2023, appendix A, "Training algorithm"). The label is 1 where the mask was **missed**,
# and 0 where one was said that is **not there**.
#
# Write `next_click`. Chance comes from outside: `u` lies in $[0, 1)$. Of $k$ wrong pixels, counted from 0 row by row,
# take number $\lfloor u k\rfloor$. Return `(x, y, label)`, three Python ints; `(0, 0, -1)` where nothing is wrong.
#
# <details><summary>Hint</summary>
#
# Two bool masks differ where `!=` says so. `nonzero()` lists the true places of a tensor row by row, a number for each
# axis: which of the two is x? `tolist()` makes Python numbers.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def next_click(prediction, target, u):
    """A click that corrects a mask.

    Args:
        prediction, target: bool, shape (h, w).
        u: what draws the pixel, a Python float in [0, 1).
    Returns:
        (x, y, label), Python ints.
    """
    # BEGIN SOLUTION
    wrong = (prediction != target).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[int(u * len(wrong))].tolist()
    return column, row, int(target[row, column])
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_a_small_picture(next_click):
    import torch

    from minilib.grading.feedback import compare, compare_int, parts, run

    prediction = torch.tensor([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1]], dtype=torch.bool)
    target = torch.tensor([[0, 1, 1, 0, 0], [0, 0, 1, 0, 1], [1, 0, 1, 0, 0], [0, 0, 1, 0, 0]], dtype=torch.bool)
    names = ["x", "y", "label"]
    hints = {"IndexError": "Where nothing is wrong there is no pixel to take: return (0, 0, -1)."}
    slips = {
        "(row, column) is (y, x): x comes first.": [[1, 4, 1], [2, 4, 0]],
        "The label is that of the prediction; 1 stands for what it missed.": [[4, 1, 0], [4, 2, 1]],
        "The label is always 1; it is 0 where the prediction says too much.": [[4, 1, 1], [4, 2, 1]],
        "Only missed pixels are counted; false ones are wrong, too.": [[4, 1, 1], [0, 2, 1]],
        "Only false pixels are counted; missed ones are wrong, too.": [[3, 2, 0], [4, 2, 0]],
        "Pixels of either mask are counted; wrong are those where the two differ.": [[2, 1, 1], [3, 2, 0]],
        "These pixels are counted column by column; count row by row.": [[2, 0, 1], [4, 1, 1]],
        "uk is rounded; take the floor, so that all pixels are equally likely.": [[0, 2, 1], [4, 2, 0]],
        "These are the right pixels; the click goes where something is wrong.": [[2, 1, 1], [2, 2, 1]],
    }
    clicks = []
    for u in (0.4, 0.7):
        got = parts(
            run(next_click, prediction, target, u, hints=hints), names, what="next_click(prediction, target, u)"
        )
        for name, value in zip(names, got, strict=True):
            compare_int(value, value if isinstance(value, int) else 0, what=name)  # its type alone
        clicks.append(list(got))
    what = "(x, y, label) for u = 0.4 and u = 0.7"
    compare(torch.tensor(clicks), torch.tensor([[4, 1, 1], [4, 2, 0]]), what=what, slips=slips)
    got = parts(run(next_click, target, target, 0.3, hints=hints), names, what="next_click(target, target, 0.3)")
    slips = {"Label 0 would say that there is no mask here; −1 says that there is no click.": [0, 0, 0]}
    compare(torch.tensor(got), torch.tensor([0, 0, -1]), what="(x, y, label) where nothing is wrong", slips=slips)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_many_clicks(next_click):
    import torch

    from minilib.grading.feedback import compare, compare_int, parts, run, unchanged

    generator = torch.Generator().manual_seed(5)
    prediction, target = torch.rand(2, 6, 7, generator=generator) < 0.5
    before = prediction.clone()
    said, true = prediction.tolist(), target.tolist()
    wrong = [(x, y, int(true[y][x])) for y in range(6) for x in range(7) if said[y][x] != true[y][x]]
    for u in (0.0, 0.21, 0.5, 0.77, 0.999):
        names = ["x", "y", "label"]
        got = parts(run(next_click, prediction, target, u), names, what="next_click in a larger picture")
        for name, value in zip(names, got, strict=True):
            compare_int(value, value if isinstance(value, int) else 0, what=name)  # its type alone
        compare(torch.tensor(got), torch.tensor(wrong[int(u * len(wrong))]), what=f"(x, y, label) for u = {u}")
    unchanged(before, prediction, what="prediction")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.segmentation.prompts.corrective_click


# %% mutant="row before column" question="q5" says="x comes first"
def next_click(prediction, target, u):
    wrong = (prediction != target).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[int(u * len(wrong))].tolist()
    return row, column, int(target[row, column])


# %% mutant="label flipped" question="q5" says="The label is that of the prediction"
def next_click(prediction, target, u):
    wrong = (prediction != target).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[int(u * len(wrong))].tolist()
    return column, row, int(prediction[row, column])


# %% mutant="always 1" question="q5" says="The label is always 1"
def next_click(prediction, target, u):
    wrong = (prediction != target).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[int(u * len(wrong))].tolist()
    return column, row, 1


# %% mutant="missed alone" question="q5" says="false ones are wrong, too"
def next_click(prediction, target, u):
    wrong = (target & ~prediction).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[int(u * len(wrong))].tolist()
    return column, row, int(target[row, column])


# %% mutant="false alone" question="q5" says="missed ones are wrong, too"
def next_click(prediction, target, u):
    wrong = (prediction & ~target).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[int(u * len(wrong))].tolist()
    return column, row, int(target[row, column])


# %% mutant="either" question="q5" says="Pixels of either mask are counted"
def next_click(prediction, target, u):
    wrong = (prediction | target).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[int(u * len(wrong))].tolist()
    return column, row, int(target[row, column])


# %% mutant="column by column" question="q5" says="count row by row"
def next_click(prediction, target, u):
    wrong = (prediction != target).T.nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    column, row = wrong[int(u * len(wrong))].tolist()
    return column, row, int(target[row, column])


# %% mutant="rounded" question="q5" says="uk is rounded"
def next_click(prediction, target, u):
    wrong = (prediction != target).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[round(u * len(wrong))].tolist()
    return column, row, int(target[row, column])


# %% mutant="what is right" question="q5" says="These are the right pixels"
def next_click(prediction, target, u):
    wrong = (prediction == target).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[int(u * len(wrong))].tolist()
    return column, row, int(target[row, column])


# %% mutant="nothing wrong forgotten" question="q5" says="there is no pixel to take"
def next_click(prediction, target, u):
    wrong = (prediction != target).nonzero()
    row, column = wrong[int(u * len(wrong))].tolist()
    return column, row, int(target[row, column])


# %% mutant="a background click for nothing" question="q5" says="−1 says that there is no click"
def next_click(prediction, target, u):
    wrong = (prediction != target).nonzero()
    if len(wrong) == 0:
        return 0, 0, 0
    row, column = wrong[int(u * len(wrong))].tolist()
    return column, row, int(target[row, column])


# %% mutant="tensors" question="q5" says="expected a Python int, got a tensor"
def next_click(prediction, target, u):
    wrong = (prediction != target).nonzero()
    if len(wrong) == 0:
        return 0, 0, -1
    row, column = wrong[int(u * len(wrong))]
    return column, row, target[row, column]


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q6

# %% [markdown]
# ## Question 6: is a mask sure of its edge?
#
# Without a target, a mask can still be asked how much it depends on where its logits are cut. Its stability is the IoU
# of two masks, one of logits above `+offset` and one of logits above `-offset` (Kirillov et al. 2023, appendix B,
# "Filtering", with an offset of 1). Masks that hardly change are near 1, and are kept. Write `stability`: a
# score for each of `b` masks.
#
# <details><summary>Hint</summary>
#
# One of the two masks lies wholly inside the other one. What are then their intersection and their union? Counting is
# all that is left.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def stability(logits, offset):
    """How little masks depend on where they are cut.

    Args:
        logits: shape (b, h, w); each has some above -offset.
        offset: positive, a Python float.
    Returns:
        IoUs, shape (b,).
    """
    # BEGIN SOLUTION
    return (logits > offset).sum((-2, -1)) / (logits > -offset).sum((-2, -1))
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_masks(stability):
    import torch

    from minilib.grading.feedback import compare, run

    logits = torch.tensor(
        [
            [[3.0, 2.5, 0.5, -4.0], [2.0, 4.0, -0.5, -3.0], [1.8, 1.2, -1.0, -2.5]],
            [[-3.0, 0.75, 2.0, 1.75], [-2.0, -0.5, 0.25, 1.0], [-4.0, -6.0, -1.25, 0.5]],
        ]
    )
    slips = {
        "The IoU is upside down: the smaller mask is the intersection.": [1.8, 4.0],
        "The larger mask is cut at 0 here; it is cut at −offset.": [0.714286, 0.333333],
        "The smaller mask is cut at 0 here; it is cut at +offset.": [0.777778, 0.75],
        "This is a share of all pixels; the union is the larger mask alone.": [0.416667, 0.166667],
        "Logits are cut, not probabilities: there is no sigmoid.": [0.0, 0.0],
        "This is the share of pixels that are sure, of inside or outside; it is the IoU of two masks.": [0.666667, 0.5],
        "All masks are counted together; each has a score of its own.": [0.411765, 0.411765],
        "This is dice; IoU has the union below the line.": [0.714286, 0.4],
    }
    shapes = {
        (): "One score for each mask: count along the last two axes.",
        (2, 4): "One score for each mask: count along the last two axes.",
        (2, 3): "One score for each mask: count along the last two axes.",
    }
    got = run(stability, logits, 1.5)
    compare(got, [0.555556, 0.25], what="stability(logits, 1.5)", between=(0.0, 1.0), slips=slips, shapes=shapes)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_five_masks(stability):
    import torch

    from minilib.grading.feedback import compare, follows_device, run, unchanged

    logits = 3 * torch.randn(5, 6, 7, generator=torch.Generator().manual_seed(6))
    before, right = logits.clone(), []
    for mask in logits:
        high, low = ({i for i, value in enumerate(mask.flatten().tolist()) if value > cut} for cut in (0.8, -0.8))
        right.append(len(high & low) / len(high | low))
    compare(run(stability, logits, 0.8), right, what="stability of five masks, offset 0.8")
    unchanged(before, logits, what="logits")
    follows_device(stability, logits, 0.8, what="stability")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q6"
# minilib.segmentation.selection.stability_score


# %% mutant="upside down" question="q6" says="The IoU is upside down"
def stability(logits, offset):
    return (logits > -offset).sum((-2, -1)) / (logits > offset).sum((-2, -1))


# %% mutant="strict mask and mask" question="q6" says="The larger mask is cut at 0"
def stability(logits, offset):
    return (logits > offset).sum((-2, -1)) / (logits > 0).sum((-2, -1))


# %% mutant="mask and loose mask" question="q6" says="The smaller mask is cut at 0"
def stability(logits, offset):
    return (logits > 0).sum((-2, -1)) / (logits > -offset).sum((-2, -1))


# %% mutant="share of the picture" question="q6" says="a share of all pixels"
def stability(logits, offset):
    return (logits > offset).float().mean((-2, -1))


# %% mutant="sigmoid" question="q6" says="there is no sigmoid"
def stability(logits, offset):
    return (logits.sigmoid() > offset).sum((-2, -1)) / (logits.sigmoid() > -offset).sum((-2, -1))


# %% mutant="sure pixels" question="q6" says="the share of pixels that are sure"
def stability(logits, offset):
    return (logits.abs() > offset).float().mean((-2, -1))


# %% mutant="all together" question="q6" says="All masks are counted together"
def stability(logits, offset):
    return ((logits > offset).sum() / (logits > -offset).sum()).expand(len(logits))


# %% mutant="dice" question="q6" says="This is dice"
def stability(logits, offset):
    smaller, larger = (logits > offset).sum((-2, -1)), (logits > -offset).sum((-2, -1))
    return 2 * smaller / (smaller + larger)


# %% mutant="one score" question="q6" says="One score for each mask"
def stability(logits, offset):
    return (logits > offset).sum() / (logits > -offset).sum()


# %% [raw]
# # END QUESTION

# %% [markdown]
# ## Done
#
# Save the notebook and hand in the `.ipynb` file itself. What comes next in the book: a thing that moves, and a model
# that remembers it.
