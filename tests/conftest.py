"""What test files share: no proxy, a server, a browser, child processes that lack rights or room on the disk."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support import missing_browser
from tests.support.loopback import Loopback
from tools.browser import browser
from utils.course import ROOT

NOBODY, CANNOT = 65534, 77
WITHOUT_RIGHTS = f"""
import os, sys
def give_up():
    if os.geteuid() == 0:  # whom no permission stops
        try:
            os.setgroups([])
            os.setgid({NOBODY})
            os.setuid({NOBODY})
        except OSError:
            sys.exit({CANNOT})
"""
WITHOUT_ROOM = """
import resource, sys
def give_up(size=16_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
"""
Run = Callable[..., str]


@pytest.fixture(autouse=True)
def _no_proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach the server on 127.0.0.1, and nothing else, directly; slow tests may fetch real models, so they keep it."""
    if request.node.get_closest_marker("slow"):
        return
    for name in ("http_proxy", "https_proxy", "all_proxy", "pip_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("no_proxy", "*")  # for a proxy in the settings of the system


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start one Chromium for all tests of this process."""
    missing_browser.end_without_one()
    with browser() as started:
        yield started


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return an empty folder that any account may enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for parent, names, _ in os.walk(folder):
        for name in names:
            Path(parent, name).chmod(0o755)  # what a test made unreadable can be removed again
    shutil.rmtree(folder)


def _run(prelude: str, program: str, *arguments: object) -> str:
    """Run ``program`` from the root of the course and return what it prints; it is to import, then to ``give_up()``."""
    command = [sys.executable, "-B", "-c", prelude + program, *map(str, arguments)]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    if outcome.returncode == CANNOT:
        pytest.skip("the administrator cannot become another user here")
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.strip()


@pytest.fixture
def without_rights() -> Run:
    """Return a way to run a program that, once it has called ``give_up()``, is bound by permissions."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions are another matter on Windows")
    return lambda program, *arguments: _run(WITHOUT_RIGHTS, program, *arguments)


@pytest.fixture
def without_room() -> Run:
    """Return a way to run a program that, once it has called ``give_up(size)``, cannot write a file beyond that."""
    pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    return lambda program, *arguments: _run(WITHOUT_ROOM, program, *arguments)
