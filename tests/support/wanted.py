"""What a test wants fetched, whatever it is, and the faults on the way that everything fetched must survive."""

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import filelock
import pytest

from tests.support.loopback import Loopback, Page, assert_one_plain_sentence, closed_port_url
from utils import downloads
from utils.errors import CourseError
from utils.model_cache import Model

FILE = bytes(range(256)) * 4096  # 1 MiB, several chunks
CAPTIONS = {
    "train": [("A dog runs.", "Un chien court."), ("Two men.", "Deux hommes.")],
    "val": [("A red hat.", "Un chapeau rouge.")],
    "test_2016_flickr": [("A girl reads.", "Une fille lit.")],
}
SNIPPETS = {"neg": "dull , and long . \nnot a film \x96 a nap\n", "pos": "it's a joy . \nclever and kind .\n"}


@dataclass
class Wanted:
    """A file, a corpus or a model that ``get`` fetches."""

    name: str  # with which every complaint begins
    get: Callable[[], object]
    server: Loopback
    address: str  # of its large file
    kept: Path  # where that is kept
    other: bytes  # another content of the same form
    program: str = ""  # defines ``get`` in another process
    model: Model | None = None

    @property
    def page(self) -> Page:
        """What serves the large file."""
        return self.server.pages[self.address]

    @property
    def folder(self) -> Path:
        """Where nothing half-written may be seen: the corpora, or the models."""
        return self.kept.parents[1] if self.model else self.kept.parent

    def listing(self) -> set[str]:
        """Return what the folder holds, the empty lock files aside."""
        return (
            {path.name for path in self.folder.iterdir() if path.suffix != ".lock"} if self.folder.is_dir() else set()
        )

    def fails(self, *, remedy: str, words: str = "") -> None:
        """Check that ``get`` ends in one plain sentence that ``words`` match and leaves the folder as it was."""
        before = self.listing()
        with pytest.raises(CourseError) as caught:
            self.get()
        assert self.listing() == before, "something is left behind"
        message = str(caught.value)
        assert message.removeprefix(f"{self.kept.name} of ").startswith(self.name), message
        assert re.search(words, message), message
        assert_one_plain_sentence(message, remedy=remedy)


def cut_the_network(patch: pytest.MonkeyPatch, server: Loopback) -> None:
    """Send everything that fetches to a port at which nothing listens."""
    nowhere = closed_port_url()
    patch.setattr(server, "url", nowhere)
    patch.setattr(downloads, "MULTI30K_URL", nowhere)
    patch.setattr(downloads, "POLARITY_URL", nowhere)
    patch.setenv("PIP_INDEX_URL", f"{nowhere}/simple")
    patch.setenv("HF_ENDPOINT", nowhere)


def forbid_everything_but_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every connection, child process, lock and new file or folder an error."""

    def forbidden(*_, **__):
        raise AssertionError("what is in the cache must only be read")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(subprocess, "Popen", forbidden)
    monkeypatch.setattr(filelock, "FileLock", forbidden)
    for module, name in ((tempfile, "mkdtemp"), (tempfile, "mkstemp"), (os, "mkdir")):
        monkeypatch.setattr(module, name, forbidden)
