"""Views that are careless with their tokens: the checks of the ten thousand token lists find them out."""

from collections.abc import Iterator
from random import Random

import pytest
from playwright.sync_api import Browser

from tests.support.browser import browser, executable
from tests.support.token_lists import HOSTILE, Made, gather, live_faults, static_faults
from tests.views.test_token_lists import alignment_view
from utils.explorers import delivery
from utils.explorers.delivery import Explorer

TOKENS = [
    "window.hacked=1",
    HOSTILE[2],
    "red;background:url(https://elsewhere.example/c)",
    " the",
    "𝔘𝔫𝔦",
    "constructor",
]
CARELESS = {  # what a careless view does with its tokens: the faults that are then found
    "view.innerHTML = tokens.join();": ("has a stranger: <img", "asked for https://elsewhere.example/x"),
    "for (const token of tokens) view.append(element('p', { role: 'option', onclick: token }));": (
        "has an attribute onclick",
        "a token was run",
    ),
    "for (const token of tokens) view.append(element('a', { href: token }, token));": (
        "has a stranger: <a ",
        "has an attribute href",
    ),
    "for (const token of tokens) view.append(element('p', { style: `color: ${token}` }, token));": (
        "has an attribute style",
        "asked for https://elsewhere.example/c",
    ),
    "for (const token of tokens) view.append(element('p', {}, token.trim()));": ('shows no " the"',),
    "for (const token of tokens) view.append(element('p', {}, token.slice(0, 1)));": ("shows half a character",),
    "for (const token of tokens) ({})[token].call();": ("is not alive",),
    "for (const token of tokens) console.error(token);": ("console: constructor",),
    "document.body.append(element('p', {}, ...tokens));": ("1 elements beside the views",),
}


def planted(number: int) -> Made:
    """Return a view of the kind that the careless code of that number was given."""
    packed = delivery.pack({"tokens": TOKENS}, {})
    return Explorer(f"careless {number}", payload=packed, picture=b"", width=1, alt="", summary=""), TOKENS


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.mark.browser
@pytest.mark.skipif(executable() is None, reason="no Chromium or Chrome on this machine")
@pytest.mark.parametrize("number", range(len(CARELESS)))
def test_careless_views_are_found_out(number, chromium, tmp_path, monkeypatch):
    [(code, found)] = list(CARELESS.items())[number : number + 1]
    path = tmp_path / "careless.js"
    lines = ("function build({ header: { tokens } }) {", "const view = element('div');", code, "return view;", "}")
    path.write_text("\n".join([*lines, f"start('careless {number}', build);"]), "utf-8")
    monkeypatch.setitem(delivery.SOURCES, f"careless {number}", (str(path),))
    made = gather([lambda: planted(number)])
    assert made.faults == []
    faults = live_faults(chromium, made, tmp_path / "page.html")
    for fault in found:
        assert any(fault in each for each in faults), faults


@pytest.mark.parametrize("text", [HOSTILE[2], '" onerror="window.hacked=1', "</div>", '"><p>', "\ud800"])
def test_careless_html_is_found_out(text):
    made, _ = alignment_view(Random(1))
    assert static_faults(made) == []
    made.html = made.html.replace(' style="', f'{text}" style="', 1)
    assert static_faults(made) != []


def test_view_that_cannot_be_made_is_found_out():
    made = gather([lambda: alignment_view(Random(1)), lambda: 1 / 0])
    assert (len(made.expected), len(made.faults)) == (1, 1)
    assert "number 1 was not made: ZeroDivisionError" in made.faults[0]
