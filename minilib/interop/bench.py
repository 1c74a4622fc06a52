"""Our networks beside the public ones, with the same weights, in one run: `python -m minilib.interop.bench`."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor, nn

from minilib.attention.vit import ViT, ViTConfig
from minilib.interop.vit import vit_to_transformers
from minilib.interop.vit_pytorch import vit_to_vit_pytorch
from minilib.recipes.vit_toybox import ViTToybox

SHAPES = {
    "ViT-B/16": (ViTConfig(qkv_bias=False), 4),
    "vit-toybox": (replace(ViTToybox().vit, qkv_bias=False), 32),
}
"""Shapes to measure, with the batch size; without the bias that vit-pytorch does not have."""


def side_by_side(calls: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call in each round, after one round that does not count.

    The calls take turns, each round beginning with another one, so that what else the machine does hits all alike.

    Raises:
        ValueError: nothing to call, or no rounds.
    """
    if not calls or rounds < 1:
        raise ValueError(f"expected calls and rounds >= 1, got {len(calls)} and {rounds}")
    names, seconds = list(calls), {name: [] for name in calls}
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            started = time.perf_counter()
            calls[name]()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Median over rounds of our time divided by theirs; below 1 we are faster."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def contestants(vit: ViT) -> dict[str, nn.Module]:
    """The same network three times: here, in transformers (its fused attention) and in vit-pytorch."""
    theirs = vit_to_transformers(vit)
    theirs.set_attn_implementation("sdpa")
    return {"minilib": vit.eval(), "transformers": theirs, "vit-pytorch": vit_to_vit_pytorch(vit)}


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Logits, whatever a library wraps them in."""
    said = model(images)
    return said if isinstance(said, Tensor) else said.logits


def measure(*, rounds: int) -> Iterator[tuple[str, str, dict[str, list[float]]]]:
    """Shape, work and the seconds of each library, one after the other."""
    for shape, (config, batch_size) in SHAPES.items():
        models = contestants(ViT(config))
        images = torch.randn(batch_size, 3, config.image_size, config.image_size)

        @torch.no_grad()
        def forward(model: nn.Module, images: Tensor = images) -> None:
            logits_of(model, images)

        def forward_and_backward(model: nn.Module, images: Tensor = images) -> None:
            model.zero_grad(set_to_none=True)
            logits_of(model, images).square().sum().backward()

        for work in (forward, forward_and_backward):
            calls = {name: lambda model=model, work=work: work(model) for name, model in models.items()}
            yield shape, work.__name__.replace("_", " "), side_by_side(calls, rounds=rounds)


def main(rounds: int = 31) -> None:
    """Prints a line for each measurement."""
    print(f"median of {rounds} rounds on {torch.get_num_threads()} threads; below 1: minilib is faster")
    for shape, work, seconds in measure(rounds=rounds):
        ours = seconds.pop("minilib")
        ratios = [f"{median_ratio(ours, theirs):.3f} of {name}" for name, theirs in seconds.items()]
        print(f"{shape}, {work}: {1000 * median(ours):.1f} ms, {', '.join(ratios)}", flush=True)


if __name__ == "__main__":
    main()
