"""Vision Transformers to vit-pytorch."""

from copy import deepcopy
from typing import Any

from torch import nn

from minilib.attention.vit import ViT
from minilib.errors import require
from minilib.interop.names import renamed
from minilib.interop.vit import check_plain

VIT_PYTORCH = {
    r"^cls_token$": "class_token",
    r"^pos_embedding$": "positions",
    r"^to_patch_embedding\.": "patch_embedding.",
    r"^transformer\.layers\.(\d+)\.": r"blocks.\1.",
    r"^transformer\.norm\.": "norm.",
    r"\.0\.norm\.": ".norm1.",
    r"\.0\.to_qkv\.": ".attention.to_qkv.",
    r"\.0\.to_out\.0\.": ".attention.to_out.",
    r"\.1\.net\.0\.": ".norm2.",
    r"\.1\.net\.1\.": ".mlp.0.",
    r"\.1\.net\.4\.": ".mlp.2.",
    r"^mlp_head\.": "head.",
}
"""Pattern in vit-pytorch's names → ours."""


def vit_to_vit_pytorch(vit: ViT) -> Any:
    """The same network as a vit-pytorch `ViT`, less the two normalisations which only that has around its patches.

    Raises:
        ValueError: a part that vit-pytorch's ViT does not have.
    """
    config = vit.config
    check_plain(config, "vit-pytorch", qkv_bias=False)
    if config.num_heads == 1 or not config.num_classes:
        raise ValueError(
            "vit-pytorch's ViT needs several heads and classes, got"
            f" num_heads = {config.num_heads}, num_classes = {config.num_classes}"
        )
    model = require("vit_pytorch", extra="test").ViT(
        image_size=config.image_size,
        patch_size=config.patch_size,
        channels=config.in_channels,
        num_classes=config.num_classes,
        dim=config.width,
        depth=config.depth,
        heads=config.num_heads,
        dim_head=config.width // config.num_heads,
        mlp_dim=config.hidden,
    )
    model.to_patch_embedding = deepcopy(vit.patch_embedding)
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = config.norm_eps
    ours = vit.state_dict()
    state = {name: ours[renamed(name, VIT_PYTORCH)].reshape(value.shape) for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    return model.eval()
