"""Attention: each score against its formula, several heads against PyTorch's, and what a mask lets through."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.support.tiny_transformers import assert_near, assert_same_gradients, attention_pairs, copied, excited
from utils.attention import (
    SCORES,
    AdditiveScore,
    DotScore,
    GeneralScore,
    MultiHeadAttention,
    ScaledDotScore,
    ScaledGeneralScore,
    attention,
    causal_mask,
    masked_softmax,
)

QUERY, KEY = 6, 4


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def built(name: str, query_size: int = QUERY, key_size: int = QUERY) -> nn.Module:
    torch.manual_seed(0)
    return SCORES[name](query_size, key_size).requires_grad_(False)


def by_hand(score: nn.Module, q: Tensor, k: Tensor) -> Tensor:
    """Return the score of one query and one key as the papers write it."""
    if isinstance(score, AdditiveScore):
        v, w, u, bias = score.v.weight[0], score.query.weight, score.key.weight, score.key.bias
        return (v * torch.tanh(w @ q + u @ k + bias)).sum()
    if isinstance(score, GeneralScore):
        k = score.key.weight @ k
    product = sum(a * b for a, b in zip(q, k, strict=True))
    return product / len(q) ** 0.5 if isinstance(score, ScaledDotScore | ScaledGeneralScore) else product


@pytest.mark.parametrize("name", SCORES)
def test_each_score_equals_its_formula(name):
    key_size = QUERY if issubclass(SCORES[name], DotScore) else KEY
    score = built(name, QUERY, key_size)
    query, key = numbers(2, 3, QUERY), numbers(2, 5, key_size, seed=1)
    scores = score(query, key)
    assert scores.shape == (2, 3, 5)
    for example, target, source in torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(5)):
        expected = by_hand(score, query[example, target], key[example, source])
        torch.testing.assert_close(scores[example, target, source], expected, atol=1e-5, rtol=0)


def test_the_additive_score_is_the_slides_one_linear_layer_cut_in_two():
    score = built("additive", QUERY, KEY)
    query, key = numbers(1, 1, QUERY), numbers(1, 5, KEY, seed=1)
    joined = nn.Linear(QUERY + KEY, QUERY)
    joined.weight.data = torch.cat([score.query.weight, score.key.weight], dim=1)
    joined.bias.data = score.key.bias
    energy = torch.tanh(joined(torch.cat([query.expand(1, 5, QUERY), key], dim=2)))
    torch.testing.assert_close(score(query, key)[:, 0], energy @ score.v.weight[0], atol=1e-6, rtol=0)


def test_additive_scores_spread_to_both_sides_at_the_start():
    scores = built("additive", 128, 128)(numbers(8, 10, 128), numbers(8, 12, 128, seed=1))
    assert scores.mean().abs() < scores.std()
    assert 0.1 < scores.std() < 2


@pytest.mark.parametrize("size", [4, 64, 1024])
def test_scaled_scores_spread_alike_at_every_size(size):
    scores = built("scaled dot", size, size)(numbers(4, 50, size), numbers(4, 50, size, seed=1))
    assert 0.8 < scores.std() < 1.2


def test_scaled_dot_attention_equals_pytorchs():
    query, key, value = numbers(2, 3, QUERY), numbers(2, 5, QUERY, seed=1), numbers(2, 5, 7, seed=2)
    mask = torch.tensor([[True, True, True, False, False], [True] * 5])[:, None].expand(2, 3, 5)
    context, weights = attention(query, key, value, mask)
    assert torch.equal(weights, attention(query, key, value, mask, built("scaled dot"))[1])
    expected = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    torch.testing.assert_close(context, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", SCORES)
def test_attention_works_under_heads_as_well(name):
    query, key = numbers(2, 4, 3, QUERY), numbers(2, 4, 5, QUERY, seed=1)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])[:, None, None]
    context, weights = attention(query, key, key, mask, built(name))
    assert context.shape == (2, 4, 3, QUERY)
    alone, alone_weights = attention(query[1, 2], key[1, 2, :2], key[1, 2, :2], score=built(name))
    torch.testing.assert_close(context[1, 2], alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(weights[1, 2, :, :2], alone_weights, atol=1e-6, rtol=0)


@settings(max_examples=100)
@given(
    name=st.sampled_from(list(SCORES)),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    padding=st.integers(0, 5),
    junk=st.floats(-1e4, 1e4),
)
def test_weights_are_a_mean_of_what_the_mask_allows(name, lengths, padding, junk):
    source, score = max(1, *lengths) + padding, built(name)
    query, key, value = (numbers(len(lengths), n, QUERY, seed=seed) for seed, n in enumerate((3, source, source)))
    mask = torch.arange(source) < torch.tensor(lengths)[:, None]  # (batch, source)
    context, weights = attention(query, key, value, mask[:, None], score)
    assert context.shape == (len(lengths), 3, QUERY)
    assert weights.shape == (len(lengths), 3, source)
    assert weights.isfinite().all()
    assert (weights >= 0).all()
    assert not weights.masked_select(~mask[:, None]).any()
    expected_sums = mask.any(dim=1).float()[:, None].expand(-1, 3)  # an empty sentence gets zeros, not NaN
    torch.testing.assert_close(weights.sum(dim=-1), expected_sums, atol=1e-5, rtol=0)
    torch.testing.assert_close(context, torch.einsum("bts,bsv->btv", weights, value), atol=1e-5, rtol=0)
    hidden = ~mask[..., None]
    again, same = attention(query, key.masked_fill(hidden, junk), value.masked_fill(hidden, junk), mask[:, None], score)
    assert torch.equal(same, weights)
    assert torch.equal(again, context)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_masked_softmax_is_exact_at_the_edges_of_every_type(dtype):
    largest = torch.finfo(dtype).max
    scores = torch.tensor([[-largest / 2, 0.0, largest], [1.0, 1.0, 5.0], [3.0, 2.0, 1.0]], dtype=dtype)
    mask = torch.tensor([[True, False, False], [True, True, False], [False, False, False]])
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]], dtype=dtype)
    assert torch.equal(masked_softmax(scores, mask), expected)


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_gradients_pass_real_positions_only_and_are_never_nan():
    scores = numbers(2, 3, 4).requires_grad_()
    mask = torch.tensor([[True, True, False, False], [False] * 4])[:, None]
    with torch.autograd.detect_anomaly():  # raises if a NaN arises on the way back, even one that is masked later
        masked_softmax(scores, mask)[..., 0].sum().backward()
    assert scores.grad.isfinite().all()
    assert scores.grad[0, :, :2].all()
    assert not scores.grad[0, :, 2:].any()
    assert not scores.grad[1].any()


# --- several heads

MASKS = ("none", "padding", "causal", "one per head", "one per query")


def make(hidden_size: int = 24, num_heads: int = 4, seed: int = 0) -> tuple[MultiHeadAttention, nn.MultiheadAttention]:
    ours = excited(MultiHeadAttention(hidden_size, num_heads), seed)
    theirs = nn.MultiheadAttention(hidden_size, num_heads, batch_first=True)
    return ours, copied(theirs, list(attention_pairs(ours, theirs)))


def make_mask(kind: str, batch: int, heads: int, target: int, source: int, seed: int = 0) -> Tensor | None:
    """Return a mask that broadcasts to (batch, heads, target, source); every query may look somewhere."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "none":
        return None
    if kind == "causal":
        return causal_mask(target, source - target)[None, None]
    shape = {"padding": (batch, 1, 1, source), "one per head": (batch, heads, target, source)}
    mask = torch.rand(shape.get(kind, (batch, 1, target, source)), generator=generator) < 0.6
    mask[..., 0] = True
    return mask


