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
from utils.transformer import DecoderState, Transformer, TransformerDecoder, TransformerEncoder
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
    for position, column in product(range(length), range(size)):
        angle = position / 10_000 ** (2 * (column // 2) / size)
        expected = math.cos(angle) if column % 2 else math.sin(angle)
        # An angle in single precision is off by some 1e-7 of itself, and it reaches the length.
        assert waves[position, column].item() == pytest.approx(expected, abs=1e-6 + 1e-7 * length)


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


@pytest.mark.parametrize(("norm_first", "activation"), ORDERS)
def test_an_encoder_layer_is_pytorchs(norm_first, activation):
    ours = excited(TransformerLayer(config(norm_first=norm_first, activation=activation, norm_epsilon=EPSILON)))
    theirs = nn.TransformerEncoderLayer(
        HIDDEN, HEADS, INNER, activation=activation, norm_first=norm_first, layer_norm_eps=EPSILON, batch_first=True
    )
    pairs = list(layer_pairs(ours, theirs))
    copied(theirs, pairs)
    mine, other = (states(3, 7).requires_grad_() for _ in range(2))
    probe = states(3, 7, seed=1) * MASK[..., None]
    found = ours(mine, MASK[:, None, None])[0]
    expected = theirs(other, src_key_padding_mask=~MASK)
    assert_near(found, expected, MASK)
    (found * probe).sum().backward()
    (expected * probe).sum().backward()
    assert_near(mine.grad, other.grad)
    assert_same_gradients(pairs, atol=5e-5)


@pytest.mark.parametrize(("norm_first", "activation"), ORDERS)
def test_a_decoder_layer_is_pytorchs(norm_first, activation):
    settings_of = config(norm_first=norm_first, activation=activation, norm_epsilon=EPSILON)
    ours = excited(TransformerLayer(settings_of, cross_attention=True))
    theirs = nn.TransformerDecoderLayer(
        HIDDEN, HEADS, INNER, activation=activation, norm_first=norm_first, layer_norm_eps=EPSILON, batch_first=True
    )
    pairs = list(layer_pairs(ours, theirs))
    copied(theirs, pairs)
    (mine, other), (source, memory) = ([states(3, n, seed=n).requires_grad_() for _ in range(2)] for n in (5, 7))
    probe = states(3, 5, seed=1)
    looked_at = ours.cross_attention.look_at(source)
    found = ours(mine, causal_mask(5)[None, None], source=looked_at, source_mask=MASK[:, None, None])[0]
    expected = theirs(other, memory, tgt_mask=~causal_mask(5), memory_key_padding_mask=~MASK)
    assert_near(found, expected)
    (found * probe).sum().backward()
    (expected * probe).sum().backward()
    assert_near(mine.grad, other.grad, atol=5e-5)
    assert_near(source.grad, memory.grad, atol=5e-5)
    assert_same_gradients(pairs, atol=1e-4)


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
def test_the_whole_is_pytorchs_transformer(norm_first, activation, side):
    model = translator(norm_first=norm_first, activation=activation, norm_epsilon=EPSILON)
    theirs = pytorchs(model, norm_first, activation)
    target, source_mask, target_mask = random_ids(3, 5, seed=1), padding([7, 4, 1], side), padding([3, 5, 2])
    source_states = model.encoder.embedding(IDS, source_mask)
    target_states = model.decoder.embedding(target, target_mask)
    assert_near(model.encoder(IDS, source_mask), theirs.encoder(source_states, None, ~source_mask), source_mask)
    expected = theirs(
        source_states,
        target_states,
        tgt_mask=~causal_mask(5),
        src_key_padding_mask=~source_mask,
        memory_key_padding_mask=~source_mask,
        tgt_key_padding_mask=~target_mask,
    )
    expected = expected @ model.decoder.embedding.token.weight.T
    # Padding on the right comes after all that is real, so that a causal decoder needs no mask for it.
    assert_near(model(IDS, source_mask, target), expected, target_mask, atol=2e-5)
    logits, _ = model.decoder(target, model.encode(IDS, source_mask), target_mask)
    assert_near(logits, expected, target_mask, atol=2e-5)


def test_every_gradient_is_that_of_pytorchs_transformer():
    model = translator(activation="gelu", norm_epsilon=EPSILON)
    theirs = pytorchs(model, True, "gelu")
    target = random_ids(3, 5, seed=1)
    probe = torch.randn(3, 5, VOCABULARY, generator=torch.Generator().manual_seed(2))
    own = model.decoder.embedding.token.weight
    (model(IDS, MASK, target) * probe).sum().backward()
    pairs = [*stack_pairs(model.encoder, theirs.encoder), *stack_pairs(model.decoder, theirs.decoder)]
    source_states = model.encoder.embedding(IDS).detach()
    target_states = model.decoder.embedding(target).detach()
    masks = {"src_key_padding_mask": ~MASK, "memory_key_padding_mask": ~MASK, "tgt_mask": ~causal_mask(5)}
    hidden = theirs(source_states, target_states, **masks)
    (hidden @ own.detach().T * probe).sum().backward()
    for mine, other in pairs:
        found = torch.cat([each.grad for each in mine])
        torch.testing.assert_close(found, other.grad, atol=1e-3, rtol=1e-4)


# --- fused and explicit attention


def runs(variant: str) -> dict[str, tuple]:
    """Return for each kind of model and mask: a call without weights, a call with, and the weights' masks."""
    own, other = encoder(variant), decoder(variant)
    whole, masked = translator(variant), masked_model(variant)
    target, left = random_ids(3, 5, seed=1), MASK.flip(1)
    made = {}
    for name, mask in {"none": None, "right": MASK, "left": left}.items():
        real = torch.ones(3, 7, dtype=torch.bool) if mask is None else mask
        there = real[:, None, None]
        causal = (causal_mask(7) & real[:, None])[:, None]
        made[f"encoder, {name}"] = (own, {"ids": IDS, "mask": mask}, real, [there], [LAYERS])
        made[f"decoder, {name}"] = (other, {"ids": IDS, "mask": mask}, real, [causal], [LAYERS])
        state = whole.encode(IDS, mask)
        arguments = {"source": IDS, "source_mask": mask, "target": target}
        after = causal_mask(5)[None, None]
        made[f"translator, {name}"] = (whole, arguments, None, [after, there], [LAYERS, LAYERS])
        made[f"translator's decoder, {name}"] = (
            whole.decoder,
            {"ids": target, "state": state},
            None,
            [after, there],
            [LAYERS, LAYERS],
        )
        made[f"BERT's encoder, {name}"] = (masked.encoder, {"ids": IDS, "mask": mask}, real, [there], [LAYERS])
    return made


@pytest.mark.parametrize("variant", VARIANTS)
def test_explicit_attention_equals_fused_and_obeys_every_mask(variant):
    for name, (model, arguments, real, masks, counts) in runs(variant).items():
        kept = {part: dict(vars(part)) for part in model.modules()}
        fused = model(**arguments)
        explicit = model(**arguments, return_attention=True)
        assert all(vars(part) == before for part, before in kept.items()), f"{name} keeps something"
        fused = fused[0] if isinstance(fused, tuple) else fused
        assert_near(explicit[0], fused, real)
        attention = explicit[-1] if hasattr(explicit[-1], "own") else (explicit[-1],)
        assert [len(layers) for layers in attention if layers] == counts
        for layers, mask in zip(attention, masks, strict=False):
            for weights in layers:
                assert weights.shape[1] == HEADS
                visible = mask.expand_as(weights)
                read = torch.ones(weights.shape[:3], dtype=torch.bool)
                read = read if real is None else read & real[:, None]  # what padding sees is nobody's business
                assert not weights[read][~visible[read]].any(), name
                assert_near(weights[read].sum(-1), torch.ones(int(read.sum())))


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


# --- state


def test_select_state_keeps_repeats_and_reorders_rows():
    model, rows = translator(), torch.tensor([2, 0, 0, 1])
    target, left = random_ids(3, 4, seed=1), padding([4, 2, 3], "left")
    start = model.encode(IDS, MASK)
    _, state = model.decoder(target, start, left)
    chosen = model.decoder.select_state(state, rows)
    following = random_ids(4, 2, seed=2)
    _, expected = model.decoder(target[rows], model.encode(IDS[rows], MASK[rows]), left[rows])
    for found, other in zip(chosen.past + chosen.source, expected.past + expected.source, strict=True):
        assert_near(found.key, other.key)
        assert_near(found.value, other.value)
    assert torch.equal(chosen.mask, left[rows])
    assert torch.equal(chosen.source_mask, MASK[rows])
    assert_near(model.decoder(following, chosen)[0], model.decoder(following, expected)[0])
    empty = model.decoder.select_state(DecoderState(), rows)
    assert empty == DecoderState()


def test_a_state_can_be_gone_on_from_twice():
    model, ids = decoder(), random_ids(2, 4)
    _, state = model(ids)
    sizes = [each.key.shape for each in state.past]
    first, _ = model(ids[:, :1], state)
    again, _ = model(ids[:, :1], state)
    assert torch.equal(first, again)
    assert [each.key.shape for each in state.past] == sizes


def test_weights_go_out_and_come_back():
    for model in (encoder("bert"), decoder("vaswani"), translator("untied"), masked_model()):
        twin = copy.deepcopy(model)
        excited(twin, seed=9)
        kept = {name: weight.clone() for name, weight in model.state_dict().items()}
        twin.load_state_dict(kept)
        arguments = (IDS, MASK, IDS) if isinstance(model, Transformer) else (IDS,)
        found, expected = twin(*arguments), model(*arguments)
        assert torch.equal(*(each[0] if isinstance(each, tuple) else each for each in (found, expected)))


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


def test_dropout_is_off_in_evaluation_and_on_in_training():
    for model, arguments in ((encoder(), (IDS,)), (translator(), (IDS, MASK, IDS)), (masked_model(), (IDS,))):
        assert torch.equal(model(*arguments), model(*arguments))
        model.train()
        assert not torch.equal(model(*arguments), model(*arguments))


# --- what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary_size": 0}, "every size of a Transformer must be at least 1"),
        ({"hidden_size": 0}, "at least 1"),
        ({"num_layers": 0}, "at least 1"),
        ({"inner_size": -4}, "at least 1"),
        ({"max_length": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout must lie from 0 to below 1, not 1.0"),
        ({"dropout": math.nan}, "dropout must lie from 0 to below 1, not nan"),
        ({"activation": "swish"}, "activation must be one of relu, gelu, gelu tanh, not 'swish'"),
        ({"positions": "rotary"}, "positions must be one of learned, sinusoidal, none, not 'rotary'"),
        ({"num_heads": 0}, "16 numbers cannot be shared out among 0 heads; choose a divisor"),
        ({"num_heads": 3}, "16 numbers cannot be shared out among 3 heads; choose a divisor"),
    ],
)
def test_settings_that_cannot_be_are_explained(change, message):
    sizes = {"vocabulary_size": 9, "hidden_size": 16, "num_heads": 2}
    with pytest.raises(ValueError, match=message) as caught:
        TransformerEncoder(TransformerConfig(**{**sizes, **change}))
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("make", [encoder, decoder, masked_model])
def test_texts_that_cannot_be_read_are_explained(make):
    model = make(max_length=8)
    model(random_ids(2, 8))
    with pytest.raises(ValueError, match="a text of 9 tokens is too long for a model of 8 positions"):
        model(random_ids(2, 9))
    for arguments in ({}, {"mask": MASK[0]}):
        with pytest.raises(ValueError, match=r"ids must have shape \(batch, length\), not \(7,\)"):
            model(IDS[0], **arguments)
    for mask in (MASK.long(), MASK.float(), MASK[:, :6], MASK.int()):
        with pytest.raises(ValueError, match="mask must be boolean with one entry for each token"):
            model(IDS, mask=mask)
    with pytest.raises(IndexError):
        model(IDS + VOCABULARY)


def test_only_real_tokens_count_towards_the_longest_text():
    model, ids = decoder(max_length=8), random_ids(2, 12)
    logits, state = model(ids, None, padding([8, 12], "left") & (torch.arange(12) > 3))
    assert logits.shape == (2, 12, VOCABULARY)
    with pytest.raises(ValueError, match="a text of 9 tokens is too long"):
        model(ids[:, :1], state)
    unlimited = decoder("nowhere", max_length=8)
    assert unlimited(ids)[0].shape == (2, 12, VOCABULARY)


def test_parts_that_do_not_fit_are_explained():
    with pytest.raises(ValueError, match="this decoder looks at a source"):
        decoder(cross_attention=True)(IDS)
    with pytest.raises(ValueError, match="this decoder cannot look at a source; build it with cross_attention=True"):
        Transformer(encoder(), decoder())
    with pytest.raises(ValueError, match="the encoder's vectors have 16 numbers and the decoder's 32"):
        Transformer(encoder(), decoder(cross_attention=True, hidden_size=32))
    for target in (IDS[:2], IDS[0], IDS[:, :0]):
        with pytest.raises(ValueError, match=r"target must be \(3, target\)"):
            translator()(IDS, MASK, target)


def test_encoder_and_decoder_may_differ_in_all_but_the_hidden_size():
    other = config(num_layers=1, num_heads=2, inner_size=8, positions="none", norm_first=False)
    model = excited(Transformer(encoder("vaswani"), TransformerDecoder(other, cross_attention=True)))
    assert model(IDS, MASK, IDS[:, :2]).shape == (3, 2, VOCABULARY)
