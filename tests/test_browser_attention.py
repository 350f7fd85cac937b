"""The attention explorer in a real browser, in every place where a notebook is read; see test_browser.py."""

import os
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from nbconvert import HTMLExporter, SlidesExporter

from tests import explorer_pages
from tests.attention_checks import DATA, EXPLORER, assert_alive, assert_every_head_equals_torch, assert_legible
from tests.attention_samples import weights
from tests.browser import executable, visit
from tests.explorer_checks import LIVE, NODES
from tests.explorer_pages import exported
from tests.lab import command
from utils.explorers.attention import AttentionExplorer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(executable() is None, reason="no Chromium or Chrome on this machine"),
]
IMPORT = 'import sys\nsys.path.insert(0, "..")\nfrom utils.explorers.attention import AttentionExplorer'
SOURCES = (IMPORT, DATA, EXPLORER)

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
        if exporter is SlidesExporter:  # the explorer draws once its slide is shown
            opened.page.wait_for_selector('.course-explorer[data-state="live"]', state="attached")
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
        folder = Path(os.environ.get("COURSE_SCREENSHOTS") or tmp_path)
        folder.mkdir(parents=True, exist_ok=True)
        opened.page.screenshot(path=folder / f"attention-{scheme}-{width}.png", full_page=True)
    assert (opened.refused, opened.errors) == ([], [])


def test_drawings_follow_when_the_reader_changes_the_light_or_the_width(chromium, bare):
    with visit(chromium, width=1000) as opened:
        opened.page.goto(bare)
        opened.page.wait_for_selector(LIVE)
        opened.page.emulate_media(color_scheme="dark")
        assert_legible(opened.page, dark=True)
        opened.page.set_viewport_size({"width": 400, "height": 900})
        canvas = "document.querySelector('.course-explorer > div').shadowRoot.querySelector('.map > canvas')"
        opened.page.wait_for_function(f"{canvas}.clientWidth < 400")
    assert (opened.refused, opened.errors) == ([], [])


def test_without_scripts_the_picture_is_shown(chromium, bare):
    with visit(chromium, scripts=False) as opened:
        opened.page.goto(bare)
        picture = opened.page.get_by_role("img")
        assert picture.is_visible()
        assert picture.bounding_box()["height"] > 200
        assert picture.get_attribute("alt").startswith("Heat map of layer 2, head 1")
        assert opened.page.locator(".course-explorer > div").count() == 0
    assert (opened.refused, opened.errors) == ([], [])


@pytest.mark.parametrize("size", [1, 64, 256])
def test_long_texts_stay_light(chromium, tmp_path, size):
    """At 256 tokens, 6 layers of 2 heads (a model's 12 of real weights take 3.4 MB): few nodes, every key at work."""
    made = AttentionExplorer(weights(6, 1, 2, size, size), [f"word{number}" for number in range(size)])
    page = tmp_path / "long.html"
    page.write_text(f'<!doctype html><meta charset="utf-8">{made.html}', "utf-8")
    with visit(chromium, width=1400) as opened:
        opened.page.goto(page.as_uri())
        opened.page.wait_for_selector(LIVE)
        assert opened.page.evaluate(NODES) < 2_000
        opened.page.locator(".course-explorer [role=option]").first.focus()
        opened.page.keyboard.press("End")
        assert opened.page.locator(".detail").inner_text().startswith(f"word{size - 1} looks at")
    assert (opened.refused, opened.errors) == ([], [])


def test_untrusted_notebook_shows_the_picture(chromium, served):
    with visit(chromium) as opened:
        served.open(opened.page, "notebooks/trial.ipynb")
        picture = opened.page.locator(".jp-OutputArea-output img[alt^='Heat map of layer 2']")
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
        command(opened.page, "docmanager:save")
        served.open(opened.page, "notebooks/saved.ipynb")
        opened.page.wait_for_selector(LIVE)
        assert_every_head_equals_torch(opened.page)
    assert (opened.refused, opened.errors) == ([], [])
