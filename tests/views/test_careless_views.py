"""Views that are careless with their tokens: the checks of the generated token lists find them out."""

from random import Random

import pytest

from tests.support.made_views import VIEWS
from tests.support.token_lists import HOSTILE, Made, gather, live_faults, static_faults
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


def planted(kind: str, tokens: list[str] = TOKENS) -> Made:
    """Return a view of that kind that carries ``tokens``, and is to show all ``TOKENS``."""
    packed = delivery.pack({"tokens": tokens}, {})
    return Explorer(kind, payload=packed, picture=b"", width=1, alt="", summary=""), TOKENS


@pytest.mark.browser
@pytest.mark.parametrize("code", CARELESS)
def test_careless_views_are_found_out(code, chromium, tmp_path, monkeypatch):
    path = tmp_path / "careless.js"
    lines = ("function build({ header: { tokens } }) {", "const view = element('div');", code, "return view;", "}")
    path.write_text("\n".join([*lines, "start('careless', build);"]), "utf-8")
    monkeypatch.setitem(delivery.SOURCES, "careless", (str(path),))
    delivery.script.cache_clear()
    made = gather([lambda: planted("careless")])
    assert made.faults == []
    faults = live_faults(chromium, made, tmp_path / "page.html")
    for fault in CARELESS[code]:
        assert any(fault in each for each in faults), faults


def test_careless_html_is_found_out():
    made, _ = VIEWS["alignment"](Random(1))
    whole = made.html
    assert static_faults(made) == []
    for text in (HOSTILE[2], '" onerror="window.hacked=1', "</div>", '"><p>', "\ud800"):
        made.html = whole.replace(' style="', f'{text}" style="', 1)
        assert static_faults(made) != [], text


def test_views_that_cannot_be_made_or_lose_a_token_are_found_out():
    made = gather([lambda: planted("steps"), lambda: 1 / 0, lambda: planted("steps", TOKENS[:-1])])
    assert len(made.expected) == 2
    assert made.faults == [
        "number 1 was not made: ZeroDivisionError('division by zero')",
        "number 2 does not carry 'constructor'",
    ]
