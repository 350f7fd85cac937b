"""Exercises that answer in words, short quizzes, and a record of what is done that never leaves the computer.

Notebooks use ``check``, ``quiz`` and ``progress``; the modules ``lesson_01`` … use the rest to say what they ask.
"""

from utils.exercises import progress, quiz
from utils.exercises.attempt import Attempt
from utils.exercises.expect import (
    Misconception,
    expect_close,
    expect_equal,
    expect_shape,
    expect_tensor,
    expect_that,
    expect_tuple,
)
from utils.exercises.harness import Result, check
from utils.exercises.quiz import Option, Question
from utils.exercises.registry import exercise

__all__ = [
    "Attempt",
    "Misconception",
    "Option",
    "Question",
    "Result",
    "check",
    "exercise",
    "expect_close",
    "expect_equal",
    "expect_shape",
    "expect_tensor",
    "expect_that",
    "expect_tuple",
    "progress",
    "quiz",
]
