"""Flow matching: a straight path from data to noise, and a network that says which way it runs (Lipman et al. 2023)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from minilib.diffusion.schedules import shift_times


def flow_path(
    x0: Float[Tensor, "b *d"], noise: Float[Tensor, "b *d"], u: Float[Tensor, " b"]
) -> tuple[Float[Tensor, "b *d"], Float[Tensor, "b *d"]]:
    """A point on the straight path, x_u = (1−u) x_0 + u ε, and its velocity dx/du = ε − x_0, the network's target.

    Time runs as in the rest of this library, from the data at u = 0 to the noise at u = 1; Lipman et al. 2023
    (eq. 22, 23) and Liu et al. 2023 (rectified flow) count the other way.

    Raises:
        ValueError: shapes that differ, or (on the CPU) a u outside [0, 1].
    """
    if x0.shape != noise.shape or u.shape != x0.shape[:1]:
        shapes = f"{tuple(x0.shape)}, {tuple(noise.shape)} and {tuple(u.shape)}"
        raise ValueError(f"expected x0 and noise of one shape and one u for each example, got {shapes}")
    if u.device.type == "cpu" and len(u) and not torch.compiler.is_compiling() and not 0 <= u.min() <= u.max() <= 1:
        raise ValueError(f"expected u in [0, 1], got {u.min().item():.3g} to {u.max().item():.3g}")
    share = u.reshape(-1, *[1] * (x0.ndim - 1)).to(x0.dtype)
    return (1 - share) * x0 + share * noise, noise - x0


def flow_times(num_inference_steps: int, *, shift: float = 1.0) -> Float[Tensor, " n"]:
    """Falling times 1 > … > 0, one more than there are steps: evenly spaced, then shifted towards the noise.

    Args:
        num_inference_steps: steps.
        shift: as in `shift_times`; 1 for none, more for larger images.
    Raises:
        ValueError: fewer than one step, or a shift that is not positive.
    """
    if num_inference_steps < 1:
        raise ValueError(f"expected num_inference_steps >= 1, got {num_inference_steps}")
    u = torch.linspace(1.0, 0.0, num_inference_steps + 1, dtype=torch.float64)
    return shift_times(u, shift).float()


@torch.no_grad()
def flow_euler(
    velocity: Callable[[Tensor, Tensor], Tensor],
    x: Float[Tensor, "b *d"],
    times: Float[Tensor, " n"],
    *,
    callback: Callable[[int, Tensor, Tensor], object] | None = None,
) -> Float[Tensor, "b *d"]:
    """Follows the velocity from noise to data by Euler's method: x ← x + (u_next − u) v(x, u).

    Args:
        velocity: (x, u of shape (b,)) → dx/du.
        x: noise to start from, at times[0].
        times: falling, the last one included, see `flow_times`.
        callback: called with the number of the step, the time reached and x there.
    Raises:
        ValueError: fewer than two times, or (on the CPU) times that do not fall.
    """
    if times.ndim != 1 or len(times) < 2 or (times.device.type == "cpu" and bool((times.diff() >= 0).any())):
        raise ValueError(f"expected at least two falling times, got {tuple(times.shape)}")
    times = times.to(x.device)
    for i, u in enumerate(times[:-1]):
        x = x + (times[i + 1] - u) * velocity(x, u.expand(len(x)))
        if callback is not None:
            callback(i, times[i + 1], x)
    return x
