"""Beam search: follow the most probable unfinished texts side by side, and keep the best finished ones.

Each step reads one token of every live hypothesis of every sentence in one call of the model. Which of them go on, and
from whose state, is told to the model by ``select_state`` alone, so that a GRU's state, an attention decoder's or a
key–value cache are all carried along, and no token is read twice.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from utils.decoding import Decodable, Generation, check_prompt, end_tokens, next_log_probabilities
from utils.device import evaluating

MOST_PENALTY = 10  # far more than anybody needs: 1 is the mean per token


@dataclass(eq=False, slots=True)
class Node:
    """One continuation that a search looked at: the token that ``parent``'s text was continued by, and its fate.

    The fates: *kept* (it went on), *pruned* (better ones took its place), *finished* (it ended with the end token),
    *unfinished* (still alive at the limit), *abandoned* (alive when the search stopped, as it could win no more).
    """

    parent: "Node | None" = field(repr=False)  # None for the prompt, from which every text starts
    token: int
    log_probability: float  # of this token, given all before it
    total: float  # of the whole text: the sum along the path
    length: int  # new tokens up to this one, which is also the step at which it was looked at
    fate: str = "pruned"

    @property
    def ids(self) -> tuple[int, ...]:
        """Return the new tokens from the prompt to this one."""
        return () if self.parent is None else (*self.parent.ids, self.token)


@dataclass(frozen=True)
class Hypothesis:
    """One text that a search found: its new tokens, the end token among them if it is ``finished``."""

    ids: tuple[int, ...]
    log_probability: float
    score: float  # what the search ranks by: see ``normalised_score``
    finished: bool


@dataclass(frozen=True)
class BeamGeneration(Generation):
    """What ``beam_search`` found: the best text of each sentence as ``generate`` gives it, and the others.

    ``ids`` is (batch, prompt + new), ``scores`` (batch,) the log-probability of the new tokens. ``hypotheses`` holds
    for each sentence at most ``width`` texts, the best first. ``trees`` holds, with ``trace=True``, every ``Node`` that
    the search of a sentence looked at, step by step, each step's most probable first; otherwise it is empty.
    """

    hypotheses: tuple[tuple[Hypothesis, ...], ...]
    trees: tuple[tuple[Node, ...], ...] = ()


def normalised_score(log_probability: float, length: int, length_penalty: float) -> float:
    """Return ``log_probability`` / ``length`` ** ``length_penalty``, by which texts of different lengths are compared.

    Every further token makes a text less probable, so that the plain log-probability (penalty 0) favours short texts; 1
    is the mean per token. This is the power of the length in Wu et al. 2016, section 7, before their eq. 14 refines it:
    ``transformers`` ranks by it too, and what it means at 0 and 1 is plain. The end token counts.
    """
    return log_probability / max(length, 1) ** length_penalty


@torch.no_grad()
def beam_search(
    model: Decodable,
    ids: Tensor,
    state: Any = None,
    *,
    width: int = 4,
    max_new_tokens: int,
    end_id: int | Iterable[int] | None = None,
    length_penalty: float = 0.0,
    mask: Tensor | None = None,
    trace: bool = False,
) -> BeamGeneration:
    """Continue each row of ``ids`` (batch, prompt) by the best text that a beam of ``width`` finds.

    Each step takes, for each sentence, the 2 · ``width`` most probable continuations of its live hypotheses (with more
    than one end token, one more ``width`` for each). Those that end are finished if they are among the best ``width``;
    of the rest the best ``width`` live on. A sentence stops when nothing alive can displace the worst of its ``width``
    best finished hypotheses, and then takes no more of the model's time. At ``max_new_tokens`` what lives is ranked
    with what is finished, by ``normalised_score``; equal ones keep the order in which they were found. ``width=1``
    without a length penalty is greedy search.

    Prompt, mask, state, ``end_id`` and training mode are treated as by ``generate``. Raises ``ValueError`` if the
    numbers are out of range or the model's logits hold NaN.
    """
    check_prompt(model, ids, mask)
    check_beam_settings(width, max_new_tokens, length_penalty)
    ends = end_tokens(end_id)
    searches = [_Search(width, max_new_tokens, ends, length_penalty, trace) for _ in ids]
    active, new = searches, ids
    with evaluating(model):
        for _ in range(max_new_tokens):
            # (live rows of all sentences, vocabulary)
            log_probabilities, state = next_log_probabilities(model, new, state, mask, ends)
            mask = None  # what the search adds is real
            if log_probabilities.isnan().any():
                raise ValueError("the model's logits hold NaN, so nothing can be ranked; check its weights.")
            # However the sentence's best continuations are spread, no hypothesis contributes more than these.
            most = min(_considered(width, ends), log_probabilities.size(-1))
            values, tokens = (best.tolist() for best in log_probabilities.topk(most))
            rows, start = [], 0
            for search in active:
                stop = start + len(search.live)
                rows += [start + place for place in search.extend(values[start:stop], tokens[start:stop])]
                start = stop
            active = [search for search in active if search.live]
            if not active:
                break
            state = model.select_state(state, torch.tensor(rows, device=ids.device))
            new = torch.tensor([[node.token] for search in active for node in search.live], device=ids.device)
    return _collected(ids, searches, ends)


def check_beam_settings(width: int, max_new_tokens: int, length_penalty: float) -> None:
    """Raise ``ValueError``, saying what to do, unless one can search with these settings."""
    if width < 1:
        raise ValueError(f"width must be at least 1, not {width}; 1 follows a single text, as greedy search does.")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must be at least 0, not {max_new_tokens}; it is the longest text allowed.")
    if not 0 <= length_penalty <= MOST_PENALTY:
        raise ValueError(
            f"length_penalty must lie from 0 to {MOST_PENALTY}, not {length_penalty}; 0 ranks by the plain "
            "log-probability, 1 by its mean per token."
        )


class _Search:
    """The beam of one sentence."""

    def __init__(self, width: int, longest: int, ends: tuple[int, ...], length_penalty: float, trace: bool):
        self.width, self.longest, self.ends, self.length_penalty = width, longest, ends, length_penalty
        root = Node(None, -1, 0.0, 0.0, 0, "kept")
        self.live = [root]  # the most probable first
        self.ended = [] if longest else [root]  # the ``width`` best, the best first
        self.tree: list[Node] | None = [] if trace else None

    def extend(self, values: list[list[float]], tokens: list[list[int]]) -> list[int]:
        """Go one step on, given the best next tokens of each live hypothesis and their log-probabilities.

        Returns for each hypothesis that lives now the place of its parent among those that lived before.
        """
        places = {parent: place for place, parent in enumerate(self.live)}
        candidates = [
            Node(parent, token, value, parent.total + value, parent.length + 1)
            for parent, place in places.items()
            for value, token in zip(values[place], tokens[place], strict=True)
            if value > -math.inf  # the model may forbid tokens
        ]
        candidates.sort(key=lambda node: (-node.total, places[node.parent], node.token))
        considered = _considered(self.width, self.ends)
        best, rest = candidates[:considered], candidates[considered:]
        self.live = []
        for rank, node in enumerate(best):
            if node.token in self.ends:
                if rank < self.width:
                    node.fate = "finished"
                    self.ended.append(node)
            elif len(self.live) < self.width:
                node.fate = "kept"
                self.live.append(node)
        if self.tree is not None:
            self.tree += best
            # So that each hypothesis shows how it would have gone on, also one of which no continuation came so far.
            missing = [parent for parent in places if all(node.parent is not parent for node in best)]
            self.tree += [next(node for node in rest if node.parent is parent) for parent in missing]
        self._close()
        return [places[node.parent] for node in self.live]

    def _close(self) -> None:
        """Rank what has ended, and end the search if it is over."""
        at_the_limit = bool(self.live) and self.live[0].length == self.longest
        self.ended += self.live if at_the_limit else []
        self.ended = sorted(self.ended, key=self.score, reverse=True)[: self.width]
        if at_the_limit or self._settled():
            for node in self.live:
                node.fate = "unfinished" if at_the_limit else "abandoned"
            self.live = []

    def _settled(self) -> bool:
        """Return whether nothing that lives can still displace one of the ``width`` best that have ended.

        A text that goes on from a live hypothesis of log-probability L <= 0 has at most L itself, as each token adds
        at most log 1 = 0, and at most ``longest`` tokens. So its score is at most L / longest ** length_penalty: a
        negative number comes nearest to 0 when it is divided by most. An equal score displaces nothing found before.
        """
        if not self.live or len(self.ended) < self.width:
            return not self.live
        bound = normalised_score(self.live[0].total, self.longest, self.length_penalty)
        return self.score(self.ended[-1]) >= bound

    def score(self, node: Node) -> float:
        return normalised_score(node.total, node.length, self.length_penalty)

    def hypotheses(self) -> tuple[Hypothesis, ...]:
        return tuple(Hypothesis(node.ids, node.total, self.score(node), node.fate == "finished") for node in self.ended)


def _considered(width: int, ends: tuple[int, ...]) -> int:
    """Return how many continuations a step considers: ``width`` are left even if every hypothesis ends in every way."""
    return (1 + max(1, len(ends))) * width


def _collected(ids: Tensor, searches: list[_Search], ends: tuple[int, ...]) -> BeamGeneration:
    hypotheses = tuple(search.hypotheses() for search in searches)
    best = [found[0] for found in hypotheses]
    longest = max((len(each.ids) for each in best), default=0)
    filled = [[*each.ids, *ends[:1] * (longest - len(each.ids))] for each in best]
    new = torch.tensor(filled, dtype=ids.dtype, device=ids.device).reshape(len(best), longest)
    scores = torch.tensor([each.log_probability for each in best], device=ids.device)
    trees = tuple(tuple(search.tree) for search in searches if search.tree is not None)
    return BeamGeneration(torch.cat([ids, new], dim=1), scores, hypotheses, trees)
