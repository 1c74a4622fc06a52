"""CLIP from transformers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
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

OPENAI_MERGES = 49152 - 256 - 2


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
