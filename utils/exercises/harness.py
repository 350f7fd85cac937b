"""Run a learner's function against a check and say in one sentence how it went, whatever the function does."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch

from utils.exercises import progress, registry
from utils.exercises.attempt import Attempt, NotAttempted, explain
from utils.exercises.expect import Misconception, describe
from utils.exercises.registry import Exercise

SEED = 0


@dataclass(frozen=True, repr=False)
class Result:
    """How an attempt went; a notebook shows it as one line."""

    name: str
    passed: bool
    attempted: bool
    message: str

    def __repr__(self) -> str:
        sign = "✓" if self.passed else "✗" if self.attempted else "○"
        return f"{sign} {self.name}: {self.message}"


def sentence(text: str) -> str:
    """End a text as a sentence ends."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


@contextmanager
def _steady_state() -> Iterator[None]:
    """Run with fixed seeds and torch's usual settings, and leave the learner's own as they were."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    dtype = torch.get_default_dtype()
    # devices=[] and the CPU generator alone: torch.manual_seed would reseed the GPU too, behind the learner's back.
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(SEED)
        random.seed(SEED)
        np.random.seed(SEED)
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def judge(exercise: Exercise, function: Any, praise: str = "well done.") -> Result:
    """Judge an attempt without remembering it. Nothing that the learner's code raises gets out, save an interrupt."""

    def result(message: str, *, passed: bool = False, attempted: bool = True) -> Result:
        return Result(exercise.name, passed, attempted, sentence(message))

    example = f"check.{exercise.name}({exercise.name})"
    if function is None:
        return result(f"give the check your function, without calling it: {example}")
    if not callable(function):
        return result(f"the check needs the function itself and got {describe(function)}: write {example}")
    attempt = Attempt(function, changes_inputs=exercise.changes_inputs)
    try:
        with _steady_state():
            insight = exercise.judge(attempt)
    except NotAttempted as reason:
        return result(str(reason), attempted=False)
    except Misconception as misconception:
        return result(str(misconception))
    except (Exception, SystemExit) as error:
        stub = attempt.untouched_stub(error)
        if stub:
            return result(stub, attempted=False)
        return result(explain(error, attempt, exercise.judge))
    if not attempt.called:
        raise RuntimeError(f"The check of {exercise.name} never calls the attempt it is given.")
    return result(praise + (f" {sentence(insight)}" if insight else ""), passed=True)


class Checker:
    """One exercise's check, to be called with the learner's function."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self.__doc__ = f"{exercise.title}: call it with your function, check.{exercise.name}({exercise.name})."

    def __call__(self, function: Callable[..., Any] | None = None, *, record: bool = True) -> Result:
        """Judge ``function`` and remember the exercise as done when it passes; ``record=False`` is for solutions."""
        result = judge(self.exercise, function, praise="well done." if record else "this solution passes.")
        if not (result.passed and record):
            return result
        note = progress.record_exercise(self.exercise.lesson, self.exercise.name)
        return Result(result.name, True, True, f"{result.message} {note}" if note else result.message)

    def __repr__(self) -> str:
        exercise = self.exercise
        return (
            f"check.{exercise.name}: {exercise.title} (lesson {exercise.lesson}, about {exercise.minutes} minutes, "
            f"difficulty {exercise.difficulty} of {registry.HARDEST}). Call it with your function: "
            f"check.{exercise.name}({exercise.name})"
        )


class Check:
    """Every exercise of the course as an attribute: ``check.gru_step(gru_step)``."""

    def __init__(self, exercises: Callable[[], Iterable[Exercise]] = registry.all_exercises) -> None:
        self._exercises = exercises

    def __getattr__(self, name: str) -> Checker:
        # IPython asks every object for names of its own; they must not import fourteen lessons.
        if name.startswith("_"):
            raise AttributeError(name)
        names = []
        for exercise in self._exercises():
            if exercise.name == name:
                return Checker(exercise)
            names.append(exercise.name)
        near = get_close_matches(name, names, n=3)
        remedy = f"did you mean {' or '.join(near)}?" if near else "type check. and press Tab to see them all."
        raise AttributeError(f"There is no exercise called {name}: {remedy}")

    def __dir__(self) -> list[str]:
        return sorted(exercise.name for exercise in self._exercises())

    def __repr__(self) -> str:
        return "check: the exercises of the course. Type check. and press Tab, or call check.name(your_function)."


check = Check()
