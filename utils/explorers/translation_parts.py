"""What the steps of a translation are given, checked; and what is measured on the states."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from utils.explorers.delivery import shortened, visible
from utils.explorers.weights import checked_weights

MOST_READ, MOST_WRITTEN = 40, 60  # tokens; more columns than these nobody can tell apart
CELLS = 64  # of a state that are shown: all of a small one, evenly spaced ones of a larger one
_BOUND = 1.001  # of a state's numbers; rounding may carry them a little over 1


def checked_sources(given: Sequence[str]) -> list[str]:
    """Return the source tokens with every character visible."""
    if isinstance(given, str):
        raise ValueError(f"source_tokens is one string, {given[:40]!r}; give the list of its tokens.")
    if not 1 <= len(given) <= MOST_READ:
        raise ValueError(f"there are {len(given)} source_tokens; show a sentence of 1 to {MOST_READ}.")
    for token in given:
        if not isinstance(token, str):
            raise ValueError(f"one of source_tokens is {token!r}; tokens must be strings.")
    return [visible(token) for token in given]


def checked_states(given: Any, name: str, rows: int, what: str) -> Tensor:
    """Return the states (rows, hidden) as float32; there must be one for each of ``rows`` things called ``what``."""
    states = _numbers(given, name, "(tokens, hidden)")
    if states.dim() != 2 or states.numel() == 0:
        raise ValueError(
            f"{name} must have shape (tokens, hidden), neither of them 0, not {tuple(states.shape)}; of a batch take "
            "one sentence."
        )
    if len(states) != rows:
        raise ValueError(f"{name} has {len(states)} rows, but there must be {rows}, one for each {what}.")
    return _bounded(states, name)


def checked_first(given: Any, encoder: Tensor, hidden: int) -> Tensor:
    """Return what the decoder starts from as (layers, hidden); None is the last of ``encoder`` (directions, …)."""
    if given is None:
        if len(encoder) > 1 or encoder.size(2) != hidden:
            raise ValueError(
                f"first_state is missing: the encoder's last state ({len(encoder)} × {encoder.size(2)} numbers) cannot "
                f"be the decoder's first ({hidden} numbers) as it is; give what the decoder starts from."
            )
        return encoder[:, -1]
    first = _numbers(given, "first_state", "(hidden,) or (layers, hidden)")
    first = first[None] if first.dim() == 1 else first
    if first.dim() != 2 or len(first) == 0 or first.size(1) != hidden:
        raise ValueError(
            f"first_state must have shape ({hidden},) or (layers, {hidden}), as the decoder's states have {hidden} "
            f"numbers, not {tuple(first.shape)}."
        )
    return _bounded(first, "first_state")


def checked_logits(given: Any) -> Tensor:
    """Return the logits (target, vocabulary) as float32; minus infinity is a word that cannot follow."""
    logits = _numbers(given, "logits", "(target, vocabulary)")
    if logits.dim() != 2 or logits.numel() == 0:
        raise ValueError(
            f"logits must have shape (target, vocabulary), neither of them 0, not {tuple(logits.shape)}; of a batch "
            "take one sentence."
        )
    if len(logits) > MOST_WRITTEN:
        raise ValueError(f"there are {len(logits)} rows of logits; show a translation of 1 to {MOST_WRITTEN} tokens.")
    for step, row in enumerate(logits):
        if row.isnan().any() or row.isposinf().any():
            raise ValueError(f"the logits of step {step} hold NaN or +infinity; the model's output is damaged.")
        if not row.isfinite().any():
            raise ValueError(f"the logits of step {step} are all -infinity; at least one word must be possible.")
    return logits


def checked_ids(given: Any, name: str, count: int | None, vocabulary: int) -> list[int]:
    """Return the ids as whole numbers below ``vocabulary``: ``count`` of them, or, if None, any number but 0."""
    try:
        ids = torch.as_tensor(given).detach().cpu()
        whole = ids.dim() == 1 and len(ids) > 0 and not (ids.is_floating_point() or ids.is_complex())
    except (TypeError, ValueError, RuntimeError):
        whole = False
    if not whole:
        raise ValueError(f"{name} is {str(given)[:80]}; give the ids of one sentence, a list of whole numbers.")
    if count is not None and len(ids) != count:
        raise ValueError(f"{name} holds {len(ids)} id{'s' * (len(ids) > 1)}, but there must be {count}.")
    for each in ids.tolist():
        if not 0 <= each < vocabulary:
            raise ValueError(f"{name} holds {each}, but ids run from 0 to {vocabulary - 1}.")
    return [int(each) for each in ids]


def checked_attention(given: Any, targets: int, sources: int) -> np.ndarray:
    """Return the weights (target, source) of the only layer and head."""
    weights = checked_weights(given, name="attention", queries=targets, keys=sources)
    if weights.shape[:2] != (1, 1):
        layers, heads = weights.shape[:2]
        raise ValueError(
            f"attention has {layers} layer{'s' * (layers > 1)} of {heads} head{'s' * (heads > 1)}; choose one of each, "
            "or their mean, as (target, source)."
        )
    return weights[0, 0]


def name_of(tokens: Sequence[str] | Callable[[int], str], index: int) -> str:
    """Return the token of that id with every character visible."""
    name = tokens(index) if callable(tokens) else tokens[index]
    if not isinstance(name, str):
        raise ValueError(f"token {index} is {name!r}; tokens must be strings.")
    return visible(name)


def distances(encoder: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each word moved the encoder's state, and how far it then lay from the last one.

    ``encoder`` is (directions, source, hidden), so both are (directions, source). A reader starts from zeros; the
    second direction, if any, reads from the end.
    """
    read = encoder.clone()  # each direction in the order in which it reads
    read[1:] = read[1:].flip(1)
    moved = torch.diff(read, dim=1, prepend=torch.zeros_like(read[:, :1])).norm(dim=2)
    away = (read - read[:, -1:]).norm(dim=2)
    for each in (moved, away):
        each[1:] = each[1:].flip(1)
    return moved, away


