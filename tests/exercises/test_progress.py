"""The record of what is done: kept, shared between notebooks, never lost, and never in the learner's way."""

import errno
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from filelock import FileLock

from tests.support.html_page import Page
from utils.course import ROOT
from utils.exercises import Option, Question, exercise, progress, registry
from utils.exercises.harness import Checker


@exercise(lesson=1, title="First", minutes=5, difficulty=1)
def first(attempt):
    attempt()


@exercise(lesson=1, title="Second", minutes=5, difficulty=1)
def second(attempt):
    attempt()


@exercise(lesson=3, title="Third", minutes=5, difficulty=1)
def third(attempt):
    attempt()


QUESTION = Question("Why?", (Option("a", "Yes.", correct=True), Option("b", "No."), Option("c", "No.")))
MODULES = {
    1: SimpleNamespace(first=first, second=second, QUIZ=(QUESTION,)),
    3: SimpleNamespace(third=third),
}
TITLES = tuple(SimpleNamespace(title=title) for title in ("Intro & <more>", "Encoders", "Decoders", *[""] * 11))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(registry, "written_lessons", lambda: list(MODULES))
    monkeypatch.setattr(registry, "lesson_module", MODULES.get)
    monkeypatch.setattr(progress, "LESSONS", TITLES)
    return tmp_path / "data"


def passing():
    return 1


def test_nothing_done_shows_everything_to_do(folder):
    assert repr(progress.summary()) == (
        "Lesson            Exercises  Quiz   Still to do\n"
        "1 Intro & <more>  0 of 2     to do  first, second\n"
        "3 Decoders        0 of 1     none   third"
    )
    assert not folder.exists(), "looking leaves no file behind"


def test_passing_is_remembered_once_with_its_day(folder):
    assert repr(Checker(first)(passing)) == "✓ first: well done. Lesson 1: 1 of 2 exercises done."
    before = (folder / "progress.json").stat().st_mtime_ns
    Checker(first)(passing)
    assert (folder / "progress.json").stat().st_mtime_ns == before
    if os.name == "posix":
        assert (folder / "progress.json").stat().st_mode & 0o777 == 0o600, "nobody else's business"
    record = json.loads((folder / "progress.json").read_text())
    assert set(record["exercises"]["1"]) == {"first"}
    assert len(record["exercises"]["1"]["first"]) == len("2026-01-31")
    assert progress.summary().lessons[0].remaining == ("second",)
    assert Checker(second)(passing).message.endswith("2 of 2 exercises done.")


def test_stubs_wrong_answers_and_unrecorded_solutions_are_not_remembered(folder):
    Checker(first)(lambda: ...)
    Checker(first)(lambda x: x)
    Checker(first)(passing, record=False)
    assert not folder.exists()


def test_a_finished_quiz_is_remembered():
    assert progress.record_quiz(1, {"q1": "a"}) == ""
    lesson = progress.summary().lessons[0]
    assert lesson.quiz is True
    assert lesson.cells()[2] == "done"


def test_table_is_sound_html_with_headers_and_no_colours():
    page = Page(progress.Summary(progress.summary().lessons, "a < b")._repr_html_())
    assert not page.open
    assert [a["scope"] for tag, a in page.seen if tag == "th"] == ["col"] * 4 + ["row"] * 2
    assert {attributes.get("style") for _, attributes in page.seen} == {None, "text-align: left"}
    assert "1 Intro & <more>" in page.text
    assert "a < b" in page.text


DAMAGED = (
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"[]",
    b"null",
    b"{}",
    b'{"schema": "1"}',
    b'{"schema": true, "exercises": {}, "quizzes": {}}',
    b'{"schema": 1, "exercises": [], "quizzes": {}}',
    b'{"schema": 1, "exercises": {"1": "first"}, "quizzes": {}}',
    b"[" * 100_000,
)
EVERY_LOOK = pytest.mark.parametrize("look", [progress.summary, lambda: Checker(first)(passing), progress.reset])


@EVERY_LOOK
def test_a_damaged_file_is_set_aside_and_said(tmp_path, monkeypatch, look, subtests):
    for number, text in enumerate(DAMAGED):
        folder = tmp_path / str(number)
        monkeypatch.setenv("COURSE_DATA", str(folder))
        folder.mkdir()
        (folder / "progress.json").write_bytes(text)
        (folder / "progress.damaged-1.json").write_text("an earlier one")
        with subtests.test(text[:100]):
            assert "The progress file was damaged: it is kept as progress.damaged-2.json, and a new one is begun." in (
                repr(look())
            )
            assert (folder / "progress.damaged-2.json").read_bytes() == text
            assert (folder / "progress.damaged-1.json").read_text() == "an earlier one"
            assert "damaged" not in repr(progress.summary())