def as_pytorch(mask: Tensor | None, batch: int, heads: int, target: int, source: int) -> Tensor | None:
    """Turn a mask that is True where one may look into one that is True where one may not."""
    return None if mask is None else ~mask.expand(batch, heads, target, source).flatten(0, 1)


@settings(max_examples=60)
@given(
    kind=st.sampled_from(MASKS),
    heads=st.sampled_from([1, 2, 4, 6]),
    batch=st.integers(1, 4),
    lengths=st.tuples(st.integers(1, 7), st.integers(0, 5)),
    cross=st.booleans(),
    seed=st.integers(0, 999),
)
def test_it_is_pytorchs(kind, heads, batch, lengths, cross, seed):
    """Outputs, the weights of each head and their mean, with every kind of mask, looking at itself or elsewhere."""
    ours, theirs = make(24, heads, seed)
    target, more = lengths
    source = target + more if cross else target
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(batch, target, 24, generator=generator)
    elsewhere = torch.randn(batch, source, 24, generator=generator) if cross else states
    mask = make_mask(kind, batch, heads, target, source, seed)
    expected, each_head = theirs(
        states,
        elsewhere,
        elsewhere,
        attn_mask=as_pytorch(mask, batch, heads, target, source),
        average_attn_weights=False,
    )
    fused, nothing = ours(states, ours.look_at(elsewhere), mask)
    explicit, weights = ours(states, ours.look_at(elsewhere), mask, return_attention=True)
    assert nothing is None
    assert list(ours.buffers()) == []
    assert_near(fused, expected)
    assert_near(explicit, expected)
    assert weights.shape == (batch, heads, target, source)
    assert_near(weights, each_head)
    _, mean = theirs(states, elsewhere, elsewhere, attn_mask=as_pytorch(mask, batch, heads, target, source))
    assert_near(weights.mean(dim=1), mean)
    assert_near(weights.sum(-1), torch.ones(batch, heads, target))
    if mask is not None:
        assert not weights[~mask.expand_as(weights)].any()


