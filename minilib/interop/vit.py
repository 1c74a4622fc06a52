"""Vision Transformers to and from transformers: ViT, DINO, DINOv2 (with registers), and DeiT if it is not distilled."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from minilib.attention.vit import ViT, ViTConfig
from minilib.checkpoints import fit_state_dict
from minilib.errors import require
from minilib.interop.hub import check_source
from minilib.interop.names import renamed, with_joint_qkv

TRANSFORMERS = {
    r"^(vit|dinov2|dinov2_with_registers)\.": "",
    r"^embeddings\.cls_token$": "class_token",
    r"^embeddings\.position_embeddings$": "positions",
    r"^embeddings\.register_tokens$": "registers",
    r"^embeddings\.patch_embeddings\.projection\.": "patch_embedding.projection.",
    r"^(encoder\.layer|layers)\.(\d+)\.": r"blocks.\2.",
    r"\.layernorm_before\.": ".norm1.",
    r"\.layernorm_after\.": ".norm2.",
    r"\.attention\.o_proj\.": ".attention.to_out.",
    r"\.mlp\.fc1\.": ".mlp.0.",
    r"\.mlp\.fc2\.": ".mlp.2.",
    r"\.layer_scale(\d)\.lambda1$": r".scale\1.gamma",
    r"^layernorm\.": "norm.",
    r"^classifier\.": "head.",
}
"""Pattern in transformers' names → ours. Queries, keys and values are joined afterwards."""

PLAIN = {
    "pool": "class",
    "num_registers": 0,
    "layer_scale": None,
    "antialias": False,
    "norm_input": False,
    "patch_bias": True,
    "activation": "gelu",
}
"""Settings of a ViT that every library can have."""

UNUSED = (r"^(vit\.)?pooler\.", r"(^|\.)embeddings\.mask_token$")
"""Weights of transformers' models that features and classes do not depend on."""


def vit_config_from_transformers(config: Mapping[str, Any], *, num_classes: int = 0) -> ViTConfig:
    """Our configuration for that of a transformers model of type vit, dinov2 or dinov2_with_registers.

    Raises:
        ValueError: another type of model, or a setting that this library does not have.
    """
    kind = config.get("model_type")
    if kind not in ("vit", "dinov2", "dinov2_with_registers"):
        why = " (it has a second token, for distillation)" if kind == "deit" else ""
        raise ValueError(f"expected a model of type vit, dinov2 or dinov2_with_registers, got {kind!r}{why}")
    if config["hidden_act"] != "gelu":
        raise ValueError(f"expected an MLP with gelu, got {config['hidden_act']!r}")
    if config.get("use_swiglu_ffn", False):
        raise ValueError("expected an MLP with gelu, got one with SwiGLU")
    for name in ("image_size", "patch_size"):
        if not isinstance(config[name], int):
            raise ValueError(f"expected square images and patches, got {name} = {config[name]}")
    width = config["hidden_size"]
    dino = kind != "vit"
    return ViTConfig(
        image_size=config["image_size"],
        patch_size=config["patch_size"],
        in_channels=config["num_channels"],
        width=width,
        depth=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        hidden=int(config["mlp_ratio"] * width) if dino else config["intermediate_size"],
        num_classes=num_classes,
        num_registers=config.get("num_register_tokens", 0),
        qkv_bias=config["qkv_bias"],
        norm_eps=config["layer_norm_eps"],
        layer_scale=config["layerscale_value"] if dino else None,
        antialias=kind == "dinov2_with_registers",
    )


