"""Naming pictures without a label: class names become sentences, sentences become a classifier."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minilib.clip.losses import check_unit_length
from minilib.clip.model import CLIP
from minilib.clip.tokenizer import Tokenizer


@torch.no_grad()
def class_features(
    clip: CLIP, tokenizer: Tokenizer, names: Sequence[str], prompts: Sequence[str] = ("a {}",)
) -> Float[Tensor, "k d"]:
    """One feature for each class, from one or more prompts (Radford et al. 2021, sections 3.1.2 and 3.1.4).

    Each prompt's features are normalised, averaged over the prompts, and normalised again.

    Args:
        clip, tokenizer: that belong together.
        names: of the classes.
        prompts: sentences with {} where the name goes.
    Raises:
        TypeError: one string in place of several.
        ValueError: no names, no prompts, a prompt without {}, or a tokenizer of another model.
    """
    for kind, given in (("names", names), ("prompts", prompts)):
        if isinstance(given, str):
            raise TypeError(f"expected {kind} as a list of strings, got one string: {given!r}")
    if not names or not prompts:
        raise ValueError(f"expected names and prompts, got {len(names)} names and {len(prompts)} prompts")
    for prompt in prompts:
        if "{}" not in prompt:
            raise ValueError(f"expected prompts with {{}} where the name goes, got {prompt!r}")
    check_same_vocabulary(clip, tokenizer)
    device = clip.logit_scale.device
    each = [clip.encode_texts(tokenizer([p.replace("{}", name) for name in names]).to(device)) for p in prompts]
    return F.normalize(torch.stack(each).mean(0), dim=-1)


def check_same_vocabulary(clip: CLIP, tokenizer: Tokenizer) -> None:
    """Raises ValueError for a tokenizer whose numbers mean nothing to the model."""
    known = clip.config.text.vocab_size
    if tokenizer.vocab_size != known:
        raise ValueError(
            f"expected the tokenizer of this model, with {known} pieces, got one with {tokenizer.vocab_size}"
        )


def classify(
    images: Float[Tensor, "b d"], classes: Float[Tensor, "k d"], scale: Float[Tensor, ""] | float
) -> Float[Tensor, "b k"]:
    """Probabilities of the classes: softmax of scaled cosines.

    Args:
        images, classes: features of unit length.
        scale: 1/temperature; larger is surer.
    Raises:
        ValueError: features of different widths or not of unit length, or a scale that is not positive.
    """
    if images.shape[-1] != classes.shape[-1]:
        raise ValueError(
            f"expected features of one width, got {images.shape[-1]} of pictures and {classes.shape[-1]} of classes"
        )
    check_unit_length("pictures", images)
    check_unit_length("classes", classes)
    on_cpu = not isinstance(scale, Tensor) or scale.device.type == "cpu"  # reading elsewhere would make the device wait
    if on_cpu and not float(scale) > 0:
        raise ValueError(f"expected scale > 0, got {float(scale)}")
    return torch.softmax(scale * images @ classes.T, dim=-1)


def recalled(
    queries: Float[Tensor, "n d"], answers: Float[Tensor, "n d"], k: int, same: Bool[Tensor, "n n"] | None = None
) -> Float[Tensor, " n"]:
    """1 for each query whose own answer is among the k nearest of all, 0 for the others; its mean is recall at k.

    Args:
        queries, answers: features of unit length; row i belongs to row i.
        k: how many answers are looked at.
        same: which answers are as right as the own one, such as equal captions; by default only the own one is.
    Raises:
        ValueError: queries and answers of different shapes or not of unit length, or k outside 1..n.
    """
    if queries.shape != answers.shape:
        raise ValueError(f"expected one answer for each query, got {tuple(queries.shape)} and {tuple(answers.shape)}")
    check_unit_length("queries", queries)
    check_unit_length("answers", answers)
    if not 1 <= k <= len(answers):
        raise ValueError(f"expected k in 1..{len(answers)}, got {k}")
    nearest = (queries @ answers.T).topk(k, dim=1).indices
    right = torch.eye(len(queries), dtype=torch.bool, device=queries.device) if same is None else same
    return right.gather(1, nearest).any(1).float()


def calibration_error(
    probabilities: Float[Tensor, "b k"], labels: Int[Tensor, " b"], *, bins: int = 10
) -> Float[Tensor, ""]:
    """How far confidence is from accuracy, over bins of it (expected calibration error; Guo et al. 2017, eq. 3).

    Raises:
        ValueError: no bins, or not one label for each row of probabilities.
    """
    if len(labels) != len(probabilities) or not len(labels):
        raise ValueError(f"expected one label for each of {len(probabilities)} rows, got {len(labels)}")
    if bins < 1:
        raise ValueError(f"expected bins >= 1, got {bins}")
    confidence, answer = probabilities.max(1)
    right = (answer == labels).to(confidence.dtype)
    number = (confidence * bins).long().clamp(max=bins - 1)
    gap = torch.zeros(bins, dtype=confidence.dtype, device=confidence.device)
    return gap.index_add(0, number, confidence - right).abs().sum() / len(labels)
