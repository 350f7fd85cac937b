"""What the tests of views in a browser share: one JupyterLab with one kernel, and pages that hold a view alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import Exporter
from playwright.sync_api import Browser, Locator

from tests.support.explorer_pages import EXPORTERS, bare_page, exported
from tools.browser import visit
from tools.course_copy import copy_of_the_course
from tools.lab import Lab, lab


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the course without its lessons; every class puts a notebook of its own there."""
    folder = tmp_path_factory.mktemp("course")
    copy_of_the_course(folder)
    return folder


@pytest.fixture(scope="session")
def served(course: Path) -> Iterator[Lab]:
    """Serve that copy with one JupyterLab for all tests of this process."""
    with lab(course) as running:
        yield running


@pytest.fixture(scope="session")
def kernel(served: Lab) -> str:
    """Start one kernel for all their notebooks, so that PyTorch is imported once."""
    return served.start_kernel("notebooks")


@pytest.fixture(scope="session")
def template_faults(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> dict[type[Exporter], tuple[set[str], set[str]]]:
    """Return what a page of nbconvert's asks the network for, and misses, when no view is on it."""
    found = {}
    plain = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    for exporter in EXPORTERS:
        with visit(chromium) as opened:
            opened.page.goto(exported(plain, exporter, tmp_path_factory.mktemp("template")), wait_until="load")
        found[exporter] = set(opened.refused), set(opened.errors)
    return found


@pytest.fixture
def alone(chromium: Browser, tmp_path: Path) -> Iterator[Callable[..., list[Locator]]]:
    """Return a way to show outputs, and nothing else, on a page, which must not ask for anything, or fail."""
    with visit(chromium, reduced_motion="reduce") as opened:

        def show(*outputs: str, width: int = 1400, scheme: str = "light", state: str = "live") -> list[Locator]:
            opened.page.set_viewport_size({"width": width, "height": 900})
            opened.page.emulate_media(color_scheme=scheme)
            opened.page.goto(bare_page("".join(outputs), tmp_path / "alone.html"))
            found = opened.page.locator(f".course-explorer[data-state={state}]")
            found.nth(len(outputs) - 1).wait_for()
            return found.all()

        yield show
    assert (opened.refused, opened.errors) == ([], [])
