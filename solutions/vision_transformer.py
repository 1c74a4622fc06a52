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
# name: vision_transformer
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: the Vision Transformer
#
# Five questions on the chapter *The Vision Transformer*, from two lines of code to eight. Allow an hour.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - Pictures are `(b, c, h, w)`; patches are read line by line, from the top left corner.
# - torch is enough. `einops.rearrange` is allowed, and short; do the first question without it once.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "vision_transformer"
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

grader = otter.Notebook(tests_dir="tests")

# %% [raw]
# # BEGIN QUESTION
# name: q1

# %% [markdown]
# ## Question 1: cut a picture into patches
#
# A picture of `h` × `w` pixels becomes `(h / size) · (w / size)` patches, read line by line. Inside a patch the
# numbers are in the order **channel, row, column**, as in a convolution's kernel.
#
# Write `cut`, from `(b, c, h, w)` to `(b, n, c · size · size)`.
#
# <details><summary>Hint</summary>
#
# First a reshape cuts two axes into two each: `(b, c, h/size, size, w/size, size)`. Then `permute` brings the axes that
# belong to a patch together, in the right order, behind those that number the patches. Then `flatten`.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def cut(images, size):
    """Cuts pictures into patches.

    Args:
        images: shape (b, c, h, w).
        size: height and width of a patch, a Python int that divides h and w.
    Returns:
        Shape (b, n, c * size * size), n = (h // size) * (w // size).
    """
    # BEGIN SOLUTION
    b, c, h, w = images.shape
    split = images.reshape(b, c, h // size, size, w // size, size)
    return split.permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * size * size)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_channels_four_patches(cut):
    import torch

    from minilib.grading.feedback import compare, run

    images = torch.arange(32.0).reshape(1, 2, 4, 4)
    slips = {
        "reshape alone reads along the lines and cuts no squares: split rows and columns, then swap axes.": [
            [
                [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
                [8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0],
                [16.0, 17.0, 18.0, 19.0, 20.0, 21.0, 22.0, 23.0],
                [24.0, 25.0, 26.0, 27.0, 28.0, 29.0, 30.0, 31.0],
            ]
        ],
        "Inside a patch the order is row, column, channel here; it must be channel, row, column.": [
            [
                [0.0, 16.0, 1.0, 17.0, 4.0, 20.0, 5.0, 21.0],
                [2.0, 18.0, 3.0, 19.0, 6.0, 22.0, 7.0, 23.0],
                [8.0, 24.0, 9.0, 25.0, 12.0, 28.0, 13.0, 29.0],
                [10.0, 26.0, 11.0, 27.0, 14.0, 30.0, 15.0, 31.0],
            ]
        ],
        "The patches are read column by column; read them line by line.": [
            [
                [0.0, 1.0, 4.0, 5.0, 16.0, 17.0, 20.0, 21.0],
                [8.0, 9.0, 12.0, 13.0, 24.0, 25.0, 28.0, 29.0],
                [2.0, 3.0, 6.0, 7.0, 18.0, 19.0, 22.0, 23.0],
                [10.0, 11.0, 14.0, 15.0, 26.0, 27.0, 30.0, 31.0],
            ]
        ],
        "Inside a patch rows and columns have changed places.": [
            [
                [0.0, 4.0, 1.0, 5.0, 16.0, 20.0, 17.0, 21.0],
                [2.0, 6.0, 3.0, 7.0, 18.0, 22.0, 19.0, 23.0],
                [8.0, 12.0, 9.0, 13.0, 24.0, 28.0, 25.0, 29.0],
                [10.0, 14.0, 11.0, 15.0, 26.0, 30.0, 27.0, 31.0],
            ]
        ],
    }
    shapes = {
        (1, 2, 4, 4): "There must be one axis for the patches and one for the numbers inside: flatten twice.",
        (1, 2, 2, 8): "Rows and columns of patches are one axis: flatten them.",
    }
    compare(
        run(cut, images, 2),
        [
            [
                [0.0, 1.0, 4.0, 5.0, 16.0, 17.0, 20.0, 21.0],
                [2.0, 3.0, 6.0, 7.0, 18.0, 19.0, 22.0, 23.0],
                [8.0, 9.0, 12.0, 13.0, 24.0, 25.0, 28.0, 29.0],
                [10.0, 11.0, 14.0, 15.0, 26.0, 27.0, 30.0, 31.0],
            ]
        ],
        what="cut(images, 2)",
        slips=slips,
        shapes=shapes,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_wider_than_high(cut):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    images = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(3))
    right = [images[:, :, r : r + 4, c : c + 4].flatten(1) for r in (0, 4) for c in (0, 4, 8)]
    hints = {"invalid for input": "The picture is wider than high here: rows and columns of patches differ in number."}
    compare(run(cut, images, 4, hints=hints), torch.stack(right, dim=1), what="cut of a picture of 8 × 12, size 4")
    follows_device(cut, images, 4, what="cut")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.attention.vit.patchify
# minilib.attention.vit.PatchEmbedding


# %% mutant="reshape alone" question="q1" says="reshape alone reads along the lines"
def cut(images, size):
    b, c, h, w = images.shape
    return images.reshape(b, (h // size) * (w // size), c * size * size)


# %% mutant="channels last" question="q1" says="it must be channel, row, column"
def cut(images, size):
    b, c, h, w = images.shape
    split = images.reshape(b, c, h // size, size, w // size, size)
    return split.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, c * size * size)


# %% mutant="column by column" question="q1" says="read column by column"
def cut(images, size):
    b, c, h, w = images.shape
    split = images.reshape(b, c, h // size, size, w // size, size)
    return split.permute(0, 4, 2, 1, 3, 5).reshape(b, -1, c * size * size)


# %% mutant="transposed inside" question="q1" says="rows and columns have changed places"
def cut(images, size):
    b, c, h, w = images.shape
    split = images.reshape(b, c, h // size, size, w // size, size)
    return split.permute(0, 2, 4, 1, 5, 3).reshape(b, -1, c * size * size)


# %% mutant="squares only" question="q1" says="The picture is wider than high here"
def cut(images, size):
    b, c, h, _ = images.shape
    split = images.reshape(b, c, h // size, size, h // size, size)
    return split.permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * size * size)


# %% mutant="two axes of patches" question="q1" says="Rows and columns of patches are one axis"
def cut(images, size):
    b, c, h, w = images.shape
    split = images.reshape(b, c, h // size, size, w // size, size)
    return split.permute(0, 2, 4, 1, 3, 5).flatten(3)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: and together again
#
# A model that *draws* patches needs the way back. Write `join`, the inverse of `cut`: from `(b, n, c · size · size)`
# to `(b, c, h, w)`. The numbers alone do not say how many rows of patches there are, so that is an argument.
#
# <details><summary>Hint</summary>
#
# Do the steps of `cut` backwards. The number of channels follows from the last axis: let `reshape` find it (`-1`).
# Which permutation undoes `(0, 2, 4, 1, 3, 5)`? Axis $k$ of `x.permute(p)` is axis `p[k]` of `x`.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def join(patches, rows, columns, size):
    """Puts patches together again.

    Args:
        patches: shape (b, rows * columns, c * size * size).
        rows: number of rows of patches, a Python int.
        columns: number of patches in each row, a Python int.
        size: height and width of a patch, a Python int.
    Returns:
        Shape (b, c, rows * size, columns * size).
    """
    # BEGIN SOLUTION
    b = len(patches)
    split = patches.reshape(b, rows, columns, -1, size, size)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(b, -1, rows * size, columns * size)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_rows_of_three(join):
    import torch

    from minilib.grading.feedback import compare, run

    patches = torch.arange(48.0).reshape(1, 6, 8)
    slips = {
        "reshape alone lays each patch along a line: split, swap axes, then join.": [
            [
                [
                    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
                    [6.0, 7.0, 8.0, 9.0, 10.0, 11.0],
                    [12.0, 13.0, 14.0, 15.0, 16.0, 17.0],
                    [18.0, 19.0, 20.0, 21.0, 22.0, 23.0],
                ],
                [
                    [24.0, 25.0, 26.0, 27.0, 28.0, 29.0],
                    [30.0, 31.0, 32.0, 33.0, 34.0, 35.0],
                    [36.0, 37.0, 38.0, 39.0, 40.0, 41.0],
                    [42.0, 43.0, 44.0, 45.0, 46.0, 47.0],
                ],
            ]
        ],
        "Inside a patch rows and columns have changed places.": [
            [
                [
                    [0.0, 2.0, 8.0, 10.0, 16.0, 18.0],
                    [1.0, 3.0, 9.0, 11.0, 17.0, 19.0],
                    [24.0, 26.0, 32.0, 34.0, 40.0, 42.0],
                    [25.0, 27.0, 33.0, 35.0, 41.0, 43.0],
                ],
                [
                    [4.0, 6.0, 12.0, 14.0, 20.0, 22.0],
                    [5.0, 7.0, 13.0, 15.0, 21.0, 23.0],
                    [28.0, 30.0, 36.0, 38.0, 44.0, 46.0],
                    [29.0, 31.0, 37.0, 39.0, 45.0, 47.0],
                ],
            ]
        ],
        "A patch holds channel, row, column; you read row, column, channel.": [
            [
                [
                    [0.0, 2.0, 8.0, 10.0, 16.0, 18.0],
                    [4.0, 6.0, 12.0, 14.0, 20.0, 22.0],
                    [24.0, 26.0, 32.0, 34.0, 40.0, 42.0],
                    [28.0, 30.0, 36.0, 38.0, 44.0, 46.0],
                ],
                [
                    [1.0, 3.0, 9.0, 11.0, 17.0, 19.0],
                    [5.0, 7.0, 13.0, 15.0, 21.0, 23.0],
                    [25.0, 27.0, 33.0, 35.0, 41.0, 43.0],
                    [29.0, 31.0, 37.0, 39.0, 45.0, 47.0],
                ],
            ]
        ],
    }
    shapes = {(1, 2, 6, 4): "This is higher than wide: two rows of three patches are 4 pixels high and 6 wide."}
    compare(
        run(join, patches, 2, 3, 2),
        [
            [
                [
                    [0.0, 1.0, 8.0, 9.0, 16.0, 17.0],
                    [2.0, 3.0, 10.0, 11.0, 18.0, 19.0],
                    [24.0, 25.0, 32.0, 33.0, 40.0, 41.0],
                    [26.0, 27.0, 34.0, 35.0, 42.0, 43.0],
                ],
                [
                    [4.0, 5.0, 12.0, 13.0, 20.0, 21.0],
                    [6.0, 7.0, 14.0, 15.0, 22.0, 23.0],
                    [28.0, 29.0, 36.0, 37.0, 44.0, 45.0],
                    [30.0, 31.0, 38.0, 39.0, 46.0, 47.0],
                ],
            ]
        ],
        what="join(patches, 2, 3, 2)",
        slips=slips,
        shapes=shapes,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_three_channels(join):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    images = torch.randn(2, 3, 12, 8, generator=torch.Generator().manual_seed(4))
    pieces = [images[:, :, r : r + 4, c : c + 4].flatten(1) for r in (0, 4, 8) for c in (0, 4)]
    patches = torch.stack(pieces, dim=1)
    hints = {"invalid for input": "There are two pictures of three channels here."}
    compare(run(join, patches, 3, 2, 4, hints=hints), images, what="join(patches of two pictures, 3, 2, 4)")
    follows_device(join, patches, 3, 2, 4, what="join")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.attention.vit.unpatchify


# %% mutant="reshape alone" question="q2" says="reshape alone lays each patch along a line"
def join(patches, rows, columns, size):
    return patches.reshape(len(patches), -1, rows * size, columns * size)


# %% mutant="transposed inside" question="q2" says="rows and columns have changed places"
def join(patches, rows, columns, size):
    split = patches.reshape(len(patches), rows, columns, -1, size, size)
    return split.permute(0, 3, 1, 5, 2, 4).reshape(len(patches), -1, rows * size, columns * size)


# %% mutant="channels last" question="q2" says="you read row, column, channel"
def join(patches, rows, columns, size):
    split = patches.reshape(len(patches), rows, columns, size, size, -1)
    return split.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), -1, rows * size, columns * size)


# %% mutant="rows for columns" question="q2" says="This is higher than wide"
def join(patches, rows, columns, size):
    split = patches.reshape(len(patches), columns, rows, -1, size, size)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(len(patches), -1, columns * size, rows * size)


# %% mutant="two channels always" question="q2" says="There are two pictures of three channels here"
def join(patches, rows, columns, size):
    split = patches.reshape(len(patches), rows, columns, 2, size, size)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(len(patches), 2, rows * size, columns * size)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: the sentence
#
# $$z_0 = [\,x_\text{class};\; x_p^1E+b;\; \dots;\; x_p^NE+b\,] + E_\text{pos}
# \qquad \text{(Dosovitskiy et al. 2021, eq. 1, with a bias)}$$
#
# Each patch becomes a token by the linear layer $E$, $b$. The class token comes **first**. To every token, the class
# token too, one row of $E_\text{pos}$ is added. Write `sentence`.
#
# <details><summary>Hint</summary>
#
# There is one class token, but each picture of the batch needs it: `expand` repeats without copying. `torch.cat`
# joins along an axis; which one counts the tokens?
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def sentence(patches, weight, bias, class_token, positions):
    """What a Vision Transformer's first block sees.

    Args:
        patches: shape (b, n, p).
        weight: E, shape (p, d).
        bias: shape (d,).
        class_token: shape (d,).
        positions: shape (1 + n, d).
    Returns:
        Shape (b, 1 + n, d).
    """
    # BEGIN SOLUTION
    tokens = patches @ weight + bias
    first = class_token.expand(len(patches), 1, -1)
    return torch.cat([first, tokens], dim=1) + positions
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_pictures_of_two_patches(sentence):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    patches = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]], [[3.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    weight = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]])
    bias, class_token = torch.tensor([0.5, -0.5]), torch.tensor([9.0, 8.0])
    positions = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    before = positions.clone()
    got = run(sentence, patches, weight, bias, class_token, positions)
    unchanged(before, positions, what="positions")
    slips = {
        "The class token is the last here; it must be the first.": [
            [[7.6, 1.7], [0.8, 0.9], [9.5, 8.6]],
            [[3.6, 6.7], [3.8, -0.1], [9.5, 8.6]],
        ],
        "The first row of the positions belongs to the class token: add it there, too.": [
            [[9.0, 8.0], [7.8, 1.9], [1.0, 1.1]],
            [[9.0, 8.0], [3.8, 6.9], [4.0, 0.1]],
        ],
        "The first row of the positions is the class token's, so the patches' begin with the second.": [
            [[9.0, 8.0], [7.6, 1.7], [0.8, 0.9]],
            [[9.0, 8.0], [3.6, 6.7], [3.8, -0.1]],
        ],
        "The bias b is missing.": [[[9.1, 8.2], [7.3, 2.4], [0.5, 1.6]], [[9.1, 8.2], [3.3, 7.4], [3.5, 0.6]]],
        "The positions are missing.": [[[9.0, 8.0], [7.5, 1.5], [0.5, 0.5]], [[9.0, 8.0], [3.5, 6.5], [3.5, -0.5]]],
        "The class token is no patch: it does not pass through E and b.": [
            [[9.6, 7.7], [7.8, 1.9], [1.0, 1.1]],
            [[9.6, 7.7], [3.8, 6.9], [4.0, 0.1]],
        ],
    }
    shapes = {(2, 2, 2): "There must be one token more than patches: the class token."}
    compare(
        got,
        [[[9.1, 8.2], [7.8, 1.9], [1.0, 1.1]], [[9.1, 8.2], [3.8, 6.9], [4.0, 0.1]]],
        what="sentence(...)",
        slips=slips,
        shapes=shapes,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_more_patches(sentence):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(6)
    patches, weight = torch.randn(3, 5, 12, generator=generator), torch.randn(12, 8, generator=generator)
    bias, first = torch.randn(2, 8, generator=generator)
    positions = torch.randn(6, 8, generator=generator)
    right = torch.empty(3, 6, 8)
    right[:, 0] = first + positions[0]
    for place in range(5):
        right[:, place + 1] = torch.einsum("bp,pd->bd", patches[:, place], weight) + bias + positions[place + 1]
    hints = {"Sizes of tensors must match": "Each of the three pictures needs the class token: expand it to the batch."}
    arguments = (patches, weight, bias, first, positions)
    compare(run(sentence, *arguments, hints=hints), right, what="sentence of 3 pictures", rtol=1e-3, atol=1e-5)
    follows_device(sentence, *arguments, what="sentence")


# %% [raw]
# # END TESTS


# %% [raw] withheld="q3"
# minilib.attention.vit.ViT


# %% mutant="class token last" question="q3" says="it must be the first"
def sentence(patches, weight, bias, class_token, positions):
    first = class_token.expand(len(patches), 1, -1)
    return torch.cat([patches @ weight + bias, first], dim=1) + positions


# %% mutant="class token without a place" question="q3" says="belongs to the class token"
def sentence(patches, weight, bias, class_token, positions):
    first = class_token.expand(len(patches), 1, -1)
    return torch.cat([first, patches @ weight + bias + positions[1:]], dim=1)


# %% mutant="positions off by one" question="q3" says="the patches' begin with the second"
def sentence(patches, weight, bias, class_token, positions):
    first = class_token.expand(len(patches), 1, -1)
    return torch.cat([first, patches @ weight + bias + positions[:-1]], dim=1)


# %% mutant="no bias" question="q3" says="The bias b is missing"
def sentence(patches, weight, bias, class_token, positions):
    first = class_token.expand(len(patches), 1, -1)
    return torch.cat([first, patches @ weight], dim=1) + positions


# %% mutant="no positions" question="q3" says="The positions are missing"
def sentence(patches, weight, bias, class_token, positions):
    first = class_token.expand(len(patches), 1, -1)
    return torch.cat([first, patches @ weight + bias], dim=1)


# %% mutant="bias for the class token" question="q3" says="it does not pass through E and b"
def sentence(patches, weight, bias, class_token, positions):
    first = class_token.expand(len(patches), 1, -1)
    return torch.cat([first, patches @ weight], dim=1) + bias + positions


# %% mutant="no class token" question="q3" says="one token more than patches"
def sentence(patches, weight, bias, class_token, positions):
    return patches @ weight + bias + positions[1:]


# %% mutant="two pictures always" question="q3" says="expand it to the batch"
def sentence(patches, weight, bias, class_token, positions):
    return torch.cat([class_token.expand(2, 1, -1), patches @ weight + bias], dim=1) + positions


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: larger pictures
#
# A model trained with `rows × columns` patches is to see a picture with more. All its layers can, but there are too
# few positions. They lie on a grid like pixels, so they are resized like a picture: **bicubic**, with
# `align_corners=False`. The class token's vector, the first, lies nowhere and stays as it is.
#
# Write `resize`, from `(1 + rows · columns, d)` to `(1 + new_rows · new_columns, d)`.
#
# <details><summary>Hint</summary>
#
# `F.interpolate` wants `(batch, channels, height, width)`. The vectors' entries are the channels: which axis of
# `(rows · columns, d)` must come first before you cut the other one in two? And on the way back?
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
import torch.nn.functional as F


def resize(positions, old, new):
    """Learned positions for another grid of patches.

    Args:
        positions: shape (1 + rows * columns, d), the class token's first.
        old: (rows, columns), two Python ints.
        new: (new_rows, new_columns), two Python ints.
    Returns:
        Shape (1 + new_rows * new_columns, d).
    """
    # BEGIN SOLUTION
    picture = positions[1:].T.reshape(1, -1, *old)
    larger = F.interpolate(picture, size=new, mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], larger[0].flatten(1).T])
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_by_three_becomes_three_by_four(resize):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    places = torch.tensor([[0.0, 1.0], [2.0, 0.0], [5.0, 3.0], [1.0, 4.0], [0.0, 7.0], [6.0, 2.0]])
    positions = torch.cat([torch.tensor([[50.0, -50.0]]), places])
    before = positions.clone()
    got = run(resize, positions, (2, 3), (3, 4))
    unchanged(before, positions, what="positions")
    slips = {
        "reshape(1, d, rows, columns) mixes places and channels: transpose first.": [
            [50.0, -50.0],
            [-0.04685, 0.23891],
            [0.27907, 3.05967],
            [1.17869, 2.75272],
            [2.00366, -0.46072],
            [-0.21533, 3.92822],
            [1.97388, 5.0791],
            [3.14941, 3.66846],
            [2.46411, 0.71289],
            [-0.38381, 7.61753],
            [3.66868, 7.09854],
            [5.12014, 4.58419],
            [2.92456, 1.8865],
        ],
        "On the way back, places come first: transpose again after flattening.": [
            [50.0, -50.0],
            [-0.24905, 1.05809],
            [3.40916, 5.10984],
            [0.46411, 0.32544],
            [2.67651, 5.823],
            [1.17727, -0.40721],
            [1.94387, 6.53616],
            [0.83628, -0.52805],
            [0.57565, 3.35198],
            [2.42822, 3.24951],
            [3.24951, 2.42822],
            [4.02016, 7.02707],
            [5.92337, 1.50446],
        ],
        "Corners are aligned here: pass align_corners=False.": [
            [50.0, -50.0],
            [0.0, 1.0],
            [1.03704, -0.01852],
            [3.16667, 0.83333],
            [5.0, 3.0],
            [0.5, 2.5],
            [0.34259, 3.2963],
            [2.47222, 3.2963],
            [5.5, 2.5],
            [1.0, 4.0],
            [-0.35185, 6.61111],
            [1.77778, 5.75926],
            [6.0, 2.0],
        ],
        "That is bilinear; the mode is bicubic.": [
            [50.0, -50.0],
            [0.0, 1.0],
            [1.25, 0.375],
            [3.125, 1.125],
            [5.0, 3.0],
            [0.5, 2.5],
            [0.8125, 3.125],
            [2.6875, 3.125],
            [5.5, 2.5],
            [1.0, 4.0],
            [0.375, 5.875],
            [2.25, 5.125],
            [6.0, 2.0],
        ],
        "You resized along the sentence, as if the last patch of a line lay beside the first of the next.": [
            [50.0, -50.0],
            [0.0, 1.0],
            [0.5, 0.75],
            [1.5, 0.25],
            [2.75, 0.75],
            [4.25, 2.25],
            [4.0, 3.25],
            [2.0, 3.75],
            [0.75, 4.75],
            [0.25, 6.25],
            [1.5, 5.75],
            [4.5, 3.25],
            [6.0, 2.0],
        ],
        "Rows and columns of the old grid have changed places.": [
            [50.0, -50.0],
            [-0.21094, 1.10547],
            [0.45312, 0.77344],
            [1.54688, 0.22656],
            [2.21094, -0.10547],
            [5.42188, 2.89453],
            [4.09375, 3.22656],
            [1.90625, 3.77344],
            [0.57812, 4.10547],
            [-0.63281, 7.52734],
            [1.35938, 5.86719],
            [4.64062, 3.13281],
            [6.63281, 1.47266],
        ],
    }
    shapes = {
        (12, 2): "The class token's vector is missing; it stays as it is, in front.",
        (13, 2, 1): "One axis too many.",
    }
    compare(
        got,
        [
            [50.0, -50.0],
            [-0.24905, 0.83628],
            [1.05809, -0.52805],
            [3.40916, 0.57565],
            [5.10984, 3.35198],
            [0.46411, 2.42822],
            [0.32544, 3.24951],
            [2.67651, 3.24951],
            [5.823, 2.42822],
            [1.17727, 4.02016],
            [-0.40721, 7.02707],
            [1.94387, 5.92337],
            [6.53616, 1.50446],
        ],
        what="resize(positions, (2, 3), (3, 4))",
        slips=slips,
        shapes=shapes,
        rtol=1e-3,
        atol=1e-3,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_eight_by_eight(resize):
    import torch
    import torch.nn.functional as F

    from minilib.grading.feedback import compare, follows_device, run

    positions = torch.randn(65, 6, generator=torch.Generator().manual_seed(8))
    channels = [
        F.interpolate(positions[1:, k].reshape(1, 1, 8, 8), size=(12, 10), mode="bicubic").flatten() for k in range(6)
    ]
    right = torch.cat([positions[:1], torch.stack(channels, dim=1)])
    got = run(resize, positions, (8, 8), (12, 10))
    compare(got, right, what="resize from 8 × 8 to 12 × 10", rtol=1e-3, atol=1e-4)
    follows_device(resize, positions, (8, 8), (12, 10), what="resize")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.attention.positions.resized_positions


# %% mutant="reshape without transpose" question="q4" says="mixes places and channels"
def resize(positions, old, new):
    picture = positions[1:].reshape(1, -1, *old)
    larger = F.interpolate(picture, size=new, mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], larger[0].flatten(1).T])


