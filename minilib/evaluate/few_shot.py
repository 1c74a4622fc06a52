"""From a few labelled pictures: what no caption in training has named."""

from itertools import product
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from minilib.attention.vit import ViT
from minilib.clip.few_shot import PromptLearner, TipAdapter, fit, linear_probe
from minilib.clip.model import CLIP
from minilib.clip.zero_shot import class_features
from minilib.evaluate.common import in_parts, stacked
from minilib.metrics import bootstrap_statistic
from minilib.recipes.clip_toybox import CLIPToybox, toybox_tokenizer
from minilib.recipes.vit_toybox import toys64
from minilib.toybox.catalog import CATEGORIES, make_toy
from minilib.toybox.datasets import ToyViews
from minilib.weights import load_trained

ATTRIBUTES = {
    ("chair", "armrests"): {"no": "a chair without armrests", "yes": "a chair with armrests"},
    ("table", "top"): {"round": "a round table", "square": "a square table"},
    ("plane", "wings"): {"high": "a plane with high wings", "low": "a plane with low wings"},
    ("rocket", "fins"): {"three": "a rocket with three fins", "four": "a rocket with four fins"},
    ("robot", "head"): {"box": "a robot with a square head", "dome": "a robot with a round head"},
    ("duck", "wears"): {
        "cap": "a duck with a cap",
        "bow tie": "a duck with a bow tie",
        "nothing": "a duck with nothing on",
    },
}
"""Choices that no caption names, and how one would name them."""

NAMED = {
    ("table", "base"): {"legs": "a table with legs", "pillar": "a table with a pillar"},
    ("tree", "kind"): {"leafy": "a tree with fruit", "fir": "a tree with a top"},
}
"""Choices that captions do name."""

SHOTS = (1, 2, 4, 8, 16)
METHODS = ("probe", "tip", "tip_f", "coop")


def few_shot(clip: CLIP, *, draws: int = 10) -> dict[str, Any]:
    """Telling apart what no caption names, from a few labelled pictures; means over the tasks of `ATTRIBUTES`.

    `few_shot_METHOD_K`: share of held-out toys named right from K pictures of each class, mean over `draws` of these;
    `few_shot_zero`: by the texts alone; `few_shot_chance`: by guessing; `few_shot_probe_all`: the probe, from pictures
    of 150 toys; `few_shot_vit_probe_…`: the probe on features of `vit-toybox`. `few_shot_named_…`: all for `NAMED`.
    Two views of each toy; the interval is over the held-out toys of each task, for these tasks and draws. As in the
    paper, Tip-Adapter's α and β are chosen on further labelled pictures, of the validation split; Tip-Adapter-F keeps
    them.
    """
    _, vit = load_trained("vit-toybox")
    found = {}
    for prefix, tasks in (("few_shot", ATTRIBUTES), ("few_shot_named", NAMED)):
        scores: dict[str, list[Tensor]] = {}
        for (category, attribute), names in tasks.items():
            for name, values in Task(clip, vit, category, attribute, names).scores(draws).items():
                scores.setdefault(name, []).append(values)
        found |= {f"{prefix}_{name}": over_tasks(values) for name, values in scores.items()}
    return found


def over_tasks(scores: list[Float[Tensor, " n"]]) -> dict[str, Any]:
    """The mean over toys of several tasks, as cards hold it; resampled within each task."""
    values = torch.cat(scores)
    task = torch.arange(len(scores)).repeat_interleave(torch.tensor([len(one) for one in scores]))
    interval = bootstrap_statistic(lambda some: float(some.mean()), values, strata=task)
    return {"value": float(values.mean()), "ci95": list(interval), "n": len(values)}


class Views(NamedTuple):
    """Two views of each of some toys, as features.

    Attributes:
        features: of CLIP, of unit length.
        tower: of CLIP's tower before the projection, which a probe takes.
        vit: of `vit-toybox`, the class token.
        labels: of the toys.
    """

    features: Float[Tensor, "n 2 d"]
    tower: Float[Tensor, "n 2 e"]
    vit: Float[Tensor, "n 2 f"]
    labels: Int[Tensor, " n"]


