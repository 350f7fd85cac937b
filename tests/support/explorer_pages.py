"""The places where a view is read, and the tests that every view passes in each of them.

A notebook that shows it, exported by nbconvert as a page and as slides; its output alone on a page, light and dark,
narrow and wide, with and without scripts; JupyterLab, untrusted, run live, and reopened. Every request to another
machine is refused and counted.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import nbformat
import pytest
from nbconvert import HTMLExporter, SlidesExporter
from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from playwright.sync_api import Locator, Page, expect

from tests.support.explorer_checks import LIVE, NODES, assert_legible, press, views
from tools.browser import visit
from tools.lab import CELLS, cells, command

EXPORTERS = (HTMLExporter, SlidesExporter)
PATH = 'import sys\nsys.path.insert(0, "..")\n'


def notebook_of(*sources: str) -> NotebookNode:
    """Return a notebook of those cells, which find the course beside their folder."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (PATH, *sources)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    return notebook


def exported(notebook: NotebookNode, exporter: type[Exporter], folder: Path) -> str:
    """Return the address of a notebook as nbconvert writes it, all on one slide."""
    notebook.cells[0].metadata.slideshow = {"slide_type": "slide"}
    page = folder / f"{exporter.__name__}.html"
    page.write_text(exporter().from_notebook_node(notebook)[0], "utf-8")
    return page.as_uri()


def bare_page(html: str, path: Path) -> str:
    """Return the address of a page that holds outputs and nothing else."""
    path.write_text(f'<!doctype html><meta charset="utf-8"><body style="margin: 0">{html}', "utf-8")
    return path.as_uri()


