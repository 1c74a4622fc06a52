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
# name: clip
# init_cell: false
# export_cell: false
# check_all_cell: false
# show_question_points: true
# tests:
#   files: true
#   ok_format: false
# generate: false

# %% [markdown]
# # Exercises: CLIP
#
# Five questions on the chapter *Words and pictures in one space*, from one line of code to four. Allow an hour.
#
# - Write your answer in place of the `...`, run the cell, then run the cell with `grader.check` below it. It tells you
#   what is wrong, starting with the shape. Your score also counts hidden checks: the same questions on other numbers.
# - Features are rows: `(b, d)`. What is *not* of unit length yet is called raw.
# - torch is enough. New tensors go to the device of the arguments (`device=images.device`): hidden checks look.
# - The checks you can see are in the folder `tests`; read them when a message is not enough.
# - The functions of `minilib` that would answer a question are withheld while you are scored.

# %%
# Run this cell first. On Colab it fetches the course and leaves torch, numpy and ipywidgets as they are.
import os
import sys
from pathlib import Path

EXERCISE = "clip"
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
# ## Question 1: the contrastive loss
#
# Row `i` of `images` and row `i` of `texts` belong together; both are raw. With features of unit length, each picture
# must find its text among all texts, *and* each text its picture among all pictures (Radford et al. 2021, figure 3):
#
# $$L = \frac{1}{2b}\sum_{i}\left(-\log\frac{e^{s\,u_i\cdot v_i}}{\sum_j e^{s\,u_i\cdot v_j}}
# -\log\frac{e^{s\,u_i\cdot v_i}}{\sum_j e^{s\,u_j\cdot v_i}}\right)$$
#
# Here $u_i$ and $v_i$ are rows of unit length and $s$ is `scale`. Write `contrastive`, which returns $L$ as a tensor of
# shape `()`.
#
# <details><summary>Hint</summary>
#
# One matrix of logits holds everything: row $i$, column $j$ is $s\,u_i\cdot v_j$. `F.cross_entropy(logits, labels)`
# takes the softmax along the *last* axis and the mean over rows. What are the labels? And how does the text's side come
# out of the same matrix?
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def contrastive(images, texts, scale):
    """The symmetric contrastive loss.

    Args:
        images: raw features of pictures, shape (b, d).
        texts: raw features of their texts, shape (b, d).
        scale: what cosines are multiplied with, a Python float.
    Returns:
        The mean over pairs and over both directions, shape ().
    """
    # BEGIN SOLUTION
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    labels = torch.arange(len(images), device=images.device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_three_pairs(contrastive):
    import torch

    from minilib.grading.feedback import compare, run

    images = torch.tensor([[3.0, 4.0], [1.0, 0.0], [-0.6, 0.8]])
    texts = torch.tensor([[0.8, 0.6], [2.0, -1.0], [0.0, 5.0]])
    slips = {
        "Only pictures look for their texts here: add the texts' side, and halve.": torch.tensor(0.52093),
        "Only texts look for their pictures here: add the pictures' side, and halve.": torch.tensor(0.55112),
        "The features are not of unit length: normalise both along the last axis.": torch.tensor(10.53292),
        "The scale is 1/temperature: multiply by it.": torch.tensor(0.88511),
        "This is the sum of both directions; their mean is half of it.": torch.tensor(1.07206),
        "The features are normalised over the batch: each row by itself, dim=-1.": torch.tensor(1.1538),
    }
    shapes = {(3,): "One number for the batch: the mean over pairs.", (3, 3): "One number for the batch."}
    right = torch.tensor(0.53603)
    compare(
        run(contrastive, images, texts, 2.0), right, what="contrastive(images, texts, 2.0)", slips=slips, shapes=shapes
    )


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_five_pairs(contrastive):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(1)
    images, texts = torch.randn(5, 4, generator=generator), torch.randn(5, 4, generator=generator)
    u, v = images / images.norm(dim=1, keepdim=True), texts / texts.norm(dim=1, keepdim=True)
    odds = torch.exp(7.0 * u @ v.T)
    right = -(odds.diag() / odds.sum(1)).log().mean() / 2 - (odds.diag() / odds.sum(0)).log().mean() / 2
    compare(run(contrastive, images, texts, 7.0), right, what="contrastive of five pairs, scale 7")
    follows_device(contrastive, images, texts, 7.0, what="contrastive")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q1"
# minilib.clip.losses.contrastive_loss
# minilib.clip.losses.sigmoid_loss


# %% mutant="one-sided" question="q1" says="add the texts' side"
def contrastive(images, texts, scale):
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    return F.cross_entropy(logits, torch.arange(len(images)))


# %% mutant="the other side alone" question="q1" says="add the pictures' side"
def contrastive(images, texts, scale):
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    return F.cross_entropy(logits.T, torch.arange(len(images)))


# %% mutant="no normalisation" question="q1" says="not of unit length"
def contrastive(images, texts, scale):
    logits, labels = scale * images @ texts.T, torch.arange(len(images))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


# %% mutant="divided by the scale" question="q1" says="multiply by it"
def contrastive(images, texts, scale):
    logits = F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T / scale
    labels = torch.arange(len(images))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


# %% mutant="sum of both" question="q1" says="the sum of both directions"
def contrastive(images, texts, scale):
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    labels = torch.arange(len(images))
    return F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)


