"""Comparisons for the checks: each says in words what is wrong with a learner's result."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Misconception(Exception):  # noqa: N818 - it is not an error but what the learner has yet to see
    """Raised by a check: the answer is wrong, and the message names the misconception and the remedy."""


def describe(value: Any) -> str:
    """Say in a few words what a value is: its type, and its shape or length where it has one."""
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    kind = type(value).__name__
    article = "an" if kind[0] in "aeiouAEIOU" else "a"
    if isinstance(value, (list, tuple, set, dict)):
        return f"{article} {kind} of {len(value)} {'item' if len(value) == 1 else 'items'}"
    if isinstance(value, (bool, int, float, str)):
        text = repr(value)
        return f"the {kind} {text if len(text) <= 40 else text[:37] + '…'}"
    return f"{article} {kind}"


def expect_that(condition: bool, message: str) -> None:
    """Raise ``Misconception`` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise Misconception(message)


def expect_tensor(
    actual: Any, what: str = "the result", *, dtype: torch.dtype | None = None, requires_grad: bool | None = None
) -> None:
    """Expect a tensor, of type ``dtype`` and with or without a gradient where these are given."""
    if actual is None:
        raise Misconception(f"{what} is None: end your function with a return statement")
    if isinstance(actual, np.ndarray):
        raise Misconception(f"{what} is a NumPy array: stay in PyTorch and return the tensor itself")
    if isinstance(actual, (bool, int, float)):
        raise Misconception(f"{what} is {describe(actual)}, not a tensor: leave out .item() or float()")
    if isinstance(actual, (list, tuple)):
        raise Misconception(
            f"{what} is {describe(actual)}, not a tensor: torch.stack or torch.cat makes one tensor of it"
        )
    if not isinstance(actual, Tensor):
        raise Misconception(f"{what} should be a tensor and is {describe(actual)}")
    if dtype is not None and actual.dtype != dtype:
        raise Misconception(f"{what} should have dtype {dtype} and has {actual.dtype}")
    if requires_grad and not actual.requires_grad:
        raise Misconception(f"no gradient flows through {what}: leave out .detach(), .item() and torch.no_grad()")
    if requires_grad is False and actual.requires_grad:
        raise Misconception(f"{what} carries a gradient that nobody needs: compute it under torch.no_grad()")


def expect_shape(actual: Any, shape: Sequence[int], axes: str = "", *, what: str = "the result") -> None:
    """Expect a tensor of this shape; ``axes`` names its axes in the message, such as ``"(batch, hidden)"``."""
    expect_tensor(actual, what)
    wanted, found = tuple(shape), tuple(actual.shape)
    if wanted == found:
        return
    message = f"{what} should have shape {axes + ' = ' if axes else ''}{wanted} and has {found}"
    if [size for size in wanted if size != 1] == [size for size in found if size != 1]:
        remedy = "an axis of size 1 is left over: squeeze it, or sum or index it away"
        if len(found) < len(wanted):
            remedy = "an axis of size 1 is missing: unsqueeze, or keepdim=True, restores it"
        elif len(found) == len(wanted):
            remedy = "the axis of size 1 stands in the wrong place"
        message += f"; {remedy}"
    elif sorted(wanted) == sorted(found):
        message += "; the axes are in another order: transpose them"
    raise Misconception(message)


def expect_tuple(actual: Any, names: Sequence[str], what: str = "your function") -> tuple:
    """Expect one result for each name, such as ``("context", "weights")``, and return them."""
    listed = ", ".join(names)
    if actual is None:
        raise Misconception(f"{what} returns None: end it with return {listed}")
    if not isinstance(actual, (tuple, list)) or len(actual) != len(names):
        raise Misconception(f"{what} should return {len(names)} values ({listed}) and returns {describe(actual)}")
    return tuple(actual)


