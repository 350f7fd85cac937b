"""Each lesson run once a session with the network cut, for all tests that look at what came out."""

import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.lab import REPOSITORY, copy_of_the_course
from tools import notebook_files
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
# Outputs of these cells belong to a reader or a machine, are live, or say how long something took.
PERSONAL = {"setup", "play", "progress", "timed"}


@dataclass(frozen=True)
class Run:
    """How long a lesson took from top to bottom, and what its cells gave."""

    seconds: float
    outputs: list[list[str]]


@cache
def run_cut_off(lesson: Path) -> Run:
    """Run a copy of ``lesson`` in a kernel that reaches no other machine; the second time the first run is returned."""
    with tempfile.TemporaryDirectory(prefix="course-lesson-") as temporary:
        folder = Path(temporary)
        (folder / "sitecustomize.py").write_text(CUT)
        path = os.pathsep.join(filter(None, (temporary, os.environ.get("PYTHONPATH"))))
        copy = copy_of_the_course(folder, lesson) / lesson.name
        seconds = run(copy, environment={"PYTHONPATH": path})
        return Run(seconds, numbers(notebook_files.read(copy).cells))


def numbers(cells: list[dict]) -> list[list[str]]:
    """Return what each code cell printed and showed, as plain strings, besides what is personal and live widgets."""
    return [
        [_text(output) for output in cell["outputs"] if notebook_files.WIDGET_VIEW not in output.get("data", {})]
        for cell in cells
        if cell["cell_type"] == "code" and not PERSONAL & set(cell["metadata"].get("tags", ()))
    ]


def _text(output: dict) -> str:
    data = output.get("data", {})
    return "".join(data.get("image/png") or data.get("text/plain") or output["text"]).strip()
