"""Values as JSON, both ways: what crosses the wall between the trusted process and the sandbox.

The sandbox holds a copy of this file. Decoding trusts nothing: only the kinds, dtypes and sizes named here come
through, everything else raises ValueError. Tensors and arrays travel as raw bytes, so nan, inf and the dtype survive.
"""

import base64
import math
import re
from typing import Any

import numpy as np
import torch

DTYPES = {
    name: getattr(torch, name)
    for name in (
        *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        *("bool", "uint8", "int8", "int16", "int32", "int64"),
    )
}
DEVICES = ("cpu", "meta")
ARRAY_DTYPE = re.compile(r"[<|][biufc]\d{1,2}")
MAX_DEPTH = 16
MAX_DIMENSIONS = 16
MAX_ELEMENTS = 1 << 26


class Other:
    """Stands for a returned object that is no plain value; the name of its type is the name of that object's type."""


def encode(value: Any, depth: int = 0) -> Any:
    """A JSON-able twin of `value`; objects that are no plain values become their type's name."""
    if value is None or type(value) in (bool, str) or (type(value) is int and abs(value) < 1 << 63):
        return value
    if value is Ellipsis:
        return {"ellipsis": 1}
    if type(value) is float:
        return {"float": value.hex()}
    if isinstance(value, (list, tuple)) and depth < MAX_DEPTH:
        # A named tuple passes for a tuple in the notebook, so it has to here.
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [encode(member, depth + 1) for member in value]}
    if isinstance(value, dict) and depth < MAX_DEPTH:
        return {"dict": [[encode(key, depth + 1), encode(member, depth + 1)] for key, member in value.items()]}
    if isinstance(value, torch.Tensor) and value.layout == torch.strided and _torch_name(value.dtype) in DTYPES:
        return _encode_tensor(value)
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc" and value.dtype.itemsize <= 16:
        array = np.asarray(value)
        array = array.astype(array.dtype.newbyteorder("<"))
        return {"array": _text(array.tobytes()), "dtype": array.dtype.str, "shape": list(array.shape)}
    return {"other": type(value).__name__}


def decode(data: Any) -> Any:
    """The value that `encode` turned into `data`.

    Raises:
        ValueError: `data` is nothing that `encode` makes.
    """
    try:
        return _decode(data, 0)
    except (ArithmeticError, TypeError, RuntimeError) as error:
        raise ValueError(f"no encoded value: {error}"[:200]) from error


def _decode(data: Any, depth: int) -> Any:
    if data is None or type(data) in (bool, str, int):
        return data
    if type(data) is not dict or depth > MAX_DEPTH:
        raise ValueError(f"no encoded value: {type(data).__name__}")
    match data:
        case {"ellipsis": _}:
            return Ellipsis
        case {"float": str(text)}:
            return float.fromhex(text)
        case {"list": list(members)}:
            return [_decode(member, depth + 1) for member in members]
        case {"tuple": list(members)}:
            return tuple(_decode(member, depth + 1) for member in members)
        case {"dict": list(pairs)}:
            return {_key(_decode(key, depth + 1)): _decode(value, depth + 1) for key, value in pairs}
        case {"tensor": str(text), "dtype": str(dtype), "shape": list(shape), "device": str(device)}:
            return _decode_tensor(text, dtype, _shape(shape), device)
        case {"array": str(text), "dtype": str(dtype), "shape": list(shape)}:
            if not ARRAY_DTYPE.fullmatch(dtype):
                raise ValueError(f"no dtype of numbers: {dtype[:20]}")
            kind = np.dtype(dtype)
            array = np.frombuffer(_bytes(text, _shape(shape), kind.itemsize), dtype=kind).reshape(shape)
            return array.copy() if shape else array.copy()[()]
        case {"other": str(kind)}:
            return type(kind[:60] or "object", (Other,), {})()
    raise ValueError("no encoded value")


def _encode_tensor(tensor: torch.Tensor) -> dict[str, Any]:
    plain = tensor.detach()
    head = {"dtype": _torch_name(plain.dtype), "shape": list(plain.shape)}
    if plain.device.type == "meta":
        return {"tensor": "", **head, "device": "meta"}
    # A copy, because a tensor of one number may keep a stride that a view as bytes refuses.
    flat = plain.cpu().resolve_conj().resolve_neg().reshape(-1).clone(memory_format=torch.contiguous_format)
    return {"tensor": _text(flat.view(torch.uint8).numpy().tobytes()), **head, "device": "cpu"}


def _decode_tensor(text: str, dtype: str, shape: list[int], device: str) -> torch.Tensor:
    if dtype not in DTYPES or device not in DEVICES:
        raise ValueError(f"no tensor of dtype {dtype[:20]} on {device[:20]}")
    if device == "meta":
        return torch.empty(shape, dtype=DTYPES[dtype], device="meta")
    raw = _bytes(text, shape, DTYPES[dtype].itemsize)
    if not raw:
        return torch.empty(shape, dtype=DTYPES[dtype])
    # A bool byte other than 0 and 1 would be undefined: read it as a number first.
    stored = torch.uint8 if dtype == "bool" else DTYPES[dtype]
    return torch.frombuffer(bytearray(raw), dtype=stored).reshape(shape).to(DTYPES[dtype])


def _bytes(text: str, shape: list[int], itemsize: int) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if len(raw) != math.prod(shape) * itemsize:
        raise ValueError(f"expected {math.prod(shape) * itemsize} bytes, got {len(raw)}")
    return raw


def _shape(shape: list[Any]) -> list[int]:
    if len(shape) > MAX_DIMENSIONS or not all(type(n) is int and 0 <= n <= MAX_ELEMENTS for n in shape):
        raise ValueError("no shape of a tensor")
    if math.prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"a tensor of more than {MAX_ELEMENTS} numbers")
    return shape


def _key(value: Any) -> Any:
    if type(value) not in (str, int, bool, float, type(None)):
        raise ValueError("no key of a dictionary")
    return value


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _torch_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
