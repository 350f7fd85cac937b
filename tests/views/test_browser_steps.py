"""The steps of attention and the alignment view in a real browser, in every place where a notebook is read."""

import re

import pytest
import torch
import torch.nn.functional as F

from tests.support.explorer_checks import assert_announced, places, press, table
from tests.support.explorer_pages import EveryPlace
from utils.explorers import AttentionSteps
from utils.explorers.delivery import visible

pytestmark = pytest.mark.browser

# Whether anything is drawn near the end of each of the five rows of the map.
OPAQUE = """(canvas) => {
    const pen = canvas.getContext("2d");
    const ratio = canvas.width / parseFloat(canvas.style.width);
    const tall = (parseFloat(canvas.style.height) - 106) / 5;
    const x = parseFloat(canvas.style.width) - 8;
    const at = (row) => pen.getImageData(ratio * x, ratio * (104 + tall * row + 5), 1, 1);
    return [0, 1, 2, 3, 4].map((row) => at(row).data[3]);
}"""


def cells(root) -> torch.Tensor:
    """Return the numbers of the result that the steps show now, in full precision."""
    rows = root.locator('.result [role="row"]')
    values = rows.evaluate_all(
        "(rows) => rows.slice(1).map((row) => [...row.querySelectorAll('.cell')].map((cell) => cell.dataset.value))"
    )
    return torch.tensor([[float(value.replace("Infinity", "inf")) for value in row] for row in values])


