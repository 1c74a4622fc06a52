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
# name: cameras_and_rays
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: cameras and rays
#
# Five questions, from one line of code to five, on the chapter *Cameras and rays*. Allow an hour.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - Camera axes are OpenCV's: $x$ right, $y$ **down**, $z$ forward. `camera_to_world` is 4×4, its last column is where
#   the camera stands. Intrinsics are $[[f_x, 0, c_x], [0, f_y, c_y], [0, 0, 1]]$ in shares of the picture's width and
#   height. Places in a picture are $(u, v)$: $(0, 0)$ is its upper left corner, $(1, 1)$ the lower right one.
# - torch is enough. New tensors go to the device and dtype of the arguments: hidden checks look.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "cameras_and_rays"
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
# ## Question 1: where in the picture is it?
#
# Bring points of the world into the camera's axes, then onto its picture:
#
# $$p = R^\top(p_\text{world}-o),\qquad u = f_x\frac{x}{z}+c_x,\qquad v = f_y\frac{y}{z}+c_y ,$$
#
# with $R$ the rotation and $o$ the last column of `camera_to_world`. Write `projected`, which returns places and
# depths; a depth is $z$, the distance along the camera's axis.
#
# <details><summary>Hint</summary>
#
# With points as rows, $R^\top p$ for all of them is `points @ R`: $(R^\top p)^\top = p^\top R$.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def projected(points, camera_to_world, intrinsics):
    """Where a camera sees points.

    Args:
        points: in the world, shape (n, 3).
        camera_to_world: shape (4, 4).
        intrinsics: in shares of the picture, shape (3, 3).
    Returns:
        A tuple: places (u, v), shape (n, 2); depths, shape (n,).
    """
    # BEGIN SOLUTION
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    depth = local[:, 2]
    focal, centre = intrinsics.diagonal()[:2], intrinsics[:2, 2]
    return focal * local[:, :2] / depth[:, None] + centre, depth
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_four_points(projected):
    import torch

    from minilib.grading.feedback import compare, parts, run

    points = torch.tensor([[0.5, 0.25, 0.0], [-0.25, 0.5, 0.5], [0.0, 0.0, 1.0], [0.25, -0.5, 0.25]])
    pose = torch.tensor([[0.6, 0.0, -0.8, 2.0], [0.8, 0.0, 0.6, -1.0], [0.0, -1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0]])
    lens = torch.tensor([[1.5, 0.0, 0.5], [0.0, 1.25, 0.375], [0.0, 0.0, 1.0]])
    what = "projected(points, camera_to_world, intrinsics)"
    places, depths = parts(run(projected, points, pose, lens), ("places", "depths"), what=what)
    right = [1.95, 2.7, 2.2, 1.7]
    compare(
        depths,
        right,
        what="depths",
        dtype=torch.float32,
        slips={
            "This applies camera_to_world to points of the world; the way back is asked for.": [0.25, 0.0, 0.5, 1.0],
            "R is applied here where its transpose is needed; with points as rows, that is points @ R.": [
                -1.25,
                -1.5,
                -1.0,
                -0.5,
            ],
            "The camera's place is subtracted after the rotation; it is in world axes, so it comes off before.": [
                -0.75,
                0.0,
                -0.5,
                -1.0,
            ],
            "This is the distance from the camera; depth is measured along its axis.": [
                2.01556,
                2.70416,
                2.29129,
                1.83712,
            ],
            "Depths come out negative: in OpenCV's axes the camera looks along +z.": [-1.95, -2.7, -2.2, -1.7],
            "The camera's place was not subtracted.": [-0.25, 0.5, 0.0, -0.5],
        },
    )
    right = [[0.57692, 0.69551], [0.41667, 0.375], [0.22727, 0.09091], [-0.07353, 0.55882]]
    compare(
        places,
        right,
        what="places",
        dtype=torch.float32,
        slips={
            "v grows upwards here; in OpenCV's axes y points down.": [
                [0.57692, 0.05449],
                [0.41667, 0.375],
                [0.22727, 0.65909],
                [-0.07353, 0.19118],
            ],
            "Nothing is divided by depth: far things would be as large as near ones.": [
                [0.65, 1.0],
                [0.275, 0.375],
                [-0.1, -0.25],
                [-0.475, 0.6875],
            ],
            "The principal point (cx, cy) is missing.": [
                [0.07692, 0.32051],
                [-0.08333, 0.0],
                [-0.27273, -0.28409],
                [-0.57353, 0.18382],
            ],
            "The principal point is added before the division by depth.": [
                [0.33333, 0.51282],
                [0.10185, 0.13889],
                [-0.04545455, -0.11364],
                [-0.27941, 0.40441],
            ],
            "u and v have changed places.": [
                [0.69551, 0.57692],
                [0.375, 0.41667],
                [0.09091, 0.22727],
                [0.55882, -0.07353],
            ],
            "One focal length for both directions: take fx for u and fy for v.": [
                [0.57692, 0.75962],
                [0.41667, 0.375],
                [0.22727, 0.03409091],
                [-0.07353, 0.59559],
            ],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_cameras(projected):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run, unchanged

    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        rotation = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
        if torch.linalg.det(rotation) < 0:
            rotation = -rotation
        place = torch.randn(3, generator=generator, dtype=torch.float64)
        pose = torch.eye(4, dtype=torch.float64)
        pose[:3, :3], pose[:3, 3] = rotation, place
        local = torch.rand(6, 3, generator=generator, dtype=torch.float64) + torch.tensor([-0.5, -0.5, 1.0])
        points = local @ rotation.T + place
        fx, fy, cx, cy = (0.5 + torch.rand(4, generator=generator, dtype=torch.float64)).tolist()
        lens = torch.tensor([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]], dtype=torch.float64)
        before = points.clone()
        places, depths = parts(run(projected, points, pose, lens), ("places", "depths"), what="projected")
        compare(depths, local[:, 2], what="depths for another camera")
        right = torch.stack([fx * local[:, 0] / local[:, 2] + cx, fy * local[:, 1] / local[:, 2] + cy], dim=1)
        compare(places, right, what="places for another camera")
        unchanged(before, points, what="points")
    follows_device(projected, points, pose, lens, what="projected")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.views.cameras.project
# minilib.views.relative.inverse_pose


# %% mutant="camera to world" question="q1" says="the way back is asked for"
def projected(points, camera_to_world, intrinsics):
    local = points @ camera_to_world[:3, :3].T + camera_to_world[:3, 3]
    depth = local[:, 2]
    return intrinsics.diagonal()[:2] * local[:, :2] / depth[:, None] + intrinsics[:2, 2], depth


# %% mutant="not transposed" question="q1" says="its transpose is needed"
def projected(points, camera_to_world, intrinsics):
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3].T
    depth = local[:, 2]
    return intrinsics.diagonal()[:2] * local[:, :2] / depth[:, None] + intrinsics[:2, 2], depth


