"""What must hold of a live view of position vectors, wherever it is shown."""

import math
import re

import torch
from playwright.sync_api import Locator, Page
from torch import Tensor

from tests.support.explorer_checks import CONTRAST
from tests.support.view_checks import NODES
from utils.explorers.delivery import visible

# Seven positions with tokens of every kind and an odd number of dimensions; then sines and cosines beside numbers that
# are no waves, so many that one byte is stored for each.
DATA = """
import torch
from utils.explorers.positions import PositionsView
tokens = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", "שלום", "", " the", "👩\\u200d🔬"]
few = torch.randn(7, 9, generator=torch.Generator().manual_seed(2))
angle = torch.arange(40)[:, None] * 10_000 ** (-torch.arange(0, 16, 2) / 16)
waves = torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
learned = torch.randn(300, 130, generator=torch.Generator().manual_seed(3)) / 8
"""
FEW = 'PositionsView(few, tokens=tokens, name="few <i>", start=(2, -1, 4))'
BOTH = 'PositionsView({"waves": waves, "learned <i>": learned})'


def given() -> dict:
    """Return the numbers that the notebook made."""
    names: dict = {}
    exec(DATA, names)
    return names


def views(page: Page) -> list[Locator]:
    """Wait for both views to come alive, and return them."""
    found = page.locator('.course-explorer[data-kind="positions"][data-state="live"]')
    found.nth(1).wait_for()
    assert not found.locator("> img").first.is_visible()
    return found.all()


def numbers(text: str) -> list[float]:
    """Return the decimals of a sentence with the minus sign of typography."""
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text.replace("−", "-"))]


def move(root: Locator, *places: int) -> None:
    """Set the sliders: the position, the distance, the pair of dimensions."""
    for slider, place in zip(root.locator("input[type=range]").all(), places, strict=True):
        slider.evaluate(
            "(input, place) => { input.value = place; input.dispatchEvent(new Event('input')); }", str(place)
        )


def assert_shown(root: Locator, table: Tensor, here: int, there: int, even: int, *, turn: float | None = None) -> None:
    """Compare what the readout says of two positions and a pair of dimensions with torch; ``turn`` is in radians."""
    near, hand = root.locator(".detail p").all_inner_texts()
    one, other = table[here].double(), table[there].double()
    products = table.double() @ table.double().T
    bounds = products.diagonal(abs(there - here))
    tolerance = 6e-4 if table.numel() < 32_768 else 0.01
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


def assert_numbers(page: Page) -> None:
    """Compare what is said of several positions, distances and pairs with torch, in every table."""
    names = given()
    few, both = views(page)
    assert_shown(few, names["few"], 2, 1, 7)  # the last pair of nine dimensions is that of the last two
    for here, far, pair in ((0, 6, 0), (5, -2, 2), (6, 0, 3)):
        move(few, here, far, pair)
        assert_shown(few, names["few"], here, here + far, 2 * pair)
    few.locator("select").press("Escape")
    choice = both.get_by_label("Table")
    choice.select_option("waves")
    for here, far, pair in ((0, 39, 0), (13, 5, 1), (39, -17, 3), (20, 3, 7)):
        move(both, here, far, pair)
        assert_shown(both, names["waves"], here, here + far, 2 * pair, turn=10_000 ** (-2 * pair / 16))
    choice.select_option("learned <i>")
    for here, far, pair in ((0, 1, 0), (170, 100, 40), (299, -299, 64)):
        move(both, here, far, pair)
        assert_shown(both, names["learned"], here, here + far, 2 * pair)
    choice.select_option("waves")  # a smaller table: as near as it goes
    assert_shown(both, names["waves"], 39, 0, 14, turn=10_000 ** (-14 / 16))
    choice.press("Escape")


