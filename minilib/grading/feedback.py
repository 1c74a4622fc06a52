"""What a check says: the first thing that is wrong, in the order shape → dtype → range → value → the slip behind it.

Check functions import these helpers. In a notebook they judge the student's own function; while scoring they run in the
trusted process, where the function is a stand-in for the one in the sandbox and only plain values come back.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class CheckFailed(AssertionError):
    """A wrong answer; its text is written for the student."""


class StudentError(Exception):
    """The student's function raised; the text is "TypeError: ...", as it came out of the sandbox."""


def run(function: Callable[..., Any] | None, *args: Any, hints: Mapping[str, str] | None = None, **kwargs: Any) -> Any:
    """Calls the student's function.

    Args:
        function: None where the notebook defines no such name.
        args, kwargs: passed on.
        hints: part of an error's text → what to say when that error stops the function.
    Raises:
        CheckFailed: there is no such function, or it raised.
    """
    if not callable(function):
        raise CheckFailed(
            "the function of this question is not defined: run the cell that defines it, then check again"
        )
    try:
        return function(*args, **kwargs)
    except CheckFailed:
        raise
    except Exception as error:
        text = str(error) if isinstance(error, StudentError) else f"{type(error).__name__}: {error}"
        found = [hint for part, hint in (hints or {}).items() if part in text]
        raise CheckFailed("\n".join([f"{_name(function)} stopped with {text}", *found])) from error


def compare(
    got: Any,
    expected: Tensor | Sequence[Any],
    *,
    what: str,
    dtype: torch.dtype | None = None,
    between: tuple[float, float] | None = None,
    slips: Mapping[str, Tensor | Sequence[Any] | float] | None = None,
    shapes: Mapping[tuple[int, ...], str] | None = None,
    rtol: float = 1e-4,
    atol: float = 1e-6,
) -> None:
    """Compares a tensor with the right one.

    Args:
        got: what the student's function returned.
        expected: right values; a nested list is read in `dtype`.
        what: name for the messages, such as "q_sample(x0, t, noise, alphas_cumprod)".
        dtype: the right dtype; that of `expected` when left out.
        between: range that all values must lie in.
        slips: explanation → the values that slip leads to.
        shapes: wrong shape → explanation.
        rtol, atol: tolerances, as in torch.allclose.
    Raises:
        CheckFailed: the first difference, with the explanation of the slip that gives just these values.
    """
    right = expected if isinstance(expected, Tensor) else torch.tensor(expected, dtype=dtype)
    dtype = dtype or right.dtype
    _expect_type(got, Tensor, what=what)
    shape, right_shape = tuple(got.shape), tuple(right.shape)
    if shape != right_shape:
        reason = (shapes or {}).get(shape, "")
        raise CheckFailed(f"{what}: expected shape {right_shape}, got {shape}. {reason}".strip())
    if got.dtype != dtype:
        raise CheckFailed(f"{what}: expected dtype {_short(dtype)}, got {_short(got.dtype)}")
    values, right = got.detach().cpu().double(), right.detach().double()
    if torch.allclose(values, right, rtol=rtol, atol=atol):
        return
    for reason, wrong in (slips or {}).items():
        slip = torch.as_tensor(wrong, dtype=torch.float64)
        if tuple(slip.shape) == shape and torch.allclose(values, slip, rtol=rtol, atol=atol, equal_nan=True):
            raise CheckFailed(f"{_difference(values, right, what, between)}\n{reason}")
    raise CheckFailed(_difference(values, right, what, between))


def compare_int(got: Any, expected: int, *, what: str, slips: Mapping[str, int] | None = None) -> None:
    """Compares a Python int with the right one; `slips` maps an explanation to the number that slip leads to.

    Raises:
        CheckFailed: another type or another number.
    """
    if isinstance(got, Tensor) and got.numel() == 1:
        raise CheckFailed(
            f"{what}: expected a Python int, got a tensor; int(...) or .item() takes the number out of it"
        )
    if isinstance(got, bool):
        raise CheckFailed(f"{what}: expected a Python int, got a bool")
    _expect_type(got, int, what=what)
    if got != expected:
        reasons = [reason for reason, wrong in (slips or {}).items() if wrong == got]
        raise CheckFailed("\n".join([f"{what}: expected {expected}, got {got}", *reasons[:1]]))


