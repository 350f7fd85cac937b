"""The steps of attention and the alignment view in a real browser, in every place where a notebook is read."""

import os
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from nbconvert import HTMLExporter, SlidesExporter

from tests import explorer_pages
from tests.browser import executable, visit
from tests.lab import command
from tests.view_checks import (
    ALIGNMENT,
    DATA,
    STEPS,
    assert_alignment_alive,
    assert_steps_alive,
    assert_steps_equal_torch,
    assert_views_legible,
    view,
)
from utils.explorers.steps import AttentionSteps

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(executable() is None, reason="no Chromium or Chrome on this machine"),
]
SOURCES = ('import sys\nsys.path.insert(0, "..")', DATA, STEPS, ALIGNMENT)
ALTS = {"steps": "the stages of attention", "alignment": "Heat map of attention weights"}


chromium = explorer_pages.chromium
course = explorer_pages.course
served = explorer_pages.served


@pytest.fixture(scope="module")
def bare(course):
    """Return the address of a page that holds both views' outputs and nothing else."""
    shown = nbformat.read(course / "notebooks" / "trial.ipynb", as_version=4).cells[-2:]
    outputs = "".join(cell.outputs[0].data["text/html"] for cell in shown)
    page = course / "bare.html"
    page.write_text(f'<!doctype html><meta charset="utf-8"><body style="margin: 0">{outputs}', "utf-8")
    return page.as_uri()


def exported(exporter, path, *, without_views=False):
    notebook = nbformat.read(path, as_version=4)
    if without_views:
        notebook.cells = notebook.cells[:-2]
    notebook.cells[0].metadata.slideshow = {"slide_type": "slide"}  # one slide, so that both views can be seen at once
    page = path.with_suffix(f".{exporter.__name__}{without_views}.html")
    page.write_text(exporter().from_notebook_node(notebook)[0], "utf-8")
    return page.as_uri()


def assert_both_alive(page):
    assert_steps_alive(page)
    assert_alignment_alive(page)


@pytest.mark.parametrize("exporter", [HTMLExporter, SlidesExporter])
def test_static_pages_come_alive_and_ask_for_nothing(chromium, course, exporter):
    """What nbconvert's own template asks the network for (and misses) is counted on a page without the views."""
    path = course / "notebooks" / "trial.ipynb"
    with visit(chromium) as template:
        template.page.goto(exported(exporter, path, without_views=True), wait_until="load")
    with visit(chromium) as opened:
        opened.page.goto(exported(exporter, path), wait_until="load")
        opened.page.evaluate("() => { document.onkeydown = (event) => (window.heard ??= []).push(event.key); }")
        assert_both_alive(opened.page)
        assert opened.page.evaluate("window.heard ?? []") == []  # reveal.js would turn the slide at an arrow key
        assert_views_legible(opened.page, dark=False)
    assert set(opened.refused) == set(template.refused)
    assert set(opened.errors) == set(template.errors)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1000])
def test_bare_page_in_light_and_dark_narrow_and_wide(chromium, bare, scheme, width, tmp_path):
    with visit(chromium, width=width, color_scheme=scheme, reduced_motion="reduce") as opened:
        opened.page.goto(bare)
        assert_both_alive(opened.page)
        assert_views_legible(opened.page, dark=scheme == "dark")
        assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= width
        folder = Path(os.environ.get("COURSE_SCREENSHOTS") or tmp_path)
        folder.mkdir(parents=True, exist_ok=True)
        opened.page.screenshot(path=folder / f"views-{scheme}-{width}.png", full_page=True)
    assert (opened.refused, opened.errors) == ([], [])


def test_without_scripts_the_pictures_are_shown(chromium, bare):
    with visit(chromium, scripts=False) as opened:
        opened.page.goto(bare)
        for picture, alt in zip(opened.page.get_by_role("img").all(), ALTS.values(), strict=True):
            assert picture.is_visible()
            assert picture.bounding_box()["height"] > 200
            assert alt in picture.get_attribute("alt")
        assert opened.page.locator(".course-explorer > div").count() == 0
    assert (opened.refused, opened.errors) == ([], [])


def test_untrusted_notebook_shows_the_pictures(chromium, served):
    with visit(chromium) as opened:
        served.open(opened.page, "notebooks/trial.ipynb")
        for alt in ALTS.values():
            picture = opened.page.locator(f".jp-OutputArea-output img[alt*='{alt}']")
            picture.wait_for(state="visible")
            assert picture.evaluate("(image) => image.naturalWidth") > 300
        assert opened.page.locator("[data-state]").count() == 0
        assert opened.page.evaluate("window.hacked") is None
    assert (opened.refused, opened.errors) == ([], [])


