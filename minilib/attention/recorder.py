"""Watches where a model looks, without changing what it says."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from minilib.attention.layers import Heads


def use_fused(model: nn.Module, fused: bool) -> None:
    """Chooses for all attention in a model between the fused function (fast) and the written one (can be recorded).

    Raises:
        ValueError: a model without attention of this library.
    """
    for layer in _layers(model).values():
        layer.fused = fused


@contextmanager
def unfused(model: nn.Module) -> Iterator[None]:
    """All attention of a model is written out inside the `with`, and as it was before after it.

    Raises:
        ValueError: a model without attention of this library.
    """
    before = {layer: layer.fused for layer in _layers(model).values()}
    use_fused(model, False)
    try:
        yield
    finally:
        for layer, fused in before.items():
            layer.fused = fused


@contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Collects the attention weights of every forward pass inside the `with`.

    The weights are part of the graph: call `retain_grad` on them before a backward pass to have their gradients, or
    compute under `torch.no_grad()`.

    Yields:
        Name of a layer, in the order of the model → one tensor for each forward pass, shape (b, heads, n, m): entry
        [i, j] is how much query i takes from key j; rows sum to 1.
    Raises:
        ValueError: a model without attention of this library, one that runs the fused function, or one that is being
            recorded already.
    """
    layers = _layers(model)
    fused = [name for name, layer in layers.items() if layer.fused]
    if fused:
        raise ValueError(
            f"the fused attention of {', '.join(fused)} does not give its weights away:"
            " call use_fused(model, False) first"
        )
    if any(layer.record is not None for layer in layers.values()):
        raise ValueError(f"{type(model).__name__} is being recorded already")
    records: dict[str, list[Tensor]] = {name: [] for name in layers}
    for name, layer in layers.items():
        layer.record = records[name]
    try:
        yield records
    finally:
        for layer in layers.values():
            layer.record = None


def _layers(model: nn.Module) -> dict[str, Heads]:
    """The model's attention by the name of the layer that owns it."""
    found = {
        name.rpartition(".")[0] or type(model).__name__: layer
        for name, layer in model.named_modules()
        if isinstance(layer, Heads)
    }
    if not found:
        raise ValueError(f"{type(model).__name__} has no attention that can be recorded: no module of type Heads in it")
    return found
