"""What must hold of the comparison view and of the measured curves, wherever they are shown."""

import re

import torch
from playwright.sync_api import Page

from tests.support.explorer_checks import CONTRAST
from tests.support.view_checks import NODES, view
from utils.explorers.delivery import visible

# Two inputs that differ in a word, tokens of every kind, a padded last one; curves with a gap and a band.
DATA = """
import torch
from utils.explorers.compare import CompareView
tokens = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", "שלום", ""]
others = [*tokens[:2], "other", *tokens[3:]]
mask = torch.tensor([True, True, True, True, False])
scores = 2 * torch.randn(2, 3, 1, 2, 5, 5, generator=torch.Generator().manual_seed(5))
first, second = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
x = [5, 10, 20, 40]
series = {"without <b>": [0.4, 0.3, 0.2, 0.1], "with attention": [0.5, float("nan"), 0.4, 0.375]}
bands = {"with attention": ([0.4, float("nan"), 0.3, 0.25], [0.6, float("nan"), 0.5, 0.5])}
"""
MAPS = 'CompareView(first, second, tokens, second_tokens=others, mask=mask, names=("first <i>", "second"))'
CURVES = 'CompareView.curves(series, x, x_label="words", y_label="BLEU", intervals=bands)'


def given() -> dict:
    """Return the numbers that the notebook made."""
    names: dict = {}
    exec(DATA, names)
    return names


def entropy(rows: torch.Tensor) -> torch.Tensor:
    """Return the entropy of each row in bits."""
    return torch.special.entr(rows).sum(dim=-1) / torch.log(torch.tensor(2.0))


