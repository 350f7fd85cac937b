"""The decoding explorer in a real browser, in every place where a notebook is read."""

import re

import pytest
import torch

from tests.support.explorer_checks import places, press, slide, table
from tests.support.explorer_pages import EveryPlace
from utils.decoding import sampling_probabilities
from utils.explorers.delivery import visible

pytestmark = pytest.mark.browser


class TestDecodingExplorer(EveryPlace):
    name = "decoding"
    # Two contexts over 200 tokens, the strangest of them the most probable, so that they are the ones shown.
    data = """
import torch
from utils.explorers import DecodingExplorer
tokens = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", " the", "\\n", "שלום", "👩\\u200d🔬"]
tokens += [""]
tokens += [f" word{index}" for index in range(len(tokens), 200)]
logits = 2 * torch.randn(2, 200, generator=torch.Generator().manual_seed(5))
logits[:, :8] += 4
"""
    shows = ('DecodingExplorer(logits, tokens, prompt=["The <b>first</b>", "$a$ second"], temperature=0.7, top_k=60)',)
    alts = ("most probable next tokens",)
    texts = (".sentence", ".detail", ".row[role]", ".key", "dt", "code", "summary")
    most_nodes = (500,)

    def assert_numbers(self, page, root, context=0):
        """Compare what is shown with ``sampling_probabilities``, called as the explorer says it may be called."""
        tokens, logits = self.given()["tokens"], self.given()["logits"][context]
        said = root.locator("code").inner_text()
        settings = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", said)}
        if "top_k" in settings:
            settings["top_k"] = int(settings["top_k"])
        expected = sampling_probabilities(logits, **settings)
        order = logits.sort(descending=True, stable=True).indices[:20]
        rows = root.locator(".row[role]")
        shown = rows.evaluate_all("(all) => all.map((row) => Number(row.dataset.after))")
        assert (torch.tensor(shown) - expected[order]).abs().max() < 0.004, settings
        assert rows.locator("bdi").all_inner_texts() == [visible(tokens[index]) for index in order]
        entropy, kept, _ = root.locator("dd").all_inner_texts()
        bits = -torch.special.xlogy(expected, expected).sum().item() / torch.log(torch.tensor(2.0)).item()
        assert abs(float(entropy.removesuffix(" bits")) - bits) < 0.02, settings
        # Uncut, every token stays, though torch's 32 bits round the rarest down to 0.
        left = 200 if settings.keys() == {"temperature"} else int((expected > 0).sum())
        assert kept == f"{left} of 200", settings
        return settings

    def walk(self, page, root):
        """Use sliders, contexts, keys, draws, table."""
        start = {"temperature": 0.7, "top_k": 60}
        assert self.assert_numbers(page, root) == start
        sliders = root.locator("input").all()
        off = int(sliders[1].get_attribute("max"))
        for positions in ((-1, off, 1), (0.48, off, 1), (0, off, 0.9), (0.3, 11, 1), (0.3, 8, 0.55), (0.3, 0, 0.01)):
            for slider, position in zip(sliders, positions, strict=True):
                slide(slider, position)
            self.assert_numbers(page, root)
        root.locator("select").select_option(index=1)
        self.assert_numbers(page, root, context=1)
        reset, temperature = root.get_by_role("button", name="Reset"), root.get_by_role("slider", name="Temperature")
        reset.click()
        assert self.assert_numbers(page, root, context=1) == start
        temperature.press("ArrowRight")
        assert self.assert_numbers(page, root, context=1)["temperature"] == 0.72

        rows, detail = root.locator(".row[role]"), root.locator(".detail")
        rows.first.focus()
        press(page, "ArrowDown ArrowDown ArrowUp Enter ArrowDown")
        assert places(rows, "ariaSelected", "true") == [1]
        assert places(rows, "tabIndex", 0) == [2]
        assert "rank 3 " in detail.inner_text()  # the row in focus; the pinned one when it is left
        root.get_by_role("button", name="Draw a token").focus()
        assert "rank 2 " in detail.inner_text()
        press(page, "Escape")
        assert "rank" not in detail.inner_text()

        draw, drawn = root.get_by_role("button", name="Draw 100"), root.locator("mark")
        draw.click()
        counts, last = root.locator("small").all_inner_texts(), drawn.inner_text()
        assert sum(int(count.lstrip("×") or 0) for count in counts) == 100
        reset.click()
        slide(sliders[0], 0.5)
        assert drawn.inner_text() == "?"
        reset.click()
        temperature.press("ArrowRight")
        draw.click()  # the same settings draw the same tokens
        assert (root.locator("small").all_inner_texts(), drawn.inner_text()) == (counts, last)
        table(root, "These numbers as a table", rows=21)

    def test_nothing_moves_for_those_who_ask_for_that(self, alone):
        [root] = alone(*self.outputs())
        moving = "(bar) => getComputedStyle(bar).transitionDuration"
        assert root.locator(".bar").first.evaluate(moving) == "0s"

    def test_failure_in_the_script_leaves_the_picture_and_says_so(self, alone):
        broken = re.sub(r'data-payload="[^"]+"', 'data-payload="AAAA"', self.outputs()[0])
        [root] = alone(broken, state="failed")
        assert root.get_by_role("img").is_visible()
        assert "This browser shows the picture only" in root.inner_text()

    def test_two_explorers_on_one_page_are_two(self, alone):
        """The same output twice, as with two views of one notebook: equal ids must not confuse them."""
        both = alone(*self.outputs(), *self.outputs())
        both[1].get_by_role("slider", name="Temperature").press("End")
        assert [root.locator("code").inner_text().count("temperature=0.7") for root in both] == [1, 0]
