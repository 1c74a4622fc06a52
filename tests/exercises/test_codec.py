"""What crosses the wall comes back equal, with its dtype and shape; what no encoder makes is refused."""

import json
import math

import numpy as np
import pytest
import torch

from minilib.grading import codec

TENSORS = {
    "float32": torch.tensor([[1.5, float("nan")], [float("inf"), -0.0]]),
    "float64": torch.tensor(0.1, dtype=torch.float64),
    "bfloat16": torch.tensor([1.0, 3e38], dtype=torch.bfloat16),
    "int64": torch.tensor([2**62, -1]),
    "bool": torch.tensor([True, False]),
    "complex64": torch.tensor([1 + 2j]).conj(),
    "empty": torch.zeros(0, 3),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "expanded": torch.ones(1).expand(3),
    "one of a strided": torch.arange(6).reshape(2, 3)[:, 1:2][:1],
    "needs a gradient": torch.ones(2, requires_grad=True),
}


def _through(value: object) -> object:
    return codec.decode(json.loads(json.dumps(codec.encode(value))))


@pytest.mark.parametrize("tensor", TENSORS.values(), ids=TENSORS)
def test_tensors_come_back(tensor: torch.Tensor):
    back = _through(tensor)
    assert isinstance(back, torch.Tensor) and back.dtype == tensor.dtype and back.shape == tensor.shape
    torch.testing.assert_close(back, tensor.detach(), rtol=0.0, atol=0.0, equal_nan=True)
    assert not back.requires_grad


def test_meta_tensors_come_back_without_data():
    back = _through(torch.ones(2, 3, device="meta", dtype=torch.float64))
    assert isinstance(back, torch.Tensor)
    assert (back.device.type, back.shape, back.dtype) == ("meta", (2, 3), torch.float64)


@pytest.mark.parametrize("dtype", ["float32", ">f8", "int16", "bool", "complex128"])
def test_arrays_come_back(dtype: str):
    array = np.arange(6).reshape(2, 3).astype(dtype).T
    back = _through(array)
    assert isinstance(back, np.ndarray) and back.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(back, array)
    number = _through(np.float32(0.5))
    assert isinstance(number, np.float32) and number == 0.5


@pytest.mark.parametrize(
    "value",
    [None, True, 3, "ᾱ", 0.1, float("inf"), -0.0, ..., [1, [2.5]], (1, (), [None]), {"a": (1,), 2: "b"}],
    ids=repr,
)
def test_plain_values_come_back(value: object):
    back = _through(value)
    assert back == value and type(back) is type(value)


def test_relatives_of_a_tuple_become_tuples():
    assert _through(torch.Size([2, 3])) == (2, 3)
    values, indices = _through(torch.ones(2, 3).max(dim=1))  # type: ignore[misc]
    assert values.shape == indices.shape == (2,)


def test_not_a_number_comes_back():
    back = _through(float("nan"))
    assert isinstance(back, float) and math.isnan(back)


def test_other_objects_become_the_name_of_their_type():
    class Liar(float):
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    for value in (Liar(1.0), object(), lambda: None, 10**30, torch.float32, np.array(["a"])):
        back = _through(value)
        assert isinstance(back, codec.Other) and type(back).__name__ == type(value).__name__


@pytest.mark.parametrize(
    "data",
    [
        1.5,
        [1],
        {},
        {"tensor": "AAAA", "dtype": "float32", "shape": [2], "device": "cpu"},
        {"tensor": "", "dtype": "object", "shape": [0], "device": "cpu"},
        {"tensor": "", "dtype": "float32", "shape": [0], "device": "cuda"},
        {"tensor": "", "dtype": "float32", "shape": [-1], "device": "cpu"},
        {"tensor": "", "dtype": "float32", "shape": [1 << 40], "device": "meta"},
        {"tensor": "", "dtype": "float32", "shape": [1 << 13] * 4, "device": "meta"},
        {"tensor": "", "dtype": "float32", "shape": [1] * 99, "device": "meta"},
        {"tensor": "no base64!", "dtype": "uint8", "shape": [1], "device": "cpu"},
        {"array": "", "dtype": "|O8", "shape": [0]},
        {"array": "", "dtype": "<f8,<f8", "shape": [0]},
        {"array": "", "dtype": "<f99", "shape": [0]},
        {"dict": [[{"list": []}, 1]]},
        {"dict": [[1]]},
        {"float": "0x1p99999"},
        {"other": "a\0b"},
        {"list": [{"list": [{"other": 3}]}]},
    ],
    ids=lambda data: json.dumps(data)[:60],
)
def test_forged_values_are_refused(data: object):
    with pytest.raises(ValueError):
        codec.decode(data)


def test_a_forged_bool_is_0_or_1():
    back = codec.decode({"tensor": "Ag==", "dtype": "bool", "shape": [1], "device": "cpu"})
    assert back.view(torch.uint8).item() == 1
