"""What every model of the course promises: to read on, not to look ahead, to show where it looks, to be trained."""

import copy
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.support.every_model import (
    DECODERS,
    ENCODERS,
    SOURCE,
    SOURCE_MASK,
    TRANSLATORS,
    calls,
    first,
    in_pieces,
    takes,
    tensors,
    tolerance,
)
from tests.support.tiny_transformers import (
    HEADS,
    LAYERS,
    VARIANTS,
    VOCABULARY,
    assert_near,
    excited,
    padding,
    random_ids,
)
from utils.adapters import CausalLM
from utils.attention import causal_mask
from utils.device import is_recurrent
from utils.nested import to_device
from utils.transformer import DecoderState

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and this machine has none")
CARD = torch.device("cuda")
TARGET = random_ids(4, 6, seed=1)
CALLS = {name: (model, arguments) for name, model, arguments in calls(TARGET)}
BOTH = torch.arange(2)


# --- reading on


@torch.no_grad()
@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=8)
@given(st.integers(0, 999), st.integers(1, 12), st.lists(st.integers(1, 12), max_size=4))
def test_reading_in_pieces_is_reading_at_once(name, seed, length, cuts):
    (model, start), ids = DECODERS[name], random_ids(2, length, seed=seed)
    logits, last = model(ids, start(BOTH))
    assert logits.shape == (2, length, VOCABULARY)
    for places in (tuple(cuts), tuple(range(length))):
        found, state = in_pieces(model, ids, start(BOTH), cuts=places)
        assert_near(found, logits, atol=tolerance(model))
        for one, other in zip(tensors(state), tensors(last), strict=True):
            torch.testing.assert_close(one, other, atol=tolerance(model), rtol=0)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_all_steps_in_one_call_train_as_a_loop_over_tokens_does(name):
    """In 64 bits, in which sums of large gradients do not depend on their order."""
    model = copy.deepcopy(TRANSLATORS[name]).double()
    once = model(SOURCE, SOURCE_MASK, TARGET)
    looped, _ = in_pieces(model.decoder, TARGET, model.encode(SOURCE, SOURCE_MASK), cuts=tuple(range(6)))
    found = []
    for logits in (once, looped):
        loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), TARGET[:, 1:].flatten())
        found.append((loss, *torch.autograd.grad(loss, list(model.parameters()))))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", DECODERS)
def test_select_state_keeps_repeats_and_reorders_rows(name):
    (model, start), rows, everything = DECODERS[name], torch.tensor([2, 0, 0, 1]), torch.arange(4)
    for mask in (None, padding([6, 2, 3, 1], "left")) if takes(model, "mask") else (None,):
        chosen_mask = [] if mask is None else [mask[rows]]
        _, state = model(TARGET, start(everything), *([] if mask is None else [mask]))
        chosen = model.select_state(state, rows)
        _, expected = model(TARGET[rows], start(rows), *chosen_mask)
        for one, other in zip(tensors(chosen), tensors(expected), strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
        following = random_ids(4, 2, seed=2)
        assert_near(model(following, chosen)[0], model(following, expected)[0])
    if takes(model, "mask"):
        assert model.select_state(DecoderState(), rows) == DecoderState()


@torch.no_grad()
@pytest.mark.parametrize("name", DECODERS)
def test_a_state_can_be_gone_on_from_twice(name):
    model, start = DECODERS[name]
    _, state = model(TARGET[:, :4], start(torch.arange(4)))
    before = [each.clone() for each in tensors(state)]
    once, after = model(TARGET[:, 4:], state)
    model(TARGET[:, 4:], after)
    model.select_state(state, torch.tensor([1]))
    assert torch.equal(model(TARGET[:, 4:], state)[0], once)
    assert all(torch.equal(old, new) for old, new in zip(before, tensors(state), strict=True))


# --- what is seen


@torch.no_grad()
@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=8)
@given(seed=st.integers(0, 999), length=st.integers(2, 12), data=st.data())
def test_no_token_knows_what_follows_it(name, seed, length, data):
    (model, start), ids = DECODERS[name], random_ids(2, length, seed=seed)
    cut = data.draw(st.integers(1, length - 1))
    other = torch.cat([ids[:, :cut], random_ids(2, length - cut, seed=seed + 1_000)], dim=1)
    other[:, cut] = (ids[:, cut] + 1) % VOCABULARY
    for options in ({}, {"return_attention": True}) if takes(model, "return_attention") else ({},):
        before, after, shorter = (first(model(each, start(BOTH), **options)) for each in (ids, other, ids[:, :cut]))
        assert_near(after[:, :cut], before[:, :cut], atol=1e-5)
        assert (after[:, cut] - before[:, cut]).abs().max() > 1e-3, "the token itself is read"
        assert_near(shorter, before[:, :cut], atol=tolerance(model))


