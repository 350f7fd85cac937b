"""Puts the course's address into every notebook: ``python -m tools.stamp`` after a change in ``utils/course.py``."""

import sys
from pathlib import Path

from nbformat import NotebookNode

from tools import notebook_files
from tools.lesson_template import LAUNCH_TAG, SETUP_TAGS, launch_links, lesson_of, setup_cell


def stamp(notebook: NotebookNode, name: str) -> bool:
    """Renew the setup cell and the launch links of the notebook called ``name`` in place; say whether they changed."""
    before = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        if "setup" in notebook_files.tags_of(cell):
            cell.source, cell.metadata["tags"] = setup_cell(), list(SETUP_TAGS)
        if LAUNCH_TAG in notebook_files.tags_of(cell):
            cell.source = launch_links(lesson_of(name))
    return before != [cell.source for cell in notebook.cells]


def main(folder: Path = notebook_files.FOLDER) -> int:
    """Stamp every notebook in ``folder``, print a line for each, and return the exit status."""
    for path in sorted(folder.glob("*.ipynb")):
        notebook = notebook_files.read(path)
        changed = stamp(notebook, path.name)
        if changed:
            notebook_files.write(notebook, path)
        print(f"{path.name:<44} {'renewed' if changed else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
