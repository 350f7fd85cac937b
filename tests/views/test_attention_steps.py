import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.attention_samples import noise
from tests.support.view_outputs import image_of, refusal_faults, stored
from utils.explorers.steps import MOST, AttentionSteps, _number, _stages

sizes = st.integers(1, MOST)


def example(queries=3, keys=3, size=2, **options):
    return AttentionSteps(noise(queries, size), noise(keys, size, seed=2), noise(keys, size, seed=3), **options)


@settings(max_examples=50)
@given(sizes, sizes, sizes, sizes, st.booleans(), st.booleans(), st.integers(0, 99))
def test_stages_end_in_torchs_context(queries, keys, size, value_size, masked, causal, seed):
    query, key, value = noise(queries, size, seed=seed), noise(keys, size), noise(keys, value_size, seed=2)
    allowed = noise(queries, keys, seed=seed) > 0 if masked else torch.ones(queries, keys, dtype=torch.bool)
    allowed = allowed.tril() if causal else allowed
    scores, shut, weights, context = _stages(query, key, value, allowed)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
    assert (context - expected).abs().max() < 1e-4
    torch.testing.assert_close(scores.float(), query @ key.T / size**0.5)
    assert torch.equal(shut == -float("inf"), ~allowed)
    assert torch.equal(weights.sum(dim=1) > 0.5, allowed.any(dim=1))  # a row that may look at nothing is all zero


def test_what_is_stored_is_what_was_given():
    query, key, value = noise(3, 4), noise(5, 4, seed=2), noise(5, 2, seed=3)
    mask = torch.tensor([True, True, True, False, True])
    header, arrays = stored(
        AttentionSteps(
            query, key.numpy(), value.tolist(), tokens=["a", "b", " c"], key_tokens="v w x y z".split(), mask=mask
        )
    )
    for name, given_numbers in (("query", query), ("key", key), ("value", value)):
        np.testing.assert_array_equal(arrays[name], given_numbers.numpy())
    assert header["tokens"] == ["a", "b", "␣c"]
    assert header["keys"] == ["v", "w", "x", "y", "z"]
    assert header["allowed"] == [mask.tolist()] * 3
    assert (header["size"], header["causal"]) == (4, False)
    assert stored(example(tokens=["a", "b", "c"]))[0]["keys"] == ["a", "b", "c"]


def test_causal_is_torchs_causal_and_joins_the_mask():
    header, _ = stored(example(3, 3, causal=True, mask=[[1, 1, 1], [0, 1, 1], [1, 1, 1]]))
    assert header["allowed"] == [[True, False, False], [False, True, False], [True, True, True]]
    assert header["causal"] is True


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.50"), (-0.001, "0.00"), (-1.25, "−1.25"), (12.34, "12.3"), (-123.4, "−123"), (-1500, "−1.5e3")],
)
def test_numbers_take_six_characters_at_most(value, text):
    assert _number(value) == text
    assert len(text) <= 6


def test_description_tells_the_weights_and_the_plain_form_the_contexts():
    weights = [[1.0, 0.0], [0.0, 1.0]]
    made = AttentionSteps(weights, weights, weights, tokens=["cat", "sat"], causal=True)
    image = image_of(made)
    for said in (image["alt"], made.summary):
        assert "2 × 2 tokens, d = 2, causal, 1 of 4 scores masked" in said
    assert "sat → sat 0.67" in image["alt"]
    assert "Context of sat = 0.33 × value of cat + 0.67 × value of sat = (0.33, 0.67)." in made.summary
    assert "Context of cat = 1.00 × value of cat = (1.00, 0.00)." in made.summary
    assert image_of(AttentionSteps(weights, weights, weights, tokens=["cat", "sat"]))["src"] != image["src"]
    assert "Context of q1 = nothing, since all is masked = (0.00, 0.00)." in str(example(2, 2, mask=[[0, 0], [1, 1]]))


def test_bad_input_gets_one_plain_sentence():
    nan, infinity = float("nan"), float("inf")
    square = ((2, 2), (2, 2), (2, 2))
    long = ((2, 2), (3, 2), (3, 2))
    cases = [
        (((2,), (2, 2), (2, 2)), {}, r"query must have shape \(tokens, dimensions\)"),
        (((1, 2, 2), (2, 2), (2, 2)), {}, "take one example and one head"),
        (((2, 0), (2, 2), (2, 2)), {}, "neither of them 0"),
        (((2, 3), (2, 2), (2, 2)), {}, "query vectors have 3 dimensions and key vectors 2"),
        (((2, 2), (3, 2), (2, 2)), {}, "there are 3 keys but 2 values"),
        (((9, 2), (2, 2), (2, 2)), {}, "the limit is 8 tokens of 8 dimensions"),
        (((2, 64), (2, 64), (2, 2)), {}, r"take query\[:8, :8\]"),
        (((2, 2), (2, 2), (2, 9)), {}, r"value has shape \(2, 9\), too large"),
        (square, {"tokens": ["a"]}, "there are 1 tokens but 2 queries"),
        (square, {"tokens": ["a", 3]}, "one of tokens is 3; tokens must be strings"),
        (square, {"query": [[nan, 0], [0, 0]]}, "query holds NaN or infinity"),
        (square, {"query": [[infinity, 0], [0, 0]]}, "query holds NaN or infinity"),
        (square, {"query": "words"}, "query must be numbers of shape"),
        (square, {"query": [[1.0], [1.0, 2.0]]}, "query must be numbers of shape"),
        (long, {"tokens": ["a", "b"]}, "give key_tokens too"),
        (long, {"key_tokens": ["a"]}, "there are 1 key_tokens but 3 keys"),
        (long, {"mask": [True]}, r"mask must have shape \(3,\) or \(2, 3\), not \(1,\)"),
        (long, {"mask": [0.5, 1, 1]}, "mask must be True"),
        (long, {"mask": "no"}, "mask must be True or False of shape"),
    ]
    changes = [
        (dict(zip(("query", "key", "value"), map(torch.zeros, shapes), strict=True)) | options, message)
        for shapes, options, message in cases
    ]
    assert refusal_faults(AttentionSteps, changes) == []
