"""Bad input to CLIP gets one clear line. Run without shape checks, as users do."""

import pytest
import torch
import torch.nn.functional as F

from minilib.attention.vit import ViTConfig
from minilib.clip.few_shot import PromptLearner, TipAdapter, fit, linear_probe
from minilib.clip.losses import contrastive_loss, sigmoid_loss
from minilib.clip.model import CLIP, CLIPConfig, TextConfig
from minilib.clip.tokenizer import Tokenizer, learn_merges
from minilib.clip.zero_shot import calibration_error, class_features, classify, recalled
from minilib.interop.clip import clip_from_transformers
from minilib.interop.open_clip import clip_from_openai

unit = F.normalize(torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), dim=1)
labels = torch.tensor([0, 1, 0, 1])
one = torch.tensor(1.0)
tokenizer = Tokenizer([], context_length=8)
image = ViTConfig(image_size=8, patch_size=4, width=8, depth=1, num_heads=2, hidden=16, num_classes=0)
text = TextConfig(vocab_size=tokenizer.vocab_size, context_length=8, width=8, depth=1, num_heads=2, hidden=16)
clip = CLIP(CLIPConfig(image=image, text=text, embed_dim=6))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Tokenizer([], context_length=2), "context_length >= 3: start, a piece, end; got 2"),
        (lambda: Tokenizer([("a", "bc")]), "pieces that came before, got 'a' and 'bc'"),
        (lambda: tokenizer("eight letters"), r"at most 8 tokens with start and end, got 14: 'eight letters'"),
        (lambda: tokenizer([]), "at least one text, got none"),
        (lambda: tokenizer.decode([9999]), r"numbers in 0\.\.513, got 9999"),
        (lambda: learn_merges(["a"], -1), "num_merges >= 0, got -1"),
        (lambda: TextConfig(width=10, num_heads=3), "got 3 heads and width 10"),
        (lambda: CLIPConfig(image=ViTConfig()), "a ViT without classes, got num_classes = 1000"),
        (lambda: clip.encode_texts(torch.zeros(1, 9, dtype=torch.long)), "at most 8 tokens, got 9"),
        (lambda: clip.encode_images(torch.rand(1, 3, 9, 8)), "patch_size = 4"),
        (
            lambda: clip.encode_texts(torch.zeros(1, 8, dtype=torch.long)),
            "the end mark 513 in each text, got none in .* 0",
        ),
        (lambda: contrastive_loss(unit[:1], unit[:1], one), "at least 2 pairs"),
        (lambda: contrastive_loss(unit, unit[:, :5], one), r"one shape \(b, d\), got \(4, 6\) and \(4, 5\)"),
        (lambda: contrastive_loss(unit, 2 * unit, one), "unit length, got texts whose length is off by 1"),
        (
            lambda: sigmoid_loss(unit * torch.nan, unit, one, one),
            "unit length, got pictures whose length is off by nan",
        ),
        (lambda: class_features(clip, tokenizer, ["a"], []), "got 1 names and 0 prompts"),
        (lambda: class_features(clip, tokenizer, [], ["{}"]), "got 0 names and 1 prompts"),
        (lambda: class_features(clip, tokenizer, ["a"], ["mug"]), "where the name goes, got 'mug'"),
        (lambda: classify(unit, unit[:, :5], 1.0), "one width, got 6 of pictures and 5 of classes"),
        (lambda: class_features(clip, Tokenizer([("a", "b")]), ["a"]), "with 514 pieces, got one with 515"),
        (lambda: classify(unit, unit, 0.0), "scale > 0, got 0.0"),
        (lambda: classify(3 * unit, unit, 1.0), "unit length, got pictures whose length is off by 2"),
        (lambda: classify(unit, unit / 2, 1.0), "unit length, got classes whose length is off by 0.5"),
        (lambda: recalled(unit, 2 * unit, 1), "unit length, got answers whose length is off by 1"),
        (lambda: recalled(unit, unit[:2], 1), r"one answer for each query, got \(4, 6\) and \(2, 6\)"),
        (lambda: calibration_error(unit, labels[:1]), "one label for each of 4 rows, got 1"),
        (lambda: recalled(unit, unit, 5), r"k in 1\.\.4, got 5"),
        (lambda: calibration_error(unit, labels, bins=0), "bins >= 1, got 0"),
        (lambda: linear_probe(unit, labels[:3], unit), "a label for each of 4 features, got 3"),
        (lambda: linear_probe(unit, labels * 0, unit), "at least two classes, got one"),
        (lambda: TipAdapter(unit, labels, unit[:2, :5]), "got 6 of pictures and 5 of classes"),
        (lambda: TipAdapter(unit, labels + 1, unit[:2]), r"4 labels in 0\.\.1, got \[1, 2, 1, 2\]"),
        (lambda: TipAdapter(unit, labels, unit[:2], beta=0.0), "beta > 0, got 0.0"),
        (lambda: TipAdapter(2 * unit, labels, unit[:2]), "unit length, got pictures whose length is off by 1"),
        (lambda: PromptLearner(clip, tokenizer, ["mug"], num_vectors=4), "behind 4 vectors into 8 tokens"),
        (lambda: PromptLearner(clip, tokenizer, ["mug"], num_vectors=0), "num_vectors >= 1, got 0"),
        (lambda: PromptLearner(clip, Tokenizer([("a", "b")]), ["mug"]), "with 514 pieces, got one with 515"),
        (lambda: fit(TipAdapter(unit, labels, unit[:2]), unit, labels, steps=0), "steps >= 1, got 0"),
        (lambda: clip_from_transformers({"model_type": "vit"}, {}), "type clip, got 'vit'"),
        (lambda: clip_from_openai({"visual.layer1.0.conv1.weight": unit}), "a CLIP with a ViT, got visual.layer1"),
    ],
)
def test_value_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(("names", "prompts"), [("mug", ["{}"]), (["mug"], "a {}")])
def test_one_string_is_not_several(names, prompts):
    with pytest.raises(TypeError, match="as a list of strings, got one string: "):
        class_features(clip, tokenizer, names, prompts)


def test_any_character_can_be_told():
    assert tokenizer.decode(Tokenizer([], context_length=20)("🦆 é")[0].tolist()) == "🦆 é"
