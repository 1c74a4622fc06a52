"""SAM 2 from transformers: all of it but the image encoder, which there is Hiera and here a Vision Transformer."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from minilib.checkpoints import fit_state_dict
from minilib.errors import require
from minilib.images import to_uint8
from minilib.interop.hub import check_source
from minilib.interop.sam import TRANSFORMERS, under_our_names
from minilib.segmentation.frames import check_frame
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.memory import MemoryConfig
from minilib.segmentation.sam2 import Sam2, Sam2Config

SAM2 = {
    r"^no_memory_embedding$": "memory.no_memory",
    r"^occlusion_spatial_embedding_parameter$": "memory.no_object_features",
    r"^no_object_pointer$": "memory.no_object_pointer",
    r"^memory_temporal_positional_encoding$": "memory.positions",
    r"^temporal_positional_encoding_projection_layer\.": "memory.to_pointer_position.",
    r"^object_pointer_proj\.": "memory.pointer_head.",
    r"^mask_downsample\.": "mask_to_prompt.",
    r"^memory_attention\.layer_norm\.": "memory.attention.norm.",
    r"^memory_attention\.layers\.": "memory.attention.blocks.",
    r"\.cross_attn_image\.": ".cross_attention.",
    r"\.linear1\.": ".mlp.0.",
    r"\.linear2\.": ".mlp.2.",
    r"\.o_proj\.": ".to_out.",
    r"^memory_encoder\.": "memory.encoder.",
    r"\.mask_downsampler\.layers\.(\d)\.conv\.": r".mask_downsampler.layers.\1.0.",
    r"\.mask_downsampler\.layers\.(\d)\.layer_norm\.": r".mask_downsampler.layers.\1.1.",
    r"\.mask_downsampler\.final_conv\.": ".mask_downsampler.to_out.",
    r"^memory\.encoder\.feature_projection\.": "memory.encoder.from_image.",
    r"^memory\.encoder\.projection\.": "memory.encoder.to_memory.",
    r"\.memory_fuser\.layers\.(\d)\.scale$": r".fuser.\1.scale.gamma",
    r"\.memory_fuser\.layers\.(\d)\.depthwise_conv\.": r".fuser.\1.depthwise.",
    r"\.memory_fuser\.layers\.(\d)\.layer_norm\.": r".fuser.\1.norm.",
    r"\.memory_fuser\.layers\.(\d)\.pointwise_conv1\.": r".fuser.\1.mlp.0.",
    r"\.memory_fuser\.layers\.(\d)\.pointwise_conv2\.": r".fuser.\1.mlp.2.",
    r"^mask_decoder\.obj_score_token\.weight$": "mask_decoder.score_token",
    r"^mask_decoder\.pred_obj_score_head\.": "mask_decoder.score_head.",
    r"^(mask_decoder\.transformer\.layers\.\d\.mlp)\.proj_in\.": r"\1.0.",
    r"^(mask_decoder\.transformer\.layers\.\d\.mlp)\.proj_out\.": r"\1.2.",
    r"^prompt_encoder\.point_embed\.weight$": "prompt_encoder.label_embeddings.0",
} | TRANSFORMERS
"""Pattern in transformers' names → ours; the rows of `label_embeddings` are stacked afterwards."""

OTHERS = ("vision_encoder.", "mask_decoder.conv_s", "no_memory_positional_encoding")
"""Weights that ours does not have: Hiera, its finer features, and one that transformers itself never uses."""

SETTINGS = {
    "": {
        "enable_occlusion_spatial_embedding": True,
        "enable_temporal_pos_encoding_for_object_pointers": True,
        "mask_downsampler_hidden_act": "gelu",
        "mask_downsampler_kernel_size": 3,
        "mask_downsampler_padding": 1,
        "mask_downsampler_stride": 2,
        "max_cond_frame_num": -1,
        "memory_attention_downsample_rate": 1,
        "memory_attention_feed_forward_hidden_act": "relu",
        "memory_fuser_hidden_act": "gelu",
        "memory_fuser_kernel_size": 7,
        "memory_fuser_padding": 3,
        "multimask_max_pt_num": 1,
        "multimask_min_pt_num": 0,
        "multimask_output_for_tracking": True,
        "multimask_output_in_sam": True,
        "rope_parameters": {"rope_theta": 10_000.0, "rope_type": "axial"},
        "sigmoid_bias_for_mem_enc": -10.0,
        "sigmoid_scale_for_mem_enc": 20.0,
    },
    "prompt_encoder_config": {"hidden_act": "gelu", "num_point_embeddings": 4},
    "mask_decoder_config": {"dynamic_multimask_via_stability": False, "iou_head_depth": 3, "num_hidden_layers": 2},
}
"""Settings of transformers' SAM 2 that ours cannot change."""


