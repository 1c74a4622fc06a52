"""CLIP from checkpoints of OpenAI and open_clip, which share their names; OpenAI's vocabulary."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from minilib.attention.vit import ViTConfig
from minilib.checkpoints import fit_state_dict
from minilib.clip.model import CLIP, CLIPConfig, TextConfig
from minilib.clip.tokenizer import Tokenizer
from minilib.interop.clip import tokenizer_of_merges
from minilib.interop.names import renamed

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
