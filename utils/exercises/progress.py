"""Remember which exercises and quizzes are done, in one small file on the learner's own computer."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from utils import storage
from utils.exercises import registry
from utils.lessons import LESSONS

SCHEMA = 1
LOCK_SECONDS = 10
FILE_NAME = "progress.json"
Record = dict[str, Any]


class _NotSaved(Exception):  # noqa: N818 - carries a sentence to whoever asked for the record
    """The record cannot be read or written; the message is one sentence."""


def progress_file() -> Path:
    """Return where the record is kept."""
    return storage.data_folder() / FILE_NAME


def _empty() -> Record:
    return {"schema": SCHEMA, "exercises": {}, "quizzes": {}}


def _is_record(value: Any) -> bool:
    """Tell whether a value is ``{"exercises": {lesson: {name: day}}, "quizzes": {lesson: {"day", "answers"}}}``."""
    if not isinstance(value, dict) or type(value.get("schema")) is not int:
        return False
    if value["schema"] > SCHEMA:
        return True
    parts = [value.get("exercises"), value.get("quizzes")]
    return all(isinstance(part, dict) and all(isinstance(entry, dict) for entry in part.values()) for part in parts)


def _free_name(kind: str) -> Path:
    """Return the first of ``progress.<kind>-1.json``, ``-2`` … that does not exist yet."""
    number = 1
    while (path := progress_file().with_name(f"progress.{kind}-{number}.json")).exists():
        number += 1
    return path


def _parse() -> Record | None:
    """Return the record, empty if there is no file yet and None if the file is damaged."""
    try:
        text = progress_file().read_bytes()
    except FileNotFoundError:
        return _empty()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not _is_record(value):
        return None
    if value["schema"] > SCHEMA:
        raise _NotSaved("A newer version of the course wrote your progress, which is left as it is: update the course.")
    return value


def _read() -> tuple[Record, str]:
    """Return the record and what the learner should know; a damaged file is set aside. To be called under the lock."""
    record = _parse()
    if record is not None:
        return record, ""
    aside = _free_name("damaged")
    os.replace(progress_file(), aside)
    return _empty(), f"The progress file was damaged: it is kept as {aside.name}, and a new one is begun."


@contextmanager
def _speaking_plainly() -> Iterator[None]:
    """Turn what the file system refuses into ``_NotSaved``."""
    try:
        yield
    except Timeout:
        raise _NotSaved("Another notebook keeps your progress locked: nothing is saved, run the cell again.") from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise _NotSaved(
            f"Your progress could not be read or saved ({reason}): "
            "set the environment variable COURSE_DATA to a folder you can write."
        ) from None


@contextmanager
def _locked() -> Iterator[None]:
    """Keep other notebooks away from the file."""
    path = progress_file()
    with _speaking_plainly():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{FILE_NAME}.lock"), timeout=LOCK_SECONDS):
            yield


def _write(record: Record) -> None:
    with storage.replacing(progress_file(), mode=0o600) as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def _change(change: Callable[[Record], None]) -> tuple[Record, str]:
    """Read, change and write the record in one go; return it and what the learner should know."""
    with _locked():
        record, note = _read()
        before = json.dumps(record, sort_keys=True)
        change(record)
        if json.dumps(record, sort_keys=True) != before:
            _write(record)
    return record, note


def record_exercise(lesson: int, name: str) -> str:
    """Remember that an exercise is done; return how far the lesson is, or why nothing was saved, in a sentence."""

    def change(record: Record) -> None:
        record["exercises"].setdefault(str(lesson), {}).setdefault(name, date.today().isoformat())

    try:
        record, note = _change(change)
    except _NotSaved as reason:
        return str(reason)
    names = [exercise.name for exercise in registry.exercises_of(lesson)]
    done = sum(each in record["exercises"][str(lesson)] for each in names)
    return f"{note} Lesson {lesson}: {done} of {len(names)} exercises done.".strip()


def record_quiz(lesson: int, answers: dict[str, str]) -> str:
    """Remember that a quiz is answered right; return a sentence if something went wrong, otherwise an empty string."""

    def change(record: Record) -> None:
        record["quizzes"].setdefault(str(lesson), {"day": date.today().isoformat(), "answers": answers})

    try:
        return _change(change)[1]
    except _NotSaved as reason:
        return str(reason)


@dataclass(frozen=True)
class LessonProgress:
    """What is done of one lesson: ``quiz`` is None where the lesson has none."""

    lesson: int
    title: str
    done: tuple[str, ...]
    remaining: tuple[str, ...]
    quiz: bool | None

    def cells(self) -> tuple[str, str, str, str]:
        """Return lesson, exercises, quiz and what is left as the words of a table."""
        quiz = {True: "done", False: "to do", None: "none"}[self.quiz]
        count = f"{len(self.done)} of {len(self.done) + len(self.remaining)}"
        return f"{self.lesson} {self.title}", count, quiz, ", ".join(self.remaining) or "nothing"


@dataclass(frozen=True, repr=False)
class Summary:
    """The learner's progress, shown by a notebook as a small table."""

    lessons: tuple[LessonProgress, ...]
    note: str = ""

    HEADINGS = ("Lesson", "Exercises", "Quiz", "Still to do")

    def __repr__(self) -> str:
        rows = [self.HEADINGS, *(lesson.cells() for lesson in self.lessons)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(self.HEADINGS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, self.note]) if self.note else "\n".join(lines)

    def _repr_html_(self) -> str:
        # Jupyter aligns cells to the right, which suits numbers alone; where styles are dropped, nothing is lost.
        left, body = ' style="text-align: left"', ""
        head = "".join(f'<th scope="col"{left}>{heading}</th>' for heading in self.HEADINGS)
        for lesson in self.lessons:
            first, *others = (escape(cell) for cell in lesson.cells())
            body += f'<tr><th scope="row"{left}>{first}</th>{"".join(f"<td{left}>{cell}</td>" for cell in others)}</tr>'
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        caption = "<caption>Your progress, kept on this computer only</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


