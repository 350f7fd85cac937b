"""A learner's function, called so that the check keeps its own values and every failure can be put into words."""

import copy
import dataclasses
import dis
import inspect
import linecache
import os
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

import numpy as np
from torch import Tensor

from utils.exercises.expect import Misconception, describe

YOUR_TURN = "not attempted yet. Replace the body of the function and run this cell again."
_TRIVIAL = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
_COURSE = Path(__file__).resolve().parents[1]
_LIBRARIES = (f"{sysconfig.get_path('stdlib')}{os.sep}", f"{_COURSE}{os.sep}", "<frozen", "<__array_function__")
_LONGEST_REASON = 200


class NotAttempted(Exception):  # noqa: N818 - it is a state of the exercise and not an error
    """The stub is as the lesson left it."""


def _copy(value: Any) -> Any:
    """Copy what a function can change by accident; functions, modules and tensors that need a gradient stay."""
    if isinstance(value, Tensor):
        return value if value.requires_grad else value.clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple, set):
        return type(value)(_copy(item) for item in value)
    if type(value) is dict:
        return {key: _copy(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        twin = copy.copy(value)
        for field in dataclasses.fields(value):
            object.__setattr__(twin, field.name, _copy(getattr(value, field.name)))
        return twin
    return value


def _unchanged(before: Any, after: Any) -> bool:
    """Tell whether a copy still holds what it was copied from."""
    if before is after:
        return True
    if type(before) is not type(after):
        return False
    if isinstance(before, (Tensor, np.ndarray)):
        if before.dtype != after.dtype or before.shape != after.shape:
            return False
        both_nan = (before != before) & (after != after)  # NaN alone differs from itself
        return bool(((before == after) | both_nan).all())
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_unchanged(before[key], after[key]) for key in before)
    if dataclasses.is_dataclass(before):
        return all(_unchanged(getattr(before, f.name), getattr(after, f.name)) for f in dataclasses.fields(before))
    return isinstance(before, (bool, int, float, str, bytes, set)) and before == after


def _is_stub(function: Callable[..., Any]) -> bool:
    """Tell whether a function does nothing but return a constant, as ``...`` and ``pass`` do."""
    code = getattr(function, "__code__", None)
    return code is not None and all(step.opname in _TRIVIAL for step in dis.get_instructions(code))


class Attempt:
    """The learner's function as a check calls it: ``attempt(x)`` passes a copy of ``x`` and notices if that changes."""

    def __init__(self, function: Callable[..., Any], *, changes_inputs: bool = False) -> None:
        self.function = function
        self.changes_inputs = changes_inputs
        self.called = False
        self.inside = False
        self.arguments: dict[str, Any] = {}
        self.returned: Any = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the learner's function and return what it returns."""
        return self.call(self.function, *arguments, **named)

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call anything made by the learner's function, such as an instance of their class, with the same care."""
        self.called = True
        if not callable(function):
            raise Misconception(f"what your code makes is to be called, and it is {describe(function)}")
        given = self._bind(function, arguments, named)
        if not self.changes_inputs:
            arguments, named = _copy(arguments), _copy(named)
        self.arguments = copies = self._bind(function, arguments, named)
        self.inside = True
        self.returned = function(*arguments, **named)
        self.inside = False
        if self.returned is Ellipsis or (self.returned is None and _is_stub(function)):
            raise NotAttempted(YOUR_TURN)
        if not self.changes_inputs:
            for name, before in given.items():
                if not _unchanged(before, copies[name]):
                    raise Misconception(
                        f"your code changes its argument `{name}` in place, and the caller still needs the old one: "
                        "make a new value (x = x + 1 and not x += 1, torch.where and not x[mask] = …)"
                    )
        return self.returned

    def _bind(self, function: Callable[..., Any], arguments: tuple, named: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by name; raise ``Misconception`` if the function does not take them."""
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # some functions written in C do not say what they take
            return {f"argument {number}": value for number, value in enumerate(arguments, 1)} | named
        try:
            return dict(signature.bind(*arguments, **named).arguments)
        except TypeError:
            call = ", ".join(["…"] * len(arguments) + [f"{name}=…" for name in named])
            takes = ", ".join(signature.parameters)
            raise Misconception(
                f"the check calls your function as f({call}) and yours takes ({takes}): keep its first line as it was"
            ) from None

    def untouched_stub(self, error: BaseException) -> str:
        """Say that the exercise is not attempted, if that is what the error means; otherwise return an empty string.

        Only a ``raise NotImplementedError`` written in a notebook counts: torch raises it for reasons of its own.
        """
        frames = _frames(error.__traceback__)
        if not isinstance(error, NotImplementedError) or not frames:
            return ""
        code, _, instruction = frames[-1]
        raised_here = dis.opname[code.co_code[instruction]] == "RAISE_VARARGS" and not _is_library(code.co_filename)
        if not raised_here:
            return ""
        own = getattr(self.function, "__code__", None)
        if own is None or own is code or own.co_filename == code.co_filename:
            return YOUR_TURN
        return f"not attempted yet: it needs `{code.co_name}`, which is still to be written."


def _frames(traceback: TracebackType | None) -> list[tuple[CodeType, int, int]]:
    """Return code, line and instruction of every frame of a traceback, outermost first."""
    frames = []
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code, traceback.tb_lineno, traceback.tb_lasti))
        traceback = traceback.tb_next
    return frames


def _is_library(filename: str) -> bool:
    return filename.startswith(_LIBRARIES) or "site-packages" in filename or "dist-packages" in filename


def explain(error: BaseException, attempt: Attempt, judging: Callable[..., Any]) -> str:
    """Put into one sentence an error that got out of a check: what was raised, on which of the learner's lines."""
    own = [
        (code, line)
        for code, line, _ in _frames(error.__traceback__)
        if not _is_library(code.co_filename) and code is not judging.__code__
    ]
    if not own and not attempt.inside:
        returned = describe(attempt.returned)
        problem = f"{type(error).__name__}: {_reason(error)}"
        return f"the check could not use what your function returned, {returned} ({problem})"
    where = ""
    if own:
        code, line = own[-1]
        text = linecache.getline(code.co_filename, line).strip()
        where = f" (line {line} of your cell{f': `{text}`' if text else ''})"
    if isinstance(error, RecursionError):
        return f"your code calls itself without end{where}"
    if isinstance(error, SystemExit):
        return f"your code ends the program{where}: leave out exit() and quit()"
    reason = _reason(error)
    shapes = ", ".join(f"{name} {tuple(v.shape)}" for name, v in attempt.arguments.items() if isinstance(v, Tensor))
    called = f"; it was called with shapes {shapes}" if shapes else ""
    return f"your code raised {type(error).__name__}{f': {reason}' if reason else ''}{where}{called}"


def _reason(error: BaseException) -> str:
    """Return the first line of an error's message, shortened, without its full stop."""
    lines = str(error).strip().splitlines()
    text = lines[0].strip().rstrip(".") if lines else ""
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"
