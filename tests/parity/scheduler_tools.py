"""What the comparisons with diffusers' schedulers share."""

from typing import Any

import torch

from minilib.diffusion import schedules

THEIR_NAMES = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
OUR_NAMES = {theirs: ours for ours, theirs in THEIR_NAMES.items()}
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def in_float64(scheduler: Any) -> None:
    """Their table is float32, where 1 − ᾱ_t loses four digits early on; in float64 the formulas can be compared."""
    config = scheduler.config
    scheduler.betas = schedules.make_betas(OUR_NAMES[config["beta_schedule"]], config["num_train_timesteps"])
    scheduler.alphas, scheduler.alphas_cumprod = 1.0 - scheduler.betas, schedules.alphas_cumprod(scheduler.betas)
    scheduler.one = torch.tensor(1.0, dtype=torch.float64)