def parts(got: Any, names: Sequence[str], *, what: str) -> tuple[Any, ...]:
    """The members of the tuple that the student's function returned.

    Raises:
        CheckFailed: not a tuple, or of another length than `names`.
    """
    wanted = f"{what}: expected a tuple ({', '.join(names)})"
    if got is None or got is Ellipsis:
        raise CheckFailed(f"{wanted}, got {got}: write your answer in place of the ... and return it")
    if not isinstance(got, tuple):
        raise CheckFailed(f"{wanted}, got {_describe(got)}")
    if len(got) != len(names):
        raise CheckFailed(f"{wanted}, got a tuple of {len(got)}")
    return got


def unchanged(before: Tensor, after: Tensor, *, what: str) -> None:
    """Raises CheckFailed where the student's function has written into its argument `what`."""
    if not torch.equal(before, after):
        raise CheckFailed(
            f"your function changed its argument {what} in place, so the caller's data is gone:"
            " make a new tensor (x * 2) instead of writing into the old one (x *= 2, x.mul_(2))"
        )


def follows_device(function: Callable[..., Any], *args: Any, what: str) -> None:
    """Calls the function with tensors of torch's data-free "meta" device, to find device mistakes without a GPU.

    Errors that only say that "meta" tensors hold no numbers prove nothing and are let pass.

    Raises:
        CheckFailed: tensors of two devices were mixed, or the result is on another device than the arguments.
    """
    moved = [arg.to("meta") if isinstance(arg, Tensor) else arg for arg in args]
    advice = "create new tensors like the inputs, e.g. torch.ones_like(x[:1]) or torch.ones(1, device=x.device)"
    try:
        got = function(*moved)
    except Exception as error:
        if "numpy" in str(error):
            raise CheckFailed(f"{what} goes through NumPy, which has no GPU: stay with torch") from error
        if "device" in str(error):
            raise CheckFailed(f"{what} mixes devices, it would stop on a GPU: {advice}") from error
        return
    for member in got if isinstance(got, tuple) else (got,):
        if isinstance(member, Tensor) and member.device.type != "meta":
            raise CheckFailed(f"{what} leaves the device of its inputs, it would stop on a GPU: {advice}")


def _expect_type(got: Any, kind: type, *, what: str) -> None:
    if got is None or got is Ellipsis:
        raise CheckFailed(f"{what} returned {got}: write your answer in place of the ... and return it")
    if not isinstance(got, kind):
        raise CheckFailed(f"{what}: expected {_kind(kind)}, got {_describe(got)}")


def _difference(values: Tensor, right: Tensor, what: str, between: tuple[float, float] | None) -> str:
    """Names the worst of: not finite, out of range, furthest from the right value."""
    if not bool(torch.isfinite(values).all()) and bool(torch.isfinite(right).all()):
        where = (~torch.isfinite(values)).nonzero()[0].tolist()
        return f"{what}: expected finite numbers, got {values[tuple(where)].item()} at index {where}"
    if between is not None and bool(((values < between[0]) | (values > between[1])).any()):
        low, high = values.min().item(), values.max().item()
        return f"{what}: expected values between {between[0]:g} and {between[1]:g}, got {low:.4g} to {high:.4g}"
    where = (values - right).abs().nan_to_num(posinf=0.0).reshape(-1).argmax()
    index = [int(i) for i in torch.unravel_index(where, values.shape)]
    at = f" at index {index}" if index else ""
    wanted, found = right[tuple(index)].item(), values[tuple(index)].item()
    digits = 5 if f"{wanted:.5g}" != f"{found:.5g}" else 12
    return f"{what}: expected {wanted:.{digits}g}, got {found:.{digits}g}{at}"


def _describe(got: Any) -> str:
    if isinstance(got, Tensor):
        return f"a tensor of shape {tuple(got.shape)}"
    return str(got) if got is None or got is Ellipsis else f"a value of type {_kind(type(got))}"


def _kind(kind: type) -> str:
    return {"Tensor": "torch.Tensor", "ndarray": "numpy.ndarray"}.get(kind.__name__, kind.__name__)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", "your function")
