import itertools
from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.views.test_explorers import Tags
from utils.data import load_alignments
from utils.explorers import delivery
from utils.explorers.alignment import AlignmentView
from utils.explorers.weights import decoded
from utils.metrics import alignment_error_rate

HOSTILE = '</script><img src=x onerror="alert(1)">'
any_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=12)
SOURCE, TARGET = ["the", "black", "cat"], ["le", "chat", "noir", "</s>"]
WEIGHTS = [[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.0, 0.6, 0.4], [0.2, 0.5, 0.3]]


def weights(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).softmax(dim=-1)


def header_of(made):
    return delivery.payload_of(made.html)[0]


# --- the weights


@settings(max_examples=25)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_weights_and_path_are_the_given_ones(targets, sources, seed):
    given_weights = weights(targets, sources, seed=seed)
    made = AlignmentView(given_weights, ["s"] * sources, ["t"] * targets)
    header, arrays = delivery.payload_of(made.html)
    assert np.abs(decoded(arrays["weights"]) - given_weights.numpy()).max() < 0.004
    assert header["path"] == given_weights.argmax(dim=1).tolist()
    assert not arrays["gold"].any()
    assert header["judged"] is False


def test_layers_and_heads_of_transformers_are_chosen_or_averaged():
    layers = tuple(weights(2, 4, 5, 3, seed=seed) for seed in (1, 2))  # (batch, heads, target, source)
    cases = {
        (-1, None): layers[1][1].mean(dim=0),
        (0, 3): layers[0][1, 3],
        (None, -4): torch.stack([layer[1, 0] for layer in layers]).mean(dim=0),
        (None, None): torch.stack([layer[1] for layer in layers]).mean(dim=(0, 1)),
    }
    for (layer, head), expected in cases.items():
        made = AlignmentView(layers, ["s"] * 3, ["t"] * 5, example=1, layer=layer, head=head)
        _, arrays = delivery.payload_of(made.html)
        assert np.abs(decoded(arrays["weights"]) - expected.numpy()).max() < 0.004
    assert "(layer 0 of 0–1, head 2 of 0–3)" in str(AlignmentView(layers, ["s"] * 3, ["t"] * 5, layer=0, head=2))
    assert "(layer 1 of 0–1, mean of 4 heads)" in str(AlignmentView(layers, ["s"] * 3, ["t"] * 5))


def test_word_that_may_look_at_nothing_has_no_link():
    made = AlignmentView([[0.0, 0.0], [0.3, 0.7]], ["a", "b"], ["c", "d"], gold=([(0, 1)], []))
    assert header_of(made)["path"] == [None, 1]
    assert "c ← nothing; d ← b 0.70" in made.summary
    assert "0 of 1 strongest links" in made.summary


# --- the gold links


@pytest.mark.parametrize("end_tokens", [0, 1])
def test_every_gold_alignment_is_judged_as_metrics_judges_it(end_tokens):
    for number, gold in enumerate(load_alignments()):
        sources, targets = (words + ["</s>"] * end_tokens for words in (gold.english, gold.french))
        given_weights = weights(len(targets), len(sources), seed=number)
        made = AlignmentView(given_weights, sources, targets, gold=gold)
        links = {(int(row.argmax()), target) for target, row in enumerate(given_weights[: len(gold.french)])}
        rate = alignment_error_rate(links, gold.sure, gold.possible)
        share = f"{len(links & gold.possible)} of {len(links)} strongest links are possible"
        assert share in made.summary
        assert f"alignment error rate {rate:.3f}." in made.summary
        _, arrays = delivery.payload_of(made.html)
        for links_of, level in ((gold.sure, 2), (gold.possible - gold.sure, 1)):
            assert {(s, t) for t, s in np.argwhere(arrays["gold"] == level).tolist()} == set(links_of)


def test_links_are_source_then_target():
    gold = ({(0, 0), (2, 1)}, [(1, 2)])
    made = AlignmentView(WEIGHTS, SOURCE, TARGET, gold=gold)
    assert header_of(made)["notes"] == [
        "3 of 4 strongest links are possible in the gold alignment (75%); alignment error rate "
        f"{1 - (2 + 3) / (4 + 2):.3f}."
    ]


def test_nothing_to_judge_is_said():
    made = AlignmentView([[0.0]], ["a"], ["b"], gold=([], []))
    assert "0 of 0 strongest links are possible in the gold alignment; alignment error rate undefined." in made.summary


