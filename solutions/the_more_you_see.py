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
# name: the_more_you_see
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: the more you see
#
# Five questions, from two lines of code to eight, on the chapter *The more you see*. Allow an hour.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - Camera axes are OpenCV's: $x$ right, $y$ down, $z$ forward. `camera_to_world` is 4×4: its first three columns hold
#   the camera's axes, the last one its place. Objects stand at the world's origin.
# - torch is enough. New tensors go to the device and dtype of the arguments: hidden checks look.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "the_more_you_see"
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
# ## Question 1: three numbers that turn
#
# A pose that learns needs parameters that may take any value. SAP3D keeps three for each camera. Here they are an
# axis times an angle: the vector $w$ turns by $\theta=\lVert w\rVert$ radians about $w/\theta$, counter-clockwise as
# seen from its tip. With the cross product as a matrix,
#
# $$[w]_\times=\begin{pmatrix}0&-w_z&w_y\\w_z&0&-w_x\\-w_y&w_x&0\end{pmatrix},\qquad
# R=I+\frac{\sin\theta}{\theta}\,[w]_\times+\frac{1-\cos\theta}{\theta^2}\,[w]_\times^2 .$$
#
# (Rodrigues' formula; it is the matrix exponential of $[w]_\times$.) Write `turn`. Learning starts at $w=0$, where
# $R=I$, and must not give NaN there. (The checks look at values only; a good answer also lets gradients through.)
#
# <details><summary>Hint</summary>
#
# `torch.linalg.matrix_exp` has no trouble at 0.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def turn(w):
    """The rotation that a vector stands for.

    Args:
        w: axis times angle in radians, shape (3,).
    Returns:
        Shape (3, 3).
    """
    # BEGIN SOLUTION
    x, y, z = w
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    return torch.linalg.matrix_exp(cross)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_a_turn(turn):
    import torch

    from minilib.grading.feedback import compare, run

    w = torch.tensor([0.5, -1.0, 0.75])
    right = [[0.32985, -0.75755, -0.5633], [0.32866, 0.65152, -0.68374], [0.88498, 0.04039752, 0.46388]]
    compare(
        run(turn, w),
        right,
        what="turn(w)",
        dtype=torch.float32,
        rtol=1e-3,
        atol=1e-4,
        slips={
            "This turns the other way: the signs of [w]× are exchanged.": [
                [0.32985, 0.32866, 0.88498],
                [-0.75755, 0.65152, 0.04039764],
                [-0.5633, -0.68374, 0.46388],
            ],
            "This is I + [w]× alone: for small angles that is nearly a rotation, for this one it is none.": [
                [1.0, -0.75, -1.0],
                [0.75, 1.0, -0.5],
                [1.0, 0.5, 1.0],
            ],
            "These are three turns one after the other, about x, y and z; w is one turn about one axis.": [
                [0.39533, -0.89336, -0.21355],
                [0.36829, 0.36715, -0.85414],
                [0.84147, 0.25902, 0.47416],
            ],
            "The axis is not of length 1 in [w]×, but sin θ and 1 − cos θ are not divided: θ counts twice.": [
                [-0.21465, -1.11987, -0.68339],
                [0.34249, 0.36838, -1.07048],
                [1.26642, -0.09558, 0.0282799],
            ],
            "Angles are radians, not degrees.": [
                [0.99976, -0.01316492, -0.01739457],
                [0.01301261, 0.99988, -0.00884007],
                [0.0175088, 0.00861162, 0.99981],
            ],
            "[w]×² is a matrix product, not the squares of the entries.": [
                [1.0, -0.30185, -0.29524],
                [0.78436, 1.0, -0.25485],
                [1.15304, 0.46929, 1.0],
            ],
            "The last term has θ below it, where θ² belongs.": [
                [0.09778, -0.83182, -0.50761],
                [0.2544, 0.53085, -0.79514],
                [0.94067, -0.07099, 0.27822],
            ],
        },
    )
    compare(
        run(turn, torch.zeros(3)),
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        what="turn of zeros: the identity",
        dtype=torch.float32,
        atol=1e-4,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_turns(turn):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, run, unchanged

    generator = torch.Generator().manual_seed(2)
    for axis in range(3):
        w = torch.zeros(3, dtype=torch.float64)
        w[axis] = 0.3 + axis
        i, j = (axis + 1) % 3, (axis + 2) % 3
        right = torch.eye(3, dtype=torch.float64)
        c, s = math.cos(0.3 + axis), math.sin(0.3 + axis)
        right[i, i], right[i, j], right[j, i], right[j, j] = c, -s, s, c
        compare(run(turn, w), right, what=f"turn about axis {axis}", atol=1e-4)
    w = torch.randn(3, generator=generator, dtype=torch.float64)
    before, got = w.clone(), run(turn, w)
    compare(got @ got.T, torch.eye(3, dtype=torch.float64), what="turn(w) times its transpose", atol=1e-4)
    compare(got @ w, w, what="turn(w) @ w: the axis stays", atol=1e-4)
    unchanged(before, w, what="w")
    follows_device(turn, w, what="turn")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.views.poses.TurnedCameras


# %% mutant="other way" question="q1" says="turns the other way"
def turn(w):
    x, y, z = w
    zero = torch.zeros_like(x)
    return torch.linalg.matrix_exp(torch.stack([zero, z, -y, -z, zero, x, y, -x, zero]).reshape(3, 3))


# %% mutant="small angles" question="q1" says="for this one it is none"
def turn(w):
    x, y, z = w
    zero = torch.zeros_like(x)
    return torch.eye(3).to(w) + torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)


