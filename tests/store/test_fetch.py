"""A plain file from the internet, besides what holds for everything fetched."""

import hashlib
import os
import subprocess
import sys

import pytest

from tests.support.loopback import assert_one_plain_sentence
from tests.support.wanted import FILE
from utils import fetch
from utils.course import ROOT
from utils.errors import CourseError


def test_a_server_that_does_not_say_the_length_will_do_if_all_arrives(file, monkeypatch):
    file.page.with_length = False
    with monkeypatch.context() as patch:
        patch.setattr(file.page, "sent", FILE[:-1])
        file.fails(words="checksum", remedy="run this again")
    assert file.get().read_bytes() == FILE


def test_an_older_edition_stays_until_the_new_one_has_arrived(file):
    file.folder.mkdir(parents=True)
    file.kept.write_bytes(b"an older edition")
    file.page.sent = file.other
    file.fails(words="checksum", remedy="run this again")
    assert file.kept.read_bytes() == b"an older edition"


def test_name_that_does_not_resolve(tmp_path):
    with pytest.raises(CourseError, match=r"^The corpus .* cannot be reached") as caught:
        fetch.download("http://nowhere.invalid/pairs.zip", tmp_path / "pairs.zip", "", description="The corpus")
    assert_one_plain_sentence(str(caught.value), remedy="check the internet")


@pytest.mark.parametrize("disabled", ["1", ""])
def test_the_bar_leaves_no_trace_and_can_be_silenced(file, disabled):
    environment = {**os.environ, "TQDM_DISABLE": disabled}  # tqdm reads it when it is imported
    command = [sys.executable, "-c", f"{file.program}\nget()"]
    outcome = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True)
    assert outcome.stdout == b""
    if disabled:
        assert outcome.stderr == b""
    else:
        assert b"The corpus" in outcome.stderr
        assert outcome.stderr.rstrip(b"\r").split(b"\r")[-1].strip() == b""


def test_only_web_addresses(tmp_path):
    with pytest.raises(ValueError, match="file:///etc/hosts"):
        fetch.download("file:///etc/hosts", tmp_path / "pairs.zip", "", description="The corpus")


def test_sha256_of(tmp_path):
    (tmp_path / "empty").touch()
    assert fetch.sha256_of(tmp_path / "empty") == hashlib.sha256(b"").hexdigest()
