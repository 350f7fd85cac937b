"""Short quizzes: readable on any page without a kernel, and marked where there is one."""

import re
from dataclasses import dataclass
from html import escape
from string import ascii_uppercase
from typing import Any

from utils.exercises import progress, registry

FEWEST_OPTIONS, MOST_OPTIONS = 3, 4


@dataclass(frozen=True)
class Option:
    """One possible answer, and what to say to whoever chooses it."""

    text: str
    feedback: str
    correct: bool = False


@dataclass(frozen=True)
class Question:
    """A question with three or four options, exactly one of them correct; `` `code` `` is shown as code."""

    text: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        count = len(self.options)
        if not FEWEST_OPTIONS <= count <= MOST_OPTIONS:
            raise ValueError(f"{self.text!r} has {count} options: give it {FEWEST_OPTIONS} or {MOST_OPTIONS}.")
        correct = sum(option.correct for option in self.options)
        if correct != 1:
            raise ValueError(f"{self.text!r} has {correct} correct options: mark exactly one.")
        if not all(option.text.strip() and option.feedback.strip() for option in self.options):
            raise ValueError(f"{self.text!r} has an option without text or without feedback: write both.")
        if len({option.text for option in self.options}) < count:
            raise ValueError(f"{self.text!r} has the same option twice: change one of them.")

    def choices(self) -> dict[str, Option]:
        """Return the options by their letter."""
        return dict(zip(ascii_uppercase, self.options, strict=False))


def _verdict(option: Option) -> str:
    return f"{'Right' if option.correct else 'Not quite'}. {option.feedback}"


def _html(text: str) -> str:
    """Escape a text for a page and show what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _call(lesson: int, questions: tuple[Question, ...]) -> str:
    blanks = "".join(f', q{number}="?"' for number in range(1, len(questions) + 1))
    return f"quiz.answer({lesson}{blanks})"


def questions_of(lesson: int) -> tuple[Question, ...]:
    """Return the questions of a lesson; ``ValueError`` if it has none."""
    module = registry.lesson_module(lesson)
    if not hasattr(module, "QUIZ"):
        raise ValueError(f"Lesson {lesson} has no quiz.")
    return module.QUIZ


@dataclass(frozen=True, repr=False)
class Quiz:
    """The quiz of a lesson as a notebook shows it: every option unfolds to say whether it is right, and why."""

    lesson: int
    questions: tuple[Question, ...]

    def __repr__(self) -> str:
        lines = []
        for number, question in enumerate(self.questions, 1):
            lines.append(f"{number}. {question.text}")
            lines += [f"   {letter}) {option.text}" for letter, option in question.choices().items()]
        return "\n".join([*lines, f"Answer with {_call(self.lesson, self.questions)}"])

    def _repr_html_(self) -> str:
        # Bare elements alone: no style, no script, no id, so that nothing is lost where a page is not trusted.
        asked = ""
        for question in self.questions:
            options = "".join(
                f"<li><details><summary>{_html(option.text)}</summary><p>{_html(_verdict(option))}</p></details></li>"
                for option in question.options
            )
            asked += f'<li><p>{_html(question.text)}</p><ol type="A">{options}</ol></li>'
        call = escape(_call(self.lesson, self.questions))
        return (
            f"<ol>{asked}</ol><p>Unfold an option to see whether it is right, or put letters for the question marks in "
            f"<code>{call}</code> to have the quiz marked.</p>"
        )


@dataclass(frozen=True, repr=False)
class QuizResult:
    """How a quiz went; a notebook shows one line for each question."""

    passed: bool
    attempted: bool
    lines: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(self.lines)


def show(lesson: int) -> Quiz:
    """Return the quiz of a lesson, to be shown as the value of a cell."""
    return Quiz(lesson, questions_of(lesson))


def _mark(name: str, question: Question, given: Any) -> tuple[str, str]:
    """Return the sign and the sentence for one answer: ✓ right, ✗ wrong or not an option, ○ not answered."""
    letter = given.strip().upper() if isinstance(given, str) else given
    if letter in ("", "?", None):
        return "○", f"{name}. Not answered yet."
    choices = question.choices()
    if not isinstance(letter, str) or letter not in choices:
        *first, last = choices
        return "✗", f"{name}. {given!r} is not one of the options: choose {', '.join(first)} or {last}."
    return ("✓" if choices[letter].correct else "✗"), f"{name}. {_verdict(choices[letter])}"


def answer(lesson: int, *, record: bool = True, **answers: str | None) -> QuizResult:
    """Mark answers such as ``q1="B"``; remember the quiz as done when all are right, unless ``record=False``."""
    questions = questions_of(lesson)
    names = [f"q{number}" for number in range(1, len(questions) + 1)]
    marks = [_mark(name, question, answers.get(name)) for name, question in zip(names, questions, strict=True)]
    lines = [f"{sign} {text}" for sign, text in marks]
    lines += [f"✗ {name}. This quiz has {names[0]} to {names[-1]} only." for name in answers if name not in names]
    right = sum(sign == "✓" for sign, _ in marks)
    passed = right == len(lines)
    closing = f"All {right} right: well done." if passed else f"{right} of {len(names)} right."
    if passed and record:
        letters = {name: answers[name].strip().upper() for name in names}
        closing = f"{closing} {progress.record_quiz(lesson, letters)}".strip()
    return QuizResult(passed, any(sign != "○" for sign, _ in marks), (*lines, closing))