@torch.no_grad()
@pytest.mark.parametrize("name", [*ENCODERS, *DECODERS])
def test_every_token_knows_all_that_came_before_and_an_encoder_all_there_is(name):
    """So the models above do not keep their promise by being blind."""
    ids = random_ids(1, 6, seed=3)
    model, start = DECODERS.get(name, (ENCODERS.get(name), None))
    begun = [start(torch.arange(1))] if start else []
    for place in range(6):
        other = ids.clone()
        other[0, place] = (ids[0, place] + 1) % VOCABULARY
        change = first(model(other, *begun)) - first(model(ids, *begun))
        felt = (change.abs().amax(-1)[0] > 1e-6).tolist()
        assert felt == [name in ENCODERS or position >= place for position in range(6)]


@pytest.mark.parametrize("name", ENCODERS)
def test_where_a_text_stands_matters_unless_there_are_no_positions(name):
    ids = torch.tensor([[4, 8, 15, 16]])
    change = (ENCODERS[name](ids.flip(1)).flip(1) - ENCODERS[name](ids)).abs().max()
    assert change < tolerance(ENCODERS[name]) if "nowhere" in name else change > 0.01


# --- where a model looks


def lookers(mask: Tensor | None) -> Iterator[tuple[str, nn.Module, tuple, Tensor, list[Tensor]]]:
    """Yield what can show where it looks: a model, arguments, its real queries, what each kind of weights may reach."""
    real = torch.ones_like(SOURCE, dtype=torch.bool) if mask is None else mask
    own, there = (causal_mask(SOURCE.size(1)) & real[:, None])[:, None], real[:, None, None]
    before, everything = causal_mask(TARGET.size(1))[None, None], torch.ones_like(TARGET, dtype=torch.bool)
    for variant in VARIANTS:
        yield f"encoder, {variant}", ENCODERS[f"encoder, {variant}"], (SOURCE, mask), real, [there]
        model, _ = DECODERS[f"decoder, {variant}"]
        yield f"decoder, {variant}", model, (SOURCE, None, mask), real, [own]
        whole = TRANSLATORS[f"Transformer, {variant}"]
        yield f"Transformer, {variant}, whole", whole, (SOURCE, mask, TARGET), everything, [before, there]
        yield (
            f"Transformer, {variant}",
            whole.decoder,
            (TARGET, whole.encode(SOURCE, mask)),
            everything,
            [before, there],
        )
    if mask is None or mask[:, 0].all():
        for name, model in TRANSLATORS.items():
            if takes(model.decoder, "return_attention") and is_recurrent(model):
                yield name, model.decoder, (TARGET, model.encode(SOURCE, mask)), everything, [there]


def by_kind(attention: Tensor | tuple) -> list[tuple[Tensor, ...]]:
    """Return the weights (batch, heads, target, source) layer by layer, first of the text, then of the source."""
    if isinstance(attention, Tensor):  # a GRU looks once, with one head
        return [(attention[:, None],)]
    return [layers for layers in attention if layers] if hasattr(attention, "own") else [attention]


@torch.no_grad()
@pytest.mark.parametrize("mask", [None, SOURCE_MASK, SOURCE_MASK.flip(1)], ids=["no mask", "right", "left"])
def test_weights_come_only_when_asked_for_and_obey_every_mask(mask):
    for name, model, arguments, real, reach in lookers(mask):
        kept = {part: dict(vars(part)) for part in model.modules()}
        fused = model(*arguments)
        explicit = model(*arguments, return_attention=True)
        assert all(vars(part) == before for part, before in kept.items()), f"{name} keeps something"
        assert len(explicit) == (len(fused) if isinstance(fused, tuple) else 1) + 1, name
        assert_near(explicit[0], first(fused), real)
        kinds, (layers, heads) = by_kind(explicit[-1]), (1, 1) if is_recurrent(model) else (LAYERS, HEADS)
        assert [len(each) for each in kinds] == [layers] * len(reach), name
        for weights, visible in ((each, seen) for kind, seen in zip(kinds, reach, strict=True) for each in kind):
            assert weights.shape[1] == heads, name
            read = real[:, None].expand(weights.shape[:3])  # what padding sees is nobody's business
            assert not weights[read][~visible.expand_as(weights)[read]].any(), name
            assert (weights[read][visible.expand_as(weights)[read]] > 0).all(), name
            assert_near(weights[read].sum(-1), torch.ones(int(read.sum())))