# %% mutant="shift after" question="q1" says="comes off before"
def projected(points, camera_to_world, intrinsics):
    local = points @ camera_to_world[:3, :3] - camera_to_world[:3, 3]
    depth = local[:, 2]
    return intrinsics.diagonal()[:2] * local[:, :2] / depth[:, None] + intrinsics[:2, 2], depth


# %% mutant="distance" question="q1" says="measured along its axis"
def projected(points, camera_to_world, intrinsics):
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    places = intrinsics.diagonal()[:2] * local[:, :2] / local[:, 2:] + intrinsics[:2, 2]
    return places, local.norm(dim=1)


# %% mutant="looks along minus z" question="q1" says="looks along +z"
def projected(points, camera_to_world, intrinsics):
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    depth = -local[:, 2]
    return intrinsics.diagonal()[:2] * local[:, :2] / depth[:, None] + intrinsics[:2, 2], depth


# %% mutant="no shift" question="q1" says="was not subtracted"
def projected(points, camera_to_world, intrinsics):
    local = points @ camera_to_world[:3, :3]
    depth = local[:, 2]
    return intrinsics.diagonal()[:2] * local[:, :2] / depth[:, None] + intrinsics[:2, 2], depth


# %% mutant="y up" question="q1" says="y points down"
def projected(points, camera_to_world, intrinsics):
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    depth, signs = local[:, 2], torch.tensor([1.0, -1.0], dtype=points.dtype, device=points.device)
    return signs * intrinsics.diagonal()[:2] * local[:, :2] / depth[:, None] + intrinsics[:2, 2], depth


# %% mutant="no division" question="q1" says="Nothing is divided by depth"
def projected(points, camera_to_world, intrinsics):
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    return intrinsics.diagonal()[:2] * local[:, :2] + intrinsics[:2, 2], local[:, 2]


# %% mutant="no centre" question="q1" says="principal point (cx, cy) is missing"
def projected(points, camera_to_world, intrinsics):
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    depth = local[:, 2]
    return intrinsics.diagonal()[:2] * local[:, :2] / depth[:, None], depth


# %% mutant="centre divided" question="q1" says="before the division by depth"
def projected(points, camera_to_world, intrinsics):
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    depth = local[:, 2]
    return (intrinsics.diagonal()[:2] * local[:, :2] + intrinsics[:2, 2]) / depth[:, None], depth


# %% mutant="swapped" question="q1" says="changed places"
def projected(points, camera_to_world, intrinsics):
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    depth = local[:, 2]
    places = intrinsics.diagonal()[:2] * local[:, :2] / depth[:, None] + intrinsics[:2, 2]
    return places.flip(1), depth


