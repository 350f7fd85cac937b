"""The view of position vectors in a real browser, in every place where a notebook is read."""

import math
import re

import pytest
import torch

from tests.support.explorer_checks import NODES, assert_announced, number, numbers, press, slide, table
from tests.support.explorer_pages import EveryPlace
from utils.explorers.delivery import visible
from utils.explorers.positions import PositionsView

pytestmark = pytest.mark.browser

# The colour at a share of a canvas's width and height.
COLOUR = """(canvas, [x, y]) => {
    const at = [canvas.width * x, canvas.height * y].map(Math.floor);
    const { data } = canvas.getContext("2d").getImageData(...at, 1, 1);
    return [...data];
}"""


def move(root, *positions):
    """Set the sliders: the position, the distance, the pair of dimensions."""
    for slider, position in zip(root.locator("input[type=range]").all(), positions, strict=True):
        slide(slider, position)


def assert_shown(root, vectors, here, there, even, *, turn=None):
    """Compare what the readout says of two positions and a pair of dimensions with torch; ``turn`` is in radians."""
    near, hand = root.locator(".detail p").all_inner_texts()
    one, other = vectors[here].double(), vectors[there].double()
    products = vectors.double() @ vectors.double().T
    bounds = products.diagonal(abs(there - here))
    tolerance = 6e-4 if vectors.numel() < 32_768 else 0.01
    found = numbers(near[near.index(": dot product") :])
    expected = [one @ other, torch.cosine_similarity(one, other, dim=0)]
    if near.endswith("have this dot product."):
        assert bounds.max() - bounds.min() < 1e-3 * products.max()
    else:
        expected += [bounds.min(), bounds.max()]
        assert f"Any two positions {abs(there - here)} apart have a dot product from" in near
    torch.testing.assert_close(torch.tensor(found), torch.stack(expected).float(), rtol=0, atol=tolerance)
    pair = slice(even, even + 2)
    said = re.fullmatch(
        rf"Dimensions {even} and {even + 1}: \((.+), (.+)\) → \((.+), (.+)\)\. ([+-]\d+) turns the hand by (.+)°"
        r"(?:, wherever it stands: one turn in (.+) positions\.| here: it does not turn evenly\.)",
        hand.replace("−", "-"),
    )
    *shown, far, angle, period = [None if part is None else float(part) for part in said.groups()]
    assert far == there - here
    torch.testing.assert_close(torch.tensor(shown), torch.cat([one[pair], other[pair]]).float(), rtol=0, atol=6e-3)
    if turn is None:
        assert period is None
        expected = torch.atan2(*other[pair]) - torch.atan2(*one[pair])
        assert abs(torch.remainder(expected.rad2deg() - angle + 180, 360) - 180) < 3
    else:
        assert math.isclose(angle, math.degrees(turn * (there - here)), rel_tol=1e-3)
        assert math.isclose(period, 2 * math.pi / turn, rel_tol=1e-3)


