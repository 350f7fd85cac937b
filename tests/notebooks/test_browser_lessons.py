"""Every lesson in a real JupyterLab: Run > Run All Cells ends without an error and asks no other machine for anything.

What it prints and draws there is, to the last digit, what it gave when it ran with the network cut.

Set ``COURSE_SCREENSHOTS`` to a folder to have every screenful photographed, in the light theme and in the dark one.
"""

import os
from pathlib import Path

import pytest

from tests.support.lesson_runs import LESSONS, numbers, run_cut_off
from tools.browser import photograph, visit
from tools.course_copy import copy_of_the_course
from tools.lab import cells, command, lab
from tools.run_notebooks import KERNEL_ENVIRONMENT

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ON_EVERY_CHANGE = "01_introduction"  # a short one, to see that lessons and JupyterLab agree; the others run nightly
IN_LAB = [
    pytest.param(path, id=path.stem, marks=() if path.stem == ON_EVERY_CHANGE else pytest.mark.nightly)
    for path in LESSONS
]


@pytest.mark.parametrize("path", IN_LAB)
def test_lesson_runs_in_lab_and_gives_the_same_numbers_again(path, chromium, tmp_path, monkeypatch):
    for name, value in KERNEL_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    copy_of_the_course(tmp_path, path)
    with lab(tmp_path) as running, visit(chromium) as opened:
        running.open(opened.page, f"notebooks/{path.name}")
        running.run_all(opened.page, timeout=600)
        outputs = [output for cell in cells(opened.page) for output in cell.get("outputs", [])]
        assert [output["evalue"] for output in outputs if output["output_type"] == "error"] == []
        code = [cell for cell in cells(opened.page) if cell["cell_type"] == "code" and cell["source"]]
        assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
        assert numbers(cells(opened.page)) == run_cut_off(path).outputs
        if folder := os.environ.get("COURSE_SCREENSHOTS"):
            command(opened.page, "application:toggle-left-area")
            for theme in ("light", "dark"):
                running.theme(opened.page, dark=theme == "dark")
                photograph(opened.page, Path(folder), f"{path.stem}-{theme}")
    assert (opened.refused, opened.errors) == ([], [])