@EVERY_LOOK
def test_a_record_of_a_newer_course_is_left_alone(folder, look):
    folder.mkdir()
    newer = '{"schema": 2, "something": "else"}'
    (folder / "progress.json").write_text(newer)
    assert "A newer version of the course wrote your progress" in repr(look())
    assert (folder / "progress.json").read_text() == newer


def test_unknown_exercises_of_other_versions_survive(folder):
    folder.mkdir()
    record = {"schema": 1, "exercises": {"1": {"renamed": "2026-01-01"}, "14": {"x": "2026-01-01"}}, "quizzes": {}}
    (folder / "progress.json").write_text(json.dumps(record))
    assert "Lesson 1: 1 of 2 exercises done." in Checker(first)(passing).message
    kept = json.loads((folder / "progress.json").read_text())["exercises"]
    assert kept["1"]["renamed"] == kept["14"]["x"] == "2026-01-01"


def test_a_folder_that_cannot_be_made_does_not_spoil_the_check(tmp_path, monkeypatch):
    (tmp_path / "a_file").write_text("")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "a_file" / "data"))
    result = Checker(first)(passing)
    assert result.passed
    assert result.message == (
        "well done. Your progress could not be read or saved (Not a directory): "
        "set the environment variable COURSE_DATA to a folder you can write."
    )
    assert "could not be read" in repr(progress.reset(1))
    assert "could not be read" in progress.summary()._repr_html_()


PROGRAM = """
from utils.exercises import progress
give_up()
print(progress.record_quiz(1, {}))
"""


def test_a_folder_without_permission_is_said(open_folder, monkeypatch, without_rights):
    monkeypatch.setenv("COURSE_DATA", str(open_folder))
    open_folder.chmod(0o555)
    said = without_rights(PROGRAM)
    open_folder.chmod(0o755)
    assert said.startswith("Your progress could not be read or saved (Permission denied): set the environment variable")
    assert list(open_folder.iterdir()) == []


def test_a_failed_write_keeps_the_record_and_says_so(folder, monkeypatch):
    Checker(first)(passing)
    kept = (folder / "progress.json").read_bytes()

    def fails(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", fails)
        result = Checker(second)(passing)
        after = progress.reset()
        assert "could not be read" in after.note
        assert after.lessons[0].done == ("first",), "what could not be forgotten is still shown"
    assert result.passed
    assert f"({os.strerror(errno.ENOSPC)})" in result.message
    assert (folder / "progress.json").read_bytes() == kept
    assert sorted(path.name for path in folder.iterdir() if "lock" not in path.name) == ["progress.json"]


def test_a_lock_that_is_held_is_said(folder, monkeypatch):
    monkeypatch.setattr(progress, "LOCK_SECONDS", 0)
    folder.mkdir()
    with FileLock(folder / "progress.json.lock"):
        result = Checker(first)(passing)
        assert "0 of 2" in repr(progress.summary()), "looking needs no lock"
    assert result.passed
    assert "Another notebook keeps your progress locked" in result.message


def test_two_notebooks_at_once_lose_nothing(folder):
    code = """if True:
        import sys
        from utils.exercises import progress
        for number in range(15):
            progress.record_quiz(int(sys.argv[1]) + number, {})
    """
    notebooks = [subprocess.Popen([sys.executable, "-c", code, start], cwd=ROOT) for start in ("100", "200")]
    assert [notebook.wait(timeout=120) for notebook in notebooks] == [0, 0]
    assert len(json.loads((folder / "progress.json").read_text())["quizzes"]) == 30


def test_reset_forgets_one_lesson_or_all_and_keeps_a_backup(folder):
    for each in (first, third):
        Checker(each)(passing)
    progress.record_quiz(1, {"q1": "a"})
    whole = (folder / "progress.json").read_bytes()
    said = progress.reset(1)
    assert said.note == "Lesson 1 is forgotten; the record before is kept as progress.backup-1.json."
    assert [lesson.done for lesson in said.lessons] == [(), ("third",)]
    assert said.lessons[0].quiz is False
    assert (folder / "progress.backup-1.json").read_bytes() == whole
    assert progress.reset().note.startswith("Everything is forgotten")
    assert (folder / "progress.backup-2.json").exists()
    assert [lesson.done for lesson in progress.summary().lessons] == [(), ()]
    assert progress.reset().note == "There was nothing to forget."
    with pytest.raises(ValueError, match="lesson is 15: choose one of 1 to 14, or None for all"):
        progress.reset(15)
