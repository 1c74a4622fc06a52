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
# name: view_conditioned_diffusion
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: view-conditioned diffusion
#
# Five questions, from one line of code to six, on the chapter *The sides that nobody photographed*. Allow an hour.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - Pictures are `(3, h, w)`, in [−1, 1]. Camera axes are OpenCV's: $x$ right, $y$ down, $z$ forward. World $z$ is up.
#   Places in a picture are $(u, v)$ in shares of its width and height: $(0, 0)$ is its upper left corner.
# - torch is enough. New tensors go to the device and dtype of the arguments: hidden checks look.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "view_conditioned_diffusion"
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
# ## Question 1: four numbers for a camera
#
# Zero-1-to-3 (Liu et al. 2023) is told where the other camera stands in four numbers, from where the first one stands
# (subscript 0, `first`) to where it should go:
#
# $$[\,\theta-\theta_0,\ \sin(\varphi-\varphi_0),\ \cos(\varphi-\varphi_0),\ r-r_0\,]$$
#
# with $\theta$ the angle from the $z$ axis, $\varphi$ the azimuth (from $+x$ towards $+y$) and $r$ the distance, all
# from the origin, in radians and world units. Write `four_numbers`.
#
# <details><summary>Hint</summary>
#
# `torch.atan2(y, x)` has its arguments in this order.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def four_numbers(positions, first):
    """Where cameras stand, as Zero-1-to-3 is told.

    Args:
        positions: of cameras, shape (n, 3).
        first: position of the input view's camera, shape (3,).
    Returns:
        Shape (n, 4).
    """
    # BEGIN SOLUTION
    (theta, phi, r), (theta0, phi0, r0) = (
        (torch.acos(p[..., 2] / p.norm(dim=-1)), torch.atan2(p[..., 1], p[..., 0]), p.norm(dim=-1))
        for p in (positions, first)
    )
    turn = phi - phi0
    return torch.stack([theta - theta0, turn.sin(), turn.cos(), r - r0], dim=-1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_four_cameras(four_numbers):
    import torch

    from minilib.grading.feedback import compare, run

    positions = torch.tensor([[2.0, 1.0, 0.5], [-1.0, 2.0, 1.5], [0.5, -2.5, 0.25], [-2.0, -1.0, 2.0]])
    first = torch.tensor([2.5, 0.5, 1.0])
    right = [
        [0.1538, 0.26312, 0.96476, -0.44732],
        [-0.21708, 0.96476, -0.26312, -0.04603052],
        [0.27605, -1.0, -4e-08, -0.17688],
        [-0.35594, -0.26312, -0.96476, 0.26139],
    ]
    compare(
        run(four_numbers, positions, first),
        right,
        what="four_numbers(positions, first)",
        dtype=torch.float32,
        shapes={(4, 3): "The turn is told as two numbers, its sine and its cosine."},
        slips={
            "The first column has the wrong sign: it is θ − θ₀, with angles from the z axis, not from the horizon.": [
                [-0.1538, 0.26312, 0.96476, -0.44732],
                [0.21708, 0.96476, -0.26312, -0.04603052],
                [-0.27605, -1.0, -4e-08, -0.17688],
                [0.35594, -0.26312, -0.96476, 0.26139],
            ],
            "These are the numbers of the way back, from the other camera to the first.": [
                [-0.1538, -0.26312, 0.96476, 0.44732],
                [0.21708, -0.96476, -0.26312, 0.04603052],
                [-0.27605, 1.0, -4e-08, 0.17688],
                [0.35594, 0.26312, -0.96476, -0.26139],
            ],
            "Angles are radians, not degrees.": [
                [8.81233, 0.26312, 0.96476, -0.44732],
                [-12.43781, 0.96476, -0.26312, -0.04603052],
                [15.8163, -1.0, -4e-08, -0.17688],
                [-20.39361, -0.26312, -0.96476, 0.26139],
            ],
            "Sine and cosine have changed places.": [
                [0.1538, 0.96476, 0.26312, -0.44732],
                [-0.21708, -0.26312, 0.96476, -0.04603052],
                [0.27605, -4e-08, -1.0, -0.17688],
                [-0.35594, -0.96476, -0.26312, 0.26139],
            ],
            "Nothing was subtracted: these numbers say where the cameras stand, not how they stand to the first.": [
                [1.35081, 0.44721, 0.89443, 2.29129],
                [0.97992, 0.89443, -0.44721, 2.69258],
                [1.47305, -0.98058, 0.19612, 2.56174],
                [0.84107, -0.44721, -0.89443, 3.0],
            ],
            "The azimuth turns the wrong way: it is φ − φ₀, and torch.atan2 takes y first.": [
                [0.1538, -0.26312, 0.96476, -0.44732],
                [-0.21708, -0.96476, -0.26312, -0.04603052],
                [0.27605, 1.0, -4e-08, -0.17688],
                [-0.35594, 0.26312, -0.96476, 0.26139],
            ],
            "The sine of a difference is not the difference of the sines.": [
                [0.1538, 0.2511, -0.08615, -0.44732],
                [-0.21708, 0.69831, -1.42779, -0.04603052],
                [0.27605, -1.1767, -0.78446, -0.17688],
                [-0.35594, -0.64333, -1.87501, 0.26139],
            ],
            "The last number is how much farther away a camera is, not how far the two are apart.": [
                [0.1538, 0.26312, 0.96476, 0.86603],
                [-0.21708, 0.96476, -0.26312, 3.84057],
                [0.27605, -1.0, -4e-08, 3.68273],
                [-0.35594, -0.26312, -0.96476, 4.84768],
            ],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_turns_past_half_a_circle(four_numbers):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(1)
    spheres = torch.rand(7, 3, generator=generator, dtype=torch.float64)
    theta, phi, r = 0.3 + 2.5 * spheres[:, 0], 2 * math.pi * spheres[:, 1] - math.pi, 1 + spheres[:, 2]
    ring = torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], dim=1) * r[:, None]
    right = [
        [theta[i] - theta[0], math.sin(phi[i] - phi[0]), math.cos(phi[i] - phi[0]), r[i] - r[0]] for i in range(1, 7)
    ]
    got = run(four_numbers, ring[1:], ring[0])
    compare(got, torch.tensor(right, dtype=torch.float64), what="four_numbers of six other cameras")
    follows_device(four_numbers, ring[1:], ring[0], what="four_numbers")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.views.relative.spherical_offset
# minilib.views.relative._spherical


# %% mutant="elevation" question="q1" says="not from the horizon"
def four_numbers(positions, first):
    height = [torch.asin(p[..., 2] / p.norm(dim=-1)) for p in (positions, first)]
    turn = torch.atan2(positions[:, 1], positions[:, 0]) - torch.atan2(first[1], first[0])
    return torch.stack([height[0] - height[1], turn.sin(), turn.cos(), positions.norm(dim=1) - first.norm()], dim=1)


# %% mutant="way back" question="q1" says="the numbers of the way back"
def four_numbers(positions, first):
    height = [torch.acos(p[..., 2] / p.norm(dim=-1)) for p in (positions, first)]
    turn = torch.atan2(first[1], first[0]) - torch.atan2(positions[:, 1], positions[:, 0])
    return torch.stack([height[1] - height[0], turn.sin(), turn.cos(), first.norm() - positions.norm(dim=1)], dim=1)


# %% mutant="degrees" question="q1" says="not degrees"
def four_numbers(positions, first):
    height = [torch.rad2deg(torch.acos(p[..., 2] / p.norm(dim=-1))) for p in (positions, first)]
    turn = torch.atan2(positions[:, 1], positions[:, 0]) - torch.atan2(first[1], first[0])
    return torch.stack([height[0] - height[1], turn.sin(), turn.cos(), positions.norm(dim=1) - first.norm()], dim=1)


# %% mutant="cosine first" question="q1" says="have changed places"
def four_numbers(positions, first):
    height = [torch.acos(p[..., 2] / p.norm(dim=-1)) for p in (positions, first)]
    turn = torch.atan2(positions[:, 1], positions[:, 0]) - torch.atan2(first[1], first[0])
    return torch.stack([height[0] - height[1], turn.cos(), turn.sin(), positions.norm(dim=1) - first.norm()], dim=1)


# %% mutant="absolute" question="q1" says="Nothing was subtracted"
def four_numbers(positions, first):
    phi = torch.atan2(positions[:, 1], positions[:, 0])
    r = positions.norm(dim=1)
    return torch.stack([torch.acos(positions[:, 2] / r), phi.sin(), phi.cos(), r], dim=1)


# %% mutant="x before y" question="q1" says="takes y first"
def four_numbers(positions, first):
    height = [torch.acos(p[..., 2] / p.norm(dim=-1)) for p in (positions, first)]
    turn = torch.atan2(positions[:, 0], positions[:, 1]) - torch.atan2(first[0], first[1])
    return torch.stack([height[0] - height[1], turn.sin(), turn.cos(), positions.norm(dim=1) - first.norm()], dim=1)


# %% mutant="difference of sines" question="q1" says="not the difference of the sines"
def four_numbers(positions, first):
    height = [torch.acos(p[..., 2] / p.norm(dim=-1)) for p in (positions, first)]
    phi, phi0 = torch.atan2(positions[:, 1], positions[:, 0]), torch.atan2(first[1], first[0])
    r = positions.norm(dim=1) - first.norm()
    return torch.stack([height[0] - height[1], phi.sin() - phi0.sin(), phi.cos() - phi0.cos(), r], dim=1)


# %% mutant="apart" question="q1" says="how far the two are apart"
def four_numbers(positions, first):
    height = [torch.acos(p[..., 2] / p.norm(dim=-1)) for p in (positions, first)]
    turn = torch.atan2(positions[:, 1], positions[:, 0]) - torch.atan2(first[1], first[0])
    return torch.stack([height[0] - height[1], turn.sin(), turn.cos(), (positions - first).norm(dim=1)], dim=1)


# %% mutant="angle itself" question="q1" says="its sine and its cosine"
def four_numbers(positions, first):
    height = [torch.acos(p[..., 2] / p.norm(dim=-1)) for p in (positions, first)]
    turn = torch.atan2(positions[:, 1], positions[:, 0]) - torch.atan2(first[1], first[0])
    return torch.stack([height[0] - height[1], turn, positions.norm(dim=1) - first.norm()], dim=1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: lift a picture
#
# What does a view say about points of space? Project each point, and take the feature of the pixel that shows it:
# pixel $(i, j)$ of a map of $h\times w$ reaches from $i/h$ to $(i+1)/h$ in $v$ and from $j/w$ to $(j+1)/w$ in $u$. A
# point beside the picture or behind the camera gets zeros. (The library takes the mean of the four nearest pixels;
# here the one pixel is enough.)
#
# Write `lifted`. With $R$ the rotation and $o$ the last column of `camera_to_world`, and intrinsics $[[f_x, 0, c_x],
# [0, f_y, c_y], [0, 0, 1]]$: $p=R^\top(p_\text{world}-o)$, $u=f_x x/z+c_x$, $v=f_y y/z+c_y$.
#
# <details><summary>Hint</summary>
#
# `features[:, rows, columns]` with `rows` and `columns` of shape (n,) has the shape (c, n). Indices must be inside
# even for points that will get zeros: `clamp` them, and mask afterwards. A depth may be 0: a division by it is no
# error in torch, and such a point is masked anyway.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def lifted(features, points, camera_to_world, intrinsics):
    """What a view says about points.

    Args:
        features: of the view, shape (c, h, w).
        points: in the world, shape (n, 3).
        camera_to_world: of the view, shape (4, 4).
        intrinsics: in shares of the picture, shape (3, 3).
    Returns:
        Shape (n, c), 0 for points that the view does not show.
    """
    # BEGIN SOLUTION
    height, width = features.shape[1:]
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    inside = ((uv >= 0) & (uv < 1)).all(dim=1) & (local[:, 2] > 0)
    columns = (uv[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (uv[:, 1] * height).floor().long().clamp(0, height - 1)
    return torch.where(inside[:, None], features[:, rows, columns].T, 0.0)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_ten_points(lifted):
    import torch

    from minilib.grading.feedback import compare, run

    features = torch.arange(1.0, 13.0).reshape(2, 2, 3)
    pose = torch.tensor([[0.6, 0.0, -0.8, 2.0], [0.8, 0.0, 0.6, -1.0], [0.0, -1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0]])
    lens = torch.tensor([[1.5, 0.0, 0.5], [0.0, 1.25, 0.375], [0.0, 0.0, 1.0]])
    points = torch.tensor(
        [
            [0.08, -0.227, 0.94],
            [0.36, 0.147, -0.1],
            [1.04, 0.22, 0.59],
            [2.88, -1.493, 0.68],
            [0.96, 0.947, 0.46],
            [-0.28, 0.96, -0.88],
            [1.24, -0.347, 0.48],
            [-0.28, 0.127, -0.55],
            [-0.01, -0.97, 2.0],
            [-0.08, -0.44, 0.46],
        ]
    )
    right = [
        [1.0, 7.0],
        [5.0, 11.0],
        [3.0, 9.0],
        [0.0, 0.0],
        [0.0, 0.0],
        [5.0, 11.0],
        [2.0, 8.0],
        [4.0, 10.0],
        [0.0, 0.0],
        [0.0, 0.0],
    ]
    compare(
        run(lifted, features, points, pose, lens),
        right,
        what="lifted(features, points, camera_to_world, intrinsics)",
        dtype=torch.float32,
        shapes={(2, 10): "One row for each point: features[:, rows, columns] has to be turned."},
        slips={
            "Points of the world went through camera_to_world; that is the way back.": [
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [6.0, 12.0],
                [0.0, 0.0],
            ],
            "v grows upwards here; in OpenCV's axes y points down.": [
                [4.0, 10.0],
                [2.0, 8.0],
                [3.0, 9.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [2.0, 8.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
            "Rounding goes to the nearest edge of a pixel; a pixel reaches from j/w to (j + 1)/w.": [
                [1.0, 7.0],
                [5.0, 11.0],
                [6.0, 12.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [6.0, 12.0],
                [6.0, 12.0],
                [5.0, 11.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
            "u counts columns and v counts rows: the map is asked as [:, row, column].": [
                [1.0, 7.0],
                [3.0, 9.0],
                [4.0, 10.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [6.0, 12.0],
                [5.0, 11.0],
                [3.0, 9.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
            "A point behind the camera is not seen, though its division lands in the picture.": [
                [1.0, 7.0],
                [5.0, 11.0],
                [3.0, 9.0],
                [4.0, 10.0],
                [0.0, 0.0],
                [5.0, 11.0],
                [2.0, 8.0],
                [4.0, 10.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
            "int and long cut towards 0, so −0.3 becomes pixel 0: floor first, or look at u and v.": [
                [1.0, 7.0],
                [5.0, 11.0],
                [3.0, 9.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [5.0, 11.0],
                [2.0, 8.0],
                [4.0, 10.0],
                [0.0, 0.0],
                [1.0, 7.0],
            ],
            "A point beside the picture gets zeros, not what the pixel at the edge shows.": [
                [1.0, 7.0],
                [5.0, 11.0],
                [3.0, 9.0],
                [0.0, 0.0],
                [3.0, 9.0],
                [5.0, 11.0],
                [2.0, 8.0],
                [4.0, 10.0],
                [1.0, 7.0],
                [1.0, 7.0],
            ],
            "Pixels are counted up to w − 1 here: u = 1 is the outer edge of the last pixel, not its middle.": [
                [1.0, 7.0],
                [1.0, 7.0],
                [2.0, 8.0],
                [0.0, 0.0],
                [0.0, 0.0],
                [2.0, 8.0],
                [2.0, 8.0],
                [1.0, 7.0],
                [0.0, 0.0],
                [0.0, 0.0],
            ],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_views(lifted):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(3)
    for height, width in ((4, 7), (9, 3)):
        features = torch.randn(3, height, width, generator=generator)
        rotation = torch.linalg.qr(torch.randn(3, 3, generator=generator))[0]
        rotation = rotation * torch.linalg.det(rotation).sign()
        pose = torch.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation, torch.randn(3, generator=generator)
        lens = torch.tensor([[1.2, 0.0, 0.45], [0.0, 1.6, 0.55], [0.0, 0.0, 1.0]])
        local = torch.rand(60, 3, generator=generator) * torch.tensor([2.0, 2.0, 4.0]) - torch.tensor([1.0, 1.0, 1.0])
        right = torch.zeros(60, 3)
        for row, (x, y, z) in enumerate(local.tolist()):
            u, v = 1.2 * x / z + 0.45, 1.6 * y / z + 0.55
            if z > 0 and 0 <= u < 1 and 0 <= v < 1:
                right[row] = features[:, int(v * height), int(u * width)]
        points = local @ rotation.T + pose[:3, 3]
        compare(run(lifted, features, points, pose, lens), right, what=f"lifted from a map of {height} x {width}")
    follows_device(lifted, features, points, pose, lens, what="lifted")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.views.volume.lift


# %% mutant="way back" question="q2" says="that is the way back"
def lifted(features, points, camera_to_world, intrinsics):
    height, width = features.shape[1:]
    local = points @ camera_to_world[:3, :3].T + camera_to_world[:3, 3]
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    inside = ((uv >= 0) & (uv < 1)).all(dim=1) & (local[:, 2] > 0)
    columns = (uv[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (uv[:, 1] * height).floor().long().clamp(0, height - 1)
    return torch.where(inside[:, None], features[:, rows, columns].T, 0.0)


# %% mutant="y up" question="q2" says="y points down"
def lifted(features, points, camera_to_world, intrinsics):
    height, width = features.shape[1:]
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3] * points.new_tensor([1.0, -1.0, 1.0])
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    inside = ((uv >= 0) & (uv < 1)).all(dim=1) & (local[:, 2] > 0)
    columns = (uv[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (uv[:, 1] * height).floor().long().clamp(0, height - 1)
    return torch.where(inside[:, None], features[:, rows, columns].T, 0.0)


# %% mutant="rounded" question="q2" says="nearest edge of a pixel"
def lifted(features, points, camera_to_world, intrinsics):
    height, width = features.shape[1:]
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    inside = ((uv >= 0) & (uv < 1)).all(dim=1) & (local[:, 2] > 0)
    columns = (uv[:, 0] * width).round().long().clamp(0, width - 1)
    rows = (uv[:, 1] * height).round().long().clamp(0, height - 1)
    return torch.where(inside[:, None], features[:, rows, columns].T, 0.0)


# %% mutant="rows and columns" question="q2" says="asked as [:, row, column]"
def lifted(features, points, camera_to_world, intrinsics):
    height, width = features.shape[1:]
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    inside = ((uv >= 0) & (uv < 1)).all(dim=1) & (local[:, 2] > 0)
    rows = (uv[:, 0] * height).floor().long().clamp(0, height - 1)
    columns = (uv[:, 1] * width).floor().long().clamp(0, width - 1)
    return torch.where(inside[:, None], features[:, rows, columns].T, 0.0)


# %% mutant="behind" question="q2" says="behind the camera is not seen"
def lifted(features, points, camera_to_world, intrinsics):
    height, width = features.shape[1:]
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    inside = ((uv >= 0) & (uv < 1)).all(dim=1)
    columns = (uv[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (uv[:, 1] * height).floor().long().clamp(0, height - 1)
    return torch.where(inside[:, None], features[:, rows, columns].T, 0.0)


# %% mutant="beside" question="q2" says="what the pixel at the edge shows"
def lifted(features, points, camera_to_world, intrinsics):
    height, width = features.shape[1:]
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    columns = (uv[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (uv[:, 1] * height).floor().long().clamp(0, height - 1)
    return torch.where((local[:, 2] > 0)[:, None], features[:, rows, columns].T, 0.0)


# %% mutant="cut" question="q2" says="int and long cut towards 0"
def lifted(features, points, camera_to_world, intrinsics):
    height, width = features.shape[1:]
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    columns, rows = (uv[:, 0] * width).long(), (uv[:, 1] * height).long()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height) & (local[:, 2] > 0)
    columns, rows = columns.clamp(0, width - 1), rows.clamp(0, height - 1)
    return torch.where(inside[:, None], features[:, rows, columns].T, 0.0)


# %% mutant="last pixel" question="q2" says="not its middle"
def lifted(features, points, camera_to_world, intrinsics):
    height, width = features.shape[1:]
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    inside = ((uv >= 0) & (uv < 1)).all(dim=1) & (local[:, 2] > 0)
    columns = (uv[:, 0] * (width - 1)).floor().long().clamp(0, width - 1)
    rows = (uv[:, 1] * (height - 1)).floor().long().clamp(0, height - 1)
    return torch.where(inside[:, None], features[:, rows, columns].T, 0.0)


# %% mutant="not turned" question="q2" says="has to be turned"
def lifted(features, points, camera_to_world, intrinsics):
    height, width = features.shape[1:]
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    uv = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    inside = ((uv >= 0) & (uv < 1)).all(dim=1) & (local[:, 2] > 0)
    columns = (uv[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (uv[:, 1] * height).floor().long().clamp(0, height - 1)
    return features[:, rows, columns] * inside


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: along a ray
#
# A ray passes samples $j = 0, 1, \dots$, the nearest first, each standing for a piece of length $\delta$. A share
# $1-e^{-\sigma_j\delta}$ of what arrives at a sample stops there; what arrives at sample $i$ is
# $T_i=\exp\bigl(-\sum_{j<i}\sigma_j\delta\bigr)$. What the ray shows, and how much of it was stopped at all, is
#
# $$\sum_i w_i f_i,\qquad \sum_i w_i,\qquad w_i=T_i\,(1-e^{-\sigma_i\delta}).$$
#
# (Mildenhall et al. 2020, eq. 3.) Write `gathered` for many rays at once.
#
# <details><summary>Hint</summary>
#
# `cumsum` adds up to and *including* a sample. $T_i$ wants what lies before it.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def gathered(features, density, length):
    """What rays show of a volume.

    Args:
        features: f at the samples of each ray, shape (n, s, c).
        density: sigma >= 0 there, shape (n, s).
        length: delta, a float.
    Returns:
        A tuple: what the rays show, shape (n, c); how much of each was stopped, shape (n,).
    """
    # BEGIN SOLUTION
    through = torch.exp(-(density * length).cumsum(dim=1))
    arrives = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], dim=1)
    weights = arrives - through
    return (weights[..., None] * features).sum(dim=1), weights.sum(dim=1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_three_rays(gathered):
    import torch

    from minilib.grading.feedback import compare, parts, run

    density = torch.tensor([[0.0, 2.0, 1.0], [4.0, 0.5, 3.0], [0.0, 0.0, 0.0]])
    features = torch.tensor(
        [
            [[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]],
            [[1.0, 1.0], [2.0, 0.0], [0.0, 4.0]],
            [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        ]
    )
    what = "gathered(features, density, 0.5)"
    shows, stopped = parts(
        run(gathered, features, density, 0.5), ("what the rays show", "how much was stopped"), what=what
    )
    right = [0.77687, 0.97648, 0.0]
    compare(
        stopped,
        right,
        what="how much was stopped",
        dtype=torch.float32,
        shapes={(3, 2): "The two results have changed places."},
        slips={
            "T counts the sample itself: only what lies before it has been passed.": [0.32034, 0.1586, 0.0],
            "The length of the pieces is missing.": [0.95021, 0.99945, 0.0],
            "What arrives is not asked: a sample behind a wall shows as much as the wall.": [1.02559, 1.86273, 0.0],
            "The shares are divided by their sum; a ray that hits nothing shows nothing.": [1.0, 1.0, 1.0],
            "The share that stops is 1 − exp(−σδ), not σδ: that could be more than all.": [1.18394, 2.19193, 0.0],
            "This is what is left of the ray, not what was stopped.": [0.22313, 0.02351775, 1.0],
        },
    )
    right = [[0.43425, 1.40899], [0.92454, 1.19219], [0.0, 0.0]]
    compare(
        shows,
        right,
        what="what the rays show",
        dtype=torch.float32,
        slips={
            "The farthest sample is taken for the nearest.": [[1.18041, 1.16027], [0.24897, 3.25774], [0.0, 0.0]],
            "Features are weighted with what arrives, not with what stops.": [
                [2.10364, 2.36788],
                [1.27067, 1.4216],
                [9.0, 12.0],
            ],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_rays(gathered):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    generator = torch.Generator().manual_seed(5)
    for n, s, c in ((2, 5, 3), (4, 1, 1)):
        density = 3 * torch.rand(n, s, generator=generator, dtype=torch.float64)
        features = torch.randn(n, s, c, generator=generator, dtype=torch.float64)
        right, total = torch.zeros(n, c, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
        for ray in range(n):
            arrives = 1.0
            for sample in range(s):
                stops = arrives * (1 - math.exp(-0.3 * density[ray, sample].item()))
                right[ray] += stops * features[ray, sample]
                total[ray] += stops
                arrives -= stops
        shows, stopped = parts(run(gathered, features, density, 0.3), ("shows", "stopped"), what="gathered")
        compare(stopped, total, what=f"how much was stopped of {n} rays with {s} samples")
        compare(shows, right, what=f"what {n} rays with {s} samples show")
    follows_device(lambda f, d: gathered(f, d, 0.3), features, density, what="gathered")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.views.volume.ray_weights
# minilib.views.volume.render


# %% mutant="itself" question="q3" says="only what lies before it"
def gathered(features, density, length):
    through = torch.exp(-(density * length).cumsum(dim=1))
    weights = through * (1 - torch.exp(-density * length))
    return (weights[..., None] * features).sum(dim=1), weights.sum(dim=1)


# %% mutant="no length" question="q3" says="length of the pieces is missing"
def gathered(features, density, length):
    through = torch.exp(-density.cumsum(dim=1))
    weights = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], dim=1) - through
    return (weights[..., None] * features).sum(dim=1), weights.sum(dim=1)


# %% mutant="no transmittance" question="q3" says="behind a wall"
def gathered(features, density, length):
    weights = 1 - torch.exp(-density * length)
    return (weights[..., None] * features).sum(dim=1), weights.sum(dim=1)


# %% mutant="normalised" question="q3" says="divided by their sum"
def gathered(features, density, length):
    through = torch.exp(-(density * length).cumsum(dim=1))
    weights = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], dim=1) - through
    weights = (weights + 1e-9) / (weights + 1e-9).sum(dim=1, keepdim=True)
    return (weights[..., None] * features).sum(dim=1), weights.sum(dim=1)


# %% mutant="linear" question="q3" says="could be more than all"
def gathered(features, density, length):
    through = torch.exp(-(density * length).cumsum(dim=1))
    weights = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], dim=1) * density * length
    return (weights[..., None] * features).sum(dim=1), weights.sum(dim=1)


# %% mutant="left over" question="q3" says="not what was stopped"
def gathered(features, density, length):
    through = torch.exp(-(density * length).cumsum(dim=1))
    weights = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], dim=1) - through
    return (weights[..., None] * features).sum(dim=1), through[:, -1]


# %% mutant="from behind" question="q3" says="taken for the nearest"
def gathered(features, density, length):
    through = torch.exp(-(density.flip(1) * length).cumsum(dim=1))
    weights = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], dim=1) - through
    return (weights.flip(1)[..., None] * features).sum(dim=1), weights.sum(dim=1)


# %% mutant="what arrives" question="q3" says="not with what stops"
def gathered(features, density, length):
    through = torch.exp(-(density * length).cumsum(dim=1))
    arrives = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], dim=1)
    return (arrives[..., None] * features).sum(dim=1), (arrives - through).sum(dim=1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: who may look at whom
#
# In the transformer, the tokens of clean views stand first, then those of noised views. So that the keys and values
# of clean views can be kept over all steps of sampling, they must not depend on anything noised: **clean tokens look
# at all clean tokens, and at nothing else**. Noised tokens look at everything: at clean ones, and at all noised ones,
# for all targets are drawn together.
#
# Write `may_look`: entry $(i, j)$ is `True` where token $i$ may look at token $j$. It goes into
# `scaled_dot_product_attention` as `attn_mask`.

# %% [raw]
# # BEGIN SOLUTION


# %%
def may_look(clean, noised, tokens):
    """Which tokens may look at which.

    Args:
        clean, noised: numbers of views.
        tokens: of each view.
    Returns:
        bool, shape (n, n) with n = (clean + noised) * tokens; rows look, columns are looked at.
    """
    # BEGIN SOLUTION
    noisy = torch.arange((clean + noised) * tokens) >= clean * tokens
    return noisy[:, None] | ~noisy[None, :]
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_two_clean_views_and_two_noised_ones(may_look):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, run

    got = run(may_look, 2, 2, 2)
    if isinstance(got, torch.Tensor) and got.dtype != torch.bool:
        raise CheckFailed(f"may_look: expected dtype bool, got {got.dtype}: True where a token may look")
    right = [
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
    ]
    compare(
        got.int() if isinstance(got, torch.Tensor) else got,
        right,
        what="may_look(2, 2, 2), as 0 and 1",
        dtype=torch.int32,
        shapes={(4, 4): "One row for each token, not for each view."},
        slips={
            "Clean tokens look at noised ones here, not the other way: rows look, columns are looked at.": [
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
            ],
            "True says that a token may look; here it says that it may not.": [
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 0, 0, 0, 0],
                [0, 0, 0, 0, 0, 0, 0, 0],
                [0, 0, 0, 0, 0, 0, 0, 0],
                [0, 0, 0, 0, 0, 0, 0, 0],
            ],
            "Clean tokens look at noised ones: what is kept of them would change in every step.": [
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
            ],
            "Noised views do not see each other: they would be drawn one by one, and not agree.": [
                [1, 1, 1, 1, 0, 0, 0, 0],
                [1, 1, 1, 1, 0, 0, 0, 0],
                [1, 1, 1, 1, 0, 0, 0, 0],
                [1, 1, 1, 1, 0, 0, 0, 0],
                [1, 1, 1, 1, 1, 1, 0, 0],
                [1, 1, 1, 1, 1, 1, 0, 0],
                [1, 1, 1, 1, 0, 0, 1, 1],
                [1, 1, 1, 1, 0, 0, 1, 1],
            ],
            "A clean view looks only at itself; all clean views look at each other.": [
                [1, 1, 0, 0, 0, 0, 0, 0],
                [1, 1, 0, 0, 0, 0, 0, 0],
                [0, 0, 1, 1, 0, 0, 0, 0],
                [0, 0, 1, 1, 0, 0, 0, 0],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
                [1, 1, 1, 1, 1, 1, 1, 1],
            ],
            "Noised tokens do not look at clean ones: they would be drawn without any input.": [
                [1, 1, 1, 1, 0, 0, 0, 0],
                [1, 1, 1, 1, 0, 0, 0, 0],
                [1, 1, 1, 1, 0, 0, 0, 0],
                [1, 1, 1, 1, 0, 0, 0, 0],
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1, 1, 1],
            ],
            "Tokens look only at those before them, as in a text; here nothing has an order.": [
                [1, 0, 0, 0, 0, 0, 0, 0],
                [1, 1, 0, 0, 0, 0, 0, 0],
                [1, 1, 1, 0, 0, 0, 0, 0],
                [1, 1, 1, 1, 0, 0, 0, 0],
                [1, 1, 1, 1, 1, 0, 0, 0],
                [1, 1, 1, 1, 1, 1, 0, 0],
                [1, 1, 1, 1, 1, 1, 1, 0],
                [1, 1, 1, 1, 1, 1, 1, 1],
            ],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_numbers(may_look):
    import torch

    from minilib.grading.feedback import compare, run

    for clean, noised, tokens in ((1, 3, 4), (5, 1, 1), (2, 0, 3)):
        right = torch.zeros((clean + noised) * tokens, (clean + noised) * tokens, dtype=torch.bool)
        for i in range(len(right)):
            for j in range(len(right)):
                right[i, j] = i // tokens >= clean or j // tokens < clean
        compare(run(may_look, clean, noised, tokens), right, what=f"may_look({clean}, {noised}, {tokens})")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.views.transformer.ViewBlock.forward


# %% mutant="turned" question="q4" says="rows look, columns are looked at"
def may_look(clean, noised, tokens):
    noisy = torch.arange((clean + noised) * tokens) >= clean * tokens
    return noisy[None, :] | ~noisy[:, None]


# %% mutant="forbidden" question="q4" says="here it says that it may not"
def may_look(clean, noised, tokens):
    noisy = torch.arange((clean + noised) * tokens) >= clean * tokens
    return ~noisy[:, None] & noisy[None, :]


# %% mutant="all" question="q4" says="would change in every step"
def may_look(clean, noised, tokens):
    return torch.ones((clean + noised) * tokens, (clean + noised) * tokens, dtype=torch.bool)


# %% mutant="alone" question="q4" says="and not agree"
def may_look(clean, noised, tokens):
    view = torch.arange((clean + noised) * tokens) // tokens
    return (view[None, :] < clean) | (view[:, None] == view[None, :])


# %% mutant="clean alone" question="q4" says="looks only at itself"
def may_look(clean, noised, tokens):
    view = torch.arange((clean + noised) * tokens) // tokens
    return (view[:, None] >= clean) | (view[:, None] == view[None, :])


# %% mutant="blind" question="q4" says="without any input"
def may_look(clean, noised, tokens):
    noisy = torch.arange((clean + noised) * tokens) >= clean * tokens
    return noisy[:, None] == noisy[None, :]


# %% mutant="causal" question="q4" says="nothing has an order"
def may_look(clean, noised, tokens):
    n = (clean + noised) * tokens
    return torch.ones(n, n, dtype=torch.bool).tril()


# %% mutant="per view" question="q4" says="not for each view"
def may_look(clean, noised, tokens):
    noisy = torch.arange(clean + noised) >= clean
    return noisy[:, None] | ~noisy[None, :]


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: one step's loss over many views
#
# A training object has $v$ pictures. `order` is a random order of their numbers. The first `count` of it are input
# views, the **last** `targets` are asked for. Inputs are clean. Target $k$ is noised to its own level,
# $x_{t,k}=\sqrt{\bar\alpha_k}\,x_{0,k}+\sqrt{1-\bar\alpha_k}\,\varepsilon_k$. Shown the inputs and the
# $x_{t,k}$, the model says what it takes the $x_{0,k}$ to be: `predicted`. The loss is the mean of
# $(\text{predicted}-x_0)^2$ over targets, channels and pixels.
#
# A picture that is an input and a target at once would teach the model to copy: refuse it with a `ValueError`.
#
# Write `views_step`.

# %% [raw]
# # BEGIN SOLUTION


# %%
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    """What a view model is shown in one step, and how well it answers.

    Args:
        images: of one object, shape (v, 3, h, w).
        noise: for each of its pictures, by their numbers, shape (v, 3, h, w).
        order: numbers 0..v-1 in a random order, shape (v,).
        count: how many input views.
        targets: how many views are asked for.
        alpha_bar: of each target, in the order of the targets, shape (targets,).
        predicted: the model's x_0 of the targets, shape (targets, 3, h, w).
    Returns:
        A tuple: inputs, shape (count, 3, h, w); x_t of the targets, shape (targets, 3, h, w); the loss, shape ().
    Raises:
        ValueError: a picture would be an input and a target.
    """
    # BEGIN SOLUTION
    if count + targets > len(images):
        raise ValueError(f"expected at most {len(images)} inputs and targets, got {count} and {targets}")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_five_pictures(views_step):
    import torch

    from minilib.grading.feedback import CheckFailed, StudentError, compare, parts, run, unchanged

    def pictures(values):
        return torch.tensor(values).reshape(-1, 1, 1, 1).repeat(1, 3, 1, 1) * torch.tensor([1.0, 0.5, -0.5]).reshape(
            3, 1, 1
        )

    images, noise = pictures([0.1, -0.4, 0.8, 0.5, -0.9]), pictures([1.0, -2.0, 0.5, -0.25, 2.0])
    order, before = torch.tensor([3, 0, 4, 2, 1]), images.clone()
    alpha_bar, predicted = torch.tensor([0.64, 0.36]), pictures([0.6, 0.0])
    what = "views_step(images, noise, order, 2, 2, alpha_bar, predicted)"
    got = run(views_step, images, noise, order, 2, 2, alpha_bar, predicted)
    inputs, x_t, loss = parts(got, ("inputs", "x_t", "loss"), what=what)
    compare(
        inputs,
        pictures([0.5, 0.1]),
        what="inputs",
        shapes={(5, 3, 1, 1): "All pictures are inputs here, the targets too: the answer leaks into the question."},
        slips={
            "These are pictures 0 and 1; order says which come first.": pictures([0.1, -0.4]),
            "The inputs are noised; they are clean.": pictures([0.25, 0.86]),
            "The targets are among the inputs: the answer leaks into the question.": pictures([0.8, -0.4]),
        },
    )
    compare(
        x_t,
        pictures([0.94, -1.84]),
        what="x_t",
        shapes={(2, 3, 1, 2): "alpha_bar has a number for each target; here it was spread over the pixels of a row."},
        slips={
            "The roots are missing: ᾱ and 1 − ᾱ are the shares of the variance.": pictures([0.692, -1.424]),
            "Signal and noise have changed places.": pictures([0.88, -1.52]),
            "The noise of other pictures: noise[k] belongs to picture number k.": pictures([1.24, -1.84]),
            "The first target's ᾱ was taken for all: each has its own.": pictures([0.94, -1.52]),
            "The targets are the inputs themselves.": pictures([0.25, 0.86]),
            "The targets are those after the inputs in the order; the last ones were asked for.": pictures(
                [0.48, 0.88]
            ),
            "These are the clean targets: the model would be shown the answer.": pictures([0.8, -0.4]),
        },
    )
    compare(
        loss,
        torch.tensor(0.05),
        what="loss",
        shapes={
            (2,): "This is a loss for each target; the step has one, their mean.",
            (2, 3, 1, 1): "These are the squared differences; the loss is their mean.",
        },
        slips={
            "This is the sum; the loss is a mean, or it would grow with the number of views and pixels.": 0.3,
            "A mean for each target, and the sum of these; the loss is a mean over targets, too.": 0.1,
            "A sum over channels and pixels, a mean over targets; the loss is a mean over all of them.": 0.15,
            "This is the root of the loss.": 0.223607,
            "These are absolute differences; the mean belongs to the squared ones.": 0.2,
            "Compared with the noise; the model says the picture.": 1.0025,
            "Compared with x_t: a model that learnt this would hand back what it is shown.": 0.8753,
            "Compared with the inputs: a model that learnt this would copy.": 0.005,
            "Only the first target counts here.": 0.02,
        },
    )
    unchanged(before, images, what="images")
    try:
        views_step(images, noise, order, 3, 3, alpha_bar[[0, 0, 1]], predicted[[0, 0, 1]])
    except Exception as error:
        name = str(error) if isinstance(error, StudentError) else type(error).__name__
        if not name.startswith("ValueError"):
            raise CheckFailed(
                f"three inputs and three targets of five pictures: expected a ValueError, got {name}"
            ) from error
    else:
        raise CheckFailed(
            "three inputs and three targets of five pictures: one is both; expected a ValueError, got an answer"
        )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_objects(views_step):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run, unchanged

    generator = torch.Generator().manual_seed(4)
    for v, count, targets in ((4, 1, 3), (8, 5, 2)):
        images = 2 * torch.rand(v, 3, 2, 4, generator=generator) - 1
        noise, order = torch.randn(v, 3, 2, 4, generator=generator), torch.randperm(v, generator=generator)
        alpha_bar, predicted = (torch.rand(targets, *shape, generator=generator) for shape in ((), (3, 2, 4)))
        before = images.clone()
        got = run(views_step, images, noise, order, count, targets, alpha_bar, predicted)
        inputs, x_t, loss = parts(got, ("inputs", "x_t", "loss"), what="views_step")
        seen, asked = order.tolist()[:count], order.tolist()[v - targets :]
        compare(inputs, torch.stack([images[number] for number in seen]), what=f"{count} inputs of {v} pictures")
        mixed, errors = [], []
        for number, share, guess in zip(asked, alpha_bar.tolist(), predicted, strict=True):
            mixed.append(math.sqrt(share) * images[number] + math.sqrt(1 - share) * noise[number])
            errors.append(float((guess - images[number]).square().mean()))
        compare(x_t, torch.stack(mixed), what=f"x_t of {targets} targets of {v} pictures")
        compare(loss, torch.tensor(sum(errors) / len(errors)), what=f"loss of {targets} targets of {v} pictures")
        unchanged(before, images, what="images")
    follows_device(
        lambda i, n, o, a, p: views_step(i, n, o, 5, 2, a, p),
        images,
        noise,
        order,
        alpha_bar,
        predicted,
        what="views_step",
    )


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.recipes.toy_views.ToyViewsRecipe.task
# minilib.recipes.toy_views.ToyViewsRecipe.draw


# %% mutant="everything" question="q5" says="the answer leaks into the question"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    asked = order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images, x_t, (predicted - images[asked]).square().mean()


# %% mutant="leak" question="q5" says="The targets are among the inputs"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[-count:], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()


# %% mutant="no order" question="q5" says="order says which come first"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    asked = order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[:count], x_t, (predicted - images[asked]).square().mean()


# %% mutant="noised inputs" question="q5" says="they are clean"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    shown = share.sqrt() * images[inputs] + (1 - share).sqrt() * noise[inputs]
    return shown, x_t, (predicted - images[asked]).square().mean()


# %% mutant="asked for inputs" question="q5" says="the inputs themselves"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs = asked = order[:count]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()


# %% mutant="the next ones" question="q5" says="the last ones were asked for"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[count : count + targets]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()


# %% mutant="not noised" question="q5" says="shown the answer"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    return images[inputs], images[asked], (predicted - images[asked]).square().mean()


# %% mutant="no roots" question="q5" says="shares of the variance"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share * images[asked] + (1 - share) * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()


# %% mutant="swapped" question="q5" says="Signal and noise have changed places"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = (1 - share).sqrt() * images[asked] + share.sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()


# %% mutant="first noise" question="q5" says="belongs to picture number k"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[:targets]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()


# %% mutant="one time" question="q5" says="each has its own"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[0]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()


# %% mutant="spread" question="q5" says="spread over the pixels"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()


# %% mutant="sum" question="q5" says="grow with the number of views"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().sum()


# %% mutant="sum of each" question="q5" says="a mean over targets"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().sum((1, 2, 3)).mean()


# %% mutant="sum over targets" question="q5" says="a mean over targets, too"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean((1, 2, 3)).sum()


# %% mutant="each" question="q5" says="a loss for each target"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean((1, 2, 3))


# %% mutant="root" question="q5" says="the root of the loss"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean().sqrt()


# %% mutant="absolute" question="q5" says="absolute differences"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).abs().mean()


# %% mutant="says noise" question="q5" says="the model says the picture"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - noise[asked]).square().mean()


# %% mutant="hands back" question="q5" says="hand back what it is shown"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - x_t).square().mean()


# %% mutant="copies" question="q5" says="would copy"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[inputs]).square().mean()


# %% mutant="first target" question="q5" says="Only the first target"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    if count + targets > len(images):
        raise ValueError("a picture would be an input and a target")
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted[0] - images[asked[0]]).square().mean()


# %% mutant="both" question="q5" says="one is both"
def views_step(images, noise, order, count, targets, alpha_bar, predicted):
    inputs, asked = order[:count], order[-targets:]
    share = alpha_bar[:, None, None, None]
    x_t = share.sqrt() * images[asked] + (1 - share).sqrt() * noise[asked]
    return images[inputs], x_t, (predicted - images[asked]).square().mean()


# %% [raw]
# # END QUESTION