def _summarise(record: Record, note: str) -> Summary:
    lessons = []
    for lesson in registry.written_lessons():
        module = registry.lesson_module(lesson)
        solved = record["exercises"].get(str(lesson), {})
        names = [exercise.name for exercise in registry.exercises_of(lesson)]
        done, remaining = (tuple(n for n in names if (n in solved) is wanted) for wanted in (True, False))
        quiz = str(lesson) in record["quizzes"] if hasattr(module, "QUIZ") else None
        lessons.append(LessonProgress(lesson, LESSONS[lesson - 1].title, done, remaining, quiz))
    return Summary(tuple(lessons), note)


def summary() -> Summary:
    """Return what is done and what is left, lesson by lesson."""
    try:
        with _speaking_plainly():
            record = _parse()
        return _summarise(record, "") if record is not None else _summarise(*_change(lambda _: None))
    except _NotSaved as reason:
        return _summarise(_empty(), str(reason))


def reset(lesson: int | None = None) -> Summary:
    """Forget one lesson, or all of them, and return the summary; the record before is kept in a backup file."""
    if lesson is not None and lesson not in range(1, len(LESSONS) + 1):
        raise ValueError(f"lesson is {lesson!r}: choose one of 1 to {len(LESSONS)}, or None for all.")
    try:
        with _locked():
            record, note = _read()
            if not record["exercises"] and not record["quizzes"]:
                return _summarise(record, note or "There was nothing to forget.")
            backup = _free_name("backup")
            os.replace(progress_file(), backup)
            for part in ("exercises", "quizzes"):
                record[part] = {key: value for key, value in record[part].items() if lesson and key != str(lesson)}
            _write(record)
    except _NotSaved as reason:
        return replace(summary(), note=str(reason))
    what = f"Lesson {lesson}" if lesson else "Everything"
    return _summarise(record, f"{what} is forgotten; the record before is kept as {backup.name}.")
