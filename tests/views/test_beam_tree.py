import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.hand_made import END, Bound, ShortOrLong, small_decoder
from tests.support.view_outputs import image_of, refusal_faults, stored
from utils.beam import beam_search
from utils.explorers import DecodingExplorer
from utils.explorers.beam import FATES, MOST_NODES, BeamTree

PROMPT = torch.tensor([[4]])
LONG = {"tokens": ["word"] * 11, "width": 5, "max_new_tokens": 20}
WORDS = ["</s>", "a", "the", "cat", "dog"]


def tree(model=None, **options):
    arguments = {"tokens": WORDS, "max_new_tokens": 6, "end_id": END, "prompt": "he saw", **options}
    return BeamTree(Bound() if model is None else model, PROMPT, **arguments)


def read(made):
    """Read the output back as the browser does: for each width, text by text, its numbers and its fate."""
    header, arrays = stored(made)
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


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 6), st.none() | st.integers(0, 8), st.floats(0, 2))
def test_every_width_is_stored_as_beam_search_found_it(seed, width, longest, end_id, length_penalty):
    decoder, words = small_decoder(9, seed=seed), [f"w{number}" for number in range(9)]
    options = {"max_new_tokens": longest, "end_id": end_id, "length_penalty": length_penalty}
    _, trees = read(BeamTree(decoder, PROMPT, tokens=words, width=width, **options))
    assert list(trees) == list(range(1, width + 1))
    for each, nodes in trees.items():
        (expected,) = beam_search(decoder, PROMPT, width=each, trace=True, **options).trees
        found = {tuple(words[token] for token in node.ids): node for node in expected}
        assert nodes.keys() == found.keys()
        for path, (own, total, fate) in nodes.items():
            assert (own, total) == pytest.approx((found[path].log_probability, found[path].total), abs=1e-4)
            assert fate == found[path].fate


def test_widths_may_be_chosen():
    header, trees = read(tree(widths=[5, 2, 2]))
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


def test_tokens_may_be_a_function_asked_for_what_is_shown():
    asked = []
    made = tree(tokens=lambda token: asked.append(token) or WORDS[token])
    assert made.summary == tree().summary
    assert set(asked) <= set(range(5))


def test_order_of_nodes_does_not_hang_on_their_scores():
    """So that a drift in the last digit, which may change the ranking, moves no other number of a stored output."""
    _, arrays = stored(tree())
    depth = np.zeros(len(arrays["parents"]), dtype=int)
    for place, parent in enumerate(arrays["parents"][1:], start=1):
        depth[place] = depth[parent] + 1
    children = {}
    for place, parent in enumerate(arrays["parents"][1:].tolist(), start=1):
        children.setdefault(parent, []).append(arrays["tokens"][place])
    assert all(list(tokens) == sorted(tokens) for tokens in children.values())


def test_description_tells_what_the_widest_found_and_pictures_show_greedy_searchs_too():
    for made in (tree(), tree(width=1), tree(max_new_tokens=1), BeamTree(small_decoder(), PROMPT, **LONG)):
        alt = image_of(made)["alt"]
        assert "Tree of beam search at width" in alt
        assert made.summary.splitlines()[-1] in alt
    trees = (tree(widths=[1, 3]), tree(widths=[2, 3]), tree(ShortOrLong(), widths=[1, 3]))
    assert len({image_of(made)["src"] for made in trees}) == 3


def test_five_hypotheses_of_twenty_words_are_few_nodes():
    _, arrays = stored(BeamTree(small_decoder(), PROMPT, **LONG))
    assert (arrays["fates"] > 0).sum(axis=1).max() <= 280


def test_bad_input_gets_one_plain_sentence():
    cases = [
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"widths": [2, 0]}, "width must be at least 1, not 0"),
        ({"widths": []}, "widths is empty"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0, which leaves no tree to show"),
        ({"length_penalty": -1.0}, "length_penalty must lie from 0 to 10"),
        ({"tokens": WORDS[:3]}, "the model chose token 3, but there are 3 tokens"),
        ({"tokens": [1, 2, 3, 4, 5]}, "tokens must be strings"),
        ({"tokens": lambda token: None}, "is None; tokens must be strings"),
        ({"prompt": 3}, "prompt is 3; it must be a string"),
    ]
    assert refusal_faults(tree, cases) == []
    cases = [
        (
            {"model": Bound(), "ids": torch.tensor([[4], [4]]), "tokens": WORDS, "max_new_tokens": 3},
            r"ids holds 2 sentences but a tree shows one; give ids\[:1\]",
        ),
        (
            {"model": small_decoder(), "ids": PROMPT, "widths": [1, 8], **LONG, "max_new_tokens": 40},
            rf"at width 8 the tree has \d+ nodes, and a page shows {MOST_NODES}",
        ),
    ]
    assert refusal_faults(BeamTree, cases) == []