class TestStepsAndAlignment(EveryPlace):
    name = "steps"
    # Tokens of every kind, a padded key, and a causal mask; five generated words for four source words.
    data = """
import torch
from utils.explorers.alignment import AlignmentView
from utils.explorers.steps import AttentionSteps
tokens = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", "שלום"]
query, key, value = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(5))
value = value[:, :3]
mask = torch.tensor([True, True, False, True])
weights = torch.randn(5, 4, generator=torch.Generator().manual_seed(6)).mul(2).softmax(dim=1)
targets = tokens + [""]
gold = ([(0, 0), (1, 2)], [(3, 3)])
"""
    shows = (
        "AttentionSteps(query, key, value, tokens=tokens, mask=mask, causal=True)",
        "AlignmentView(weights, tokens, targets, gold=gold)",
    )
    alts = ("the stages of attention", "Heat map of attention weights")
    texts = (".intention", "h4", ".result .cell", "[role=rowheader]", ".formula", ".note", ".word")
    most_nodes = (500, 200)

    def assert_numbers(self, page, steps, alignment):
        self.assert_stages(steps)
        self.assert_slider(alignment)
        self.assert_map(page, alignment)

    def walk(self, page, steps, alignment):
        self.walk_steps(page, steps)
        self.walk_alignment(page, alignment)

    def assert_stages(self, root):
        """Go through the four stages and compare every number with torch's."""
        given = self.given()
        query, key, value = given["query"], given["key"], given["value"]
        allowed = given["mask"].expand(4, 4).tril()
        scores = query @ key.T / 2
        masked = scores.masked_fill(~allowed, -float("inf"))
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        for stage, expected in enumerate((scores, masked, masked.softmax(dim=1), context)):
            root.get_by_role("tab").nth(stage).click()
            torch.testing.assert_close(cells(root), expected, rtol=0, atol=1e-4)
            shut = root.locator(".result .cell.shut").count()
            assert shut == (int((~allowed).sum()) if stage in (1, 2) else 0)
        names = root.locator(".result [role=rowheader] bdi").all_inner_texts()
        assert names == [visible(token) for token in given["tokens"]]

    def walk_steps(self, page, root):
        """Use buttons, keys, pins, table."""
        self.assert_stages(root)
        tabs, detail, result = root.get_by_role("tab"), root.locator(".detail"), root.locator(".result .cell")
        tabs.nth(3).press("Home")
        assert tabs.nth(0).get_attribute("aria-selected") == "true"
        tabs.nth(0).press("ArrowRight")
        assert places(tabs, "tabIndex", 0) == [1]
        root.get_by_role("button", name="Next").click()
        assert tabs.nth(2).get_attribute("aria-selected") == "true"
        assert root.locator(".result b[role=cell]").all_inner_texts() == ["1.00"] * 4  # the sums

        root.locator('.result [tabindex="0"]').focus()
        press(page, "End ArrowDown ArrowLeft ArrowUp ArrowUp Home ArrowDown ArrowRight")  # at an edge it stands still
        assert places(result, "tabIndex", 0) == [5]
        softmax = r"→.+exp\(.+\) ÷ \(exp\(.+exp\(−∞\)\) ≈ [\d.]+ ÷ \(.+\) ≈ 0\.\d{4}$"
        assert re.search(softmax, detail.inner_text(), re.DOTALL)
        press(page, "PageUp")
        assert "may look at" in detail.inner_text()
        press(page, "ArrowRight")
        assert "stands later (3 > 2): " in detail.inner_text()
        press(page, "Enter")
        tabs.nth(1).focus()
        assert "stands later (3 > 2): " in detail.inner_text()  # pinned
        assert root.locator(".lit").count() == 2
        assert_announced(root, "stands later")
        press(page, "Escape")
        assert "Point at a number" in detail.inner_text()
        tabs.nth(3).click()
        result.nth(0).hover()
        assert "= 1.00 × value of “" in detail.inner_text()
        assert "d1: " in detail.inner_text()
        table(root, "All numbers as a table", rows=1 + 16 + 1 + 4)

    def assert_slider(self, root):
        """Go through the generated words: what each looks at most, and how much."""
        given = self.given()
        detail, slider, caption = root.locator(".detail"), root.get_by_role("slider"), root.locator(".stepper b")
        slider.press("Home")
        for row, weights in enumerate(given["weights"]):
            assert caption.inner_text().startswith(f"Word {row + 1} of 5: ")
            assert slider.get_attribute("aria-valuetext") == caption.inner_text()
            assert root.locator(".later").count() == 4 - row
            share = float(re.search(r"with (\d+\.\d)%", detail.inner_text()).group(1)) / 100
            assert abs(share - weights.max()) < 0.0045
            assert f"“{visible(given['tokens'][weights.argmax()])}” with" in detail.inner_text()
            root.get_by_role("button", name="Next").click()
        assert (caption.inner_text(), root.locator(".later").count()) == ("Whole sentence", 0)

    def assert_map(self, page, root):
        """Walk over every cell of the map, and leave the keyboard on the last row."""
        given = self.given()
        sure, possible = given["gold"]
        root.locator("canvas").last.focus()
        press(page, "Home ArrowUp ArrowUp ArrowUp ArrowUp")
        for row in range(5):
            for column in range(4):
                said = root.locator(".detail").inner_text()
                share = float(re.search(r"with <?(\d+(?:\.\d)?)%", said).group(1)) / 100
                assert abs(share - given["weights"][row, column]) < 0.0045
                pair = (column, row)
                link = "sure" if pair in sure else "possible" if pair in possible else "no"
                assert said.endswith(f"(gold: {link} link)")
                press(page, "ArrowRight")
            press(page, "Home ArrowDown")

    def walk_alignment(self, page, root):
        """Use slider, words, map, table."""
        caption, later, words = root.locator(".stepper b"), root.locator(".later"), root.get_by_role("option")
        assert words.all_inner_texts() == [visible(token) for token in self.given()["targets"]]
        assert (caption.inner_text(), later.count()) == ("Whole sentence", 0)
        self.assert_slider(root)
        self.assert_map(page, root)
        press(page, "Enter")
        assert caption.inner_text().startswith("Word 5 of 5")
        assert_announced(root, "^Word 5 of 5")

        words.nth(4).focus()
        press(page, "Home ArrowRight Enter")
        assert places(words, "tabIndex", 0) == [1]
        assert places(words, "ariaSelected", "true") == [1]
        press(page, "Escape")
        assert (caption.inner_text(), later.count()) == ("Whole sentence", 0)
        words.nth(3).click()
        assert caption.inner_text().startswith("Word 4 of 5")

        rows = table(root, "The strongest links as a table", rows=6)[1:]
        shown = torch.tensor([float(row[2]) for row in rows])
        assert (shown - self.given()["weights"].max(dim=1).values).abs().max() < 0.004
        assert "alignment error rate" in root.locator(".note").first.inner_text()

    def test_arithmetic_is_spelled_out(self, alone):
        """On round numbers every equals sign is one; where a number had to be rounded it says so."""
        made = AttentionSteps(
            [[0.5, 1, 0, 0]], [[1, 0.7, 0, 0], [0, 1, 3, 0]], [[1.0], [-2]], tokens=["q"], key_tokens=["k", "m"]
        )
        expected = [
            "“q” · “k”: 0.50·1.00 + 1.00·0.70 + 0.00·0.00 + 0.00·0.00 = 1.20, ÷ √4 = 0.60",
            "“q” may look at “k”: 0.60 + 0 = 0.60",
            "“q” → “k”: exp(0.60) ÷ (exp(0.60) + exp(0.50)) ≈ 1.82 ÷ (1.82 + 1.65) ≈ 0.5250",
            "Context of “q” = 0.52 × value of “k” + 0.48 × value of “m”\nd1: 0.52·1.00 + 0.48·(−2.00) ≈ −0.4251",
        ]
        [root] = alone(made.html)
        for stage, said in enumerate(expected):
            root.get_by_role("tab").nth(stage).click()
            root.locator(".result .cell").first.hover()
            assert root.locator(".detail").inner_text() == said

    def test_large_scores_and_words_that_see_nothing(self, alone):
        """Softmax of scores in the hundreds neither overflows nor hides; a fully masked row gives zeros."""
        made = AttentionSteps([[500.0], [1.0]], [[1.0], [1.002]], [[1.0], [0.0]], mask=[[1, 1], [0, 0]])
        [root] = alone(made.html)
        root.get_by_role("tab").nth(2).click()
        assert cells(root).flatten().tolist() == pytest.approx([0.268941, 0.731059, 0, 0], abs=1e-4)
        root.locator(".result .cell").first.hover()
        assert "(the row’s highest, 501, taken off each score first)" in root.locator(".detail").inner_text()
        root.locator(".result .cell").last.hover()
        assert "may look at nothing" in root.locator(".detail").inner_text()

    def test_generated_words_appear_one_by_one_on_the_map(self, alone):
        """Rows that have not been generated yet are not painted, those that have are."""
        _, alignment = alone(*self.outputs())
        heat, slider = alignment.locator("canvas").last, alignment.get_by_role("slider")
        assert heat.evaluate(OPAQUE) == [255] * 5
        slider.press("Home")
        slider.press("ArrowRight")
        assert heat.evaluate(OPAQUE) == [255, 255, 0, 0, 0]