def test_lab_runs_them_saves_them_and_opens_them_alive_again(chromium, served, course):
    path = course / "notebooks" / "saved.ipynb"
    path.write_bytes((course / "notebooks" / "trial.ipynb").read_bytes())
    with visit(chromium) as opened:
        served.open(opened.page, "notebooks/saved.ipynb")
        command(opened.page, "notebook:clear-all-cell-outputs")
        served.run_all(opened.page)
        assert_both_alive(opened.page)
        for dark in (False, True):
            served.theme(opened.page, dark=dark)
            assert_views_legible(opened.page, dark=dark)
        served.theme(opened.page, dark=False)
        command(opened.page, "docmanager:save")
        served.open(opened.page, "notebooks/saved.ipynb")
        assert_steps_equal_torch(view(opened.page, "steps"))
        assert_alignment_alive(opened.page)
    assert (opened.refused, opened.errors) == ([], [])


def test_arithmetic_is_spelled_out(chromium, course):
    """On round numbers every equals sign is one; where a number had to be rounded it says so."""
    made = AttentionSteps(
        [[0.5, 1, 0, 0]], [[1, 0.7, 0, 0], [0, 1, 3, 0]], [[1.0], [-2]], tokens=["q"], key_tokens=["k", "m"]
    )
    page = course / "arithmetic.html"
    page.write_text(f'<!doctype html><meta charset="utf-8">{made.html}', "utf-8")
    expected = [
        "“q” · “k”: 0.50·1.00 + 1.00·0.70 + 0.00·0.00 + 0.00·0.00 = 1.20, ÷ √4 = 0.60",
        "“q” may look at “k”: 0.60 + 0 = 0.60",
        "“q” → “k”: exp(0.60) ÷ (exp(0.60) + exp(0.50)) ≈ 1.82 ÷ (1.82 + 1.65) ≈ 0.5250",
        "Context of “q” = 0.52 × value of “k” + 0.48 × value of “m”\nd1: 0.52·1.00 + 0.48·(−2.00) ≈ −0.4251",
    ]
    with visit(chromium) as opened:
        opened.page.goto(page.as_uri())
        root = view(opened.page, "steps")
        for stage, said in enumerate(expected):
            root.get_by_role("tab").nth(stage).click()
            root.locator(".result .cell").first.hover()
            assert root.locator(".detail").inner_text() == said
    assert (opened.refused, opened.errors) == ([], [])


def test_large_scores_and_words_that_see_nothing(chromium, course):
    """Softmax of scores in the hundreds neither overflows nor hides; a fully masked row gives zeros."""
    made = AttentionSteps([[500.0], [1.0]], [[1.0], [1.002]], [[1.0], [0.0]], mask=[[1, 1], [0, 0]])
    page = course / "large.html"
    page.write_text(f'<!doctype html><meta charset="utf-8">{made.html}', "utf-8")
    with visit(chromium) as opened:
        opened.page.goto(page.as_uri())
        root = view(opened.page, "steps")
        root.get_by_role("tab").nth(2).click()
        shown = root.locator(".result .cell").evaluate_all("(all) => all.map((cell) => Number(cell.dataset.value))")
        assert shown == pytest.approx([0.268941, 0.731059, 0, 0], abs=1e-4)
        root.locator(".result .cell").first.hover()
        assert "(the row’s highest, 501, taken off each score first)" in root.locator(".detail").inner_text()
        root.locator(".result .cell").last.hover()
        assert "may look at nothing" in root.locator(".detail").inner_text()
    assert (opened.refused, opened.errors) == ([], [])


def test_generated_words_appear_one_by_one_on_the_map(chromium, bare):
    """Rows that have not been generated yet are not painted, those that have are."""
    opaque = """(canvas) => {
        const pen = canvas.getContext("2d");
        const ratio = canvas.width / parseFloat(canvas.style.width);
        const tall = (parseFloat(canvas.style.height) - 106) / 5;
        const x = parseFloat(canvas.style.width) - 8;
        return [0, 1, 2, 3, 4].map((row) => pen.getImageData(ratio * x, ratio * (104 + tall * row + 5), 1, 1).data[3]);
    }"""
    with visit(chromium) as opened:
        opened.page.goto(bare)
        root = view(opened.page, "alignment")
        heat = root.locator("canvas").last
        assert heat.evaluate(opaque) == [255] * 5
        root.get_by_role("slider").press("Home")
        root.get_by_role("slider").press("ArrowRight")
        assert heat.evaluate(opaque) == [255, 255, 0, 0, 0]
