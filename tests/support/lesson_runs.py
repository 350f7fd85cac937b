"""What each lesson gave when it ran with the network cut, once a test run, for all tests that look at it."""

import dataclasses
import json
import os
import tempfile
from pathlib import Path

from tools import notebook_files
from tools.course_copy import REPOSITORY, copy_of_the_course
from tools.run_notebooks import run
from utils.storage import replacing

SHARED = "COURSE_TEST_RUNS"  # the variable that names the folder which all processes of a test run share
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
CONNECT = "import urllib.request; urllib.request.urlopen('http://192.0.2.1', timeout=5)"  # what it must stop
# Outputs of these cells belong to a reader or a machine, are live, or say how long something took.
PERSONAL = {"setup", "play", "progress", "timed"}


@dataclasses.dataclass(frozen=True)
class Run:
    """How long a lesson took from top to bottom, and what its cells gave."""

    seconds: float
    outputs: list[list[str]]


def cut_off(folder: Path) -> dict[str, str]:
    """Return the variables that make a kernel reach no other machine; ``folder`` holds what it needs for that."""
    (folder / "sitecustomize.py").write_text(CUT)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))}


def record(lesson: Path, seconds: float, cells: list[dict]) -> None:
    """Keep what a run of ``lesson`` from top to bottom gave, so that ``run_cut_off`` need not run it once more."""
    kept = dataclasses.asdict(Run(seconds, numbers(cells)))
    with replacing(_place(lesson)) as temporary:
        temporary.write_text(json.dumps(kept), "utf-8")


def recorded(lesson: Path) -> Run | None:
    """Return the run of ``lesson`` that was kept, by whichever process, if there was one."""
    place = _place(lesson)
    return Run(**json.loads(place.read_text("utf-8"))) if place.exists() else None


def run_cut_off(lesson: Path) -> Run:
    """Return a run of ``lesson`` in a kernel that reaches no other machine: nbval's if there was one."""
    if (found := recorded(lesson)) is not None:
        return found
    with tempfile.TemporaryDirectory(prefix="course-lesson-") as temporary:
        copy = copy_of_the_course(Path(temporary), lesson) / lesson.name
        seconds = run(copy, environment=cut_off(Path(temporary)))
        record(lesson, seconds, notebook_files.read(copy).cells)
    return recorded(lesson)


def _place(lesson: Path) -> Path:
    return Path(os.environ[SHARED], f"{lesson.stem}.json")


def numbers(cells: list[dict]) -> list[list[str]]:
    """Return what each code cell printed and showed, as plain strings, besides what is personal and live widgets."""
    return [
        _texts([output for output in cell["outputs"] if notebook_files.WIDGET_VIEW not in output.get("data", {})])
        for cell in cells
        if cell["cell_type"] == "code" and not PERSONAL & set(cell["metadata"].get("tags", ()))
    ]


def _texts(outputs: list[dict]) -> list[str]:
    """Return the outputs as text; what was printed is one, though front ends cut it wherever a cell took its time."""
    texts, printed = [], {}
    for output in outputs:
        data = output.get("data", {})
        text = "".join(data.get("image/png") or data.get("text/plain") or output["text"])
        if (place := printed.get(output.get("name"))) is not None:
            texts[place] += text
            continue
        if output["output_type"] == "stream":
            printed[output["name"]] = len(texts)
        texts.append(text)
    return [text.strip() for text in texts]
