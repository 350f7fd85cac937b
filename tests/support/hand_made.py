"""Models made by hand, whose every probability is known, and a small one with random weights."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from utils.recurrent import DecoderRNN

END = 0


class Scripted:
    """What follows depends on every token since the prompt, and only the state knows them.

    ``after`` holds for a history (what was chosen since the prompt) the probabilities of all tokens; after any other
    history the end, token 0, is certain. ``read`` counts the (rows, tokens) of every call.
    """

    after: ClassVar[dict[tuple[int, ...], list[float]]]

    def __init__(self) -> None:
        self.read: list[tuple[int, int]] = []

    def __call__(self, ids: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """The state is (1, batch, steps): what was chosen, in order."""
        self.read.append((ids.size(0), ids.size(1)))
        state = ids.new_empty(1, ids.size(0), 0) if state is None else torch.cat([state, ids[None]], dim=2)
        certain = [1.0] + [0.0] * (len(self.after[()]) - 1)
        rows = [self.after.get(tuple(history), certain) for history in state[0].tolist()]
        return torch.tensor(rows).log()[:, None].expand(-1, ids.size(1), -1), state

    def select_state(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[:, rows]


class Bound(Scripted):
    """Greedy search is drawn to token 1 and its weak continuations; the best text begins with token 2."""

    after: ClassVar = {
        (): [0.0, 0.55, 0.45, 0.0, 0.0],
        (1,): [0.0, 0.0, 0.0, 0.5, 0.5],
        (2,): [0.0, 0.0, 0.0, 1.0, 0.0],
        (1, 3): [0.4, 0.2, 0.2, 0.2, 0.0],
        (1, 4): [0.3, 0.3, 0.2, 0.2, 0.0],
        (2, 3): [0.9, 0.1, 0.0, 0.0, 0.0],
    }


class ShortOrLong(Scripted):
    """One token and the end has probability 0.4; four tokens and the end have 0.6 · 0.7 · 0.8 · 0.9 = 0.3."""

    after: ClassVar = {
        (): [0.0, 0.6, 0.4],
        (1,): [0.0, 0.3, 0.7],
        (1, 2): [0.2, 0.8, 0.0],
        (1, 2, 1): [0.1, 0.0, 0.9],
    }


def small_decoder(vocabulary: int = 11, dropout: float = 0.0, seed: int = 3) -> DecoderRNN:
    torch.manual_seed(seed)
    decoder = DecoderRNN(8, vocabulary, dropout=dropout)
    nn.init.normal_(decoder.out.weight, std=3.0)  # decided opinions, so that texts differ
    return decoder.eval()
