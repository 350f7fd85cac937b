"""Every lesson from top to bottom, twice, with the network cut; and on a GPU where there is one."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch

from tests.lab import REPOSITORY, copy_of_the_course
from tools.run_notebooks import run

LESSONS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
# Python imports a module of this name when it starts, so a kernel is cut off before its first cell.
CUT = """
import socket

def only_this_machine(self, address, connect=socket.socket.connect):
    if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"the network is cut: no connection to {address[0]}")
    return connect(self, address)

socket.socket.connect = only_this_machine
"""

BUDGET = 240  # seconds: twice what a lesson may take on two free cores, since a test machine is seldom free

pytestmark = pytest.mark.slow
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)


CONNECT = "import urllib.request; urllib.request.urlopen('http://192.0.2.1', timeout=5)"


def outputs_of(path: Path) -> list:
    return [cell.outputs for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@each_lesson
def test_without_a_network_a_lesson_runs_and_gives_the_same_numbers_again(lesson, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(CUT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    copy = copy_of_the_course(tmp_path, lesson) / lesson.name
    assert run(copy) < BUDGET
    first = outputs_of(copy)
    run(copy)
    assert outputs_of(copy) == first


@pytest.mark.gpu
@each_lesson
def test_a_lesson_trains_on_cuda_with_nothing_to_configure(lesson, tmp_path, monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    copy = copy_of_the_course(tmp_path, lesson) / lesson.name
    run(copy, environment={"COURSE_DEVICE": "", "COURSE_PROFILE": ""})
    report = outputs_of(copy)[0][0].text
    assert torch.cuda.get_device_name() in report
    assert "full profile" in report


def test_the_cut_cuts(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(CUT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    said = subprocess.run([sys.executable, "-c", CONNECT], capture_output=True, text=True).stderr
    assert "the network is cut: no connection to 192.0.2.1" in said
