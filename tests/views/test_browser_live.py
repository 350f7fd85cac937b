"""The live loop in a real JupyterLab: type, choose, press, fail, as a reader does; in both themes and on a phone."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.explorer_checks import CONTRAST, LIVE, NODES
from tests.support.explorer_pages import notebook_of
from tools import notebook_files
from tools.browser import visit
from tools.lab import cells, command
from utils.explorers import delivery

pytestmark = pytest.mark.browser

# What runs in the notebook, and here for comparison: weights that depend on every letter, and three ways to fail.
MODEL = """
import torch
from utils.explorers import AlignmentView
from utils.explorers.loop import live

def weights_of(text, sharpness=1.0):
    seed = sum(place * ord(letter) for place, letter in enumerate(text, 1))
    length = len(text.split())
    return (sharpness * torch.randn(length, length, generator=torch.Generator().manual_seed(seed))).softmax(dim=1)

ran = []
def run(text, sharpness):
    ran.append((text, sharpness))
    words = text.split()
    if len(words) > 9:
        raise ValueError(f"{len(words)} words are more than 9; leave some out, <i>{words[-1]}</i> for one.")
    if text == "divide":
        return 1 / 0
    if text == "a slow one":
        open("gate").read()  # until the test opens the other end
    return text if text == "say it" else AlignmentView(weights_of(text, sharpness), words, words)
"""
LOOP = 'live(run, text="the cat sat down", choices={"sharpness": [1.0, 3.0]}, examples=["one two", "<b>one</b> two"])'
PATH = "notebooks/live.ipynb"
HOSTILE = '<img src=x onerror="window.hacked=1"> </script> <b>bold'
# The same measure of contrast, on the nearest background that is painted.
PAINTED = """((at) => {
    while (getComputedStyle(at).backgroundColor === "rgba(0, 0, 0, 0)") at = at.parentElement;
    return at;
})(node)"""
BEHIND = CONTRAST.replace('node.closest(".view")', PAINTED)


@pytest.fixture(scope="module")
def session(served, kernel):
    """Connect the notebook's path to the kernel that all share."""
    nbformat.write(notebook_of(), served.folder / PATH)
    served.connect(PATH, kernel)


@pytest.fixture
def page(chromium, served, session):
    """Write a notebook of three cells, open it in a page of its own, run it, and find no error in the end."""
    nbformat.write(notebook_of(MODEL, LOOP, "print(ran)"), served.folder / PATH)  # without outputs
    with visit(chromium) as visited:
        served.open(visited.page, PATH)
        visited.page.evaluate("() => jupyterapp.shell.collapseLeft()")
        served.run_all(visited.page)
        expect(visited.page.locator(LIVE)).to_have_count(1)
        yield visited.page
        assert (visited.refused, visited.errors) == ([], [])


def field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Sentence")


def type_in(page: Page, text: str) -> None:
    field(page).fill(text)
    field(page).press("Enter")


def button(page: Page) -> Locator:
    return page.get_by_role("button", name="Run", exact=True)


def ready(page: Page) -> None:
    """Wait until no model runs."""
    expect(button(page)).to_be_enabled()


def assert_shows(page: Page, text: str, sharpness: float = 1.0) -> None:
    """Wait for the one explorer that shows ``text``, alive, and compare its numbers with the model's."""
    names: dict = {}
    exec(MODEL, names)
    expected = names["weights_of"](text, sharpness)
    payload = re.search('data-payload="([^"]*)"', names["AlignmentView"](expected, text.split(), text.split()).html)[1]
    root = page.locator(f'{LIVE}[data-payload="{payload}"]')
    expect(root).to_have_count(1)
    expect(page.locator(".course-explorer")).to_have_count(1)
    words = [delivery.visible(word) for word in text.split()]
    expect(root.get_by_role("option")).to_have_text(words)
    root.get_by_role("slider").press("Home")  # alive: the first word's weight, as the page computes and says it
    best = int(expected[0].argmax())
    expect(root.locator(".detail")).to_contain_text(f"“{words[best]}” with ")
    share = float(re.search(r"with (\d+\.\d)%", root.locator(".detail").inner_text())[1]) / 100
    assert abs(share - expected[0, best]) < 0.0045


def ran(page: Page) -> list:
    """Run the notebook's last cell and return what the model was given so far."""
    page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 3; }")
    before = cells(page)[3]["execution_count"]
    command(page, "notebook:run-cell")
    page.wait_for_function(
        "(before) => jupyterapp.shell.currentWidget.content.model.cells.get(3).executionCount > before", arg=before
    )
    ready(page)
    return eval(cells(page)[3]["outputs"][0]["text"])


