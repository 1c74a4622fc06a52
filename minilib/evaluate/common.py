"""What several measurements share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from minilib.metrics import bootstrap_interval
from minilib.toybox.catalog import CATEGORIES


def metric(values: Float[Tensor, " n"]) -> dict[str, Any]:
    """A mean as cards hold it: value, ci95, n."""
    return {"value": float(values.mean()), "ci95": list(bootstrap_interval(values)), "n": len(values)}


@torch.no_grad()
def in_parts(function: Callable[[Tensor], Tensor], inputs: Shaped[Tensor, "n ..."], size: int = 500) -> Tensor:
    """What a function says about many images or texts, some at a time."""
    return torch.cat([function(part) for part in inputs.split(size)])


def stacked(data: Any, rows: Sequence[int], *names: str) -> tuple[Tensor, ...]:
    """The named fields of some items of a dataset, each as one tensor."""
    items = [data[row] for row in rows]
    return tuple(torch.stack([item[name] for item in items]) for name in names)


def even_labels(n: int) -> Int[Tensor, " n"]:
    """n labels, every category as often as the others (or once more)."""
    return torch.arange(n) % len(CATEGORIES)


def say(metrics: dict[str, Any]) -> None:
    """Prints metrics, each on a line."""
    for name, value in metrics.items():
        low, high = value["ci95"]
        print(f"{name} = {value['value']:.4g} [{low:.4g}, {high:.4g}], n = {value['n']}", flush=True)


def metric_printer(metrics: Mapping[str, Any], *, scale: float = 1.0, digits: int = 2) -> Callable[..., None]:
    """A function `show(name, text)` that prints a metric of a card with its interval, for chapters.

    Args:
        metrics: of the card.
        scale: what values are multiplied with, 100 for per cent; `show(name, text, scale)` takes another one.
        digits: after the point.
    """

    def show(name: str, text: str, scale: float = scale) -> None:
        value, (low, high) = metrics[name]["value"], metrics[name]["ci95"]
        interval = f"[{scale * low:.{digits}f}, {scale * high:.{digits}f}]"
        print(f"{text}: {scale * value:.{digits}f} {interval}, n = {metrics[name]['n']}")

    return show
