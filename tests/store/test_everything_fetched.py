"""What holds for all that the course fetches: plain files, corpora, models in wheels and models on the Hub."""

import errno
import os
import shutil
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.loopback import assert_one_plain_sentence
from tests.support.wanted import cut_the_network, forbid_everything_but_reading

ANY_WRITER = pytest.mark.parametrize("wanted", ["file", "wheel", "hub"], indirect=True)  # corpora are written as files
# What the server does with the large file, and what is said: a pattern in the reason, and the remedy.
FAULTS = {
    "the file is gone": ({"status": 404}, "error 404", "update the course"),
    "the server is in trouble": ({"status": 503}, "error 503|cannot be reached", "run this again"),  # pip tries again
    "the connection breaks off, again and again": ({"cuts": 1000}, "broke off", "run this again"),
    "half of it arrives": ({"sent": "half"}, "", "run this again"),
    "another file arrives": ({"sent": "other"}, "arrived with the wrong checksum", "run this again"),
}


def test_it_arrives_once_and_is_then_only_read(wanted, server, monkeypatch):
    first = wanted.get()
    fetched = server.gets.copy()
    assert fetched[wanted.address] == 1
    assert not any(name.startswith(".") for name in wanted.listing())
    if wanted.model:
        assert first == wanted.kept.parent
        assert wanted.listing() == {"tiny"}
        assert {path.name for path in first.iterdir()} == {*wanted.model.source.files, "manifest.json"}
    if os.name == "posix":
        modes = {path: path.stat().st_mode & 0o777 for path in wanted.kept.parent.iterdir() if path.is_file()}
        assert set(modes.values()) == {0o644}, f"a classroom may share the folder: {modes}"
    forbid_everything_but_reading(monkeypatch)
    assert wanted.get() == first
    assert server.gets == fetched


def test_each_fault_on_the_way_is_one_plain_sentence_and_leaves_nothing(wanted, server, monkeypatch, subtests):
    page, half = wanted.page, wanted.page.body[: len(wanted.page.body) // 2]
    with subtests.test("no network"), monkeypatch.context() as patch:
        cut_the_network(patch, server)
        wanted.fails(words="cannot be reached", remedy="check the internet connection and run this again")
    for fault, (changes, words, remedy) in FAULTS.items():
        with subtests.test(fault), monkeypatch.context() as patch:
            for name, value in changes.items():
                patch.setattr(page, name, {"half": half, "other": wanted.other}.get(value, value))
            wanted.fails(words=words, remedy=remedy)
    assert wanted.listing() == set()
    assert wanted.get(), "once the way is clear, it arrives"


def test_a_damaged_copy_stays_until_a_whole_one_has_arrived(wanted, server, monkeypatch):
    first = wanted.get()
    whole = wanted.kept.read_bytes()
    damaged = b"\0" + whole[1:-1] + b"\0"  # the same size
    wanted.kept.write_bytes(damaged)
    with monkeypatch.context() as patch:
        cut_the_network(patch, server)
        wanted.fails(words="damaged" if wanted.model else "", remedy="check the internet connection")
    assert wanted.kept.read_bytes() == damaged
    assert wanted.get() == first
    assert wanted.kept.read_bytes() == whole
    assert not any(name.startswith(".") for name in wanted.listing())


# --- the disk


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullFile(BytesIO):
    write = full


@pytest.mark.parametrize(
    ("wanted", "module", "name"),
    [("file", Path, "open"), ("wheel", shutil, "copyfileobj"), ("hub", shutil, "move")],
    indirect=["wanted"],
)
def test_a_full_disk(wanted, module, name, monkeypatch):
    real = Path.open
    fails = full if module is shutil else lambda path, mode="r", **_: FullFile() if "w" in mode else real(path, mode)
    monkeypatch.setattr(module, name, fails)
    wanted.fails(remedy="free some space")


@ANY_WRITER
def test_a_file_where_the_cache_should_be(wanted, cache):
    cache.write_text("in the way")
    wanted.fails(remedy="set COURSE_CACHE")
    assert cache.read_text() == "in the way"


PROGRAM = """
from utils.errors import CourseError
give_up()
try:
    print(get())
except CourseError as error:
    print(error)
"""


@ANY_WRITER
def test_a_folder_without_permission(wanted, server, without_rights):
    wanted.folder.mkdir(parents=True)
    for mode in (0o555,) if wanted.model else (0o555, 0o000):
        wanted.folder.chmod(mode)
        said = without_rights(wanted.program + PROGRAM)
        assert said.startswith(f"{wanted.name} could not be kept in ")
        assert_one_plain_sentence(said, remedy="cannot be written; set COURSE_CACHE to a folder that can")
    assert wanted.listing() == set()
    assert not server.gets


@ANY_WRITER
def test_a_write_that_fails_halfway(wanted, without_room):
    said = without_room(wanted.program + PROGRAM)
    assert "File too large" in said
    assert_one_plain_sentence(said, remedy="run this again")
    assert wanted.listing() == set()
