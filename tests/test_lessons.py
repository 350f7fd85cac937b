"""Every lesson from top to bottom, twice, with the network cut; and on a GPU where there is one."""

import os
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

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)]


def outputs_of(path: Path) -> list:
    return [cell.outputs for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_without_a_network_a_lesson_runs_and_gives_the_same_numbers_again(lesson, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(CUT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    copy = copy_of_the_course(tmp_path, lesson) / lesson.name
    run(copy)
    first = outputs_of(copy)
    run(copy)
    assert outputs_of(copy) == first


@pytest.mark.gpu
def test_a_lesson_trains_on_cuda_with_nothing_to_configure(lesson, tmp_path, monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    monkeypatch.setenv("COURSE_DEVICE", "cuda")
    monkeypatch.setenv("COURSE_PROFILE", "full")
    run(copy_of_the_course(tmp_path, lesson) / lesson.name)