def vit_from_transformers(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> ViT:
    """A `ViT` with the weights of a transformers model: `vit_from_transformers(m.config.to_dict(), m.state_dict())`.

    A model without classifier, and DINOv2's (which sees the mean of the patches, too), becomes one that gives features.

    Raises:
        ValueError: a setting this library does not have, or weights that do not fit; lists the names.
    """
    used = {name: value for name, value in state.items() if not any(re.search(one, name) for one in UNUSED)}
    if config.get("model_type") != "vit":
        used = {name: value for name, value in used.items() if not name.startswith("classifier.")}
    joined = with_joint_qkv(under_our_names(used, TRANSFORMERS))
    classes = len(joined["head.weight"]) if "head.weight" in joined else 0
    vit = ViT(vit_config_from_transformers(config, num_classes=classes))
    fit_state_dict(vit, joined, source="the state dict")
    return vit.eval()


def load_vit(source: str) -> tuple[ViT, Callable[[np.ndarray], Tensor], dict[int, str]]:
    """A published ViT or DINO, such as "google/vit-base-patch16-224" or "facebook/dino-vits8".

    Args:
        source: its name on the hub, or a folder of the same layout: config.json, the weights, preprocessor_config.json.
    Returns:
        The network; a function from a photograph, bytes (h, w, 3), to what the network wants to see, (1, 3, s, s); the
        names of its classes, none for a network that gives features.
    Raises:
        OSError: no such folder, or no such name, or no network.
        ValueError: a setting this library does not have, or weights that do not fit.
    """
    transformers = require("transformers", extra="pretrained")
    check_source(source)
    config = transformers.AutoConfig.from_pretrained(source)
    vit_config_from_transformers(config.to_dict())  # refuses before anything large is fetched
    if not config.architectures:
        raise ValueError(f"{source!r} does not say which class of model it is: no architectures in its config.json")
    theirs = getattr(transformers, config.architectures[0]).from_pretrained(source)
    processor = transformers.AutoImageProcessor.from_pretrained(source)
    vit = vit_from_transformers(config.to_dict(), theirs.state_dict())
    names = config.id2label if vit.config.num_classes else {}
    return vit, lambda photograph: processor(photograph, return_tensors="pt")["pixel_values"], names


def vit_to_transformers(vit: ViT) -> Any:
    """The same network as a transformers `ViTForImageClassification` (or `ViTModel`, if it has no classes).

    Raises:
        ValueError: a part that transformers' ViT does not have.
    """
    config = vit.config
    check_plain(config, "transformers")
    transformers = require("transformers", extra="pretrained")
    theirs = transformers.ViTConfig(
        image_size=config.image_size,
        patch_size=config.patch_size,
        num_channels=config.in_channels,
        hidden_size=config.width,
        num_hidden_layers=config.depth,
        num_attention_heads=config.num_heads,
        intermediate_size=config.hidden,
        qkv_bias=config.qkv_bias,
        layer_norm_eps=config.norm_eps,
        num_labels=config.num_classes,
    )
    if config.num_classes:
        model = transformers.ViTForImageClassification(theirs)
    else:
        model = transformers.ViTModel(theirs, add_pooling_layer=False)
    state = model.state_dict()
    ours = vit.state_dict()
    for name, value in state.items():
        target = renamed(name, TRANSFORMERS)
        match = re.fullmatch(r"(.*\.attention\.)([qkv])_proj\.(weight|bias)", target)
        found = ours[target] if match is None else ours[f"{match[1]}to_qkv.{match[3]}"].chunk(3)["qkv".index(match[2])]
        state[name] = found.reshape(value.shape)
    model.load_state_dict(state)
    return model.eval()


def check_plain(config: ViTConfig, library: str, **more: Any) -> None:
    """Raises ValueError for settings that another library's ViT does not have; lists them."""
    wanted = PLAIN | more
    odd = [
        f"{name} = {getattr(config, name)!r} (expected {value!r})"
        for name, value in wanted.items()
        if getattr(config, name) != value
    ]
    if odd:
        raise ValueError(f"a ViT of {library} does not have {', '.join(odd)}")


def under_our_names(state: Mapping[str, Tensor], table: Mapping[str, str]) -> dict[str, Tensor]:
    """Weights under our names; class token, positions and registers lose their batch axis."""
    ours = {renamed(name, table): value for name, value in state.items()}
    for name in ("positions", "registers"):
        if name in ours:
            ours[name] = ours[name].squeeze(0)
    if "class_token" in ours:
        ours["class_token"] = ours["class_token"].flatten()
    return ours
