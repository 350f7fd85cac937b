"""What an exercise is, and where the exercises of each lesson are found."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from utils.lessons import LESSONS

HARDEST = 5


@dataclass(frozen=True)
class Exercise:
    """One exercise: what it is called, how long and how hard it is, and the function that judges an attempt."""

    name: str
    lesson: int
    title: str
    minutes: int
    difficulty: int
    judge: Callable[[Any], str | None]
    changes_inputs: bool = False


def exercise(
    *, lesson: int, title: str, minutes: int, difficulty: int, changes_inputs: bool = False
) -> Callable[[Callable[[Any], str | None]], Exercise]:
    """Turn a judging function into an exercise that carries the function's name.

    The function takes an ``Attempt``, raises ``Misconception`` when the answer is wrong, and may return one sentence to
    show when it is right. ``difficulty`` runs from 1 to 5. ``changes_inputs`` is for exercises whose very job is to
    change an argument, such as a training step.
    """
    if lesson not in range(1, len(LESSONS) + 1):
        raise ValueError(f"lesson is {lesson}: choose one of 1 to {len(LESSONS)}.")
    if not 1 <= difficulty <= HARDEST:
        raise ValueError(f"difficulty is {difficulty}: choose 1 (easy) to {HARDEST} (hard).")
    if minutes < 1:
        raise ValueError(f"minutes is {minutes}: give at least one.")

    def make(judge: Callable[[Any], str | None]) -> Exercise:
        return Exercise(judge.__name__, lesson, title, minutes, difficulty, judge, changes_inputs)

    return make


def _module_name(lesson: int) -> str:
    return f"{__package__}.lesson_{lesson:02d}"


def written_lessons() -> list[int]:
    """Return the numbers of the lessons that have exercises."""
    return [lesson.number for lesson in LESSONS if find_spec(_module_name(lesson.number)) is not None]


def lesson_module(lesson: int) -> ModuleType:
    """Import the exercises of one lesson; ``ValueError`` if there are none."""
    known = written_lessons()
    if lesson not in known:
        raise ValueError(f"There are no exercises for lesson {lesson!r}: choose one of {', '.join(map(str, known))}.")
    return importlib.import_module(_module_name(lesson))


def exercises_of(lesson: int) -> list[Exercise]:
    """Return the exercises of one lesson in the order in which they are written."""
    return [value for value in vars(lesson_module(lesson)).values() if isinstance(value, Exercise)]


def all_exercises() -> Iterator[Exercise]:
    """Yield the exercises of every lesson; a lesson is imported only when its turn comes."""
    for lesson in written_lessons():
        yield from exercises_of(lesson)
