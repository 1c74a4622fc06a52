"""U-Nets to and from diffusers' `UNet2DModel`, and a trained model as its `DDPMPipeline`."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from minilib.checkpoints import fit_state_dict
from minilib.diffusion.process import GaussianDiffusion, PredictionType
from minilib.diffusion.unet import UNet, UNetConfig
from minilib.errors import require
from minilib.interop.hub import check_source
from minilib.interop.names import renamed

OUR_NAMES = {
    r"\.(downsamplers|upsamplers)\.0\.": ".resample.",
    r"\.to_out\.0\.": ".to_out.",
    # Attention layers of checkpoints from before diffusers 0.15:
    r"\.query\.": ".to_q.",
    r"\.key\.": ".to_k.",
    r"\.value\.": ".to_v.",
    r"\.proj_attn\.": ".to_out.",
}
"""Pattern in diffusers' names → ours; all other names are the same."""

THEIR_NAMES = {
    r"^(down_blocks\.\d+)\.resample\.": r"\1.downsamplers.0.",
    r"^(up_blocks\.\d+)\.resample\.": r"\1.upsamplers.0.",
    r"\.to_out\.": ".to_out.0.",
}
"""Pattern in our names → diffusers'."""

FIXED = {
    "center_input_sample": False,
    "time_embedding_type": "positional",
    "time_embedding_dim": None,
    "mid_block_type": "UNetMidBlock2D",
    "mid_block_scale_factor": 1,
    "downsample_type": "conv",
    "upsample_type": "conv",
    "attn_norm_num_groups": None,
    "class_embed_type": None,
}
"""Settings of `UNet2DModel` that this library knows one value of."""

SAME = (
    *("in_channels", "out_channels", "layers_per_block", "attention_head_dim", "norm_num_groups", "norm_eps"),
    *("dropout", "num_class_embeds", "flip_sin_to_cos", "freq_shift", "downsample_padding"),
)
"""Settings of the same name and meaning in both."""

BLOCKS = {"DownBlock2D": False, "UpBlock2D": False, "AttnDownBlock2D": True, "AttnUpBlock2D": True}


def config_from_diffusers(config: Mapping[str, Any]) -> UNetConfig:
    """Our configuration for that of a `UNet2DModel`; what it leaves out has diffusers' default.

    Raises:
        ValueError: a setting this library does not have; names it, with the value that it must have.
    """
    signature = inspect.signature(require("diffusers", extra="pretrained").UNet2DModel.__init__)
    defaults = {name: one.default for name, one in signature.parameters.items() if one.default is not one.empty}
    found = {**defaults, **config}
    for name, value in FIXED.items():
        if found[name] != value:
            raise ValueError(f"expected a U-Net with {name} = {value!r}, got {found[name]!r}")
    if found["act_fn"] not in ("silu", "swish"):
        raise ValueError(f"expected a U-Net with act_fn = 'silu', got {found['act_fn']!r}")
    down, up = list(found["down_block_types"]), list(reversed(found["up_block_types"]))
    unknown = [name for name in down + up if name not in BLOCKS]
    if unknown:
        raise ValueError(f"expected blocks of {', '.join(BLOCKS)}, got {', '.join(unknown)}")
    return UNetConfig(
        block_out_channels=tuple(found["block_out_channels"]),
        attention=tuple(BLOCKS[name] for name in down),
        up_attention=tuple(BLOCKS[name] for name in up),
        mid_attention=found["add_attention"],
        time_embedding_norm=found["resnet_time_scale_shift"],
        **{name: found[name] for name in SAME},
    )