# %% mutant="normalised over the batch" question="q1" says="each row by itself"
def contrastive(images, texts, scale):
    logits = scale * F.normalize(images, dim=0) @ F.normalize(texts, dim=0).T
    labels = torch.arange(len(images))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


# %% mutant="no mean" question="q1" says="One number for the batch: the mean"
def contrastive(images, texts, scale):
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    labels = torch.arange(len(images))
    both = [F.cross_entropy(one, labels, reduction="none") for one in (logits, logits.T)]
    return (both[0] + both[1]) / 2


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2

# %% [markdown]
# ## Question 2: the feature of a text
#
# A causal transformer has read texts of different lengths: `tokens` is `(b, n, d)`, `ids` is `(b, n)`. Each text has an
# end mark, the number `end`; what follows it is filling, and some tokenizers fill with *more of them*. Write `pooled`:
# for each text the token at its **first** end mark, the only token that has seen the whole text and nothing else.
#
# <details><summary>Hint</summary>
#
# `(ids == end)` is true at end marks; `argmax` of its integers is the *first* place of the largest value. Then take one
# token from each row, by two index tensors of one length: which row, and which place in it.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def pooled(tokens, ids, end):
    """The token at the first end mark of each text.

    Args:
        tokens: shape (b, n, d).
        ids: int64, shape (b, n); each row holds `end` at least once.
        end: number of the end mark, a Python int; not necessarily the largest.
    Returns:
        Shape (b, d).
    """
    # BEGIN SOLUTION
    places = (ids == end).int().argmax(dim=1)
    return tokens[torch.arange(len(ids), device=ids.device), places]
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_texts(pooled):
    import torch

    from minilib.grading.feedback import compare, run

    tokens = torch.arange(20.0).reshape(2, 5, 2)
    ids = torch.tensor([[1, 9, 7, 7, 7], [1, 3, 4, 7, 0]])
    slips = {
        "These are the last tokens of the rows, behind the end marks: find the marks.": [[8.0, 9.0], [18.0, 19.0]],
        "These are the first tokens, which have seen nothing of the text.": [[0.0, 1.0], [10.0, 11.0]],
        "Numbers of pieces can be larger than the end mark's: compare with end.": [[2.0, 3.0], [16.0, 17.0]],
        "In the first text this is the last of several end marks; take the first.": [[8.0, 9.0], [16.0, 17.0]],
        "This is the mean over all tokens; take the one at the end mark.": [[4.0, 5.0], [14.0, 15.0]],
        "These tokens stand before the end marks, and do not know the texts are over.": [[2.0, 3.0], [14.0, 15.0]],
    }
    shapes = {(2, 2, 2): "Each text needs a token of its own: index rows and places together."}
    right = [[4.0, 5.0], [16.0, 17.0]]
    compare(run(pooled, tokens, ids, 7), right, what="pooled(tokens, ids, 7)", slips=slips, shapes=shapes)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_four_texts(pooled):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    tokens = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(2))
    places = [2, 5, 1, 3]
    ids = torch.full((4, 6), 50)
    for row, place in enumerate(places):
        ids[row, place:] = 11
    right = torch.stack([tokens[row, place] for row, place in enumerate(places)])
    compare(run(pooled, tokens, ids, 11), right, what="pooled of four texts, end = 11")
    follows_device(pooled, tokens, ids, 11, what="pooled")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q2"
# minilib.clip.model.TextTransformer
# minilib.clip.model.CLIP
# minilib.clip.few_shot.PromptLearner


# %% mutant="last token" question="q2" says="the last tokens of the rows"
def pooled(tokens, ids, end):
    return tokens[:, -1]


