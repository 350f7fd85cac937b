"""The parts of a Transformer (slide 6; sections of Vaswani et al. 2017): settings, embedding, and the layer.

One kind of layer serves the encoder (BERT, slide 7), the decoder (GPT, slide 8) and the translator. What makes
one or the other of it is who may look at whom: all at all, all at what came before, or besides at a source.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.attention import KeysValues, MultiHeadAttention

ACTIVATIONS = {
    "relu": F.relu,  # Vaswani et al. 2017, eq. 2
    "gelu": F.gelu,  # Hendrycks & Gimpel 2016; BERT
    "gelu tanh": partial(F.gelu, approximate="tanh"),  # the same to three digits; GPT-2
}


@dataclass(frozen=True)
class TransformerConfig:
    """The settings of an encoder or a decoder. The defaults are small, and GPT-2's in kind."""

    vocabulary_size: int
    hidden_size: int = 128
    num_heads: int = 4
    num_layers: int = 2
    inner_size: int = 512  # of the feed-forward network
    max_length: int = 512  # the most positions it can tell apart
    dropout: float = 0.1  # on the embeddings and on what each sublayer adds (section 5.4)
    norm_first: bool = True  # layer normalisation before each sublayer (GPT-2), or after each sum (the paper, BERT)
    activation: Literal["relu", "gelu", "gelu tanh"] = "gelu"
    positions: Literal["learned", "sinusoidal", "none"] = "learned"
    scale_embeddings: bool = False  # multiply token vectors by √hidden size (section 3.4); small models learn faster so
    tied: bool = True  # a decoder scores the next token with its token embeddings (section 3.4)
    segments: int = 0  # how many kinds of segment have a vector of their own (BERT: 2)
    norm_embeddings: bool = False  # layer normalisation of the embeddings (BERT)
    norm_epsilon: float = 1e-5

    def __post_init__(self):
        if min(self.vocabulary_size, self.hidden_size, self.num_layers, self.inner_size, self.max_length) < 1:
            raise ValueError(f"every size of a Transformer must be at least 1; got {self}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie from 0 to below 1, not {self.dropout}.")
        for name, known in {"activation": tuple(ACTIVATIONS), "positions": ("learned", "sinusoidal", "none")}.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}.")


def sinusoidal_positions(length: int, size: int) -> Tensor:
    """Return a vector for each position, (length, size): sines and cosines of ever longer waves (section 3.5)."""
    position = torch.arange(length)[:, None]
    angle = position * 10_000 ** (-torch.arange(0, size, 2) / size)  # (length, size / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :size]


class Embedding(nn.Module):
    """Turn token ids into vectors that say which token, where, and (for BERT) in which of two segments."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config, size = config, config.hidden_size
        self.token = nn.Embedding(config.vocabulary_size, size)
        self.position = nn.Embedding(config.max_length, size) if config.positions == "learned" else None
        self.segment = nn.Embedding(config.segments, size) if config.segments else None
        self.norm = nn.LayerNorm(size, config.norm_epsilon) if config.norm_embeddings else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        for table in filter(None, (self.token, self.position, self.segment)):
            nn.init.normal_(table.weight, std=size**-0.5 if config.scale_embeddings else 0.02)
        if config.positions == "sinusoidal":
            self.register_buffer("waves", sinusoidal_positions(config.max_length, size), persistent=False)

    def forward(self, ids: Tensor, mask: Tensor | None = None, segments: Tensor | None = None, read: int = 0) -> Tensor:
        """Embed ``ids`` (batch, length), which follow ``read`` others, as (batch, length, hidden).

        ``mask`` (batch, read + length) is True at real tokens, also the earlier; ``segments`` has the shape of ``ids``.
        Raises ``ValueError`` where there is no vector for a position.
        """
        self.check(ids, mask, read)
        positions = token_positions(ids, mask, read)
        states = self.token(ids)
        if self.config.scale_embeddings:
            states = states * math.sqrt(self.config.hidden_size)
        if self.config.positions != "none":
            states = states + (self.position(positions) if self.position else self.waves[positions])
        if self.segment:
            states = states + self.segment(torch.zeros_like(ids) if segments is None else segments)
        return self.dropout(self.norm(states))

    def check(self, ids: Tensor, mask: Tensor | None = None, read: int = 0) -> None:
        """Raise ``ValueError``, saying what to do, unless there is a vector for every position."""
        if ids.dim() != 2:
            raise ValueError(
                f"ids must have shape (batch, length), not {tuple(ids.shape)}; one text is a batch of one."
            )
        longest, limit = read + ids.size(1), self.config.max_length
        if self.config.positions == "none" or longest <= limit:  # the usual case: no look at what is on the device
            return
        longest = longest if mask is None else int(token_positions(ids, mask, read).max()) + 1
        if longest > limit:
            raise ValueError(
                f"a text of {longest} tokens is too long for a model of {limit} positions; shorten it, or build the "
                "model with a larger max_length."
            )


class FeedForward(nn.Module):
    """Think about each position by itself: to a wider layer and back (section 3.3)."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.inner = nn.Linear(config.hidden_size, config.inner_size)
        self.output = nn.Linear(config.inner_size, config.hidden_size)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, states: Tensor) -> Tensor:
        """Map (batch, length, hidden) to the same shape."""
        return self.output(self.activation(self.inner(states)))


