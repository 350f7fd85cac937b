"""The steps of a translation in a real browser, in every place where a notebook is read."""

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

import torch

from tests.support.browser import visit
from tests.support.explorer_pages import EveryPlace, in_a_browser
from tests.support.translation_checks import (
    ATTENDING,
    DATA,
    NODES,
    PLAIN,
    VIEWS,
    assert_alive,
    assert_equal_torch,
    assert_legible,
)
from utils.explorers.translation import TranslationSteps

pytestmark = in_a_browser


class TestTranslationSteps(EveryPlace):
    name = "translation"
    sources = ('import sys\nsys.path.insert(0, "..")', DATA, PLAIN, ATTENDING)
    alts = ("4 source words, 6 written.", "with attention")
    assert_alive = staticmethod(assert_alive)
    assert_legible = staticmethod(assert_legible)
    assert_numbers = staticmethod(assert_equal_torch)

    @pytest.mark.parametrize("width", [400, 1000])
    def test_longest_sentences_fit(self, chromium, tmp_path, width):
        """As many words as it takes, each of them long: no overflow, few nodes, every step at work."""
        generator = torch.Generator().manual_seed(0)
        encoder, decoder = (torch.randn(rows, 128, generator=generator).tanh() for rows in (40, 60))
        made = TranslationSteps(
            [f"a long source word, number {number}" for number in range(40)],
            encoder,
            decoder,
            torch.randn(60, 9, generator=generator),
            [f"a long written word, number {number}" for number in range(9)],
            read=[0] * 60,
        )
        page = tmp_path / "long.html"
        page.write_text(f'<!doctype html><meta charset="utf-8"><body style="margin: 0">{made.html}', "utf-8")
        with visit(chromium, width=width) as opened:
            opened.page.goto(page.as_uri())
            root = opened.page.locator(VIEWS)
            for key in ("Home", "PageUp", "End"):
                root.get_by_role("slider").press(key)
                assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= width
            assert root.locator(".sentence bdi").count() == 60
            assert root.evaluate(NODES) < 500
        assert (opened.refused, opened.errors) == ([], [])

    def test_word_that_is_not_among_the_most_probable_gets_a_bar_too(self, chromium, tmp_path):
        made = TranslationSteps(
            ["a"], [[0.1]], [[0.2]], [[5.0, 4, 3, 2, 1, 0]], list("abcdef"), read=[0], written=[5], first_state=[0.3]
        )
        page = tmp_path / "drawn.html"
        page.write_text(f'<!doctype html><meta charset="utf-8">{made.html}', "utf-8")
        with visit(chromium) as opened:
            opened.page.goto(page.as_uri())
            root = opened.page.locator(VIEWS)
            root.get_by_role("slider").press("End")
            assert root.locator(".row bdi").all_inner_texts() == ["a", "b", "c", "d", "e", "f"]
            assert root.locator(".chosen").inner_text().split() == ["f", "0.4%"]
        assert (opened.refused, opened.errors) == ([], [])
