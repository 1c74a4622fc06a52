"""Who needs more toys: `vit-toybox` and a convolutional network of its size, both trained on few toys and on many.

`python -m minilib.studies.cnn_and_vit` trains both from scratch for each number of toys, with the same updates,
batches, augmentation and learning rates, and compares them on held-out toys. The intervals are over these toys; how
much another training seed would change is not in them.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minilib.checkpoints import CHECKPOINT
from minilib.evaluate.common import in_parts, metric
from minilib.evaluate.vit import placed_toys
from minilib.recipes.classifier_toybox import ToyClassifier
from minilib.recipes.vit_toybox import ViTToybox
from minilib.studies import write_study
from minilib.training import train


@dataclass(frozen=True, kw_only=True)
class ConvToybox(ViTToybox):
    """The same toys for a network of convolutions, of as many parameters and about as many multiplications.

    Args:
        widths: channels at 32, 16, 8 and 4 pixels.
    """

    name: str = "conv-toybox"
    widths: tuple[int, ...] = (48, 88, 160, 288)

    def make_model(self) -> nn.Module:
        """The untrained network."""
        return ToyClassifier(self.widths).to(memory_format=torch.channels_last)


@torch.no_grad()
def right(model: nn.Module, num_toys: int) -> Float[Tensor, " n"]:
    """1 for each held-out toy that a model names, 0 for the others."""
    images, _, labels = placed_toys(num_toys)
    return (in_parts(model.eval(), images).argmax(1) == labels).float()


def main(sizes: Sequence[int], steps: int, held_out: int, folder: Path) -> None:
    """Trains, compares, writes cnn_and_vit.json; a study that was interrupted goes on from `folder`."""
    config = replace(ViTToybox().train, steps=steps)
    parameters: dict[str, int] = {}
    found: dict[str, dict[int, Any]] = {"cnn": {}, "vit": {}, "vit minus cnn": {}}
    for size in sizes:
        scores = {}
        for name, kind in (("cnn", ConvToybox), ("vit", ViTToybox)):
            run = folder / f"{name}-{size}"
            model = train(kind(train=config, num_toys=size), run, resume=(run / CHECKPOINT).exists())
            parameters[name] = sum(p.numel() for p in model.parameters())
            scores[name] = right(model, held_out)
        scores["vit minus cnn"] = scores["vit"] - scores["cnn"]
        for name, values in scores.items():
            found[name][size] = metric(values)
            print(f"{size} toys, {name}: {found[name][size]}", flush=True)
    facts = {"sizes": list(sizes), "steps": steps, "batch_size": config.batch_size, "parameters": parameters}
    write_study("cnn_and_vit", facts | {"accuracy": found})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 300, 1500, 6000], help="training toys")
    parser.add_argument("--steps", type=int, default=800, help="of each training")
    parser.add_argument("--held-out", type=int, default=1000, help="toys that are named")
    parser.add_argument("--folder", type=Path, default=Path("runs/cnn_and_vit"), help="where the runs are kept")
    options = parser.parse_args()
    main(options.sizes, options.steps, options.held_out, options.folder)
