"""Padding changes nothing, whatever it holds and wherever it stands: a promise of every model of the course."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.support.every_model import (
    DECODERS,
    ENCODERS,
    TRANSLATORS,
    first,
    in_pieces,
    padded_batches,
    sides,
    takes,
    texts,
    tolerance,
)
from tests.support.tiny_transformers import VOCABULARY
from utils.text import pad

KNOW_PADDING = [name for name, each in DECODERS.items() if takes(each.model, "mask")]


def assert_rows_are_those_alone(model: nn.Module, together: Tensor, mask: Tensor, alone: list[Tensor | None]) -> None:
    assert together.isfinite().all()
    for row, expected in enumerate(alone):
        if expected is not None:  # an empty text
            torch.testing.assert_close(together[row][mask[row]], expected[0], atol=tolerance(model), rtol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=8)
@given(padded_batches())
def test_an_encoder_reads_each_text_as_if_it_were_alone(name, batch):
    words, ids, mask = batch
    model = ENCODERS[name]
    alone = [model(torch.tensor([each])) if each else None for each in words]
    assert_rows_are_those_alone(model, model(ids, mask), mask, alone)
    if takes(model, "return_attention"):
        assert_rows_are_those_alone(model, model(ids, mask, return_attention=True)[0], mask, alone)


@torch.no_grad()
@pytest.mark.parametrize("name", KNOW_PADDING)
@settings(max_examples=10)
@given(padded_batches(), st.lists(st.integers(1, 12), max_size=4))
def test_a_decoder_reads_each_text_as_if_it_were_alone(name, batch, cuts):
    """In one call or in several, each going on from the keys and values of those before."""
    words, ids, mask = batch
    model, start = DECODERS[name]
    rows = torch.arange(len(words))
    alone = [
        model(torch.tensor([each]), start(rows[row : row + 1]))[0] if each else None for row, each in enumerate(words)
    ]
    for places in ((), tuple(cuts)):
        assert_rows_are_those_alone(model, in_pieces(model, ids, start(rows), mask, places)[0], mask, alone)
    if takes(model, "return_attention"):
        explicit = model(ids, start(rows), mask, return_attention=True)[0]
        assert_rows_are_those_alone(model, explicit, mask, alone)


@torch.no_grad()
@pytest.mark.parametrize("name", TRANSLATORS)
@settings(max_examples=10)
@given(st.data())
def test_a_translator_reads_each_pair_as_if_it_were_alone(name, data):
    """The target is padded on the right, as in training, which no mask need tell of."""
    model = TRANSLATORS[name]
    words, source, source_mask = data.draw(padded_batches(sides(model)))
    targets = data.draw(st.lists(texts.filter(bool), min_size=len(words), max_size=len(words)))
    target, target_mask = pad(targets, pad_id=data.draw(st.integers(0, VOCABULARY - 1)))
    for ratio in (1.0, 0.0) if takes(model, "teacher_forcing_ratio") else (1.0,):
        options = {"teacher_forcing_ratio": 0.0} if ratio == 0 else {}
        alone = []
        for row, each in enumerate(words):
            read = torch.tensor([each]) if each else source[row : row + 1, :1]  # nothing: one padding token is read
            real = torch.full_like(read, bool(each), dtype=torch.bool)
            alone.append(model(read, real, torch.tensor([targets[row]]), **options))
        assert_rows_are_those_alone(model, model(source, source_mask, target, **options), target_mask, alone)


@pytest.mark.parametrize("name", [*ENCODERS, *KNOW_PADDING, *(f"{name}, whole" for name in TRANSLATORS)])
def test_without_the_mask_padding_does_change_the_result(name):
    ids, mask = torch.tensor([[5, 6, 7, 1, 1]]), torch.tensor([[True] * 3 + [False] * 2])
    if name in ENCODERS:
        with_mask, without = ENCODERS[name](ids, mask), ENCODERS[name](ids)
    elif name in DECODERS:
        ids, mask = ids.flip(1), mask.flip(1)
        model, start = DECODERS[name]
        with_mask, without = (first(model(ids, start(torch.arange(1)), each)) for each in (mask, None))
    else:
        model = TRANSLATORS[name.removesuffix(", whole")]
        with_mask, without = (model(ids, each, ids) for each in (mask, None))
    assert (with_mask - without)[mask].abs().max() > 0.01
