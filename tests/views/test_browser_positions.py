"""The view of position vectors in a real browser, in every place where a notebook is read."""

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

import torch

from tests.support.browser import visit
from tests.support.explorer_checks import LIVE, NODES
from tests.support.explorer_pages import EveryPlace, in_a_browser
from tests.support.positions_checks import BOTH, DATA, FEW, assert_alive, assert_legible, assert_numbers, move
from utils.explorers.positions import PositionsView

pytestmark = in_a_browser

# The colour at a share of a canvas's width and height, and that of the paper.
COLOUR = """(canvas, [x, y]) => {
    const at = [canvas.width * x, canvas.height * y].map(Math.floor);
    const { data } = canvas.getContext("2d").getImageData(...at, 1, 1);
    return [...data];
}"""


def shown_alone(page, made, folder):
    path = folder / "alone.html"
    path.write_text(f'<!doctype html><meta charset="utf-8"><body style="margin: 0">{made.html}', "utf-8")
    page.goto(path.as_uri())
    page.wait_for_selector(LIVE)
    return page.locator(".course-explorer")


class TestPositions(EveryPlace):
    name = "positions"
    sources = ('import sys\nsys.path.insert(0, "..")', DATA, FEW, BOTH)
    alts = ("curve of the dot products with position 2", "curve of the dot products with position 13")
    assert_alive = staticmethod(assert_alive)
    assert_legible = staticmethod(assert_legible)
    assert_numbers = staticmethod(assert_numbers)

    @pytest.mark.parametrize("width", [400, 1000])
    def test_large_learned_tables_stay_light(self, chromium, tmp_path, width):
        table = torch.randn(512, 384, generator=torch.Generator().manual_seed(0))
        with visit(chromium, width=width) as opened:
            root = shown_alone(opened.page, PositionsView(table), tmp_path)
            assert "neighbours share a pixel" in root.locator(".key").inner_text()
            assert opened.page.evaluate(NODES) < 600
            for places in ((0, 511, 0), (511, -511, 191), (255, 1, 96)):
                move(root, *places)
                assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= width
            assert root.locator("figcaption").nth(1).inner_text() == "Dimensions 192 and 193: no clock"
        assert (opened.refused, opened.errors) == ([], [])

    @pytest.mark.parametrize("shape", [(1, 2), (1, 5), (2, 3), (2, 2), (3, 2)])
    def test_smallest_tables_come_alive(self, chromium, tmp_path, shape):
        with visit(chromium) as opened:
            root = shown_alone(opened.page, PositionsView(torch.zeros(shape)), tmp_path)
            assert "dot product 0.000, cosine –" in root.locator(".detail").inner_text()
            root.locator("input[type=range]").first.press("End")
            root.get_by_text("The numbers as a table").click()
            root.locator("tr").nth(1).wait_for()
        assert (opened.refused, opened.errors) == ([], [])

    def test_map_is_blue_below_0_and_orange_above(self, chromium, tmp_path):
        table = torch.tensor([[-1.0] * 8, [1.0] * 8, [0.0] * 8]).repeat_interleave(4, dim=0)
        with visit(chromium) as opened:
            root = shown_alone(opened.page, PositionsView(table, start=(11, 0, 3)), tmp_path)
            heat = root.get_by_role("application")
            assert heat.evaluate(COLOUR, [0.5, 0.15]) == [0, 114, 178, 255]
            assert heat.evaluate(COLOUR, [0.5, 0.45]) == [213, 94, 0, 255]
            assert heat.evaluate(COLOUR, [0.5, 0.75])[3] == 0  # the paper, in every theme
        assert (opened.refused, opened.errors) == ([], [])
