"""A small CLIP that has read about toys: what they are, their colours and sizes, from where they are seen, how many."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from minilib.attention.vit import ViTConfig
from minilib.clip.losses import contrastive_loss
from minilib.clip.model import CLIP, CLIPConfig, TextConfig
from minilib.clip.tokenizer import Tokenizer
from minilib.recipes.vit_toybox import draw_placement, place, toys64
from minilib.toybox.captions import side_seen
from minilib.toybox.catalog import CATEGORIES, Toy, make_toy
from minilib.toybox.catalog.parts import COLORS
from minilib.toybox.dice import Dice
from minilib.training import Recipe, TrainConfig

MERGES = Path(__file__).with_name("clip_toybox_merges.txt")
"""What `learn_merges` finds in the captions of the first training toys, a pair on each line."""

PREFIXES = ("", "", "a picture of ", "a photo of ", "this is ")
"""What captions begin with."""

NUMBERS = {2: "two", 3: "three", 4: "four"}
"""How many of a kind a picture of several shows."""

Picture = tuple[Float[Tensor, "3 h w"], Float[Tensor, "h w"]]


@lru_cache(maxsize=1)
def toybox_tokenizer() -> Tokenizer:
    """The tokenizer of captions of toys."""
    lines = MERGES.read_text(encoding="utf-8").splitlines()
    return Tokenizer([(first, second) for first, second in map(str.split, lines)], context_length=24)


def is_held_out(category: str, color: str) -> bool:
    """Whether training never sees the category with that colour: 60 of the 200 combinations, three for each category.

    Neither as a toy's main colour nor as its second one.
    """
    return (list(COLORS).index(color) - list(CATEGORIES).index(category)) % len(COLORS) in (0, 3, 7)


class Words(NamedTuple):
    """A toy in words.

    Attributes:
        size, color, category: such as "small", "red", "mug".
        detail: its named part, such as "a blue handle".
    """

    size: str
    color: str
    category: str
    detail: str

    @staticmethod
    def of(toy: Toy) -> "Words":
        """The words for a toy."""
        return Words(toy.size, toy.color, toy.category, toy.detail)

    def phrase(self, *, size: bool = False, color: bool = True, detail: bool = False, side: str = "") -> str:
        """As much of it as is wanted: "a mug", "a small red mug with a blue handle, seen from behind"."""
        words = [self.size] * size + [self.color] * color + [self.category]
        article = "an" if words[0][0] in "aeiou" else "a"
        end = f" with {self.detail}" * detail + (f", seen from {side}" if side else "")
        return f"{article} {' '.join(words)}{end}"


def draw_caption(words: Words, side: str, dice: Dice) -> str:
    """Something that is true of a picture: always the category, often the colour, sometimes the rest."""
    size, color, detail, view = (dice.between(0, 1) < share for share in (0.35, 0.8, 0.5, 0.4))
    return dice.choice(PREFIXES) + words.phrase(size=size, color=color, detail=detail, side=side if view else "")


def draw_pair_caption(left: Words, right: Words, dice: Dice) -> str:
    """Something that is true of a picture with two toys beside each other."""
    first, second = (words.phrase(color=dice.between(0, 1) < 0.8) for words in (left, right))
    options = (f"{first} left of {second}", f"{second} right of {first}", f"{first} and {second}")
    return dice.choice(PREFIXES) + dice.choice(options)


def draw_count_caption(words: Words, count: int, dice: Dice) -> str:
    """Something that is true of a picture with several of a kind."""
    color = f"{words.color} " if dice.between(0, 1) < 0.8 else ""
    return dice.choice(PREFIXES) + f"{NUMBERS[count]} {color}{words.category}s"


def arranged(pictures: Sequence[Picture], places: Sequence[tuple[float, float]]) -> Picture:
    """Pictures at half their size on one white picture, with what covers the background.

    Args:
        pictures: in [−1, 1] on white, with alpha in [0, 1].
        places: of their upper left corners, to the right and down; 1 is the whole picture.
    """
    rgb, alpha = torch.ones_like(pictures[0][0]), torch.zeros_like(pictures[0][1])
    height, width = alpha.shape
    for (own_rgb, own_alpha), (x, y) in zip(pictures, places, strict=True):
        small = F.avg_pool2d(torch.cat([own_rgb, own_alpha[None]]), 2)
        rows = slice(round(y * height), round(y * height) + small.shape[1])
        columns = slice(round(x * width), round(x * width) + small.shape[2])
        rgb[:, rows, columns], alpha[rows, columns] = small[:3], small[3]
    return rgb, alpha


QUARTERS = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5))
BESIDE = ((0.0, 0.25), (0.5, 0.25))


class CaptionedToys(Dataset):
    """Pictures of toys, each with several captions: eight views of a toy, then a pair with another, then some alike.

    Items are dicts: rgb (3, 64, 64) in [−1, 1] on white; alpha (64, 64); captions (n, 24), token ids.

    Args:
        split: of the toys.
        num_toys: of it; those with a combination of category and colour that is held out are left out.
        num_captions: of each picture.
    """

    per_toy = 10

    def __init__(self, split: str, *, num_toys: int, num_captions: int = 5):
        self.views = toys64(split, num_toys=num_toys)
        self.num_captions = num_captions
        self.kept: list[tuple[int, Words]] = []
        for number, seed in enumerate(self.views.seeds):
            toy = make_toy(seed)
            if not (is_held_out(toy.category, toy.color) or is_held_out(toy.category, toy.accent)):
                self.kept.append((number, Words.of(toy)))

    def __len__(self) -> int:
        return self.per_toy * len(self.kept)

    def view(self, number: int, view: int) -> Picture:
        """A picture of the toy with that number in the split."""
        item = self.views[number * self.views.views_per_toy + view]
        return item["rgb"], item["alpha"]

    def __getitem__(self, index: int) -> dict[str, Any]:
        (number, words), kind = self.kept[index // self.per_toy], index % self.per_toy
        dice = Dice("captions", number, kind)
        first = int(dice.between(0, self.views.views_per_toy))
        if kind < self.views.views_per_toy:
            picture = self.view(number, kind)
            side = side_seen(self.views.camera(self.views.seeds[number], kind))
            captions = [draw_caption(words, side, dice) for _ in range(self.num_captions)]
        elif kind == self.per_toy - 2:
            other, other_words = dice.choice(self.kept)
            picture = arranged([self.view(number, first), self.view(other, first)], BESIDE)
            captions = [draw_pair_caption(words, other_words, dice) for _ in range(self.num_captions)]
        else:
            count = dice.choice(list(NUMBERS))
            places = dice.sample(QUARTERS, count)
            picture = arranged([self.view(number, (first + i) % 8) for i in range(count)], places)
            captions = [draw_count_caption(words, count, dice) for _ in range(self.num_captions)]
        return {"rgb": picture[0], "alpha": picture[1], "captions": toybox_tokenizer()(captions)}


@dataclass(frozen=True, kw_only=True)
class CLIPToybox(Recipe):
    """Pictures of toys and what is true of them, by the symmetric contrastive loss.

    Args:
        clip: shape of the two towers.
        num_toys: of the training split, before combinations are held out.
    Raises:
        ValueError: a batch computed in parts, whose pairs would not be compared with each other.
    """

    name: str = "clip-toybox"
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=4600,
            batch_size=128,
            learning_rate=1e-3,
            weight_decay=0.05,
            ema_decay=0.998,
            sample_every=10_000,
        )
    )
    clip: CLIPConfig = field(
        default_factory=lambda: CLIPConfig(
            image=ViTConfig(
                image_size=64, patch_size=8, width=192, depth=6, num_heads=6, hidden=768, num_classes=0, norm_eps=1e-5
            ),
            text=TextConfig(vocab_size=714, context_length=24, width=128, depth=4, num_heads=4, hidden=512),
            embed_dim=128,
        )
    )
    num_toys: int = 12_000

    def __post_init__(self):
        if self.train.gradient_accumulation != 1:
            raise ValueError(
                f"expected gradient_accumulation = 1, got {self.train.gradient_accumulation}: each pair must be told"
                " from the whole batch"
            )

    def make_model(self) -> nn.Module:
        """The untrained towers; the picture's positions start as large as its tokens, as in `ViTToybox`."""
        model = CLIP(self.clip)
        nn.init.normal_(model.image_tower.positions, std=0.5)
        return model

    def make_dataset(self) -> Dataset:
        """Captioned toys without the combinations that are held out."""
        return CaptionedToys("train", num_toys=self.num_toys)

    def draw(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Where each picture stands and before what, and which of its captions is read."""
        placement = draw_placement(batch_size, generator)
        placement["mirrored"] = torch.zeros(batch_size, dtype=torch.bool)  # left would be right
        return placement | {"which": torch.rand(batch_size, generator=generator)}

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """The symmetric contrastive loss of each pair."""
        placement = {name: batch[name] for name in ("zoom", "shift", "mirrored", "background")}
        images, _ = place(batch["rgb"], batch["alpha"], **placement)
        captions = batch["captions"]
        which = (batch["which"] * captions.shape[1]).long()
        ids = captions[torch.arange(len(captions), device=captions.device), which]
        return contrastive_loss(*model(images, ids))
