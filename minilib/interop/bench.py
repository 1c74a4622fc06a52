"""Our networks beside the public ones, with the same weights, in one run: `python -m minilib.interop.bench`."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from minilib.attention.vit import ViT, ViTConfig
from minilib.clip.model import CLIP, CLIPConfig, TextConfig
from minilib.errors import require
from minilib.interop.clip import clip_from_transformers
from minilib.interop.sam import sam_to_transformers
from minilib.interop.segment_anything import sam_to_segment_anything
from minilib.interop.vit import vit_to_transformers
from minilib.interop.vit_pytorch import vit_to_vit_pytorch
from minilib.recipes.clip_toybox import CLIPToybox
from minilib.recipes.sam_toybox import SamToybox
from minilib.recipes.vit_toybox import ViTToybox
from minilib.segmentation.image_encoder import ImageEncoderConfig
from minilib.segmentation.sam import Sam, SamConfig

VIT_SHAPES = {
    "ViT-B/16": (ViTConfig(qkv_bias=False), 4),
    "vit-toybox": (replace(ViTToybox().vit, qkv_bias=False), 32),
}
"""Shapes to measure, with the batch size; without the bias that vit-pytorch does not have."""

CLIP_SHAPES = {
    "CLIP B/32": (CLIPConfig(), 4),
    "clip-toybox": (
        replace(CLIPToybox().clip, image=replace(CLIPToybox().clip.image, norm_input=True, patch_bias=False)),
        32,
    ),
}
"""Shapes of CLIP, with the number of pairs; with the first normalisation that all of transformers' have."""

SAM_SHAPES = {
    "sam-toybox": (SamToybox().sam, 8),
    "SAM at 512 pixels": (
        SamConfig(
            encoder=ImageEncoderConfig(
                image_size=512, width=192, depth=6, num_heads=6, hidden=768, global_blocks=(2, 5)
            )
        ),
        1,
    ),
}
"""Shapes of SAM, with the batch size of the image encoder; the mask decoder gets 16 clicks on one picture."""