# %% mutant="one focal length" question="q1" says="One focal length"
def projected(points, camera_to_world, intrinsics):
    local = (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    depth = local[:, 2]
    return intrinsics[0, 0] * local[:, :2] / depth[:, None] + intrinsics[:2, 2], depth


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: a ray for each pixel
#
# The other way. Pixel number $i$ of $n$ has its *middle* at $(i+\tfrac12)/n$. All points that the pixel at $(u,v)$ can
# show are $o+z\,d$ for depths $z$, with
#
# $$d=R\begin{pmatrix}(u-c_x)/f_x\\(v-c_y)/f_y\\1\end{pmatrix}.$$
#
# Write `directions`: $d$ for each pixel, row by row. Note that $d$ is *not* of length 1: its part along the camera's
# axis is.
#
# <details><summary>Hint</summary>
#
# `torch.meshgrid(v, u, indexing="ij")` has rows first. With vectors as rows, $R\,x$ for all of them is `x @ R.T`.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def directions(camera_to_world, intrinsics, height, width):
    """World directions of the rays through all pixels' middles.

    Args:
        camera_to_world: shape (4, 4).
        intrinsics: in shares of the picture, shape (3, 3).
        height, width: of the picture in pixels.
    Returns:
        Shape (height, width, 3).
    """
    # BEGIN SOLUTION
    u = (torch.arange(width).to(intrinsics) + 0.5) / width
    v = (torch.arange(height).to(intrinsics) + 0.5) / height
    v, u = torch.meshgrid(
        (v - intrinsics[1, 2]) / intrinsics[1, 1], (u - intrinsics[0, 2]) / intrinsics[0, 0], indexing="ij"
    )
    return torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3].T
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_a_small_picture(directions):
    import torch

    from minilib.grading.feedback import compare, run

    pose = torch.tensor([[0.6, 0.0, -0.8, 2.0], [0.8, 0.0, 0.6, -1.0], [0.0, -1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0]])
    lens = torch.tensor([[1.5, 0.0, 0.5], [0.0, 1.25, 0.375], [0.0, 0.0, 1.0]])
    right = [
        [[-0.95, 0.4, 0.1], [-0.85, 0.53333, 0.1], [-0.75, 0.66667, 0.1], [-0.65, 0.8, 0.1]],
        [[-0.95, 0.4, -0.3], [-0.85, 0.53333, -0.3], [-0.75, 0.66667, -0.3], [-0.65, 0.8, -0.3]],
    ]
    compare(
        run(directions, pose, lens, 2, 4),
        right,
        what="directions(camera_to_world, intrinsics, 2, 4)",
        dtype=torch.float32,
        shapes={
            (4, 2, 3): "The height comes first: rows, then columns.",
            (3, 2, 4): "The three numbers of a direction come last.",
            (8, 3): "Keep rows and columns apart.",
        },
        slips={
            "These rays go through the pixels' upper left corners; a pixel stands for its middle.": [
                [[-1.0, 0.33333, 0.3], [-0.9, 0.46667, 0.3], [-0.8, 0.6, 0.3], [-0.7, 0.73333, 0.3]],
                [[-1.0, 0.33333, -0.1], [-0.9, 0.46667, -0.1], [-0.8, 0.6, -0.1], [-0.7, 0.73333, -0.1]],
            ],
            "The first and the last pixel's middles are not at 0 and 1.": [
                [[-1.0, 0.33333, 0.3], [-0.86667, 0.51111, 0.3], [-0.73333, 0.68889, 0.3], [-0.6, 0.86667, 0.3]],
                [[-1.0, 0.33333, -0.5], [-0.86667, 0.51111, -0.5], [-0.73333, 0.68889, -0.5], [-0.6, 0.86667, -0.5]],
            ],
            "These have length 1; d has length 1 along the camera's axis only.": [
                [
                    [-0.91733, 0.38624, 0.09656],
                    [-0.84289, 0.52887, 0.09916],
                    [-0.74373, 0.66109, 0.09916],
                    [-0.62765, 0.77249, 0.09656],
                ],
                [
                    [-0.88492, 0.3726, -0.27945],
                    [-0.81157, 0.50922, -0.28644],
                    [-0.71609, 0.63653, -0.28644],
                    [-0.60547, 0.74519, -0.27945],
                ],
            ],
            "This brings world directions into the camera; the way out, for vectors as rows, is @ R.T.": [
                [[-0.23, -1.0, 0.14], [-0.13, -1.0, 0.00666667], [-0.03, -1.0, -0.12667], [0.07, -1.0, -0.26]],
                [[0.09, -1.0, 0.38], [0.19, -1.0, 0.24667], [0.29, -1.0, 0.11333], [0.39, -1.0, -0.02]],
            ],
            "y points up here.": [
                [[-0.95, 0.4, -0.1], [-0.85, 0.53333, -0.1], [-0.75, 0.66667, -0.1], [-0.65, 0.8, -0.1]],
                [[-0.95, 0.4, 0.3], [-0.85, 0.53333, 0.3], [-0.75, 0.66667, 0.3], [-0.65, 0.8, 0.3]],
            ],
            "The principal point (cx, cy) was not subtracted.": [
                [[-0.75, 0.66667, -0.2], [-0.65, 0.8, -0.2], [-0.55, 0.93333, -0.2], [-0.45, 1.06667, -0.2]],
                [[-0.75, 0.66667, -0.6], [-0.65, 0.8, -0.6], [-0.55, 0.93333, -0.6], [-0.45, 1.06667, -0.6]],
            ],
            "The focal length is multiplied with; projection did that, this undoes it.": [
                [
                    [-1.1375, 0.15, 0.15625],
                    [-0.9125, 0.45, 0.15625],
                    [-0.6875, 0.75, 0.15625],
                    [-0.4625, 1.05, 0.15625],
                ],
                [
                    [-1.1375, 0.15, -0.46875],
                    [-0.9125, 0.45, -0.46875],
                    [-0.6875, 0.75, -0.46875],
                    [-0.4625, 1.05, -0.46875],
                ],
            ],
            "The camera's place was added: these are points, and directions were asked for.": [
                [[1.05, -0.6, 0.6], [1.15, -0.46667, 0.6], [1.25, -0.33333, 0.6], [1.35, -0.2, 0.6]],
                [[1.05, -0.6, 0.2], [1.15, -0.46667, 0.2], [1.25, -0.33333, 0.2], [1.35, -0.2, 0.2]],
            ],
            "These are directions in the camera's axes: they are not turned into the world's.": [
                [[-0.25, -0.1, 1.0], [-0.08333, -0.1, 1.0], [0.08333, -0.1, 1.0], [0.25, -0.1, 1.0]],
                [[-0.25, 0.3, 1.0], [-0.08333, 0.3, 1.0], [0.08333, 0.3, 1.0], [0.25, 0.3, 1.0]],
            ],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_pictures(directions):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, run

    for height, width, angle in ((4, 4, 0.3), (5, 2, -1.2), (1, 3, 2.5)):
        c, s = math.cos(angle), math.sin(angle)
        pose = torch.tensor(
            [[c, 0.0, s, 1.0], [s * s, c, -s * c, 2.0], [-s * c, s, c * c, 3.0], [0.0, 0.0, 0.0, 1.0]],
            dtype=torch.float64,
        )
        fx, fy, cx, cy = 0.9 + angle / 9, 1.1, 0.45, 0.6
        lens = torch.tensor([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]], dtype=torch.float64)
        right = torch.empty(height, width, 3, dtype=torch.float64)
        for i in range(height):
            for j in range(width):
                x, y = ((j + 0.5) / width - cx) / fx, ((i + 0.5) / height - cy) / fy
                for row in range(3):
                    right[i, j, row] = pose[row, 0] * x + pose[row, 1] * y + pose[row, 2]
        compare(run(directions, pose, lens, height, width), right, what=f"directions for {height} x {width} pixels")
    follows_device(lambda p, k: directions(p, k, 2, 2), pose, lens, what="directions")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.views.cameras.ray_directions
# minilib.views.cameras.pixel_centers
# minilib.views.cameras.unproject
# minilib.views.cameras.plucker_rays
# minilib.views.volume.render


# %% mutant="corners" question="q2" says="upper left corners"
def directions(camera_to_world, intrinsics, height, width):
    u = torch.arange(width).to(intrinsics) / width
    v = torch.arange(height).to(intrinsics) / height
    v, u = torch.meshgrid(
        (v - intrinsics[1, 2]) / intrinsics[1, 1], (u - intrinsics[0, 2]) / intrinsics[0, 0], indexing="ij"
    )
    return torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3].T


