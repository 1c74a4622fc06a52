"""From a few labelled pictures: what no caption in training has named."""

from itertools import product
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minilib.clip.few_shot import PromptLearner, TipAdapter, fit, linear_probe
from minilib.clip.model import CLIP
from minilib.clip.zero_shot import class_features
from minilib.evaluate.common import in_parts, metric, stacked
from minilib.recipes.clip_toybox import toybox_tokenizer
from minilib.recipes.vit_toybox import toys64
from minilib.toybox.catalog import CATEGORIES, make_toy
from minilib.toybox.datasets import ToyViews

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
    `few_shot_zero`: by the texts alone; `few_shot_chance`: by guessing; `few_shot_probe_all`: the probe, from two
    pictures of each of 300 toys. `few_shot_named_…`: the same for `NAMED`. Two views of each toy; the interval is over
    the held-out toys. As in the paper, Tip-Adapter's α and β are chosen on the validation split.
    """
    found = {}
    for prefix, tasks in (("few_shot", ATTRIBUTES), ("few_shot_named", NAMED)):
        scores: dict[str, list[Tensor]] = {}
        for (category, attribute), names in tasks.items():
            for name, values in Task(clip, category, attribute, names).scores(draws).items():
                scores.setdefault(name, []).append(values)
        found |= {f"{prefix}_{name}": metric(torch.cat(values)) for name, values in scores.items()}
    return found


class Task:
    """One choice of one category: pictures to learn from, to choose settings by, and to be tested on.

    Args:
        clip: whose features.
        category, attribute: of the toys, and which choice is asked about.
        names: its values, and a phrase for each.
        test_toys, pool_toys, tune_toys: of this category to be tested on, to draw from, and to choose settings by.
    """

    def __init__(
        self,
        clip: CLIP,
        category: str,
        attribute: str,
        names: dict[str, str],
        *,
        test_toys: int = 100,
        pool_toys: int = 300,
        tune_toys: int = 50,
    ):
        self.clip, self.names = clip, list(names.values())
        values = list(names)

        def gather(split: str, count: int) -> tuple[Float[Tensor, "n 2 d"], Int[Tensor, " n"]]:
            first = list(CATEGORIES).index(category)
            data = toys64(split, num_toys=len(CATEGORIES) * count)
            numbers = range(first, len(data.seeds), len(CATEGORIES))
            labels = [values.index(make_toy(data.seeds[n]).attributes[attribute]) for n in numbers]
            rows = [8 * n + view for n in numbers for view in front_views(data, n)]
            features = in_parts(clip.encode_images, stacked(data, rows, "rgb")[0])
            return features.unflatten(0, (-1, 2)), torch.tensor(labels)

        self.pool, self.pool_labels = gather("train", pool_toys)
        self.tune, self.tune_labels = gather("validation", tune_toys)
        self.test, self.test_labels = gather("test", test_toys)
        self.classes = class_features(clip, toybox_tokenizer(), self.names, ("{}",))

    def shots(self, k: int, seed: int) -> tuple[Float[Tensor, "n d"], Int[Tensor, " n"]]:
        """k pictures of each class."""
        generator = torch.Generator().manual_seed(seed)
        rows = []
        for label in range(len(self.names)):
            (of_class,) = torch.where(self.pool_labels == label)
            rows.append(of_class[torch.randperm(len(of_class), generator=generator)[:k]])
        chosen = torch.cat(rows)
        return self.pool[chosen, 0], self.pool_labels[chosen]

    def right(self, answers: Int[Tensor, " m"]) -> Float[Tensor, " n"]:
        """For each test toy the share of its two views that are named right."""
        return (answers.unflatten(0, (-1, 2)) == self.test_labels[:, None]).float().mean(1)

    def scores(self, draws: int) -> dict[str, Float[Tensor, " n"]]:
        """What each method gets right of the test toys, by name."""
        test = self.test.flatten(0, 1)
        found = {
            "zero": self.right((test @ self.classes.T).argmax(1)),
            "chance": torch.full((len(self.test),), 1 / len(self.names)),
            "probe_all": self.right(linear_probe(self.pool.flatten(0, 1), self.pool_labels.repeat_interleave(2), test)),
        }
        for k in SHOTS:
            each: dict[str, list[Tensor]] = {method: [] for method in METHODS}
            for draw in range(draws):
                features, labels = self.shots(k, draw)
                each["probe"].append(self.right(linear_probe(features, labels, test)))
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
        """A Tip-Adapter with the α and β that are best on the validation toys."""
        tune, wanted = self.tune.flatten(0, 1), self.tune_labels.repeat_interleave(2)
        best, found = -1.0, None
        for alpha, beta in product((1.0, 10.0, 100.0, 1000.0), (2.0, 5.0, 10.0, 20.0, 50.0)):
            tip = TipAdapter(features, labels, self.classes, scale=float(self.clip.scale), alpha=alpha, beta=beta)
            accuracy = float((tip(tune).argmax(1) == wanted).float().mean())
            if accuracy > best:
                best, found = accuracy, tip
        assert found is not None
        return found


def front_views(data: ToyViews, number: int) -> list[int]:
    """The two of a toy's views that are nearest to its front, where its choices can be seen."""
    x = [float(data.camera(data.seeds[number], view).single().position[0]) for view in range(8)]
    return sorted(range(8), key=lambda view: -x[view])[:2]
