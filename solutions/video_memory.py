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
# name: video_memory
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: a memory for masks
#
# Five questions, from one line of code to five. You write parts that SAM 2 (Ravi et al. 2024) adds to a model of
# pictures, as in the chapter *A memory for masks*; read it first. Allow an hour.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - **Frames are counted from 0.** Tokens are rows: `(n, d)`; masks are `(t, h, w)`, one for each frame.
# - torch is enough. New tensors go to the device of the arguments (`device=x.device`): hidden checks look.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "video_memory"
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
# ## Question 1: which frames does a frame look at?
#
# The memory bank keeps a memory of each frame that had a prompt, and of each frame that was tracked (Ravi et al. 2024,
# section 4, "Memory bank"). With $N$ = `num_memories`, a frame looks at
#
# 1. all frames that had a prompt, wherever they are, except itself. Their distance does not count: it is written as 0;
# 2. its neighbours exactly $1, 2, \ldots, N-1$ frames away, on the side that tracking comes from, nearest first. A
#    neighbour that was not tracked is left out, and nothing takes its place.
#
# Tracking comes from the frames before; in reverse, from the frames after. Write `looks_at`, which returns a list of
# pairs `(distance, frame)`: those of 1 in the order given, then those of 2.
#
# <details><summary>Hint</summary>
#
# Walk through the distances, not through the tracked frames: `range(1, num_memories)` is nearest first, and for each
# distance there is one frame to ask for.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    """The frames that a frame looks at.

    Args:
        frame: number of the frame that looks, a Python int.
        prompted: numbers of the frames that had a prompt, a list; it may hold `frame`.
        tracked: numbers of the other frames that have a memory, a list in any order.
        num_memories: N, a Python int, at least 1.
        reverse: whether the video is tracked from its end to its start.
    Returns:
        A list of pairs (distance, frame).
    """
    # BEGIN SOLUTION
    step = 1 if reverse else -1
    neighbours = [(away, frame + step * away) for away in range(1, num_memories)]
    return [(0, other) for other in prompted if other != frame] + [pair for pair in neighbours if pair[1] in tracked]
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_forwards(looks_at):
    from minilib.grading.feedback import run

    prompted, tracked = [0, 10, 13], [14, 12, 11, 9, 6, 5, 4, 3, 2, 1]
    what = "looks_at(10, [0, 10, 13], [14, 12, 11, 9, 6, 5, 4, 3, 2, 1], 5)"
    right = [(0, 0), (0, 13), (1, 9), (4, 6)]
    slips = {
        "This looks into the future: tracking comes from the frames before.": [
            (0, 0),
            (0, 13),
            (1, 11),
            (2, 12),
            (4, 14),
        ],
        "This looks to both sides; only frames before it are neighbours.": [
            (0, 0),
            (0, 13),
            (1, 9),
            (1, 11),
            (2, 12),
            (4, 6),
            (4, 14),
        ],
        "Prompted frames do not count: there are num_memories - 1 neighbours beside them.": [(0, 0), (0, 13), (1, 9)],
        "These are the oldest tracked frames; neighbours are nearest.": [
            (0, 0),
            (0, 13),
            (9, 1),
            (8, 2),
            (7, 3),
            (6, 4),
        ],
        "Frame 10 looks at itself here.": [(0, 0), (0, 10), (0, 13), (1, 9), (4, 6)],
        "Nothing takes the place of a neighbour that was not tracked.": [
            (0, 0),
            (0, 13),
            (1, 9),
            (4, 6),
            (5, 5),
            (6, 4),
        ],
        "Frames 7 and 8 were not tracked: there is no memory of them.": [
            (0, 0),
            (0, 13),
            (1, 9),
            (2, 8),
            (3, 7),
            (4, 6),
        ],
        "One too many: the farthest neighbour is num_memories - 1 frames away.": [
            (0, 0),
            (0, 13),
            (1, 9),
            (4, 6),
            (5, 5),
        ],
        "The neighbours come nearest first.": [(0, 0), (0, 13), (4, 6), (1, 9)],
        "Frames with prompts come first.": [(1, 9), (4, 6), (0, 0), (0, 13)],
        "The distance of a frame that had a prompt is written as 0.": [(10, 0), (3, 13), (1, 9), (4, 6)],
        "A frame that had a prompt is looked at wherever it is, in the future, too.": [(0, 0), (1, 9), (4, 6)],
    }
    got = run(looks_at, 10, prompted, tracked, 5)
    if not isinstance(got, list):
        kind = type(got).__name__
        raise AssertionError(f"{what}: expected a list of pairs, got {kind}: write your answer in place of the ...")
    pairs = [tuple(pair) if isinstance(pair, (list, tuple)) else pair for pair in got]
    if pairs != right:
        reasons = [reason for reason, wrong in slips.items() if pairs == wrong]
        raise AssertionError("\n".join([f"{what}: expected {right}, got {pairs}"[:400], *reasons[:1]]))


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_in_reverse(looks_at):
    from minilib.grading.feedback import run

    prompted, tracked = [0, 10, 13], [14, 12, 11, 9, 6, 5, 4, 3, 2, 1]
    what = "looks_at(10, [0, 10, 13], [14, 12, 11, 9, 6, 5, 4, 3, 2, 1], 5, reverse=True)"
    right = [(0, 0), (0, 13), (1, 11), (2, 12), (4, 14)]
    slips = {
        "In reverse, tracking comes from the frames after.": [(0, 0), (0, 13), (1, 9), (4, 6)],
        "Frame 13 is here twice: one that had a prompt is no neighbour, too.": [
            (0, 0),
            (0, 13),
            (1, 11),
            (2, 12),
            (3, 13),
            (4, 14),
        ],
        "Distances are counted, not signed: 1, 2, ... in reverse, too.": [
            (0, 0),
            (0, 13),
            (-1, 11),
            (-2, 12),
            (-4, 14),
        ],
    }
    got = run(looks_at, 10, prompted, tracked, 5, reverse=True)
    if not isinstance(got, list):
        kind = type(got).__name__
        raise AssertionError(f"{what}: expected a list of pairs, got {kind}: write your answer in place of the ...")
    pairs = [tuple(pair) if isinstance(pair, (list, tuple)) else pair for pair in got]
    if pairs != right:
        reasons = [reason for reason, wrong in slips.items() if pairs == wrong]
        raise AssertionError("\n".join([f"{what}: expected {right}, got {pairs}"[:400], *reasons[:1]]))


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_videos(looks_at):
    import random

    from minilib.grading.feedback import run

    chance = random.Random(1)
    for num_memories, reverse in ((1, False), (2, True), (7, False), (7, True), (12, False)):
        frames = chance.sample(range(30), 20)
        prompted, tracked, frame = frames[:3], frames[3:], chance.choice([frames[1], 15, 29])
        tracked = [other for other in tracked if other != frame]
        right = []
        for other in prompted:
            if other != frame:
                right.append((0, other))
        for away in range(1, num_memories):
            other = frame + away if reverse else frame - away
            if other in tracked:
                right.append((away, other))
        got = run(looks_at, frame, prompted, tracked, num_memories, reverse=reverse)
        what = f"looks_at with num_memories={num_memories}, reverse={reverse}"
        if not isinstance(got, list):
            raise AssertionError(f"{what}: expected a list of pairs, got {type(got).__name__}")
        pairs = [tuple(pair) if isinstance(pair, (list, tuple)) else pair for pair in got]
        if pairs != right:
            raise AssertionError(f"{what}, frame {frame}: expected {right}, got {pairs}"[:400])


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.segmentation.memory_bank.MemoryBank.memories
# minilib.segmentation.memory_bank.MemoryBank.pointers
# minilib.segmentation.memory_bank.MemoryBank._neighbours


# %% mutant="future" question="q1" says="looks into the future"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = -1 if reverse else 1
    neighbours = [(away, frame + step * away) for away in range(1, num_memories)]
    return [(0, other) for other in prompted if other != frame] + [pair for pair in neighbours if pair[1] in tracked]


# %% mutant="both sides" question="q1" says="looks to both sides"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    neighbours = [(away, frame + step * away) for away in range(1, num_memories) for step in (-1, 1)]
    return [(0, other) for other in prompted if other != frame] + [pair for pair in neighbours if pair[1] in tracked]


# %% mutant="prompted count" question="q1" says="Prompted frames do not count"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    first = [(0, other) for other in prompted if other != frame]
    neighbours = [(away, frame + step * away) for away in range(1, num_memories - len(first) + 1)]
    return first + [pair for pair in neighbours if pair[1] in tracked]


# %% mutant="oldest" question="q1" says="the oldest tracked frames"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    pairs = sorted((step * (other - frame), other) for other in tracked if step * (other - frame) > 0)
    return [(0, other) for other in prompted if other != frame] + pairs[::-1][: num_memories - 1]


# %% mutant="itself" question="q1" says="looks at itself"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    neighbours = [(away, frame + step * away) for away in range(1, num_memories)]
    return [(0, other) for other in prompted] + [pair for pair in neighbours if pair[1] in tracked]


# %% mutant="gaps are filled" question="q1" says="Nothing takes the place"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    pairs = sorted((step * (other - frame), other) for other in tracked if step * (other - frame) > 0)
    return [(0, other) for other in prompted if other != frame] + pairs[: num_memories - 1]


# %% mutant="untracked" question="q1" says="there is no memory of them"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    neighbours = [(away, frame + step * away) for away in range(1, num_memories)]
    return [(0, other) for other in prompted if other != frame] + neighbours


# %% mutant="one too many" question="q1" says="One too many"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    neighbours = [(away, frame + step * away) for away in range(1, num_memories + 1)]
    return [(0, other) for other in prompted if other != frame] + [pair for pair in neighbours if pair[1] in tracked]


# %% mutant="farthest first" question="q1" says="come nearest first"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    neighbours = [(away, frame + step * away) for away in range(num_memories - 1, 0, -1)]
    return [(0, other) for other in prompted if other != frame] + [pair for pair in neighbours if pair[1] in tracked]


# %% mutant="neighbours first" question="q1" says="Frames with prompts come first"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    neighbours = [(away, frame + step * away) for away in range(1, num_memories)]
    return [pair for pair in neighbours if pair[1] in tracked] + [(0, other) for other in prompted if other != frame]


# %% mutant="distances of prompted" question="q1" says="is written as 0"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    neighbours = [(away, frame + step * away) for away in range(1, num_memories)]
    first = [(abs(frame - other), other) for other in prompted if other != frame]
    return first + [pair for pair in neighbours if pair[1] in tracked]


# %% mutant="prompted in the past" question="q1" says="in the future, too"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    neighbours = [(away, frame + step * away) for away in range(1, num_memories)]
    first = [(0, other) for other in prompted if step * (other - frame) > 0]
    return first + [pair for pair in neighbours if pair[1] in tracked]


# %% mutant="reverse ignored" question="q1" says="comes from the frames after"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    neighbours = [(away, frame - away) for away in range(1, num_memories)]
    return [(0, other) for other in prompted if other != frame] + [pair for pair in neighbours if pair[1] in tracked]


# %% mutant="twice" question="q1" says="Frame 13 is here twice"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step, known = 1 if reverse else -1, prompted + tracked
    neighbours = [(away, frame + step * away) for away in range(1, num_memories)]
    return [(0, other) for other in prompted if other != frame] + [pair for pair in neighbours if pair[1] in known]


# %% mutant="signed" question="q1" says="counted, not signed"
def looks_at(frame, prompted, tracked, num_memories, reverse=False):
    step = 1 if reverse else -1
    neighbours = [(-step * away, frame + step * away) for away in range(1, num_memories)]
    return [(0, other) for other in prompted if other != frame] + [pair for pair in neighbours if pair[1] in tracked]


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: what goes into a memory
#
# The memory encoder reads a mask beside the picture's embedding (section 4, "Memory encoder"). In the published code it
# does not read the logits $\ell$ of the mask but
#
# $$20\,\sigma(\ell) - 10,$$
#
# between −10 and 10. Where a mask is to be believed as it is (`binary`), a pixel counts as 1 in place of
# $\sigma(\ell)$ if $\ell > 0$, as 0 if not.
#
# What the encoder returns are the memory's tokens. In SAM 2.1, a learned vector is added to *all tokens* of a frame in
# which the object is *out of sight*, so that such frames can be told apart. Write two short functions:
# 1. `fed`: what the encoder reads, in the shape and dtype of the logits.
# 2. `remembered`: the tokens after the vector has been added where it has to be.
#
# <details><summary>Hint</summary>
#
# `(logits > 0)` is of dtype bool: bring it to the logits' dtype. For the second function, `visible` has the shape
# `(b,)`; with which shape does it line up with the first axis of `(b, n, c)`?
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def fed(logits, binary=False):
    """A mask as the memory encoder reads it.

    Args:
        logits: of the mask, shape (b, h, w).
        binary: whether to cut the mask at 0 first.
    Returns:
        Shape (b, h, w), dtype of the logits.
    """
    # BEGIN SOLUTION
    inside = (logits > 0).to(logits.dtype) if binary else logits.sigmoid()
    return 20 * inside - 10
    # END SOLUTION


def remembered(tokens, vector, visible):
    """The tokens of memories, marked where the object is out of sight.

    Args:
        tokens: shape (b, n, c).
        vector: what marks them, shape (c,).
        visible: whether the object is in sight, bool, shape (b,).
    Returns:
        Shape (b, n, c).
    """
    # BEGIN SOLUTION
    return torch.where(visible[:, None, None], tokens, tokens + vector)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_four_pixels(fed):
    import torch

    from minilib.grading.feedback import compare, run

    logits = torch.tensor([[[-2.0, 0.0], [0.3, 4.0]]])
    slips = {
        "These are the logits themselves.": [[[-2.0, 0.0], [0.3, 4.0]]],
        "These are probabilities; they still have to be scaled and shifted.": [[[0.1192, 0.5], [0.57444, 0.98201]]],
        "The shift by −10 is missing.": [[[2.38406, 10.0], [11.48885, 19.64028]]],
        "The factor 20 is missing.": [[[-9.8808, -9.5], [-9.42556, -9.01799]]],
        "The sign is turned: where the object is, the numbers are positive.": [[[7.61594, 0.0], [-1.48885, -9.64028]]],
        "This is scaled and shifted before the sigmoid; it comes after.": [[[0.0, 4.54e-05], [0.01798621, 1.0]]],
        "The mask is cut at 0 here although binary is False.": [[[-10.0, -10.0], [10.0, 10.0]]],
    }
    compare(run(fed, logits), [[[-7.61594, 0.0], [1.48885, 9.64028]]], what="fed(logits)", slips=slips)
    slips = {
        "The mask is not cut although binary is True.": [[[-7.61594, 0.0], [1.48885, 9.64028]]],
        "This is cut, but neither scaled nor shifted: 20 times it, minus 10.": [[[0.0, 0.0], [1.0, 1.0]]],
        "Cut the logits at 0: a probability of 0.5 is a logit of 0.": [[[-10.0, -10.0], [-10.0, 10.0]]],
        "A logit of exactly 0 is not above 0.": [[[-10.0, 10.0], [10.0, 10.0]]],
    }
    compare(
        run(fed, logits, binary=True), [[[-10.0, -10.0], [10.0, 10.0]]], what="fed(logits, binary=True)", slips=slips
    )


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_memories(remembered):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    tokens = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    before, vector, visible = tokens.clone(), torch.tensor([0.5, -0.25]), torch.tensor([True, False])
    slips = {
        "The vector is added where the object is in sight.": [[[1.5, 1.75], [3.5, 3.75]], [[5.0, 6.0], [7.0, 8.0]]],
        "The vector is added to all memories.": [[[1.5, 1.75], [3.5, 3.75]], [[5.5, 5.75], [7.5, 7.75]]],
        "The vector takes the tokens' place; add it to them.": [[[1.0, 2.0], [3.0, 4.0]], [[0.5, -0.25], [0.5, -0.25]]],
        "The vector is subtracted.": [[[1.0, 2.0], [3.0, 4.0]], [[4.5, 6.25], [6.5, 8.25]]],
        "visible is lined up with the tokens: it needs the shape (b, 1, 1).": [
            [[1.0, 2.0], [3.5, 3.75]],
            [[5.0, 6.0], [7.5, 7.75]],
        ],
        "visible is lined up with the channels: it needs the shape (b, 1, 1).": [
            [[1.0, 1.75], [3.0, 3.75]],
            [[5.0, 5.75], [7.0, 7.75]],
        ],
        "Only the first token is marked; all of them have to be.": [
            [[1.0, 2.0], [3.0, 4.0]],
            [[5.5, 5.75], [7.0, 8.0]],
        ],
    }
    right = [[[1.0, 2.0], [3.0, 4.0]], [[5.5, 5.75], [7.5, 7.75]]]
    compare(run(remembered, tokens, vector, visible), right, what="remembered(tokens, vector, visible)", slips=slips)
    unchanged(before, tokens, what="tokens")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 1
"""  # END TEST CONFIG


