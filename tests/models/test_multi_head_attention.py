"""Multi-head attention: PyTorch's own numbers, fused and explicit; masks; nothing kept."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.support.tiny_transformers import assert_near, assert_same_gradients, attention_pairs, copied, excited
from utils.attention import KeysValues, MultiHeadAttention, causal_mask

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


def test_looking_at_what_was_kept_equals_looking_at_all():
    ours, _ = make()
    states = torch.randn(2, 6, 24, generator=torch.Generator().manual_seed(1))
    whole, _ = ours(states, ours.look_at(states), causal_mask(6))
    before, after = ours.look_at(states[:, :4]), ours.look_at(states[:, 4:])
    together = KeysValues(*(torch.cat(both, dim=2) for both in zip(before, after, strict=True)))
    later, _ = ours(states[:, 4:], together, causal_mask(2, past=4))
    assert_near(later, whole[:, 4:])
    assert before.key.shape == before.value.shape == (2, 4, 4, 6)


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


def test_nothing_is_kept_on_the_module():
    ours, _ = make()
    states = torch.randn(2, 3, 24)
    before = dict(vars(ours))
    ours(states, ours.look_at(states), return_attention=True)
    assert vars(ours) == before
    assert list(ours.buffers()) == []


@settings(max_examples=40)
@given(st.integers(0, 9), st.integers(0, 6))
def test_the_causal_mask_shows_the_past_and_the_token_itself(length, past):
    mask = causal_mask(length, past)
    assert mask.shape == (length, past + length)
    assert mask.dtype == torch.bool
    for row in range(length):
        assert mask[row].tolist() == [column <= past + row for column in range(past + length)]


@pytest.mark.parametrize("heads", [0, -2, 5, 48])
def test_heads_that_cannot_share_are_explained(heads):
    with pytest.raises(ValueError, match=f"24 numbers cannot be shared out among {heads} heads; choose a divisor"):
        MultiHeadAttention(24, heads)


def test_a_mask_that_could_be_mistaken_is_refused_where_weights_are_asked_for():
    ours, _ = make()
    states = torch.randn(3, 3, 24)
    seen = ours.look_at(states)
    with pytest.raises(ValueError, match="mask has 2 dimensions"):
        ours(states, seen, torch.ones(3, 3, dtype=torch.bool), return_attention=True)
    with pytest.raises(ValueError, match="mask must be boolean"):
        ours(states, seen, torch.ones(3, 1, 1, 3), return_attention=True)