def notes(encoder: Tensor, first: Tensor, *, attends: bool, forced: bool, reference: str | None) -> dict[str, Any]:
    """Return the lines of text that do not change from step to step; ``encoder`` is (directions, source, hidden)."""
    layers, hidden = first.shape
    size = f"{layers} × {hidden}" if layers > 1 else f"{hidden}"
    shown = (
        f"{CELLS} of its {count} numbers, evenly spaced" if count > CELLS else f"its {count} numbers"
        for count in (encoder.size(2), hidden)
    )
    also = ", but for the states of the words: it may look back at each" * attends
    return {
        "encoder": "Encoder: a state after each word" + " (upper strip →, lower ←)" * (len(encoder) > 1),
        "decoder": "Decoder: reads (above), writes (below)",
        "shown": [f"This state: {each}. Point at one, or walk with the arrow keys." for each in shown],
        "handed": f"The sentence is read. The decoder starts from this vector of {size} numbers: everything it will "
        f"know of the sentence{also}.",
        "moved": "How far the word moved the state",
        "away": "How far this state is from the last one",
        "looks": "How much the decoder looks at each word",
        "key": " 1: a number of a state"
        + "; strips: the top layer" * (layers > 1)
        + "; ≠: not its own last word" * forced,
        "reference": "" if reference is None else f"Reference: {shortened(visible(reference, spaces=False), 400)}",
        "source": ["step", "source word", "moved the state by", "distance from the last state"],
        "target": ["step", "reads", "most probable next words", "writes", "probability", "moved the state by"],
    }


def cells(states: Tensor) -> np.ndarray:
    """Return at most ``CELLS`` evenly spaced numbers of each state as uint8: 0 is −1, 127 is 0, 254 is 1."""
    count = min(CELLS, states.size(-1))
    shown = states[..., torch.arange(count) * states.size(-1) // count]
    return (127 + 127 * shown.clamp(-1, 1)).round().to(torch.uint8).numpy()


def _numbers(given: Any, name: str, shape: str) -> Tensor:
    try:
        return torch.as_tensor(given).detach().to("cpu", torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be numbers of shape {shape}: {error}.") from None


def _bounded(states: Tensor, name: str) -> Tensor:
    if not states.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity; the model's output is damaged.")
    if (largest := states.abs().max()) > _BOUND:
        raise ValueError(
            f"{name} holds a number of size {largest:.3g}; the states of a GRU lie between -1 and 1, so divide others "
            "by their largest."
        )
    return states