# --- what is delivered


@settings(max_examples=25)
@given(st.lists(any_text, min_size=1, max_size=9), st.lists(any_text, min_size=1, max_size=9))
def test_tokens_of_any_kind_are_text(sources, targets):
    made = AlignmentView(weights(len(targets), len(sources)), sources, targets)
    page = Tags(made.html)
    assert [tag for tag, _ in page.elements] == ["div", "img", "script"]
    made.html.encode("utf-8")
    made.summary.encode("utf-8")
    assert header_of(made)["sources"] == [delivery.visible(token) for token in sources]
    assert header_of(made)["targets"] == [delivery.visible(token) for token in targets]


def test_hostile_token_stays_out_of_the_markup():
    made = AlignmentView(WEIGHTS, [HOSTILE, "a", "b"], [HOSTILE] * 4)
    assert HOSTILE not in made.html.replace(delivery.script("alignment"), "")
    assert header_of(made)["targets"][0] == HOSTILE.replace(" ", "␣")


def test_output_has_a_picture_a_description_and_a_plain_form():
    made = AlignmentView(WEIGHTS, SOURCE, TARGET, gold=([(0, 0)], []))
    image = dict(Tags(made.html).elements)["img"]
    with Image.open(BytesIO(delivery.base64.b64decode(image["src"].partition(",")[2]))) as picture:
        assert picture.format == "PNG"
        assert picture.width == int(image["width"])
    for said in (image["alt"], repr(made)):
        assert "4 generated by 3 source tokens" in said
        assert "le ← the 0.80; chat ← cat 0.70; noir ← black 0.60; </s> ← black 0.50." in said
        assert "1 of 4 strongest links" in said


def test_picture_shows_gold_links():
    pictures = {
        dict(Tags(AlignmentView(WEIGHTS, SOURCE, TARGET, gold=gold).html).elements)["img"]["src"]
        for gold in (None, ([(1, 1)], []), ([], [(1, 1)]))
    }
    assert len(pictures) == 3


def test_long_sentences_are_cut_in_the_summary_only():
    made = AlignmentView(weights(128, 200), ["s"] * 200, ["t"] * 128)
    assert "and 88 more" in made.summary
    assert len(header_of(made)["path"]) == 128
    assert len(made.html.encode("utf-8")) < 120_000


def test_same_inputs_give_the_same_bytes(monkeypatch):
    first, second = (
        (monkeypatch.setattr(delivery, "_numbers", itertools.count(4)), AlignmentView(WEIGHTS, SOURCE, TARGET).html)[1]
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": None}, "attention is None: .* attn_implementation"),
        ({"attention": [[0.5, 0.2, 0.1]] * 4}, "row 0 of layer 0, head 0 in attention sums to 0.8"),
        ({"source_tokens": ["a"]}, "attention has 3 columns but there is 1 token"),
        ({"target_tokens": ["a"]}, "attention has 4 rows but there is 1 token"),
        ({"target_tokens": "abcd"}, "target_tokens is one string"),
        ({"target_tokens": [1, 2, 3, 4]}, "one of target_tokens is 1; tokens must be strings"),
        ({"layer": 1}, "layer is 1, but attention has 1 layer, counted from 0"),
        ({"head": -2}, "head is -2, but attention has 1 head, counted from 0"),
        ({"gold": ([(3, 0)], [])}, r"gold link \(3, 0\) lies outside the 3 source and 4 target tokens"),
        ({"gold": ([], [(0, -1)])}, r"gold link \(0, -1\) lies outside"),
        ({"gold": [(0, 0), (1, 1)]}, "it must be an Alignment or"),
        ({"gold": ([(0.5, 1)], [])}, "it must be an Alignment or"),
        ({"gold": 3}, "gold is 3; it must be an Alignment or"),
    ],
)
def test_bad_input_gets_one_plain_sentence(change, message):
    arguments = {"attention": WEIGHTS, "source_tokens": SOURCE, "target_tokens": TARGET, **change}
    with pytest.raises(ValueError, match=message) as caught:
        AlignmentView(**arguments)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_alignment_of_another_sentence_is_refused():
    gold = next(each for each in load_alignments() if len(each.english) > 5)
    with pytest.raises(ValueError, match=f"gold has {len(gold.english)} source words but there are 3 source tokens"):
        AlignmentView(WEIGHTS, SOURCE, TARGET, gold=gold)