def side_by_side(calls: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call in each round, after one round that does not count.

    The calls take turns, each round beginning with another one, so that what else the machine does hits all alike.

    Raises:
        ValueError: nothing to call, or no rounds.
    """
    if not calls or rounds < 1:
        raise ValueError(f"expected calls and rounds >= 1, got {len(calls)} and {rounds}")
    names, seconds = list(calls), {name: [] for name in calls}
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            started = time.perf_counter()
            calls[name]()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Median over rounds of our time divided by theirs; below 1 we are faster."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def contestants(vit: ViT) -> dict[str, nn.Module]:
    """The same network three times: here, in transformers (its fused attention) and in vit-pytorch."""
    theirs = vit_to_transformers(vit)
    theirs.set_attn_implementation("sdpa")
    return {"minilib": vit.eval(), "transformers": theirs, "vit-pytorch": vit_to_vit_pytorch(vit)}


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Logits, whatever a library wraps them in."""
    said = model(images)
    return said if isinstance(said, Tensor) else said.logits


def clip_contestants(config: CLIPConfig) -> dict[str, nn.Module]:
    """The same CLIP twice: here and in transformers (its fused attention)."""
    transformers = require("transformers", extra="pretrained")
    image, text = config.image, config.text

    def shape(part: ViTConfig | TextConfig) -> dict[str, int | str | float]:
        return {
            "hidden_size": part.width,
            "num_hidden_layers": part.depth,
            "num_attention_heads": part.num_heads,
            "intermediate_size": part.hidden,
            "hidden_act": part.activation,
            "layer_norm_eps": part.norm_eps,
        }

    theirs = transformers.CLIPModel(
        transformers.CLIPConfig(
            vision_config=shape(image) | {"image_size": image.image_size, "patch_size": image.patch_size},
            text_config=shape(text)
            | {
                "vocab_size": text.vocab_size,
                "max_position_embeddings": text.context_length,
                "bos_token_id": text.vocab_size - 2,
                "eos_token_id": text.vocab_size - 1,
                "pad_token_id": 0,
            },
            projection_dim=config.embed_dim,
        )
    )
    theirs.set_attn_implementation("sdpa")
    return {"minilib": clip_from_transformers(theirs.config.to_dict(), theirs.state_dict()), "transformers": theirs}


def features_of(model: nn.Module, images: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Features of pictures and texts, whatever a library wraps them in."""
    if isinstance(model, CLIP):
        return model(images, ids)[:2]
    said = model(input_ids=ids, pixel_values=images)
    return said.image_embeds, said.text_embeds


def sam_contestants(sam: Sam) -> dict[str, nn.Module]:
    """The same SAM three times: here, in segment_anything and in transformers (its fused attention)."""
    hub = sam_to_transformers(sam)
    return {"minilib": sam.eval(), "segment_anything": sam_to_segment_anything(sam), "transformers": hub}


def embedding_of(model: Any, images: Tensor) -> Tensor:
    """The embedding of normalised pictures, whatever a library calls its encoder."""
    return model.image_encoder(images) if hasattr(model, "image_encoder") else model.vision_encoder(images)[0]


def masks_of(model: Any, embedding: Tensor, points: Tensor, labels: Tensor) -> Tensor:
    """Logits of the masks for points on one picture, whatever a library takes them as."""
    if isinstance(model, Sam):
        return model.predict(embedding, points, labels)[0]
    if not hasattr(model, "image_encoder"):
        return model(image_embeddings=embedding, input_points=points[None], input_labels=labels[None]).pred_masks[0]
    sparse, dense = model.prompt_encoder((points, labels), None, None)
    return model.mask_decoder(embedding, model.prompt_encoder.get_dense_pe(), sparse, dense, True)[0]


Contest = tuple[str, dict[str, nn.Module], Callable[[nn.Module], Tensor]]


def contests() -> Iterator[Contest]:
    """Shape, contestants, and what each has to compute."""
    for shape, (config, batch_size) in VIT_SHAPES.items():
        images = torch.randn(batch_size, 3, config.image_size, config.image_size)
        yield shape, contestants(ViT(config)), lambda model, images=images: logits_of(model, images)
    for shape, (config, pairs) in CLIP_SHAPES.items():
        images = torch.randn(pairs, 3, config.image.image_size, config.image.image_size)
        ids = torch.randint(1, config.text.vocab_size - 2, (pairs, config.text.context_length))
        ids[:, -1] = config.text.vocab_size - 1

        def compute(model: nn.Module, images: Tensor = images, ids: Tensor = ids) -> Tensor:
            return torch.cat(features_of(model, images, ids))

        yield shape, clip_contestants(config), compute
    for shape, (config, batch_size) in SAM_SHAPES.items():
        models, encoder = sam_contestants(Sam(config)), config.encoder
        images = torch.randn(batch_size, 3, encoder.image_size, encoder.image_size)
        yield f"{shape}, image encoder", models, lambda model, images=images: embedding_of(model, images)
        embedding = torch.randn(1, encoder.out_channels, encoder.grid, encoder.grid)
        asked = embedding, encoder.image_size * torch.rand(16, 1, 2), torch.ones(16, 1, dtype=torch.long)
        yield f"{shape}, mask decoder", models, lambda model, asked=asked: masks_of(model, *asked)


def measure(*, rounds: int) -> Iterator[tuple[str, str, dict[str, list[float]]]]:
    """Shape, work and the seconds of each library, one after the other."""
    for shape, models, compute in contests():

        @torch.no_grad()
        def forward(model: nn.Module, compute: Callable[[nn.Module], Tensor] = compute) -> None:
            compute(model)

        def forward_and_backward(model: nn.Module, compute: Callable[[nn.Module], Tensor] = compute) -> None:
            model.zero_grad(set_to_none=True)
            compute(model)[..., 0].square().sum().backward()  # one number: features of unit length sum to a constant

        for work in (forward, forward_and_backward):
            calls = {name: lambda model=model, work=work: work(model) for name, model in models.items()}
            yield shape, work.__name__.replace("_", " "), side_by_side(calls, rounds=rounds)


def main(rounds: int = 31) -> None:
    """Prints a line for each measurement."""
    print(f"median of {rounds} rounds on {torch.get_num_threads()} threads; below 1: minilib is faster")
    for shape, work, seconds in measure(rounds=rounds):
        ours = seconds.pop("minilib")
        ratios = [f"{median_ratio(ours, theirs):.3f} of {name}" for name, theirs in seconds.items()]
        print(f"{shape}, {work}: {1000 * median(ours):.1f} ms, {', '.join(ratios)}", flush=True)


if __name__ == "__main__":
    main()