class Task:
    """One choice of one category: pictures to learn from, to choose settings by, and to be tested on.

    Args:
        clip, vit: whose features.
        category, attribute: of the toys, and which choice is asked about.
        names: its values, and a phrase for each.
        first: number of the first toy to be tested on.
        test_toys, pool_toys, tune_toys: of this category to be tested on, to draw from (of the training split, behind
            those that CLIP was trained on), and to choose settings by.
    """

    def __init__(
        self,
        clip: CLIP,
        vit: ViT,
        category: str,
        attribute: str,
        names: dict[str, str],
        *,
        first: int = 0,
        test_toys: int = 100,
        pool_toys: int = 150,
        tune_toys: int = 50,
    ):
        self.clip, self.names = clip, list(names.values())
        values, place = list(names), list(CATEGORIES).index(category)

        def gather(split: str, first: int, count: int) -> Views:
            # Not cached: two views of one category are used, of eight of all twenty.
            data = toys64(split, num_toys=len(CATEGORIES) * count, first=first, cache=False)
            numbers = range(place, len(data.seeds), len(CATEGORIES))
            labels = [values.index(make_toy(data.seeds[n]).attributes[attribute]) for n in numbers]
            (images,) = stacked(data, [8 * n + view for n in numbers for view in front_views(data, n)], "rgb")
            tower = in_parts(clip.image_tower, images)
            features = F.normalize(clip.image_projection(tower), dim=-1)
            classes = in_parts(lambda some: vit.tokens(some)[:, 0], images)
            features, tower, classes = (x.unflatten(0, (-1, 2)) for x in (features, tower, classes))
            return Views(features, tower, classes, torch.tensor(labels))

        self.pool = gather("train", CLIPToybox().num_toys, pool_toys)
        self.tune, self.test = gather("validation", 0, tune_toys), gather("test", first, test_toys)
        self.classes = class_features(clip, toybox_tokenizer(), self.names, ("{}",))

    def shots(self, k: int, seed: int) -> Int[Tensor, " n"]:
        """Rows of the pool: k toys of each class, one picture of each."""
        generator = torch.Generator().manual_seed(seed)
        rows = []
        for label in range(len(self.names)):
            (of_class,) = torch.where(self.pool.labels == label)
            rows.append(of_class[torch.randperm(len(of_class), generator=generator)[:k]])
        return torch.cat(rows)

    def right(self, answers: Int[Tensor, " m"]) -> Float[Tensor, " n"]:
        """For each test toy the share of its two views that are named right."""
        return (answers.unflatten(0, (-1, 2)) == self.test.labels[:, None]).float().mean(1)

    def probed(self, kind: str, rows: Int[Tensor, " n"]) -> Float[Tensor, " m"]:
        """What a linear probe on features of a kind, of those rows of the pool, gets right."""
        learned, asked = getattr(self.pool, kind)[rows, 0], getattr(self.test, kind).flatten(0, 1)
        return self.right(linear_probe(learned, self.pool.labels[rows], asked))

    def scores(self, draws: int) -> dict[str, Float[Tensor, " n"]]:
        """What each method gets right of the test toys, by name."""
        test, everything = self.test.features.flatten(0, 1), torch.arange(len(self.pool.labels))
        found = {
            "zero": self.right((test @ self.classes.T).argmax(1)),
            "chance": torch.full((len(self.test.labels),), 1 / len(self.names)),
            "probe_all": self.probed("tower", everything),
            "vit_probe_all": self.probed("vit", everything),
        }
        for k in SHOTS:
            each: dict[str, list[Tensor]] = {method: [] for method in (*METHODS, "vit_probe")}
            for draw in range(draws):
                rows = self.shots(k, draw)
                features, labels = self.pool.features[rows, 0], self.pool.labels[rows]
                each["probe"].append(self.probed("tower", rows))
                each["vit_probe"].append(self.probed("vit", rows))
                tip = self.tuned_tip(features, labels)
                each["tip"].append(self.right(tip(test).argmax(1)))
                fit(tip, features, labels)
                each["tip_f"].append(self.right(tip(test).argmax(1)))
                learner = PromptLearner(self.clip, toybox_tokenizer(), self.names)
                fit(learner, features, labels, learning_rate=1e-2)
                each["coop"].append(self.right(learner(test).argmax(1)))
            found |= {f"{method}_{k}": torch.stack(values).mean(0) for method, values in each.items()}
        return found

    def tuned_tip(self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> TipAdapter:
        """A Tip-Adapter with the α and β that are best on the validation toys; α = 0 is the words alone."""
        tune, wanted = self.tune.features.flatten(0, 1), self.tune.labels.repeat_interleave(2)
        scale = float(self.clip.scale)

        def made(alpha: float, beta: float) -> TipAdapter:
            return TipAdapter(features, labels, self.classes, scale=scale, alpha=alpha, beta=beta)

        def accuracy(setting: tuple[float, float]) -> float:
            return float((made(*setting)(tune).argmax(1) == wanted).float().mean())

        return made(*max(product((0.0, 1.0, 10.0, 100.0, 1000.0), (2.0, 5.0, 10.0, 20.0, 50.0)), key=accuracy))


def front_views(data: ToyViews, number: int) -> list[int]:
    """The two of a toy's views that are nearest to its front, where its choices can be seen."""
    x = [float(data.camera(data.seeds[number], view).single().position[0]) for view in range(8)]
    return sorted(range(8), key=lambda view: -x[view])[:2]
