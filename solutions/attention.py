# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [raw] about=true
# For the instructor: how this file becomes an exercise is told in solutions/noising.py and in CONTRIBUTING.md.
# Question 1 asks for the weights as well, because torch's fused function gives the result away, but not those.
# ruff: noqa: E402, F811

# %% [raw]
# # ASSIGNMENT CONFIG
# name: attention
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: attention
#
# Five questions on the chapter *Attention*, from one line of code to five. You write what stands inside a transformer's
# layer with torch tensors and nothing else. Allow an hour.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - Queries, keys and values are **rows**: `q` has the shape `(..., n, d)`, one row of width `d` for each of `n` tokens.
# - A mask is bool and `True` where a query **may look**.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib.attention` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "attention"
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
# ## Question 1: ask, compare, gather
#
# Each query is compared with every key; a softmax makes the comparisons to weights; with these the values are averaged:
#
# $$\mathrm{Attention}(Q,K,V) = \mathrm{softmax}\Big(\frac{QK^\top}{\sqrt d}\Big)\,V
# \qquad \text{(Vaswani et al. 2017, eq. 1)}$$
#
# where $d$ is the width of queries and keys. Write `attend`. It returns a tuple: what each query has gathered, and the
# weights. There may be more keys than queries, and any number of axes before the last two.
#
# <details><summary>Hint</summary>
#
# `k.mT` swaps the last two axes, whatever stands before them. Each *query* has one unit of attention to spend: which
# axis of `(..., n, m)` must sum to 1?
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def attend(q, k, v):
    """Scaled dot-product attention.

    Args:
        q: queries, shape (..., n, d).
        k: keys, shape (..., m, d).
        v: values, shape (..., m, e).
    Returns:
        What the queries gather, shape (..., n, e); the weights, shape (..., n, m).
    """
    # BEGIN SOLUTION
    weights = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1)
    return weights @ v, weights
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_three_tokens(attend):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    q = torch.tensor([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    k = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
    v = torch.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    before = q.clone()
    gathered, weights = parts(run(attend, q, k, v), ("gathered", "weights"), what="attend(q, k, v)")
    unchanged(before, q, what="q")
    slips = {
        "√d is missing: the scores are divided by the root of the width of a query.": [
            [0.866813, 0.11731, 0.015876],
            [0.015876, 0.866813, 0.11731],
            [0.244728, 0.665241, 0.090031],
        ],
        "You divided by d itself; it is the root, because variances add up, not deviations.": [
            [0.665241, 0.244728, 0.090031],
            [0.090031, 0.665241, 0.244728],
            [0.307196, 0.50648, 0.186324],
        ],
        "You divided by the root of the number of keys, not of the width.": [
            [0.706977, 0.222805, 0.070217],
            [0.070217, 0.706977, 0.222805],
            [0.29916, 0.532897, 0.167943],
        ],
        "You multiplied by √d; the scores are to become smaller.": [
            [0.941088, 0.055624, 0.003288],
            [0.003288, 0.941088, 0.055624],
            [0.186694, 0.767918, 0.045388],
        ],
        "The columns sum to 1: that is a softmax over the queries. Each query spreads its attention over the keys.": [
            [0.575975, 0.045388, 0.045388],
            [0.140029, 0.767918, 0.767918],
            [0.283995, 0.186694, 0.186694],
        ],
        "Queries and keys have changed places: row i must belong to query i.": [
            [0.575975, 0.140029, 0.283995],
            [0.045388, 0.767918, 0.186694],
            [0.045388, 0.767918, 0.186694],
        ],
        "These are the scores: the softmax is missing.": [
            [1.414214, 0.0, -1.414214],
            [0.0, 2.828427, 1.414214],
            [0.707107, 1.414214, 0.0],
        ],
    }
    compare(
        weights,
        [[0.767918, 0.186694, 0.045388], [0.045388, 0.767918, 0.186694], [0.283995, 0.575975, 0.140029]],
        what="the weights",
        slips=slips,
        rtol=1e-3,
    )
    wrong = {
        "You used the transpose of the weights to average the values.": [
            [0.904083, 0.613379, 1.819831],
            [2.490448, 1.919869, 0.949363],
            [0.605469, 0.466752, 0.230806],
        ]
    }
    compare(
        gathered,
        [[1.327999, 0.27747, 1.581224], [2.349142, 1.141305, 0.27747], [2.011921, 0.856034, 0.70802]],
        what="what the queries gather",
        slips=wrong,
        rtol=1e-3,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_batches_and_more_keys(attend):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    generator = torch.Generator().manual_seed(5)
    q, k, v = (torch.randn(2, 3, n, 8, generator=generator) for n in (4, 6, 6))
    scores = torch.einsum("bhnd,bhmd->bhnm", q, k) / 8**0.5
    right = scores.exp() / scores.exp().sum(-1, keepdim=True)
    hints = {
        "must match": "There are more keys than queries here: which axes belong to which?",
        "Expected size": "There are more keys than queries here: which axes belong to which?",
    }
    got = parts(run(attend, q, k, v, hints=hints), ("gathered", "weights"), what="attend(q, k, v)")
    compare(got[1], right, what="the weights of 2 × 3 batches, 4 queries, 6 keys of width 8")
    compare(got[0], torch.einsum("bhnm,bhme->bhne", right, v), what="what they gather", rtol=1e-3, atol=1e-5)
    follows_device(lambda *tensors: attend(*tensors)[0], q, k, v, what="attend")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.attention.layers.attention_weights
# minilib.attention.layers.attention
# minilib.attention.layers.Heads
# minilib.attention.layers.SelfAttention
# minilib.attention.layers.CrossAttention


# %% mutant="no root" question="q1" says="√d is missing"
def attend(q, k, v):
    weights = torch.softmax(q @ k.mT, dim=-1)
    return weights @ v, weights


# %% mutant="d in place of its root" question="q1" says="You divided by d itself"
def attend(q, k, v):
    weights = torch.softmax(q @ k.mT / q.shape[-1], dim=-1)
    return weights @ v, weights


# %% mutant="times the root" question="q1" says="the scores are to become smaller"
def attend(q, k, v):
    weights = torch.softmax(q @ k.mT * q.shape[-1] ** 0.5, dim=-1)
    return weights @ v, weights


# %% mutant="softmax over the queries" question="q1" says="a softmax over the queries"
def attend(q, k, v):
    weights = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-2)
    return weights @ v, weights


# %% mutant="keys ask queries" question="q1" says="Queries and keys have changed places"
def attend(q, k, v):
    weights = torch.softmax(k @ q.mT / q.shape[-1] ** 0.5, dim=-1)
    return weights @ v, weights


# %% mutant="no softmax" question="q1" says="the softmax is missing"
def attend(q, k, v):
    weights = q @ k.mT / q.shape[-1] ** 0.5
    return weights @ v, weights


# %% mutant="root of the number of keys" question="q1" says="the root of the number of keys"
def attend(q, k, v):
    weights = torch.softmax(q @ k.mT / k.shape[-2] ** 0.5, dim=-1)
    return weights @ v, weights


# %% mutant="returns the result alone" question="q1" says="expected a tuple (gathered, weights)"
def attend(q, k, v):
    return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1) @ v


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: some may not be looked at
#
# A mask says which keys a query may look at. The others get weight 0, **and the weights of those that are left sum to
# 1**. A query that may look nowhere (padding, say) gathers nothing: all its weights are 0, and none is NaN.
#
# Write `masked_weights`, from the scores (already divided by $\sqrt d$) to the weights.
#
# <details><summary>Hint</summary>
#
# $e^{-\infty}=0$, so a score of $-\infty$ takes no part in a softmax. What does a softmax make of a row in which *all*
# scores are $-\infty$?
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def masked_weights(scores, mask):
    """Softmax over the keys that may be looked at.

    Args:
        scores: shape (..., n, m).
        mask: bool, True where query n may look at key m; its shape broadcasts to that of the scores.
    Returns:
        Weights, shape (..., n, m): rows sum to 1, or are 0 where a query may look nowhere.
    """
    # BEGIN SOLUTION
    weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)
    return weights.masked_fill(~mask, 0.0)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_four_queries(masked_weights):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    scores = torch.tensor([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0], [2.0, -1.0, 1.0], [0.0, 0.0, 1.0]])
    mask = torch.tensor([[True, False, True], [True, True, False], [False, False, False], [True, True, True]])
    before = scores.clone()
    got = run(masked_weights, scores, mask)
    unchanged(before, scores, what="scores")
    slips = {
        "A score of 0 is not a weight of 0: e⁰ = 1 still takes its share.": [
            [0.50648, 0.186324, 0.307196],
            [0.211942, 0.576117, 0.211942],
            [0.333333, 0.333333, 0.333333],
            [0.211942, 0.211942, 0.576117],
        ],
        "You masked after the softmax: what is left of a row no longer sums to 1.": [
            [0.231224, 0.0, 0.140244],
            [0.04201, 0.114195, 0.0],
            [0.0, 0.0, 0.0],
            [0.211942, 0.211942, 0.576117],
        ],
        "The mask is the other way round: True is where a query MAY look.": [
            [0.0, 1.0, 0.0],
            [0.0, 0.0, 1.0],
            [0.705385, 0.035119, 0.259496],
            [0.0, 0.0, 0.0],
        ],
        "The third query may look nowhere, yet it spreads its attention evenly: all its weights should be 0.": [
            [0.622459, 0.0, 0.377541],
            [0.268941, 0.731059, 0.0],
            [0.333333, 0.333333, 0.333333],
            [0.211942, 0.211942, 0.576117],
        ],
        "The third query may look nowhere, and a softmax over nothing is 0/0: set those weights to 0.": [
            [0.622459, 0.0, 0.377541],
            [0.268941, 0.731059, 0.0],
            [float("nan"), float("nan"), float("nan")],
            [0.211942, 0.211942, 0.576117],
        ],
    }
    compare(
        got,
        [[0.622459, 0.0, 0.377541], [0.268941, 0.731059, 0.0], [0.0, 0.0, 0.0], [0.211942, 0.211942, 0.576117]],
        what="masked_weights(scores, mask)",
        slips=slips,
        rtol=1e-3,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_broadcast_mask_and_large_scores(masked_weights):
    import torch

    from minilib.grading.feedback import compare, run

    scores = 50 * torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(3))
    mask = torch.tensor([[[[True, True, False, True]]], [[[False, False, False, False]]]])
    left = scores[:, :, :, [0, 1, 3]]
    some = torch.softmax(left, dim=-1)
    right = torch.zeros_like(scores)
    right[0][..., [0, 1, 3]] = some[0]
    what = "masked_weights with one mask for all heads and queries, and scores of up to 150"
    compare(run(masked_weights, scores, mask), right, what=what)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.attention.layers.attention_weights


