"""Vision Transformers from timm: ViT, DeiT, DINO, DINOv2 (with registers)."""

from typing import Any, Literal

import torch
from torch import nn

from minilib.attention.vit import ViT, ViTConfig
from minilib.checkpoints import fit_state_dict
from minilib.interop.vit import under_our_names

TIMM = {
    r"^cls_token$": "class_token",
    r"^pos_embed$": "positions",
    r"^reg_token$": "registers",
    r"^patch_embed\.proj\.": "patch_embedding.projection.",
    r"\.attn\.qkv\.": ".attention.to_qkv.",
    r"\.attn\.proj\.": ".attention.to_out.",
    r"\.mlp\.fc1\.": ".mlp.0.",
    r"\.mlp\.fc2\.": ".mlp.2.",
    r"\.ls(\d)\.gamma$": r".scale\1.gamma",
}
"""Pattern in timm's names → ours; all other names are the same."""

POOLS: dict[str, Literal["class", "mean"]] = {"token": "class", "avg": "mean"}
"""timm's names of what the classifier sees, and ours."""


def vit_from_timm(model: Any) -> ViT:
    """A `ViT` with the weights of a timm `VisionTransformer`, such as `timm.create_model("vit_base_patch16_224")`.

    Raises:
        ValueError: a part this library does not have, or weights that do not fit; lists the names.
    """
    block: Any = model.blocks[0] if hasattr(model, "blocks") else None
    if type(model).__name__ != "VisionTransformer" or type(block).__name__ != "Block":
        raise ValueError(
            f"expected timm's VisionTransformer of Blocks, got {type(model).__name__} of {type(block).__name__}"
        )
    if not isinstance(block.mlp.act, nn.GELU) or block.mlp.act.approximate != "none":
        raise ValueError(f"expected an MLP with gelu, got {block.mlp.act}")
    if model.pool_include_prefix:
        raise ValueError("expected a timm model that pools its patches alone, got pool_include_prefix = True")
    if model.global_pool not in POOLS:
        raise ValueError(f"expected a timm model with global_pool in {', '.join(POOLS)}, got {model.global_pool!r}")
    state = under_our_names(model.state_dict(), TIMM)
    width, patch = model.embed_dim, model.patch_embed
    vit = ViT(
        ViTConfig(
            image_size=patch.img_size[0],
            patch_size=patch.patch_size[0],
            in_channels=patch.proj.in_channels,
            width=width,
            depth=len(model.blocks),
            num_heads=block.attn.num_heads,
            hidden=block.mlp.fc1.out_features,
            num_classes=model.num_classes,
            pool=POOLS[model.global_pool],
            num_registers=model.num_reg_tokens,
            qkv_bias=block.attn.qkv.bias is not None,
            norm_eps=block.norm1.eps,
            layer_scale=1.0 if "blocks.0.scale1.gamma" in state else None,
            antialias=True,
        )
    )
    if model.no_embed_class and "positions" in state:  # DINOv2 with registers: no position for the class token
        zero = state["positions"].new_zeros(1, width)
        state["positions"] = torch.cat([zero, state["positions"]])
    fit_state_dict(vit, state, source="the timm model")
    return vit.eval()
