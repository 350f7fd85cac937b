"""Turning next-token scores into text: greedy search and sampling, one interface for every model.

A *strategy* picks how to go on. ``generate`` asks the model for logits, hands them to the strategy, and feeds back what
it chose; the model's state (a GRU state, a key–value cache) is passed along, so no token is ever read twice. Beam
search, which follows several texts at once, is ``utils.beam``.
"""

import inspect
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from utils.device import evaluating


class Decodable(Protocol):
    """What a model offers to be decoded from."""

    def __call__(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read new ``ids`` (batch, new) after ``state``; return logits (batch, new, vocabulary) and the new state.

        A model that knows padding also takes a third argument, ``mask`` (batch, new), True at real tokens.
        """

    def select_state(self, state: Any, rows: Tensor) -> Any:
        """Return the state of the chosen ``rows`` (int64, 1-D) of the batch, in that order; beam search needs it."""


class Strategy(Protocol):
    """How to go on from a batch of next-token distributions."""

    def choose(self, log_probabilities: Tensor, generator: torch.Generator) -> Tensor:
        """Return one token (batch,) for each row of ``log_probabilities`` (batch, vocabulary).

        In a row that has ended only the end token is possible, so a strategy need not know which have ended.
        """


@dataclass(frozen=True)
class Greedy:
    """Always take the most probable token."""

    def choose(self, log_probabilities: Tensor, generator: torch.Generator) -> Tensor:
        """See ``Strategy.choose``."""
        return log_probabilities.argmax(dim=-1)


@dataclass(frozen=True)
class Sampling:
    """Draw the next token, after temperature, top-k (Fan et al. 2018) and top-p (Holtzman et al. 2020)."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def choose(self, log_probabilities: Tensor, generator: torch.Generator) -> Tensor:
        """See ``Strategy.choose``."""
        probabilities = sampling_probabilities(log_probabilities, self.temperature, self.top_k, self.top_p)
        # Drawn on the CPU, so that one seed draws alike on every device.
        drawn = torch.multinomial(probabilities.cpu(), num_samples=1, generator=generator)
        return drawn.squeeze(1).to(log_probabilities.device)


@dataclass(frozen=True)
class Generation:
    """What ``generate`` made: ``ids`` (batch, prompt + new) and ``scores`` (batch,), the log-probability of the new."""

    ids: Tensor
    scores: Tensor


def check_prompt(model: Decodable, ids: Tensor, mask: Tensor | None = None) -> None:
    """Raise ``ValueError``, saying what to do, unless ``model`` can continue ``ids`` (batch, prompt)."""
    if ids.dim() != 2 or ids.size(1) == 0:
        raise ValueError(f"ids must have shape (batch, prompt) with at least one token a row, not {tuple(ids.shape)}.")
    if mask is not None and (mask.shape != ids.shape or not mask[:, -1].all() or (mask[:, :-1] & ~mask[:, 1:]).any()):
        raise ValueError("mask must have the shape of ids and be True at the end of each row: pad prompts on the left.")
    if mask is not None and not _knows_padding(model):
        raise ValueError(
            f"{type(model).__name__} does not know padding; give it prompts of one length at a time, and no mask."
        )
    if (ids < 0).any():
        raise ValueError(f"ids holds {int(ids.min())}, which is no token: ids are counted from 0.")
    own = getattr(model, "out", None)  # the map that scores the course's own decoders' tokens
    if isinstance(own, torch.nn.Linear) and (ids >= own.out_features).any():
        raise ValueError(_not_a_token("ids holds", int(ids.max()), own.out_features))


def _knows_padding(model: Decodable) -> bool:
    taken = inspect.signature(getattr(model, "forward", model)).parameters
    anything = any(each.kind == each.VAR_POSITIONAL for each in taken.values())  # as a compiled model takes
    return "mask" in taken or anything


def end_tokens(end_id: int | Iterable[int] | None) -> tuple[int, ...]:
    """Return the ids that end a text: none for None, one, or several, as ``generation_config.eos_token_id`` gives them.

    Raises ``ValueError``, saying what to do, for what cannot be an id: below 0, no whole number, or none at all.
    """
    if end_id is None:
        return ()
    several = isinstance(end_id, Iterable) and not isinstance(end_id, str) and getattr(end_id, "ndim", 1) > 0
    given = list(end_id) if several else [end_id]
    if not given:
        raise ValueError("end_id holds no token; use None for a text that nothing ends.")
    found = []
    for each in given:
        try:
            token = -1 if isinstance(each, bool) else operator.index(each)
        except TypeError:  # 2.0, "2"
            token = -1
        if token < 0:
            raise ValueError(f"end_id must be the id of a token, a whole number from 0, or several; {each!r} is none.")
        found.append(token)
    return tuple(found)


def next_log_probabilities(
    model: Decodable, ids: Tensor, state: Any, mask: Tensor | None, ends: tuple[int, ...]
) -> tuple[Tensor, Any]:
    """Let ``model`` read ``ids`` (batch, new) after ``state``; return what follows them and the new state.

    What follows is (batch, vocabulary), 32-bit log-probabilities. Raises ``ValueError``, saying what to do, for a text
    beyond the model's positions, an id it has no vector for, and end tokens that are not in its vocabulary.
    """
    try:
        logits, state = model(ids, state) if mask is None else model(ids, state, mask)
    except IndexError as error:
        raise ValueError(
            f"the model cannot read these ids, of which the largest is {int(ids.max())} ({error}): a token lies "
            "outside its vocabulary, or the text is longer than its positions; use its own tokenizer or a shorter text."
        ) from error
    if ends and max(ends) >= logits.size(-1):
        raise ValueError(_not_a_token("end_id is", max(ends), logits.size(-1)))
    return logits[:, -1].float().log_softmax(dim=-1), state


def _not_a_token(which: str, token: int, vocabulary: int) -> str:
    return f"{which} {token}, and the model knows the tokens 0 to {vocabulary - 1}; use the model's own tokenizer."


def check_sampling_settings(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raise ``ValueError``, saying what to do, unless one can sample with these settings."""
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}; for the most probable token use Greedy().")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, not {top_k}; use None to keep every token.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must lie above 0 and at most at 1, not {top_p}; use None to keep every token.")


def sampling_probabilities(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """Return the distribution (..., vocabulary) that is sampled from, given ``logits`` of that shape.

    First the temperature: logits are divided by it. Then top-k: only the ``top_k`` most probable tokens stay. Then
    top-p: of those, the smallest set whose share of the probability reaches ``top_p``. What stays sums to 1 again.
    """
    check_sampling_settings(temperature, top_k, top_p)
    logits = logits.float()
    below = logits - logits.amax(dim=-1, keepdim=True)  # the largest becomes 0: no temperature can overflow
    probabilities = (below / temperature).softmax(dim=-1)
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        ordered[..., top_k:] = 0
    if top_p is not None and top_p < 1:
        share = ordered / ordered.sum(dim=-1, keepdim=True)
        before = share.cumsum(dim=-1) - share  # a token stays if those ahead of it do not reach top_p already
        ordered[before >= top_p] = 0
    ordered = ordered / ordered.sum(dim=-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter(-1, order, ordered)


@torch.no_grad()
def generate(
    model: Decodable,
    ids: Tensor,
    state: Any = None,
    *,
    max_new_tokens: int,
    end_id: int | Iterable[int] | None = None,
    strategy: Strategy | None = None,
    mask: Tensor | None = None,
    seed: int = 0,
) -> Generation:
    """Continue each row of ``ids`` (batch, prompt) from ``state`` (None: the model's own start).

    ``mask`` (batch, prompt) is True at real tokens, which come last, for a model that knows padding; None: all are
    real. Stops after ``max_new_tokens``, or once every row has produced ``end_id`` (of several, any); rows that ended
    early are filled up with it (of several, with the first). Without a strategy the search is greedy. The same ``seed``
    gives the same text. A module that is in training mode is put in evaluation mode meanwhile. Raises ``ValueError``
    as ``next_log_probabilities`` does.
    """
    check_prompt(model, ids, mask)
    ends = end_tokens(end_id)
    stop = torch.tensor(ends, device=ids.device)
    strategy = strategy or Greedy()
    generator = torch.Generator().manual_seed(seed)
    scores = torch.zeros(ids.size(0), device=ids.device)
    finished = torch.zeros(ids.size(0), dtype=torch.bool, device=ids.device)
    new = ids
    with evaluating(model):
        for _ in range(max_new_tokens):
            log_probabilities, state = next_log_probabilities(model, new, state, mask, ends)
            mask = None  # what is generated is real
            if ends:
                log_probabilities = log_probabilities.masked_fill(finished[:, None], -torch.inf)
                log_probabilities[finished, ends[0]] = 0.0
            tokens = strategy.choose(log_probabilities, generator)
            scores = scores + log_probabilities.gather(1, tokens[:, None]).squeeze(1)
            new = tokens[:, None]
            ids = torch.cat([ids, new], dim=1)
            if ends:
                finished = finished | torch.isin(tokens, stop)
                if finished.all():
                    break
    return Generation(ids, scores)