def divergence(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the Jensen–Shannon divergence of each row of one with that of the other, in bits."""
    return entropy((one + other) / 2) - (entropy(one) + entropy(other)) / 2


def numbers(text: str) -> list[float]:
    """Return the decimals of a sentence with the minus sign of typography."""
    return [float(number.replace("−", "-")) for number in re.findall(r"[−+]?\d+\.\d+", text)]


def chosen(layer: int, head: int | None) -> list[torch.Tensor]:
    """Return both sides' weights (query, key) of one layer and head, or of the mean of the heads."""
    sides = [given()[name][layer, 0] for name in ("first", "second")]
    return [side.mean(dim=0) if head is None else side[head] for side in sides]


def assert_cells_equal_torch(page: Page, layers: tuple[int, int], heads: tuple[int | None, int | None]) -> None:
    """Walk over every cell of the first map and compare what the three maps and the readout say with torch."""
    root = view(page, "compare")
    one, other = chosen(layers[0], heads[0])[0], chosen(layers[1], heads[1])[1]
    values, detail = root.locator("output"), root.locator(".detail")
    root.locator("canvas").first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowUp")
    for row in range(5):
        page.keyboard.press("Home")
        for column in range(5):
            shown = values.all_inner_texts()
            if row == 4 or column == 4:  # the last token is padding
                assert shown == ["masked"] * 3
            else:
                expected = [one[row, column], other[row, column], other[row, column] - one[row, column]]
                for text, value, tolerance in zip(shown, expected, (0.004, 0.004, 0.008), strict=True):
                    assert abs(float(text.replace("−", "-")) - value) < tolerance + 5e-5
            page.keyboard.press("ArrowRight")
        if row < 4:
            rows = one[row], other[row]
            expected = [*map(entropy, rows), divergence(*rows), (rows[0] - rows[1]).abs().sum() / 2]
            assert torch.allclose(torch.tensor(numbers(detail.inner_text())[-4:]), torch.tensor(expected), atol=0.02)
        else:
            assert "entropy – → – bits, Jensen–Shannon divergence – bits" in detail.inner_text()
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")


def assert_compare_alive(page: Page) -> None:
    """Use the comparison as a reader would: choices, keys, pins, curves, table."""
    root = view(page, "compare")
    detail, values, selects = root.locator(".detail"), root.locator("output"), root.locator("select")
    together, slider = root.get_by_role("checkbox"), root.locator("input[type=range]")
    assert root.locator("figcaption bdi").all_inner_texts() == ["first <i>", "second", "difference"]
    assert together.is_checked()
    assert_cells_equal_torch(page, (2, 2), (None, None))
    one, other = chosen(2, None)
    expected = [
        entropy(one[:4]).mean(),
        entropy(other[:4]).mean(),
        divergence(one, other)[:4].mean(),
        (one - other)[:4].abs().sum(dim=-1).mean() / 2,
    ]
    assert torch.allclose(torch.tensor(numbers(detail.inner_text())), torch.tensor(expected), atol=0.02)

    slider.press("ArrowLeft")  # to the layer before, on both sides
    selects.nth(1).select_option("head 1")
    assert selects.evaluate_all("(all) => all.map((each) => each.selectedIndex)") == [1, 2, 1, 2]
    together.uncheck()
    selects.nth(2).select_option("layer 0")
    assert selects.evaluate_all("(all) => all.map((each) => each.selectedIndex)") == [1, 2, 0, 2]
    assert root.locator(".title").all_text_contents()[1] == "Divergence from first <i>, layer 1 (bits)"
    assert_cells_equal_torch(page, (1, 0), (1, 1))
    charts = root.locator(".chart")
    charts.last.click(position={"x": charts.last.bounding_box()["width"] - 30, "y": 100})
    assert selects.nth(2).input_value() == "layer 2"
    assert selects.nth(0).input_value() == "layer 1"
    together.check()
    assert selects.nth(2).input_value() == "layer 1"

    heat = root.locator("canvas")
    assert heat.evaluate_all("(all) => all.map((each) => each.tabIndex)") == [0, -1, -1]
    heat.nth(0).focus()
    for press in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "Home", "ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(press)
    pinned = values.all_inner_texts()
    assert len(set(pinned)) == 3
    page.keyboard.press("ArrowRight")
    assert values.all_inner_texts() != pinned
    slider.focus()
    assert values.all_inner_texts() == pinned
    assert detail.locator("bdi").all_inner_texts() == ["“<b>bold”", "“$x^2$/other”"]
    live = root.locator("[aria-live=polite]")
    page.wait_for_function("(region) => region.textContent.includes('total variation')", arg=live.element_handle())
    page.keyboard.press("Escape")
    assert values.all_inner_texts() == ["", "", ""]
    box = heat.nth(2).bounding_box()
    heat.nth(2).hover(position={"x": box["width"] - 60, "y": box["height"] - 60})
    assert "" not in values.all_inner_texts()
    page.mouse.move(2, 2)

    selects.nth(0).select_option("layer 2")
    selects.nth(1).select_option("mean of 2 heads")
    root.get_by_text("The most changed links").click()
    root.locator("tr").nth(16).wait_for()
    rows = [line.split("\t") for line in root.locator("tr").all_inner_texts()[1:]]
    assert len(rows) == 16
    change = (other - one)[:4, :4]
    largest = [abs(float(row[4].replace("−", "-"))) for row in rows]
    assert largest == sorted(largest, reverse=True)
    assert torch.allclose(torch.tensor(largest), change.abs().flatten().sort(descending=True).values, atol=0.008)
    assert {row[0] for row in rows} == {visible(token) for token in given()["tokens"][:2]} | {"$x^2$/other", "שלום"}
    assert root.evaluate(NODES) < 600
    assert page.evaluate("window.hacked") is None


def assert_curves_alive(page: Page) -> None:
    """Use the measured curves as a reader would: keys, pins, toggles, difference, table."""
    root = view(page, "curves")
    names = given()
    detail, chart = root.locator(".detail"), root.get_by_role("slider")
    assert root.locator("text.title").text_content() == "BLEU"
    assert root.locator("path.line[d^=M]").count() == 2 * 2  # each line, and its end beside the name
    chart.focus()
    page.keyboard.press("Home")
    for place, x in enumerate(names["x"]):
        assert chart.get_attribute("aria-valuenow") == str(x)
        assert chart.get_attribute("aria-valuetext") == detail.inner_text()
        said = detail.inner_text()
        without, with_it = (values[place] for values in names["series"].values())
        assert said.startswith(f"words {x}: without <b> {without:g}")
        if place == 1:
            assert said.endswith("with attention not measured")
        else:
            low, high = (ends[place] for ends in names["bands"]["with attention"])
            assert said.endswith(f"with attention {with_it:g} ({low:g} to {high:g}), +{with_it - without:.4g}")
        if place == 2:
            page.keyboard.press("Enter")
        page.keyboard.press("ArrowRight")
    root.get_by_role("checkbox").focus()
    assert detail.inner_text().startswith("words 20: ")
    assert root.locator(".marked").count() == 1
    assert root.locator("path.band[d^=M]").count() == 1
    root.get_by_role("checkbox").check()
    assert root.locator("text.title").text_content() == "BLEU: difference from without <b>"
    assert root.locator("path.band[d^=M]").count() == 0
    page.keyboard.press("Escape")
    assert root.locator(".marked").count() == 0
    assert "Point at the chart" in detail.inner_text()
    root.get_by_role("checkbox").uncheck()
    button = root.get_by_role("button", name="with attention")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert root.locator("text.name").all_text_contents() == ["without <b>"]
    button.click()
    box = chart.bounding_box()
    chart.hover(position={"x": 44, "y": box["height"] / 2})
    assert detail.inner_text().startswith("words 5: ")
    page.mouse.move(2, 2)

    root.get_by_text("All numbers as a table").click()
    root.locator("tr").nth(4).wait_for()
    rows = [line.split("\t") for line in root.locator("tr").all_inner_texts()]
    assert rows[0][:3] == ["words", "without <b>", "with attention"]
    assert rows[2] == ["10", "0.3", "–", "–", "–", "–"]
    assert rows[4] == ["40", "0.1", "0.375", "0.25", "0.5", "0.275"]
    assert root.evaluate(NODES) < 300
    assert page.evaluate("window.hacked") is None


def assert_both_legible(page: Page, *, dark: bool) -> None:
    """Measure the contrast of every kind of text, and that the background is the theme's."""
    for part in ("figcaption", "select >> nth=0", "label >> nth=0", ".detail", ".key", "summary", ".controls button"):
        paper, contrast = page.locator(f".course-explorer {part}").first.evaluate(CONTRAST)
        assert (paper < 0.2) == dark, part
        assert contrast > 4.5, (part, contrast)
