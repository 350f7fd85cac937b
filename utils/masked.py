"""Masked language modelling (slide 7; Devlin et al. 2019, section 3.1): hide tokens, guess them from both sides."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from utils.transformer import TransformerEncoder
from utils.transformer_layers import ACTIVATIONS, TransformerConfig


class Masked(NamedTuple):
    """A batch made into a riddle."""

    ids: Tensor  # (batch, length): what the model reads
    chosen: Tensor  # (batch, length), True where it is asked what stood there
    answers: Tensor  # (chosen,): what stood there, row by row


def mask_tokens(
    ids: Tensor,
    maskable: Tensor,
    *,
    mask_id: int,
    vocabulary_size: int,
    share: float = 0.15,
    generator: torch.Generator | None = None,
) -> Masked:
    """Choose a ``share`` of the ``maskable`` tokens of ``ids`` (batch, length) and hide most of them.

    Of the chosen, 80 % become ``mask_id``, 10 % a token drawn at random and 10 % stay, so that the model can trust no
    token, not even one that it sees. ``maskable`` (batch, length) is False at padding and special tokens. The draws
    come from ``generator``, on the CPU, alike on every device. Where nothing was drawn, the first maskable token is
    chosen, so that every batch asks something.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must lie above 0 and at most at 1, not {share}.")
    if not maskable.any():
        raise ValueError("no token may be masked; maskable must be True at least once.")
    draw, kind = (torch.rand(ids.shape, generator=generator).to(ids.device) for _ in range(2))
    chosen = (draw < share) & maskable
    if not chosen.any():
        chosen.view(-1)[maskable.flatten().int().argmax()] = True
    random_ids = torch.randint(vocabulary_size, ids.shape, generator=generator).to(ids.device)
    shown = ids.masked_fill(chosen & (kind < 0.8), mask_id)
    shown = torch.where(chosen & (kind >= 0.9), random_ids, shown)
    return Masked(shown, chosen, ids[chosen])


class MaskedLanguageModel(nn.Module):
    """An encoder that scores every token of the vocabulary for each position: BERT as it is pre-trained."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.encoder = TransformerEncoder(config)
        self.transform = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = ACTIVATIONS[config.activation]
        self.norm = nn.LayerNorm(config.hidden_size, config.norm_epsilon)
        self.out = nn.Linear(config.hidden_size, config.vocabulary_size)
        nn.init.zeros_(self.out.bias)
        if config.tied:
            self.out.weight = self.encoder.embedding.token.weight

    def forward(
        self, ids: Tensor, mask: Tensor | None = None, segments: Tensor | None = None, chosen: Tensor | None = None
    ) -> Tensor:
        """Return ``logits`` (batch, length, vocabulary) for ``ids``; with ``chosen`` those alone: (chosen, vocabulary).

        ``chosen`` (batch, length) is True where there is something to guess: to score the rest would be wasted.
        """
        states = self.encoder(ids, mask, segments)
        if chosen is not None:
            states = states[chosen]  # (chosen, hidden)
        return self.out(self.norm(self.activation(self.transform(states))))
