"""Turning next-token scores into text: greedy search and sampling, one interface for every model.

A *strategy* picks how to go on. ``generate`` asks the model for logits, hands them to the strategy, and feeds back what
it chose; the model's state (a GRU state, a key–value cache) is passed along, so no token is ever read twice. Beam
search, which follows several texts at once, is ``utils.beam``.
"""

import inspect
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
    if mask is None:
        return
    taken = inspect.signature(getattr(model, "forward", model)).parameters
    anything = any(each.kind == each.VAR_POSITIONAL for each in taken.values())  # as a compiled model takes
    if "mask" not in taken and not anything:
        raise ValueError(
            f"{type(model).__name__} does not know padding; give it prompts of one length at a time, and no mask."
        )


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
    end_id: int | None = None,
    strategy: Strategy | None = None,
    mask: Tensor | None = None,
    seed: int = 0,
) -> Generation:
    """Continue each row of ``ids`` (batch, prompt) from ``state`` (None: the model's own start).

    ``mask`` (batch, prompt) is True at real tokens, which come last, for a model that knows padding; None: all are
    real. Stops after ``max_new_tokens``, or once every row has produced ``end_id``; rows that ended early are filled up
    with ``end_id``. Without a strategy the search is greedy. The same ``seed`` gives the same text. A module that is in
    training mode is put in evaluation mode meanwhile.
    """
    check_prompt(model, ids, mask)
    strategy = strategy or Greedy()
    generator = torch.Generator().manual_seed(seed)
    scores = torch.zeros(ids.size(0), device=ids.device)
    finished = torch.zeros(ids.size(0), dtype=torch.bool, device=ids.device)
    new = ids
    with evaluating(model):
        for _ in range(max_new_tokens):
            logits, state = model(new, state) if mask is None else model(new, state, mask)
            mask = None  # what is generated is real
            log_probabilities = logits[:, -1].float().log_softmax(dim=-1)  # (batch, vocabulary)
            if end_id is not None:
                log_probabilities = log_probabilities.masked_fill(finished[:, None], -torch.inf)
                log_probabilities[finished, end_id] = 0.0
            tokens = strategy.choose(log_probabilities, generator)
            scores = scores + log_probabilities.gather(1, tokens[:, None]).squeeze(1)
            new = tokens[:, None]
            ids = torch.cat([ids, new], dim=1)
            if end_id is not None:
                finished = finished | (tokens == end_id)
                if finished.all():
                    break
    return Generation(ids, scores)