@pytest.mark.parametrize("return_attention", [False, True])
@pytest.mark.parametrize("kind", MASKS)
def test_its_gradients_are_pytorchs(kind, return_attention):
    """In 64 bits: sums of 32-bit gradients as large as these differ in their last digits from machine to machine."""
    ours, theirs = (module.double() for module in make())
    states = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(1)).double()
    probe = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(2)).double()
    mask = make_mask(kind, 2, 4, 5, 5)
    mine, other = (states.clone().requires_grad_() for _ in range(2))
    (ours(mine, ours.look_at(mine), mask, return_attention)[0] * probe).sum().backward()
    (theirs(other, other, other, attn_mask=as_pytorch(mask, 2, 4, 5, 5))[0] * probe).sum().backward()
    assert_near(mine.grad, other.grad, atol=1e-12)
    assert_same_gradients(list(attention_pairs(ours, theirs)), atol=1e-12)


@pytest.mark.parametrize("return_attention", [False, True])
def test_a_query_that_may_look_nowhere_is_finite_and_so_are_its_gradients(return_attention):
    ours, _ = make()
    states = torch.randn(2, 3, 24, requires_grad=True)
    mask = torch.tensor([[True, True, True], [False, False, False]])[:, None, None]
    update, weights = ours(states, ours.look_at(states), mask, return_attention)
    update.sum().backward()
    assert update.isfinite().all()
    assert states.grad.isfinite().all()
    assert_near(update[1], ours.output.bias.expand(3, -1))  # nothing was seen
    assert weights is None or not weights[1].any()


@settings(max_examples=40)
@given(st.integers(0, 9), st.integers(0, 6))
def test_the_causal_mask_shows_the_past_and_the_token_itself(length, past):
    mask = causal_mask(length, past)
    assert mask.shape == (length, past + length)
    assert mask.dtype == torch.bool
    for row in range(length):
        assert mask[row].tolist() == [column <= past + row for column in range(past + length)]
