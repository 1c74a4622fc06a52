"""From a trained network to what a sampler asks for, an estimate of x_0, with or without guidance.

Every sampler takes a `Denoise`: a function of x_t and t that returns x̂_0. Whether the network predicts ε, x_0 or v,
whether it is guided, and whether its answer is cut off at the range of images, is settled here, before sampling starts.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minilib.diffusion.process import GaussianDiffusion, PredictionType

Denoise = Callable[[Tensor, Tensor], Tensor]
"""(x_t of shape (b, ...), t of shape (b,)) → x̂_0 of the shape of x_t."""


def make_denoiser(
    model: Callable[..., Tensor],
    process: GaussianDiffusion,
    *,
    prediction_type: PredictionType,
    labels: Int[Tensor, " b"] | None = None,
    guidance_scale: float = 1.0,
    null_label: int | None = None,
    clip: bool = True,
    learned_variance: bool = False,
) -> Denoise:
    """The `Denoise` of a network.

    Args:
        model: called as model(x_t, t), or model(x_t, t, labels) where there are labels.
        process: the forward process it was trained with.
        prediction_type: what it predicts.
        labels: class labels of the images to be drawn.
        guidance_scale: see `classifier_free_guidance`; at 1 the network is asked once a step, otherwise twice.
        null_label: the label that means "no label"; needed where guidance_scale is not 1.
        clip: cut x̂_0 off at [−1, 1], the range of images.
        learned_variance: the model's output has twice the channels; the second half is the `fraction` of
            `losses.learned_log_variance`, and the denoiser gives x̂_0 and it, for `ddpm` with variance "learned".
    Raises:
        ValueError: guidance without labels or without a null label.
    """
    if guidance_scale != 1.0 and (labels is None or null_label is None):
        raise ValueError(f"guidance_scale {guidance_scale} needs labels and null_label; without them it must be 1")

    def denoise(x_t: Tensor, t: Tensor) -> Any:
        without = None
        if labels is None:
            prediction = model(x_t, t)
        elif guidance_scale == 1.0 or null_label is None:
            prediction = model(x_t, t, labels)
        else:
            both = torch.cat([labels, torch.full_like(labels, null_label)])
            prediction, without = model(x_t.repeat(2, *[1] * (x_t.ndim - 1)), t.repeat(2), both).chunk(2)
        fraction = None
        if learned_variance:
            prediction, fraction = prediction.chunk(2, dim=1)
            without = without if without is None else without.chunk(2, dim=1)[0]
        if without is not None:
            prediction = classifier_free_guidance(prediction, without, guidance_scale=guidance_scale)
        x0 = process.predict_x0(prediction, x_t, t, prediction_type=prediction_type)
        x0 = x0.clamp(-1.0, 1.0) if clip else x0
        return x0 if fraction is None else (x0, fraction)

    return denoise


def classifier_free_guidance(
    conditional: Float[Tensor, "b *d"], unconditional: Float[Tensor, "b *d"], *, guidance_scale: float
) -> Float[Tensor, "b *d"]:
    """Moves a prediction away from the one made without the condition (Ho & Salimans 2022, eq. 6).

    The convention is that of the libraries: unconditional + guidance_scale · (conditional − unconditional), so 0
    ignores the condition, 1 is no guidance, and more exaggerates it. The paper's and Weng's w is guidance_scale − 1.
    Both predictions may be of ε, x_0 or v: for one x_t these differ by a linear map, and the factors sum to 1.
    """
    return unconditional + guidance_scale * (conditional - unconditional)


def guided(given: Denoise, blind: Denoise, *, guidance_scale: float) -> Denoise:
    """A `Denoise` that goes from one without a condition to one with it, and beyond, and is cut off at [−1, 1].

    Args:
        given, blind: denoisers that know the condition, and that do not.
        guidance_scale: see `classifier_free_guidance`; at 1, `blind` is not asked.
    """

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        x0 = given(x_t, t)
        if guidance_scale != 1.0:
            x0 = classifier_free_guidance(x0, blind(x_t, t), guidance_scale=guidance_scale)
        return x0.clamp(-1.0, 1.0)

    return denoise


def classifier_guidance(
    denoise: Denoise,
    process: GaussianDiffusion,
    log_probability: Callable[[Tensor, Tensor], Tensor],
    *,
    guidance_scale: float = 1.0,
) -> Denoise:
    """Steers an unconditional denoiser by the gradient of a classifier (Dhariwal & Nichol 2021, algorithm 2).

    The score of p(x) p(y | x)^s is ∇ log p(x) + s ∇ log p(y | x); in terms of x̂_0 the second part weighs
    (1−ᾱ_t)/√ᾱ_t. At guidance_scale s = 1 the result is the conditional distribution, if both parts are exact.

    Args:
        denoise: the unconditional denoiser.
        process: the forward process.
        log_probability: (x_t, t) → log p(y | x_t), shape (b,), of the wanted class; must know noisy images.
        guidance_scale: s.
    """

    def guided(x_t: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x_t.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(log_probability(x, t).sum(), x)
        signal, sigma = process.signal_and_noise(t, x_t)
        return denoise(x_t, t) + guidance_scale * sigma**2 / signal * gradient

    return guided


def dynamic_threshold(x0: Float[Tensor, "b *d"], *, quantile: float = 0.995) -> Float[Tensor, "b *d"]:
    """Cuts each image off at a quantile of its own values and scales it back into [−1, 1] (Imagen, section 2.3).

    Against the washed-out colours of plain clipping under strong guidance.

    Raises:
        ValueError: a quantile outside (0, 1].
    """
    if not 0.0 < quantile <= 1.0:
        raise ValueError(f"expected a quantile in (0, 1], got {quantile}")
    limit = x0.abs().flatten(1).float().quantile(quantile, dim=1).clamp(min=1.0).to(x0.dtype)
    limit = limit.reshape(-1, *[1] * (x0.ndim - 1))
    return x0.clamp(-limit, limit) / limit