# --- weights, training mode, gradients


@torch.no_grad()
@pytest.mark.parametrize("name", CALLS)
def test_dropout_is_off_in_evaluation_and_on_in_training(name):
    model, arguments = CALLS[name]
    assert torch.equal(first(model(*arguments)), first(model(*arguments)))
    model, used = copy.deepcopy(model).train(), set()
    places = {part for part in model.modules() if isinstance(part, nn.Dropout)}
    for part in places:
        part.register_forward_hook(lambda part, *_: used.add(part))
    assert not torch.equal(first(model(*arguments)), first(model(*arguments)))
    assert used == places or isinstance(model, CausalLM), "a place for dropout is not used"


@torch.no_grad()
@pytest.mark.parametrize("name", CALLS)
def test_weights_go_out_and_come_back(name):
    model, arguments = CALLS[name]
    twin = excited(copy.deepcopy(model), seed=9)
    assert not torch.equal(first(twin(*arguments)), first(model(*arguments)))
    twin.load_state_dict({weight: value.clone() for weight, value in model.state_dict().items()})
    assert torch.equal(first(twin(*arguments)), first(model(*arguments)))


@pytest.mark.parametrize(
    "name", [name for name in CALLS if name not in TRANSLATORS]
)  # whose decoders were given a state
def test_gradients_reach_every_weight(name):
    model, arguments = CALLS[name]
    model = copy.deepcopy(model)
    first(model(*arguments)).pow(3).mean().backward()
    unreached = [name for name, each in model.named_parameters() if each.grad is None or not each.grad.abs().sum() > 0]
    assert unreached == []


@torch.no_grad()
@pytest.mark.parametrize("name", [name for name, (model, _) in CALLS.items() if not is_recurrent(model)])
def test_it_runs_in_bfloat16_and_stays_near(name):
    model, arguments = CALLS[name]
    real = SOURCE_MASK if name in ENCODERS else torch.ones_like(TARGET, dtype=torch.bool)
    expected = first(model(*arguments))
    for options in ({}, {"return_attention": True}) if takes(model, "return_attention") else ({},):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = first(model(*arguments, **options))
        assert found.isfinite().all()
        assert (found.float() - expected)[real].abs().mean() < 0.05 * expected[real].std()
    if name in DECODERS:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pieces, _ = in_pieces(model, *arguments, cuts=(2,))
        assert (pieces.float() - expected).abs().mean() < 0.05 * expected.std()
    if name in DECODERS and takes(model, "mask"):
        right = padding([6, 2, 3, 1])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            read = [in_pieces(model, *arguments, right, cuts=(2,))[0]]
            if takes(model, "return_attention"):
                read.append(first(model(*arguments, right, return_attention=True)))
        assert all(logits.isfinite().all() for logits in read)


# --- on a graphics card


@pytest.mark.gpu
@needs_cuda
@torch.no_grad()
@pytest.mark.parametrize("name", CALLS)
def test_cuda_and_cpu_agree(name):
    """At once, in pieces and with explicit attention; where a model draws, the draws are the same on every device."""
    model, arguments = CALLS[name]
    on_card = copy.deepcopy(model).to(CARD)
    ways = [{}, *({"return_attention": True} for _ in range(takes(model, "return_attention")))]
    ways += [{"teacher_forcing_ratio": ratio} for ratio in (0.0, 0.5) if takes(model, "teacher_forcing_ratio")]
    left = padding([6, 2, 3, 1], "left")
    batches = [(arguments, torch.ones_like(TARGET, dtype=torch.bool))]
    if name in ENCODERS:
        batches = [((SOURCE, mask), mask) for mask in (SOURCE_MASK, SOURCE_MASK.flip(1))]
    elif name.endswith(", whole"):
        empty = SOURCE_MASK & (torch.arange(4) != 1)[:, None]
        batches.append(((SOURCE, empty if is_recurrent(model) else SOURCE_MASK.flip(1), TARGET), batches[0][1]))
    elif takes(model, "mask"):
        batches.append(((*arguments, left), left))
    for given_to_it, real in batches:
        there = to_device(given_to_it, CARD)
        for options in ways:
            torch.manual_seed(0)
            expected = first(model(*given_to_it, **options))
            torch.manual_seed(0)
            assert_near(first(on_card(*there, **options)).cpu(), expected, real, atol=1e-4)
        if name in DECODERS:
            assert_near(in_pieces(on_card, *there, cuts=(1, 2, 4))[0].cpu(), expected, real, atol=1e-4)
