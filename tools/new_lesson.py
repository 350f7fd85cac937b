"""Writes an empty lesson that already runs and passes the gate: ``python -m tools.new_lesson 4``."""

import argparse
import subprocess
import sys
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from tools import notebook_files, skeleton
from utils.lessons import LESSONS, Lesson
from utils.storage import replacing


def empty_lesson(lesson: Lesson) -> NotebookNode:
    """Return the notebook of an empty lesson, not run yet."""
    notebook = new_notebook(cells=list(skeleton.cells(lesson)), metadata={"course": {"lesson": lesson.number}})
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:03d}"
    notebook_files.tidy(notebook)
    return notebook


def create(number: int, root: Path = notebook_files.FOLDER.parent) -> list[Path]:
    """Write the notebook, the checks and the wrong answers of lesson ``number`` under ``root``; return their paths.

    Raises ``ValueError`` if there is no such lesson, and if one of the three files exists: nothing is overwritten.
    """
    lesson = next((each for each in LESSONS if each.number == number), None)
    if lesson is None:
        raise ValueError(f"There is no lesson {number}: the course has lessons 1 to {len(LESSONS)}.")
    notebook = root / "notebooks" / lesson.file
    texts = {
        root / "utils" / "exercises" / f"lesson_{number:02d}.py": skeleton.checks(lesson),
        root / "tests" / "exercises" / "wrong_answers" / f"lesson_{number:02d}.py": skeleton.wrong_answers(lesson),
    }
    for path in (notebook, *texts):
        if path.exists():
            raise ValueError(f"{path.relative_to(root)} exists and is not overwritten: delete it first to start anew.")
    for path, text in texts.items():
        with replacing(path) as temporary:
            temporary.write_text(text, "utf-8")
    notebook_files.write(empty_lesson(lesson), notebook)
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", notebook, *texts], check=True)
    return [notebook, *texts]


def main(arguments: list[str] | None = None) -> int:
    """Create the lesson named on the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.new_lesson", description=__doc__)
    parser.add_argument("number", type=int, help="the number of the lesson, 1 to 14")
    try:
        paths = create(parser.parse_args(arguments).number)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for path in paths:
        print(path.relative_to(notebook_files.FOLDER.parent))
    print("Run it with python -m tools.run_notebooks, then see CONTRIBUTING.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