# %% mutant="first token" question="q2" says="which have seen nothing"
def pooled(tokens, ids, end):
    return tokens[:, 0]


# %% mutant="largest number" question="q2" says="compare with end"
def pooled(tokens, ids, end):
    return tokens[torch.arange(len(ids)), ids.argmax(dim=1)]


# %% mutant="last end mark" question="q2" says="take the first"
def pooled(tokens, ids, end):
    places = ids.shape[1] - 1 - (ids == end).int().flip(1).argmax(dim=1)
    return tokens[torch.arange(len(ids)), places]


# %% mutant="mean" question="q2" says="the mean over all tokens"
def pooled(tokens, ids, end):
    return tokens.mean(dim=1)


# %% mutant="one before" question="q2" says="do not know the texts are over"
def pooled(tokens, ids, end):
    return tokens[torch.arange(len(ids)), (ids == end).int().argmax(dim=1) - 1]


# %% mutant="all pairs" question="q2" says="Each text needs a token of its own"
def pooled(tokens, ids, end):
    return tokens[:, (ids == end).int().argmax(dim=1)]


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3

# %% [markdown]
# ## Question 3: many prompts, one classifier
#
# `features[p, k]` is the raw feature of prompt `p` with the name of class `k`. Write `ensemble`, which makes one
# feature of unit length for each class: a mean over prompts in which **every prompt counts the same**, however long
# its raw feature is, and whose products with other features of unit length are **cosines**.
#
# <details><summary>Hint</summary>
#
# `F.normalize(x, dim=-1)` divides by lengths along the last axis. One of the two wishes must be seen to before the
# mean, one after it: the mean of vectors of unit length is shorter than 1 unless all are the same.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def ensemble(features):
    """One feature for each class.

    Args:
        features: raw, shape (p, k, d): prompts, classes, width.
    Returns:
        Of unit length, shape (k, d).
    """
    # BEGIN SOLUTION
    return F.normalize(F.normalize(features, dim=-1).mean(dim=0), dim=-1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_prompts(ensemble):
    import torch

    from minilib.grading.feedback import compare, run

    features = torch.tensor([[[3.0, 4.0], [0.0, 2.0]], [[10.0, 0.0], [-6.0, 8.0]]])
    slips = {
        "The mean is taken before the features are of unit length: long ones count for more.": [
            [0.95578, 0.29409],
            [-0.5145, 0.85749],
        ],
        "The mean of unit features is shorter than 1: normalise again.": [[0.8, 0.4], [-0.3, 0.9]],
        "Nothing is normalised here.": [[6.5, 2.0], [-3.0, 5.0]],
        "The mean goes over prompts, the first axis, not over classes.": [[0.31623, 0.94868], [0.44721, 0.89443]],
        "The lengths are taken over classes: normalise along the last axis.": [[0.96371, 0.52573], [-0.26693, 0.85065]],
    }
    shapes = {
        (2, 2, 2): "The prompts are still there: take the mean over them.",
        (2,): "One feature for each class: take the mean over the prompts alone.",
    }
    right = [[0.89443, 0.44721], [-0.31623, 0.94868]]
    compare(run(ensemble, features), right, what="ensemble(features)", slips=slips, shapes=shapes)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_four_prompts_three_classes(ensemble):
    import torch

    from minilib.grading.feedback import compare, run, unchanged

    features = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(3))
    before = features.clone()
    unit = features / features.square().sum(-1, keepdim=True).sqrt()
    total = unit[0] + unit[1] + unit[2] + unit[3]
    right = total / total.square().sum(-1, keepdim=True).sqrt()
    hints = {"Expected all tensors": "Only torch functions of `features` are needed."}
    compare(run(ensemble, features, hints=hints), right, what="ensemble of four prompts for three classes")
    unchanged(before, features, what="features")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q3"
# minilib.clip.zero_shot.class_features


# %% mutant="mean before normalising" question="q3" says="before the features are of unit length"
def ensemble(features):
    return F.normalize(features.mean(dim=0), dim=-1)


# %% mutant="normalised once" question="q3" says="normalise again"
def ensemble(features):
    return F.normalize(features, dim=-1).mean(dim=0)


# %% mutant="never normalised" question="q3" says="Nothing is normalised"
def ensemble(features):
    return features.mean(dim=0)


# %% mutant="mean over classes" question="q3" says="not over classes"
def ensemble(features):
    return F.normalize(F.normalize(features, dim=-1).mean(dim=1), dim=-1)


