import itertools
from io import BytesIO

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from tests.views.test_explorers import Tags
from utils.explorers import delivery
from utils.explorers.steps import MOST, AttentionSteps, _number, _stages

HOSTILE = '</script><img src=x onerror="alert(1)">'
any_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=12)
sizes = st.integers(1, MOST)


def vectors(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def example(queries=3, keys=3, size=2, **options):
    return AttentionSteps(vectors(queries, size), vectors(keys, size, seed=2), vectors(keys, size, seed=3), **options)


# --- the numbers


@settings(max_examples=50)
@given(sizes, sizes, sizes, sizes, st.booleans(), st.booleans(), st.integers(0, 99))
def test_stages_end_in_torchs_context(queries, keys, size, value_size, masked, causal, seed):
    query, key, value = vectors(queries, size, seed=seed), vectors(keys, size), vectors(keys, value_size, seed=2)
    allowed = vectors(queries, keys, seed=seed) > 0 if masked else torch.ones(queries, keys, dtype=torch.bool)
    allowed = allowed.tril() if causal else allowed
    scores, shut, weights, context = _stages(query, key, value, allowed)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
    assert (context - expected).abs().max() < 1e-4
    torch.testing.assert_close(scores.float(), query @ key.T / size**0.5)
    assert torch.equal(shut == -float("inf"), ~allowed)
    assert torch.equal(weights.sum(dim=1) > 0.5, allowed.any(dim=1))  # a row that may look at nothing is all zero


def test_what_is_stored_is_what_was_given():
    query, key, value = vectors(3, 4), vectors(5, 4, seed=2), vectors(5, 2, seed=3)
    mask = torch.tensor([True, True, True, False, True])
    made = AttentionSteps(
        query, key.numpy(), value.tolist(), tokens=["a", "b", " c"], key_tokens="v w x y z".split(), mask=mask
    )
    header, arrays = delivery.payload_of(made.html)
    for name, given_numbers in (("query", query), ("key", key), ("value", value)):
        np.testing.assert_array_equal(arrays[name], given_numbers.numpy())
    assert header["tokens"] == ["a", "b", "␣c"]
    assert header["keys"] == ["v", "w", "x", "y", "z"]
    assert header["allowed"] == [mask.tolist()] * 3
    assert (header["size"], header["causal"]) == (4, False)


def test_causal_is_torchs_causal_and_joins_the_mask():
    header, _ = delivery.payload_of(example(3, 3, causal=True, mask=[[1, 1, 1], [0, 1, 1], [1, 1, 1]]).html)
    assert header["allowed"] == [[True, False, False], [False, True, False], [True, True, True]]
    assert header["causal"] is True


def test_half_precision_and_gradients_are_taken():
    query = vectors(2, 2).bfloat16().requires_grad_()
    _, arrays = delivery.payload_of(AttentionSteps(query, query, query).html)
    np.testing.assert_array_equal(arrays["query"], query.detach().float().numpy())


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.50"), (-0.001, "0.00"), (-1.25, "−1.25"), (12.34, "12.3"), (-123.4, "−123"), (-1500, "−1.5e3")],
)
def test_numbers_take_six_characters_at_most(value, text):
    assert _number(value) == text
    assert len(text) <= 6


# --- what is delivered


@settings(max_examples=25)
@given(tokens=st.lists(any_text, min_size=1, max_size=MOST))
def test_tokens_of_any_kind_are_text(tokens):
    made = AttentionSteps(*[vectors(len(tokens), 2)] * 3, tokens=tokens)
    page = Tags(made.html)
    assert [tag for tag, _ in page.elements] == ["div", "img", "script"]
    made.html.encode("utf-8")
    made.summary.encode("utf-8")
    header, _ = delivery.payload_of(made.html)
    assert header["tokens"] == header["keys"] == [delivery.visible(token) for token in tokens]


def test_hostile_token_stays_out_of_the_markup():
    made = example(tokens=[HOSTILE, "a", "b"])
    assert HOSTILE not in made.html.replace(delivery.script("steps"), "")
    assert delivery.payload_of(made.html)[0]["tokens"][0] == HOSTILE.replace(" ", "␣")