class EveryPlace:
    """Subclass this for a view, or for some that a reader may meet on one page.

    ``data`` is a cell that makes what is shown, ``shows`` are those that show it, a view each; ``alts`` are words of
    their pictures' alternative texts, ``texts`` selectors of every kind of text in them, ``most_nodes`` how many
    elements each may have. ``walk`` uses them as a reader would, ``assert_numbers`` compares what they show with torch;
    both are given the page and the views.
    """

    name: ClassVar[str]
    data: ClassVar[str]
    shows: ClassVar[tuple[str, ...]]
    alts: ClassVar[tuple[str, ...]]
    texts: ClassVar[tuple[str, ...]]
    most_nodes: ClassVar[tuple[int, ...]]

    def walk(self, page: Page, *roots: Locator) -> None:
        raise NotImplementedError

    def assert_numbers(self, page: Page, *roots: Locator) -> None:
        raise NotImplementedError

    @classmethod
    @cache
    def given(cls) -> dict[str, Any]:
        """Return what the notebook's cells make."""
        names: dict[str, Any] = {}
        exec(cls.data, names)
        return names

    @classmethod
    @cache
    def outputs(cls) -> tuple[str, ...]:
        """Return the HTML that the notebook's last cells show."""
        return tuple(eval(show, dict(cls.given())).html for show in cls.shows)

    @classmethod
    def notebook(cls) -> NotebookNode:
        """Return the notebook as it is after a run."""
        notebook = notebook_of(cls.data, *cls.shows)
        shown = notebook.cells[-len(cls.shows) :]
        for cell, html in zip(shown, cls.outputs(), strict=True):
            cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": html, "text/plain": "a view"})]
        return notebook

    def assert_alive(self, page: Page) -> None:
        """Wait for the views, walk through them, and count what that made of the page."""
        roots = views(page, len(self.shows))
        self.walk(page, *roots)
        for root, most in zip(roots, self.most_nodes, strict=True):
            assert root.evaluate(NODES) < most
        assert page.evaluate("window.hacked") is None

    def assert_legible(self, page: Page, *, dark: bool) -> None:
        """Measure the contrast of every kind of text, and that the background is the theme's."""
        assert_legible(page, self.texts, dark=dark)

    @pytest.mark.parametrize("exporter", [HTMLExporter, pytest.param(SlidesExporter, marks=pytest.mark.nightly)])
    def test_static_pages_come_alive_and_ask_for_nothing(self, chromium, template_faults, tmp_path, exporter):
        with visit(chromium) as opened:
            opened.page.goto(exported(self.notebook(), exporter, tmp_path), wait_until="load")
            opened.page.wait_for_selector(LIVE, state="attached")  # a view may draw once its slide is shown
            opened.page.evaluate("() => { document.onkeydown = (event) => (window.heard ??= []).push(event.key); }")
            self.assert_alive(opened.page)
            assert opened.page.evaluate("window.heard ?? []") == []  # reveal.js would turn the slide at an arrow key
            self.assert_legible(opened.page, dark=False)
        assert (set(opened.refused), set(opened.errors)) == template_faults[exporter]

    @pytest.mark.parametrize(
        ("width", "scheme"),
        [
            (400, "dark"),
            (1000, "light"),
            pytest.param(400, "light", marks=pytest.mark.nightly),
            pytest.param(1000, "dark", marks=pytest.mark.nightly),
        ],
    )
    def test_bare_page_in_light_and_dark_narrow_and_wide(self, alone, width, scheme, tmp_path):
        """Walk through it in one scheme, then look at what that left in the other."""
        schemes = (scheme, "light" if scheme == "dark" else "dark")
        page = alone(*self.outputs(), width=width, scheme=scheme)[0].page
        self.assert_alive(page)
        folder = Path(os.environ.get("COURSE_SCREENSHOTS") or tmp_path)
        folder.mkdir(parents=True, exist_ok=True)
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            self.assert_legible(page, dark=scheme == "dark")
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            page.screenshot(path=folder / f"{self.name}-{scheme}-{width}.png", full_page=True)

    def test_without_scripts_the_pictures_are_shown(self, chromium, tmp_path):
        with visit(chromium, scripts=False) as opened:
            opened.page.goto(bare_page("".join(self.outputs()), tmp_path / "bare.html"))
            for picture, alt in zip(opened.page.get_by_role("img").all(), self.alts, strict=True):
                assert picture.is_visible()
                assert picture.bounding_box()["height"] > 200
                assert alt in picture.get_attribute("alt")
            assert opened.page.locator(".course-explorer > div").count() == 0
        assert (opened.refused, opened.errors) == ([], [])

    def test_lab_shows_pictures_until_it_is_trusted_runs_saves_and_opens_alive_again(self, chromium, served, kernel):
        path = f"notebooks/{self.name}.ipynb"
        nbformat.write(self.notebook(), served.folder / path)
        served.connect(path, kernel)
        with visit(chromium) as opened:
            page = opened.page
            served.open(page, path)
            for alt in self.alts:
                picture = page.locator(f".jp-OutputArea-output img[alt*='{alt}']")
                picture.wait_for(state="visible")
                assert picture.evaluate("(image) => image.naturalWidth") > 300
            assert page.locator("[data-state]").count() == 0
            assert page.evaluate("window.hacked") is None

            command(page, "notebook:clear-all-cell-outputs")
            served.run_all(page)
            self.assert_alive(page)
            assert page.evaluate("jupyterapp.shell.currentWidget.content.mode") == "command"
            for dark in (True, False):
                served.theme(page, dark=dark)
                self.assert_legible(page, dark=dark)

            command(page, "docmanager:save")
            served.open(page, path)
            self.assert_numbers(page, *views(page, len(self.shows)))
            self.assert_keys_are_the_views(page)
        assert (opened.refused, opened.errors) == ([], [])

    def assert_keys_are_the_views(self, page: Page) -> None:
        """Press a plain key in the last view, which JupyterLab must not hear; Shift+Enter is JupyterLab's."""
        count = len(cells(page))
        page.locator(LIVE).last.locator("input, select, [tabindex='0']").first.focus()
        press(page, "ArrowDown")
        assert len(cells(page)) == count
        press(page, "Shift+Enter")
        page.wait_for_function(f"{CELLS}.length === {count + 1}")  # run, and a new cell after the last
        expect(page.locator(LIVE)).to_have_count(len(self.shows))  # the new output is as alive as the old one
