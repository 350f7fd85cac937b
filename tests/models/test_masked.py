"""Masked language modelling: what is hidden and how often, and what is asked."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tiny_transformers import VARIANTS, VOCABULARY, assert_near, masked_model, padding, random_ids
from utils.masked import mask_tokens

MASK_ID = VOCABULARY - 1
OPTIONS = {"mask_id": MASK_ID, "vocabulary_size": VOCABULARY}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spread(share: float, number: int) -> float:
    """Return five standard deviations of a share among ``number`` draws: missed once in two million."""
    return 5 * math.sqrt(share * (1 - share) / number)


@pytest.mark.parametrize("share", [0.15, 0.4, 1.0])
def test_of_the_chosen_four_fifths_are_hidden_a_tenth_replaced_a_tenth_left(share):
    ids = torch.full((200, 500), 7)
    masked = mask_tokens(ids, torch.ones_like(ids, dtype=torch.bool), mask_id=2, vocabulary_size=1_000, share=share)
    chosen = masked.chosen.sum().item()
    assert chosen / ids.numel() == pytest.approx(share, abs=spread(share, ids.numel()) + 1e-9)
    shown = masked.ids[masked.chosen]
    for expected, found in ((0.8, shown == 2), (0.1, shown == 7), (0.1, (shown != 2) & (shown != 7))):
        assert found.float().mean().item() == pytest.approx(expected, abs=spread(expected, chosen) + 0.001)
    replaced = shown[(shown != 2) & (shown != 7)]
    assert replaced.float().mean().item() == pytest.approx(499.5, abs=5 * 289 / math.sqrt(len(replaced)))
    assert (replaced.min() < 20, replaced.max() > 979) == (True, True)  # any token of the vocabulary
    assert (masked.answers == 7).all()


@settings(max_examples=80)
@given(
    st.integers(1, 4),
    st.integers(1, 12),
    st.floats(0.01, 1),
    st.integers(0, 999),
)
def test_only_what_may_be_masked_is_and_everything_else_stays(rows, length, share, seed):
    ids = random_ids(rows, length, seed=seed)
    maskable = torch.rand(rows, length, generator=generator(seed)) < 0.5
    maskable[seed % rows, seed % length] = True
    before = ids.clone()
    masked = mask_tokens(ids, maskable, **OPTIONS, share=share, generator=generator(seed))
    assert torch.equal(ids, before)
    assert masked.chosen.any()
    assert not (masked.chosen & ~maskable).any()
    assert torch.equal(masked.ids[~masked.chosen], ids[~masked.chosen])
    assert torch.equal(masked.answers, ids[masked.chosen])
    assert masked.ids.min() >= 0
    assert masked.ids.max() < VOCABULARY


def test_the_first_that_may_be_masked_is_chosen_where_chance_chose_none():
    ids, maskable = random_ids(2, 4), torch.zeros(2, 4, dtype=torch.bool)
    maskable[1, 2:] = True
    for seed in range(20):
        masked = mask_tokens(ids, maskable, **OPTIONS, share=1e-9, generator=generator(seed))
        assert masked.chosen.nonzero().tolist() == [[1, 2]]
    # Also of a view that is not laid out in order.
    masked = mask_tokens(ids.T, maskable.T, **OPTIONS, share=1e-9, generator=generator())
    assert masked.chosen.nonzero().tolist() == [[2, 1]]


def test_a_seed_repeats_and_the_global_numbers_are_left_alone():
    ids = random_ids(8, 40)
    everywhere = torch.ones_like(ids, dtype=torch.bool)
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    one, two, other = (mask_tokens(ids, everywhere, **OPTIONS, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one.chosen, other.chosen)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scores_of_the_chosen_are_those_among_all(variant):
    model, ids, mask = masked_model(variant), random_ids(3, 7), padding([7, 4, 1], "left")
    chosen = mask & (torch.rand(3, 7, generator=generator()) < 0.5)
    everything = model(ids, mask)
    assert everything.shape == (3, 7, VOCABULARY)
    assert_near(model(ids, mask, chosen=chosen), everything[chosen])
    assert model(ids, mask, chosen=torch.zeros_like(chosen)).shape == (0, VOCABULARY)


def test_segments_reach_the_encoder():
    model, ids = masked_model("bert"), random_ids(2, 5)
    assert torch.equal(model(ids), model(ids, segments=torch.zeros_like(ids)))
    assert (model(ids) - model(ids, segments=torch.ones_like(ids))).abs().max() > 0.01