def test_larger_masks(fed):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, run

    logits = 3 * torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    right = [[[20 / (1 + math.exp(-x)) - 10 for x in row] for row in mask] for mask in logits.tolist()]
    compare(run(fed, logits), right, what="fed of two masks")
    right = [[[10.0 if x > 0 else -10.0 for x in row] for row in mask] for mask in logits.tolist()]
    got = run(fed, logits.double(), binary=True)
    compare(got, right, dtype=torch.float64, what="fed of two masks in float64, binary=True")
    follows_device(fed, logits, True, what="fed")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 1
"""  # END TEST CONFIG


def test_four_memories(remembered):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(2)
    tokens, vector = torch.randn(4, 3, 5, generator=generator), torch.randn(5, generator=generator)
    right, visible = tokens.clone(), torch.tensor([False, True, True, False])
    for memory in (0, 3):
        for token in range(3):
            right[memory, token] += vector
    hints = {"must match the size": "Which shape of visible lines up with the first axis of (b, n, c)?"}
    compare(run(remembered, tokens, vector, visible, hints=hints), right, what="remembered of four memories")
    follows_device(remembered, tokens, vector, visible, what="remembered")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.segmentation.memory_encoder.memory_mask
# minilib.segmentation.memory.VideoMemory.write


# %% mutant="raw logits" question="q2" says="These are the logits themselves"
def fed(logits, binary=False):
    return 20.0 * (logits > 0) - 10 if binary else logits


# %% mutant="probabilities" question="q2" says="These are probabilities"
def fed(logits, binary=False):
    return (logits > 0).to(logits.dtype) if binary else logits.sigmoid()


# %% mutant="no shift" question="q2" says="The shift by −10 is missing"
def fed(logits, binary=False):
    return 20 * ((logits > 0).to(logits.dtype) if binary else logits.sigmoid())


# %% mutant="no factor" question="q2" says="The factor 20 is missing"
def fed(logits, binary=False):
    return ((logits > 0).to(logits.dtype) if binary else logits.sigmoid()) - 10


# %% mutant="sign" question="q2" says="The sign is turned"
def fed(logits, binary=False):
    return 10 - 20 * ((logits > 0).to(logits.dtype) if binary else logits.sigmoid())


# %% mutant="scaled too early" question="q2" says="before the sigmoid"
def fed(logits, binary=False):
    return (20 * ((logits > 0).to(logits.dtype) if binary else logits) - 10).sigmoid()


# %% mutant="always binary" question="q2" says="although binary is False"
def fed(logits, binary=False):
    return 20 * (logits > 0).to(logits.dtype) - 10


# %% mutant="never binary" question="q2" says="although binary is True"
def fed(logits, binary=False):
    return 20 * logits.sigmoid() - 10


# %% mutant="binary unscaled" question="q2" says="neither scaled nor shifted"
def fed(logits, binary=False):
    return (logits > 0).to(logits.dtype) if binary else 20 * logits.sigmoid() - 10


# %% mutant="logits cut at 0.5" question="q2" says="a logit of 0"
def fed(logits, binary=False):
    return 20 * ((logits > 0.5).to(logits.dtype) if binary else logits.sigmoid()) - 10


# %% mutant="0 counts" question="q2" says="is not above 0"
def fed(logits, binary=False):
    return 20 * ((logits >= 0).to(logits.dtype) if binary else logits.sigmoid()) - 10


# %% mutant="whole numbers" question="q2" says="expected dtype float32, got int64"
def fed(logits, binary=False):
    return 20 * (logits > 0) - 10 if binary else 20 * logits.sigmoid() - 10


# %% mutant="always float32" question="q2" says="expected dtype float64, got float32"
def fed(logits, binary=False):
    return 20 * ((logits > 0).float() if binary else logits.sigmoid()) - 10


# %% mutant="where visible" question="q2" says="where the object is in sight"
def remembered(tokens, vector, visible):
    return torch.where(visible[:, None, None], tokens + vector, tokens)


# %% mutant="everywhere" question="q2" says="added to all memories"
def remembered(tokens, vector, visible):
    return tokens + vector


# %% mutant="replaced" question="q2" says="takes the tokens' place"
def remembered(tokens, vector, visible):
    return torch.where(visible[:, None, None], tokens, vector)


# %% mutant="subtracted" question="q2" says="The vector is subtracted"
def remembered(tokens, vector, visible):
    return torch.where(visible[:, None, None], tokens, tokens - vector)


# %% mutant="along the tokens" question="q2" says="lined up with the tokens"
def remembered(tokens, vector, visible):
    return torch.where(visible[:, None], tokens, tokens + vector)


# %% mutant="along the channels" question="q2" says="lined up with the channels"
def remembered(tokens, vector, visible):
    return torch.where(visible, tokens, tokens + vector)


# %% mutant="first token" question="q2" says="Only the first token is marked"
def remembered(tokens, vector, visible):
    first = torch.where(visible[:, None, None], tokens[:, :1], tokens[:, :1] + vector)
    return torch.cat([first, tokens[:, 1:]], dim=1)


# %% mutant="in place" question="q2" says="changed its argument tokens in place"
def remembered(tokens, vector, visible):
    tokens[~visible] += vector
    return tokens


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: rotations on a grid
#
# Memory attention tells tokens apart by where they are: queries and keys are *turned* by their place $(x, y)$ in the
# picture, $x$ the column and $y$ the row, so that a query and a key meet by how far they are apart (axial rotary
# positions; Heo et al. 2024, "Rotary Position Embedding for Vision Transformer", section 3.2). Of $d$ channels,
#
# - $x$ turns the first half: channels $2i$ and $2i+1$ of it by the angle $\theta_i\,x$;
# - $y$ turns the second half: channels $2i$ and $2i+1$ of it by the angle $\theta_i\,y$,
#
# with $\theta_i = \text{base}^{-4i/d}$ for $i = 0 \ldots d/4-1$ in both halves. To turn a pair $(a, b)$ by the angle
# $\varphi$ is
#
# $$(a\cos\varphi - b\sin\varphi,\;\; a\sin\varphi + b\cos\varphi).$$
#
# Write `turned`.
#
# <details><summary>Hint</summary>
#
# Make the angles first, `(n, d/2)`, one for each pair: those of $x$, then those of $y$. `tokens[:, 0::2]` and
# `tokens[:, 1::2]` are the first and the second members of all pairs. `torch.stack(..., dim=-1).flatten(1)` puts pairs
# together again.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def turned(tokens, places, base):
    """Queries or keys, turned by their places.

    Args:
        tokens: shape (n, d), d divisible by 4.
        places: (x, y) of each token, floats, shape (n, 2).
        base: a Python float.
    Returns:
        Shape (n, d).
    """
    # BEGIN SOLUTION
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4, device=tokens.device) / d)
    angles = torch.cat([places[:, :1] * waves, places[:, 1:] * waves], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_places(turned):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    tokens = torch.tensor([[1.0, 0.0, 2.0, 1.0, 1.0, 0.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0, 0.0, 1.0, -1.0, 2.0]])
    before, places = tokens.clone(), torch.tensor([[1.0, 0.0], [2.0, 3.0]])
    slips = {
        "x and y are exchanged: x, the first number of a place, turns the first half.": [
            [1.0, 0.0, 2.0, 1.0, 0.5403, 0.84147, 1.69042, 1.46372],
            [-1.27223, -1.83887, -0.53149, 4.97167, -0.9093, -0.41615, -1.83643, 1.27574],
        ],
        "Pairs are neighbours, channels 2i and 2i + 1, not i and i + d/4.": [
            [-1.14264, -0.2474, 1.92208, 0.96891, 1.0, 0.0, 2.0, 1.0],
            [-3.14404, -0.16254, -0.33914, 4.46918, 0.14112, -0.63159, 0.98999, 2.14502],
        ],
        "This turns the wrong way round: mind the sign of the sine.": [
            [0.5403, -0.84147, 2.18523, 0.4741, 1.0, 0.0, 2.0, 1.0],
            [1.40245, -1.74159, 4.55045, 2.07205, 0.14112, -0.98999, 0.63159, 2.14502],
        ],
        "The waves fall too slowly: each half has its own, so the exponent is -4i/d, not -2i/d.": [
            [0.5403, 0.84147, 1.27574, 1.83643, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, -1.74498, 4.68562, -0.14112, -0.98999, -2.06573, -0.85602],
        ],
        "The second half goes on with slower waves; it starts with i = 0 again.": [
            [0.5403, 0.84147, 1.27574, 1.83643, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, -1.74498, 4.68562, -0.68164, 0.73169, -1.66305, 1.49474],
        ],
        "The waves get faster: the exponent is negative.": [
            [0.5403, 0.84147, -0.55048, -2.16725, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, -4.39393, 2.38607, -0.14112, -0.98999, 0.22929, 2.22428],
        ],
        "All pairs turn equally fast: each i has its own wave.": [
            [0.5403, 0.84147, 0.23913, 2.22324, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, -4.88563, 1.0633, -0.14112, -0.98999, 0.70775, -2.1211],
        ],
        "x and y take turns here; x has the whole first half.": [
            [0.5403, 0.84147, 2.0, 1.0, 0.96891, 0.2474, 2.0, 1.0],
            [-2.23474, 0.077, -3.53446, -3.53661, -0.47943, 0.87758, -2.09497, 0.78174],
        ],
        "The members of pairs have not been put together again: stack, then flatten.": [
            [0.5403, 1.69042, 1.0, 2.0, 0.84147, 1.46372, 0.0, 1.0],
            [-2.23474, 0.71505, -0.14112, -2.09497, 0.077, 4.94861, -0.98999, 0.78174],
        ],
        "Only x turns anything here.": [
            [0.5403, 0.84147, 1.69042, 1.46372, 1.0, 0.0, 2.0, 1.0],
            [-2.23474, 0.077, 0.71505, 4.94861, 0.0, 1.0, -1.0, 2.0],
        ],
        "Sine and cosine are exchanged.": [
            [0.84147, 0.5403, -0.4741, 2.18523, 0.0, 1.0, -1.0, 2.0],
            [1.74159, 1.40245, -2.07205, 4.55045, 0.98999, 0.14112, -2.14502, 0.63159],
        ],
    }
    shapes = {(2, 4, 2): "Pairs are still apart: flatten them into channels."}
    right = [
        [0.5403, 0.84147, 1.69042, 1.46372, 1.0, 0.0, 2.0, 1.0],
        [-2.23474, 0.077, 0.71505, 4.94861, -0.14112, -0.98999, -2.09497, 0.78174],
    ]
    what = "turned(tokens, places, 16.0)"
    compare(run(turned, tokens, places, 16.0), right, what=what, slips=slips, shapes=shapes)
    unchanged(before, tokens, what="tokens")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_widths(turned):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(3)
    for n, d, base in ((5, 12, 10000.0), (3, 4, 100.0)):
        tokens, places = torch.randn(n, d, generator=generator), 6 * torch.rand(n, 2, generator=generator)
        right = []
        for token, place in zip(tokens.tolist(), places.tolist(), strict=True):
            row = []
            for pair in range(d // 2):
                axis, i = divmod(pair, d // 4)
                angle = place[axis] * base ** (-4 * i / d)
                a, b = token[2 * pair], token[2 * pair + 1]
                row += [a * math.cos(angle) - b * math.sin(angle), a * math.sin(angle) + b * math.cos(angle)]
            right.append(row)
        what = f"turned, {n} tokens of {d} channels, base {base:g}"
        compare(run(turned, tokens, places, base), right, what=what, atol=1e-5)
        follows_device(turned, tokens, places, base, what="turned")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.attention.positions.rotate
# minilib.attention.positions.rotary_angles
# minilib.attention.positions.sinusoidal
# minilib.attention.positions.axial_angles


# %% mutant="exchanged" question="q3" says="x and y are exchanged"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4) / d)
    angles = torch.cat([places[:, 1:] * waves, places[:, :1] * waves], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)


# %% mutant="halves" question="q3" says="Pairs are neighbours"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4) / d)
    parts = []
    for half, place in zip(tokens.chunk(2, dim=1), places.chunk(2, dim=1), strict=True):
        cos, sin = (place * waves).cos(), (place * waves).sin()
        first, second = half.chunk(2, dim=1)
        parts += [first * cos - second * sin, first * sin + second * cos]
    return torch.cat(parts, dim=1)


# %% mutant="backwards" question="q3" says="the wrong way round"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4) / d)
    angles = torch.cat([places[:, :1] * waves, places[:, 1:] * waves], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos + second * sin, second * cos - first * sin], dim=-1).flatten(1)


# %% mutant="slow waves" question="q3" says="The waves fall too slowly"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-2 * torch.arange(d // 4) / d)
    angles = torch.cat([places[:, :1] * waves, places[:, 1:] * waves], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)


# %% mutant="waves go on" question="q3" says="it starts with i = 0 again"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-2 * torch.arange(d // 2) / d)
    angles = torch.cat([places[:, :1] * waves[: d // 4], places[:, 1:] * waves[d // 4 :]], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)


# %% mutant="fast waves" question="q3" says="the exponent is negative"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (torch.arange(0, d, 4) / d)
    angles = torch.cat([places[:, :1] * waves, places[:, 1:] * waves], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)


# %% mutant="one wave" question="q3" says="each i has its own wave"
def turned(tokens, places, base):
    angles = places.repeat_interleave(tokens.shape[1] // 4, dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)


# %% mutant="alternating" question="q3" says="x has the whole first half"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4) / d)
    angles = (waves[:, None] * places[:, None]).flatten(1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)


# %% mutant="torn apart" question="q3" says="stack, then flatten"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4) / d)
    angles = torch.cat([places[:, :1] * waves, places[:, 1:] * waves], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=1)


# %% mutant="x alone" question="q3" says="Only x turns anything"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4) / d)
    angles = torch.cat([places[:, :1] * waves, 0 * places[:, 1:] * waves], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)


# %% mutant="sine for cosine" question="q3" says="Sine and cosine are exchanged"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4) / d)
    angles = torch.cat([places[:, :1] * waves, places[:, 1:] * waves], dim=1)
    sin, cos, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)


# %% mutant="pairs apart" question="q3" says="Pairs are still apart"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4) / d)
    angles = torch.cat([places[:, :1] * waves, places[:, 1:] * waves], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)


# %% mutant="device" question="q3" says="it would stop on a GPU"
def turned(tokens, places, base):
    d = tokens.shape[1]
    waves = base ** (-torch.arange(0, d, 4) / d)
    angles = torch.cat([places[:, :1] * waves, places[:, 1:] * waves], dim=1)
    cos, sin, first, second = angles.cos(), angles.sin(), tokens[:, 0::2], tokens[:, 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: a frame asks its memories
#
# The tokens $x_1 \ldots x_n$ of a frame look at all tokens of $m$ memories and at $p$ object pointers *together*, by
# one softmax (section 4, "Memory attention"); what they gather is added to them:
#
# $$x_i + \sum_j \frac{e^{x_i\cdot k_j/\sqrt d}}{\sum_l e^{x_i\cdot k_l/\sqrt d}}\, v_j,\qquad j = 1 \ldots mn + p$$
#
# - A token $u$ of the memory number $a$ has the value $v = u$ and the key $k = u + \tau_a$. The learned vector
#   $\tau_a$ tells *how long ago* the memory was made; it helps to find a memory, and is not part of what is found.
# - A pointer is key and value as it is.
#
# Write `look_back`. There is one head, and nothing is projected. Two parts of SAM 2.1 are left out: places turn
# queries and keys, but not pointers, which are nowhere in the picture; and pointers have times of their own.
#
# <details><summary>Hint</summary>
#
# `times[:, None]` lines up with the *first* axis of `memories`; without it torch would line up with the second, and
# where `m == n` it does not even complain. `flatten(0, 1)` makes one long list of tokens of all memories, and
# `torch.cat` appends the pointers.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def look_back(x, memories, times, pointers):
    """The tokens of a frame, after they have looked at memories.

    Args:
        x: tokens of the frame, shape (n, d).
        memories: tokens of the memories, shape (m, n, d).
        times: τ, one vector for each memory, shape (m, d).
        pointers: shape (p, d); p may be 0.
    Returns:
        Shape (n, d).
    """
    # BEGIN SOLUTION
    keys = torch.cat([(memories + times[:, None]).flatten(0, 1), pointers])
    values = torch.cat([memories.flatten(0, 1), pointers])
    weights = torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1)
    return x + weights @ values
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_memories_one_pointer(look_back):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    x = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    memories = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]], [[2.0, 1.0, 0.0], [0.0, 0.0, -1.0]]])
    times, pointers = torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, -0.5]]), torch.tensor([[1.0, 1.0, 2.0]])
    before = x.clone()
    slips = {
        "Times are in the values, too; they belong to the keys alone.": [
            [2.1998, 0.74014, 3.56992],
            [0.91729, 2.52342, -1.46727],
        ],
        "Times are missing: add them to the keys.": [[2.06618, 0.82307, 3.46773], [0.59622, 2.10567, -1.01236]],
        "Times are lined up with places: they need the shape (m, 1, d).": [
            [2.17162, 0.67083, 3.23896],
            [0.25904, 2.2049, -1.19095],
        ],
        "Each memory has a softmax of its own; there is one for all, pointers included.": [
            [4.66898, 2.2103, 4.75933],
            [2.15033, 4.19935, 0.65033],
        ],
        "The pointers are forgotten.": [[1.95651, 0.36775, 2.74611], [0.78901, 1.79782, -1.33851]],
        "The products are not divided by √d.": [[1.99262, 0.65164, 3.57438], [0.84776, 1.73082, -1.38127]],
        "The products are divided by d, not by its root.": [[1.95291, 0.7573, 3.11483], [0.78231, 1.8338, -1.03451]],
        "This is what the tokens gather; it is added to them.": [
            [0.97835, 0.6853, 1.37589],
            [0.79902, 0.80742, -0.22753],
        ],
        "The softmax is over the frame's tokens; each of them spreads its weights over keys.": [
            [3.53146, 2.26573, 4.86885],
            [1.46854, 2.73427, -1.86885],
        ],
        "The memories are blended before they are asked.": [[2.07658, 0.8958, 3.61833], [0.50568, 1.86835, -0.95984]],
        "The frame itself is among the keys and values; only memories and pointers are.": [
            [1.97983, 0.45936, 3.56946],
            [0.63764, 1.8307, -1.34172],
        ],
    }
    right = [[1.97835, 0.6853, 3.37589], [0.79902, 1.80742, -1.22753]]
    got, what = run(look_back, x, memories, times, pointers), "look_back(x, memories, times, pointers)"
    compare(got, right, what=what, slips=slips, shapes={(2, 5): "These are weights: values are still missing."})
    unchanged(before, x, what="x")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_three_memories(look_back):
    import math

    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(4)
    for m, n, p, d in ((3, 4, 2, 6), (1, 2, 0, 4)):
        x, memories = torch.randn(n, d, generator=generator), torch.randn(m, n, d, generator=generator)
        times, pointers = torch.randn(m, d, generator=generator), torch.randn(p, d, generator=generator)
        right = []
        for query in x:
            total, gathered = 0.0, torch.zeros(d)
            for a in range(m):
                for value in memories[a]:
                    odds = math.exp(float(query @ (value + times[a])) / math.sqrt(d))
                    total, gathered = total + odds, gathered + odds * value
            for pointer in pointers:
                odds = math.exp(float(query @ pointer) / math.sqrt(d))
                total, gathered = total + odds, gathered + odds * pointer
            right.append(query + gathered / total)
        what = f"look_back with {m} memories of {n} tokens and {p} pointers"
        compare(run(look_back, x, memories, times, pointers), torch.stack(right), what=what, atol=1e-5)
        follows_device(look_back, x, memories, times, pointers, what="look_back")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.attention.layers.attention
# minilib.attention.layers.attention_weights
# minilib.attention.layers.Heads
# minilib.attention.layers.CrossAttention
# minilib.segmentation.memory_attention.MemoryBlock
# minilib.segmentation.memory_attention.MemoryAttention
# minilib.segmentation.memory.VideoMemory.read


# %% mutant="times in values" question="q4" says="they belong to the keys alone"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times[:, None]).flatten(0, 1), pointers])
    return x + torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1) @ keys


# %% mutant="no times" question="q4" says="Times are missing"
def look_back(x, memories, times, pointers):
    keys = torch.cat([memories.flatten(0, 1), pointers])
    return x + torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1) @ keys


# %% mutant="times along places" question="q4" says="Times are lined up with places"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times).flatten(0, 1), pointers])
    values = torch.cat([memories.flatten(0, 1), pointers])
    return x + torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1) @ values


# %% mutant="own softmax" question="q4" says="Each memory has a softmax of its own"
def look_back(x, memories, times, pointers):
    told = [
        torch.softmax(x @ (memory + time).T / x.shape[1] ** 0.5, dim=1) @ memory
        for memory, time in zip(memories, times, strict=True)
    ]
    return x + sum(told) + torch.softmax(x @ pointers.T / x.shape[1] ** 0.5, dim=1) @ pointers


# %% mutant="no pointers" question="q4" says="The pointers are forgotten"
def look_back(x, memories, times, pointers):
    keys, values = (memories + times[:, None]).flatten(0, 1), memories.flatten(0, 1)
    return x + torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1) @ values


# %% mutant="no scale" question="q4" says="not divided by √d"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times[:, None]).flatten(0, 1), pointers])
    values = torch.cat([memories.flatten(0, 1), pointers])
    return x + torch.softmax(x @ keys.T, dim=1) @ values


# %% mutant="divided by d" question="q4" says="not by its root"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times[:, None]).flatten(0, 1), pointers])
    values = torch.cat([memories.flatten(0, 1), pointers])
    return x + torch.softmax(x @ keys.T / x.shape[1], dim=1) @ values


# %% mutant="no residual" question="q4" says="it is added to them"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times[:, None]).flatten(0, 1), pointers])
    values = torch.cat([memories.flatten(0, 1), pointers])
    return torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1) @ values


# %% mutant="softmax over queries" question="q4" says="The softmax is over the frame's tokens"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times[:, None]).flatten(0, 1), pointers])
    values = torch.cat([memories.flatten(0, 1), pointers])
    return x + torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=0) @ values


# %% mutant="blended" question="q4" says="blended before they are asked"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times[:, None]).mean(0), pointers])
    values = torch.cat([memories.mean(0), pointers])
    return x + torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1) @ values


# %% mutant="itself" question="q4" says="The frame itself is among"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times[:, None]).flatten(0, 1), pointers, x])
    values = torch.cat([memories.flatten(0, 1), pointers, x])
    return x + torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1) @ values


# %% mutant="weights alone" question="q4" says="These are weights"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times[:, None]).flatten(0, 1), pointers])
    return torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1)


# %% mutant="in place" question="q4" says="changed its argument x in place"
def look_back(x, memories, times, pointers):
    keys = torch.cat([(memories + times[:, None]).flatten(0, 1), pointers])
    values = torch.cat([memories.flatten(0, 1), pointers])
    x += torch.softmax(x @ keys.T / x.shape[1] ** 0.5, dim=1) @ values
    return x


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: the score of a clip
#
# SAM 2 says for each frame where the object is, a mask, and *whether* it is in sight, the occlusion score (section 4).
# The score is a logit: **above 0** the object is in sight; if not, the mask counts as empty whatever it shows.
#
# How well a clip was tracked is the mean of $J$ over its frames *except the one that had the prompt* (after Perazzi et
# al. 2016, section 5.1),
#
# $$J = \frac{|\text{predicted} \cap \text{true}|}{|\text{predicted} \cup \text{true}|}, \qquad
# J = 1 \text{ if both masks are empty.}$$
#
# Write `clip_score`.
#
# <details><summary>Hint</summary>
#
# `&` and `|` of bool masks are intersection and union; `flatten(1).sum(1)` counts pixels of each frame. Where the union
# is empty, do not divide 0 by 0: `clamp(min=1)` the divisor, then choose with `torch.where`.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def clip_score(predicted, truth, scores, prompted):
    """The mean J of a clip.

    Args:
        predicted: masks, bool, shape (t, h, w).
        truth: true masks, bool, shape (t, h, w).
        scores: occlusion scores, float, shape (t,).
        prompted: number of the frame that had the prompt, a Python int.
    Returns:
        The mean over t - 1 frames, shape ().
    """
    # BEGIN SOLUTION
    seen = predicted & (scores > 0)[:, None, None]
    shared = (seen & truth).flatten(1).sum(1)
    either = (seen | truth).flatten(1).sum(1)
    fit = torch.where(either > 0, shared / either.clamp(min=1), 1.0)
    return (fit.sum() - fit[prompted]) / (len(fit) - 1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_seven_frames(clip_score):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    truth = [
        [[1, 1], [0, 0]],
        [[1, 1], [1, 0]],
        [[1, 1], [1, 1]],
        [[0, 0], [0, 0]],
        [[0, 0], [1, 1]],
        [[0, 0], [0, 0]],
        [[0, 1], [0, 1]],
    ]
    predicted = [
        [[1, 1], [1, 0]],
        [[1, 0], [1, 0]],
        [[1, 1], [1, 0]],
        [[0, 1], [0, 0]],
        [[0, 0], [0, 1]],
        [[0, 0], [0, 0]],
        [[1, 1], [1, 1]],
    ]
    truth, predicted = torch.tensor(truth).bool(), torch.tensor(predicted).bool()
    scores, before = torch.tensor([3.0, 0.2, 5.0, -1.0, 0.0, 2.0, 1.5]), predicted.clone()
    slips = {
        "The frame that had the prompt is counted; leave it out.": torch.tensor(0.65476),
        "The first frame is left out; the prompt was given on another one.": torch.tensor(0.65278),
        "Two empty masks agree: J is 1, not 0.": torch.tensor(0.30556),
        "This divides 0 by 0 where both masks are empty; J is 1 there.": torch.tensor(float("nan")),
        "The scores are not used: a frame out of sight counts as empty.": torch.tensor(0.55556),
        "All frames are put into one ratio; take J of each, then the mean.": torch.tensor(0.5),
        "Scores are logits: in sight is above 0, not above 0.5.": torch.tensor(0.52778),
        "A score of exactly 0 is not above 0: the mask counts as empty.": torch.tensor(0.72222),
        "This is 2 · shared / (predicted + true), Dice; J divides by the union.": torch.tensor(0.71111),
        "Frames out of sight are left out; they count, with an empty mask.": torch.tensor(0.70833),
        "True masks are emptied by the scores, too; only predicted ones are.": torch.tensor(0.80556),
        "This is the sum over frames, not the mean.": torch.tensor(3.83333),
    }
    shapes = {(7,): "One number for the clip: the mean over frames.", (6,): "One number for the clip: the mean."}
    right = torch.tensor(0.63889)
    got, what = run(clip_score, predicted, truth, scores, 2), "clip_score(predicted, truth, scores, 2)"
    compare(got, right, what=what, slips=slips, shapes=shapes)
    unchanged(before, predicted, what="predicted")


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_longer_clips(clip_score):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(5)
    for prompted in (0, 4, 8):
        truth, predicted = torch.rand(2, 9, 4, 5, generator=generator) > 0.6
        scores = torch.randn(9, generator=generator)
        truth[3] = truth[7] = predicted[7] = False
        total = 0.0
        for frame in range(9):
            ours = {i for i, inside in enumerate(predicted[frame].flatten().tolist()) if inside}
            theirs = {i for i, inside in enumerate(truth[frame].flatten().tolist()) if inside}
            if scores[frame] <= 0:
                ours = set()
            if frame != prompted:
                total += len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0
        got, what = (
            run(clip_score, predicted, truth, scores, prompted),
            f"clip_score of nine frames, prompt on {prompted}",
        )
        compare(got, torch.tensor(total / 8), what=what)
        follows_device(clip_score, predicted, truth, scores, prompted, what="clip_score")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.segmentation.metrics.mask_iou
# minilib.segmentation.metrics.j_and_f
# minilib.segmentation.metrics.boundary_iou


# %% mutant="prompted counted" question="q5" says="leave it out"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores > 0)[:, None, None]
    shared, either = (seen & truth).flatten(1).sum(1), (seen | truth).flatten(1).sum(1)
    return torch.where(either > 0, shared / either.clamp(min=1), 1.0).mean()


# %% mutant="first left out" question="q5" says="The first frame is left out"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores > 0)[:, None, None]
    shared, either = (seen & truth).flatten(1).sum(1), (seen | truth).flatten(1).sum(1)
    return torch.where(either > 0, shared / either.clamp(min=1), 1.0)[1:].mean()


# %% mutant="empty is 0" question="q5" says="J is 1, not 0"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores > 0)[:, None, None]
    shared, either = (seen & truth).flatten(1).sum(1), (seen | truth).flatten(1).sum(1)
    fit = shared / either.clamp(min=1)
    return (fit.sum() - fit[prompted]) / (len(fit) - 1)


# %% mutant="nan" question="q5" says="divides 0 by 0"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores > 0)[:, None, None]
    shared, either = (seen & truth).flatten(1).sum(1), (seen | truth).flatten(1).sum(1)
    fit = shared / either
    return (fit.sum() - fit[prompted]) / (len(fit) - 1)


# %% mutant="scores ignored" question="q5" says="The scores are not used"
def clip_score(predicted, truth, scores, prompted):
    shared, either = (predicted & truth).flatten(1).sum(1), (predicted | truth).flatten(1).sum(1)
    fit = torch.where(either > 0, shared / either.clamp(min=1), 1.0)
    return (fit.sum() - fit[prompted]) / (len(fit) - 1)


# %% mutant="pooled" question="q5" says="All frames are put into one ratio"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores > 0)[:, None, None]
    others = [frame for frame in range(len(truth)) if frame != prompted]
    return (seen & truth)[others].sum() / (seen | truth)[others].sum()


# %% mutant="threshold 0.5" question="q5" says="not above 0.5"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores > 0.5)[:, None, None]
    shared, either = (seen & truth).flatten(1).sum(1), (seen | truth).flatten(1).sum(1)
    fit = torch.where(either > 0, shared / either.clamp(min=1), 1.0)
    return (fit.sum() - fit[prompted]) / (len(fit) - 1)


# %% mutant="0 is in sight" question="q5" says="A score of exactly 0"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores >= 0)[:, None, None]
    shared, either = (seen & truth).flatten(1).sum(1), (seen | truth).flatten(1).sum(1)
    fit = torch.where(either > 0, shared / either.clamp(min=1), 1.0)
    return (fit.sum() - fit[prompted]) / (len(fit) - 1)


# %% mutant="dice" question="q5" says="J divides by the union"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores > 0)[:, None, None]
    shared = (seen & truth).flatten(1).sum(1)
    total = seen.flatten(1).sum(1) + truth.flatten(1).sum(1)
    fit = torch.where(total > 0, 2 * shared / total.clamp(min=1), 1.0)
    return (fit.sum() - fit[prompted]) / (len(fit) - 1)


# %% mutant="out of sight left out" question="q5" says="Frames out of sight are left out"
def clip_score(predicted, truth, scores, prompted):
    shared, either = (predicted & truth).flatten(1).sum(1), (predicted | truth).flatten(1).sum(1)
    fit = torch.where(either > 0, shared / either.clamp(min=1), 1.0)
    counted = (scores > 0) & (torch.arange(len(scores)) != prompted)
    return fit[counted].mean()


# %% mutant="truth emptied" question="q5" says="True masks are emptied"
def clip_score(predicted, truth, scores, prompted):
    visible = (scores > 0)[:, None, None]
    seen, truth = predicted & visible, truth & visible
    shared, either = (seen & truth).flatten(1).sum(1), (seen | truth).flatten(1).sum(1)
    fit = torch.where(either > 0, shared / either.clamp(min=1), 1.0)
    return (fit.sum() - fit[prompted]) / (len(fit) - 1)


# %% mutant="sum" question="q5" says="not the mean"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores > 0)[:, None, None]
    shared, either = (seen & truth).flatten(1).sum(1), (seen | truth).flatten(1).sum(1)
    fit = torch.where(either > 0, shared / either.clamp(min=1), 1.0)
    return fit.sum() - fit[prompted]


# %% mutant="no mean" question="q5" says="One number for the clip"
def clip_score(predicted, truth, scores, prompted):
    seen = predicted & (scores > 0)[:, None, None]
    shared, either = (seen & truth).flatten(1).sum(1), (seen | truth).flatten(1).sum(1)
    return torch.where(either > 0, shared / either.clamp(min=1), 1.0)


# %% mutant="in place" question="q5" says="changed its argument predicted in place"
def clip_score(predicted, truth, scores, prompted):
    predicted &= (scores > 0)[:, None, None]
    shared, either = (predicted & truth).flatten(1).sum(1), (predicted | truth).flatten(1).sum(1)
    fit = torch.where(either > 0, shared / either.clamp(min=1), 1.0)
    return (fit.sum() - fit[prompted]) / (len(fit) - 1)


# %% [raw]
# # END QUESTION

# %% [markdown]
# ## Done
#
# Save the notebook and hand in the `.ipynb` file itself. What comes next in the book: the
# masks of whatever a word says.
