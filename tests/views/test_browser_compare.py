"""The comparison view and the measured curves in a real browser, in every place where a notebook is read."""

import pytest
import torch

from tests.support.attention_samples import weights
from tests.support.explorer_checks import NODES, assert_announced, number, numbers, places, press, table
from tests.support.explorer_pages import EveryPlace
from utils.explorers.compare import CompareView
from utils.explorers.delivery import visible

pytestmark = pytest.mark.browser


def entropy(rows: torch.Tensor) -> torch.Tensor:
    """Return the entropy of each row in bits."""
    return torch.special.entr(rows).sum(dim=-1) / torch.log(torch.tensor(2.0))


def changes(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the mean entropies, Jensen–Shannon divergence (in bits) and total variation of two lists of rows."""
    entropies = [entropy(one), entropy(other)]
    divergence = entropy((one + other) / 2) - sum(entropies) / 2
    return torch.stack([*entropies, divergence, (one - other).abs().sum(dim=-1) / 2]).mean(dim=1)


class TestComparisonAndCurves(EveryPlace):
    name = "compare"
    # Two inputs that differ in a word, tokens of every kind, a padded last one; curves with a gap and a band.
    data = """
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
    shows = (
        'CompareView(first, second, tokens, second_tokens=others, mask=mask, names=("first <i>", "second"))',
        'CompareView.curves(series, x, x_label="words", y_label="BLEU", intervals=bands)',
    )
    alts = ("Heat maps of attention", "Line chart: BLEU by words")
    texts = ("figcaption", "select", "label", ".detail", ".key", "summary", ".controls button")
    most_nodes = (600, 300)

    def assert_numbers(self, page, maps, curves):
        """Compare the means of the heads of the last layer with torch."""
        self.assert_cells(page, maps, self.weights_of(2, None, 2, None))

    def weights_of(self, layer: int, head: int | None, other_layer: int, other_head: int | None) -> list[torch.Tensor]:
        """Return both sides' weights (query, key) of a layer and a head each, or of the mean of the heads."""
        sides = [self.given()["first"][layer, 0], self.given()["second"][other_layer, 0]]
        heads = zip(sides, (head, other_head), strict=True)
        return [side.mean(dim=0) if head is None else side[head] for side, head in heads]

    def assert_cells(self, page, root, sides):
        """Walk over every cell of the first map and compare what the three maps and the readout say with torch."""
        one, other = sides
        values, detail = root.locator("output"), root.locator(".detail")
        root.locator("canvas").first.focus()
        press(page, "ArrowUp ArrowUp ArrowUp ArrowUp")
        for row in range(5):
            press(page, "Home")
            for column in range(5):
                shown = values.all_inner_texts()
                if row == 4 or column == 4:  # the last token is padding
                    assert shown == ["masked"] * 3
                else:
                    expected = [one[row, column], other[row, column], other[row, column] - one[row, column]]
                    for text, value, tolerance in zip(shown, expected, (0.004, 0.004, 0.008), strict=True):
                        assert abs(number(text) - value) < tolerance + 5e-5
                press(page, "ArrowRight")
            if row < 4:
                expected = changes(one[row : row + 1], other[row : row + 1])
                assert torch.allclose(torch.tensor(numbers(detail.inner_text())[-4:]), expected, atol=0.02)
            else:
                assert "entropy – → – bits, Jensen–Shannon divergence – bits" in detail.inner_text()
            press(page, "ArrowDown")
        press(page, "Escape")

    def walk(self, page, maps, curves):
        self.walk_maps(page, maps)
        self.walk_curves(page, curves)

    def walk_maps(self, page, root):
        """Use choices, keys, pins, curves, table."""
        detail, values, selects = root.locator(".detail"), root.locator("output"), root.locator("select")
        together, slider = root.get_by_role("checkbox"), root.locator("input[type=range]")
        assert root.locator("figcaption bdi").all_inner_texts() == ["first <i>", "second", "difference"]
        assert together.is_checked()
        one, other = self.weights_of(2, None, 2, None)
        self.assert_cells(page, root, (one, other))
        shown = torch.tensor(numbers(detail.inner_text()))
        assert torch.allclose(shown, changes(one[:4], other[:4]), atol=0.02)

        slider.press("ArrowLeft")  # to the layer before, on both sides
        selects.nth(1).select_option("head 1")
        assert selects.evaluate_all("(all) => all.map((each) => each.selectedIndex)") == [1, 2, 1, 2]
        together.uncheck()
        selects.nth(2).select_option("layer 0")
        assert selects.evaluate_all("(all) => all.map((each) => each.selectedIndex)") == [1, 2, 0, 2]
        assert root.locator(".title").all_text_contents()[1] == "Divergence from first <i>, layer 1 (bits)"
        self.assert_cells(page, root, self.weights_of(1, 1, 0, 1))
        chart = root.locator(".chart").last
        chart.click(position={"x": chart.bounding_box()["width"] - 30, "y": 100})
        assert selects.nth(2).input_value() == "layer 2"
        assert selects.nth(0).input_value() == "layer 1"
        together.check()
        assert selects.nth(2).input_value() == "layer 1"

        heat = root.locator("canvas")
        assert places(heat, "tabIndex", 0) == [0]
        heat.nth(0).focus()
        press(page, "ArrowUp ArrowUp ArrowUp ArrowUp Home ArrowDown ArrowRight ArrowRight Enter")
        pinned = values.all_inner_texts()
        assert len(set(pinned)) == 3
        press(page, "ArrowRight")
        assert values.all_inner_texts() != pinned
        slider.focus()
        assert values.all_inner_texts() == pinned
        assert detail.locator("bdi").all_inner_texts() == ["“<b>bold”", "“$x^2$/other”"]
        assert_announced(root, "total variation")
        press(page, "Escape")
        assert values.all_inner_texts() == ["", "", ""]
        box = heat.nth(2).bounding_box()
        heat.nth(2).hover(position={"x": box["width"] - 60, "y": box["height"] - 60})
        assert "" not in values.all_inner_texts()
        page.mouse.move(2, 2)

        selects.nth(0).select_option("layer 2")
        selects.nth(1).select_option("mean of 2 heads")
        rows = table(root, "The most changed links", rows=17)[1:]
        largest = [abs(number(row[4])) for row in rows]
        assert largest == sorted(largest, reverse=True)
        change = (other - one)[:4, :4].abs().flatten().sort(descending=True).values
        assert torch.allclose(torch.tensor(largest), change, atol=0.008)
        assert {row[0] for row in rows} == {*map(visible, self.given()["tokens"][:2]), "$x^2$/other", "שלום"}

    def walk_curves(self, page, root):
        """Use keys, pins, toggles, difference, table."""
        given = self.given()
        detail, chart, difference = root.locator(".detail"), root.get_by_role("slider"), root.get_by_role("checkbox")
        title, bands = root.locator("text.title"), root.locator("path.band[d^=M]")
        assert title.text_content() == "BLEU"
        assert root.locator("path.line[d^=M]").count() == 2 * 2  # each line, and its end beside the name
        chart.focus()
        press(page, "Home")
        for place, x in enumerate(given["x"]):
            assert chart.get_attribute("aria-valuenow") == str(x)
            assert chart.get_attribute("aria-valuetext") == detail.inner_text()
            said = detail.inner_text()
            without, with_it = (values[place] for values in given["series"].values())
            assert said.startswith(f"words {x}: without <b> {without:g}")
            if place == 1:
                assert said.endswith("with attention not measured")
            else:
                low, high = (ends[place] for ends in given["bands"]["with attention"])
                assert said.endswith(f"with attention {with_it:g} ({low:g} to {high:g}), +{with_it - without:.4g}")
            if place == 2:
                press(page, "Enter")
            press(page, "ArrowRight")
        difference.focus()
        assert detail.inner_text().startswith("words 20: ")
        assert root.locator(".marked").count() == 1
        assert bands.count() == 1
        difference.check()
        assert title.text_content() == "BLEU: difference from without <b>"
        assert bands.count() == 0
        press(page, "Escape")
        assert root.locator(".marked").count() == 0
        assert "Point at the chart" in detail.inner_text()
        difference.uncheck()
        button = root.get_by_role("button", name="with attention")
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        assert root.locator("text.name").all_text_contents() == ["without <b>"]
        button.click()
        chart.hover(position={"x": 44, "y": chart.bounding_box()["height"] / 2})
        assert detail.inner_text().startswith("words 5: ")
        page.mouse.move(2, 2)

        rows = table(root, "All numbers as a table", rows=5)
        assert rows[0][:3] == ["words", "without <b>", "with attention"]
        assert rows[2] == ["10", "0.3", "–", "–", "–", "–"]
        assert rows[4] == ["40", "0.1", "0.375", "0.25", "0.5", "0.275"]

    def test_sides_of_different_size_say_why_there_is_no_difference(self, alone):
        small, large = weights(3, 1, 2, 4, 4), weights(2, 1, 3, 6, 6)
        [root] = alone(CompareView(small, large, list("abcd"), second_tokens=list("uvwxyz")).html)
        assert "No difference map: the two have 4 × 4 and 6 × 6 tokens" in root.locator(".maps").inner_text()
        assert (root.locator("canvas").count(), root.locator(".chart").count()) == (2, 1)
        root.locator("canvas").nth(1).focus()
        press(root.page, "ArrowDown " * 9)
        first, second = root.locator("output").all_inner_texts()
        assert first == ""
        assert abs(float(second) - large[1, 0].mean(dim=0)[5, 0]) < 0.004
        assert root.locator(".detail").inner_text().startswith("“z” → “u”: this row’s entropy ")
        root.locator("canvas").nth(0).focus()  # of fewer rows: as near as it goes
        assert root.locator(".detail").inner_text().startswith("“d” → “a”: this row’s entropy ")
        for wanted in ("layer 0", "layer 1"):
            root.locator("select").nth(2).select_option(wanted)
            assert root.locator("select").nth(0).input_value() == "layer 2"

    def test_curves_of_one_layer_go_over_the_rows(self, alone):
        [root] = alone(CompareView(weights(1, 2, 6, 6, causal=True), None, list("abcdef")).html)
        root.locator("input[type=range]").press("End")
        assert root.locator(".detail").inner_text().startswith("“f”: this row’s entropy")
        root.locator("canvas").first.focus()
        press(root.page, "Home ArrowUp End")
        assert root.locator("output").all_inner_texts() == ["masked"] * 3  # the future

    def test_zero_difference_has_the_colour_of_the_paper(self, alone):
        corner = """(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(canvas.width - 12, canvas.height - 12, 1, 1);
            return [[...data], getComputedStyle(canvas.closest(".view")).backgroundColor.match(/[0-9]+/g).map(Number)];
        }"""
        one = weights(2, 1, 2, 4, 4)
        [root] = alone(CompareView(one, one.clone(), list("abcd")).html)
        for scheme in ("light", "dark"):
            root.page.emulate_media(color_scheme=scheme)
            root.page.wait_for_function(
                f"() => {{ const at = ({corner})(document.querySelector('.course-explorer > div').shadowRoot"
                ".querySelectorAll('canvas')[2]); return at[1].every((part, place) => part === at[0][place]); }"
            )
            assert root.locator("canvas").nth(2).evaluate(corner)[0][3] == 255

    @pytest.mark.parametrize(("size", "heads"), [(64, 12), (256, 1)])
    def test_long_texts_stay_light(self, alone, size, heads):
        one, other = (weights(6, 1, heads, size, size, seed=seed) for seed in (1, 2))
        [root] = alone(CompareView(one, other, [f"word{place}" for place in range(size)]).html)
        assert root.evaluate(NODES) < 600
        root.locator("canvas").first.focus()
        press(root.page, "End")
        assert root.locator(".detail").inner_text().startswith(f"“word0” → “word{size - 1}”")