# %% mutant="normalised over classes" question="q3" says="along the last axis"
def ensemble(features):
    return F.normalize(F.normalize(features, dim=1).mean(dim=0), dim=0)


# %% mutant="no mean" question="q3" says="The prompts are still there"
def ensemble(features):
    return F.normalize(features, dim=-1)


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4

# %% [markdown]
# ## Question 4: a classifier without training
#
# `images` are raw features, `classes` are features of unit length such as `ensemble` makes them. Write `classify`. For
# each picture it returns the label, the number of the nearest class, *and* the confidence, its probability: the softmax
# over classes of cosines times `scale`.
#
# <details><summary>Hint</summary>
#
# `(b, d) @ (d, k)` is `(b, k)`: a row for each picture, a column for each class. `max(dim=...)` returns values and
# places at once, in this order.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def classify(images, classes, scale):
    """Names pictures.

    Args:
        images: raw, shape (b, d).
        classes: of unit length, shape (k, d).
        scale: what cosines are multiplied with, a Python float.
    Returns:
        Labels (int64) and confidence, two tensors of shape (b,).
    """
    # BEGIN SOLUTION
    cosines = F.normalize(images, dim=-1) @ classes.T
    confidence, labels = torch.softmax(scale * cosines, dim=-1).max(dim=-1)
    return labels, confidence
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_three_pictures_three_classes(classify):
    import torch

    from minilib.grading.feedback import compare, parts, run

    images = torch.tensor([[0.5, -0.2], [3.0, 4.0], [2.0, 3.0]])
    classes = torch.tensor([[0.6, 0.8], [1.0, 0.0], [-0.6, 0.8]])
    labels, confidence = parts(
        run(classify, images, classes, 4.0), ["labels", "confidence"], what="classify(images, classes, 4.0)"
    )
    if getattr(labels, "dtype", None) == torch.float32 and getattr(confidence, "dtype", None) == torch.int64:
        raise AssertionError("The two results are exchanged: first the labels, then the confidence.")
    wrong_labels = {
        "This is the best picture for each class: softmax and argmax over classes, the last axis.": [1, 0, 2],
        "These are the classes that fit least.": [2, 2, 2],
    }
    slips = {
        "The scale is 1/temperature: multiply cosines by it.": [0.40217, 0.36495, 0.36474],
        "The scale is missing: the probabilities are too even.": [0.595, 0.46359, 0.46392],
        "The pictures are not of unit length: these are no cosines.": [0.79465, 0.99966, 0.99827],
        "These are cosines; the softmax makes probabilities of them.": [0.92848, 1.0, 0.99846],
        "The softmax is over pictures; each picture's probabilities must sum to 1.": [0.6698, 0.48884, 0.48584],
    }
    swapped = {(3, 3): "One number for each picture: that of the best class."}
    compare(labels, torch.tensor([1, 0, 0]), what="labels", slips=wrong_labels, shapes=swapped)
    compare(confidence, [0.93478, 0.79489, 0.80694], what="confidence", slips=slips, shapes=swapped)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_more_pictures_than_classes(classify):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    generator = torch.Generator().manual_seed(4)
    images, classes = torch.randn(6, 4, generator=generator), torch.randn(3, 4, generator=generator)
    classes = classes / classes.norm(dim=1, keepdim=True)
    labels, confidence = parts(
        run(classify, images, classes, 9.0), ["labels", "confidence"], what="classify of six pictures"
    )
    odds = torch.exp(9.0 * images @ classes.T / images.norm(dim=1, keepdim=True))
    best = torch.tensor([max(range(3), key=row.tolist().__getitem__) for row in odds])
    compare(labels, best, what="labels of six pictures")
    compare(confidence, odds.amax(1) / odds.sum(1), what="confidence of six pictures")
    follows_device(classify, images, classes, 9.0, what="classify")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q4"
# minilib.clip.zero_shot.classify


# %% mutant="argmax over pictures" question="q4" says="the best picture for each class"
def classify(images, classes, scale):
    cosines = F.normalize(images, dim=-1) @ classes.T
    confidence, labels = torch.softmax(scale * cosines, dim=0).max(dim=0)
    return labels, confidence


# %% mutant="softmax over pictures" question="q4" says="each picture's probabilities must sum to 1"
def classify(images, classes, scale):
    cosines = F.normalize(images, dim=-1) @ classes.T
    labels = cosines.argmax(dim=-1)
    return labels, torch.softmax(scale * cosines, dim=0)[torch.arange(len(images)), labels]