# %% mutant="edges at 0 and 1" question="q2" says="are not at 0 and 1"
def directions(camera_to_world, intrinsics, height, width):
    u = torch.linspace(0, 1, width).to(intrinsics)
    v = torch.linspace(0, 1, height).to(intrinsics)
    v, u = torch.meshgrid(
        (v - intrinsics[1, 2]) / intrinsics[1, 1], (u - intrinsics[0, 2]) / intrinsics[0, 0], indexing="ij"
    )
    return torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3].T


# %% mutant="unit length" question="q2" says="These have length 1"
def directions(camera_to_world, intrinsics, height, width):
    u = (torch.arange(width).to(intrinsics) + 0.5) / width
    v = (torch.arange(height).to(intrinsics) + 0.5) / height
    v, u = torch.meshgrid(
        (v - intrinsics[1, 2]) / intrinsics[1, 1], (u - intrinsics[0, 2]) / intrinsics[0, 0], indexing="ij"
    )
    return torch.nn.functional.normalize(
        torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3].T, dim=-1
    )


# %% mutant="transposed" question="q2" says="the way out, for vectors as rows"
def directions(camera_to_world, intrinsics, height, width):
    u = (torch.arange(width).to(intrinsics) + 0.5) / width
    v = (torch.arange(height).to(intrinsics) + 0.5) / height
    v, u = torch.meshgrid(
        (v - intrinsics[1, 2]) / intrinsics[1, 1], (u - intrinsics[0, 2]) / intrinsics[0, 0], indexing="ij"
    )
    return torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3]


# %% mutant="y up" question="q2" says="y points up here"
def directions(camera_to_world, intrinsics, height, width):
    u = (torch.arange(width).to(intrinsics) + 0.5) / width
    v = (torch.arange(height).to(intrinsics) + 0.5) / height
    v, u = torch.meshgrid(
        -(v - intrinsics[1, 2]) / intrinsics[1, 1], (u - intrinsics[0, 2]) / intrinsics[0, 0], indexing="ij"
    )
    return torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3].T


# %% mutant="no centre" question="q2" says="(cx, cy) was not subtracted"
def directions(camera_to_world, intrinsics, height, width):
    u = (torch.arange(width).to(intrinsics) + 0.5) / width
    v = (torch.arange(height).to(intrinsics) + 0.5) / height
    v, u = torch.meshgrid(v / intrinsics[1, 1], u / intrinsics[0, 0], indexing="ij")
    return torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3].T


# %% mutant="multiplied" question="q2" says="is multiplied with"
def directions(camera_to_world, intrinsics, height, width):
    u = (torch.arange(width).to(intrinsics) + 0.5) / width
    v = (torch.arange(height).to(intrinsics) + 0.5) / height
    v, u = torch.meshgrid(
        (v - intrinsics[1, 2]) * intrinsics[1, 1], (u - intrinsics[0, 2]) * intrinsics[0, 0], indexing="ij"
    )
    return torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3].T


# %% mutant="points" question="q2" says="these are points"
def directions(camera_to_world, intrinsics, height, width):
    u = (torch.arange(width).to(intrinsics) + 0.5) / width
    v = (torch.arange(height).to(intrinsics) + 0.5) / height
    v, u = torch.meshgrid(
        (v - intrinsics[1, 2]) / intrinsics[1, 1], (u - intrinsics[0, 2]) / intrinsics[0, 0], indexing="ij"
    )
    return torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3].T + camera_to_world[:3, 3]


