import os
from pathlib import Path

import pytest

from utils import storage
from utils.errors import CourseError


def test_folders_carry_the_course_name_and_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_CACHE", raising=False)
    monkeypatch.delenv("COURSE_DATA", raising=False)
    assert storage.APPLICATION in str(storage.cache_folder())
    assert storage.cache_folder() != storage.data_folder()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    assert storage.cache_folder() == tmp_path / "cache"
    assert storage.data_folder() == tmp_path / "data"


def test_a_file_is_replaced_when_it_is_whole_and_left_as_it_was_when_the_write_fails(tmp_path):
    target = tmp_path / "new" / "file.txt"

    def write_half(path: Path) -> None:
        path.write_text("ha")
        raise OSError("disk full")

    with storage.replacing(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    with pytest.raises(OSError, match="disk full"), storage.replacing(target) as temporary:
        write_half(temporary)
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.skipif(os.name != "posix", reason="permissions are another matter on Windows")
def test_what_is_written_may_be_read_by_all_or_as_few_as_asked(tmp_path):
    for settings, mode in (({}, 0o644), ({"mode": 0o600}, 0o600)):
        with storage.replacing(tmp_path / "file.txt", **settings) as temporary:
            temporary.write_text("whole")
        assert (tmp_path / "file.txt").stat().st_mode & 0o777 == mode


def test_a_drive_that_keeps_no_permissions_will_do(tmp_path, monkeypatch):
    def refuses(path, mode):
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuses)
    with storage.replacing(tmp_path / "file.txt") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "file.txt").read_text() == "whole"


def test_a_write_that_really_fails_leaves_the_old_file_as_it_was(tmp_path, without_room):
    target = tmp_path / "file.txt"
    target.write_text("old")
    program = """
from pathlib import Path
from utils import storage
give_up()
try:
    with storage.replacing(Path(sys.argv[1])) as temporary:
        temporary.write_bytes(bytes(100_000))
except OSError as error:
    print(error.strerror)
"""
    assert without_room(program, target) == "File too large"
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_course_error_shows_as_its_sentence_alone():
    assert CourseError("No network.")._render_traceback_() == ["CourseError: No network."]
