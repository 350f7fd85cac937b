"""Explorers in a real browser, in every place where a notebook is read.

Every request to another machine is refused and counted.
"""

import os
import re
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from nbconvert import HTMLExporter, SlidesExporter

from tests import explorer_pages
from tests.browser import executable, visit
from tests.explorer_checks import DATA, LIVE, assert_alive, assert_legible, assert_numbers_equal_torch
from tests.explorer_pages import exported
from tests.lab import CELLS, cells, command

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(executable() is None, reason="no Chromium or Chrome on this machine"),
]
EXPLORER = 'DecodingExplorer(logits, tokens, prompt=["The <b>first</b>", "$a$ second"], temperature=0.7, top_k=60)'
SOURCES = ('import sys\nsys.path.insert(0, "..")\nfrom utils.explorers import DecodingExplorer', DATA, EXPLORER)


chromium = explorer_pages.chromium
course = explorer_pages.course
served = explorer_pages.served
bare = explorer_pages.bare


@pytest.mark.parametrize("exporter", [HTMLExporter, SlidesExporter])
def test_static_pages_come_alive_and_ask_for_nothing(chromium, course, exporter):
    """What nbconvert's own template asks the network for (and misses) is counted on a page without the explorer."""
    path = course / "notebooks" / "trial.ipynb"
    with visit(chromium) as template:
        template.page.goto(exported(exporter, path, without_explorer=True), wait_until="load")
    with visit(chromium) as opened:
        opened.page.goto(exported(exporter, path), wait_until="load")
        opened.page.evaluate("() => { document.onkeydown = (event) => (window.heard ??= []).push(event.key); }")
        assert_alive(opened.page)
        assert opened.page.evaluate("window.heard ?? []") == []  # reveal.js would turn the slide at an arrow key
        assert_legible(opened.page, dark=False)
    assert set(opened.refused) == set(template.refused)
    assert set(opened.errors) == set(template.errors)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1000])
def test_bare_page_in_light_and_dark_narrow_and_wide(chromium, bare, scheme, width, tmp_path):
    with visit(chromium, width=width, color_scheme=scheme, reduced_motion="reduce") as opened:
        opened.page.goto(bare)
        assert_alive(opened.page)
        assert_legible(opened.page, dark=scheme == "dark")
        assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= width
        moving = "(bar) => getComputedStyle(bar).transitionDuration"
        assert opened.page.locator(".bar").first.evaluate(moving) == "0s"
        folder = Path(os.environ.get("COURSE_SCREENSHOTS") or tmp_path)
        folder.mkdir(parents=True, exist_ok=True)
        opened.page.screenshot(path=folder / f"explorer-{scheme}-{width}.png", full_page=True)
    assert (opened.refused, opened.errors) == ([], [])


def test_without_scripts_the_picture_is_shown(chromium, bare):
    with visit(chromium, scripts=False) as opened:
        opened.page.goto(bare)
        picture = opened.page.get_by_role("img")
        assert picture.is_visible()
        assert picture.bounding_box()["height"] > 200
        assert "most probable next tokens" in picture.get_attribute("alt")
        assert opened.page.locator(".course-explorer > div").count() == 0
    assert (opened.refused, opened.errors) == ([], [])


def test_failure_in_the_script_leaves_the_picture_and_says_so(chromium, bare, course):
    broken = course / "broken.html"
    html = Path(bare.removeprefix("file://")).read_text("utf-8")
    broken.write_text(re.sub(r'data-payload="[^"]+"', 'data-payload="AAAA"', html), "utf-8")
    with visit(chromium) as opened:
        opened.page.goto(broken.as_uri())
        opened.page.wait_for_selector('.course-explorer[data-state="failed"]')
        assert opened.page.get_by_role("img").is_visible()
        assert "This browser shows the picture only" in opened.page.inner_text("body")


def test_two_explorers_on_one_page_are_two(chromium, bare, course):
    """The same output twice, as with two views of one notebook: equal ids must not confuse them."""
    page = course / "twice.html"
    html = Path(bare.removeprefix("file://")).read_text("utf-8")
    page.write_text(html + html[html.index("<div") :], "utf-8")
    with visit(chromium) as opened:
        opened.page.goto(page.as_uri())
        opened.page.wait_for_function(f"document.querySelectorAll('{LIVE}').length === 2")
        opened.page.get_by_role("slider", name="Temperature").nth(1).press("End")
        shown = opened.page.locator(".course-explorer code").all_inner_texts()
        assert [text.count("temperature=0.7") for text in shown] == [1, 0]


def test_untrusted_notebook_shows_the_picture(chromium, served):
    with visit(chromium) as opened:
        served.open(opened.page, "notebooks/trial.ipynb")
        picture = opened.page.locator(".jp-OutputArea-output img[alt*='most probable next tokens']")
        picture.wait_for(state="visible")
        assert picture.evaluate("(image) => image.naturalWidth") > 300
        assert opened.page.locator("[data-state]").count() == 0
        assert opened.page.evaluate("window.hacked") is None
    assert (opened.refused, opened.errors) == ([], [])


def test_lab_runs_it_saves_it_and_opens_it_alive_again(chromium, served, course):
    path = course / "notebooks" / "saved.ipynb"
    path.write_bytes((course / "notebooks" / "trial.ipynb").read_bytes())
    with visit(chromium) as opened:
        served.open(opened.page, "notebooks/saved.ipynb")
        command(opened.page, "notebook:clear-all-cell-outputs")
        served.run_all(opened.page)
        assert_alive(opened.page)
        assert opened.page.evaluate("jupyterapp.shell.currentWidget.content.mode") == "command"
        for dark in (False, True):
            served.theme(opened.page, dark=dark)
            assert_legible(opened.page, dark=dark)
        served.theme(opened.page, dark=False)
        command(opened.page, "docmanager:save")
        served.open(opened.page, "notebooks/saved.ipynb")
        opened.page.wait_for_selector(LIVE)
        assert_numbers_equal_torch(opened.page)
        # Plain keys are the explorer's, but Shift+Enter runs the cell and goes on, even from within it.
        opened.page.get_by_role("slider", name="Temperature").click()
        opened.page.keyboard.press("ArrowDown")
        assert len(cells(opened.page)) == len(SOURCES)
        opened.page.keyboard.press("Shift+Enter")
        opened.page.wait_for_function(f"{CELLS}.length === {len(SOURCES) + 1}")
        opened.page.wait_for_selector(LIVE)  # the new output, alive like the old one
    assert (opened.refused, opened.errors) == ([], [])
