"""SAM to and from transformers."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from minilib.checkpoints import fit_state_dict
from minilib.errors import require
from minilib.interop.hub import check_source
from minilib.interop.names import renamed
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.sam import Sam, SamConfig

BOTH = {
    r"\.attn\.qkv\.": ".attention.to_qkv.",
    r"\.attn\.proj\.": ".attention.to_out.",
    r"\.attn\.rel_pos_h$": ".attention.heads.height_positions",
    r"\.attn\.rel_pos_w$": ".attention.heads.width_positions",
    r"^image_encoder\.pos_embed$": "image_encoder.positions",
    r"\.mlp\.lin1\.": ".mlp.0.",
    r"\.mlp\.lin2\.": ".mlp.2.",
    r"^prompt_encoder\.not_a_point_embed\.weight$": "prompt_encoder.label_embeddings.4",
    r"^prompt_encoder\.no_mask_embed\.weight$": "prompt_encoder.no_mask",
    r"^mask_decoder\.(iou_token|mask_tokens)\.weight$": r"mask_decoder.\1",
    r"^mask_decoder\.transformer\.layers\.": "mask_decoder.blocks.",
    r"^mask_decoder\.transformer\.final_attn_token_to_image\.": "mask_decoder.final_attention.",
    r"\.self_attn\.": ".self_attention.",
    r"\.cross_attn_token_to_image\.": ".tokens_to_image.",
    r"\.cross_attn_image_to_token\.": ".image_to_tokens.",
    r"\.(q|k|v|out)_proj\.": r".to_\1.",
    r"^mask_decoder\.output_hypernetworks_mlps\.": "mask_decoder.hypernetworks.",
    r"^mask_decoder\.iou_prediction_head\.": "mask_decoder.iou_head.",
}
"""Pattern in names that transformers and segment_anything share → ours."""

TRANSFORMERS = {
    r"^vision_encoder\.": "image_encoder.",
    r"^image_encoder\.patch_embed\.": "image_encoder.patch_embedding.",
    r"^image_encoder\.layers\.": "image_encoder.blocks.",
    r"\.neck\.conv1\.": ".neck.0.",
    r"\.neck\.layer_norm1\.": ".neck.1.",
    r"\.neck\.conv2\.": ".neck.2.",
    r"\.neck\.layer_norm2\.": ".neck.3.",
    r"^(shared_image_embedding|prompt_encoder\.shared_embedding)\.positional_embedding$": "prompt_encoder.frequencies",
    r"^prompt_encoder\.point_embed\.(\d)\.weight$": r"prompt_encoder.label_embeddings.\1",
    r"\.mask_embed\.conv1\.": ".mask_network.0.",
    r"\.mask_embed\.layer_norm1\.": ".mask_network.1.",
    r"\.mask_embed\.conv2\.": ".mask_network.3.",
    r"\.mask_embed\.layer_norm2\.": ".mask_network.4.",
    r"\.mask_embed\.conv3\.": ".mask_network.6.",
    r"\.layer_norm(\d)\.": r".norm\1.",
    r"^mask_decoder\.transformer\.layer_norm_final_attn\.": "mask_decoder.final_norm.",
    r"^mask_decoder\.upscale_conv(\d)\.": r"mask_decoder.upscale\1.",
    r"^mask_decoder\.upscale_layer_norm\.": "mask_decoder.upscale_norm.",
    r"(_mlps\.\d+|_head)\.proj_in\.": r"\1.0.",
    r"(_mlps\.\d+|_head)\.layers\.0\.": r"\1.2.",
    r"(_mlps\.\d+|_head)\.proj_out\.": r"\1.4.",
} | BOTH
"""Pattern in transformers' names → ours. The rows of `label_embeddings` are stacked afterwards."""

SETTINGS = {
    "vision_config": {"hidden_act": "gelu", "use_abs_pos": True, "use_rel_pos": True},
    "prompt_encoder_config": {"hidden_act": "gelu", "num_point_embeddings": 4},
    "mask_decoder_config": {"hidden_act": "relu", "iou_head_depth": 3},
}
"""Settings of transformers' SAM that ours cannot change."""


