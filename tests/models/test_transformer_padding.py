"""Two properties of every model of the course: no token knows what follows it, and padding changes nothing."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.support.tiny_transformers import (
    VARIANTS,
    VOCABULARY,
    assert_near,
    decoder,
    encoder,
    excited,
    masked_model,
    random_ids,
    translator,
)
from utils.attention import SCORES
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, DecoderRNN, EncoderDecoder, EncoderRNN
from utils.text import pad

MODELS = {
    name: {variant: make(variant) for variant in VARIANTS}
    for name, make in {
        "encoder": encoder,
        "masked": masked_model,
        "decoder": decoder,
        "translator": translator,
    }.items()
}
TOLERANCE = 5e-5  # outputs reach ±10, and the order of a sum changes with the length

text = st.lists(st.integers(0, VOCABULARY - 1), max_size=9)
places = st.integers(0, 5)


@st.composite
def padded_batches(draw, min_size: int = 0, sides: tuple[str, ...] = ("left", "right", "both")) -> tuple:
    """Draw texts, and the same in a batch: each begins anywhere, and what surrounds it is any tokens at all."""
    side = draw(st.sampled_from(sides))
    texts = draw(st.lists(text.filter(lambda each: len(each) >= min_size), min_size=1, max_size=4))
    room = max(1, *(len(each) for each in texts), 1) + draw(places)
    ids = random_ids(len(texts), room, seed=draw(st.integers(0, 99)))  # the padding is rubbish
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for row, words in enumerate(texts):
        free = room - len(words)
        start = {"left": free, "right": 0, "both": draw(st.integers(0, free)) if side == "both" else 0}[side]
        ids[row, start : start + len(words)] = torch.tensor(words, dtype=torch.long)
        mask[row, start : start + len(words)] = True
    return texts, ids, mask


def in_pieces(model, ids: Tensor, state=None, mask: Tensor | None = None, cuts: tuple[int, ...] = ()) -> Tensor:
    """Read ``ids`` piece by piece, cut before each of ``cuts``, and return all the logits."""
    made, edges = [], sorted({0, *(cut for cut in cuts if 0 < cut < ids.size(1)), ids.size(1)})
    for start, stop in pairwise(edges):
        logits, state = model(ids[:, start:stop], state, None if mask is None else mask[:, start:stop])
        made.append(logits)
    return torch.cat(made, dim=1)


def assert_rows_are_those_alone(together: Tensor, mask: Tensor, alone: list[Tensor | None]) -> None:
    assert together.isfinite().all()
    for row, expected in enumerate(alone):
        if expected is not None:  # an empty text
            torch.testing.assert_close(together[row][mask[row]], expected[0], atol=TOLERANCE, rtol=1e-5)


# --- padding


@settings(max_examples=60)
@given(st.sampled_from(["encoder", "masked"]), st.sampled_from(list(VARIANTS)), padded_batches(), st.booleans())
def test_an_encoder_reads_each_text_as_if_it_were_alone(name, variant, batch, explicit):
    texts, ids, mask = batch
    model = MODELS[name][variant]
    together = model(ids, mask, return_attention=True)[0] if explicit and name == "encoder" else model(ids, mask)
    assert_rows_are_those_alone(together, mask, [model(torch.tensor([words])) if words else None for words in texts])


@settings(max_examples=80)
@given(st.sampled_from(list(VARIANTS)), padded_batches(), st.lists(st.integers(1, 12), max_size=4), st.booleans())
def test_a_decoder_reads_each_text_as_if_it_were_alone(variant, batch, cuts, explicit):
    """In one call or in several, each going on from the keys and values of those before."""
    texts, ids, mask = batch
    model = MODELS["decoder"][variant]
    together = in_pieces(model, ids, None, mask, tuple(cuts))
    if explicit:
        together = model(ids, None, mask, return_attention=True)[0]
    assert_rows_are_those_alone(together, mask, [model(torch.tensor([words]))[0] if words else None for words in texts])


@settings(max_examples=60)
@given(
    st.sampled_from(list(VARIANTS)),
    padded_batches(),
    st.data(),
    st.lists(st.integers(1, 12), max_size=3),
)
def test_a_translator_reads_each_pair_as_if_it_were_alone(variant, sources, data, cuts):
    texts, ids, mask = sources
    rows = len(texts)
    targets = data.draw(st.lists(text.filter(bool), min_size=rows, max_size=rows))
    target, target_mask = pad(targets, pad_id=data.draw(st.integers(0, VOCABULARY - 1)))
    if data.draw(st.booleans()):
        target, target_mask = target.flip(1), target_mask.flip(1)
        targets = [words[::-1] for words in targets]
    model = MODELS["translator"][variant]
    state = model.encode(ids, mask)
    alone = []
    for source, words in zip(texts, targets, strict=True):
        read, real = torch.tensor([source or [0]]), torch.tensor([[True] * len(source) or [False]])
        alone.append(model(read, real, torch.tensor([words])))
    assert_rows_are_those_alone(in_pieces(model.decoder, target, state, target_mask, tuple(cuts)), target_mask, alone)
    if target_mask[:, 0].all():  # as in training: padding on the right, which no mask need tell of
        assert_rows_are_those_alone(model(ids, mask, target), target_mask, alone)


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_the_mask_padding_does_change_the_result(variant):
    ids, mask = torch.tensor([[5, 6, 7, 1, 1]]), torch.tensor([[True] * 3 + [False] * 2])
    for name in ("encoder", "masked"):
        model = MODELS[name][variant]
        assert (model(ids) - model(ids, mask))[mask].abs().max() > 0.01
    left, real = ids.flip(1), mask.flip(1)
    model = MODELS["decoder"][variant]
    assert (model(left)[0] - model(left, None, real)[0])[real].abs().max() > 0.01
    model = MODELS["translator"][variant]
    assert (model(ids, None, ids) - model(ids, mask, ids)).abs().max() > 0.01


def recurrent(kind: str, score: str = "additive"):
    """Return a translator with GRUs, one vector or attention between them."""
    torch.manual_seed(0)
    if kind == "one vector":
        return excited(EncoderDecoder(EncoderRNN(VOCABULARY, 8), DecoderRNN(8, VOCABULARY)))
    key_size = 8 if score in ("dot", "scaled dot") else 16
    read = EncoderRNN(VOCABULARY, 8, bidirectional=key_size == 16)
    write = AttentionDecoderRNN(8, VOCABULARY, key_size=key_size, score=SCORES[score])
    return excited(AttentionEncoderDecoder(read, write))


RECURRENT = {"one vector": recurrent("one vector"), **{score: recurrent("attention", score) for score in SCORES}}


@settings(max_examples=40)
@given(st.sampled_from(list(RECURRENT)), padded_batches(min_size=1, sides=("right",)), text.filter(bool))
def test_a_recurrent_translator_reads_each_pair_as_if_it_were_alone(kind, batch, target):
    texts, ids, mask = batch
    model, target = RECURRENT[kind], torch.tensor([target])
    together = model(ids, mask, target.expand(len(texts), -1))
    everything = torch.ones(together.shape[:2], dtype=torch.bool)
    alone = [model(torch.tensor([words]), torch.ones(1, len(words), dtype=torch.bool), target) for words in texts]
    assert_rows_are_those_alone(together, everything, alone)


# --- what follows


SOURCE = random_ids(2, 6, seed=5)
DECODERS = {
    "GRU": lambda ids: RECURRENT["one vector"].decoder(ids)[0],
    **{
        f"GRU, {score}": lambda ids, model=RECURRENT[score]: model(SOURCE, torch.ones_like(SOURCE) > 0, ids)
        for score in SCORES
    },
    **{f"decoder, {variant}": lambda ids, model=model: model(ids)[0] for variant, model in MODELS["decoder"].items()},
    **{
        f"decoder, {variant}, explicit": lambda ids, model=model: model(ids, return_attention=True)[0]
        for variant, model in MODELS["decoder"].items()
    },
    **{
        f"decoder, {variant}, in pieces": lambda ids, model=model: in_pieces(model, ids, cuts=(2, 3, 7))
        for variant, model in MODELS["decoder"].items()
    },
    **{
        f"translator, {variant}": lambda ids, model=model: model(SOURCE, None, ids)
        for variant, model in MODELS["translator"].items()
    },
}


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=12)
@given(seed=st.integers(0, 999), length=st.integers(2, 12), data=st.data())
def test_no_token_knows_what_follows_it(name, seed, length, data):
    read, ids = DECODERS[name], random_ids(2, length, seed=seed)
    cut = data.draw(st.integers(1, length - 1))
    other = torch.cat([ids[:, :cut], random_ids(2, length - cut, seed=seed + 1_000)], dim=1)
    other[:, cut] = (ids[:, cut] + 1) % VOCABULARY
    before, after = read(ids), read(other)
    assert_near(after[:, :cut], before[:, :cut], atol=1e-5)
    assert (after[:, cut] - before[:, cut]).abs().max() > 1e-3, "the token itself is read"
    shorter = read(ids[:, :cut])
    assert_near(shorter, before[:, :cut], atol=TOLERANCE)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_token_knows_all_that_came_before_and_an_encoder_all_there_is(variant):
    """So the models above do not keep their promise by being blind."""
    ids = random_ids(1, 6, seed=3)
    for place in range(6):
        other = ids.clone()
        other[0, place] = (ids[0, place] + 1) % VOCABULARY
        reading = {
            "decoder": lambda each: MODELS["decoder"][variant](each)[0],
            "encoder": MODELS["encoder"][variant],
            "translator": lambda each: MODELS["translator"][variant](each, None, ids),
        }
        felt = {name: ((read(other) - read(ids)).abs().amax(-1)[0] > 1e-6).tolist() for name, read in reading.items()}
        after = [position >= place for position in range(6)]
        assert felt == {"decoder": after, "encoder": [True] * 6, "translator": [True] * 6}


@pytest.mark.parametrize("variant", VARIANTS)
def test_where_a_text_stands_matters_unless_there_are_no_positions(variant):
    ids = torch.tensor([[4, 8, 15, 16]])
    found = MODELS["encoder"][variant](ids.flip(1)).flip(1) - MODELS["encoder"][variant](ids)
    if "nowhere" in variant:
        assert found.abs().max() < TOLERANCE
    else:
        assert found.abs().max() > 0.01
