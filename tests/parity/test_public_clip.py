"""CLIP, its losses and its tokenizer equal transformers' and open_clip's: random weights, float32, 1e-5."""

import unicodedata

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss, SigLipLoss
from open_clip.tokenizer import SimpleTokenizer
from tokenizers import Tokenizer as AnyTokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
)

from minilib.clip.losses import contrastive_loss, sigmoid_loss
from minilib.clip.tokenizer import END, START, plain, repaired
from minilib.interop.clip import clip_from_transformers, load_clip
from minilib.interop.open_clip import clip_from_openai, openai_tokenizer
from minilib.interop.siglip import load_siglip

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
TINY = {"intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4}
HARD = [
    "",
    " ",
    "a",
    "A photo of a cat.",
    "  many   spaces\tand\nlines ",
    "it's we're they've i'm you'll he'd 's",
    "UPPER lower MiXeD",
    "numbers 0 12 1234567 3.14 1e-5 ½ ² Ⅷ ٣",
    "punctuation!?.,;:—–-_()[]{}<>«»“”‘’…",
    "!!!???... --- *** ###",
    "e-mail@example.org https://example.org/a?b=c&d=e#f",
    "café naïve Ångström straße œuvre",
    "e\u0301 combining, a\u0308",
    "日本語のテキスト 中文 한국어",
    "русский текст ελληνικά עברית العربية हिन्दी",
    "emoji 🦆🐱🤖 👩‍👩‍👧 🇩🇪 ❤️ 🏽",
    "zero\u200bwidth \ufeffmark \u00adsoft",
    "&amp; &lt;b&gt; &quot;quoted&quot; &eacute; &#128512;",
    "<|startoftext|> <|endoftext|> <start_of_text>",
    "mojibake: schÃ¶n âœ” Ã©tÃ©",
    "a" * 60,
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "math ∑ ∫ √2 ≤ ∞ α β γ",
    "control \x01\x02 characters",
    "x_y x__y __init__ snake_case kebab-case camelCase",
]
WORDS = ["red", "Blue", "tea-pot", "naïve", "3D", "🦆", "it's", "ﬁne", "x²", "Straße", "don't", "e.g.", "№5", "—"]
HARD += [f"{a} {b}{c}" for a in WORDS for b in WORDS[:7] for c in ("", "!", " 42")]


def shake(module):
    """Biases and tokens that start at zero would hide a lost one."""
    for parameter in module.parameters():
        if parameter.ndim == 1:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    return module.eval()


def images(size, count=3):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def texts(vocab, length, count=3):
    ids = torch.randint(1, vocab - 2, (count, length), generator=torch.Generator().manual_seed(2))
    for row, end in enumerate((length - 1, 4, 6)):
        ids[row, end], ids[row, end + 1 :] = vocab - 1, 0
    return ids


def from_transformers(config):
    torch.manual_seed(0)
    theirs = shake(CLIPModel(config))
    return theirs, clip_from_transformers(theirs.config.to_dict(), theirs.state_dict())


@torch.no_grad()
@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_transformers(activation):
    text = {"vocab_size": 60, "hidden_size": 24, "max_position_embeddings": 9, "eos_token_id": 59, "pad_token_id": 0}
    image = {"hidden_size": 32, "image_size": 32, "patch_size": 8}
    both = TINY | {"hidden_act": activation}
    theirs, ours = from_transformers(CLIPConfig(text_config=text | both, vision_config=image | both, projection_dim=16))
    said = theirs(input_ids=texts(60, 9), pixel_values=images(32), return_loss=True)
    torch.testing.assert_close(ours.encode_images(images(32)), said.image_embeds, **CLOSE)
    torch.testing.assert_close(ours.encode_texts(texts(60, 9)), said.text_embeds, **CLOSE)
    image_features, text_features, scale = ours(images(32), texts(60, 9))
    torch.testing.assert_close(scale * image_features @ text_features.T, said.logits_per_image, **CLOSE)
    loss = contrastive_loss(said.image_embeds, said.text_embeds, ours.scale).mean()
    torch.testing.assert_close(loss, said.loss, **CLOSE)


@torch.no_grad()
def test_full_size_b32():
    theirs, ours = from_transformers(CLIPConfig())
    ids = texts(49408, 77)
    theirs.text_model.eos_token_id = 49407
    said = theirs(input_ids=ids, pixel_values=images(224))
    torch.testing.assert_close(ours.encode_images(images(224)), said.image_embeds, **CLOSE)
    torch.testing.assert_close(ours.encode_texts(ids), said.text_embeds, **CLOSE)
    assert sum(p.numel() for p in ours.parameters()) == 151_277_313


@torch.no_grad()
@pytest.mark.parametrize("quick_gelu", [True, False])
def test_open_clip(quick_gelu):
    torch.manual_seed(0)
    theirs = shake(
        open_clip.CLIP(
            embed_dim=16,
            vision_cfg={"image_size": 32, "patch_size": 8, "width": 32, "layers": 2, "head_width": 8},
            text_cfg={"context_length": 9, "vocab_size": 60, "width": 24, "heads": 3, "layers": 2},
            quick_gelu=quick_gelu,
        )
    )
    ours = clip_from_openai(theirs.state_dict(), image_head_width=8, text_head_width=8, quick_gelu=quick_gelu)
    torch.testing.assert_close(ours.encode_images(images(32)), theirs.encode_image(images(32), normalize=True), **CLOSE)
    ids = texts(60, 9)
    torch.testing.assert_close(ours.encode_texts(ids), theirs.encode_text(ids, normalize=True), **CLOSE)


def test_losses():
    generator = torch.Generator().manual_seed(3)
    pairs = [F.normalize(torch.randn(6, 8, generator=generator), dim=1).requires_grad_() for _ in range(2)]
    scale, bias = torch.tensor(14.0), torch.tensor(-10.0)
    for ours, theirs in (
        (contrastive_loss(*pairs, scale).mean(), ClipLoss()(*pairs, scale)),
        (sigmoid_loss(*pairs, scale, bias).mean(), SigLipLoss()(*pairs, scale, bias)),
    ):
        torch.testing.assert_close(ours, theirs, **CLOSE)
        for one, other in zip(torch.autograd.grad(ours, pairs), torch.autograd.grad(theirs, pairs), strict=True):
            torch.testing.assert_close(one, other, **CLOSE)


def test_tokenizer_on_hard_strings():
    ours, theirs = openai_tokenizer(), SimpleTokenizer()
    assert ours.vocab_size == theirs.vocab_size == 49408
    assert len(HARD) > 300
    for text in HARD:
        assert ours.encode(text) == theirs.encode(text), text
        assert torch.equal(ours(text, truncate=True), theirs(text)), text


def test_tokenizer_equals_transformers_where_both_clean_alike():
    """transformers does not repair broken characters or HTML, as OpenAI did."""
    ours = openai_tokenizer()
    marks = {START: "<|startoftext|>", END: "<|endoftext|>"}
    vocab = {marks.get(piece, piece): number for piece, number in ours.numbers.items()}
    theirs = CLIPTokenizer(vocab=vocab, merges=[(first, second) for first, second in ours.ranks])
    same = [text for text in HARD if repaired(text) == plain(unicodedata.normalize("NFC", text)) and START not in text]
    assert len(same) > 250
    for text in same:
        assert [ours.end - 1, *ours.encode(text), ours.end] == theirs(text)["input_ids"], text


@pytest.mark.parametrize("missing", ["visual.ln_post.bias", "transformer.resblocks.0.attn.in_proj_bias"])
def test_missing_weights_are_listed(missing):
    torch.manual_seed(0)
    theirs = open_clip.CLIP(
        embed_dim=16,
        vision_cfg={"image_size": 32, "patch_size": 8, "width": 32, "layers": 2, "head_width": 8},
        text_cfg={"context_length": 9, "vocab_size": 60, "width": 24, "heads": 3, "layers": 2},
    )
    state = {name: value for name, value in theirs.state_dict().items() if name != missing}
    with pytest.raises(ValueError, match="does not fit CLIP: 1 missing"):
        clip_from_openai(state | {"visual.extra": torch.zeros(1)}, image_head_width=8, text_head_width=8)


PHOTOGRAPHS = list(np.random.default_rng(0).integers(0, 256, (2, 50, 70, 3), dtype=np.uint8))


def clip_folder(path, *, vocab_size=516):
    """A stand-in with random weights, in the layout of openai/clip-vit-base-patch32; its tokenizer knows two merges."""
    text = {
        "vocab_size": vocab_size,
        "hidden_size": 24,
        "max_position_embeddings": 9,
        "bos_token_id": vocab_size - 2,
        "eos_token_id": vocab_size - 1,
        "pad_token_id": 0,
    }
    image = {"hidden_size": 32, "image_size": 32, "patch_size": 8}
    torch.manual_seed(0)
    theirs = shake(CLIPModel(CLIPConfig(text_config=text | TINY, vision_config=image | TINY, projection_dim=16)))
    theirs.save_pretrained(path)
    size = {"shortest_edge": 32}
    CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32}).save_pretrained(path)
    (path / "merges.txt").write_text("#version: 0.2\nr e\nre d</w>\n", encoding="utf-8")
    return theirs