# %% mutant="divided by the scale" question="q4" says="multiply cosines by it"
def classify(images, classes, scale):
    confidence, labels = torch.softmax(F.normalize(images, dim=-1) @ classes.T / scale, dim=-1).max(dim=-1)
    return labels, confidence


# %% mutant="no scale" question="q4" says="The scale is missing"
def classify(images, classes, scale):
    confidence, labels = torch.softmax(F.normalize(images, dim=-1) @ classes.T, dim=-1).max(dim=-1)
    return labels, confidence


# %% mutant="raw pictures" question="q4" says="these are no cosines"
def classify(images, classes, scale):
    confidence, labels = torch.softmax(scale * images @ classes.T, dim=-1).max(dim=-1)
    return labels, confidence


# %% mutant="cosines for probabilities" question="q4" says="the softmax makes probabilities"
def classify(images, classes, scale):
    confidence, labels = (F.normalize(images, dim=-1) @ classes.T).max(dim=-1)
    return labels, confidence


# %% mutant="exchanged" question="q4" says="The two results are exchanged"
def classify(images, classes, scale):
    return torch.softmax(scale * F.normalize(images, dim=-1) @ classes.T, dim=-1).max(dim=-1)


# %% mutant="distance for likeness" question="q4" says="the classes that fit least"
def classify(images, classes, scale):
    cosines = F.normalize(images, dim=-1) @ classes.T
    confidence, labels = torch.softmax(-scale * cosines, dim=-1).max(dim=-1)
    return labels, confidence


# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5

# %% [markdown]
# ## Question 5: Tip-Adapter
#
# A few labelled pictures are at hand: `keys` are their features, `labels` their classes. Without any training they can
# help the zero-shot classifier (Zhang et al. 2022, eqs. 4 to 6):
#
# $$\text{logits} = s\,f\,W^\top + \alpha\, e^{-\beta\,(1 - f K^\top)}\, L$$
#
# $f$ are the pictures' features, $W$ the classes', $K$ the keys, all of unit length already; $L$ is $(n, k)$ with a
# single 1 in each row, at the key's class. Write `tip`.
#
# <details><summary>Hint</summary>
#
# `F.one_hot(labels, k)` makes $L$, as integers: bring it to the type of the features (`.to(classes.dtype)`). A key that
# equals the picture has cosine 1 and likeness $e^0=1$; every other one less.
#
# </details>

# %% [raw]
# # BEGIN SOLUTION


# %%
def tip(images, classes, keys, labels, scale, alpha, beta):
    """Logits of Tip-Adapter.

    Args:
        images: of unit length, shape (b, d).
        classes: of unit length, shape (k, d).
        keys: of unit length, shape (n, d).
        labels: classes of the keys, int64 in 0..k-1, shape (n,).
        scale, alpha, beta: s, α and β, Python floats.
    Returns:
        Shape (b, k).
    """
    # BEGIN SOLUTION
    values = F.one_hot(labels, len(classes)).to(classes.dtype)
    likeness = torch.exp(-beta * (1 - images @ keys.T))
    return scale * images @ classes.T + alpha * likeness @ values
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS

# %%
""" # BEGIN TEST CONFIG
points: 1
"""  # END TEST CONFIG


def test_two_pictures_three_keys(tip):
    import torch

    from minilib.grading.feedback import compare, run

    images = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    classes = torch.tensor([[0.0, 1.0], [0.8, 0.6]])
    keys = torch.tensor([[0.6, 0.8], [0.8, -0.6], [1.0, 0.0]])
    labels = torch.tensor([0, 1, 1])
    slips = {
        "Likeness must fall with the distance: there is a minus before beta.": [[4.6, 20.83142], [5.46636, 8.64958]],
        "The zero-shot logits are missing: the memory is added to them.": [[3.0, 2.31583], [1.64644, 5.22246]],
        "The zero-shot part is not scaled: cosines times s.": [[3.8, 3.27583], [1.64644, 6.02246]],
        "alpha belongs to the memory, not to the zero-shot part.": [[5.8, 6.53194], [0.54881, 6.54082]],
        "The likeness is the plain cosine here: exp(-beta (1 - cosine)).": [[4.6, 3.72], [1.8, 7.0]],
        "The likeness is made a softmax over keys; the paper takes the exponentials as they are.": [
            [3.29306, 3.22694],
            [0.71908, 3.88092],
        ],
        "Each class has the mean of its keys here; they are summed.": [[4.6, 3.07791], [1.64644, 4.21123]],
    }
    shapes = {(2, 3): "One logit for each class: the keys' likeness goes to their classes by L."}
    right = [[4.6, 4.23583], [1.64644, 6.82245]]
    hints = {"same dtype": "one_hot makes integers: bring them to the features' type."}
    got = run(tip, images, classes, keys, labels, 2.0, 3.0, 1.5, hints=hints)
    compare(got, right, what="tip(images, classes, keys, labels, 2.0, 3.0, 1.5)", slips=slips, shapes=shapes)