def sam2_from_transformers(
    config: Mapping[str, Any], state: Mapping[str, Tensor], *, encoder: ImageEncoderConfig
) -> Sam2:
    """A `Sam2` with the weights of a transformers `Sam2VideoModel`, except for its image encoder, which is untrained.

    Args:
        config: `m.config.to_dict()`. Published models also have dynamic_multimask_via_stability, which ours has not:
            set it to False to say that this does not matter.
        state: `m.state_dict()`.
        encoder: shape of the image encoder; its size, patches and out_channels are those of the other one.
    Raises:
        ValueError: another type of model, a setting this library does not have, an encoder of another size, or weights
            that do not fit.
    """
    if config.get("model_type") != "sam2_video":
        raise ValueError(f"expected a model of type sam2_video, got {config.get('model_type')!r}")
    for part, settings in SETTINGS.items():
        found = config[part] if part else config
        for name, value in settings.items():
            if found[name] != value:
                where = f" in {part}" if part else ""
                raise ValueError(f"expected {name} = {value!r}{where}, got {found[name]!r}")
    prompt, decoder = config["prompt_encoder_config"], config["mask_decoder_config"]
    wanted = (config["image_size"], config["mask_downsampler_total_stride"], decoder["hidden_size"])
    given = (encoder.image_size, encoder.patch_size, encoder.out_channels)
    if given != wanted:
        raise ValueError(f"expected an encoder with image_size, patch_size and out_channels {wanted}, got {given}")
    sam2 = Sam2(
        Sam2Config(
            encoder=encoder,
            decoder=MaskDecoderConfig(
                num_heads=decoder["num_attention_heads"],
                hidden=decoder["mlp_dim"],
                downsample_rate=decoder["attention_downsample_rate"],
                num_masks=decoder["num_multimask_outputs"],
                iou_hidden=decoder["iou_head_hidden_dim"],
            ),
            mask_channels=prompt["mask_input_channels"],
            memory=MemoryConfig(
                channels=config["memory_encoder_output_channels"],
                num_memories=config["num_maskmem"],
                max_pointers=config["max_object_pointers_in_encoder"],
                depth=config["memory_attention_num_layers"],
                num_heads=config["memory_attention_num_attention_heads"],
                hidden=config["memory_attention_feed_forward_hidden_size"],
                fuser_depth=config["memory_fuser_num_layers"],
                fuser_hidden=config["memory_fuser_intermediate_dim"],
                binary_prompted=True,
            ),
        )
    )
    fit_state_dict(sam2, _our_weights(sam2, state), source="the state dict")
    return sam2.eval()


def _our_weights(sam2: Sam2, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under our names and in our shapes, with the image encoder of `sam2`."""
    ours = under_our_names({name: value for name, value in state.items() if not name.startswith(OTHERS)}, SAM2)
    own = sam2.state_dict()
    for name in ("no_memory", "no_object_features", "no_object_pointer", "positions"):
        value = ours.get(f"memory.{name}")
        if value is not None and value.numel() == own[f"memory.{name}"].numel():
            ours[f"memory.{name}"] = value.reshape(own[f"memory.{name}"].shape)
    return ours | {name: value for name, value in own.items() if name.startswith("image_encoder.")}


def load_sam2_video(source: str) -> Callable[[Tensor, int, Tensor, Tensor], Bool[Tensor, "t h w"]]:
    """A published SAM 2, such as "facebook/sam2.1-hiera-tiny", run by transformers.

    Args:
        source: its name on the hub, or a folder of the same layout.
    Returns:
        A function from frames (t, 3, h, w) in [−1, 1], the number of one of them, and points (k, 2) on it, pixels
        (x, y) with labels (k), 1 inside and 0 outside, to masks of what was clicked on all frames. It raises ValueError
        for other shapes, or a frame that is not there.
    Raises:
        OSError: no such folder, or no such name, or no network, or a file is missing.
        ValueError: another type of model.
    """
    transformers = require("transformers", extra="pretrained")
    check_source(source)
    kind = transformers.AutoConfig.from_pretrained(source).model_type
    if kind != "sam2_video":
        raise ValueError(f"expected a model of type sam2_video, got {kind!r}")
    model = transformers.Sam2VideoModel.from_pretrained(source).eval()
    processor = transformers.Sam2VideoProcessor.from_pretrained(source)

    @torch.no_grad()
    def masks(frames: Tensor, frame: int, points: Tensor, labels: Tensor) -> Bool[Tensor, "t h w"]:
        check_frame(frame, len(frames))
        if frames.ndim != 4 or points.ndim != 2 or points.shape[1:] != (2,) or labels.shape != points.shape[:1]:
            shapes = ", ".join(str(tuple(value.shape)) for value in (frames, points, labels))
            raise ValueError(f"expected frames (t, 3, h, w), points (k, 2) and labels (k,), got {shapes}")
        session = processor.init_video_session(video=list(to_uint8(frames).cpu().numpy()))
        asked = {"input_points": [[points.tolist()]], "input_labels": [[labels.tolist()]]}
        processor.add_inputs_to_inference_session(session, frame_idx=frame, obj_ids=1, **asked)
        model(session, frame_idx=frame)
        found = torch.zeros(len(frames), *frames.shape[2:], dtype=torch.bool)
        for reverse in (False, True):
            for answer in model.propagate_in_video_iterator(session, start_frame_idx=frame, reverse=reverse):
                (mask,) = processor.post_process_masks([answer.pred_masks], original_sizes=[list(frames.shape[2:])])
                found[answer.frame_idx] = mask[0, 0] > 0
        return found

    return masks
