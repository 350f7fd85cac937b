"""The places where an explorer is read, as fixtures: a course whose only notebook shows it, a JupyterLab, a bare page.

A test module names the notebook's cells in ``SOURCES`` (the last one shows the explorer) and takes what it needs, as in
``chromium = explorer_pages.chromium``.
"""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert.exporters import Exporter
from playwright.sync_api import Browser

from tests.browser import browser
from tests.lab import Lab, copy_of_the_course, lab


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def course(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a copy of the course whose only notebook, ``trial.ipynb``, shows an explorer and has been run."""
    folder = tmp_path_factory.mktemp("course")
    copy_of_the_course(folder)
    sources = request.module.SOURCES
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    NotebookClient(notebook, resources={"metadata": {"path": str(folder / "notebooks")}}).execute()
    nbformat.write(notebook, folder / "notebooks" / "trial.ipynb")
    return folder


@pytest.fixture(scope="module")
def served(course: Path) -> Iterator[Lab]:
    with lab(course) as running:
        yield running


@pytest.fixture(scope="module")
def bare(course: Path) -> str:
    """Return the address of a page that holds the explorer's output and nothing else."""
    output = nbformat.read(course / "notebooks" / "trial.ipynb", as_version=4).cells[-1].outputs[0].data["text/html"]
    page = course / "bare.html"
    page.write_text(f'<!doctype html><meta charset="utf-8"><body style="margin: 0">{output}', "utf-8")
    return page.as_uri()


def exported(exporter: type[Exporter], path: Path, *, without_explorer: bool = False) -> str:
    """Return the address of the notebook at ``path`` as nbconvert writes it, every cell a slide of its own."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.slideshow = {"slide_type": "slide"}
    if without_explorer:
        notebook.cells.pop()
    page = path.with_suffix(f".{exporter.__name__}{without_explorer}.html")
    page.write_text(exporter().from_notebook_node(notebook)[0], "utf-8")
    return page.as_uri()
