"""The attention explorer in a real browser, in every place where a notebook is read."""

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.support.attention_checks import DATA, EXPLORER, assert_alive, assert_every_head_equals_torch, assert_legible
from tests.support.attention_samples import weights
from tests.support.browser import visit
from tests.support.explorer_checks import LIVE, NODES
from tests.support.explorer_pages import EveryPlace, in_a_browser
from utils.explorers import AttentionExplorer

pytestmark = in_a_browser


class TestAttentionExplorer(EveryPlace):
    name = "attention"
    sources = ('import sys\nsys.path.insert(0, "..")\nfrom utils.explorers import AttentionExplorer', DATA, EXPLORER)
    alts = ("Heat map of layer 2, head 1",)
    assert_alive = staticmethod(assert_alive)
    assert_legible = staticmethod(assert_legible)
    assert_numbers = staticmethod(assert_every_head_equals_torch)

    def test_drawings_follow_when_the_reader_changes_the_light_or_the_width(self, chromium, bare):
        with visit(chromium, width=1000) as opened:
            opened.page.goto(bare)
            opened.page.wait_for_selector(LIVE)
            opened.page.emulate_media(color_scheme="dark")
            assert_legible(opened.page, dark=True)
            opened.page.set_viewport_size({"width": 400, "height": 900})
            canvas = "document.querySelector('.course-explorer > div').shadowRoot.querySelector('.map > canvas')"
            opened.page.wait_for_function(f"{canvas}.clientWidth < 400")
        assert (opened.refused, opened.errors) == ([], [])

    @pytest.mark.parametrize("size", [1, 64, 256])
    def test_long_texts_stay_light(self, chromium, tmp_path, size):
        """At 256 tokens, 6 layers of 2 heads (12 heads of a real model take 3.4 MB): few nodes, every key at work."""
        made = AttentionExplorer(weights(6, 1, 2, size, size), [f"word{number}" for number in range(size)])
        page = tmp_path / "long.html"
        page.write_text(f'<!doctype html><meta charset="utf-8">{made.html}', "utf-8")
        with visit(chromium, width=1400) as opened:
            opened.page.goto(page.as_uri())
            opened.page.wait_for_selector(LIVE)
            assert opened.page.evaluate(NODES) < 2_000
            opened.page.locator(".course-explorer [role=option]").first.focus()
            opened.page.keyboard.press("End")
            assert opened.page.locator(".detail").inner_text().startswith(f"word{size - 1} looks at")
        assert (opened.refused, opened.errors) == ([], [])
