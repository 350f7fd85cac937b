"""The places where an explorer is read, and the tests that every explorer passes in each of them.

A notebook that shows it, exported by nbconvert as a page and as slides; its output alone on a page, light and dark,
narrow and wide, with and without scripts; JupyterLab, untrusted, run live, and reopened. Every request to another
machine is refused and counted.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, SlidesExporter
from nbconvert.exporters import Exporter
from playwright.sync_api import Browser, Page

from tests.support.browser import browser, executable, visit
from tests.support.course_copy import copy_of_the_course
from tests.support.explorer_checks import LIVE
from tests.support.lab import Lab, command, lab

in_a_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(executable() is None, reason="no Chromium or Chrome on this machine"),
]


class EveryPlace:
    """Subclass this for an explorer, or for some that a reader may meet on one page.

    ``sources`` are the cells of a notebook, of which the last, as many as there are ``alts``, show an explorer each;
    ``alts`` are words of their pictures' alternative texts. ``assert_alive(page)`` goes through them as a reader would,
    ``assert_legible(page, dark=)`` measures contrast, ``assert_numbers(page)`` compares what is shown with torch.
    """

    name: ClassVar[str]
    sources: ClassVar[tuple[str, ...]]
    alts: ClassVar[tuple[str, ...]]
    assert_alive: ClassVar[Callable[[Page], None]]
    assert_legible: ClassVar[Callable[..., None]]
    assert_numbers: ClassVar[Callable[[Page], object]]

    @pytest.fixture(scope="class")
    @classmethod
    def chromium(cls) -> Iterator[Browser]:
        with browser() as started:
            yield started

    @pytest.fixture(scope="class")
    @classmethod
    def course(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Make a copy of the course whose only notebook, ``trial.ipynb``, shows the explorers and has been run."""
        folder = tmp_path_factory.mktemp("course")
        copy_of_the_course(folder)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cls.sources])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        NotebookClient(notebook, resources={"metadata": {"path": str(folder / "notebooks")}}).execute()
        nbformat.write(notebook, folder / "notebooks" / "trial.ipynb")
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def served(cls, course: Path) -> Iterator[Lab]:
        with lab(course) as running:
            yield running

    @pytest.fixture(scope="class")
    @classmethod
    def bare(cls, course: Path) -> str:
        """Return the address of a page that holds the explorers' outputs and nothing else."""
        shown = nbformat.read(course / "notebooks" / "trial.ipynb", as_version=4).cells[-len(cls.alts) :]
        outputs = "".join(cell.outputs[0].data["text/html"] for cell in shown)
        page = course / "bare.html"
        page.write_text(f'<!doctype html><meta charset="utf-8"><body style="margin: 0">{outputs}', "utf-8")
        return page.as_uri()

    def exported(self, exporter: type[Exporter], path: Path, *, without: bool = False) -> str:
        """Return the address of the notebook as nbconvert writes it, all on one slide; ``without`` the explorers."""
        notebook = nbformat.read(path, as_version=4)
        if without:
            notebook.cells = notebook.cells[: -len(self.alts)]
        notebook.cells[0].metadata.slideshow = {"slide_type": "slide"}
        page = path.with_suffix(f".{exporter.__name__}{without}.html")
        page.write_text(exporter().from_notebook_node(notebook)[0], "utf-8")
        return page.as_uri()

    @pytest.mark.parametrize("exporter", [HTMLExporter, SlidesExporter])
    def test_static_pages_come_alive_and_ask_for_nothing(self, chromium, course, exporter):
        """What nbconvert's own template asks the network for (and misses) is counted on a page without the explorer."""
        path = course / "notebooks" / "trial.ipynb"
        with visit(chromium) as template:
            template.page.goto(self.exported(exporter, path, without=True), wait_until="load")
        with visit(chromium) as opened:
            opened.page.goto(self.exported(exporter, path), wait_until="load")
            opened.page.wait_for_selector(LIVE, state="attached")  # an explorer may draw once its slide is shown
            opened.page.evaluate("() => { document.onkeydown = (event) => (window.heard ??= []).push(event.key); }")
            self.assert_alive(opened.page)
            assert opened.page.evaluate("window.heard ?? []") == []  # reveal.js would turn the slide at an arrow key
            self.assert_legible(opened.page, dark=False)
        assert set(opened.refused) == set(template.refused)
        assert set(opened.errors) == set(template.errors)

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [400, 1000])
    def test_bare_page_in_light_and_dark_narrow_and_wide(self, chromium, bare, scheme, width, tmp_path):
        with visit(chromium, width=width, color_scheme=scheme, reduced_motion="reduce") as opened:
            opened.page.goto(bare)
            self.assert_alive(opened.page)
            self.assert_legible(opened.page, dark=scheme == "dark")
            assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= width
            folder = Path(os.environ.get("COURSE_SCREENSHOTS") or tmp_path)
            folder.mkdir(parents=True, exist_ok=True)
            opened.page.screenshot(path=folder / f"{self.name}-{scheme}-{width}.png", full_page=True)
        assert (opened.refused, opened.errors) == ([], [])

    def test_without_scripts_the_pictures_are_shown(self, chromium, bare):
        with visit(chromium, scripts=False) as opened:
            opened.page.goto(bare)
            for picture, alt in zip(opened.page.get_by_role("img").all(), self.alts, strict=True):
                assert picture.is_visible()
                assert picture.bounding_box()["height"] > 200
                assert alt in picture.get_attribute("alt")
            assert opened.page.locator(".course-explorer > div").count() == 0
        assert (opened.refused, opened.errors) == ([], [])

    def test_untrusted_notebook_shows_the_pictures(self, chromium, served):
        with visit(chromium) as opened:
            served.open(opened.page, "notebooks/trial.ipynb")
            for alt in self.alts:
                picture = opened.page.locator(f".jp-OutputArea-output img[alt*='{alt}']")
                picture.wait_for(state="visible")
                assert picture.evaluate("(image) => image.naturalWidth") > 300
            assert opened.page.locator("[data-state]").count() == 0
            assert opened.page.evaluate("window.hacked") is None
        assert (opened.refused, opened.errors) == ([], [])

    def test_lab_runs_it_saves_it_and_opens_it_alive_again(self, chromium, served, course):
        path = course / "notebooks" / "saved.ipynb"
        path.write_bytes((course / "notebooks" / "trial.ipynb").read_bytes())
        with visit(chromium) as opened:
            served.open(opened.page, "notebooks/saved.ipynb")
            command(opened.page, "notebook:clear-all-cell-outputs")
            served.run_all(opened.page)
            self.assert_alive(opened.page)
            assert opened.page.evaluate("jupyterapp.shell.currentWidget.content.mode") == "command"
            for dark in (False, True):
                served.theme(opened.page, dark=dark)
                self.assert_legible(opened.page, dark=dark)
            served.theme(opened.page, dark=False)
            command(opened.page, "docmanager:save")
            served.open(opened.page, "notebooks/saved.ipynb")
            opened.page.wait_for_selector(LIVE)
            self.assert_numbers(opened.page)
        assert (opened.refused, opened.errors) == ([], [])