# %% mutant="scores of 0" question="q2" says="A score of 0 is not a weight of 0"
def masked_weights(scores, mask):
    return torch.softmax(scores * mask, dim=-1)


# %% mutant="masks after the softmax" question="q2" says="You masked after the softmax"
def masked_weights(scores, mask):
    return torch.softmax(scores, dim=-1) * mask


# %% mutant="mask the other way round" question="q2" says="The mask is the other way round"
def masked_weights(scores, mask):
    return torch.softmax(scores.masked_fill(mask, float("-inf")), dim=-1).nan_to_num(0.0)


# %% mutant="a large negative number" question="q2" says="it spreads its attention evenly"
def masked_weights(scores, mask):
    return torch.softmax(scores.masked_fill(~mask, -1e9), dim=-1)


# %% mutant="not a number" question="q2" says="a softmax over nothing is 0/0"
def masked_weights(scores, mask):
    return torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)


# %% mutant="in place" question="q2" says="changed its argument scores in place"
def masked_weights(scores, mask):
    return torch.softmax(scores.masked_fill_(~mask, float("-inf")), dim=-1).nan_to_num(0.0)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: several heads
#
# Eight heads do not need eight layers: one linear layer makes the queries of all heads **side by side**, and head $h$
# owns the channels from $h\cdot d_\text{head}$ to $(h+1)\cdot d_\text{head}$. Then heads become an axis of their
# own, in front of the tokens, so that one matrix product serves all.
#
# Write `split_heads`, from `(b, n, heads · d)` to `(b, heads, n, d)`, and `merge_heads`, its inverse.
#
# <details><summary>Hint</summary>
#
# `reshape` reads numbers line by line and never swaps axes. It can cut the last axis in two. A second step must then
# move the new axis. After axes were swapped, `reshape` and `flatten` still work, `view` does not.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def split_heads(x, num_heads):
    """Gives each head its own channels.

    Args:
        x: tokens, shape (b, n, num_heads * d).
        num_heads: a Python int.
    Returns:
        Shape (b, num_heads, n, d).
    """
    # BEGIN SOLUTION
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    # END SOLUTION


