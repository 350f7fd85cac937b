import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.attention_samples import weights
from tests.support.view_outputs import refusal_faults
from utils.explorers.weights import checked_weights, decoded, encoded, is_causal


@pytest.mark.parametrize(
    ("attention", "expected"),
    [
        (weights(4, 5), lambda given: given[None, None]),
        (weights(3, 4, 5), lambda given: given[2][None, None]),
        (weights(3, 2, 4, 5), lambda given: given[2][None]),
        (weights(6, 3, 2, 4, 5), lambda given: given[:, 2]),
        ((weights(3, 2, 4, 5), weights(3, 2, 4, 5, seed=1)), lambda given: torch.stack(given)[:, 2]),
        ([weights(3, 4, 5), weights(3, 4, 5, seed=1)], lambda given: torch.stack(given)[:, 2, None]),
        ([weights(4, 5).numpy(), weights(4, 5, seed=1).numpy()], lambda given: np.stack(given)[:, None]),
        ([[1.0, 0.0], [0.25, 0.75]], lambda given: torch.tensor(given)[None, None]),
    ],
)
def test_every_shape_is_read_as_documented(attention, expected):
    found = checked_weights(attention, name="attentions", example=2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.asarray(expected(attention), dtype="float32"))


def test_steps_of_a_generation_are_joined():
    cross = tuple(tuple(weights(2, 3, 1, 6, seed=10 * step + layer) for layer in range(4)) for step in range(5))
    found = checked_weights(cross, name="cross_attentions", example=1)
    assert found.shape == (4, 3, 5, 6)
    np.testing.assert_array_equal(found[2, :, 3], cross[3][2][1, :, 0])
    own = tuple((weights(1, 3, new, keys, causal=False),) for new, keys in ((2, 2), (1, 3), (1, 4)))
    found = checked_weights(own, name="decoder_attentions")
    assert found.shape == (1, 3, 4, 4)
    assert (found[0, :, :2, 2:] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_taken(dtype):
    given_weights = weights(1, 2, 40, 40).to(dtype).requires_grad_()
    found = checked_weights(given_weights, name="attentions")
    np.testing.assert_allclose(found, given_weights.detach().float().numpy(), atol=1e-6)


def test_row_that_attends_to_nothing_is_taken():
    given_weights = weights(3, 3)
    given_weights[1] = 0
    assert (checked_weights(given_weights, name="attentions")[0, 0, 1] == 0).all()


@settings(max_examples=50, deadline=None)
@given(arrays.arrays("float32", (2, 3, 4, 5), elements=st.floats(0, 1, width=32)))
def test_stored_weights_are_off_by_at_most_four_thousandths(array):
    stored = encoded(array)
    assert stored.dtype == np.uint8
    assert np.abs(decoded(stored) - array).max() <= 0.004
    assert ((stored == 0) == (array < (0.5 / 255) ** 2)).all()


@pytest.mark.parametrize("size", [1, 2, 7])
def test_causal_weights_are_stored_as_their_lower_triangle(size):
    array = weights(2, 3, size, size, causal=True).numpy()
    stored = encoded(array, causal=True)
    assert stored.shape == (2, 3, size * (size + 1) // 2)
    np.testing.assert_array_equal(decoded(stored, causal=True), decoded(encoded(array)))


def test_what_is_causal():
    assert is_causal(weights(2, 3, 5, 5, causal=True).numpy())
    assert not is_causal(weights(2, 3, 5, 5).numpy())
    assert not is_causal(np.ones((1, 1, 1, 1)))
    assert not is_causal(weights(1, 1, 2, 3).numpy())


def changed(place, value):
    array = weights(1, 2, 3, 3)
    array[place] = value
    return array


def test_bad_weights_get_one_plain_sentence():
    cases = [
        (None, {}, 'attentions is None: .* attn_implementation="eager" .* output_attentions=True'),
        ((None, None), {}, 'attentions holds None: .* attn_implementation="eager"'),
        ((weights(1, 1, 2, 2), None), {}, "attentions holds None"),
        ((), {}, 'attentions is empty: .* attn_implementation="eager"'),
        (weights(3), {}, r"attentions has shape \(3,\)"),
        (weights(1, 1, 1, 1, 2, 2), {}, "attentions has shape"),
        ((weights(1, 1, 1, 2, 2),), {}, r"layer 0 of attentions has shape \(1, 1, 1, 2, 2\)"),
        (weights(1, 0, 2, 2), {}, "at least one layer, head, query and key"),
        ("words", {}, "attentions must hold numbers"),
        ([["a"]], {}, "attentions must hold numbers"),
        ([[1.0], [0.5, 0.5]], {}, "attentions must hold numbers"),
        (weights(2, 3), {"queries": 4}, "attentions has 2 rows but there are 4 tokens for them"),
        (weights(2, 3), {"keys": 1}, "attentions has 3 columns but there is 1 token for them"),
        (weights(2, 3, 3), {"example": 2}, "example is 2, but the batch of attentions has 2, counted from 0"),
        (weights(2, 3, 3), {"example": -1}, "example is -1"),
        ((weights(1, 2, 3, 3), weights(1, 4, 3, 3)), {}, r"\(2, 3, 3\), \(4, 3, 3\); show the layers of each shape"),
        (changed((0, 1, 1, 1), float("nan")), {}, "attentions holds NaN or infinity"),
        (changed((0, 1, 1, 1), float("inf")), {}, "attentions holds NaN or infinity"),
        (changed((0, 1, 1), torch.tensor([-0.5, 1.0, 0.5])), {}, "attentions holds -0.5; weights are never negative"),
        (changed((0, 1, 2), torch.tensor([0.2, 0.2, 0.2])), {}, "row 2 of layer 0, head 1 in attentions sums to 0.6"),
        (2 * weights(3, 3), {}, r"sums to 2, not to 1; .* dropout off \(model\.eval\(\)\)"),
    ]
    changes = [({"attention": attention, **options}, message) for attention, options, message in cases]
    assert refusal_faults(checked_weights, changes, name="attentions") == []