# %% mutant="no transpose back" question="q4" says="transpose again after flattening"
def resize(positions, old, new):
    picture = positions[1:].T.reshape(1, -1, *old)
    larger = F.interpolate(picture, size=new, mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], larger.reshape(-1, positions.shape[1])])


# %% mutant="aligned corners" question="q4" says="pass align_corners=False"
def resize(positions, old, new):
    picture = positions[1:].T.reshape(1, -1, *old)
    larger = F.interpolate(picture, size=new, mode="bicubic", align_corners=True)
    return torch.cat([positions[:1], larger[0].flatten(1).T])


# %% mutant="bilinear" question="q4" says="the mode is bicubic"
def resize(positions, old, new):
    picture = positions[1:].T.reshape(1, -1, *old)
    larger = F.interpolate(picture, size=new, mode="bilinear", align_corners=False)
    return torch.cat([positions[:1], larger[0].flatten(1).T])


# %% mutant="along the sentence" question="q4" says="You resized along the sentence"
def resize(positions, old, new):
    line = positions[1:].T[None]
    longer = F.interpolate(line, size=new[0] * new[1], mode="linear", align_corners=False)
    return torch.cat([positions[:1], longer[0].T])


# %% mutant="rows for columns" question="q4" says="Rows and columns of the old grid"
def resize(positions, old, new):
    picture = positions[1:].T.reshape(1, -1, *old[::-1])
    larger = F.interpolate(picture, size=new, mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], larger[0].flatten(1).T])


