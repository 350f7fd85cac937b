"""The quiz as data, as a page without a kernel, and as marked by the kernel."""

import json
from types import SimpleNamespace

import pytest

from tests.support.html_page import Page
from utils.exercises import Option, Question, quiz, registry

QUIZ = (
    Question(
        "Which axis does `softmax(-1)` sum over, if $n < m$ & all is well?",
        (
            Option("The <last> one", "Minus one counts from the end.", correct=True),
            Option("The first", "That is `0`, not `-1`."),
            Option("All of them", "Then one number would be left."),
        ),
    ),
    Question(
        "Is 2 right?",
        (
            Option("One", "Too few."),
            Option("Two", "Two it is.", correct=True),
            Option("Three", "Too many."),
            Option("Four", "Far too many."),
        ),
    ),
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    modules = {1: SimpleNamespace(QUIZ=QUIZ), 2: SimpleNamespace()}
    monkeypatch.setattr(registry, "written_lessons", lambda: list(modules))
    monkeypatch.setattr(registry, "lesson_module", modules.__getitem__)
    return tmp_path / "data"


def test_page_holds_every_option_folded_with_its_feedback_and_needs_no_trust():
    html = quiz.show(1)._repr_html_()
    page = Page(html)
    tags = [tag for tag, _ in page.seen]
    assert not page.open
    assert tags.count("details") == tags.count("summary") == 7
    assert page.text.count("Right. ") == 2
    assert page.text.count("Not quite. ") == 5
    assert "The <last> oneRight. Minus one counts from the end." in page.text
    assert "if $n < m$ & all" in page.text
    assert "<code>softmax(-1)</code>" in html
    assert set(tags) == {"ol", "li", "p", "details", "summary", "code"}
    assert {tuple(attributes.items()) for _, attributes in page.seen} == {(), (("type", "A"),)}, "no colours"


def test_plain_text_asks_without_giving_away():
    assert repr(quiz.show(1)) == (
        "1. Which axis does `softmax(-1)` sum over, if $n < m$ & all is well?\n"
        "   A) The <last> one\n   B) The first\n   C) All of them\n"
        "2. Is 2 right?\n"
        "   A) One\n   B) Two\n   C) Three\n   D) Four\n"
        'Answer with quiz.answer(1, q1="?", q2="?")'
    )


def test_right_answers_finish_the_quiz_unless_asked_not_to(folder):
    assert quiz.answer(1, record=False, q1="a", q2="b").lines[-1] == "All 2 right: well done."
    assert not folder.exists()
    result = quiz.answer(1, q1=" a ", q2="B")
    assert result.passed
    assert repr(result) == (
        "✓ q1. Right. Minus one counts from the end.\n✓ q2. Right. Two it is.\nAll 2 right: well done."
    )
    assert json.loads((folder / "progress.json").read_text())["quizzes"]["1"]["answers"] == {"q1": "A", "q2": "B"}


def test_other_answers_are_said_and_not_recorded(folder):
    result = quiz.answer(1, q1="b")
    assert (result.passed, result.attempted) == (False, True)
    assert repr(result) == "✗ q1. Not quite. That is `0`, not `-1`.\n○ q2. Not answered yet.\n0 of 2 right."
    untouched = quiz.answer(1, q1="?", q2="?")
    assert (untouched.passed, untouched.attempted) == (False, False)
    too_many = quiz.answer(1, q1="a", q2="b", q3="a")
    assert "✗ q3. This quiz has q1 to q2 only." in too_many.lines
    assert not too_many.passed
    for given in ("d", "ab", 1, ["a"], True, "ä"):
        line = quiz.answer(1, q1=given, q2="b").lines[0]
        assert line == f"✗ q1. {given!r} is not one of the options: choose A, B or C."
    assert not folder.exists()


def test_an_unwritable_folder_does_not_spoil_the_quiz(tmp_path, monkeypatch):
    (tmp_path / "a_file").write_text("")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "a_file"))
    result = quiz.answer(1, q1="a", q2="b")
    assert result.passed
    assert "could not be read or saved" in result.lines[-1]


def test_a_lesson_without_a_quiz_is_said():
    with pytest.raises(ValueError, match=r"Lesson 2 has no quiz\."):
        quiz.show(2)


RIGHT, WRONG, OTHER = Option("a", "Yes.", correct=True), Option("b", "No."), Option("c", "No.")


def test_a_question_with_odd_options_is_refused(subtests):
    for options, words in (
        ((RIGHT, WRONG), "has 2 options: give it 3 or 4"),
        ((RIGHT, WRONG, OTHER, Option("d", "No."), Option("e", "No.")), "has 5 options"),
        ((Option("a", "No."), WRONG, OTHER), "has 0 correct options: mark exactly one"),
        ((RIGHT, Option("b", "Yes.", correct=True), OTHER), "has 2 correct options"),
        ((RIGHT, WRONG, Option("c", " ")), "without feedback: write both"),
        ((RIGHT, WRONG, WRONG), "the same option twice"),
    ):
        with subtests.test(words), pytest.raises(ValueError, match=words):
            Question("Why?", options)
