"""CLIP's tokenizer, losses, classifiers: hand-computed cases and properties."""

import math

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F

from minilib.attention.vit import ViTConfig
from minilib.clip.few_shot import PromptLearner, TipAdapter, fit, linear_probe
from minilib.clip.losses import contrastive_loss, sigmoid_loss
from minilib.clip.model import CLIP, CLIPConfig, TextConfig
from minilib.clip.tokenizer import Tokenizer, byte_letters, learn_merges
from minilib.clip.zero_shot import calibration_error, class_features, classify, recalled

TEXTS = ["a red mug", "a red car", "a blue mug with a red handle", "two reds"]


def tiny_clip(vocab_size, context_length=12):
    torch.manual_seed(0)
    image = ViTConfig(image_size=8, patch_size=4, width=8, depth=1, num_heads=2, hidden=16, num_classes=0)
    text = TextConfig(vocab_size=vocab_size, context_length=context_length, width=8, depth=2, num_heads=2, hidden=16)
    return CLIP(CLIPConfig(image=image, text=text, embed_dim=6)).eval()


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(learn_merges(TEXTS, 40), context_length=12)


def test_every_byte_has_a_letter_of_its_own():
    letters = byte_letters()
    assert sorted(letters) == list(range(256)) and len(set(letters.values())) == 256
    assert not any(letter.isspace() for letter in letters.values())


def test_the_most_frequent_pair_merges_first():
    assert learn_merges(["aab aab ab"], 2) == [("a", "b</w>"), ("a", "ab</w>")]
    assert learn_merges(["ab"], 9) == [("a", "b</w>")]


def test_known_words_are_one_token(tokenizer):
    assert len(tokenizer.encode("red mug")) == 2
    assert len(tokenizer.encode("Red  MUG")) == 2
    assert tokenizer.vocab_size == 512 + len(tokenizer.ranks) + 2


@pytest.mark.parametrize("text", ["red mugs", "blå 🦆!", "x2", "a\tb", "日本語", ""])
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)).replace(" ", "") == "".join(text.split())


def test_rows_start_and_end_and_are_filled_with_zeros(tokenizer):
    (row,) = tokenizer("red mug").tolist()
    assert row[0] == tokenizer.vocab_size - 2 and row[3] == tokenizer.end and row[4:] == [0] * 8
    (row,) = tokenizer("red " * 30, truncate=True).tolist()
    assert len(row) == 12 and row[-1] == tokenizer.end


@torch.no_grad()
def test_what_follows_the_end_does_not_matter(tokenizer):
    clip = tiny_clip(tokenizer.vocab_size)
    ids = tokenizer("red mug")
    other = ids.clone()
    other[:, 4:] = 7
    torch.testing.assert_close(clip.encode_texts(ids), clip.encode_texts(other))
    other[:, 1] = 9
    assert not torch.allclose(clip.encode_texts(ids), clip.encode_texts(other), atol=1e-3)


@torch.no_grad()
def test_scale_starts_at_one_over_0_07_and_stops_at_100():
    clip = tiny_clip(520)
    assert clip.scale.item() == pytest.approx(1 / 0.07, rel=1e-5)
    clip.logit_scale.fill_(9.0)
    assert clip.scale == 100.0


def pairs():
    generator = torch.Generator().manual_seed(7)
    return [F.normalize(torch.randn(6, 5, generator=generator), dim=1) for _ in range(2)]


def both_losses(images, texts):
    scale, bias = torch.tensor(9.0), torch.tensor(-3.0)
    return contrastive_loss(images, texts, scale), sigmoid_loss(images, texts, scale, bias)


