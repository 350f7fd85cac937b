"""The steps of attention and the alignment view in a real browser, in every place where a notebook is read."""

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.support.browser import visit
from tests.support.explorer_pages import EveryPlace, in_a_browser
from tests.support.view_checks import (
    ALIGNMENT,
    DATA,
    STEPS,
    assert_alignment_alive,
    assert_steps_alive,
    assert_steps_equal_torch,
    assert_views_legible,
    view,
)
from utils.explorers import AttentionSteps

pytestmark = in_a_browser


class TestStepsAndAlignment(EveryPlace):
    name = "views"
    sources = ('import sys\nsys.path.insert(0, "..")', DATA, STEPS, ALIGNMENT)
    alts = ("the stages of attention", "Heat map of attention weights")
    assert_legible = staticmethod(assert_views_legible)

    def assert_alive(self, page):
        assert_steps_alive(page)
        assert_alignment_alive(page)

    def assert_numbers(self, page):
        assert_steps_equal_torch(view(page, "steps"))
        assert_alignment_alive(page)

    def test_arithmetic_is_spelled_out(self, chromium, course):
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

    def test_large_scores_and_words_that_see_nothing(self, chromium, course):
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

    def test_generated_words_appear_one_by_one_on_the_map(self, chromium, bare):
        """Rows that have not been generated yet are not painted, those that have are."""
        opaque = """(canvas) => {
            const pen = canvas.getContext("2d");
            const ratio = canvas.width / parseFloat(canvas.style.width);
            const tall = (parseFloat(canvas.style.height) - 106) / 5;
            const x = parseFloat(canvas.style.width) - 8;
            const at = (row) => pen.getImageData(ratio * x, ratio * (104 + tall * row + 5), 1, 1);
            return [0, 1, 2, 3, 4].map((row) => at(row).data[3]);
        }"""
        with visit(chromium) as opened:
            opened.page.goto(bare)
            root = view(opened.page, "alignment")
            heat = root.locator("canvas").last
            assert heat.evaluate(opaque) == [255] * 5
            root.get_by_role("slider").press("Home")
            root.get_by_role("slider").press("ArrowRight")
            assert heat.evaluate(opaque) == [255, 255, 0, 0, 0]
