"""What the card of `clip-toybox` rests on: its captions, what is held out, and the questions it is asked."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from minilib.attention.vit import ViT, ViTConfig
from minilib.clip.model import CLIP, CLIPConfig, TextConfig
from minilib.clip.tokenizer import learn_merges
from minilib.evaluate.clip import confusable, evaluate_clip, in_random_order, joint_right, miscalibration
from minilib.evaluate.clip_limits import BACKGROUNDS, before, crowds, failures, pairs
from minilib.evaluate.clip_toys import COMBINATIONS, Toys
from minilib.evaluate.few_shot import ATTRIBUTES, METHODS, NAMED, SHOTS, Task, front_views, over_tasks
from minilib.recipes import CLIPToybox
from minilib.recipes import clip_toybox as recipe
from minilib.recipes.clip_toybox import CaptionedToys, Words, arranged, is_held_out, toybox_tokenizer
from minilib.recipes.vit_toybox import toys64
from minilib.toybox.captions import side_seen
from minilib.toybox.catalog import CATEGORIES, make_toy
from minilib.toybox.catalog.parts import COLORS
from minilib.toybox.dice import Dice
from minilib.weights import cards

MUG = Words("small", "orange", "mug", "a blue handle")


@pytest.fixture(scope="module")
def toys():
    return Toys(60)


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    image = ViTConfig(image_size=64, patch_size=32, width=12, depth=1, num_heads=3, hidden=20, num_classes=0)
    text = TextConfig(vocab_size=714, context_length=24, width=12, depth=1, num_heads=3, hidden=20)
    return CLIP(CLIPConfig(image=image, text=text, embed_dim=16)).eval().requires_grad_(False)


def test_sixty_combinations_are_held_out_evenly():
    held = [(category, color) for category, color in COMBINATIONS if is_held_out(category, color)]
    assert len(held) == 60
    assert {sum(c == category for c, _ in held) for category in CATEGORIES} == {3}
    assert {sum(c == color for _, c in held) for color in COLORS} == {6}


def test_training_never_sees_them():
    data = CaptionedToys("train", num_toys=60)
    kept = [words for _, words in data.kept]
    assert 10 < len(kept) < 50 and len(data) == 10 * len(kept)
    for words in kept:
        assert not is_held_out(words.category, words.color)
        assert not is_held_out(words.category, words.detail.split()[-2])
    left_out = set(range(60)) - {n for n, _ in data.kept}
    for number in left_out:
        toy = make_toy(number)
        assert is_held_out(toy.category, toy.color) or is_held_out(toy.category, toy.accent)


def test_captions_tell_what_is_there():
    data, tokenizer = CaptionedToys("train", num_toys=20), toybox_tokenizer()
    for index in range(len(data)):
        item, kind = data[index], index % 10
        captions = [tokenizer.decode(row.tolist()) for row in item["captions"]]
        assert item["rgb"].shape == (3, 64, 64) and item["captions"].shape == (5, 24)
        _, words = data.kept[index // 10]
        for caption in captions:
            assert words.category in caption
            if kind == 8:
                assert "left of" in caption or "right of" in caption or " and " in caption
            elif kind == 9:
                assert any(number in caption for number in ("two", "three", "four"))
    assert data[3]["captions"].equal(data[3]["captions"])


def test_phrases():
    assert MUG.phrase() == "an orange mug"
    assert MUG.phrase(color=False) == "a mug"
    assert MUG.phrase(size=True, detail=True, side="behind") == (
        "a small orange mug with a blue handle, seen from behind"
    )


def test_the_longest_caption_fits():
    longest = "a picture of a medium turquoise mushroom with a turquoise ribbon, seen from its right"
    assert len(toybox_tokenizer().encode(longest)) + 2 <= toybox_tokenizer().context_length


def test_the_shipped_merges_are_those_of_the_captions():
    """As they were learned: from three captions of each of the first 1,000 training toys."""
    texts = []
    for seed in range(1000):
        words, dice = Words.of(make_toy(seed)), Dice("captions", seed)
        side = dice.choice(("the front", "its left", "behind", "its right"))
        texts.append(recipe.draw_caption(words, side, dice))
        texts.append(recipe.draw_pair_caption(words, words, dice))
        texts.append(recipe.draw_count_caption(words, dice.choice(list(recipe.NUMBERS)), dice))
    assert learn_merges(texts, 200) == list(toybox_tokenizer().ranks)


def test_pictures_are_arranged_where_they_belong():
    red, blue = torch.full((3, 8, 8), -1.0), torch.full((3, 8, 8), 0.5)
    rgb, alpha = arranged([(red, torch.ones(8, 8)), (blue, torch.ones(8, 8))], [(0.0, 0.25), (0.5, 0.25)])
    assert (rgb[:, 2:6, :4] == -1.0).all() and (rgb[:, 2:6, 4:] == 0.5).all()
    assert (rgb[:, :2] == 1.0).all() and alpha.sum() == 32


def test_the_recipe_refuses_batches_in_parts():
    config = replace(CLIPToybox().train, gradient_accumulation=2)
    with pytest.raises(ValueError, match="gradient_accumulation = 1, got 2: each pair must be told from the whole"):
        CLIPToybox(train=config)


def test_a_step_of_the_recipe():
    small = CLIPToybox(num_toys=20)
    data = small.make_dataset()
    batch = {
        name: torch.stack([data[i][name] for i in range(6)])  # pyright: ignore
        for name in ("rgb", "alpha", "captions")
    }
    drawn = small.draw(6, torch.Generator().manual_seed(0))
    assert not drawn["mirrored"].any()
    losses = small.losses(small.make_model(), batch | drawn)
    assert losses.shape == (6,) and losses.isfinite().all()


def test_confusable_candidates_share_category_or_color():
    candidates = confusable(COMBINATIONS.index(("duck", "red")), torch.Generator().manual_seed(0))
    assert len(set(candidates)) == 20 and COMBINATIONS[candidates[0]] == ("duck", "red")
    shared = [COMBINATIONS[one] for one in candidates[1:]]
    assert sum(category == "duck" for category, _ in shared) == 9
    assert sum(color == "red" for _, color in shared) == 10


def test_joint_accuracy_by_hand():
    classes = torch.eye(200)
    images = torch.stack([classes[[5, 5, 6, 7]], classes[[17, 18, 17, 17]]])
    assert joint_right(images, torch.tensor([5, 17]), classes).tolist() == [0.5, 0.75]
    assert joint_right(torch.zeros_like(images), torch.tensor([5, 17]), classes).tolist() == [0.0, 0.0]  # ties
    assert joint_right(images * torch.nan, torch.tensor([5, 17]), classes).tolist() == [0.0, 0.0]


def test_calibration_by_hand():
    sure_and_right = torch.tensor([0.9, 0.1, 0.0])
    sure_and_wrong = torch.tensor([0.9, 0.1, 1.0])
    packed = torch.stack([sure_and_right, sure_and_wrong]).expand(1, -1, -1).repeat(1, 4, 1)
    assert miscalibration(packed) == pytest.approx(0.4, abs=1e-6)


def test_words_in_random_order():
    mixed = in_random_order("a red mug, seen from behind", torch.Generator().manual_seed(1))
    assert sorted(mixed.split()) == [",", "a", "behind", "from", "mug", "red", "seen"]
    assert mixed != "a red mug seen from behind"


def test_toys_before_backgrounds(toys):
    for name in BACKGROUNDS:
        images = before(toys, name, count=3)
        assert images.shape == (3, 3, 64, 64) and images.min() >= -1.001 and images.max() <= 1.001
    assert before(toys, "dark", count=3)[:, :, 0, 0].max() < -0.3


def test_pairs_and_crowds(toys):
    images, words = pairs(toys)
    assert images.shape == (len(words), 3, 64, 64) and 2 <= len(words) <= 30
    for a, b in words:
        assert a.color != b.color and a.category != b.category
        assert not any(is_held_out(x.category, y.color) for x in (a, b) for y in (a, b))
    images, numbers = crowds(toys, range(6))
    assert numbers == [2, 3, 4, 2, 3, 4]
    filled = [
        sum(bool((image[:, r : r + 32, c : c + 32] < 0.9).any()) for r in (0, 32) for c in (0, 32)) for image in images
    ]
    assert filled == numbers


def test_the_right_text_wins_where_features_say_so(toys, clip, monkeypatch):
    """With a stand-in for the towers that knows only the text "…left of…" and "three"."""
    direction = F.normalize(torch.randn(16, generator=torch.Generator().manual_seed(0)), dim=0)
    monkeypatch.setattr("minilib.evaluate.clip_limits.encode", lambda clip, images: direction.expand(len(images), -1))
    monkeypatch.setattr(
        "minilib.evaluate.clip_limits.encode_texts",
        lambda clip, texts: torch.stack([direction * (1 if "left of" in t or "three" in t else -1) for t in texts]),
    )
    found = failures(clip, toys)
    assert found["left_right"]["value"] == 1.0
    assert found["counting"]["value"] == pytest.approx(1 / 3, abs=0.05)
    assert found["order"]["value"] == 0.0  # a tie is no preference


def test_everything_on_the_card_is_measured(clip, monkeypatch):
    card = cards()["clip-toybox"]["metrics"]
    shots = {name: value for name, value in card.items() if name.startswith("few_shot_")}
    monkeypatch.setattr("minilib.evaluate.clip.few_shot", lambda clip: shots)
    monkeypatch.setattr("minilib.evaluate.clip.SIZES", {"pictures": 30})
    metrics = evaluate_clip(CLIPToybox(), clip, num_toys=300)
    assert set(metrics) == set(card)
    for name in (
        "zero_shot_seen",
        "zero_shot_unseen",
        "recall_at_1",
        "recall_at_5_text",
        "ensemble_new",
        "shift_above",
    ):
        low, high = metrics[name]["ci95"]
        assert 0 <= low <= metrics[name]["value"] <= high <= 1


def test_choices_that_no_caption_names():
    for (category, attribute), names in (ATTRIBUTES | NAMED).items():
        seen = {
            make_toy(seed).attributes[attribute]
            for seed in range(list(CATEGORIES).index(category), 600, len(CATEGORIES))
        }
        assert seen == set(names)


def test_few_shot_scores(clip):
    torch.manual_seed(0)
    vit = ViT(ViTConfig(image_size=64, patch_size=32, width=12, depth=1, num_heads=3, hidden=20, num_classes=0)).eval()
    sizes = {"test_toys": 6, "pool_toys": 60, "tune_toys": 4}
    task = Task(clip, vit.requires_grad_(False), "chair", "armrests", ATTRIBUTES["chair", "armrests"], **sizes)
    rows = task.shots(3, seed=0)
    assert task.pool.labels[rows].tolist() == [0, 0, 0, 1, 1, 1]
    for kind in ("pool", "tune", "test"):  # planted: the choice is what features point at
        views = getattr(task, kind)
        planted = F.one_hot(views.labels, 16).float()[:, None].expand(-1, 2, -1)
        setattr(task, kind, views._replace(features=planted, tower=planted, vit=planted))
    scores = task.scores(1)
    methods = (*METHODS, "vit_probe")
    assert set(scores) == {
        *("zero", "chance", "probe_all", "vit_probe_all"),
        *(f"{method}_{k}" for method in methods for k in SHOTS),
    }
    for name, values in scores.items():
        assert values.shape == (6,)
        if name not in ("zero", "chance") and not name.startswith("coop"):
            assert (values == 1.0).all(), name


def test_intervals_of_tasks_are_within_them():
    found = over_tasks([torch.ones(5), torch.zeros(5)])
    assert found == {"value": 0.5, "ci95": [0.5, 0.5], "n": 10}


def test_front_views_look_at_the_front():
    data = toys64("test", num_toys=20)
    views = front_views(data, 0)
    assert side_seen(data.camera(data.seeds[0], views[0])) == "the front"
