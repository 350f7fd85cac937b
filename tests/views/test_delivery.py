import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.explorers import delivery


def test_script_asks_nothing_of_the_network_and_is_small():
    for kind in delivery.SOURCES:
        text = delivery.script(kind)
        assert len(text.encode("utf-8")) <= delivery.SCRIPT_LIMIT
        assert not re.search(
            r"https?:|fetch\(|XMLHttp|\bimport\b|require|\.src|url\(|innerHTML|eval|new Function", text
        )
        assert "\n//" not in text


def test_script_that_would_end_its_element_is_refused(tmp_path, monkeypatch):
    (tmp_path / "bad.js").write_text('const end = "</script>";', "utf-8")
    monkeypatch.setitem(delivery.SOURCES, "bad", (str(tmp_path / "bad.js"),))
    with pytest.raises(ValueError, match="must not contain"):
        delivery.script("bad")


@pytest.mark.parametrize(
    ("line", "thin"),
    [
        ("const sum = (one) => one + 1; // a comment", "const sum=one=>one+1;"),
        ("for (const [a, b] of pairs) {", "for(const[a,b]of pairs){"),
        ('say("a , b", c ? "x = y" : 2);', 'say("a , b",c?"x = y":2);'),
        ("say(`a , ${b + c} d`, e);", "say(`a , ${b + c} d`,e);"),
        ("const i = a + +b - -c;", "const i=a+ +b- -c;"),
        ("return (a) => a", "return(a)=>a\n"),
        # Left alone: a template in a template, a regular expression, a quote of the other kind.
        ("say(`a ${b ? `c , d` : e}`);", "say(`a ${b ? `c , d` : e}`);\n"),
        ("if (/a = b/.test(c)) d = e;", "if (/a = b/.test(c)) d = e;\n"),
        ("say('a , b');", "say('a , b');\n"),
    ],
)
def test_script_sheds_what_only_readers_need(line, thin):
    assert delivery._thinned(line) == thin


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.text(max_size=12), st.integers() | st.floats(-1e9, 1e9)),
    st.lists(st.integers(0, 255), max_size=30),
)
def test_pack_and_unpack_are_inverse(header, numbers):
    header.pop("arrays", None)
    given_arrays = {kind: np.array(numbers, dtype=kind) for kind in ("uint8", "uint16", "uint32", "float32")}
    header_back, arrays = delivery.unpack(delivery.pack(header, given_arrays))
    assert header_back == header
    for kind, array in given_arrays.items():
        assert arrays[kind].dtype == array.dtype
        np.testing.assert_array_equal(arrays[kind], array)


def test_what_cannot_be_packed_or_read_is_said():
    with pytest.raises(ValueError, match="'weights' has dtype float64"):
        delivery.pack({}, {"weights": np.zeros(2)})
    with pytest.raises(ValueError, match="not JSON compliant"):
        delivery.pack({"value": float("nan")}, {})
    with pytest.raises(ValueError, match="holds no explorer"):
        delivery.payload_of("<div>no</div>")


def test_what_cannot_be_seen_is_made_visible():
    expected = {
        " the": "␣the",
        "\n": "↵",
        "\t": "⇥",
        "": "(empty)",
        "\0": "␀",
        "\x7f": "␡",
        "\u200b": "⟨U+200B⟩",
        "\u202e": "⟨U+202E⟩",
        "\u2028": "⟨U+2028⟩",
        "\xa0": "⟨U+00A0⟩",
        "\ud800": "⟨U+D800⟩",
        "\u0301": "◌\u0301",
        "👩\u200d🔬": "👩\u200d🔬",
        "שלום": "שלום",
    }
    assert {token: delivery.visible(token) for token in expected} == expected
    assert delivery.visible("a b\n", spaces=False) == "a b↵"  # running text keeps its spaces
