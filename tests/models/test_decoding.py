"""Sampling: the distribution that is drawn from, against its definition and at its edges."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from utils.decoding import sampling_probabilities

LOGITS = st.lists(st.integers(-60, 60).map(lambda tenth: tenth / 10), min_size=1, max_size=12)
EXTREME = st.one_of(st.floats(-(2.0**127), 2.0**127, width=32), st.just(-math.inf), st.sampled_from([0.0, 1e30, -1e30]))
TEMPERATURES = st.floats(0.05, 20.0)
SHARES = st.floats(0.01, 1.0)


def slowly(logits: list[float], temperature: float, top_k: int | None, top_p: float | None) -> list[float]:
    """The same distribution, from the definition and in double precision, one token after the other."""
    highest = max(logits)
    weights = [math.exp((logit - highest) / temperature) for logit in logits]
    ranked = sorted(range(len(weights)), key=lambda token: (-weights[token], token))[:top_k]
    if top_p is not None:
        goal, kept = top_p * math.fsum(weights[token] for token in ranked), []
        for token in ranked:
            if kept and math.fsum(weights[other] for other in kept) >= goal:
                break
            kept.append(token)
        ranked = kept
    total = math.fsum(weights[token] for token in ranked)
    return [weights[token] / total if token in ranked else 0.0 for token in range(len(weights))]


def borders(logits: list[float], temperature: float, top_k: int | None, top_p: float) -> list[float]:
    """How far the mass of the first tokens, one, two and so on, lies from ``top_p``."""
    ordered = sorted(slowly(logits, temperature, top_k, None), reverse=True)
    return [abs(math.fsum(ordered[:count]) - top_p) for count in range(1, len(ordered) + 1)]


@given(LOGITS, TEMPERATURES, st.none() | st.integers(1, 15), st.none() | SHARES)
def test_the_distribution_agrees_with_an_independent_reference(logits, temperature, top_k, top_p):
    if top_p is not None:
        assume(min(borders(logits, temperature, top_k, top_p)) > 1e-5)  # on the border either set is right
    found = sampling_probabilities(torch.tensor(logits), temperature, top_k, top_p)
    torch.testing.assert_close(found.tolist(), slowly(logits, temperature, top_k, top_p), atol=1e-5, rtol=1e-4)


@given(LOGITS, TEMPERATURES, st.integers(1, 15), SHARES)
def test_the_sizes_of_what_is_kept(logits, temperature, top_k, top_p):
    scores = torch.tensor(logits)
    own = sampling_probabilities(scores, temperature)
    assert sampling_probabilities(scores, temperature, top_k=top_k).count_nonzero() == min(top_k, own.count_nonzero())
    kept = sampling_probabilities(scores, temperature, top_p=top_p) > 0
    assert own[kept].sum() >= top_p - 1e-5
    assert own[kept].sum() - own[kept].min() < top_p + 1e-5, "a smaller set would have been enough"
    if not kept.all():
        assert own[kept].min() >= own[~kept].max(), "a more probable token was cut than one that stayed"


@given(LOGITS, st.tuples(SHARES, SHARES), st.tuples(st.integers(1, 15), st.integers(1, 15)))
def test_a_larger_share_or_k_keeps_no_fewer_tokens(logits, shares, counts):
    for name, values in {"top_p": shares, "top_k": counts}.items():
        small, large = (sampling_probabilities(torch.tensor(logits), **{name: value}) for value in sorted(values))
        assert small.count_nonzero() <= large.count_nonzero(), name


@given(LOGITS, TEMPERATURES, TEMPERATURES)
def test_a_lower_temperature_gives_the_best_token_no_less(logits, one, other):
    cold, hot = (sampling_probabilities(torch.tensor(logits), degrees).max() for degrees in sorted([one, other]))
    assert cold >= hot - 1e-6


@given(LOGITS.filter(lambda logits: len(logits) > 1), TEMPERATURES)
def test_top_k_of_one_is_the_best_token_and_top_p_of_one_or_k_of_all_change_nothing(logits, temperature):
    scores = torch.tensor(logits)
    best = nn.functional.one_hot(scores.argmax(), len(logits)).float()
    assert torch.equal(sampling_probabilities(scores, temperature, top_k=1), best)
    whole = sampling_probabilities(scores, temperature)
    assert torch.equal(sampling_probabilities(scores, temperature, top_p=1.0), whole)
    assert torch.equal(sampling_probabilities(scores, temperature, top_k=len(logits)), whole)


def test_top_p_of_one_keeps_even_what_rounding_would_lose():
    scores = torch.tensor([30.0, 0.0, -1.0])
    assert sampling_probabilities(scores, top_p=1.0).count_nonzero() == 3


@given(
    st.lists(EXTREME, min_size=1, max_size=10).filter(lambda logits: any(map(math.isfinite, logits))),
    st.floats(1e-30, 1e30),
    st.none() | st.integers(1, 12),
    st.none() | st.floats(1e-6, 1.0),
)
def test_extreme_logits_still_give_a_distribution(logits, temperature, top_k, top_p):
    scores = torch.tensor(logits)
    found = sampling_probabilities(scores, temperature, top_k, top_p)
    assert found.isfinite().all()
    assert found.count_nonzero() > 0
    assert found.sum().item() == pytest.approx(1, abs=1e-5)
    assert not found[scores.isneginf()].any(), "an impossible token became possible"


def test_every_row_of_a_batch_is_treated_alone():
    logits = torch.randn(2, 3, 9, generator=torch.Generator().manual_seed(0))
    together = sampling_probabilities(logits, 0.7, 5, 0.8)
    for row, column in [(0, 0), (1, 2)]:
        torch.testing.assert_close(together[row, column], sampling_probabilities(logits[row, column], 0.7, 5, 0.8))
    assert sampling_probabilities(logits.bfloat16()).dtype == torch.float32
