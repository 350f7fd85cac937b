"""The beam tree in a real browser, in every place where a notebook is read."""

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

import torch

from tests.support.beam_checks import DATA, NODES, TREE, assert_alive, assert_legible, assert_numbers, view
from tests.support.browser import visit
from tests.support.explorer_pages import EveryPlace, in_a_browser
from utils.explorers.beam import BeamTree
from utils.recurrent import DecoderRNN

pytestmark = in_a_browser


class TestBeamTree(EveryPlace):
    name = "beam"
    sources = ('import sys\nsys.path.insert(0, "..")', DATA, TREE)
    alts = ("Tree of beam search at width 4",)
    assert_alive = staticmethod(assert_alive)
    assert_legible = staticmethod(assert_legible)
    assert_numbers = staticmethod(assert_numbers)

    def test_five_hypotheses_of_twenty_words_stay_light(self, chromium, course):
        torch.manual_seed(1)
        words = [f"word{number}" for number in range(40)]
        made = BeamTree(DecoderRNN(8, 40), torch.tensor([[4]]), tokens=words, width=5, max_new_tokens=20)
        page = course / "large.html"
        page.write_text(f'<!doctype html><meta charset="utf-8">{made.html}', "utf-8")
        with visit(chromium, width=400) as opened:
            opened.page.goto(page.as_uri())
            root = view(opened.page)
            assert root.locator(".node").count() > 200
            assert root.evaluate(NODES) < 1500
            assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= 400
            inner, outer = root.locator(".scroll").first.evaluate("(box) => [box.scrollWidth, box.clientWidth]")
            assert inner > 3000 > outer
        assert (opened.refused, opened.errors) == ([], [])
