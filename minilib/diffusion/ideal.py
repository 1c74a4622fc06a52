"""The best possible denoiser of a finite set of images: known in closed form, without any learning."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minilib.diffusion.process import GaussianDiffusion


def ideal_x0(
    process: GaussianDiffusion,
    x_t: Float[Tensor, "b c h w"],
    t: Int[Tensor, " b"],
    images: Float[Tensor, "n c h w"],
) -> Float[Tensor, "b c h w"]:
    """E[x_0 | x_t] when x_0 is one of `images`, each as likely as the others (Karras et al. 2022, appendix B.3).

    It is the mean of the images, weighted by how well each explains x_t: no network has a lower mean squared error.

    Raises:
        TypeError, ValueError: as `GaussianDiffusion.signal_and_noise`; also `images` of another shape than `x_t`'s.
    """
    return torch.einsum("bn,nchw->bchw", image_probabilities(process, x_t, t, images).to(images.dtype), images)


def image_probabilities(
    process: GaussianDiffusion,
    x_t: Float[Tensor, "b c h w"],
    t: Int[Tensor, " b"],
    images: Float[Tensor, "n c h w"],
) -> Float[Tensor, "b n"]:
    """How likely it is that x_t was made from each of the images, by Bayes' rule; rows sum to 1.

    Raises:
        TypeError, ValueError: as `GaussianDiffusion.signal_and_noise`; also `images` of another shape than `x_t`'s.
    """
    if images.shape[1:] != x_t.shape[1:]:
        raise ValueError(f"images and x_t must agree in shape, got {tuple(images.shape)} and {tuple(x_t.shape)}")
    signal, sigma = process.signal_and_noise(t, x_t)
    candidates, x = images.flatten(1).to(signal.dtype), x_t.flatten(1).to(signal.dtype)
    # |x_t − √ᾱ x_i|² without the term |x_t|², which all candidates share.
    distance = signal.flatten(1) ** 2 * (candidates**2).sum(1) - 2 * signal.flatten(1) * (x @ candidates.T)
    return torch.softmax(-distance / (2 * sigma.flatten(1) ** 2), dim=1)
