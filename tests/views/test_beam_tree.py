import itertools
from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.support.hand_made import END, Bound, ShortOrLong, small_decoder
from tests.views.test_explorers import Tags
from utils.beam import beam_search
from utils.explorers import DecodingExplorer, delivery
from utils.explorers.beam import FATES, MOST_NODES, BeamTree

HOSTILE = '</script><img src=x onerror="alert(1)">'
any_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=12)
PROMPT = torch.tensor([[4]])
WORDS = ["</s>", "a", "the", "cat", "dog"]


def tree(model=None, **options):
    arguments = {"tokens": WORDS, "max_new_tokens": 6, "end_id": END, "prompt": "he saw", **options}
    return BeamTree(Bound() if model is None else model, PROMPT, **arguments)


def stored(made):
    """Read the output back as the browser does: for each width, text by text, its numbers and its fate."""
    header, arrays = delivery.payload_of(made.html)
    paths = [()]
    for parent, token in zip(arrays["parents"][1:], arrays["tokens"][1:], strict=True):
        assert parent < len(paths), "a node stands before what it continues"
        paths.append((*paths[parent], header["names"][token]))
    numbers = list(zip(paths, arrays["own"].tolist(), arrays["totals"].tolist(), strict=True))[1:]
    return header, {
        width: {
            path: (own, total, FATES[fate - 1])
            for (path, own, total), fate in zip(numbers, row[1:].tolist(), strict=True)
            if fate
        }
        for width, row in zip(header["widths"], arrays["fates"], strict=True)
    }


# --- the numbers


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 6), st.none() | st.integers(0, 8), st.floats(0, 2))
def test_every_width_is_stored_as_beam_search_found_it(seed, width, longest, end_id, length_penalty):
    decoder, words = small_decoder(9, seed=seed), [f"w{number}" for number in range(9)]
    options = {"max_new_tokens": longest, "end_id": end_id, "length_penalty": length_penalty}
    _, trees = stored(BeamTree(decoder, PROMPT, tokens=words, width=width, **options))
    assert list(trees) == list(range(1, width + 1))
    for each, nodes in trees.items():
        (expected,) = beam_search(decoder, PROMPT, width=each, trace=True, **options).trees
        found = {tuple(words[token] for token in node.ids): node for node in expected}
        assert nodes.keys() == found.keys()
        for path, (own, total, fate) in nodes.items():
            assert (own, total) == pytest.approx((found[path].log_probability, found[path].total), abs=1e-4)
            assert fate == found[path].fate


def test_widths_may_be_chosen():
    header, trees = stored(tree(widths=[5, 2, 2]))
    assert header["widths"] == list(trees) == [2, 5]


def test_decoding_explorer_leads_to_the_tree():
    made = DecodingExplorer.beam(Bound(), PROMPT, tokens=WORDS, width=2, max_new_tokens=6, end_id=END)
    assert isinstance(made, BeamTree)
    assert made.summary == tree(width=2, prompt="").summary


def test_plain_form_tells_what_each_width_found():
    assert tree(width=2).summary.splitlines() == [
        "Beam search after “he saw”, at most 6 tokens",
        "Width 1 (greedy search): “a cat </s>”, 3 tokens, log-probability −2.2073.",
        "Width 2: “the cat </s>”, 3 tokens, log-probability −0.9039.",
    ]
    made = tree(ShortOrLong(), width=2, length_penalty=1.0)
    assert made.summary.splitlines() == [
        "Beam search after “he saw”, at most 6 tokens, length penalty 1",
        "Width 1: “a the a the </s>”, 5 tokens, log-probability −1.1960, score −0.2392.",
        "Width 2: “a the a the </s>”, 5 tokens, log-probability −1.1960, score −0.2392.",
    ]
    assert "1 token, not finished, log-probability" in tree(max_new_tokens=1).summary


# --- what is delivered


@settings(max_examples=25, deadline=None)
@given(st.lists(any_text, min_size=5, max_size=5), any_text)
def test_tokens_of_any_kind_are_text(tokens, prompt):
    made = tree(tokens=tokens, prompt=prompt)
    page = Tags(made.html)
    assert [tag for tag, _ in page.elements] == ["div", "img", "script"]
    assert page.text == delivery.script("beam")  # no token has become part of the page or of its script
    made.html.encode("utf-8")
    made.summary.encode("utf-8")
    header, trees = stored(made)
    assert set(header["names"]) == {delivery.visible(token) for token in tokens}
    assert {path[0] for path in trees[1]} == {delivery.visible(token) for token in tokens[1:3]}


