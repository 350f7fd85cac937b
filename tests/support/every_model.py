"""Every model of the course, small: the lists that the contracts of tests/models run through.

A new kind of model, or a known one in other settings, is one line here (or in ``VARIANTS``); what only some can do is
asked of the model itself, by ``takes`` and ``sides``.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.support.tiny_transformers import (
    VARIANTS,
    VOCABULARY,
    decoder,
    encoder,
    excited,
    masked_model,
    padding,
    random_ids,
    their_gpt2,
    their_llama,
    translator,
)
from utils.adapters import CausalLM
from utils.attention import SCORES
from utils.device import is_recurrent
from utils.nested import map_tensors
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, DecoderRNN, EncoderDecoder, EncoderRNN

GRU_SIZE = 8
SOURCE, SOURCE_MASK = random_ids(4, 7, seed=5), padding([7, 4, 1, 5])


def decided(decoder: DecoderRNN) -> DecoderRNN:
    """Give a GRU decided opinions, so that the texts it writes differ."""
    nn.init.normal_(decoder.out.weight, std=3.0, generator=torch.Generator().manual_seed(0))
    return decoder


def gru_decoder(num_layers: int = 1) -> DecoderRNN:
    return decided(excited(DecoderRNN(GRU_SIZE, VOCABULARY, num_layers, dropout=0.3)))


def gru_translator(kind: str, num_layers: int = 1, both: bool = False) -> EncoderDecoder:
    """Return GRUs with one vector or attention between them; ``kind`` is "one vector" or the name of a score."""
    read = EncoderRNN(VOCABULARY, GRU_SIZE // 2 if both else GRU_SIZE, num_layers, both)
    if kind == "one vector":
        model = excited(EncoderDecoder(read, DecoderRNN(GRU_SIZE, VOCABULARY, num_layers, 0.3)))
    else:
        write = AttentionDecoderRNN(GRU_SIZE, VOCABULARY, num_layers, 0.3, score=SCORES[kind])
        model = excited(AttentionEncoderDecoder(read, write))
    decided(model.decoder)
    return model


ENCODERS = {
    **{f"encoder, {variant}": encoder(variant) for variant in VARIANTS},
    **{f"masked, {variant}": masked_model(variant) for variant in VARIANTS},
}
TRANSLATORS = {
    **{f"Transformer, {variant}": translator(variant) for variant in VARIANTS},
    **{f"GRU, {kind}": gru_translator(kind) for kind in ("one vector", *SCORES)},
    **{f"GRU both ways, {kind}": gru_translator(kind, 2, True) for kind in ("one vector", *SCORES)},
}


class Decodable(NamedTuple):
    """A decoder, and the state from which the chosen rows of a batch of four begin."""

    model: nn.Module
    start: Callable[[Tensor], Any] = lambda rows: None


def after_source(model: nn.Module, mask: Tensor | None, rows: Tensor) -> Any:
    return model.encode(SOURCE[rows], None if mask is None else mask[rows])


def any_state(num_layers: int, rows: Tensor) -> Tensor:
    return torch.randn(num_layers, 4, GRU_SIZE, generator=torch.Generator().manual_seed(1))[:, rows]


DECODERS = {
    **{f"decoder, {variant}": Decodable(decoder(variant)) for variant in VARIANTS},
    **{f"GRU of {size} layers": Decodable(gru_decoder(size), partial(any_state, size)) for size in (1, 2, 3)},
    **{name: Decodable(each.decoder, partial(after_source, each, SOURCE_MASK)) for name, each in TRANSLATORS.items()},
    "whole sources": Decodable(
        TRANSLATORS["GRU, additive"].decoder, partial(after_source, TRANSLATORS["GRU, additive"], None)
    ),
    "GPT-2 of transformers": Decodable(CausalLM(excited(their_gpt2()))),
    "Llama of transformers": Decodable(CausalLM(excited(their_llama()))),
}


def takes(model: nn.Module, argument: str) -> bool:
    return argument in inspect.signature(model.forward).parameters


def sides(model: nn.Module) -> tuple[str, ...]:
    """Return where padding may stand: a GRU has to read what is real first."""
    return ("right",) if is_recurrent(model) else ("left", "right", "both")


def tolerance(model: nn.Module) -> float:
    """Return how far sums in another order may lie apart; a Transformer's outputs reach ±10."""
    return 1e-5 if is_recurrent(model) else 5e-5


def first(made: Any) -> Tensor:
    """Return what a model says, without a state or weights."""
    return made[0] if isinstance(made, tuple) else made


def tensors(state: Any) -> list[Tensor]:
    """Return all that a state holds, in one order."""
    found = []
    map_tensors(found.append, state)
    return found


def in_pieces(
    model: nn.Module, ids: Tensor, state: Any = None, mask: Tensor | None = None, cuts: tuple[int, ...] = ()
) -> tuple[Tensor, Any]:
    """Read ``ids`` piece by piece, cut before each of ``cuts``; return all the logits and the last state."""
    made, edges = [], sorted({0, *(cut for cut in cuts if 0 < cut < ids.size(1)), ids.size(1)})
    for start, stop in pairwise(edges):
        logits, state = model(ids[:, start:stop], state, *([] if mask is None else [mask[:, start:stop]]))
        made.append(logits)
    return torch.cat(made, dim=1), state


def calls(target: Tensor) -> Iterator[tuple[str, nn.Module, tuple]]:
    """Yield every model with arguments to call it by: four texts, or sources and their translations."""
    for name, model in ENCODERS.items():
        yield name, model, (SOURCE, SOURCE_MASK)
    for name, model in TRANSLATORS.items():
        yield f"{name}, whole", model, (SOURCE, SOURCE_MASK, target)
    for name, (model, start) in DECODERS.items():
        yield name, model, (target, start(torch.arange(4)))


texts = st.lists(st.integers(0, VOCABULARY - 1), max_size=9)


@st.composite
def padded_batches(draw, where: tuple[str, ...] = ("left", "right", "both")) -> tuple:
    """Draw texts, and the same in a batch: each begins anywhere, and what surrounds it is any tokens at all."""
    side = draw(st.sampled_from(where))
    drawn = draw(st.lists(texts, min_size=1, max_size=4))
    room = max(1, *(len(each) for each in drawn), 1) + draw(st.integers(0, 5))
    ids = random_ids(len(drawn), room, seed=draw(st.integers(0, 99)))  # the padding is rubbish
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for row, words in enumerate(drawn):
        free = room - len(words)
        start = {"left": free, "right": 0, "both": draw(st.integers(0, free)) if side == "both" else 0}[side]
        ids[row, start : start + len(words)] = torch.tensor(words, dtype=torch.long)
        mask[row, start : start + len(words)] = True
    return drawn, ids, mask