def unet_from_diffusers(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> UNet:
    """A `UNet` with the configuration and weights of a `UNet2DModel`: `unet_from_diffusers(m.config, m.state_dict())`.

    Raises:
        ValueError: a setting this library does not have, or weights that do not fit; lists the names.
    """
    unet = UNet(config_from_diffusers(config))
    fit_state_dict(unet, {renamed(name, OUR_NAMES): value for name, value in state.items()}, source="the state dict")
    return unet.eval()


def unet_to_diffusers(unet: UNet, *, sample_size: int = 32) -> Any:
    """The same network as a `UNet2DModel`.

    Args:
        unet: the network.
        sample_size: height and width that diffusers' pipelines draw.
    Raises:
        ValueError: a network that looks at a context, which `UNet2DModel` does not.
    """
    config = unet.config
    if config.context_dim is not None:
        raise ValueError(f"expected a U-Net without a context, as UNet2DModel is, got context_dim {config.context_dim}")
    kinds = [("Attn" if one else "") + "{}Block2D" for one in config.attention]
    up_kinds = [("Attn" if one else "") + "{}Block2D" for one in config.up_attention or config.attention]
    model = require("diffusers", extra="pretrained").UNet2DModel(
        sample_size=sample_size,
        block_out_channels=config.block_out_channels,
        down_block_types=tuple(kind.format("Down") for kind in kinds),
        up_block_types=tuple(kind.format("Up") for kind in reversed(up_kinds)),
        add_attention=config.mid_attention,
        resnet_time_scale_shift=config.time_embedding_norm,
        **{name: getattr(config, name) for name in SAME},
    )
    model.load_state_dict({renamed(name, THEIR_NAMES): value for name, value in unet.state_dict().items()})
    return model.eval()


def load_ddpm(source: str) -> tuple[UNet, GaussianDiffusion, PredictionType]:
    """A published diffusion model in pixel space, such as "google/ddpm-cifar10-32".

    Args:
        source: its name on the hub, or a folder of the same layout: config.json, the weights, scheduler_config.json.
    Returns:
        The network, the process it was trained with, and what it predicts.
    Raises:
        OSError: no such folder, or no such name and no network.
        ValueError: a setting this library does not have, or weights that do not fit.
    """
    diffusers = require("diffusers", extra="pretrained")
    check_source(source)
    model = diffusers.UNet2DModel.from_pretrained(source)
    scheduler = diffusers.DDPMScheduler.from_pretrained(source)
    unet = unet_from_diffusers(model.config, model.state_dict())
    return unet, GaussianDiffusion(scheduler.betas.double()), scheduler.config.prediction_type


def to_ddpm_pipeline(
    unet: UNet,
    process: GaussianDiffusion,
    *,
    prediction_type: PredictionType,
    label: int | None = None,
    sample_size: int = 32,
) -> Any:
    """A trained model as a `DDPMPipeline`, which knows no labels: it draws one category.

    A label only adds its embedding to the time's, so it can be added to that layer's bias once and for all. The
    pipeline's steps are those of `ddpm` with times "trailing" and its posterior variance, with the process's own β.

    Args:
        unet: the trained network.
        process: the forward process it was trained with.
        prediction_type: what it predicts.
        label: of the category to draw; None only for an unconditional network.
        sample_size: height and width of the pictures.
    Raises:
        ValueError: a label that is missing, not wanted, or out of range.
    """
    diffusers = require("diffusers", extra="pretrained")
    classes = unet.config.num_class_embeds
    if (classes is None) != (label is None) or (label is not None and not 0 <= label < (classes or 0)):
        wanted = f"a label in 0..{classes - 1}" if classes else "no label: this model has none"
        raise ValueError(f"expected {wanted}, got {label}")
    model = unet_to_diffusers(unet, sample_size=sample_size)
    if label is not None:
        settings = {**model.config, "num_class_embeds": None}
        state = model.state_dict()
        embedding = state.pop("class_embedding.weight")[label]
        state["time_embedding.linear_2.bias"] = state["time_embedding.linear_2.bias"] + embedding
        model = diffusers.UNet2DModel.from_config(settings)
        model.load_state_dict(state)
    scheduler = diffusers.DDPMScheduler(
        num_train_timesteps=process.num_train_timesteps,
        trained_betas=process.betas.tolist(),
        prediction_type=prediction_type,
        timestep_spacing="trailing",
        variance_type="fixed_small",
        clip_sample=True,
    )
    pipeline = diffusers.DDPMPipeline(unet=model.eval(), scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