# %% mutant="not turned" question="q2" says="not turned into the world"
def directions(camera_to_world, intrinsics, height, width):
    u = (torch.arange(width).to(intrinsics) + 0.5) / width
    v = (torch.arange(height).to(intrinsics) + 0.5) / height
    v, u = torch.meshgrid(
        (v - intrinsics[1, 2]) / intrinsics[1, 1], (u - intrinsics[0, 2]) / intrinsics[0, 0], indexing="ij"
    )
    return torch.stack([u, v, torch.ones_like(u)], dim=-1)


# %% mutant="columns first" question="q2" says="rows, then columns"
def directions(camera_to_world, intrinsics, height, width):
    u = (torch.arange(width).to(intrinsics) + 0.5) / width
    v = (torch.arange(height).to(intrinsics) + 0.5) / height
    v, u = torch.meshgrid(
        (v - intrinsics[1, 2]) / intrinsics[1, 1], (u - intrinsics[0, 2]) / intrinsics[0, 0], indexing="ij"
    )
    return (torch.stack([u, v, torch.ones_like(u)], dim=-1) @ camera_to_world[:3, :3].T).transpose(0, 1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: a line's own numbers
#
# A camera at $o$ looks along directions $d$. Plücker's coordinates of each line are its moment and its direction, with
# $\hat d = d/\lVert d\rVert$ of length 1:
#
# $$(o\times\hat d,\ \hat d).$$
#
# Write `plucker`: six numbers for each ray, the moment first.

# %% [raw]
# # BEGIN SOLUTION


# %%
def plucker(position, directions):
    """Plücker coordinates of rays from one point.

    Args:
        position: of the camera, shape (3,).
        directions: of any length above 0, shape (n, 3).
    Returns:
        Moment, then direction, shape (n, 6).
    """
    # BEGIN SOLUTION
    unit = directions / directions.norm(dim=1, keepdim=True)
    return torch.cat([torch.linalg.cross(position.expand_as(unit), unit), unit], dim=1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_four_rays(plucker):
    import torch

    from minilib.grading.feedback import compare, run

    position = torch.tensor([2.0, -1.0, 0.5])
    rays = torch.tensor([[-2.0, 1.0, 2.0], [0.0, 3.0, 4.0], [-6.0, 0.0, -8.0], [1.0, 2.0, 2.0]])
    right = [
        [-0.83333, -1.66667, 0.0, -0.66667, 0.33333, 0.66667],
        [-1.1, -1.6, 1.2, 0.0, 0.6, 0.8],
        [0.8, 1.3, -0.6, -0.6, 0.0, -0.8],
        [-1.0, -1.16667, 1.66667, 0.33333, 0.66667, 0.66667],
    ]
    compare(
        run(plucker, position, rays),
        right,
        what="plucker(position, directions)",
        dtype=torch.float32,
        shapes={(4, 3): "Six numbers for each ray: moment and direction.", (6, 4): "One row for each ray."},
        slips={
            "The cross product is the other way round: o x d, not d x o.": [
                [0.83333, 1.66667, 0.0, -0.66667, 0.33333, 0.66667],
                [1.1, 1.6, -1.2, 0.0, 0.6, 0.8],
                [-0.8, -1.3, 0.6, -0.6, 0.0, -0.8],
                [1.0, 1.16667, -1.66667, 0.33333, 0.66667, 0.66667],
            ],
            "The moment comes first.": [
                [-0.66667, 0.33333, 0.66667, -0.83333, -1.66667, 0.0],
                [0.0, 0.6, 0.8, -1.1, -1.6, 1.2],
                [-0.6, 0.0, -0.8, 0.8, 1.3, -0.6],
                [0.33333, 0.66667, 0.66667, -1.0, -1.16667, 1.66667],
            ],
            "These depend on the directions' lengths, which a line does not have.": [
                [-2.5, -5.0, 0.0, -2.0, 1.0, 2.0],
                [-5.5, -8.0, 6.0, 0.0, 3.0, 4.0],
                [8.0, 13.0, -6.0, -6.0, 0.0, -8.0],
                [-3.0, -3.5, 5.0, 1.0, 2.0, 2.0],
            ],
            "The moment was made before the direction had length 1.": [
                [-2.5, -5.0, 0.0, -0.66667, 0.33333, 0.66667],
                [-5.5, -8.0, 6.0, 0.0, 0.6, 0.8],
                [8.0, 13.0, -6.0, -0.6, 0.0, -0.8],
                [-3.0, -3.5, 5.0, 0.33333, 0.66667, 0.66667],
            ],
            "This is a point and a direction: another point of the same line would give other numbers.": [
                [2.0, -1.0, 0.5, -0.66667, 0.33333, 0.66667],
                [2.0, -1.0, 0.5, 0.0, 0.6, 0.8],
                [2.0, -1.0, 0.5, -0.6, 0.0, -0.8],
                [2.0, -1.0, 0.5, 0.33333, 0.66667, 0.66667],
            ],
            "Both are brought to length 1; the moment's length is the line's distance from the origin.": [
                [-0.44721, -0.89443, 0.0, -0.66667, 0.33333, 0.66667],
                [-0.48192, -0.70097, 0.52573, 0.0, 0.6, 0.8],
                [0.48777, 0.79262, -0.36583, -0.6, 0.0, -0.8],
                [-0.44113, -0.51465, 0.73521, 0.33333, 0.66667, 0.66667],
            ],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_any_point_of_a_line(plucker):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, follows_device, run, unchanged

    generator = torch.Generator().manual_seed(5)
    position = torch.randn(3, generator=generator, dtype=torch.float64)
    rays = torch.randn(8, 3, generator=generator, dtype=torch.float64)
    kept = rays.clone()
    length = (rays[:, 0] ** 2 + rays[:, 1] ** 2 + rays[:, 2] ** 2) ** 0.5
    a, b, c = (rays[:, k] / length for k in range(3))
    x, y, z = position.tolist()
    right = torch.stack([y * c - z * b, z * a - x * c, x * b - y * a, a, b, c], dim=1)
    compare(run(plucker, position, rays), right, what="plucker for other rays")
    unchanged(kept, rays, what="directions")
    ahead = run(plucker, position + 0.7 * rays[0], rays[:1])
    if not torch.allclose(ahead, right[:1]):
        raise CheckFailed("plucker: the numbers of a line change if the camera goes ahead along it")
    follows_device(plucker, position, rays, what="plucker")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.views.cameras.plucker_rays


# %% mutant="other way round" question="q3" says="other way round"
def plucker(position, directions):
    unit = directions / directions.norm(dim=1, keepdim=True)
    return torch.cat([torch.linalg.cross(unit, position.expand_as(unit)), unit], dim=1)


# %% mutant="direction first" question="q3" says="The moment comes first"
def plucker(position, directions):
    unit = directions / directions.norm(dim=1, keepdim=True)
    return torch.cat([unit, torch.linalg.cross(position.expand_as(unit), unit)], dim=1)


# %% mutant="not of length 1" question="q3" says="which a line does not have"
def plucker(position, directions):
    return torch.cat([torch.linalg.cross(position.expand_as(directions), directions), directions], dim=1)


# %% mutant="moment of the long one" question="q3" says="before the direction had length 1"
def plucker(position, directions):
    moment = torch.linalg.cross(position.expand_as(directions), directions)
    return torch.cat([moment, directions / directions.norm(dim=1, keepdim=True)], dim=1)


# %% mutant="a point" question="q3" says="a point and a direction"
def plucker(position, directions):
    unit = directions / directions.norm(dim=1, keepdim=True)
    return torch.cat([position.expand_as(unit), unit], dim=1)


# %% mutant="moment of length 1" question="q3" says="Both are brought to length 1"
def plucker(position, directions):
    moment = torch.linalg.cross(position.expand_as(directions), directions)
    return torch.cat([some / some.norm(dim=1, keepdim=True) for some in (moment, directions)], dim=1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: as the first camera sees it
#
# $T_1$ and $T_k$ are two cameras' `camera_to_world`. The second one in the frame of the first is
#
# $$T_{k\to 1}=T_1^{-1}\,T_k .$$
#
# Write `relative`, which returns it. For a rotation, the inverse is the transpose; for a `camera_to_world` it is not:
# build $\begin{pmatrix}R^\top&-R^\top o\\0&1\end{pmatrix}$, or use `torch.linalg.inv`. If the world is moved as a
# whole, the result stays what it was; a hidden check moves it.

# %% [raw]
# # BEGIN SOLUTION


# %%
def relative(pose, reference):
    """A camera in the frame of another.

    Args:
        pose: camera_to_world of a camera, shape (4, 4).
        reference: camera_to_world of the camera in whose frame it is wanted, shape (4, 4).
    Returns:
        Shape (4, 4).
    """
    # BEGIN SOLUTION
    return torch.linalg.inv(reference) @ pose
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_two_cameras(relative):
    import torch

    from minilib.grading.feedback import compare, run

    pose = torch.tensor([[0.0, 0.0, 1.0, -3.0], [-1.0, 0.0, 0.0, 1.0], [0.0, -1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0]])
    reference = torch.tensor(
        [[0.6, 0.0, -0.8, 2.0], [0.8, 0.0, 0.6, -1.0], [0.0, -1.0, 0.0, 0.25], [0.0, 0.0, 0.0, 1.0]]
    )
    right = [[-0.8, 0.0, 0.6, -1.4], [0.0, 1.0, 0.0, -0.25], [-0.6, 0.0, -0.8, 5.2], [0.0, 0.0, 0.0, 1.0]]
    compare(
        run(relative, pose, reference),
        right,
        what="relative(pose, reference)",
        dtype=torch.float32,
        slips={
            "The inverse of the reference stands on the other side: this changes if the world is moved.": [
                [-0.8, 0.6, 0.0, -0.8],
                [-0.6, -0.8, 0.0, 1.4],
                [0.0, 0.0, 1.0, 0.25],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "This is the first camera as the second sees it.": [
                [-0.8, 0.0, -0.6, 2.0],
                [0.0, 1.0, 0.0, 0.25],
                [0.6, 0.0, -0.8, 5.0],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "The transpose of a 4 x 4 matrix is not its inverse: its last column is no rotation.": [
                [-0.8, 0.0, 0.6, -1.0],
                [0.0, 1.0, 0.0, -0.5],
                [-0.6, 0.0, -0.8, 3.0],
                [1.0, -0.25, 2.0, -5.875],
            ],
            "The places are subtracted in world axes; they have to be turned into the reference's.": [
                [-0.8, 0.0, 0.6, -5.0],
                [0.0, 1.0, 0.0, 2.0],
                [-0.6, 0.0, -0.8, 0.25],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "Only the rotation is relative; the place is still the world's.": [
                [-0.8, 0.0, 0.6, -3.0],
                [0.0, 1.0, 0.0, 1.0],
                [-0.6, 0.0, -0.8, 0.5],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "The place of the inverse is -o here; it is turned as well: -R^T o.": [
                [-0.8, 0.0, 0.6, -3.0],
                [0.0, 1.0, 0.0, 0.5],
                [-0.6, 0.0, -0.8, 2.75],
                [0.0, 0.0, 0.0, 1.0],
            ],
            "This is the difference of two matrices; a motion is undone by its inverse.": [
                [-0.6, 0.0, 1.8, -5.0],
                [-1.8, 0.0, -0.6, 2.0],
                [0.0, 0.0, 0.0, 0.25],
                [0.0, 0.0, 0.0, 0.0],
            ],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_the_world_is_moved(relative):
    import math

    import torch

    from minilib.grading.feedback import CheckFailed, compare, follows_device, run

    def motion(angle, axis, place):
        c, s = math.cos(angle), math.sin(angle)
        matrix = torch.eye(4, dtype=torch.float64)
        one, other = [k for k in range(3) if k != axis]
        matrix[one, one] = matrix[other, other] = c
        matrix[one, other], matrix[other, one] = -s, s
        matrix[:3, 3] = torch.tensor(place, dtype=torch.float64)
        return matrix

    first = motion(0.4, 0, [1.0, 2.0, -1.0]) @ motion(-1.1, 2, [0.0, 0.0, 0.0])
    second = motion(2.0, 1, [-1.0, 0.5, 3.0]) @ motion(0.7, 0, [0.0, 0.0, 0.0])
    turned = first[:3, :3].T
    right = torch.eye(4, dtype=torch.float64)
    right[:3, :3], right[:3, 3] = turned @ second[:3, :3], turned @ (second[:3, 3] - first[:3, 3])
    compare(run(relative, second, first), right, what="relative for two other cameras")
    world = motion(1.3, 2, [4.0, -2.0, 1.0])
    moved = run(relative, world @ second, world @ first)
    if not torch.allclose(moved, right, atol=1e-9):
        raise CheckFailed("relative: the result changes if the whole world is moved")
    compare(run(relative, first, first), torch.eye(4, dtype=torch.float64), what="a camera in its own frame")
    follows_device(relative, second, first, what="relative")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.views.relative.relative_to
# minilib.views.relative.inverse_pose
# minilib.views.inputs.turned_to


# %% mutant="other side" question="q4" says="stands on the other side"
def relative(pose, reference):
    return pose @ torch.linalg.inv(reference)


# %% mutant="the other one's" question="q4" says="as the second sees it"
def relative(pose, reference):
    return torch.linalg.inv(pose) @ reference


# %% mutant="transpose" question="q4" says="is not its inverse"
def relative(pose, reference):
    return reference.T @ pose


# %% mutant="place not turned" question="q4" says="turned into the reference's"
def relative(pose, reference):
    result = pose.clone()
    result[:3, :3] = reference[:3, :3].T @ pose[:3, :3]
    result[:3, 3] = pose[:3, 3] - reference[:3, 3]
    return result


# %% mutant="place of the world" question="q4" says="still the world's"
def relative(pose, reference):
    result = pose.clone()
    result[:3, :3] = reference[:3, :3].T @ pose[:3, :3]
    return result


# %% mutant="inverse without turning" question="q4" says="it is turned as well"
def relative(pose, reference):
    inverse = reference.clone()
    inverse[:3, :3], inverse[:3, 3] = reference[:3, :3].T, -reference[:3, 3]
    return inverse @ pose


# %% mutant="difference" question="q4" says="difference of two matrices"
def relative(pose, reference):
    return pose - reference


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: is it seen?
#
# Points have been projected into a picture: at places $(u,v)$, at depths $z$. The picture comes with a map of depths:
# the $z$, along the camera's axis, of what each pixel shows. A point is seen if
#
# 1. it is in front of the camera, $z>0$;
# 2. it is inside the picture, $0\le u<1$ and $0\le v<1$;
# 3. nothing stands before it: $z$ is less than the map's depth at its pixel plus a tolerance. Pixel number $j$ of $n$
#    reaches from $j/n$ to $(j+1)/n$.
#
# Write `seen`, which says so of each point.
#
# <details><summary>Hint</summary>
#
# Points outside have no pixel. Give them any (`clamp` the numbers) to look one up, and say False in the end.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def seen(places, depths, depth_map, tolerance):
    """Whether each point is seen.

    Args:
        places: (u, v) of points, shape (n, 2).
        depths: of the points, shape (n,).
        depth_map: shape (h, w), inf where there is nothing.
        tolerance: a number.
    Returns:
        bool, shape (n,).
    """
    # BEGIN SOLUTION
    height, width = depth_map.shape
    columns = (places[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (places[:, 1] * height).floor().long().clamp(0, height - 1)
    inside = ((places >= 0) & (places < 1)).all(dim=1)
    return (depths > 0) & inside & (depths < depth_map[rows, columns] + tolerance)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_eleven_points(seen):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, run

    depth_map = torch.tensor([[2.0, 3.0, torch.inf], [1.0, 2.5, 0.5]])
    u = [0.1, 0.45, 0.9, 0.2, 0.6, 0.95, 1.1, 0.3, 0.3, 0.5, 0.2]
    v = [0.2, 0.4, 0.1, 0.7, 0.9, 0.6, 0.3, -0.2, 0.2, 0.45, 0.3]
    places, depths = torch.tensor([u, v]).T, torch.tensor([1.9, 3.04, 9.0, 0.9, 2.6, 0.4, 1.0, 1.0, -1.0, 2.9, 1.98])
    right = [1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 1]
    got = run(seen, places, depths, depth_map, 0.05)
    if isinstance(got, torch.Tensor) and got.dtype != torch.bool:
        raise CheckFailed(f"seen: expected dtype bool, got {got.dtype}: comparisons, joined by &, make it")
    compare(
        got.int() if isinstance(got, torch.Tensor) else got,
        right,
        what="seen(places, depths, depth_map, 0.05), as 0 and 1",
        dtype=torch.int32,
        slips={
            "These are the points that are hidden.": [0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0],
            "u counts columns and v counts rows: the map is asked as [row, column].": [1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 1],
            "Rounding goes to the nearest edge; a pixel reaches from j/n to (j + 1)/n.": [
                1,
                0,
                1,
                1,
                0,
                1,
                0,
                0,
                0,
                0,
                1,
            ],
            "A point behind the camera is not seen.": [1, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1],
            "A point beside the picture is not seen, whatever the pixel at the edge shows.": [
                1,
                1,
                1,
                1,
                0,
                1,
                1,
                1,
                0,
                1,
                1,
            ],
            "The tolerance is missing.": [1, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1],
            "The tolerance goes the other way: it lets points be a little behind the surface.": [
                1,
                0,
                1,
                1,
                0,
                1,
                0,
                0,
                0,
                1,
                0,
            ],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_many_points(seen):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(3)
    for height, width in ((4, 7), (9, 3)):
        depth_map = 1 + 2 * torch.rand(height, width, generator=generator)
        places = 1.4 * torch.rand(60, 2, generator=generator) - 0.2
        depths = 4 * torch.rand(60, generator=generator) - 0.5
        right = []
        for (u, v), z in zip(places.tolist(), depths.tolist(), strict=True):
            inside = 0 <= u < 1 and 0 <= v < 1
            right.append(inside and z > 0 and z < depth_map[int(v * height), int(u * width)].item() + 0.1)
        got = run(seen, places, depths, depth_map, 0.1)
        compare(got, torch.tensor(right), what=f"seen in a picture of {height} x {width} pixels")
    follows_device(lambda p, z, m: seen(p, z, m, 0.1), places, depths, depth_map, what="seen")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.views.volume.lift


# %% mutant="hidden ones" question="q5" says="the points that are hidden"
def seen(places, depths, depth_map, tolerance):
    height, width = depth_map.shape
    columns = (places[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (places[:, 1] * height).floor().long().clamp(0, height - 1)
    inside = ((places >= 0) & (places < 1)).all(dim=1)
    return ~((depths > 0) & inside & (depths < depth_map[rows, columns] + tolerance))


# %% mutant="rows and columns" question="q5" says="asked as [row, column]"
def seen(places, depths, depth_map, tolerance):
    height, width = depth_map.shape
    columns = (places[:, 1] * width).floor().long().clamp(0, width - 1)
    rows = (places[:, 0] * height).floor().long().clamp(0, height - 1)
    inside = ((places >= 0) & (places < 1)).all(dim=1)
    return (depths > 0) & inside & (depths < depth_map[rows, columns] + tolerance)


# %% mutant="rounded" question="q5" says="nearest edge"
def seen(places, depths, depth_map, tolerance):
    height, width = depth_map.shape
    columns = (places[:, 0] * width).round().long().clamp(0, width - 1)
    rows = (places[:, 1] * height).round().long().clamp(0, height - 1)
    inside = ((places >= 0) & (places < 1)).all(dim=1)
    return (depths > 0) & inside & (depths < depth_map[rows, columns] + tolerance)


# %% mutant="behind" question="q5" says="behind the camera is not seen"
def seen(places, depths, depth_map, tolerance):
    height, width = depth_map.shape
    columns = (places[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (places[:, 1] * height).floor().long().clamp(0, height - 1)
    inside = ((places >= 0) & (places < 1)).all(dim=1)
    return inside & (depths < depth_map[rows, columns] + tolerance)


# %% mutant="beside" question="q5" says="beside the picture is not seen"
def seen(places, depths, depth_map, tolerance):
    height, width = depth_map.shape
    columns = (places[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (places[:, 1] * height).floor().long().clamp(0, height - 1)
    return (depths > 0) & (depths < depth_map[rows, columns] + tolerance)


# %% mutant="no tolerance" question="q5" says="tolerance is missing"
def seen(places, depths, depth_map, tolerance):
    height, width = depth_map.shape
    columns = (places[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (places[:, 1] * height).floor().long().clamp(0, height - 1)
    inside = ((places >= 0) & (places < 1)).all(dim=1)
    return (depths > 0) & inside & (depths < depth_map[rows, columns])


# %% mutant="tolerance subtracted" question="q5" says="goes the other way"
def seen(places, depths, depth_map, tolerance):
    height, width = depth_map.shape
    columns = (places[:, 0] * width).floor().long().clamp(0, width - 1)
    rows = (places[:, 1] * height).floor().long().clamp(0, height - 1)
    inside = ((places >= 0) & (places < 1)).all(dim=1)
    return (depths > 0) & inside & (depths < depth_map[rows, columns] - tolerance)


# %% [raw]
# # END QUESTION
