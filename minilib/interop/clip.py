"""CLIP from transformers, and from checkpoints of OpenAI and open_clip, which share their names; SigLIP as it is."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from minilib.attention.vit import ViTConfig
from minilib.checkpoints import fit_state_dict
from minilib.clip.model import CLIP, CLIPConfig, TextConfig
from minilib.clip.tokenizer import Tokenizer, repaired
from minilib.errors import require
from minilib.interop.hub import check_source
from minilib.interop.names import renamed, with_joint_qkv

TRANSFORMERS = {
    r"^vision_model\.embeddings\.class_embedding$": "image_tower.class_token",
    r"^vision_model\.embeddings\.patch_embedding\.": "image_tower.patch_embedding.projection.",
    r"^vision_model\.embeddings\.position_embedding\.weight$": "image_tower.positions",
    r"^vision_model\.pre_layrnorm\.": "image_tower.norm_input.",
    r"^vision_model\.post_layernorm\.": "image_tower.norm.",
    r"^text_model\.embeddings\.token_embedding\.": "text_tower.embedding.",
    r"^text_model\.embeddings\.position_embedding\.weight$": "text_tower.positions",
    r"^text_model\.final_layer_norm\.": "text_tower.norm.",
    r"^vision_model\.encoder\.layers\.": "image_tower.blocks.",
    r"^text_model\.encoder\.layers\.": "text_tower.blocks.",
    r"\.self_attn\.out_proj\.": ".attention.to_out.",
    r"\.self_attn\.": ".attention.",
    r"\.layer_norm(\d)\.": r".norm\1.",
    r"\.mlp\.fc1\.": ".mlp.0.",
    r"\.mlp\.fc2\.": ".mlp.2.",
    r"^visual_projection\.": "image_projection.",
}
"""Pattern in transformers' names → ours. Queries, keys and values are joined afterwards."""

OPENAI = {
    r"^visual\.class_embedding$": "image_tower.class_token",
    r"^visual\.conv1\.": "image_tower.patch_embedding.projection.",
    r"^visual\.positional_embedding$": "image_tower.positions",
    r"^visual\.ln_pre\.": "image_tower.norm_input.",
    r"^visual\.ln_post\.": "image_tower.norm.",
    r"^visual\.proj$": "image_projection.weight",
    r"^visual\.transformer\.resblocks\.": "image_tower.blocks.",
    r"^token_embedding\.": "text_tower.embedding.",
    r"^positional_embedding$": "text_tower.positions",
    r"^ln_final\.": "text_tower.norm.",
    r"^text_projection$": "text_projection.weight",
    r"^transformer\.resblocks\.": "text_tower.blocks.",
    r"\.attn\.in_proj_": ".attention.to_qkv.",
    r"\.attn\.out_proj\.": ".attention.to_out.",
    r"\.ln_(\d)\.": r".norm\1.",
    r"\.mlp\.c_fc\.": ".mlp.0.",
    r"\.mlp\.c_proj\.": ".mlp.2.",
}
"""Pattern in OpenAI's and open_clip's names → ours. Both store the projections transposed."""

UNUSED = ("attn_mask", "input_resolution", "context_length", "vocab_size")
"""Entries of OpenAI's checkpoints that are no weights."""

OPENAI_MERGES = 49152 - 256 - 2

SIGLIP_CONTEXT = 64
"""Tokens of a text, padding included."""


