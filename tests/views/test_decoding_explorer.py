import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.made_views import undrawn
from tests.support.view_outputs import image_of, refusal_faults, stored
from utils.decoding import sampling_probabilities
from utils.explorers import DecodingExplorer
from utils.explorers.decoding import STEP

logit = st.one_of(st.floats(-60, 60, width=32), st.just(-float("inf")))


def explorer(contexts=1, vocabulary=50, **options):
    scores = 3 * torch.randn(contexts, vocabulary, generator=torch.Generator().manual_seed(7))
    return DecodingExplorer(scores, [f" w{index}" for index in range(vocabulary)], **options)


def stored_logits(made):
    """Read the output back as the browser does: for each context its logits in falling order, and the named tokens."""
    header, arrays = stored(made)
    for number, context in enumerate(header["contexts"]):
        low, middle, high = arrays[f"steps{number}"].astype(np.int64)
        depth = np.cumsum(low + 256 * middle + 65536 * high)
        names = [header["names"][place] for place in arrays[f"names{number}"]]
        yield context["highest"] - header["step"] * depth, names


@settings(max_examples=25, deadline=None)
@given(st.lists(logit, min_size=1, max_size=60).filter(lambda row: max(row) > -float("inf")))
def test_stored_logits_are_the_given_ones(row):
    with undrawn("decoding"):
        made = DecodingExplorer(row, [str(index) for index in range(len(row))])
    [(found, names)] = stored_logits(made)
    expected = torch.tensor(row).sort(descending=True, stable=True)
    possible = int(expected.values.isfinite().sum())
    assert stored(made)[0]["contexts"][0]["excluded"] == len(row) - possible
    np.testing.assert_allclose(found, expected.values[:possible], rtol=1e-6, atol=STEP / 2 + 1e-4)
    assert names == [str(index) for index in expected.indices[:possible].tolist()]


@pytest.mark.parametrize(("top_k", "top_p"), [(None, None), (7, None), (None, 0.8), (40, 0.5)])
def test_stored_logits_give_the_probabilities_of_sampling(top_k, top_p):
    scores = 3 * torch.randn(2, 500, generator=torch.Generator().manual_seed(3))
    with undrawn("decoding"):
        made = DecodingExplorer(scores, [str(index) for index in range(500)], named=500)
    for temperature in (0.1, 0.5, 1.0, 3.0):
        expected = sampling_probabilities(scores, temperature, top_k, top_p)
        for row, (found, names) in zip(expected, stored_logits(made), strict=True):
            again = sampling_probabilities(torch.tensor(found), temperature, top_k, top_p)
            order = torch.tensor([int(name) for name in names])
            assert (again - row[order]).abs().max() < 0.004, temperature


def test_contexts_share_one_table_of_names():
    header, arrays = stored(explorer(contexts=3, vocabulary=30, prompt=list("abc")))
    assert len(header["names"]) == 30
    assert [context["text"] for context in header["contexts"]] == ["a", "b", "c"]
    assert all(len(arrays[f"names{number}"]) == 30 for number in range(3))


def test_long_prompt_keeps_its_end():
    header, _ = stored(explorer(prompt="x" * 500 + " the end"))
    text = header["contexts"][0]["text"]
    assert text.startswith("…x")
    assert text.endswith("the end")
    assert len(text) == 241


def test_payload_is_json_that_every_browser_reads():
    header, _ = stored(explorer(prompt="\u2028\x00"))
    assert json.loads(json.dumps(header, allow_nan=False)) == header


def test_description_tells_the_text_and_the_settings():
    made = explorer(prompt="the cat", top_k=5)
    for said in (image_of(made)["alt"], made.summary):
        for part in ("“the cat”", "50 tokens", "top-k 5", "kept 5 tokens"):
            assert part in said


def test_function_is_asked_for_the_names_that_are_shown_and_not_for_the_whole_vocabulary():
    asked = []
    scores = 3 * torch.randn(2, 49_152, generator=torch.Generator().manual_seed(1))
    DecodingExplorer(scores, lambda index: asked.append(index) or f"token {index}")
    assert len(set(asked)) <= 2 * 128


def test_bad_input_gets_one_plain_sentence():
    cases = [
        ([float("nan"), 0.0], "ab", {}, "context 0 hold NaN or [+]infinity"),
        ([[0.0, 0.0], [float("inf"), 0.0]], "ab", {}, "context 1 hold NaN or [+]infinity"),
        ([-float("inf")] * 2, "ab", {}, "context 0 are all -infinity"),
        ([], "", {}, "neither of them 0"),
        (torch.zeros(0, 3), "abc", {}, "neither of them 0"),
        (torch.zeros(1, 1, 3), "abc", {}, r"take the last position, logits\[:, -1\]"),
        (1.0, "a", {}, "must have shape"),
        ([[0.0], [0.0, 1.0]], "ab", {}, "must be numbers of shape"),
        ("words", "ab", {}, "must be numbers of shape"),
        ([0.0, 1.0], "abc", {}, "there are 3 tokens but 2 logits"),
        ([0.0, 1.0], ["a", b"b"], {}, "token 1 is b'b'; tokens must be strings"),
        ([0.0, 1.0], lambda index: index, {}, "token 1 is 1; tokens must be strings"),
        ([0.0, 1.0], "ab", {"prompt": ["x", "y"]}, "there are 2 prompts but 1 contexts"),
        ([0.0, 1.0], "ab", {"prompt": [3]}, "every prompt must be a string"),
        ([0.0, 1.0], "ab", {"temperature": 0}, "temperature must lie within the slider's"),
        ([0.0, 1.0], "ab", {"temperature": float("nan")}, "temperature must lie within the slider's"),
        ([0.0, 1.0], "ab", {"top_k": 0}, "top_k must be at least 1"),
        ([0.0, 1.0], "ab", {"top_p": 1.5}, "top_p must lie above 0"),
        ([0.0, 1.0], "ab", {"top": 0}, "top must be at least 1"),
        ([0.0, 1.0], "ab", {"top": 5, "named": 2}, "named at least top"),
    ]
    changes = [({"logits": logits, "tokens": tokens, **options}, words) for logits, tokens, options, words in cases]
    assert refusal_faults(DecodingExplorer, changes) == []