def one_of_two(rank, folder):
    """A process with half of the pairs: its losses, and the gradients that reach its features from both processes."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    own = [features[3 * rank : 3 * rank + 3].requires_grad_() for features in pairs()]
    found = []
    for losses in both_losses(*own):
        found.append((losses.detach(), *torch.autograd.grad(losses.mean(), own)))
    torch.save(found, f"{folder}/{rank}.pt")
    dist.barrier()  # nobody leaves while the other one is still connected
    dist.destroy_process_group()


def test_two_processes_compute_what_one_does(tmp_path):
    multiprocessing.spawn(one_of_two, (str(tmp_path),), nprocs=2)
    parts = zip(*(torch.load(tmp_path / f"{rank}.pt") for rank in range(2)), strict=True)
    whole = [features.requires_grad_() for features in pairs()]
    for losses, ((first, *grads), (second, *others)) in zip(both_losses(*whole), parts, strict=True):
        torch.testing.assert_close(torch.cat([first, second]), losses)
        for grad, other, expected in zip(grads, others, torch.autograd.grad(losses.mean(), whole), strict=True):
            torch.testing.assert_close(torch.cat([grad, other]) / 2, expected)  # of the mean over processes


def test_losses_by_hand():
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    texts = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    found = contrastive_loss(images, texts, torch.tensor(2.0))
    logits = [[2.0, 1.2], [0.0, 1.6]]
    for i in range(2):
        row = math.log(sum(math.exp(x) for x in logits[i])) - logits[i][i]
        column = math.log(sum(math.exp(logits[j][i]) for j in range(2))) - logits[i][i]
        assert found[i].item() == pytest.approx((row + column) / 2, rel=1e-5)
    said = sigmoid_loss(images, texts, torch.tensor(2.0), torch.tensor(-1.0))
    for i in range(2):
        by_hand = sum(math.log(1 + math.exp(-(1 if i == j else -1) * (logits[i][j] - 1))) for j in range(2))
        assert said[i].item() == pytest.approx(by_hand, rel=1e-5)


@torch.no_grad()
def test_prompts_are_normalised_averaged_and_normalised(tokenizer):
    clip = tiny_clip(tokenizer.vocab_size)
    prompts = ("a {}", "two {}")
    found = class_features(clip, tokenizer, ["mug", "car"], prompts)
    each = torch.stack([clip.encode_texts(tokenizer([p.format(n) for n in ("mug", "car")])) for p in prompts])
    torch.testing.assert_close(found, F.normalize(each[0] + each[1], dim=1))
    assert torch.allclose(found.norm(dim=1), torch.ones(2))


def test_probabilities_sharpen_with_the_scale():
    images, classes = F.normalize(torch.randn(3, 4), dim=1), F.normalize(torch.randn(5, 4), dim=1)
    soft, sharp = classify(images, classes, 1.0), classify(images, classes, torch.tensor(50.0))
    torch.testing.assert_close(soft.sum(1), torch.ones(3))
    assert (sharp.amax(1) > soft.amax(1)).all()
    assert torch.equal(soft.argmax(1), (images @ classes.T).argmax(1))


def test_recall_by_hand():
    queries = torch.eye(3)
    answers = F.normalize(torch.tensor([[1.0, 0, 0], [0.9, 0.5, 0], [0, 0.8, 0.1]]), dim=1)
    assert recalled(queries, answers, 1).tolist() == [1.0, 0.0, 1.0]
    assert recalled(queries, answers, 2).tolist() == [1.0, 1.0, 1.0]
    same = torch.eye(3, dtype=torch.bool)
    same[1, 2] = True
    assert recalled(queries, answers, 1, same).tolist() == [1.0, 1.0, 1.0]


def test_calibration_by_hand():
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.35, 0.65]])
    found = calibration_error(probabilities, torch.tensor([0, 1, 1, 1]))
    assert found.item() == pytest.approx((abs(1.8 - 1) + abs(1.25 - 2)) / 4, rel=1e-5)


def clusters(shots, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(3).repeat_interleave(shots)
    return F.normalize(3 * torch.eye(3, 6)[labels] + torch.randn(3 * shots, 6, generator=generator), dim=1), labels


@pytest.mark.parametrize("shots", [1, 6])
def test_a_probe_learns_clusters(shots):
    test, labels = clusters(40, seed=1)
    assert (linear_probe(*clusters(shots), test) == labels).float().mean() > 0.75


def test_tip_adapter_by_hand_and_trained():
    features, labels = clusters(4)
    classes = F.normalize(torch.randn(3, 6, generator=torch.Generator().manual_seed(2)), dim=1)
    tip = TipAdapter(features, labels, classes, scale=10.0, alpha=2.0, beta=3.0)
    image = clusters(1, seed=5)[0][:1]
    expected = 10 * image @ classes.T
    for key, label in zip(features, labels, strict=True):
        expected[0, label] += 2 * math.exp(-3 * (1 - float(image @ key)))
    torch.testing.assert_close(tip(image), expected)
    test, wanted = clusters(40, seed=1)
    before = F.cross_entropy(tip(test), wanted)
    fit(tip, features, labels, steps=60, learning_rate=0.02)
    assert F.cross_entropy(tip(test), wanted) < before
    assert not torch.equal(tip.keys, features)


def test_learned_prompts_begin_like_words_and_learn(tokenizer):
    clip = tiny_clip(tokenizer.vocab_size).requires_grad_(False)
    learner = PromptLearner(clip, tokenizer, ["mug", "car", "two reds"], num_vectors=2)
    with torch.no_grad():  # vectors that are words give what the words give
        learner.vectors.copy_(clip.text_tower.embedding(tokenizer("a blue")[0, 1:3]))
        words = clip.encode_texts(tokenizer(["a blue mug", "a blue car", "a blue two reds"]))
        torch.testing.assert_close(learner.class_features(), words)
    features, labels = clusters(4)
    before = F.cross_entropy(learner(features), labels)
    fit(learner, features, labels, steps=30, learning_rate=0.05)
    assert F.cross_entropy(learner(features), labels) < before
    assert list(dict(learner.named_parameters())) == ["vectors"]