@torch.no_grad()
def test_a_published_clip_loads_from_its_folder(tmp_path):
    theirs = clip_folder(tmp_path)
    ours, prepare, tokenizer = load_clip(str(tmp_path))
    seen = prepare(PHOTOGRAPHS)
    assert seen.shape == (2, 3, 32, 32)
    ids = tokenizer(["red", "a cat"])
    assert ids[0].tolist()[:3] == [514, 513, 515]
    said = theirs(input_ids=ids, pixel_values=seen)
    torch.testing.assert_close(ours.encode_images(seen), said.image_embeds, **CLOSE)
    torch.testing.assert_close(ours.encode_texts(ids), said.text_embeds, **CLOSE)


def test_a_published_clip_that_does_not_fit_is_refused(tmp_path):
    clip_folder(tmp_path, vocab_size=600)
    with pytest.raises(ValueError, match=r"expected a vocabulary of 600 pieces, as in config.json, got 516"):
        load_clip(str(tmp_path))
    with pytest.raises(ValueError, match="expected a model of type siglip or siglip2, got 'clip'"):
        load_siglip(str(tmp_path))
    with pytest.raises(OSError, match="'nobody/nothing' is no folder here, and the hub does not give it"):
        load_clip("nobody/nothing")


@torch.no_grad()
def test_a_published_siglip_runs_from_its_folder(tmp_path):
    """A stand-in with random weights and a tokenizer of four words, in the layout of google/siglip-base-patch16-224."""
    text = {"vocab_size": 8, "hidden_size": 32, "max_position_embeddings": 64, "projection_size": 32}
    image = {"hidden_size": 32, "image_size": 32, "patch_size": 8}
    torch.manual_seed(0)
    theirs = SiglipModel(SiglipConfig(text_config=text | TINY, vision_config=image | TINY)).eval()
    theirs.save_pretrained(tmp_path)
    words = AnyTokenizer(WordLevel({"<pad>": 0, "<unk>": 1, "red": 2, "cat": 3}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>")
    pictures = SiglipImageProcessor(size={"height": 32, "width": 32})
    SiglipProcessor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(tmp_path)
    probabilities = load_siglip(str(tmp_path))(PHOTOGRAPHS, ["red", "red cat", "dog"])
    ids = torch.zeros(3, 64, dtype=torch.long)
    ids[0, 0], ids[1, :2], ids[2, 0] = 2, torch.tensor([2, 3]), 1
    seen = pictures(PHOTOGRAPHS, return_tensors="pt")["pixel_values"]
    expected = theirs(input_ids=ids, pixel_values=seen).logits_per_image.sigmoid()
    torch.testing.assert_close(probabilities, expected, **CLOSE)
