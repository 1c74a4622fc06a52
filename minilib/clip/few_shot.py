"""A few labelled pictures: a linear probe, Tip-Adapter with and without training, and learned prompts (CoOp)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from minilib.clip.losses import check_unit_length
from minilib.clip.model import CLIP
from minilib.clip.tokenizer import Tokenizer
from minilib.clip.zero_shot import check_same_vocabulary
from minilib.errors import require

STRENGTHS = tuple(10.0**power for power in range(-3, 4))
"""Inverse strengths of regularisation that a probe tries."""


def linear_probe(
    features: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    test: Float[Tensor, "m d"],
    *,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
) -> Int[Tensor, " m"]:
    """Labels of test features by logistic regression (Radford et al. 2021, section 3.2).

    The paper's features of a ViT are those before the projection, `clip.image_tower(images)`. The strength of the
    regularisation is chosen by cross-validation on the given pictures alone, as far as every class has two of them;
    with one each there is nothing to choose by, and the middle one is taken.

    Args:
        features, labels: of the few pictures.
        test: features to label.
        strengths: scikit-learn's C to choose from.
        seed: of the folds.
    Raises:
        ValueError: a single class, or another number of labels than features.
    """
    if len(features) != len(labels):
        raise ValueError(f"expected a label for each of {len(features)} features, got {len(labels)}")
    counts = torch.bincount(labels)
    counts = counts[counts > 0]
    if len(counts) < 2:
        raise ValueError("expected pictures of at least two classes, got one")
    linear = require("sklearn.linear_model", extra="train")
    selection = require("sklearn.model_selection", extra="train")
    probe = linear.LogisticRegression(C=sorted(strengths)[len(strengths) // 2], max_iter=2000)
    folds = min(5, int(counts.min()))
    if folds > 1:
        split = selection.StratifiedKFold(folds, shuffle=True, random_state=seed)
        probe = selection.GridSearchCV(probe, {"C": list(strengths)}, cv=split)
    probe.fit(features.cpu().numpy(), labels.cpu().numpy())
    return torch.from_numpy(probe.predict(test.cpu().numpy())).to(labels)


class TipAdapter(nn.Module):
    """A memory of the few pictures beside the zero-shot classifier (Tip-Adapter; Zhang et al. 2022, eqs. 4 to 6).

    logits = scale · f W + α exp(−β(1 − f F)) L: what is like a stored picture takes a share of its label. It needs no
    training; Tip-Adapter-F then trains F, its keys, and nothing else: see `fit`.

    Args:
        features, labels: of the stored pictures, F and L; features of unit length.
        classes: features of the classes, W.
        scale: of the zero-shot logits.
        alpha: how much the memory counts.
        beta: how quickly likeness falls off.
    Raises:
        ValueError: labels that are no classes, features of different widths or not of unit length, or β that is not
            positive.
    """

    def __init__(
        self,
        features: Float[Tensor, "n d"],
        labels: Int[Tensor, " n"],
        classes: Float[Tensor, "k d"],
        *,
        scale: float = 100.0,
        alpha: float = 1.0,
        beta: float = 5.5,
    ):
        super().__init__()
        if features.shape[1] != classes.shape[1]:
            raise ValueError(
                f"expected features of one width, got {features.shape[1]} of pictures and {classes.shape[1]} of classes"
            )
        if len(labels) != len(features) or int(labels.min()) < 0 or int(labels.max()) >= len(classes):
            raise ValueError(f"expected {len(features)} labels in 0..{len(classes) - 1}, got {labels.tolist()}")
        check_unit_length("pictures", features)
        check_unit_length("classes", classes)
        if not beta > 0:
            raise ValueError(f"expected beta > 0, got {beta}")
        self.keys = nn.Parameter(features.clone())
        self.values, self.classes = nn.Buffer(F.one_hot(labels, len(classes)).to(classes)), nn.Buffer(classes)
        self.scale, self.alpha, self.beta = scale, alpha, beta

    def forward(self, images: Float[Tensor, "b d"]) -> Float[Tensor, "b k"]:
        """Logits of the classes."""
        likeness = torch.exp(-self.beta * (1 - images @ self.keys.T))
        return self.scale * images @ self.classes.T + self.alpha * likeness @ self.values


class PromptLearner(nn.Module):
    """Learned vectors in place of the words before a class name, the same for all classes (CoOp; Zhou et al. 2022).

    Args:
        clip, tokenizer: that belong together; CLIP stays as it is.
        names: of the classes.
        num_vectors: learned vectors before each name.
        seed: of their first values, normal with deviation 0.02.
    Raises:
        ValueError: no names, a name that does not fit behind the vectors, no vectors, or a tokenizer of another model.
    """

    def __init__(self, clip: CLIP, tokenizer: Tokenizer, names: Sequence[str], *, num_vectors: int = 4, seed: int = 0):
        super().__init__()
        if num_vectors < 1:
            raise ValueError(f"expected num_vectors >= 1, got {num_vectors}")
        check_same_vocabulary(clip, tokenizer)
        ids = tokenizer(list(names))
        if int((ids == tokenizer.end).int().argmax(1).max()) + num_vectors >= tokenizer.context_length:
            raise ValueError(
                f"expected names that fit behind {num_vectors} vectors into {tokenizer.context_length} tokens"
            )
        self.clip = (clip,)  # not a part: its weights are not this module's to train
        with torch.no_grad():
            words = clip.text_tower.embedding(ids.to(clip.logit_scale.device))
        self.first, self.rest = nn.Buffer(words[:, :1]), nn.Buffer(words[:, 1:-num_vectors])
        self.end = nn.Buffer((ids == tokenizer.end).int().argmax(1).to(words.device) + num_vectors)
        noise = torch.randn(num_vectors, words.shape[-1], generator=torch.Generator().manual_seed(seed))
        self.vectors = nn.Parameter(0.02 * noise.to(words))

    def class_features(self) -> Float[Tensor, "k d"]:
        """Features of the classes, of unit length."""
        words = torch.cat([self.first, self.vectors.expand(len(self.first), -1, -1), self.rest], dim=1)
        tokens = self.clip[0].text_tower.read(words)
        features = tokens[torch.arange(len(tokens), device=tokens.device), self.end]
        return F.normalize(self.clip[0].text_projection(features), dim=-1)

    def forward(self, images: Float[Tensor, "b d"]) -> Float[Tensor, "b k"]:
        """Logits of the classes for features of pictures."""
        return self.clip[0].scale.detach() * images @ self.class_features().T


def fit(
    model: TipAdapter | PromptLearner,
    features: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    *,
    steps: int = 100,
    learning_rate: float = 1e-3,
) -> None:
    """Trains a memory's keys or a prompt's vectors on features of a few labelled pictures, by cross-entropy.

    With AdamW and a half cosine for both; CoOp's authors took SGD.

    Raises:
        ValueError: no steps.
    """
    if steps < 1:
        raise ValueError(f"expected steps >= 1, got {steps}")
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = F.cross_entropy(model(features), labels)
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient  # CLIP's own weights get none
        optimizer.step()
        schedule.step()