def merge_heads(x):
    """Puts the heads side by side again.

    Args:
        x: shape (b, num_heads, n, d).
    Returns:
        Shape (b, n, num_heads * d).
    """
    # BEGIN SOLUTION
    return x.transpose(1, 2).flatten(2)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_tokens_three_heads(split_heads):
    import torch

    from minilib.grading.feedback import compare, run

    x = torch.arange(12.0).reshape(1, 2, 6)
    slips = {
        "reshape alone mixes tokens and heads: cut the last axis first, then swap axes.": [
            [[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [6.0, 7.0]], [[8.0, 9.0], [10.0, 11.0]]]
        ],
        "A head's channels are neighbours, not every third one.": [
            [[[0.0, 3.0], [6.0, 9.0]], [[1.0, 4.0], [7.0, 10.0]], [[2.0, 5.0], [8.0, 11.0]]]
        ],
    }
    shapes = {
        (1, 2, 3, 2): "Heads come before tokens: swap these two axes.",
        (1, 2, 2, 3): "Heads come before tokens, and there are three of them.",
    }
    compare(
        run(split_heads, x, 3),
        [[[[0.0, 1.0], [6.0, 7.0]], [[2.0, 3.0], [8.0, 9.0]], [[4.0, 5.0], [10.0, 11.0]]]],
        what="split_heads(x, 3)",
        slips=slips,
        shapes=shapes,
    )


# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_back_again(merge_heads):
    import torch

    from minilib.grading.feedback import compare, run

    heads = torch.tensor([[[[0.0, 1.0], [6.0, 7.0]], [[2.0, 3.0], [8.0, 9.0]], [[4.0, 5.0], [10.0, 11.0]]]])
    slips = {
        "reshape alone mixes tokens and heads: swap the axes first, then join the last two.": [
            [[0.0, 1.0, 6.0, 7.0, 2.0, 3.0], [8.0, 9.0, 4.0, 5.0, 10.0, 11.0]]
        ],
        "A head's channels are neighbours, not every third one.": [
            [[0.0, 2.0, 4.0, 1.0, 3.0, 5.0], [6.0, 8.0, 10.0, 7.0, 9.0, 11.0]]
        ],
    }
    compare(
        run(merge_heads, heads),
        [[[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]]],
        what="merge_heads(x)",
        slips=slips,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_as_many_heads_as_tokens(split_heads, merge_heads):
    import torch

    from minilib.grading.feedback import compare, run

    x = torch.randn(2, 4, 20, generator=torch.Generator().manual_seed(1))
    right = torch.stack([x[:, :, 5 * head : 5 * head + 5] for head in range(4)], dim=1)
    compare(run(split_heads, x, 4), right, what="split_heads(x, 4) of four tokens")
    compare(run(merge_heads, right), x, what="merge_heads of four heads and four tokens")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.attention.layers.Heads


# %% mutant="reshape alone, splitting" question="q3" says="cut the last axis first"
def split_heads(x, num_heads):
    b, n, width = x.shape
    return x.reshape(b, num_heads, n, width // num_heads)


# %% mutant="every third channel" question="q3" says="not every third one"
def split_heads(x, num_heads):
    return x.unflatten(-1, (-1, num_heads)).permute(0, 3, 1, 2)


# %% mutant="tokens before heads" question="q3" says="Heads come before tokens"
def split_heads(x, num_heads):
    return x.unflatten(-1, (num_heads, -1))


# %% mutant="reshape alone, merging" question="q3" says="swap the axes first"
def merge_heads(x):
    b, heads, n, d = x.shape
    return x.reshape(b, n, heads * d)


# %% mutant="channels before heads" question="q3" says="A head's channels are neighbours"
def merge_heads(x):
    return x.permute(0, 2, 3, 1).flatten(2)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: where am I?
#
# Attention does not know in which order its tokens came. So a vector that tells the position is added to each:
#
# $$p_{t,\,2i} = \sin\frac{t}{10000^{2i/d}}, \qquad p_{t,\,2i+1} = \cos\frac{t}{10000^{2i/d}}
# \qquad \text{(Vaswani et al. 2017, section 3.5)}$$
#
# Positions $t$ and pairs $i$ are counted from 0; sine and cosine of one pair are **neighbours**. Write `positions`, in
# `float32`.
#
# <details><summary>Hint</summary>
#
# First the angles, of shape `(n, d/2)`. Then `torch.stack` puts sine and cosine side by side on a new axis, and
# `flatten` joins it with the one before.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def positions(n, width):
    """Sinusoidal position vectors.

    Args:
        n: number of tokens, a Python int.
        width: d, an even Python int.
    Returns:
        Shape (n, width), float32.
    """
    # BEGIN SOLUTION
    frequencies = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(n)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_three_positions(positions):
    import torch

    from minilib.grading.feedback import compare, run

    slips = {
        "All sines come first here; sine and cosine of one pair should be neighbours.": [
            [0.0, 0.0, 1.0, 1.0],
            [0.841471, 0.01, 0.540302, 0.99995],
            [0.909297, 0.019999, -0.416147, 0.9998],
        ],
        "Sine and cosine have changed places: even channels hold the sine.": [
            [1.0, 0.0, 1.0, 0.0],
            [0.540302, 0.841471, 0.99995, 0.01],
            [-0.416147, 0.909297, 0.9998, 0.019999],
        ],
        "The first token is at position 0, not 1.": [
            [0.841471, 0.540302, 0.01, 0.99995],
            [0.909297, -0.416147, 0.019999, 0.9998],
            [0.14112, -0.989992, 0.029996, 0.99955],
        ],
        "The exponent is 2i/d, where i counts the pairs: the waves fall off too slowly.": [
            [0.0, 1.0, 0.0, 1.0],
            [0.841471, 0.540302, 0.099833, 0.995004],
            [0.909297, -0.416147, 0.198669, 0.980067],
        ],
        "The angles grow with i: divide by 10000^(2i/d), do not multiply.": [
            [0.0, 1.0, 0.0, 1.0],
            [0.841471, 0.540302, -0.506366, 0.862319],
            [0.909297, -0.416147, -0.873297, 0.487188],
        ],
    }
    what, kind = "positions(3, 4)", torch.float32
    compare(
        run(positions, 3, 4),
        [[0.0, 1.0, 0.0, 1.0], [0.841471, 0.540302, 0.01, 0.99995], [0.909297, -0.416147, 0.019999, 0.9998]],
        what=what,
        dtype=kind,
        between=(-1.0, 1.0),
        slips=slips,
        atol=1e-5,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_many_positions(positions):
    import math

    import torch

    from minilib.grading.feedback import compare, run

    rows = []
    for t in range(50):
        angles = [t / 10000 ** (2 * i / 16) for i in range(8)]
        rows.append([wave for angle in angles for wave in (math.sin(angle), math.cos(angle))])
    right = torch.tensor(rows)
    compare(run(positions, 50, 16), right, what="positions(50, 16)", between=(-1.0, 1.0), atol=1e-4)


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.attention.positions.sinusoidal
# minilib.attention.positions.sinusoidal_2d
# minilib.attention.positions.rotary_angles


# %% mutant="all sines first" question="q4" says="All sines come first"
def positions(n, width):
    angles = torch.arange(n)[:, None] * 10_000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


# %% mutant="cosine first" question="q4" says="Sine and cosine have changed places"
def positions(n, width):
    angles = torch.arange(n)[:, None] * 10_000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(1)


# %% mutant="counts from 1" question="q4" says="The first token is at position 0"
def positions(n, width):
    angles = torch.arange(1, n + 1)[:, None] * 10_000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# %% mutant="i in place of 2i" question="q4" says="the waves fall off too slowly"
def positions(n, width):
    angles = torch.arange(n)[:, None] * 10_000.0 ** (-torch.arange(width // 2) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# %% mutant="multiplies" question="q4" says="The angles grow with i"
def positions(n, width):
    angles = torch.arange(n)[:, None] * 10_000.0 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: not the future, not the distant past
#
# A model that continues a text must not look ahead, or it would copy the answer. And if the text is long, it may be
# allowed to look back only a little. Write `window_mask`: each token may look at **itself and at the `window - 1`
# tokens before it**. Row $i$ belongs to query $i$.
#
# <details><summary>Hint</summary>
#
# Let `i` hold the places with shape `(n, 1)` and `j` the same places with shape `(n,)`: by broadcasting, entry (i, j)
# of `i - j` is how far back key $j$ lies from query $i$. Two comparisons, joined by `&`, are enough.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def window_mask(n, window):
    """Who may look at whom.

    Args:
        n: number of tokens, a Python int.
        window: number of tokens that each may look at, itself included, at least 1.
    Returns:
        Shape (n, n), bool: True where the query of this row may look at the key of this column.
    """
    # BEGIN SOLUTION
    back = torch.arange(n)[:, None] - torch.arange(n)
    return (back >= 0) & (back < window)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_four_tokens(window_mask):
    import torch

    from minilib.grading.feedback import compare, run

    slips = {
        "This one looks ahead: rows are queries, columns are keys.": [
            [True, True, False, False],
            [False, True, True, False],
            [False, False, True, True],
            [False, False, False, True],
        ],
        "One token too many: the window counts the token itself.": [
            [True, False, False, False],
            [True, True, False, False],
            [True, True, True, False],
            [False, True, True, True],
        ],
        "It looks both ways: keys after the query are not allowed.": [
            [True, True, False, False],
            [True, True, True, False],
            [False, True, True, True],
            [False, False, True, True],
        ],
        "A token may look at itself.": [
            [False, False, False, False],
            [True, False, False, False],
            [True, True, False, False],
            [False, True, True, False],
        ],
        "The other way round: True is where a query MAY look.": [
            [False, True, True, True],
            [False, False, True, True],
            [True, False, False, True],
            [True, True, False, False],
        ],
    }
    slips = {reason: torch.tensor(wrong).double() for reason, wrong in slips.items()}
    compare(
        run(window_mask, 4, 2),
        [
            [True, False, False, False],
            [True, True, False, False],
            [False, True, True, False],
            [False, False, True, True],
        ],
        what="window_mask(4, 2)",
        dtype=torch.bool,
        slips=slips,
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_other_windows(window_mask):
    import torch

    from minilib.grading.feedback import compare, run

    for n, window in ((7, 3), (5, 1), (4, 9)):
        right = torch.tensor([[i - window < j <= i for j in range(n)] for i in range(n)])
        compare(run(window_mask, n, window), right, what=f"window_mask({n}, {window})")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.attention.layers.causal_mask


# %% mutant="looks ahead" question="q5" says="rows are queries, columns are keys"
def window_mask(n, window):
    back = torch.arange(n) - torch.arange(n)[:, None]
    return (back >= 0) & (back < window)


# %% mutant="one too many" question="q5" says="the window counts the token itself"
def window_mask(n, window):
    back = torch.arange(n)[:, None] - torch.arange(n)
    return (back >= 0) & (back <= window)


# %% mutant="both ways" question="q5" says="It looks both ways"
def window_mask(n, window):
    back = torch.arange(n)[:, None] - torch.arange(n)
    return back.abs() < window


# %% mutant="not itself" question="q5" says="A token may look at itself"
def window_mask(n, window):
    back = torch.arange(n)[:, None] - torch.arange(n)
    return (back > 0) & (back <= window)


# %% mutant="where it may not look" question="q5" says="The other way round"
def window_mask(n, window):
    back = torch.arange(n)[:, None] - torch.arange(n)
    return ~((back >= 0) & (back < window))


# %% [raw]
# # END QUESTION

# %% [markdown]
# ## Done
#
# Save the notebook and hand in the `.ipynb` file itself. What comes next in the book: pictures become sentences, and a
# transformer reads them.