def test_reader_types_chooses_and_presses(page):
    assert_shows(page, "the cat sat down")
    type_in(page, "another sentence")
    assert_shows(page, "another sentence")
    field(page).fill("typed and not entered")
    button(page).click()  # leaves the field, too
    assert_shows(page, "typed and not entered")
    page.get_by_role("combobox", name="sharpness").select_option("3.0")
    assert_shows(page, "typed and not entered", 3.0)
    for _ in range(2):
        page.get_by_role("combobox", name="Examples").select_option("<b>one</b> two")
        assert_shows(page, "<b>one</b> two", 3.0)
        expect(field(page)).to_have_value("<b>one</b> two")
        expect(page.get_by_role("combobox", name="Examples")).to_have_value("choose…")
        type_in(page, "in between")
        assert_shows(page, "in between", 3.0)
    type_in(page, "say it")
    expect(page.locator(".jupyter-widgets .jp-OutputArea-output pre")).to_have_text("say it")
    expect(page.locator(".course-explorer")).to_have_count(0)
    ready(page)
    between = [("<b>one</b> two", 3.0), ("in between", 3.0)]
    told = [("the cat sat down", 1.0), ("another sentence", 1.0), ("typed and not entered", 1.0)]
    assert ran(page) == [*told, ("typed and not entered", 3.0), *between, *between, ("say it", 3.0)]


def test_html_is_text_and_failures_are_sentences(page):
    type_in(page, HOSTILE)
    assert_shows(page, HOSTILE)
    type_in(page, f"one two three four five six {HOSTILE}")
    alert = page.get_by_role("alert")
    expect(alert).to_have_text(
        "11 words are more than 9; leave some out, <i><b>bold</i> for one."
        f"Below is still the result for “{HOSTILE}”, sharpness 1.0."
    )
    assert_shows(page, HOSTILE)  # the last picture is still there, and still alive
    type_in(page, "divide")
    expect(alert).to_contain_text("ZeroDivisionError: division by zero")
    alert.get_by_text("Where it happened").click()
    expect(alert.locator("pre")).to_contain_text("return 1 / 0")
    type_in(page, "  ")
    expect(alert).to_contain_text("The field “Sentence” is empty: type something and press Enter.")
    type_in(page, "all is well")
    assert_shows(page, "all is well")
    expect(alert).to_have_count(0)
    assert page.evaluate("window.hacked") is None
    assert page.locator(".jp-OutputArea-output img[src=x]").count() == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_while_the_model_runs_the_button_says_so_and_the_last_picture_stays(page, served):
    gate = served.folder / "notebooks" / "gate"
    os.mkfifo(gate)
    page.get_by_role("combobox", name="sharpness").select_option("3.0")
    assert_shows(page, "the cat sat down", 3.0)
    type_in(page, "a slow one")
    try:
        busy = page.get_by_role("button", name="Running…")
        expect(busy).to_be_disabled()
        busy.dispatch_event("click")  # which a disabled button does not hear
        assert_shows(page, "the cat sat down", 3.0)
    finally:
        gate.write_text("")
    assert_shows(page, "a slow one", 3.0)
    ready(page)
    assert ran(page)[2:] == [("a slow one", 3.0)]


def test_many_runs_leave_one_explorer_and_a_lean_page(page):
    inspector = page.context.new_cdp_session(page)
    inspector.send("Performance.enable")

    def kept() -> float:
        inspector.send("HeapProfiler.collectGarbage")
        metrics = inspector.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "Nodes")

    def run(numbers: range) -> float:
        for number in numbers:
            type_in(page, f"sentence number {number}")
            assert_shows(page, f"sentence number {number}")
        ready(page)
        return kept()

    before, after = run(range(5)), run(range(5, 20))
    one = page.locator(LIVE).evaluate(NODES)
    assert after - before < 5 * one  # fifteen more would be kept; one or two may still wait to be collected


def test_saved_notebook_keeps_no_view_and_a_reloaded_page_goes_on(page, served):
    type_in(page, "before the page is reloaded")
    assert_shows(page, "before the page is reloaded")
    command(page, "docmanager:save")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    saved = nbformat.read(served.folder / PATH, as_version=4)
    notebook_files.tidy(saved)
    assert saved.cells[2].outputs == []
    served.open(page, PATH)
    assert_shows(page, "before the page is reloaded")
    type_in(page, "after it")
    assert_shows(page, "after it")


def test_legible_in_light_and_dark_narrow_and_wide(page, served, tmp_path):
    folder = Path(os.environ.get("COURSE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    type_in(page, "one two three four five six seven eight nine ten")
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    ready(page)
    for width in (400, 1000):
        page.set_viewport_size({"width": width, "height": 900})
        for dark in (True, False):
            served.theme(page, dark=dark)
            expect(page.locator("#jupyterlab-splash")).to_have_count(0)
            area = page.locator(".course-live").bounding_box()
            for part in (alert, field(page), button(page), page.get_by_text("Examples", exact=True)):
                box = part.bounding_box()
                assert box["x"] >= area["x"], part
                assert box["x"] + box["width"] <= area["x"] + area["width"] <= width, part
                paper, contrast = part.evaluate(BEHIND)
                assert (paper < 0.25) == dark, part
                assert contrast > 4.5, (part, contrast)
            assert field(page).evaluate("(node) => parseFloat(getComputedStyle(node).fontSize)") >= 14
            page.screenshot(path=folder / f"live-{'dark' if dark else 'light'}-{width}.png")
    page.set_viewport_size({"width": 1400, "height": 900})
