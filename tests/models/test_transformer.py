"""The Transformer: PyTorch's own numbers in every setting, fused and explicit alike, and what each part promises."""

import copy
import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.support.tiny_transformers import (
    HEADS,
    HIDDEN,
    INNER,
    LAYERS,
    LONGEST,
    VARIANTS,
    VOCABULARY,
    assert_near,
    assert_same_gradients,
    config,
    copied,
    decoder,
    encoder,
    excited,
    layer_pairs,
    masked_model,
    padding,
    random_ids,
    stack_pairs,
    translator,
)
from utils.attention import causal_mask
from utils.transformer import Transformer, TransformerDecoder
from utils.transformer_layers import (
    ACTIVATIONS,
    Embedding,
    TransformerConfig,
    TransformerLayer,
    sinusoidal_positions,
    token_positions,
)

ORDERS = list(product([True, False], ["relu", "gelu"]))
EPSILON = 1e-2  # so large that one left at its default shows
IDS, MASK = random_ids(3, 7), padding([7, 4, 1])


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, HIDDEN, generator=torch.Generator().manual_seed(seed))


# --- positions and embeddings


@pytest.mark.parametrize(("length", "size"), [(1, 2), (50, 16), (512, 64), (40, 7), (3, 1)])
def test_sinusoidal_positions_are_the_papers_formula(length, size):
    waves = sinusoidal_positions(length, size)
    assert waves.shape == (length, size)
    assert waves.dtype == torch.float32
    angles = [[position / 10_000 ** (2 * (column // 2) / size) for column in range(size)] for position in range(length)]
    expected = [[(math.sin, math.cos)[column % 2](angle) for column, angle in enumerate(row)] for row in angles]
    # An angle in single precision is off by some 1e-7 of itself, and it reaches the length.
    assert_near(waves.double(), torch.tensor(expected, dtype=torch.float64), atol=1e-6 + 1e-7 * length)


@settings(max_examples=30)
@given(st.integers(0, 60), st.integers(0, 40), st.sampled_from([2, 8, 16]))
def test_a_step_turns_every_wave_by_an_angle_that_does_not_depend_on_the_place(place, step, size):
    """Section 3.5: the vector k places on is a rotation, pair by pair, of the vector here."""
    waves = sinusoidal_positions(101, size).double().unflatten(-1, (-1, 2))  # (place, pair, sine and cosine)
    angle = step * 10_000.0 ** (-torch.arange(0, size, 2).double() / size)
    sine, cosine = waves[place].unbind(-1)
    turned = [sine * angle.cos() + cosine * angle.sin(), cosine * angle.cos() - sine * angle.sin()]
    assert_near(torch.stack(turned, dim=-1), waves[place + step], atol=2e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_embedding_is_the_sum_of_its_tables(variant):
    settings_of = config(variant)
    embedding = excited(Embedding(settings_of))
    ids, segments = random_ids(2, 5), random_ids(2, 5) % 2
    mask = torch.tensor([[1] * 8, [1, 0, 0, 1, 0, 1, 1, 0]]).bool()  # of three tokens before these, and of these
    positions = torch.tensor([[3, 4, 5, 6, 7], [1, 1, 2, 3, 3]])
    expected = embedding.token.weight[ids]
    expected = expected * math.sqrt(HIDDEN) if settings_of.scale_embeddings else expected
    if settings_of.positions == "learned":
        expected = expected + embedding.position.weight[positions]
    if settings_of.positions == "sinusoidal":
        expected = expected + sinusoidal_positions(LONGEST, HIDDEN)[positions]
    if settings_of.segments:
        assert_near(embedding(ids, mask, read=3), embedding(ids, mask, torch.zeros_like(ids), read=3))
        expected = expected + embedding.segment.weight[segments]
    if settings_of.norm_embeddings:
        norm = embedding.norm
        expected = nn.functional.layer_norm(expected, (HIDDEN,), norm.weight, norm.bias, 1e-12)
    assert_near(embedding(ids, mask, segments, read=3), expected)


@pytest.mark.parametrize("scale", [False, True])
def test_tokens_and_positions_start_out_alike_in_size(scale):
    torch.manual_seed(0)
    embedding = Embedding(TransformerConfig(500, 256, positions="sinusoidal", scale_embeddings=scale, dropout=0.0))
    vectors = embedding(torch.arange(500)[None]) - embedding.waves[:500]
    assert vectors.std().item() == pytest.approx(1.0 if scale else 0.02, rel=0.02)


def test_positions_count_real_tokens():
    ids = torch.zeros(3, 5, dtype=torch.long)
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]]).bool()
    assert token_positions(ids).tolist() == [[0, 1, 2, 3, 4]]
    assert token_positions(ids, read=4).tolist() == [[4, 5, 6, 7, 8]]
    assert token_positions(ids, mask).tolist() == [[0, 1, 2, 2, 2], [0, 0, 0, 1, 2], [0] * 5]
    assert token_positions(ids[:, :2], mask, read=3).tolist() == [[2, 2], [1, 2], [0, 0]]


def test_activations_are_their_papers_formulas():
    x = torch.linspace(-6, 6, 1_001, dtype=torch.float64)
    exact = x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    near = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    for name, expected in {"relu": x.clamp(min=0), "gelu": exact, "gelu tanh": near}.items():
        assert_near(ACTIVATIONS[name](x), expected, atol=1e-9)
    assert 1e-4 < (exact - near).abs().max() < 1e-3


# --- PyTorch's own layers and stacks


@pytest.mark.parametrize("cross_attention", [False, True])
@pytest.mark.parametrize(("norm_first", "activation"), ORDERS)
def test_a_layer_is_pytorchs_in_values_and_gradients(norm_first, activation, cross_attention):
    """One that reads with padding, and one that writes, looking back at such a text."""
    settings_of = config(norm_first=norm_first, activation=activation, norm_epsilon=EPSILON)
    ours = excited(TransformerLayer(settings_of, cross_attention=cross_attention))
    kind = nn.TransformerDecoderLayer if cross_attention else nn.TransformerEncoderLayer
    sizes, same = (HIDDEN, HEADS, INNER), {"activation": activation, "norm_first": norm_first, "batch_first": True}
    theirs = kind(*sizes, layer_norm_eps=EPSILON, **same)
    pairs = list(layer_pairs(ours, theirs))
    copied(theirs, pairs)
    (source, memory), (mine, other) = ([states(3, n, seed=n).requires_grad_() for _ in range(2)] for n in (7, 5))
    there = MASK[:, None, None]
    if cross_attention:
        looked_at, real = ours.cross_attention.look_at(source), torch.ones(3, 5, dtype=torch.bool)
        found = ours(mine, causal_mask(5)[None, None], source=looked_at, source_mask=there)[0]
        expected = theirs(other, memory, tgt_mask=~causal_mask(5), memory_key_padding_mask=~MASK)
    else:
        found, real = ours(source, there)[0], MASK
        expected = theirs(memory, src_key_padding_mask=~MASK)
    probe = states(*real.shape, seed=1) * real[..., None]
    assert_near(found, expected, real)
    (found * probe).sum().backward()
    (expected * probe).sum().backward()
    assert_near(source.grad, memory.grad, atol=5e-5 if cross_attention else 1e-5)
    assert_same_gradients(pairs, atol=1e-4 if cross_attention else 5e-5)
    if cross_attention:
        assert_near(mine.grad, other.grad, atol=5e-5)


def pytorchs(model: Transformer, norm_first: bool, activation: str) -> nn.Transformer:
    """Return PyTorch's Transformer with the weights of ``model``; after post-norm layers it needs no further norm."""
    same = {"activation": activation, "norm_first": norm_first, "layer_norm_eps": EPSILON, "batch_first": True}
    norms = [nn.LayerNorm(HIDDEN, EPSILON) if norm_first else None for _ in range(2)]
    first = nn.TransformerEncoderLayer(HIDDEN, HEADS, INNER, **same)
    second = nn.TransformerDecoderLayer(HIDDEN, HEADS, INNER, **same)
    theirs = nn.Transformer(
        HIDDEN,
        HEADS,
        batch_first=True,
        custom_encoder=nn.TransformerEncoder(first, LAYERS, norms[0], enable_nested_tensor=False),
        custom_decoder=nn.TransformerDecoder(second, LAYERS, norms[1]),
    )
    pairs = [*stack_pairs(model.encoder, theirs.encoder), *stack_pairs(model.decoder, theirs.decoder)]
    return copied(theirs, pairs)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("norm_first", "activation"), ORDERS)
def test_the_whole_is_pytorchs_transformer_in_values_and_gradients(norm_first, activation, side):
    model = translator(norm_first=norm_first, activation=activation, norm_epsilon=EPSILON)
    theirs = pytorchs(model, norm_first, activation)
    target, source_mask, target_mask = random_ids(3, 5, seed=1), padding([7, 4, 1], side), padding([3, 5, 2])
    source_states = model.encoder.embedding(IDS, source_mask).detach()
    target_states = model.decoder.embedding(target, target_mask).detach()
    assert_near(model.encoder(IDS, source_mask), theirs.encoder(source_states, None, ~source_mask), source_mask)
    expected = theirs(
        source_states,
        target_states,
        tgt_mask=~causal_mask(5),
        src_key_padding_mask=~source_mask,
        memory_key_padding_mask=~source_mask,
        tgt_key_padding_mask=~target_mask,
    )
    expected = expected @ model.decoder.embedding.token.weight.detach().T
    # Padding on the right comes after all that is real, so that a causal decoder needs no mask for it.
    found = model(IDS, source_mask, target)
    assert_near(found, expected, target_mask, atol=2e-5)
    logits, _ = model.decoder(target, model.encode(IDS, source_mask), target_mask)
    assert_near(logits, expected, target_mask, atol=2e-5)
    probe = torch.randn(3, 5, VOCABULARY, generator=torch.Generator().manual_seed(2)) * target_mask[..., None]
    (found * probe).sum().backward()
    (expected * probe).sum().backward()
    for mine, other in [*stack_pairs(model.encoder, theirs.encoder), *stack_pairs(model.decoder, theirs.decoder)]:
        gradient = torch.cat([each.grad for each in mine])
        torch.testing.assert_close(gradient, other.grad, atol=1e-3, rtol=1e-4)


# --- what is given, and what is kept


def test_what_is_asked_for_comes_in_one_order():
    model = encoder("bert")
    alone = model(IDS, MASK)
    found, layers = model(IDS, MASK, return_layers=True)
    both = model(IDS, MASK, return_layers=True, return_attention=True)
    assert len(layers) == LAYERS + 1
    assert torch.equal(found, alone)
    assert torch.equal(layers[-1], alone)  # a post-norm encoder has no norm of its own at the end
    assert torch.equal(layers[0], model.embedding(IDS, MASK))
    assert [len(each) for each in both[1:]] == [LAYERS + 1, LAYERS]
    logits, state = decoder()(IDS)
    assert logits.shape == (3, 7, VOCABULARY)
    assert len(state.past) == LAYERS
    *_, attention = decoder()(IDS, return_attention=True)
    assert attention.source == ()


@pytest.mark.parametrize("make", [decoder, masked_model])
def test_tied_weights_are_one(make):
    for tied in (True, False):
        for model in (make(tied=tied), copy.deepcopy(make(tied=tied))):
            embedding = getattr(model, "encoder", model).embedding
            assert (model.out.weight is embedding.token.weight) == tied
            assert len(list(model.parameters())) == len({id(each) for each in model.parameters()})
    assert sum(each.numel() for each in make(tied=False).parameters()) - sum(
        each.numel() for each in make(tied=True).parameters()
    ) == (VOCABULARY * HIDDEN)


def test_sinusoidal_positions_are_no_weights():
    names = [*encoder("vaswani").state_dict(), *decoder("vaswani").state_dict()]
    assert not any("position" in name or "waves" in name for name in names)


def test_only_real_tokens_count_towards_the_longest_text():
    model, ids = decoder(max_length=8), random_ids(2, 12)
    logits, state = model(ids, None, padding([8, 12], "left") & (torch.arange(12) > 3))
    assert logits.shape == (2, 12, VOCABULARY)
    with pytest.raises(ValueError, match="a text of 9 tokens is too long"):
        model(ids[:, :1], state)
    unlimited = decoder("nowhere", max_length=8)
    assert unlimited(ids)[0].shape == (2, 12, VOCABULARY)


def test_encoder_and_decoder_may_differ_in_all_but_the_hidden_size():
    other = config(num_layers=1, num_heads=2, inner_size=8, positions="none", norm_first=False)
    model = excited(Transformer(encoder("vaswani"), TransformerDecoder(other, cross_attention=True)))
    assert model(IDS, MASK, IDS[:, :2]).shape == (3, 2, VOCABULARY)
