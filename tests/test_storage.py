from pathlib import Path

import pytest

from utils import storage
from utils.errors import CourseError


def test_folders_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    assert storage.cache_folder() == tmp_path / "cache"
    assert storage.data_folder() == tmp_path / "data"


def test_without_overrides_folders_carry_the_course_name(monkeypatch):
    monkeypatch.delenv("COURSE_CACHE", raising=False)
    monkeypatch.delenv("COURSE_DATA", raising=False)
    assert storage.APPLICATION in str(storage.cache_folder())
    assert storage.cache_folder() != storage.data_folder()


def test_replacing_makes_the_folder_and_leaves_one_file(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with storage.replacing(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_file_as_it_was(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write_half(path: Path) -> None:
        path.write_text("ha")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), storage.replacing(target) as temporary:
        write_half(temporary)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_course_error_shows_as_its_sentence_alone():
    assert CourseError("No network.")._render_traceback_() == ["CourseError: No network."]
