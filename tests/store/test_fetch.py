import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.loopback import assert_one_plain_sentence, closed_port_url
from utils import fetch
from utils.course import ROOT
from utils.errors import CourseError

BODY = bytes(range(256)) * 4096  # 1 MiB, several chunks
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def destination(tmp_path) -> Path:
    return tmp_path / "corpora" / "pairs.zip"


def fails(url: str, destination: Path, *, remedy: str, sha256: str = SHA256) -> str:
    """Check that the download ends in one plain sentence and leaves nothing behind; return the sentence."""
    before = sorted(destination.parent.iterdir()) if destination.parent.is_dir() else []
    with pytest.raises(CourseError) as caught:
        fetch.download(url, destination, sha256, description="The corpus")
    assert (sorted(destination.parent.iterdir()) if destination.parent.is_dir() else []) == before
    message = str(caught.value)
    assert message.startswith("The corpus ")
    assert_one_plain_sentence(message, remedy=remedy)
    return message


def test_a_file_arrives_whole_and_is_not_fetched_twice(server, destination):
    server.serve("/pairs.zip", BODY)
    for _ in range(2):
        assert fetch.download(f"{server.url}/pairs.zip", destination, SHA256, description="The corpus") == destination
    assert destination.read_bytes() == BODY
    if os.name == "posix":
        assert destination.stat().st_mode & 0o777 == 0o644, "a classroom may share the folder"
    assert [path.name for path in destination.parent.iterdir()] == ["pairs.zip"]
    assert server.gets["/pairs.zip"] == 1


def test_a_server_that_does_not_say_the_length_will_do(server, destination):
    server.serve("/pairs.zip", BODY, with_length=False)
    fetch.download(f"{server.url}/pairs.zip", destination, SHA256, description="The corpus")
    assert destination.read_bytes() == BODY


def test_a_damaged_file_is_replaced(server, destination):
    server.serve("/pairs.zip", BODY)
    destination.parent.mkdir()
    destination.write_bytes(BODY[:-1])
    fetch.download(f"{server.url}/pairs.zip", destination, SHA256, description="The corpus")
    assert destination.read_bytes() == BODY


@pytest.mark.parametrize("disabled", ["1", ""])
def test_the_bar_leaves_no_trace_and_can_be_silenced(server, destination, disabled):
    server.serve("/pairs.zip", BODY)
    program = "import sys; from pathlib import Path; from utils import fetch; "
    program += "fetch.download(sys.argv[1], Path(sys.argv[2]), sys.argv[3], description='The corpus')"
    command = [sys.executable, "-c", program, f"{server.url}/pairs.zip", str(destination), SHA256]
    environment = {**os.environ, "TQDM_DISABLE": disabled}  # tqdm reads it when it is imported
    outcome = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True)
    assert outcome.stdout == b""
    if disabled:
        assert outcome.stderr == b""
    else:
        assert b"The corpus" in outcome.stderr
        assert outcome.stderr.rstrip(b"\r").split(b"\r")[-1].strip() == b""


def test_unreachable(destination):
    assert "cannot be reached" in fails(f"{closed_port_url()}/pairs.zip", destination, remedy="check the internet")


def test_name_that_does_not_resolve(destination):
    assert "cannot be reached" in fails("http://nowhere.invalid/pairs.zip", destination, remedy="check the internet")


def test_not_found(server, destination):
    assert "404" in fails(f"{server.url}/pairs.zip", destination, remedy="update the course")


def test_server_error(server, destination):
    server.serve("/pairs.zip", BODY, status=500)
    assert "500" in fails(f"{server.url}/pairs.zip", destination, remedy="run this again")


def test_connection_cut_halfway_then_a_clean_start(server, destination):
    page = server.serve("/pairs.zip", BODY, cuts=1)
    assert "broke off" in fails(f"{server.url}/pairs.zip", destination, remedy="run this again")
    assert page.cuts == 0
    fetch.download(f"{server.url}/pairs.zip", destination, SHA256, description="The corpus")
    assert destination.read_bytes() == BODY


def test_truncated_without_a_length_fails_the_checksum(server, destination):
    server.serve("/pairs.zip", BODY, sent=BODY[:-1], with_length=False)
    assert "checksum" in fails(f"{server.url}/pairs.zip", destination, remedy="run this again")


def test_wrong_checksum_leaves_an_older_file_alone(server, destination):
    server.serve("/pairs.zip", BODY[::-1])
    destination.parent.mkdir()
    destination.write_bytes(b"an older edition")
    assert "checksum" in fails(f"{server.url}/pairs.zip", destination, remedy="run this again")
    assert destination.read_bytes() == b"an older edition"


def test_disk_full(server, destination, monkeypatch):
    server.serve("/pairs.zip", BODY)
    whole = Path.open

    def failing(path, mode="r", *arguments, **settings):
        file = whole(path, mode, *arguments, **settings)
        if "w" not in mode:
            return file
        file.close()
        return FullFile()

    monkeypatch.setattr(Path, "open", failing)
    fails(f"{server.url}/pairs.zip", destination, remedy="free some space")


class FullFile:
    """A file on a disk that has room for one chunk, which no test can have for real."""

    room = 1

    def __enter__(self) -> "FullFile":
        return self

    def __exit__(self, *_) -> None:
        pass

    def write(self, _) -> None:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= 1


def test_a_file_where_the_folder_should_be(server, tmp_path):
    server.serve("/pairs.zip", BODY)
    (tmp_path / "corpora").write_text("in the way")
    fails(f"{server.url}/pairs.zip", tmp_path / "corpora" / "pairs.zip", remedy="set COURSE_CACHE")
    assert (tmp_path / "corpora").read_text() == "in the way"


PROGRAM = """
from pathlib import Path
from utils import fetch
from utils.errors import CourseError
give_up()
url, destination, sha256 = sys.argv[1:]
try:
    print(fetch.download(url, Path(destination), sha256, description="The corpus"))
except CourseError as error:
    print(error)
"""


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_without_permission(server, open_folder, without_rights, mode):
    server.serve("/pairs.zip", BODY)
    (open_folder / "corpora").mkdir()
    (open_folder / "corpora").chmod(mode)
    said = without_rights(PROGRAM, f"{server.url}/pairs.zip", open_folder / "corpora" / "pairs.zip", SHA256)
    assert said.startswith("The corpus could not be kept in ")
    assert_one_plain_sentence(said, remedy="set COURSE_CACHE")
    assert not server.gets


def test_a_write_that_fails_halfway(server, destination, without_room):
    server.serve("/pairs.zip", BODY)
    said = without_room(PROGRAM, f"{server.url}/pairs.zip", destination, SHA256)
    assert "the system reports “File too large”" in said
    assert_one_plain_sentence(said, remedy="set COURSE_CACHE")
    assert list(destination.parent.iterdir()) == []
    assert server.gets["/pairs.zip"] == 1


def test_only_web_addresses(destination):
    with pytest.raises(ValueError, match="file:///etc/hosts"):
        fetch.download("file:///etc/hosts", destination, SHA256, description="The corpus")


def test_sha256_of(tmp_path):
    (tmp_path / "empty").touch()
    assert fetch.sha256_of(tmp_path / "empty") == hashlib.sha256(b"").hexdigest()
