"""The decoding explorer in a real browser, in every place where a notebook is read."""

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.support.browser import visit
from tests.support.explorer_checks import DATA, LIVE, assert_alive, assert_legible, assert_numbers_equal_torch
from tests.support.explorer_pages import EveryPlace, in_a_browser
from tests.support.lab import CELLS, cells

pytestmark = in_a_browser
EXPLORER = 'DecodingExplorer(logits, tokens, prompt=["The <b>first</b>", "$a$ second"], temperature=0.7, top_k=60)'


class TestDecodingExplorer(EveryPlace):
    name = "decoding"
    sources = ('import sys\nsys.path.insert(0, "..")\nfrom utils.explorers import DecodingExplorer', DATA, EXPLORER)
    alts = ("most probable next tokens",)
    assert_alive = staticmethod(assert_alive)
    assert_legible = staticmethod(assert_legible)
    assert_numbers = staticmethod(assert_numbers_equal_torch)

    def test_nothing_moves_for_those_who_ask_for_that(self, chromium, bare):
        with visit(chromium, reduced_motion="reduce") as opened:
            opened.page.goto(bare)
            opened.page.wait_for_selector(LIVE)
            moving = "(bar) => getComputedStyle(bar).transitionDuration"
            assert opened.page.locator(".bar").first.evaluate(moving) == "0s"

    def test_failure_in_the_script_leaves_the_picture_and_says_so(self, chromium, bare, course):
        broken = course / "broken.html"
        html = Path(bare.removeprefix("file://")).read_text("utf-8")
        broken.write_text(re.sub(r'data-payload="[^"]+"', 'data-payload="AAAA"', html), "utf-8")
        with visit(chromium) as opened:
            opened.page.goto(broken.as_uri())
            opened.page.wait_for_selector('.course-explorer[data-state="failed"]')
            assert opened.page.get_by_role("img").is_visible()
            assert "This browser shows the picture only" in opened.page.inner_text("body")

    def test_two_explorers_on_one_page_are_two(self, chromium, bare, course):
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

    def test_plain_keys_are_the_explorers_but_shift_enter_runs_the_cell(self, chromium, served, course):
        path = course / "notebooks" / "keys.ipynb"
        path.write_bytes((course / "notebooks" / "trial.ipynb").read_bytes())
        with visit(chromium) as opened:
            served.open(opened.page, "notebooks/keys.ipynb")
            served.run_all(opened.page)
            opened.page.wait_for_selector(LIVE)
            opened.page.get_by_role("slider", name="Temperature").click()
            opened.page.keyboard.press("ArrowDown")
            assert len(cells(opened.page)) == len(self.sources)
            opened.page.keyboard.press("Shift+Enter")
            opened.page.wait_for_function(f"{CELLS}.length === {len(self.sources) + 1}")
            opened.page.wait_for_selector(LIVE)  # the new output, alive like the old one
        assert (opened.refused, opened.errors) == ([], [])