# %% mutant="Euler" question="q1" says="one turn about one axis"
def turn(w):
    x, y, z = w
    zero = torch.zeros_like(x)
    parts = [
        [zero, zero, zero, zero, zero, -x, zero, x, zero],
        [zero, zero, y, zero, zero, zero, -y, zero, zero],
        [zero, -z, zero, z, zero, zero, zero, zero, zero],
    ]
    a, b, c = (torch.linalg.matrix_exp(torch.stack(part).reshape(3, 3)) for part in parts)
    return c @ b @ a


# %% mutant="not divided" question="q1" says="counts twice"
def turn(w):
    x, y, z = w
    zero, angle = torch.zeros_like(x), w.norm()
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    return torch.eye(3).to(w) + angle.sin() * cross + (1 - angle.cos()) * cross @ cross


# %% mutant="degrees" question="q1" says="not degrees"
def turn(w):
    x, y, z = torch.deg2rad(w)
    zero = torch.zeros_like(x)
    return torch.linalg.matrix_exp(torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3))


# %% mutant="squares" question="q1" says="not the squares of the entries"
def turn(w):
    x, y, z = w
    zero, angle = torch.zeros_like(x), w.norm().clamp(min=1e-8)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    return torch.eye(3).to(w) + angle.sin() / angle * cross + (1 - angle.cos()) / angle**2 * cross**2


# %% mutant="theta once" question="q1" says="θ² belongs"
def turn(w):
    x, y, z = w
    zero, angle = torch.zeros_like(x), w.norm().clamp(min=1e-8)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    return torch.eye(3).to(w) + angle.sin() / angle * cross + (1 - angle.cos()) / angle * cross @ cross


