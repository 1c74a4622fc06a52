"""SAM to and from Meta's package segment_anything, whose predictor and generator then run on our weights."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from minilib.checkpoints import fit_state_dict
from minilib.errors import require
from minilib.interop.sam import BOTH, filled, under_our_names
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.mask_decoder import MaskDecoderConfig
from minilib.segmentation.sam import Sam, SamConfig

SEGMENT_ANYTHING = {
    r"^image_encoder\.patch_embed\.proj\.": "image_encoder.patch_embedding.projection.",
    r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$": "prompt_encoder.frequencies",
    r"^prompt_encoder\.point_embeddings\.(\d)\.weight$": r"prompt_encoder.label_embeddings.\1",
    r"^prompt_encoder\.mask_downscaling\.": "prompt_encoder.mask_network.",
    r"^mask_decoder\.transformer\.norm_final_attn\.": "mask_decoder.final_norm.",
    r"^mask_decoder\.output_upscaling\.0\.": "mask_decoder.upscale1.",
    r"^mask_decoder\.output_upscaling\.1\.": "mask_decoder.upscale_norm.",
    r"^mask_decoder\.output_upscaling\.3\.": "mask_decoder.upscale2.",
    r"(_mlps\.\d+|_head)\.layers\.0\.": r"\1.0.",
    r"(_mlps\.\d+|_head)\.layers\.1\.": r"\1.2.",
    r"(_mlps\.\d+|_head)\.layers\.2\.": r"\1.4.",
} | BOTH
"""Pattern in Meta's names → ours. The rows of `label_embeddings` are stacked afterwards."""


def sam_from_segment_anything(state: Mapping[str, Tensor], *, decoder_heads: int = 8) -> Sam:
    """A `Sam` with the weights of Meta's, whose sizes are read off the weights.

    Args:
        state: of the model, such as sam_vit_b_01ec64.pth.
        decoder_heads: heads of attention in the mask decoder; the weights do not say.
    Raises:
        ValueError: weights that are no SAM, or that do not fit; lists the names.
    """
    if "image_encoder.pos_embed" not in state:
        raise ValueError(f"expected the weights of segment_anything's Sam, got {', '.join(sorted(state)[:5])}, …")
    try:
        sam = Sam(_config_of(state, decoder_heads))
    except KeyError as error:
        raise ValueError(f"the state dict has no {error.args[0]}") from error
    fit_state_dict(sam, under_our_names(state, SEGMENT_ANYTHING), source="the state dict")
    return sam.eval()


def sam_to_segment_anything(sam: Sam) -> Any:
    """The same network as Meta's `Sam`, for its predictor and its generator of masks."""
    modeling = require("segment_anything.modeling", extra="test")
    encoder, decoder, grid = sam.config.encoder, sam.config.decoder, (sam.config.encoder.grid,) * 2
    theirs = modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            img_size=encoder.image_size,
            patch_size=encoder.patch_size,
            in_chans=encoder.in_channels,
            embed_dim=encoder.width,
            depth=encoder.depth,
            num_heads=encoder.num_heads,
            mlp_ratio=(encoder.hidden + 0.5) / encoder.width,  # which is rounded down
            out_chans=encoder.out_channels,
            qkv_bias=encoder.qkv_bias,
            norm_layer=lambda width: nn.LayerNorm(width, encoder.norm_eps),
            use_rel_pos=True,
            window_size=encoder.window_size,
            global_attn_indexes=encoder.global_blocks,
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=encoder.out_channels,
            image_embedding_size=grid,
            input_image_size=(encoder.image_size,) * 2,
            mask_in_chans=sam.config.mask_channels,
        ),
        mask_decoder=modeling.MaskDecoder(
            transformer_dim=encoder.out_channels,
            transformer=modeling.TwoWayTransformer(
                depth=decoder.depth,
                embedding_dim=encoder.out_channels,
                num_heads=decoder.num_heads,
                mlp_dim=decoder.hidden,
                attention_downsample_rate=decoder.downsample_rate,
            ),
            num_multimask_outputs=decoder.num_masks,
            iou_head_hidden_dim=decoder.iou_hidden,
        ),
        pixel_mean=[255 * value for value in sam.config.image_mean],
        pixel_std=[255 * value for value in sam.config.image_std],
    )
    for module in theirs.mask_decoder.transformer.layers.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = decoder.norm_eps
    return filled(theirs, sam, SEGMENT_ANYTHING)


def _config_of(state: Mapping[str, Tensor], decoder_heads: int) -> SamConfig:
    start = "image_encoder.blocks."
    kernel, grid = state["image_encoder.patch_embed.proj.weight"], state["image_encoder.pos_embed"].shape[1]
    depth = len({name.split(".")[2] for name in state if name.startswith(start)})
    sides = [(len(state[f"{start}{index}.attn.rel_pos_h"]) + 1) // 2 for index in range(depth)]
    layers = "mask_decoder.transformer.layers."
    width = len(state["prompt_encoder.no_mask_embed.weight"][0])
    return SamConfig(
        encoder=ImageEncoderConfig(
            image_size=grid * kernel.shape[-1],
            patch_size=kernel.shape[-1],
            in_channels=kernel.shape[1],
            width=len(kernel),
            depth=depth,
            num_heads=len(kernel) // state[f"{start}0.attn.rel_pos_h"].shape[1],
            hidden=len(state[f"{start}0.mlp.lin1.bias"]),
            window_size=min(sides),
            global_blocks=tuple(index for index, side in enumerate(sides) if side == grid),
            out_channels=width,
            qkv_bias=f"{start}0.attn.qkv.bias" in state,
        ),
        decoder=MaskDecoderConfig(
            depth=len({name.split(".")[3] for name in state if name.startswith(layers)}),
            num_heads=decoder_heads,
            hidden=len(state[f"{layers}0.mlp.lin1.bias"]),
            downsample_rate=width // len(state[f"{layers}0.cross_attn_token_to_image.q_proj.bias"]),
            num_masks=len(state["mask_decoder.mask_tokens.weight"]) - 1,
            iou_hidden=len(state["mask_decoder.iou_prediction_head.layers.0.bias"]),
        ),
        mask_channels=len(state["prompt_encoder.mask_downscaling.3.bias"]),
    )
