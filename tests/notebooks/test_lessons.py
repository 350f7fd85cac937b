"""What runs a lesson: nbval with the network cut, whose results others read; a GPU where there is one."""

import os
import subprocess
import sys

import pytest
import torch

from tests.support import lesson_runs
from tests.support.lesson_runs import CONNECT, CUT, LESSONS, run_cut_off
from tools import notebook_files
from tools.course_copy import copy_of_the_course
from tools.run_notebooks import run


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_trains_on_cuda_with_nothing_to_configure(lesson, tmp_path, monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    copy = copy_of_the_course(tmp_path, lesson) / lesson.name
    run(copy, environment={"COURSE_DEVICE": "", "COURSE_PROFILE": ""})
    report = next(cell for cell in notebook_files.read(copy).cells if cell.cell_type == "code").outputs[0].text
    assert torch.cuda.get_device_name() in report
    assert "full profile" in report


def test_the_cut_cuts(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(CUT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    said = subprocess.run([sys.executable, "-c", CONNECT], capture_output=True, text=True).stderr
    assert "the network is cut: no connection to 192.0.2.1" in said


def test_what_nbval_ran_is_not_run_again_by_any_process(tmp_path, monkeypatch):
    monkeypatch.setenv(lesson_runs.SHARED, str(tmp_path))
    printed = [{"output_type": "stream", "name": "stdout", "text": text} for text in ("once\n", ["or ", "twice\n"])]
    shown = {"output_type": "execute_result", "data": {"text/plain": "three"}}
    cell = {"cell_type": "code", "metadata": {}, "outputs": [printed[0], shown, printed[1]]}
    lesson_runs.record(tmp_path / "no_such_file.ipynb", 2.0, [cell])
    assert run_cut_off(tmp_path / "no_such_file.ipynb") == lesson_runs.Run(2.0, [["once\nor twice", "three"]])