# %% mutant="not at 0" question="q1" says="turn of zeros"
def turn(w):
    x, y, z = w
    zero, angle = torch.zeros_like(x), w.norm()
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    return torch.eye(3).to(w) + angle.sin() / angle * cross + (1 - angle.cos()) / angle**2 * cross @ cross


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: how wrong are poses?
#
# Nobody knows which way the world of unposed pictures is turned. So poses are compared as the first camera sees the
# others. For each camera but the first, take the rotation relative to the first one, $R_1^\top R_k$, for the found
# poses and for the true ones, and report the angle between the two, in **degrees**: a rotation $D$ turns by the angle
# whose cosine is $(\operatorname{tr}D-1)/2$.
#
# Write `pose_errors`.
#
# <details><summary>Hint</summary>
#
# The rotation that is left between relative rotations $A$ and $B$ is $A^\top B$. Rounding may push the cosine a
# little beyond 1: `clamp` it.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def pose_errors(found, truth):
    """Angles between found and true relative rotations.

    Args:
        found, truth: camera_to_world of n cameras, shape (n, 4, 4).
    Returns:
        In degrees, shape (n - 1,).
    """
    # BEGIN SOLUTION
    (a, b) = (poses[0, :3, :3].T @ poses[1:, :3, :3] for poses in (found, truth))
    trace = (a.mT @ b).diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1)))
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_three_cameras(pose_errors):
    import torch

    from minilib.grading.feedback import compare, run

    truth = torch.eye(4).repeat(3, 1, 1)
    found = torch.eye(4).repeat(3, 1, 1)
    truth[:, :3, :3] = torch.tensor(
        [
            [[0.93969, -0.34202, 0.0], [0.34202, 0.93969, 0.0], [0.0, 0.0, 1.0]],
            [[0.81915, 0.0, 0.57358], [0.0, 1.0, 0.0], [-0.57358, 0.0, 0.81915]],
            [[0.96593, -0.25882, 0.0], [0.19827, 0.73994, 0.64279], [-0.16637, -0.62089, 0.76604]],
        ]
    )
    found[:, :3, :3] = torch.tensor(
        [
            [[0.64279, -0.76604, 0.0], [0.76604, 0.64279, 0.0], [0.0, 0.0, 1.0]],
            [[0.99619, 0.0, 0.08716], [0.0, 1.0, 0.0], [-0.08716, 0.0, 0.99619]],
            [[0.78489, -0.49997, 0.36599], [0.45313, 0.86603, 0.21129], [-0.42261, 0.0, 0.90631]],
        ]
    )
    right = [42.18139, 46.37347]
    compare(
        run(pose_errors, found, truth),
        right,
        what="pose_errors(found, truth)",
        dtype=torch.float32,
        rtol=1e-3,
        atol=1e-3,
        shapes={(3,): "The first camera is what the others are compared with: leave it out."},
        slips={
            "These are radians.": [0.7362, 0.80937],
            "The worlds' own axes are compared; how they are turned nobody knows. Take R₁ᵀR first.": [
                29.99999,
                40.59754,
            ],
            "This is R R₁ᵀ, told in the world's axes; as the first camera sees it, it is R₁ᵀR.": [42.18139, 34.65112],
            "One of the two is not transposed: this is a product of rotations, not what is left between them.": [
                79.68169,
                55.24876,
            ],
            "The cosine is (trace − 1) / 2.": [34.17268, 37.50472],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_worlds_may_be_turned(pose_errors):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(8)

    def rotations(n):
        q = torch.linalg.qr(torch.randn(n, 3, 3, generator=generator, dtype=torch.float64))[0]
        return q * torch.linalg.det(q).sign()[:, None, None]

    def cameras(rotation):
        pose = torch.eye(4, dtype=torch.float64).repeat(len(rotation), 1, 1)
        pose[:, :3, :3] = rotation
        pose[:, :3, 3] = torch.randn(len(rotation), 3, generator=generator, dtype=torch.float64)
        return pose

    truth, world, left = rotations(5), rotations(1), rotations(5)
    left[0] = torch.eye(3, dtype=torch.float64)
    found = cameras(world @ truth @ left)
    traces = torch.stack([rotation.trace() for rotation in left[1:]])
    right = torch.rad2deg(torch.acos((traces - 1) / 2))
    compare(run(pose_errors, found, cameras(truth)), right, what="pose_errors in a world that is turned", atol=0.05)
    same = cameras(truth)
    compare(
        run(pose_errors, same, same), torch.zeros(4, dtype=torch.float64), what="pose_errors of equal poses", atol=0.05
    )
    follows_device(pose_errors, found, same, what="pose_errors")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.views.relative.rotation_error
# minilib.views.relative.relative_to


# %% mutant="radians" question="q2" says="These are radians"
def pose_errors(found, truth):
    (a, b) = (poses[0, :3, :3].T @ poses[1:, :3, :3] for poses in (found, truth))
    trace = (a.mT @ b).diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.acos(((trace - 1) / 2).clamp(-1, 1))


# %% mutant="absolute" question="q2" says="how they are turned nobody knows"
def pose_errors(found, truth):
    a, b = found[1:, :3, :3], truth[1:, :3, :3]
    trace = (a.mT @ b).diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1)))


# %% mutant="other order" question="q2" says="as the first camera sees it"
def pose_errors(found, truth):
    (a, b) = (poses[1:, :3, :3] @ poses[0, :3, :3].T for poses in (found, truth))
    trace = (a.mT @ b).diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1)))


# %% mutant="product" question="q2" says="not what is left between them"
def pose_errors(found, truth):
    (a, b) = (poses[0, :3, :3].T @ poses[1:, :3, :3] for poses in (found, truth))
    trace = (a @ b).diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1)))