def sam_from_transformers(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Sam:
    """A `Sam` with the weights of a transformers `SamModel`: `sam_from_transformers(m.config.to_dict(), ...)`.

    Raises:
        ValueError: another type of model, a setting this library does not have, or weights that do not fit.
    """
    if config.get("model_type") != "sam":
        raise ValueError(f"expected a model of type sam, got {config.get('model_type')!r}")
    for part, settings in SETTINGS.items():
        for name, value in settings.items():
            if config[part][name] != value:
                raise ValueError(f"expected {name} = {value!r} in {part}, got {config[part][name]!r}")
    image, decoder = config["vision_config"], config["mask_decoder_config"]
    sam = Sam(
        SamConfig(
            encoder=ImageEncoderConfig(
                image_size=image["image_size"],
                patch_size=image["patch_size"],
                in_channels=image["num_channels"],
                width=image["hidden_size"],
                depth=image["num_hidden_layers"],
                num_heads=image["num_attention_heads"],
                hidden=image["mlp_dim"],
                window_size=image["window_size"],
                global_blocks=tuple(image["global_attn_indexes"]),
                out_channels=image["output_channels"],
                qkv_bias=image["qkv_bias"],
                norm_eps=image["layer_norm_eps"],
            ),
            decoder=MaskDecoderConfig(
                depth=decoder["num_hidden_layers"],
                num_heads=decoder["num_attention_heads"],
                hidden=decoder["mlp_dim"],
                downsample_rate=decoder["attention_downsample_rate"],
                num_masks=decoder["num_multimask_outputs"],
                iou_hidden=decoder["iou_head_hidden_dim"],
                norm_eps=decoder["layer_norm_eps"],
            ),
            mask_channels=config["prompt_encoder_config"]["mask_input_channels"],
        )
    )
    fit_state_dict(sam, under_our_names(state, TRANSFORMERS), source="the state dict")
    return sam.eval()


def load_sam(source: str) -> Sam:
    """A published SAM, such as "facebook/sam-vit-base".

    Args:
        source: its name on the hub, or a folder of the same layout: config.json and the weights.
    Raises:
        OSError: no such folder, or no such name, or no network.
        ValueError: another type of model, a setting this library does not have, or weights that do not fit.
    """
    transformers = require("transformers", extra="pretrained")
    check_source(source)
    theirs = transformers.SamModel.from_pretrained(source)
    return sam_from_transformers(theirs.config.to_dict(), theirs.state_dict())


def sam_to_transformers(sam: Sam) -> Any:
    """The same network as a transformers `SamModel`; it wants pictures normalised by `image_mean` and `image_std`."""
    transformers = require("transformers", extra="pretrained")
    encoder, decoder = sam.config.encoder, sam.config.decoder
    config = transformers.SamConfig(
        vision_config=transformers.SamVisionConfig(
            image_size=encoder.image_size,
            patch_size=encoder.patch_size,
            num_channels=encoder.in_channels,
            hidden_size=encoder.width,
            num_hidden_layers=encoder.depth,
            num_attention_heads=encoder.num_heads,
            mlp_dim=encoder.hidden,
            window_size=encoder.window_size,
            global_attn_indexes=list(encoder.global_blocks),
            output_channels=encoder.out_channels,
            qkv_bias=encoder.qkv_bias,
            layer_norm_eps=encoder.norm_eps,
            num_pos_feats=encoder.out_channels // 2,
        ),
        prompt_encoder_config=transformers.SamPromptEncoderConfig(
            hidden_size=encoder.out_channels,
            image_size=encoder.image_size,
            patch_size=encoder.patch_size,
            mask_input_channels=sam.config.mask_channels,
        ),
        mask_decoder_config=transformers.SamMaskDecoderConfig(
            hidden_size=encoder.out_channels,
            num_hidden_layers=decoder.depth,
            num_attention_heads=decoder.num_heads,
            mlp_dim=decoder.hidden,
            attention_downsample_rate=decoder.downsample_rate,
            num_multimask_outputs=decoder.num_masks,
            iou_head_hidden_dim=decoder.iou_hidden,
            layer_norm_eps=decoder.norm_eps,
        ),
    )
    return filled(transformers.SamModel(config), sam, TRANSFORMERS)


def under_our_names(state: Mapping[str, Tensor], table: Mapping[str, str]) -> dict[str, Tensor]:
    """Weights under our names, the vectors of the labels in one matrix, without axes of length one."""
    ours = {renamed(name, table): value for name, value in state.items()}
    rows = sorted(name for name in ours if re.fullmatch(r"prompt_encoder\.label_embeddings\.\d", name))
    if rows:
        ours["prompt_encoder.label_embeddings"] = torch.cat([ours.pop(name) for name in rows])
    for name in ("prompt_encoder.no_mask", "image_encoder.positions"):
        if name in ours:
            ours[name] = ours[name].flatten(0, -2) if ours[name].ndim > 2 else ours[name].flatten()
    return ours


def filled(theirs: Any, sam: Sam, table: Mapping[str, str]) -> Any:
    """Their model with our weights."""
    ours, state = sam.state_dict(), theirs.state_dict()
    for name, value in state.items():
        target, _, row = renamed(name, table).partition("label_embeddings.")
        found = ours[f"{target}label_embeddings"][int(row)] if row else ours[target]
        state[name] = found.reshape(value.shape)
    theirs.load_state_dict(state)
    return theirs.eval()