class TestPositions(EveryPlace):
    name = "positions"
    # Seven positions with tokens of every kind and an odd number of dimensions; then sines and cosines beside numbers
    # that are no waves, so many that one byte is stored for each.
    data = """
import torch
from utils.explorers.positions import PositionsView
tokens = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", "שלום", "", " the", "👩\\u200d🔬"]
few = torch.randn(7, 9, generator=torch.Generator().manual_seed(2))
angle = torch.arange(40)[:, None] * 10_000 ** (-torch.arange(0, 16, 2) / 16)
waves = torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
learned = torch.randn(300, 130, generator=torch.Generator().manual_seed(3)) / 8
"""
    shows = (
        'PositionsView(few, tokens=tokens, name="few <i>", start=(2, -1, 4))',
        'PositionsView({"waves": waves, "learned <i>": learned})',
    )
    alts = ("curve of the dot products with position 2", "curve of the dot products with position 13")
    texts = ("p > bdi", "select", "label b", ".detail p", "figcaption", "output", ".key", "summary")
    most_nodes = (600, 600)

    def assert_numbers(self, page, few, both):
        """Compare what is said of several positions, distances and pairs with torch, in every table."""
        given = self.given()
        assert_shown(few, given["few"], 2, 1, 7)  # the last pair of nine dimensions is that of the last two
        for here, far, pair in ((0, 6, 0), (5, -2, 2), (6, 0, 3)):
            move(few, here, far, pair)
            assert_shown(few, given["few"], here, here + far, 2 * pair)
        few.locator("select").press("Escape")
        choice = both.get_by_label("Table")
        choice.select_option("waves")
        for here, far, pair in ((0, 39, 0), (13, 5, 1), (39, -17, 3), (20, 3, 7)):
            move(both, here, far, pair)
            assert_shown(both, given["waves"], here, here + far, 2 * pair, turn=10_000 ** (-2 * pair / 16))
        choice.select_option("learned <i>")
        for here, far, pair in ((0, 1, 0), (170, 100, 40), (299, -299, 64)):
            move(both, here, far, pair)
            assert_shown(both, given["learned"], here, here + far, 2 * pair)
        choice.select_option("waves")  # a smaller table: as near as it goes
        assert_shown(both, given["waves"], 39, 0, 14, turn=10_000 ** (-14 / 16))
        choice.press("Escape")

    def walk(self, page, few, both):
        """Use sliders, keys, pins, the pointer, choices, the table of numbers."""
        self.assert_numbers(page, few, both)
        tokens, vectors = self.given()["tokens"], self.given()["few"]
        detail, value, heat = few.locator(".detail"), few.locator("output"), few.get_by_role("application")
        kind = few.locator("select")
        assert detail.locator("bdi").all_inner_texts() == [f"“{visible(tokens[2])}”", f"“{visible(tokens[1])}”"]
        assert few.get_by_text("The same positions on more clocks").is_hidden()
        assert both.get_by_text("The same positions on more clocks").is_visible()

        # Keys: on the map they only point; Enter pins, Escape goes back to the start.
        heat.focus()
        press(page, "Home ArrowUp ArrowUp ArrowUp ArrowRight")
        assert value.inner_text() == f"position 0, dimension 1: {vectors[0, 1]:.3f}".replace("-", "−")
        assert few.locator("input").nth(2).get_attribute("aria-valuetext") == "Dimensions 0 and 1"
        assert_announced(few, "^Positions 0 ")
        kind.focus()  # what was only pointed at is left
        assert value.inner_text().startswith("position 2, dimension 8")
        heat.focus()
        press(page, "End ArrowDown Enter")
        kind.focus()
        assert value.inner_text() == f"position 3, dimension 8: {vectors[3, 8]:.3f}".replace("-", "−")
        assert_shown(few, vectors, 3, 2, 7)
        press(page, "Escape")
        assert_shown(few, vectors, 2, 1, 7)
        slider = few.locator("input[type=range]").first
        slider.press("ArrowRight")
        assert_shown(few, vectors, 3, 2, 7)
        slider.press("Escape")

        # The pointer: it shows without choosing, a click chooses.
        corner = {"x": heat.bounding_box()["width"] - 8, "y": 12}
        heat.hover(position=corner)
        assert value.inner_text().startswith("position 0, dimension 8")
        page.mouse.move(2, 2)
        assert value.inner_text().startswith("position 2, dimension 8")
        heat.click(position=corner)
        page.mouse.move(2, 2)
        heat.evaluate("(canvas) => canvas.blur()")
        assert value.inner_text().startswith("position 0, dimension 8")
        kind.press("Escape")
        waves, bell = few.locator(".chart").all()
        waves.click(position={"x": waves.bounding_box()["width"] - 50, "y": 100})
        assert_shown(few, vectors, 6, 5, 7)
        bell.click(position={"x": 12, "y": 100})
        page.mouse.move(2, 2)
        assert_shown(few, vectors, 6, 0, 7)
        kind.press("Escape")

        # The likeness as a curve, and as a table of numbers.
        titles, likeness = few.locator("text.title"), few.get_by_label("Likeness")
        assert titles.all_text_contents() == ["Dimensions 7 and 8 as waves", "Dot product with position 2"]
        likeness.select_option("cosine")
        assert titles.nth(1).text_content() == "Cosine with position 2"
        assert few.locator("text.name").all_text_contents().count("lowest") == 1
        assert "lowest" not in both.locator("text.name").all_text_contents()  # of waves there is one number, not two
        likeness.select_option("dot product")
        products = vectors @ vectors.T
        for far, row in enumerate(table(few, "The numbers as a table", rows=5)[1:]):
            bounds = products.diagonal(far)
            cosine = torch.cosine_similarity(vectors[2], vectors[2 + far], dim=0)
            expected = [far, 2 + far, products[2, 2 + far], bounds.min(), bounds.max(), cosine]
            cells = torch.tensor([number(cell) for cell in row[:6]])
            torch.testing.assert_close(cells, torch.tensor(expected), rtol=0, atol=6e-4)

    @pytest.mark.parametrize("width", [400, 1000])
    def test_large_learned_tables_stay_light(self, alone, width):
        vectors = torch.randn(512, 384, generator=torch.Generator().manual_seed(0))
        [root] = alone(PositionsView(vectors).html, width=width)
        assert "neighbours share a pixel" in root.locator(".key").inner_text()
        assert root.evaluate(NODES) < 600
        for places in ((0, 511, 0), (511, -511, 191), (255, 1, 96)):
            move(root, *places)
            assert root.page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert root.locator("figcaption").nth(1).inner_text() == "Dimensions 192 and 193: no clock"

    @pytest.mark.parametrize("shape", [(1, 2), (1, 5), (2, 3), (2, 2), (3, 2)])
    def test_smallest_tables_come_alive(self, alone, shape):
        [root] = alone(PositionsView(torch.zeros(shape)).html)
        assert "dot product 0.000, cosine –" in root.locator(".detail").inner_text()
        root.locator("input[type=range]").first.press("End")
        root.get_by_text("The numbers as a table").click()
        root.locator("tr").nth(1).wait_for()

    def test_map_is_blue_below_0_and_orange_above(self, alone):
        vectors = torch.tensor([[-1.0] * 8, [1.0] * 8, [0.0] * 8]).repeat_interleave(4, dim=0)
        [root] = alone(PositionsView(vectors, start=(11, 0, 3)).html)
        heat = root.get_by_role("application")
        assert heat.evaluate(COLOUR, [0.5, 0.15]) == [0, 114, 178, 255]
        assert heat.evaluate(COLOUR, [0.5, 0.45]) == [213, 94, 0, 255]
        assert heat.evaluate(COLOUR, [0.5, 0.75])[3] == 0  # the paper, in every theme