# %%
""" # BEGIN TEST CONFIG
hidden: true
points: 2
"""  # END TEST CONFIG


def test_a_class_without_keys(tip):
    import torch

    from minilib.grading.feedback import compare, follows_device, run

    generator = torch.Generator().manual_seed(5)
    images, classes, keys = (torch.randn(n, 4, generator=generator) for n in (5, 4, 6))
    images, classes, keys = (x / x.norm(dim=1, keepdim=True) for x in (images, classes, keys))
    labels = torch.tensor([2, 0, 0, 1, 2, 0])  # none of class 3
    right = 10.0 * images @ classes.T
    for picture in range(5):
        for key in range(6):
            distance = 1 - float(images[picture] @ keys[key])
            right[picture, labels[key]] += 0.5 * torch.tensor(-4.0 * distance).exp()
    hints = {"same dtype": "one_hot makes integers: bring them to the features' type."}
    got = run(tip, images, classes, keys, labels, 10.0, 0.5, 4.0, hints=hints)
    compare(got, right, what="tip with a class that has no keys")
    follows_device(tip, images, classes, keys, labels, 10.0, 0.5, 4.0, what="tip")


# %% [raw]
# # END TESTS

# %% [raw] withheld="q5"
# minilib.clip.few_shot.TipAdapter


# %% mutant="growing with distance" question="q5" says="a minus before beta"
def tip(images, classes, keys, labels, scale, alpha, beta):
    values = F.one_hot(labels, len(classes)).to(classes.dtype)
    return scale * images @ classes.T + alpha * torch.exp(beta * (1 - images @ keys.T)) @ values


# %% mutant="memory alone" question="q5" says="The zero-shot logits are missing"
def tip(images, classes, keys, labels, scale, alpha, beta):
    values = F.one_hot(labels, len(classes)).to(classes.dtype)
    return alpha * torch.exp(-beta * (1 - images @ keys.T)) @ values


# %% mutant="no scale" question="q5" says="cosines times s"
def tip(images, classes, keys, labels, scale, alpha, beta):
    values = F.one_hot(labels, len(classes)).to(classes.dtype)
    return images @ classes.T + alpha * torch.exp(-beta * (1 - images @ keys.T)) @ values


# %% mutant="alpha at the wrong place" question="q5" says="alpha belongs to the memory"
def tip(images, classes, keys, labels, scale, alpha, beta):
    values = F.one_hot(labels, len(classes)).to(classes.dtype)
    return alpha * scale * images @ classes.T + torch.exp(-beta * (1 - images @ keys.T)) @ values


# %% mutant="plain cosine" question="q5" says="The likeness is the plain cosine"
def tip(images, classes, keys, labels, scale, alpha, beta):
    values = F.one_hot(labels, len(classes)).to(classes.dtype)
    return scale * images @ classes.T + alpha * images @ keys.T @ values


# %% mutant="softmax over keys" question="q5" says="takes the exponentials as they are"
def tip(images, classes, keys, labels, scale, alpha, beta):
    values = F.one_hot(labels, len(classes)).to(classes.dtype)
    likeness = torch.softmax(-beta * (1 - images @ keys.T), dim=-1)
    return scale * images @ classes.T + alpha * likeness @ values


# %% mutant="mean over keys" question="q5" says="they are summed"
def tip(images, classes, keys, labels, scale, alpha, beta):
    values = F.one_hot(labels, len(classes)).to(classes.dtype)
    values = values / values.sum(0).clamp(min=1)
    return scale * images @ classes.T + alpha * torch.exp(-beta * (1 - images @ keys.T)) @ values


# %% mutant="logits of keys" question="q5" says="One logit for each class"
def tip(images, classes, keys, labels, scale, alpha, beta):
    return alpha * torch.exp(-beta * (1 - images @ keys.T))


# %% [raw]
# # END QUESTION

# %% [markdown]
# ## Done
#
# Save the notebook and hand in the `.ipynb` file itself. What comes next in the book: pointing at a thing, and getting
# its outline.
