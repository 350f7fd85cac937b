"""The comparison view and the measured curves in a real browser, in every place where a notebook is read."""

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.support.attention_samples import weights
from tests.support.browser import visit
from tests.support.compare_checks import (
    CURVES,
    DATA,
    MAPS,
    assert_both_legible,
    assert_cells_equal_torch,
    assert_compare_alive,
    assert_curves_alive,
)
from tests.support.explorer_checks import LIVE, NODES
from tests.support.explorer_pages import EveryPlace, in_a_browser
from tests.support.view_checks import view
from utils.explorers.compare import CompareView

pytestmark = in_a_browser


def shown_alone(page, made, folder):
    path = folder / "alone.html"
    path.write_text(f'<!doctype html><meta charset="utf-8">{made.html}', "utf-8")
    page.goto(path.as_uri())
    page.wait_for_selector(LIVE)
    return page.locator(".course-explorer")


class TestComparisonAndCurves(EveryPlace):
    name = "compare"
    sources = ('import sys\nsys.path.insert(0, "..")', DATA, MAPS, CURVES)
    alts = ("Heat maps of attention", "Line chart: BLEU by words")
    assert_legible = staticmethod(assert_both_legible)

    def assert_alive(self, page):
        assert_compare_alive(page)
        assert_curves_alive(page)

    def assert_numbers(self, page):
        assert_cells_equal_torch(page, (2, 2), (None, None))
        view(page, "curves")

    def test_sides_of_different_size_say_why_there_is_no_difference(self, chromium, tmp_path):
        made = CompareView(weights(3, 1, 2, 4, 4), weights(2, 1, 3, 6, 6), list("abcd"), second_tokens=list("uvwxyz"))
        with visit(chromium) as opened:
            root = shown_alone(opened.page, made, tmp_path)
            assert "No difference map: the two have 4 × 4 and 6 × 6 tokens" in root.locator(".maps").inner_text()
            assert (root.locator("canvas").count(), root.locator(".chart").count()) == (2, 1)
            root.locator("canvas").nth(1).focus()
            for _ in range(9):
                opened.page.keyboard.press("ArrowDown")
            first, second = root.locator("output").all_inner_texts()
            assert first == ""
            assert abs(float(second) - weights(2, 1, 3, 6, 6)[1, 0].mean(dim=0)[5, 0]) < 0.004
            assert root.locator(".detail").inner_text().startswith("“z” → “u”: this row’s entropy ")
            root.locator("canvas").nth(0).focus()  # of fewer rows: as near as it goes
            assert root.locator(".detail").inner_text().startswith("“d” → “a”: this row’s entropy ")
            for wanted in ("layer 0", "layer 1"):
                root.locator("select").nth(2).select_option(wanted)
                assert root.locator("select").nth(0).input_value() == "layer 2"
        assert (opened.refused, opened.errors) == ([], [])

    def test_curves_of_one_layer_go_over_the_rows(self, chromium, tmp_path):
        made = CompareView(weights(1, 2, 6, 6, causal=True), None, list("abcdef"))
        with visit(chromium) as opened:
            root = shown_alone(opened.page, made, tmp_path)
            slider, detail = root.locator("input[type=range]"), root.locator(".detail")
            slider.press("End")
            assert detail.inner_text().startswith("“f”: this row’s entropy")
            root.locator("canvas").first.focus()
            opened.page.keyboard.press("Home")
            opened.page.keyboard.press("ArrowUp")
            opened.page.keyboard.press("End")
            assert root.locator("output").all_inner_texts() == ["masked"] * 3  # the future
        assert (opened.refused, opened.errors) == ([], [])

    def test_zero_difference_has_the_colour_of_the_paper(self, chromium, tmp_path):
        corner = """(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(canvas.width - 12, canvas.height - 12, 1, 1);
            return [[...data], getComputedStyle(canvas.closest(".view")).backgroundColor.match(/[0-9]+/g).map(Number)];
        }"""
        one = weights(2, 1, 2, 4, 4)
        with visit(chromium) as opened:
            root = shown_alone(opened.page, CompareView(one, one.clone(), list("abcd")), tmp_path)
            for scheme in ("light", "dark"):
                opened.page.emulate_media(color_scheme=scheme)
                opened.page.wait_for_function(
                    f"() => {{ const at = ({corner})(document.querySelector('.course-explorer > div').shadowRoot"
                    ".querySelectorAll('canvas')[2]); return at[1].every((part, place) => part === at[0][place]); }"
                )
                assert root.locator("canvas").nth(2).evaluate(corner)[0][3] == 255
        assert (opened.refused, opened.errors) == ([], [])

    @pytest.mark.parametrize(("size", "heads"), [(64, 12), (256, 1)])
    def test_long_texts_stay_light(self, chromium, tmp_path, size, heads):
        one, other = (weights(6, 1, heads, size, size, seed=seed) for seed in (1, 2))
        made = CompareView(one, other, [f"word{number}" for number in range(size)])
        with visit(chromium) as opened:
            root = shown_alone(opened.page, made, tmp_path)
            assert opened.page.evaluate(NODES) < 600
            root.locator("canvas").first.focus()
            opened.page.keyboard.press("End")
            assert root.locator(".detail").inner_text().startswith(f"“word0” → “word{size - 1}”")
        assert (opened.refused, opened.errors) == ([], [])
