"""Generated token lists through every view: made by Python, and brought to life in a real browser.

On every change a hundred lists for each view; every night ten thousand in all.
"""

import unicodedata
from contextlib import nullcontext
from functools import lru_cache
from random import Random

import pytest

from tests.support.made_views import SLOW_PICTURES, VIEWS, undrawn
from tests.support.token_lists import HOSTILE, STRANGE, Batch, Made, gather, live_faults, token_list
from utils.explorers.delivery import visible

ON_A_PAGE = 50
WIDTHS = (1000, 400)  # of the pages, in turn
EXTENT = [  # pages of each view
    pytest.param(2, id="some"),
    pytest.param(-(-10_000 // (len(VIEWS) * ON_A_PAGE)), id="all", marks=pytest.mark.nightly),
]


@lru_cache(maxsize=2 * len(VIEWS))  # so that the tests of every change share theirs
def batch(view: str, number: int) -> Batch:
    """Make the views of one page; the same arguments give the same lists."""
    random = Random(f"{view} {number}")

    def make() -> Made:
        drawn = view not in SLOW_PICTURES or random.random() < 0.05
        with nullcontext() if drawn else undrawn(view):
            return VIEWS[view](random)

    return gather([make] * ON_A_PAGE, first=ON_A_PAGE * number)


@pytest.mark.parametrize("pages", EXTENT)
@pytest.mark.parametrize("view", VIEWS)
def test_tokens_of_any_kind_are_text(view, pages):
    for number in range(pages):
        assert batch(view, number).faults == []


@pytest.mark.browser
@pytest.mark.parametrize("pages", EXTENT)
@pytest.mark.parametrize("view", VIEWS)
def test_tokens_of_any_kind_are_shown_and_nothing_is_run(view, pages, chromium, tmp_path):
    for number in range(pages):
        width = WIDTHS[number % len(WIDTHS)]
        assert live_faults(chromium, batch(view, number), tmp_path / "page.html", width=width) == []


def test_every_token_can_be_seen():
    """Whatever begins a name is neither blank, nor a mark or a joiner that has nothing to stand on."""
    random = Random(5)
    for text in [*STRANGE, *HOSTILE, *token_list(random, 20_000)]:
        shown = visible(text)
        assert unicodedata.category(shown[0])[0] in "LNPS"
        assert not set(shown) & set("\u115f\u1160\u2800\u3164\uffa0")
        assert not {shown[0], shown[-1]} & {"\u200d"}
        assert shown.replace("\u200d", "").isprintable()