def assert_alive(page: Page) -> None:
    """Use both views as a reader would: sliders, keys, pins, the pointer, choices, the table of numbers."""
    assert_numbers(page)
    names = given()
    few, both = views(page)
    labels = [visible(token) for token in names["tokens"]]
    detail, value, heat = few.locator(".detail"), few.locator("output"), few.get_by_role("application")
    assert detail.locator("bdi").all_inner_texts() == [f"“{labels[2]}”", f"“{labels[1]}”"]
    assert few.get_by_text("The same positions on more clocks").is_hidden()
    assert both.get_by_text("The same positions on more clocks").is_visible()

    # Keys: on the map they only point; Enter pins, Escape goes back to the start.
    heat.focus()
    for key in ("Home", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    assert value.inner_text() == f"position 0, dimension 1: {names['few'][0, 1]:.3f}".replace("-", "−")
    assert few.locator("input").nth(2).get_attribute("aria-valuetext") == "Dimensions 0 and 1"
    live = few.locator("[aria-live=polite]")
    page.wait_for_function("(region) => region.textContent.startsWith('Positions 0 ')", arg=live.element_handle())
    few.locator("select").focus()  # what was only pointed at is left
    assert value.inner_text().startswith("position 2, dimension 8")
    heat.focus()
    for key in ("End", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    few.locator("select").focus()
    assert value.inner_text() == f"position 3, dimension 8: {names['few'][3, 8]:.3f}".replace("-", "−")
    assert_shown(few, names["few"], 3, 2, 7)
    page.keyboard.press("Escape")
    assert_shown(few, names["few"], 2, 1, 7)
    slider = few.locator("input[type=range]").first
    slider.press("ArrowRight")
    assert_shown(few, names["few"], 3, 2, 7)
    slider.press("Escape")

    # The pointer: it shows without choosing, a click chooses.
    box = heat.bounding_box()
    heat.hover(position={"x": box["width"] - 8, "y": 12})
    assert value.inner_text().startswith("position 0, dimension 8")
    page.mouse.move(2, 2)
    assert value.inner_text().startswith("position 2, dimension 8")
    heat.click(position={"x": box["width"] - 8, "y": 12})
    page.mouse.move(2, 2)
    heat.evaluate("(canvas) => canvas.blur()")
    assert value.inner_text().startswith("position 0, dimension 8")
    few.locator("select").press("Escape")
    waves, bell = few.locator(".chart").all()
    waves.click(position={"x": waves.bounding_box()["width"] - 50, "y": 100})
    assert_shown(few, names["few"], 6, 5, 7)
    bell.click(position={"x": 12, "y": 100})
    page.mouse.move(2, 2)
    assert_shown(few, names["few"], 6, 0, 7)
    few.locator("select").press("Escape")

    # The likeness as a curve, and as a table of numbers.
    titles = few.locator("text.title")
    assert titles.all_text_contents() == ["Dimensions 7 and 8 as waves", "Dot product with position 2"]
    few.get_by_label("Likeness").select_option("cosine")
    assert titles.nth(1).text_content() == "Cosine with position 2"
    assert few.locator("text.name").all_text_contents().count("lowest") == 1
    assert "lowest" not in both.locator("text.name").all_text_contents()  # of waves there is one number, not two
    few.get_by_label("Likeness").select_option("dot product")
    few.get_by_text("The numbers as a table").click()
    few.locator("tr").nth(4).wait_for()
    products = names["few"] @ names["few"].T
    for far, row in zip((0, 1, 2, 3), few.locator("tr").all_inner_texts()[1:], strict=True):
        cells = [float(cell.replace("−", "-")) for cell in row.split("\t")]
        bounds = products.diagonal(far)
        expected = [far, 2 + far, products[2, 2 + far], bounds.min(), bounds.max()]
        torch.testing.assert_close(torch.tensor(cells[:5]), torch.tensor(expected), rtol=0, atol=6e-4)
        cosine = torch.cosine_similarity(names["few"][2], names["few"][2 + far], dim=0)
        assert abs(cells[5] - cosine) < 6e-4
    for root in (few, both):
        assert root.evaluate(NODES) < 600
    assert page.evaluate("window.hacked") is None


def assert_legible(page: Page, *, dark: bool) -> None:
    """Measure the contrast of every kind of text, and that the background is the theme's."""
    for part in ("p > bdi", "select >> nth=0", "label b", ".detail p", "figcaption", "output", ".key", "summary"):
        paper, contrast = page.locator(f".course-explorer {part}").first.evaluate(CONTRAST)
        assert (paper < 0.2) == dark, part
        assert contrast > 4.5, (part, contrast)