def _same(actual: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Tell whether two tensors have the same shape and, within the tolerance, the same values."""
    if actual.shape != expected.shape:
        return False
    return torch.allclose(actual.double(), expected.double(), rtol=tolerance, atol=tolerance, equal_nan=True)


def _plain(value: Any, expected: Tensor) -> Tensor:
    """Return the values alone: no gradient, on the device of ``expected``."""
    return torch.as_tensor(value).detach().to(expected.device)


def _common_slip(actual: Tensor, expected: Tensor, tolerance: float) -> str:
    """Name a difference of the whole result at once: its sign, a factor, a constant; empty if there is none."""
    if expected.dtype == torch.bool and actual.numel() and torch.equal(actual, ~expected):
        return "True and False are exchanged"
    if not expected.is_floating_point() or expected.numel() < 2:
        return ""
    found, wanted = actual.double(), expected.double()
    if _same(-found, wanted, tolerance):
        return "every value has the wrong sign"
    steady = wanted.abs() > 1e-3
    if steady.sum() > 1:
        factor = (found[steady] / wanted[steady]).mean()
        if factor.abs() > 1e-6 and _same(found, factor * wanted, tolerance):
            return f"every value is {factor:.4g} times what it should be"
    shift = (found - wanted).mean()
    if _same(found - shift, wanted, tolerance):
        return f"every value is {abs(shift):.4g} too {'large' if shift > 0 else 'small'}"
    return ""


def _value(number: Tensor) -> str:
    return f"{number.item():.4f}" if number.is_floating_point() else f"{number.item()}"


def expect_close(
    actual: Any,
    expected: Tensor | float,
    what: str = "the result",
    *,
    axes: str = "",
    known_wrong: Sequence[tuple[Tensor | float, str]] = (),
    tolerance: float = 1e-5,
) -> None:
    """Expect the values of ``expected`` within a relative and absolute ``tolerance``.

    ``known_wrong`` holds pairs of a wrong result, of any shape, and the message for whoever gets it; they are tried
    before anything else is said. Gradients and devices are not compared. Where ``expected`` is a number, a number or a
    tensor with one value will do.
    """
    number_wanted = isinstance(expected, (int, float))
    if number_wanted and isinstance(actual, (int, float, np.number)) and not isinstance(actual, bool):
        actual = torch.tensor(float(actual))
    expect_tensor(actual, what)
    dtype = torch.get_default_dtype() if number_wanted else expected.dtype
    wanted = torch.as_tensor(expected, dtype=dtype)
    found = _plain(actual, wanted)
    if number_wanted and found.numel() == 1:
        found = found.reshape(()).to(dtype)
    if found.dtype == wanted.dtype and _same(found, wanted, tolerance):
        return
    for wrong, message in known_wrong:
        if _same(found, _plain(wrong, wanted), tolerance):
            raise Misconception(message)
    expect_shape(found, wanted.shape, axes, what=what)
    expect_tensor(found, what, dtype=dtype)
    if found.is_floating_point() and not wanted.isnan().any():
        strange = int(found.isnan().sum())
        if strange:
            remedy = "look for 0/0, the logarithm of a negative number, or softmax over a row that is all -inf"
            raise Misconception(f"NaN in {strange} of {found.numel()} places of {what}: {remedy}")
    right = torch.isclose(found.double(), wanted.double(), rtol=tolerance, atol=tolerance, equal_nan=True)
    place = (~right).nonzero()[0].tolist()
    at = f"at {place} " if place else ""
    here = tuple(place)
    detail = _common_slip(found, wanted, tolerance)
    counted = f"{int((~right).sum())} of {right.numel()} values are off; " if right.numel() > 1 else ""
    raise Misconception(
        f"{'right shape, wrong values' if wanted.dim() else 'wrong value'} for {what}: "
        f"{detail + '; ' if detail else counted}{at}it should be {_value(wanted[here])} and is {_value(found[here])}"
    )


def expect_equal(
    actual: Any, expected: Any, what: str = "the result", *, known_wrong: Sequence[tuple[Any, str]] = ()
) -> None:
    """Expect the same Python value and type: a whole number, a string, a list, a tuple, a dict, a set."""
    if type(actual) is type(expected) and actual == expected:
        return
    for wrong, message in known_wrong:
        if type(actual) is type(wrong) and actual == wrong:
            raise Misconception(message)
    if actual is None:
        raise Misconception(f"{what} is None: end your function with a return statement")
    if type(actual) is not type(expected):
        remedy = "; .item() or .tolist() makes Python values of a tensor" if isinstance(actual, Tensor) else ""
        raise Misconception(f"{what} should be {describe(expected)} and is {describe(actual)}{remedy}")
    raise Misconception(f"{what} should be {_short(expected)} and is {_short(actual)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "…"