def clip_from_transformers(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> CLIP:
    """A `CLIP` with the weights of a transformers `CLIPModel`: `clip_from_transformers(m.config.to_dict(), ...)`.

    Raises:
        ValueError: another type of model, a setting this library does not have, or weights that do not fit.
    """
    if config.get("model_type") != "clip":
        raise ValueError(f"expected a model of type clip, got {config.get('model_type')!r}")
    text, image = config["text_config"], config["vision_config"]
    if text["eos_token_id"] not in (2, text["vocab_size"] - 1):  # 2: older configurations, which mean the largest id
        raise ValueError(f"expected eos_token_id to be vocab_size - 1, got {text['eos_token_id']}")
    clip = CLIP(
        CLIPConfig(
            image=ViTConfig(
                image_size=image["image_size"],
                patch_size=image["patch_size"],
                in_channels=image["num_channels"],
                width=image["hidden_size"],
                depth=image["num_hidden_layers"],
                num_heads=image["num_attention_heads"],
                hidden=image["intermediate_size"],
                num_classes=0,
                norm_eps=image["layer_norm_eps"],
                norm_input=True,
                patch_bias=False,
                activation=image["hidden_act"],
            ),
            text=TextConfig(
                vocab_size=text["vocab_size"],
                context_length=text["max_position_embeddings"],
                width=text["hidden_size"],
                depth=text["num_hidden_layers"],
                num_heads=text["num_attention_heads"],
                hidden=text["intermediate_size"],
                activation=text["hidden_act"],
                norm_eps=text["layer_norm_eps"],
            ),
            embed_dim=config["projection_dim"],
        )
    )
    ours = {renamed(name, TRANSFORMERS): value for name, value in state.items() if not name.endswith("position_ids")}
    fit_state_dict(clip, with_joint_qkv(ours), source="the state dict")
    return clip.eval()


def clip_from_openai(
    state: Mapping[str, Tensor], *, image_head_width: int = 64, text_head_width: int = 64, quick_gelu: bool = True
) -> CLIP:
    """A `CLIP` with the weights of OpenAI's or open_clip's ViT models, whose sizes are read off the weights.

    Args:
        state: of the model.
        image_head_width, text_head_width: of one head of attention; the weights do not say. 64 is right for OpenAI's
            models and the B and L of open_clip; its H, g and bigG have 80, 88 and 104 in the picture's tower.
        quick_gelu: whether it was trained with QuickGELU (OpenAI's were; most of open_clip's were not).
    Raises:
        ValueError: weights that are no CLIP with a ViT, or that do not fit (lists the names), or heads that do
            not divide a width.
    """
    state = {name: value.float() for name, value in state.items() if name not in UNUSED}
    if "visual.conv1.weight" not in state or "token_embedding.weight" not in state:
        raise ValueError(f"expected the weights of a CLIP with a ViT, got {', '.join(sorted(state)[:5])}, …")
    kernel, embedding = state["visual.conv1.weight"], state["token_embedding.weight"]
    patch, side = kernel.shape[-1], round((len(state["visual.positional_embedding"]) - 1) ** 0.5)
    activation = "quick_gelu" if quick_gelu else "gelu"

    def heads(width: int, head_width: int) -> int:
        if head_width < 1 or width % head_width:
            raise ValueError(f"expected heads whose width divides {width}, got {head_width}")
        return width // head_width

    def depth(prefix: str) -> int:
        return len({name.split(".resblocks.")[1].split(".")[0] for name in state if name.startswith(prefix)})

    clip = CLIP(
        CLIPConfig(
            image=ViTConfig(
                image_size=side * patch,
                patch_size=patch,
                width=len(kernel),
                depth=depth("visual.transformer.resblocks."),
                num_heads=heads(len(kernel), image_head_width),
                hidden=len(state["visual.transformer.resblocks.0.mlp.c_fc.weight"]),
                num_classes=0,
                norm_eps=1e-5,
                norm_input=True,
                patch_bias=False,
                activation=activation,
            ),
            text=TextConfig(
                vocab_size=len(embedding),
                context_length=len(state["positional_embedding"]),
                width=embedding.shape[1],
                depth=depth("transformer.resblocks."),
                num_heads=heads(embedding.shape[1], text_head_width),
                hidden=len(state["transformer.resblocks.0.mlp.c_fc.weight"]),
                activation=activation,
            ),
            embed_dim=state["text_projection"].shape[1],
        )
    )
    ours = {renamed(name, OPENAI): value for name, value in state.items()}
    for name in ("image_projection.weight", "text_projection.weight"):
        ours[name] = ours[name].T
    fit_state_dict(clip, ours, source="the state dict")
    return clip.eval()


def openai_tokenizer() -> Tokenizer:
    """The tokenizer of OpenAI's CLIP, 49,408 pieces, from the vocabulary that the package open_clip brings.

    Raises:
        ImportError: open_clip or ftfy is not installed.
    """
    import gzip

    found = find_spec("open_clip")
    if found is None or found.origin is None:
        raise ImportError("open_clip brings OpenAI's vocabulary and is not installed: pip install open_clip_torch")
    with gzip.open(Path(found.origin).parent / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8") as file:
        return tokenizer_of_merges(file.read())


def tokenizer_of_merges(text: str, *, context_length: int = 77) -> Tokenizer:
    """The tokenizer of a merges.txt of OpenAI's CLIP: after a heading, a pair of pieces on each line.

    Raises:
        ImportError: ftfy, which repairs texts first, is not installed.
    """
    require("ftfy", extra="pretrained")
    lines = text.splitlines()[1 : OPENAI_MERGES + 1]
    merges = [(first, second) for first, second in map(str.split, filter(None, lines))]
    return Tokenizer(merges, context_length=context_length, clean=repaired)


def load_clip(source: str) -> tuple[CLIP, Callable[[Sequence[np.ndarray]], Tensor], Tokenizer]:
    """A published CLIP, such as "openai/clip-vit-base-patch32".

    Args:
        source: its name on the hub, or a folder of the same layout: config.json, the weights, preprocessor_config.json,
            merges.txt.
    Returns:
        The model; a function from photographs, bytes (h, w, 3), to what the model wants to see, (b, 3, s, s); its
        tokenizer.
    Raises:
        OSError: no such folder, or no such name, or no network, or a file is missing.
        ValueError: a setting this library does not have, or weights or a vocabulary that do not fit.
    """
    transformers = require("transformers", extra="pretrained")
    check_source(source)
    config = transformers.AutoConfig.from_pretrained(source)
    if config.model_type != "clip":
        raise ValueError(f"expected a model of type clip, got {config.model_type!r}")
    merges = transformers.utils.cached_file(source, "merges.txt")
    length = config.text_config.max_position_embeddings
    tokenizer = tokenizer_of_merges(Path(merges).read_text(encoding="utf-8"), context_length=length)
    if tokenizer.vocab_size != config.text_config.vocab_size:
        raise ValueError(
            f"expected a vocabulary of {config.text_config.vocab_size} pieces, as in config.json,"
            f" got {tokenizer.vocab_size} from merges.txt"
        )
    theirs = transformers.CLIPModel.from_pretrained(source)
    processor = transformers.CLIPImageProcessor.from_pretrained(source)
    clip = clip_from_transformers(config.to_dict(), theirs.state_dict())
    return clip, lambda photographs: processor(list(photographs), return_tensors="pt")["pixel_values"], tokenizer


def load_siglip(source: str) -> Callable[[Sequence[np.ndarray], Sequence[str]], Float[Tensor, "b k"]]:
    """A published SigLIP or SigLIP 2, such as "google/siglip2-base-patch16-224", run by transformers.

    Args:
        source: its name on the hub, or a folder of the same layout.
    Returns:
        A function from photographs, bytes (h, w, 3), and texts, in lower case as these models were trained, to the
        probability that each text fits each photograph, by the sigmoid: they need not sum to 1.
    Raises:
        OSError: no such folder, or no such name, or no network, or a file is missing.
        ValueError: another type of model.
    """
    transformers = require("transformers", extra="pretrained")
    check_source(source)
    kind = transformers.AutoConfig.from_pretrained(source).model_type
    if kind not in ("siglip", "siglip2"):
        raise ValueError(f"expected a model of type siglip or siglip2, got {kind!r}")
    model = transformers.AutoModel.from_pretrained(source)
    processor = transformers.AutoProcessor.from_pretrained(source)

    @torch.no_grad()
    def probabilities(photographs: Sequence[np.ndarray], texts: Sequence[str]) -> Float[Tensor, "b k"]:
        texts = [text.lower() for text in texts]
        for text in texts:
            length = len(processor.tokenizer(text)["input_ids"])
            if length > SIGLIP_CONTEXT:
                raise ValueError(f"expected at most {SIGLIP_CONTEXT} tokens, got {length}: {text[:60]!r}…")
        # These models were trained on texts of this length and have learned what padding means: it is not masked.
        given = processor(
            images=list(photographs), text=texts, padding="max_length", max_length=SIGLIP_CONTEXT, return_tensors="pt"
        )
        given.pop("attention_mask", None)
        return torch.sigmoid(model(**given).logits_per_image)

    return probabilities
