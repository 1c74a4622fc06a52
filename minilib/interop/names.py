"""How weights change their names from one library to another."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor


def renamed(name: str, table: Mapping[str, str]) -> str:
    """A name after all replacements of a table, pattern → ours, in order."""
    for pattern, replacement in table.items():
        name = re.sub(pattern, replacement, name)
    return name


def with_joint_qkv(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights in which `….attention.q_proj`, `k_proj` and `v_proj` have become one `….attention.to_qkv`.

    Raises:
        ValueError: one of the three is missing; names it.
    """
    joined: dict[str, Tensor] = {}
    for name, value in state.items():
        match = re.fullmatch(r"(.*\.attention\.)([qkv])_proj\.(weight|bias)", name)
        if match is None:
            joined[name] = value
        elif match[2] == "q":
            parts = [state.get(f"{match[1]}{part}_proj.{match[3]}") for part in "qkv"]
            missing = [f"{match[1]}{part}_proj" for part, one in zip("qkv", parts, strict=True) if one is None]
            if missing:
                raise ValueError(f"the state dict has no {', '.join(missing)}")
            joined[f"{match[1]}to_qkv.{match[3]}"] = torch.cat(parts)  # pyright: ignore[reportArgumentType]
    return joined
