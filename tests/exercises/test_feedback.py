"""Checks speak in the order shape → dtype → range → value → slip."""

import pytest
import torch

from minilib.grading.feedback import (
    CheckFailed,
    StudentError,
    compare,
    compare_int,
    follows_device,
    parts,
    run,
    unchanged,
)

RIGHT = torch.tensor([0.5, 0.25])


def _said(got: object, **options: object) -> str:
    with pytest.raises(CheckFailed) as caught:
        compare(got, RIGHT, what="f(x)", **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_right_values_pass():
    compare(RIGHT + 1e-8, RIGHT, what="f(x)")
    compare(torch.ones(2, dtype=torch.int64), [1, 1], what="f(x)")


def test_order_of_what_is_said():
    slips = {"you doubled it": 2 * RIGHT}
    wide = {"shapes": {(1, 2): "one axis too many"}, "slips": slips, "between": (0.0, 1.0)}
    assert _said(None) == "f(x) returned None: write your answer in place of the ... and return it"
    assert _said([0.5, 0.25]) == "f(x): expected torch.Tensor, got a value of type list"
    assert _said(RIGHT.numpy()) == "f(x): expected torch.Tensor, got a value of type numpy.ndarray"
    assert _said(2 * RIGHT.double()[None], **wide) == "f(x): expected shape (2,), got (1, 2). one axis too many"
    assert _said(2 * RIGHT.double(), **wide) == "f(x): expected dtype float32, got float64"
    assert _said(4 * RIGHT, **wide) == "f(x): expected values between 0 and 1, got 1 to 2"
    assert _said(2 * RIGHT, **wide) == "f(x): expected 0.5, got 1 at index [0]\nyou doubled it"
    assert _said(RIGHT + 0.1, **wide) == "f(x): expected 0.5, got 0.6 at index [0]"
    assert _said(RIGHT / 0) == "f(x): expected finite numbers, got inf at index [0]"


def test_whole_numbers():
    with pytest.raises(CheckFailed, match=r"f\(x\): expected 3, got 4\nyou counted from 1"):
        compare_int(4, 3, what="f(x)", slips={"you counted from 1": 4})
    for got, words in ((torch.tensor(3), "got a tensor"), (True, "got a bool"), (3.0, "type float"), (None, "None")):
        with pytest.raises(CheckFailed, match=words):
            compare_int(got, 3, what="f(x)")
    compare_int(3, 3, what="f(x)")


def test_tuples():
    assert parts((1, 2), ("a", "b"), what="f(x)") == (1, 2)
    for got, words in (
        (None, "got None: write your answer"),
        (1, "got a value of type int"),
        ((1,), "got a tuple of 1"),
        (RIGHT, "got a tensor of shape"),
    ):
        with pytest.raises(CheckFailed, match=rf"expected a tuple \(a, b\), {words}"):
            parts(got, ("a", "b"), what="f(x)")


def test_errors_of_the_student_are_quoted_with_a_hint():
    def broken(text: str) -> None:
        raise KeyError(text)

    with pytest.raises(CheckFailed, match=r"broken stopped with KeyError: 'size'\nreshape it"):
        run(broken, "size", hints={"size": "reshape it", "other": "never"})

    def remote() -> None:
        raise StudentError("TypeError: no")

    with pytest.raises(CheckFailed, match=r"^remote stopped with TypeError: no$"):
        run(remote)
    with pytest.raises(CheckFailed, match="is not defined: run the cell"):
        run(None)


def test_changed_arguments():
    unchanged(RIGHT, RIGHT.clone(), what="x")
    with pytest.raises(CheckFailed, match="changed its argument x in place"):
        unchanged(RIGHT, RIGHT + 1, what="x")


def test_device_mistakes_are_found_without_a_gpu():
    follows_device(lambda x: torch.cat([torch.ones_like(x[:1]), x]), RIGHT, what="f")
    follows_device(lambda x: x * x.sum().item(), RIGHT, what="f")
    for mistake in (lambda x: torch.cat([torch.ones(1), x]), lambda x: torch.linspace(0, 1, len(x))):
        with pytest.raises(CheckFailed, match="it would stop on a GPU"):
            follows_device(mistake, RIGHT, what="f")