# %% mutant="class token lost" question="q4" says="The class token's vector is missing"
def resize(positions, old, new):
    picture = positions[1:].T.reshape(1, -1, *old)
    larger = F.interpolate(picture, size=new, mode="bicubic", align_corners=False)
    return larger[0].flatten(1).T


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: follow attention through all layers
#
# Rollout (Abnar & Zuidema 2020), with heads joined by their **maximum**: for each layer
#
# $$\tilde A = \tfrac12\big(\max_h A_h + I\big), \quad \text{then every row divided by its sum},$$
#
# and $R=\tilde A_L\cdots\tilde A_2\tilde A_1$, the **first** layer at the right, because it acts on the input first.
# Row $i$ of $R$ says what share of each input token is in output token $i$. Write `follow`.
#
# <details><summary>Hint</summary>
#
# Start with the identity and multiply from the left, layer by layer. Look at the row sums of what you return: what
# must they be?
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def follow(layers):
    """Attention rollout with the maximum over heads.

    Args:
        layers: a list of weights, each of shape (heads, n, n), the first layer first.
    Returns:
        Shape (n, n); rows sum to 1.
    """
    # BEGIN SOLUTION
    own = torch.eye(layers[0].shape[-1], device=layers[0].device)
    joint = own
    for weights in layers:
        mixed = (weights.amax(0) + own) / 2
        joint = mixed / mixed.sum(-1, keepdim=True) @ joint
    return joint
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_layers_of_two_heads(follow):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    first = [[[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]], [[0.1, 0.1, 0.8], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]]
    second = [[[0.2, 0.8, 0.0], [0.4, 0.2, 0.4], [0.0, 0.1, 0.9]], [[0.3, 0.3, 0.4], [0.9, 0.1, 0.0], [0.2, 0.5, 0.3]]]
    layers = [torch.tensor(first), torch.tensor(second)]
    before = layers[0].clone()
    got = run(follow, layers)
    unchanged(before, layers[0], what="layers[0]")
    slips = {
        "The identity is missing: half of each token is what it was.": [
            [0.3395, 0.31877, 0.34174],
            [0.36134, 0.1944, 0.44426],
            [0.3037, 0.28926, 0.40704],
        ],
        "The rows are not normalised: they must sum to 1.": [
            [0.6825, 0.415, 0.48],
            [0.5625, 0.555, 0.43],
            [0.29, 0.3525, 0.8375],
        ],
        "Without keepdim=True the sums are laid along the columns: look at the row sums.": [
            [0.40376, 0.2759, 0.34462],
            [0.33265, 0.36923, 0.30825],
            [0.1686, 0.23135, 0.58783],
        ],
        "The layers are multiplied in the wrong order: the first one acts first, so it stands at the right.": [
            [0.37687, 0.29402, 0.32912],
            [0.35795, 0.41071, 0.23135],
            [0.17594, 0.24895, 0.5751],
        ],
        "That is the mean over the heads; the question asks for the maximum.": [
            [0.49125, 0.25531, 0.25344],
            [0.32625, 0.44656, 0.22719],
            [0.1575, 0.21062, 0.63188],
        ],
        "You normalised the columns; rows belong to the tokens that ask.": [
            [0.45011, 0.31656, 0.28384],
            [0.36878, 0.42259, 0.25224],
            [0.18111, 0.26085, 0.46392],
        ],
        "Only the last layer is in this: multiply by what came before.": [
            [0.52, 0.32, 0.16],
            [0.36, 0.48, 0.16],
            [0.07692, 0.19231, 0.73077],
        ],
    }
    shapes = {(2, 3, 3): "The heads are still there: take their maximum."}
    compare(
        got,
        [[0.41589, 0.27367, 0.31044], [0.34848, 0.36848, 0.28303], [0.18815, 0.23355, 0.5783]],
        what="follow(layers)",
        slips=slips,
        shapes=shapes,
        rtol=1e-3,
        atol=1e-5,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_four_layers(follow):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(9)
    layers = [torch.softmax(2 * torch.randn(3, 6, 6, generator=generator), dim=-1) for _ in range(4)]
    right = torch.eye(6)
    for weights in layers:
        mixed = torch.stack([weights[:, i].max(0).values for i in range(6)]) + torch.eye(6)
        right = torch.einsum("ij,jk->ik", mixed / mixed.sum(1)[:, None], right)
    compare(run(follow, layers), right, what="follow of four layers", rtol=1e-3, atol=1e-6)
    follows_device(lambda *tensors: follow(list(tensors)), *layers, what="follow")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.attention.maps.rollout


# %% mutant="no identity" question="q5" says="The identity is missing"
def follow(layers):
    joint = torch.eye(layers[0].shape[-1])
    for weights in layers:
        mixed = weights.amax(0)
        joint = mixed / mixed.sum(-1, keepdim=True) @ joint
    return joint


# %% mutant="not normalised" question="q5" says="The rows are not normalised"
def follow(layers):
    joint = own = torch.eye(layers[0].shape[-1])
    for weights in layers:
        joint = (weights.amax(0) + own) / 2 @ joint
    return joint


# %% mutant="no keepdim" question="q5" says="Without keepdim=True"
def follow(layers):
    joint = own = torch.eye(layers[0].shape[-1])
    for weights in layers:
        mixed = (weights.amax(0) + own) / 2
        joint = mixed / mixed.sum(-1) @ joint
    return joint


# %% mutant="wrong order" question="q5" says="in the wrong order"
def follow(layers):
    joint = own = torch.eye(layers[0].shape[-1])
    for weights in layers:
        mixed = (weights.amax(0) + own) / 2
        joint = joint @ (mixed / mixed.sum(-1, keepdim=True))
    return joint


# %% mutant="mean over heads" question="q5" says="the question asks for the maximum"
def follow(layers):
    joint = own = torch.eye(layers[0].shape[-1])
    for weights in layers:
        joint = (weights.mean(0) + own) / 2 @ joint
    return joint


# %% mutant="columns normalised" question="q5" says="You normalised the columns"
def follow(layers):
    joint = own = torch.eye(layers[0].shape[-1])
    for weights in layers:
        mixed = (weights.amax(0) + own) / 2
        joint = mixed / mixed.sum(0, keepdim=True) @ joint
    return joint


# %% mutant="last layer alone" question="q5" says="Only the last layer is in this"
def follow(layers):
    mixed = (layers[-1].amax(0) + torch.eye(layers[0].shape[-1])) / 2
    return mixed / mixed.sum(-1, keepdim=True)


# %% mutant="heads kept" question="q5" says="The heads are still there"
def follow(layers):
    joint = own = torch.eye(layers[0].shape[-1])
    for weights in layers:
        joint = (weights + own) / 2 @ joint
    return joint


# %% [raw]
# # END QUESTION

# %% [markdown]
# ## Done
#
# Save the notebook and hand in the `.ipynb` file itself. What comes next in the book: a second tower, which reads
# words.
