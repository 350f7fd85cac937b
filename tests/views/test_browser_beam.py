"""The beam tree in a real browser, in every place where a notebook is read."""

import re
from functools import cache

import pytest
import torch

from tests.support.explorer_checks import NODES, assert_announced, places, press, table
from tests.support.explorer_pages import EveryPlace
from utils.beam import beam_search
from utils.explorers.beam import BeamTree
from utils.explorers.delivery import visible
from utils.recurrent import DecoderRNN

pytestmark = pytest.mark.browser


def shown(value: float, digits: int = 2) -> str:
    """Return a log-probability as the page writes it."""
    text = f"{value:.{digits}f}"
    return text.replace("-0.00", "0.00" if round(value, digits) == 0 else "-0.00").replace("-", "−")


def won(root) -> list[str]:
    """Return the words of the best text, in order."""
    return root.locator(".node.won").evaluate_all(
        "(all) => all.sort((a, b) => a.ariaLevel - b.ariaLevel).map((node) => node.innerText)"
    )


class TestBeamTree(EveryPlace):
    name = "beam"
    # A small random decoder whose tokens are of every kind; greedy search loses.
    data = """
import torch
from utils.explorers.beam import BeamTree
from utils.recurrent import DecoderRNN
torch.manual_seed(23)
model = DecoderRNN(8, 8).eval()
torch.nn.init.normal_(model.out.weight, std=3.0)
tokens = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", " the", "שלום", "👩\\u200d🔬", ""]
tokens += ["</s>"]
prompt = torch.tensor([[1]])
options = {"max_new_tokens": 7, "end_id": 7}
"""
    shows = ('BeamTree(model, prompt, tokens=tokens, width=4, prompt="<i>he</i> said", **options)',)
    alts = ("Tree of beam search at width 4",)
    texts = (
        *(".finding", ".detail", ".cut", ".key", "li", ".slider"),
        *(f".node.{kind}:not(.won)" for kind in ("root", "kept", "pruned", "finished", "past")),
    )
    most_nodes = (1500,)

    @classmethod
    @cache
    def found(cls):
        """Return what beam search finds at each width."""
        given = cls.given()
        search = {"trace": True, **given["options"]}
        return [beam_search(given["model"], given["prompt"], width=width, **search) for width in range(1, 5)]

    def assert_numbers(self, page, root):
        """Compare every node, every text and every number of every width with ``beam_search``."""
        words = [visible(token) for token in self.given()["tokens"]]
        width, step, _ = root.get_by_role("slider").all()
        width.press("Home")
        for number, found in enumerate(self.found(), start=1):
            assert width.get_attribute("aria-valuetext") == f"{number}{': greedy search' * (number == 1)}"
            (tree,) = found.trees
            last = max(node.length for node in tree)
            step.press("End")
            assert step.get_attribute("aria-valuetext") == f"{last} of {last}"
            nodes = root.locator(".node:not(.root)")
            labels = nodes.evaluate_all("(all) => all.map((node) => [node.ariaLabel, node.ariaLevel])")
            expected = []
            for node in tree:
                numbers = f"{shown(node.log_probability)} Σ {shown(node.total)}"
                expected.append((f"{words[node.token]}, {numbers}, {node.fate}", f"{node.length + 1}"))
            assert sorted(map(tuple, labels)) == sorted(expected)
            best = found.hypotheses[0][0]
            assert won(root) == [words[token] for token in best.ids]
            said = root.locator(".finding").inner_text()
            assert f"log-probability {shown(best.log_probability)}, probability" in said
            items = root.locator("li").all_inner_texts()
            ended = [node for node in tree if node.fate in ("finished", "unfinished")]
            assert len(items) == min(8, len(ended))
            for item, each in zip(items, found.hypotheses[0], strict=False):
                text = " ".join(words[token] for token in each.ids)
                assert item.startswith(f"“{text}” {shown(each.log_probability)} · {len(each.ids)} token")
                assert item.endswith("unfinished") != each.finished
            width.press("ArrowRight")

    def walk(self, page, root):
        """Use sliders, buttons, keys, pins, table."""
        self.assert_numbers(page, root)
        width, step, penalty = root.get_by_role("slider").all()
        detail, nodes = root.locator(".detail"), root.locator(".node")
        found = self.found()
        (tree,) = found[3].trees
        greedy, best = found[0].hypotheses[0][0], found[3].hypotheses[0][0]
        assert best.log_probability > greedy.log_probability + 0.1
        assert "Greedy search (width 1) finds" in root.locator(".finding").inner_text()
        assert root.locator(".node.led").count() > 0

        # The tree grows word by word.
        following = root.get_by_role("button", name="Next")
        step.press("Home")
        for number in range(max(node.length for node in tree) + 1):
            if number > 0:
                following.click()
            assert nodes.count() == 1 + sum(node.length <= number for node in tree)
        assert following.is_disabled()
        root.get_by_role("button", name="Back").click()
        assert root.locator(".won").count() == 1  # nothing has won yet: this is the one of the legend
        play = root.get_by_role("button", name="Play")
        step.press("End")
        # In one go, before the first word comes.
        left = "(button) => { button.click(); return button.closest('.view').querySelectorAll('.node').length; }"
        assert play.evaluate(left) == 1
        root.get_by_role("button", name="Pause").click()
        assert play.count() == 1

        # Keys: to the best text, up and down its column, back to the prompt.
        step.press("End")
        root.locator('.node[tabindex="0"]').focus()
        press(page, "End")
        assert "■ Finished, number 1 of" in detail.inner_text()
        assert len(places(nodes, "tabIndex", 0)) == 1
        total = re.search(r"[=≈] (−[\d.]+), probability ([\d.]+)%", detail.inner_text())
        assert total.group(1) == shown(best.log_probability)
        press(page, "Enter" + " ArrowLeft" * len(best.ids))
        assert detail.inner_text() == "<i>he</i> said: every text starts here."
        press(page, "ArrowRight")
        assert "number 1 of" in detail.inner_text()
        press(page, "ArrowDown " * 12)  # at the end the walk stands still
        first = [node for node in tree if node.length == 1]
        lost = min(node.total for node in first if node.fate == "kept") - first[-1].total
        assert "✂ Pruned, number 8 of 8 at step 1: the last of the 4 that went on, “" in detail.inner_text()
        assert detail.inner_text().endswith(f"is ahead by {shown(lost)}.")
        assert_announced(root, "Pruned")
        press(page, "Home")
        width.focus()
        assert "■ Finished, number 1 of" in detail.inner_text()  # pinned
        press(page, "Escape")
        assert detail.inner_text().startswith("Point at a word")
        root.locator(".node.pruned").first.click()
        assert "✂ Pruned" in detail.inner_text()
        press(page, "Escape")

        # The penalty re-ranks what has ended.
        penalty.press("End")
        assert penalty.get_attribute("aria-valuetext") == "2.00"
        ended = [node for node in tree if node.fate in ("finished", "unfinished")]
        top = max(ended, key=lambda node: node.total / node.length**2)
        words = [visible(token) for token in self.given()["tokens"]]
        assert won(root) == [words[token] for token in top.ids] != [words[token] for token in best.ids]
        assert f"÷ {top.length}^2.00 = {shown(top.total / top.length**2)}" in root.locator("li").first.inner_text()
        penalty.press("Home")
        expected = [(number, each) for number, of_width in enumerate(found, start=1) for each in of_width.hypotheses[0]]
        rows = table(root, "The best texts as a table", rows=1 + len(expected))[1:]
        assert [(int(row[0]), row[2], int(row[3]), row[4]) for row in rows] == [
            (number, shown(each.log_probability, 4), len(each.ids), shown(each.score, 4)) for number, each in expected
        ]

    def test_five_hypotheses_of_twenty_words_stay_light(self, alone):
        torch.manual_seed(1)
        words = [f"word{number}" for number in range(40)]
        made = BeamTree(DecoderRNN(8, 40), torch.tensor([[4]]), tokens=words, width=5, max_new_tokens=20)
        [root] = alone(made.html, width=400)
        assert root.locator(".node").count() > 200
        assert root.evaluate(NODES) < 1500
        assert root.page.evaluate("document.scrollingElement.scrollWidth") <= 400
        inner, outer = root.locator(".scroll").first.evaluate("(box) => [box.scrollWidth, box.clientWidth]")
        assert inner > 3000 > outer