def test_output_has_a_picture_a_description_and_a_plain_form():
    weights = [[1.0, 0.0], [0.0, 1.0]]
    made = AttentionSteps(weights, weights, weights, tokens=["cat", "sat"], causal=True)
    bundle, _ = DisplayFormatter().format(made)
    assert set(bundle) == {"text/html", "text/plain"}
    image = dict(Tags(made.html).elements)["img"]
    with Image.open(BytesIO(delivery.base64.b64decode(image["src"].partition(",")[2]))) as picture:
        assert picture.format == "PNG"
        assert picture.width == int(image["width"])
    for said in (image["alt"], bundle["text/plain"]):
        assert "2 × 2 tokens, d = 2, causal, 1 of 4 scores masked" in said
    assert "sat → sat 0.67" in image["alt"]
    assert "Context of sat = 0.33 × value of cat + 0.67 × value of sat = (0.33, 0.67)." in bundle["text/plain"]
    assert "Context of cat = 1.00 × value of cat = (1.00, 0.00)." in bundle["text/plain"]


def test_pictures_differ_where_the_numbers_do():
    pictures = {dict(Tags(example(causal=causal).html).elements)["img"]["src"] for causal in (False, True)}
    assert len(pictures) == 2


def test_query_that_may_look_at_nothing_is_said():
    assert "Context of q1 = nothing, since all is masked = (0.00, 0.00)." in str(example(2, 2, mask=[[0, 0], [1, 1]]))


def test_same_inputs_give_the_same_bytes(monkeypatch):
    first, second = (
        (monkeypatch.setattr(delivery, "_numbers", itertools.count(4)), example(causal=True).html)[1] for _ in range(2)
    )
    assert first == second


def test_largest_example_stays_small():
    names = [f"token{number}" for number in range(MOST)]
    assert len(example(MOST, MOST, MOST, tokens=names).html.encode("utf-8")) < 60_000


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (((2,), (2, 2), (2, 2)), {}, r"query must have shape \(tokens, dimensions\)"),
        (((1, 2, 2), (2, 2), (2, 2)), {}, "take one example and one head"),
        (((2, 0), (2, 2), (2, 2)), {}, "neither of them 0"),
        (((2, 3), (2, 2), (2, 2)), {}, "query vectors have 3 dimensions and key vectors 2"),
        (((2, 2), (3, 2), (2, 2)), {}, "there are 3 keys but 2 values"),
        (((9, 2), (2, 2), (2, 2)), {}, "the limit is 8 tokens of 8 dimensions"),
        (((2, 64), (2, 64), (2, 2)), {}, r"take query\[:8, :8\]"),
        (((2, 2), (2, 2), (2, 9)), {}, r"value has shape \(2, 9\), too large"),
        (((2, 2), (2, 2), (2, 2)), {"tokens": ["a"]}, "there are 1 tokens but 2 queries"),
        (((2, 2), (2, 2), (2, 2)), {"tokens": ["a", 3]}, "one of tokens is 3; tokens must be strings"),
        (((2, 2), (3, 2), (3, 2)), {"tokens": ["a", "b"]}, "give key_tokens too"),
        (((2, 2), (3, 2), (3, 2)), {"key_tokens": ["a"]}, "there are 1 key_tokens but 3 keys"),
        (((2, 2), (3, 2), (3, 2)), {"mask": [True]}, r"mask must have shape \(3,\) or \(2, 3\), not \(1,\)"),
        (((2, 2), (3, 2), (3, 2)), {"mask": [0.5, 1, 1]}, "mask must be True"),
        (((2, 2), (3, 2), (3, 2)), {"mask": "no"}, "mask must be True or False of shape"),
    ],
)
def test_bad_input_gets_one_plain_sentence(shapes, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        AttentionSteps(*(torch.zeros(shape) for shape in shapes), **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ([[float("nan")]], "query holds NaN or infinity"),
        ([[float("inf")]], "query holds NaN or infinity"),
        ("words", "query must be numbers of shape"),
        ([[1.0], [1.0, 2.0]], "query must be numbers of shape"),
    ],
)
def test_bad_numbers_get_one_plain_sentence(query, message):
    with pytest.raises(ValueError, match=message) as caught:
        AttentionSteps(query, [[1.0]], [[1.0]])
    assert "\n" not in str(caught.value)