# %% mutant="trace" question="q2" says="The cosine is (trace − 1) / 2"
def pose_errors(found, truth):
    (a, b) = (poses[0, :3, :3].T @ poses[1:, :3, :3] for poses in (found, truth))
    trace = (a.mT @ b).diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.rad2deg(torch.acos((trace / 3).clamp(-1, 1)))


# %% mutant="all cameras" question="q2" says="leave it out"
def pose_errors(found, truth):
    (a, b) = (poses[0, :3, :3].T @ poses[:, :3, :3] for poses in (found, truth))
    trace = (a.mT @ b).diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1)))


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: one assumption for all
#
# The search renders the volume of the first view from everywhere, and compares it with each of the other views. What
# "everywhere" is depends on how high the *first* camera stood, which nobody knows either. So there is an error for
# each assumption $h$ about the first camera, each place $c$, and each view $k$. The first camera stood in *one*
# place: choose the assumption under which the **sum** over all views is smallest, if each takes its best place, and
# then those places. (Two views may have the same one.)
#
# Write `best_places`.

# %% [raw]
# # BEGIN SOLUTION


# %%
def best_places(errors):
    """The assumption that explains all views best, and where they were taken from under it.

    Args:
        errors: for each assumption, place and view, shape (h, c, k).
    Returns:
        A tuple: the assumption's number, an int; each view's place, int64, shape (k,).
    """
    # BEGIN SOLUTION
    assumption = int(errors.amin(dim=1).sum(dim=1).argmin())
    return assumption, errors[assumption].argmin(dim=0)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_three_views(best_places):
    import torch

    from minilib.grading.feedback import CheckFailed, compare, parts, run

    errors = torch.tensor(
        [
            [
                [0.10000000149011612, 0.8999999761581421, 0.800000011920929],
                [0.699999988079071, 0.6000000238418579, 0.8999999761581421],
                [0.800000011920929, 0.699999988079071, 0.5],
                [0.8999999761581421, 0.800000011920929, 0.699999988079071],
            ],
            [
                [0.6000000238418579, 0.5, 0.8999999761581421],
                [0.30000001192092896, 0.800000011920929, 0.8999999761581421],
                [0.8999999761581421, 0.20000000298023224, 0.800000011920929],
                [0.800000011920929, 0.8999999761581421, 0.30000001192092896],
            ],
            [
                [0.5, 0.4000000059604645, 0.5],
                [0.4000000059604645, 0.5, 0.4000000059604645],
                [0.5, 0.5, 0.5],
                [0.5, 0.4000000059604645, 0.5],
            ],
        ]
    )
    assumption, places = parts(run(best_places, errors), ("assumption", "places"), what="best_places(errors)")
    if isinstance(assumption, torch.Tensor) and assumption.ndim == 0:
        assumption = assumption.item()
    if not isinstance(assumption, int) or isinstance(assumption, bool):
        raise CheckFailed(f"the assumption: expected an int, got {type(assumption).__name__}")
    reasons = {
        0: "this one has the smallest single error; it has to serve all views",
        2: "places are averaged, shared by all views, or the worst ones; each view takes its best place",
    }
    if assumption != 1:
        reason = reasons.get(assumption, "take the sum over views of each view's smallest error")
        raise CheckFailed(f"the assumption: expected 1, got {assumption}: {reason}")
    right = [1, 2, 3]
    compare(
        places,
        right,
        what="the places",
        dtype=torch.int64,
        slips={
            "Each view takes its place under its own favourite assumption; the first camera stood in one place.": [
                0,
                2,
                3,
            ],
            "All views get one place; each has its own.": [2, 2, 2],
            "These are the places with the largest errors.": [2, 3, 0],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_many_views(best_places):
    import torch

    from minilib.grading.feedback import compare, parts, run

    for seed, shape in enumerate(((4, 9, 5), (1, 3, 1), (6, 2, 8))):
        errors = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        totals = []
        for h in range(shape[0]):
            totals.append(sum(min(errors[h, c, k].item() for c in range(shape[1])) for k in range(shape[2])))
        chosen = min(range(shape[0]), key=totals.__getitem__)
        where = [min(range(shape[1]), key=lambda c: errors[chosen, c, k].item()) for k in range(shape[2])]
        assumption, places = parts(run(best_places, errors), ("assumption", "places"), what="best_places")
        compare(torch.tensor([int(assumption)]), [chosen], what=f"the assumption of {shape}", dtype=torch.int64)
        compare(places, where, what=f"the places of {shape}", dtype=torch.int64)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.views.pose_search.search_poses


# %% mutant="best of all" question="q3" says="it has to serve all views"
def best_places(errors):
    assumption = int(errors.amin(dim=(1, 2)).argmin())
    return assumption, errors[assumption].argmin(dim=0)


# %% mutant="mean over places" question="q3" says="places are averaged, shared by all views"
def best_places(errors):
    assumption = int(errors.mean(dim=1).sum(dim=1).argmin())
    return assumption, errors[assumption].argmin(dim=0)


# %% mutant="each its own" question="q3" says="its own favourite assumption"
def best_places(errors):
    assumption = int(errors.amin(dim=1).sum(dim=1).argmin())
    return assumption, errors.flatten(0, 1).argmin(dim=0) % errors.shape[1]


# %% mutant="one place" question="q3" says="All views get one place"
def best_places(errors):
    assumption = int(errors.amin(dim=1).sum(dim=1).argmin())
    return assumption, errors[assumption].sum(dim=1).argmin().expand(errors.shape[2])


# %% mutant="largest" question="q3" says="the largest errors"
def best_places(errors):
    assumption = int(errors.amin(dim=1).sum(dim=1).argmin())
    return assumption, errors[assumption].argmax(dim=0)


# %% mutant="a mean as number" question="q3" says="expected an int"
def best_places(errors):
    totals = errors.amin(dim=1).sum(dim=1)
    return float(totals.min()), errors[int(totals.argmin())].argmin(dim=0)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: a step downhill
#
# A camera stands nearly right. It looks at the world's origin from a distance of 2.9, so where it stands is told by
# two angles, azimuth and elevation, in radians: `orbit(azimuth, elevation, 2.9)` of `minilib.views.cameras` makes the
# camera, and `project(camera, points)` returns where it sees points, $(u,v)$, shape (n, 2), and their depths, shape
# (n,). Gradients flow through both. It should see given points of the object at given places. The loss is the mean
# over points of the squared distance between where it sees them and where it should, $(u-u^*)^2+(v-v^*)^2$.
#
# Write `stepped`: the two angles after one step of gradient descent, the old ones minus rate times the gradient. Let
# autograd find the gradient. The result is a plain tensor, which requires no gradient.
#
# <details><summary>Hint</summary>
#
# `angles.clone().requires_grad_()` is a tensor that autograd watches, and leaves the argument alone;
# `torch.autograd.grad(loss, it)` returns a tuple.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def stepped(angles, points, seen, rate):
    """A camera's angles after one step of gradient descent.

    Args:
        angles: azimuth and elevation in radians, float64, shape (2,).
        points: of the object, in the world, float64, shape (n, 3).
        seen: where the camera should see them, in shares of the picture, float64, shape (n, 2).
        rate: how far the step goes for a gradient of 1, a float.
    Returns:
        Shape (2,).
    """
    # BEGIN SOLUTION
    from minilib.views.cameras import orbit, project

    here = angles.clone().requires_grad_()
    places, _ = project(orbit(here[0], here[1], 2.9), points)
    loss = (places - seen).square().sum(dim=1).mean()
    (gradient,) = torch.autograd.grad(loss, here)
    return angles - rate * gradient
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_one_step(stepped):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    points = [[0.5, 0.25, 0.0], [-0.25, 0.5, 0.5], [0.0, 0.0, 0.75], [0.25, -0.5, 0.25]]
    seen = [[0.6, 0.55], [0.75, 0.25], [0.45, 0.2], [0.25, 0.4]]
    points, seen = (torch.tensor(some, dtype=torch.float64) for some in (points, seen))
    angles = torch.tensor([0.5, 0.25], dtype=torch.float64)
    before = angles.clone()
    right = [0.49063, 0.24709]
    compare(
        run(stepped, angles, points, seen, 0.5),
        right,
        what="stepped(angles, points, seen, 0.5)",
        dtype=torch.float64,
        rtol=1e-5,
        atol=1e-5,
        slips={
            "These are the angles you were given: no step was taken.": [0.5, 0.25],
            "This goes uphill: a step goes against the gradient.": [0.50937, 0.25291],
            "This is the step alone; it is added to the angles.": [-0.00936944, -0.00291231],
            "The loss is the mean over points, not their sum.": [0.46252, 0.23835],
            "The mean is over u and v as well here; add the two squares, then take the mean over points.": [
                0.49532,
                0.24854,
            ],
            "The rate is missing.": [0.48126, 0.24418],
            "Distances are squared; here they are not.": [0.45611, 0.23127],
            "The step has length rate; it is rate times the gradient.": [0.02253369, 0.10159],
            "orbit takes radians; these were turned from degrees first.": [0.50007, 0.25008],
        },
    )
    unchanged(before, angles, what="angles")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_descent_arrives(stepped):
    import torch

    from minilib.grading.feedback import compare, run
    from minilib.views.cameras import orbit, project

    points = torch.rand(9, 3, generator=torch.Generator().manual_seed(7), dtype=torch.float64) - 0.5
    angles = torch.tensor([-1.2, 0.6], dtype=torch.float64)

    def look(some):
        return project(orbit(some[0], some[1], 2.9), points)[0]

    compare(run(stepped, angles, points, look(angles), 1.0), angles, what="stepped of a camera that stands right")
    wanted, small, slopes = look(angles + torch.tensor([0.1, -0.05], dtype=torch.float64)), 1e-5, []
    for number in range(2):
        turn = torch.zeros(2, dtype=torch.float64)
        turn[number] = small
        losses = [(look(angles + sign * turn) - wanted).square().sum(1).mean() for sign in (1, -1)]
        slopes.append((losses[0] - losses[1]) / (2 * small))
    got = run(stepped, angles, points, wanted, 0.25)
    right = angles - 0.25 * torch.stack(slopes)
    compare(got, right, what="stepped beside a slope measured by small turns", rtol=1e-6, atol=1e-7)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.views.poses.adapt


# %% mutant="uphill" question="q4" says="against the gradient"
def stepped(angles, points, seen, rate):
    from minilib.views.cameras import orbit, project

    here = angles.clone().requires_grad_()
    places, _ = project(orbit(here[0], here[1], 2.9), points)
    loss = (places - seen).square().sum(dim=1).mean()
    (gradient,) = torch.autograd.grad(loss, here)
    return angles + rate * gradient


# %% mutant="step alone" question="q4" says="it is added to the angles"
def stepped(angles, points, seen, rate):
    from minilib.views.cameras import orbit, project

    here = angles.clone().requires_grad_()
    places, _ = project(orbit(here[0], here[1], 2.9), points)
    loss = (places - seen).square().sum(dim=1).mean()
    (gradient,) = torch.autograd.grad(loss, here)
    return -rate * gradient


# %% mutant="sum" question="q4" says="not their sum"
def stepped(angles, points, seen, rate):
    from minilib.views.cameras import orbit, project

    here = angles.clone().requires_grad_()
    places, _ = project(orbit(here[0], here[1], 2.9), points)
    loss = (places - seen).square().sum()
    (gradient,) = torch.autograd.grad(loss, here)
    return angles - rate * gradient


# %% mutant="mean of both" question="q4" says="over u and v as well"
def stepped(angles, points, seen, rate):
    from minilib.views.cameras import orbit, project

    here = angles.clone().requires_grad_()
    places, _ = project(orbit(here[0], here[1], 2.9), points)
    loss = (places - seen).square().mean()
    (gradient,) = torch.autograd.grad(loss, here)
    return angles - rate * gradient


# %% mutant="no rate" question="q4" says="The rate is missing"
def stepped(angles, points, seen, rate):
    from minilib.views.cameras import orbit, project

    here = angles.clone().requires_grad_()
    places, _ = project(orbit(here[0], here[1], 2.9), points)
    loss = (places - seen).square().sum(dim=1).mean()
    (gradient,) = torch.autograd.grad(loss, here)
    return angles - gradient


# %% mutant="not squared" question="q4" says="here they are not"
def stepped(angles, points, seen, rate):
    from minilib.views.cameras import orbit, project

    here = angles.clone().requires_grad_()
    places, _ = project(orbit(here[0], here[1], 2.9), points)
    loss = (places - seen).norm(dim=1).mean()
    (gradient,) = torch.autograd.grad(loss, here)
    return angles - rate * gradient


# %% mutant="unit step" question="q4" says="has length rate"
def stepped(angles, points, seen, rate):
    from minilib.views.cameras import orbit, project

    here = angles.clone().requires_grad_()
    places, _ = project(orbit(here[0], here[1], 2.9), points)
    loss = (places - seen).square().sum(dim=1).mean()
    (gradient,) = torch.autograd.grad(loss, here)
    return angles - rate * gradient / gradient.norm()


# %% mutant="degrees" question="q4" says="orbit takes radians"
def stepped(angles, points, seen, rate):
    from minilib.views.cameras import orbit, project

    here = angles.clone().requires_grad_()
    places, _ = project(orbit(torch.deg2rad(here)[0], torch.deg2rad(here)[1], 2.9), points)
    loss = (places - seen).square().sum(dim=1).mean()
    (gradient,) = torch.autograd.grad(loss, here)
    return angles - rate * gradient


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: does more help?
#
# For each of $n$ objects there is a PSNR with one picture, with two, and so on. Answer three questions about "the
# more pictures, the better":
#
# - for which share of objects does PSNR rise at **every** step;
# - by how much does the last exceed the first, on average;
# - what is the 95 % bootstrap interval of that mean? Resample **objects**: `picks` has a row of $n$ object numbers
# for each resampling; take the mean over each row, and of these means the 2.5 % and 97.5 % quantiles, as
# `torch.quantile` interpolates. Both PSNRs of an object are resampled together: easy objects are easy with one
# picture and with five.
#
# Write `more_helps`.

# %% [raw]
# # BEGIN SOLUTION


# %%
def more_helps(psnr, picks):
    """How much more pictures help.

    Args:
        psnr: of each object with more and more pictures, shape (n, m).
        picks: object numbers for each resampling, int64, shape (r, n).
    Returns:
        Shape (4,): the share, the mean gain, and the two ends of its interval.
    """
    # BEGIN SOLUTION
    share = (psnr.diff(dim=1) > 0).all(dim=1).to(psnr).mean()
    gains = psnr[:, -1] - psnr[:, 0]
    ends = gains[picks].mean(dim=1).quantile(torch.tensor([0.025, 0.975], dtype=psnr.dtype, device=psnr.device))
    return torch.cat([torch.stack([share, gains.mean()]), ends])
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 2
"""  # END TEST CONFIG


def test_five_objects(more_helps):
    import torch

    from minilib.grading.feedback import compare, run

    psnr = torch.tensor(
        [
            [16.0, 17.0, 17.5, 18.0],
            [15.0, 15.5, 15.25, 17.0],
            [18.0, 18.5, 18.5, 19.0],
            [20.0, 19.5, 19.0, 19.75],
            [14.0, 16.0, 17.0, 19.0],
        ]
    )
    picks = torch.tensor(
        [
            [0, 1, 1, 4, 2],
            [3, 3, 0, 2, 1],
            [4, 4, 0, 1, 3],
            [2, 0, 0, 3, 3],
            [1, 2, 3, 4, 0],
            [4, 2, 2, 1, 4],
            [0, 0, 3, 1, 2],
            [3, 4, 1, 1, 0],
        ]
    )
    right = [0.4, 1.95, 0.9, 2.79125]
    compare(
        run(more_helps, psnr, picks),
        right,
        what="more_helps(psnr, picks)",
        dtype=torch.float32,
        slips={
            "The first number counts objects that end higher than they began; PSNR has to rise at every step.": [
                0.8,
                1.95,
                0.9,
                2.79125,
            ],
            "The first number counts steps, not objects.": [0.73333, 1.95, 0.9, 2.79125],
            "The first number counts objects that fall nowhere; standing still is no rise.": [0.6, 1.95, 0.9, 2.79125],
            "The gain is of the last step alone; take the last minus the first.": [0.4, 1.1, 0.635, 1.39125],
            "First and last PSNR are resampled apart: the two of an object belong together.": [0.4, 1.95, 0.585, 3.1],
            "These are the quantiles at 5 % and 95 %, the ends of a 90 % interval.": [0.4, 1.95, 0.9, 2.7825],
            "These are the nearest of the means; quantiles lie between two of them, as torch.quantile has it.": [
                0.4,
                1.95,
                0.9,
                2.8,
            ],
            "These are quantiles over objects: how they differ, not how sure their mean is.": [0.4, 1.95, -0.125, 4.7],
        },
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_objects(more_helps):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(6)
    psnr = 17 + torch.randn(12, 4, generator=generator, dtype=torch.float64).cumsum(1)
    picks = torch.randint(12, (50, 12), generator=generator)
    rising = sum(all(row[k + 1] > row[k] for k in range(3)) for row in psnr.tolist()) / 12
    gains = [row[-1] - row[0] for row in psnr.tolist()]
    means = sorted(sum(gains[number] for number in row) / 12 for row in picks.tolist())

    def quantile(q):
        place = q * 49
        low = int(place)
        return means[low] + (place - low) * (means[min(low + 1, 49)] - means[low])

    right = torch.tensor([rising, sum(gains) / 12, quantile(0.025), quantile(0.975)], dtype=torch.float64)
    compare(run(more_helps, psnr, picks), right, what="more_helps of twelve objects")
    follows_device(more_helps, psnr, picks, what="more_helps")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.metrics.bootstrap_interval


# %% mutant="end above start" question="q5" says="rise at every step"
def more_helps(psnr, picks):
    gains = psnr[:, -1] - psnr[:, 0]
    ends = gains[picks].mean(dim=1).quantile(torch.tensor([0.025, 0.975]).to(psnr))
    return torch.cat([torch.stack([(gains > 0).to(psnr).mean(), gains.mean()]), ends])


# %% mutant="steps" question="q5" says="counts steps, not objects"
def more_helps(psnr, picks):
    gains = psnr[:, -1] - psnr[:, 0]
    ends = gains[picks].mean(dim=1).quantile(torch.tensor([0.025, 0.975]).to(psnr))
    return torch.cat([torch.stack([(psnr.diff(dim=1) > 0).to(psnr).mean(), gains.mean()]), ends])


# %% mutant="not falling" question="q5" says="standing still is no rise"
def more_helps(psnr, picks):
    gains = psnr[:, -1] - psnr[:, 0]
    ends = gains[picks].mean(dim=1).quantile(torch.tensor([0.025, 0.975]).to(psnr))
    return torch.cat([torch.stack([(psnr.diff(dim=1) >= 0).all(dim=1).to(psnr).mean(), gains.mean()]), ends])


# %% mutant="last step" question="q5" says="of the last step alone"
def more_helps(psnr, picks):
    gains = psnr[:, -1] - psnr[:, -2]
    ends = gains[picks].mean(dim=1).quantile(torch.tensor([0.025, 0.975]).to(psnr))
    return torch.cat([torch.stack([(psnr.diff(dim=1) > 0).all(dim=1).to(psnr).mean(), gains.mean()]), ends])


# %% mutant="apart" question="q5" says="resampled apart"
def more_helps(psnr, picks):
    gains = psnr[:, -1] - psnr[:, 0]
    means = psnr[:, -1][picks].mean(dim=1) - psnr[:, 0][picks.roll(1, 0)].mean(dim=1)
    ends = means.quantile(torch.tensor([0.025, 0.975]).to(psnr))
    return torch.cat([torch.stack([(psnr.diff(dim=1) > 0).all(dim=1).to(psnr).mean(), gains.mean()]), ends])


# %% mutant="ninety" question="q5" says="a 90 % interval"
def more_helps(psnr, picks):
    gains = psnr[:, -1] - psnr[:, 0]
    ends = gains[picks].mean(dim=1).quantile(torch.tensor([0.05, 0.95]).to(psnr))
    return torch.cat([torch.stack([(psnr.diff(dim=1) > 0).all(dim=1).to(psnr).mean(), gains.mean()]), ends])


# %% mutant="nearest" question="q5" says="quantiles lie between two of them"
def more_helps(psnr, picks):
    gains = psnr[:, -1] - psnr[:, 0]
    ends = gains[picks].mean(dim=1).quantile(torch.tensor([0.025, 0.975]).to(psnr), interpolation="nearest")
    return torch.cat([torch.stack([(psnr.diff(dim=1) > 0).all(dim=1).to(psnr).mean(), gains.mean()]), ends])


# %% mutant="over objects" question="q5" says="not how sure their mean is"
def more_helps(psnr, picks):
    gains = psnr[:, -1] - psnr[:, 0]
    ends = gains.quantile(torch.tensor([0.025, 0.975]).to(psnr))
    return torch.cat([torch.stack([(psnr.diff(dim=1) > 0).all(dim=1).to(psnr).mean(), gains.mean()]), ends])


# %% [raw]
# # END QUESTION