def test_hostile_token_stays_out_of_the_markup():
    made = tree(tokens=[HOSTILE] * 5, prompt=HOSTILE)
    assert HOSTILE not in made.html.replace(delivery.script("beam"), "")
    assert header_of(made)["prompt"] == HOSTILE


def header_of(made):
    return delivery.payload_of(made.html)[0]


def test_tokens_may_be_a_function_asked_for_what_is_shown():
    asked = []
    made = tree(tokens=lambda token: asked.append(token) or WORDS[token])
    assert made.summary == tree().summary
    assert set(asked) <= set(range(5))


def test_output_has_a_picture_and_a_description():
    for made in (tree(), tree(width=1), tree(max_new_tokens=1), BeamTree(small_decoder(), PROMPT, **LONG)):
        image = dict(Tags(made.html).elements)["img"]
        with Image.open(BytesIO(delivery.base64.b64decode(image["src"].partition(",")[2]))) as picture:
            assert picture.format == "PNG"
            assert picture.width == int(image["width"])
        assert "Tree of beam search at width" in image["alt"]
        assert made.summary.splitlines()[-1] in image["alt"]


LONG = {"tokens": ["word"] * 11, "width": 5, "max_new_tokens": 20}


def test_picture_shows_the_best_text_and_greedy_searchs():
    pictures = [
        dict(Tags(made.html).elements)["img"]["src"]
        for made in (tree(widths=[1, 3]), tree(widths=[2, 3]), tree(ShortOrLong(), widths=[1, 3]))
    ]
    assert len(set(pictures)) == 3


def test_five_hypotheses_of_twenty_words_are_small():
    made = BeamTree(small_decoder(), PROMPT, **LONG)
    _, arrays = delivery.payload_of(made.html)
    assert (arrays["fates"] > 0).sum(axis=1).max() <= 280
    assert len(made.html.encode("utf-8")) < 90_000


def test_same_inputs_give_the_same_bytes(monkeypatch):
    outputs = []
    for _ in range(2):
        monkeypatch.setattr(delivery, "_numbers", itertools.count(4))
        outputs.append(tree().html)
    assert outputs[0] == outputs[1]


def test_order_of_nodes_does_not_hang_on_their_scores():
    """So that a drift in the last digit, which may change the ranking, moves no other number of a stored output."""
    _, arrays = delivery.payload_of(tree().html)
    depth = np.zeros(len(arrays["parents"]), dtype=int)
    for place, parent in enumerate(arrays["parents"][1:], start=1):
        depth[place] = depth[parent] + 1
    children = {}
    for place, parent in enumerate(arrays["parents"][1:].tolist(), start=1):
        children.setdefault(parent, []).append(arrays["tokens"][place])
    assert all(list(tokens) == sorted(tokens) for tokens in children.values())


# --- what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"widths": [2, 0]}, "width must be at least 1, not 0"),
        ({"widths": []}, "widths is empty"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0, which leaves no tree to show"),
        ({"length_penalty": -1.0}, "length_penalty must lie from 0 to 10"),
        ({"tokens": WORDS[:3]}, "the model chose token 3, but there are 3 tokens"),
        ({"tokens": [1, 2, 3, 4, 5]}, "tokens must be strings"),
        ({"tokens": lambda token: None}, "is None; tokens must be strings"),
        ({"prompt": 3}, "prompt is 3; it must be a string"),
    ],
)
def test_bad_input_gets_one_plain_sentence(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        tree(**change)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_more_than_one_sentence_is_refused():
    with pytest.raises(ValueError, match=r"ids holds 2 sentences but a tree shows one; give ids\[:1\]"):
        BeamTree(Bound(), torch.tensor([[4], [4]]), tokens=WORDS, max_new_tokens=3)


def test_tree_that_a_page_could_not_show_is_refused():
    with pytest.raises(ValueError, match=rf"at width 8 the tree has \d+ nodes, and a page shows {MOST_NODES}"):
        BeamTree(small_decoder(), PROMPT, tokens=["word"] * 11, widths=[1, 8], max_new_tokens=40)