class Residual(nn.Module):
    """The way around a sublayer: what it gives is added to what came in; layer norm before it, or after."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.norm_first = config.norm_first
        self.norm = nn.LayerNorm(config.hidden_size, config.norm_epsilon)
        self.dropout = nn.Dropout(config.dropout)

    def enter(self, states: Tensor) -> Tensor:
        """Return what the sublayer reads."""
        return self.norm(states) if self.norm_first else states

    def leave(self, states: Tensor, update: Tensor) -> Tensor:
        """Return the sum of ``states``, which came in, and the sublayer's ``update``."""
        states = states + self.dropout(update)
        return states if self.norm_first else self.norm(states)


class TransformerLayer(nn.Module):
    """Attend to the text, then to the source if there is one, then think: each adds its part to the states (fig. 1)."""

    def __init__(self, config: TransformerConfig, *, cross_attention: bool = False):
        super().__init__()
        self.self_attention = MultiHeadAttention(config.hidden_size, config.num_heads)
        self.around_self_attention = Residual(config)
        if cross_attention:
            self.cross_attention = MultiHeadAttention(config.hidden_size, config.num_heads)
            self.around_cross_attention = Residual(config)
        self.feed_forward = FeedForward(config)
        self.around_feed_forward = Residual(config)

    def forward(
        self,
        states: Tensor,
        mask: Tensor | None = None,
        past: KeysValues | None = None,
        source: KeysValues | None = None,
        source_mask: Tensor | None = None,
        return_attention: bool = False,
    ) -> tuple[Tensor, KeysValues, tuple[Tensor | None, Tensor | None]]:
        """Take ``states`` (batch, length, hidden) a layer up; ``past`` is what came before them.

        The masks broadcast to (batch, heads, length, past + length) and (batch, heads, length, source). Returns the new
        states, the keys and values of past and text together, and the weights of self- and cross-attention.
        """
        entered = self.around_self_attention.enter(states)
        text = self.self_attention.look_at(entered)
        if past is not None:
            text = KeysValues(*(torch.cat(both, dim=2) for both in zip(past, text, strict=True)))
        update, weights = self.self_attention(entered, text, mask, return_attention)
        states = self.around_self_attention.leave(states, update)
        cross_weights = None
        if source is not None:
            entered = self.around_cross_attention.enter(states)
            update, cross_weights = self.cross_attention(entered, source, source_mask, return_attention)
            states = self.around_cross_attention.leave(states, update)
        update = self.feed_forward(self.around_feed_forward.enter(states))
        return self.around_feed_forward.leave(states, update), text, (weights, cross_weights)


def token_positions(ids: Tensor, mask: Tensor | None = None, read: int = 0) -> Tensor:
    """Return the position of each of ``ids`` (batch, length) among its text's real tokens, counted from 0.

    ``mask`` (batch, read + length) is True at real tokens, also of the ``read`` ones that came before; padding on the
    left moves nothing. Without it the answer is (1, length). Raises ``ValueError`` for a mask of another kind.
    """
    if mask is None:
        return torch.arange(read, read + ids.size(-1), device=ids.device)[None]
    shape = (*ids.shape[:-1], read + ids.size(-1))  # (batch, read + length); ids of another kind Embedding refuses
    if mask.dtype != torch.bool or mask.shape != shape:
        raise ValueError(
            f"mask must be boolean with one entry for each token, {shape}, not {mask.dtype} {tuple(mask.shape)}; "
            "an attention mask of 0s and 1s becomes one by .bool()."
        )
    return (mask.cumsum(dim=-1) - 1).clamp(min=0)[..., read:]
