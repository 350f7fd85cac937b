"""A copy of the course to run a lesson in: its outputs, and what else it writes, stay out of the original."""

import shutil
from pathlib import Path

import nbformat

from utils.course import ROOT

REPOSITORY = ROOT


def copy_of_the_course(folder: Path, *notebooks: Path, keep_outputs: bool = False) -> Path:
    """Copy what a lesson needs, ``utils`` and the given ``notebooks``, into ``folder``; return its notebooks folder."""
    shutil.copytree(REPOSITORY / "utils", folder / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "notebooks").mkdir()
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code" and not keep_outputs:
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, folder / "notebooks" / path.name)
    return folder / "notebooks"
