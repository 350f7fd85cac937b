"""The Transformer (slide 6; Vaswani et al. 2017), written once: encoder, decoder, and the two together."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from utils.attention import KeysValues, causal_mask
from utils.nested import select_rows
from utils.seq2seq import check_forward
from utils.transformer_layers import Embedding, TransformerConfig, TransformerLayer


class TransformerEncoder(nn.Module):
    """Read a text in both directions: one vector per token, each of which has seen all the others (BERT)."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.embedding = Embedding(config)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.hidden_size, config.norm_epsilon) if config.norm_first else nn.Identity()

    def forward(
        self,
        ids: Tensor,
        mask: Tensor | None = None,
        segments: Tensor | None = None,
        *,
        return_layers: bool = False,
        return_attention: bool = False,
    ) -> Tensor | tuple:
        """Encode ``ids`` (batch, source); ``mask`` of the same shape is True at real tokens, on either side.

        Returns the states (batch, source, hidden); with ``return_layers`` also a tuple of what each layer gave, the
        embeddings first; with ``return_attention`` also a tuple of each layer's weights (batch, heads, source, source).
        """
        states = self.embedding(ids, mask, segments)
        where = None if mask is None else mask[:, None, None]  # (batch, 1, 1, source): for every head and query
        layers, attentions = [states], []
        for layer in self.layers:
            states, _, (weights, _) = layer(states, where, return_attention=return_attention)
            layers.append(states)
            attentions.append(weights)
        extras = [tuple(layers)] * return_layers + [tuple(attentions)] * return_attention
        return (self.norm(states), *extras) if extras else self.norm(states)


class DecoderState(NamedTuple):
    """What a decoder carries from step to step, so that no token is read twice (the key–value cache)."""

    past: tuple[KeysValues, ...] = ()  # per layer, of every token read so far; empty at the start
    mask: Tensor | None = None  # (batch, read so far), True at real tokens; None if all are
    source: tuple[KeysValues, ...] = ()  # per layer, of the source; empty for a language model
    source_mask: Tensor | None = None  # (batch, source)


class DecoderAttention(NamedTuple):
    """Where a decoder looked, layer by layer."""

    own: tuple[Tensor, ...]  # (batch, heads, target, read so far + target)
    source: tuple[Tensor, ...]  # (batch, heads, target, source); empty for a language model


class TransformerDecoder(nn.Module):
    """Predict the next token from those before it (GPT) and, with ``cross_attention``, from a source."""

    def __init__(self, config: TransformerConfig, *, cross_attention: bool = False):
        super().__init__()
        self.config = config
        self.embedding = Embedding(config)
        self.layers = nn.ModuleList(
            TransformerLayer(config, cross_attention=cross_attention) for _ in range(config.num_layers)
        )
        self.norm = nn.LayerNorm(config.hidden_size, config.norm_epsilon) if config.norm_first else nn.Identity()
        self.out = nn.Linear(config.hidden_size, config.vocabulary_size, bias=False)
        if config.tied:
            self.out.weight = self.embedding.token.weight

    def start(self, source: Tensor, source_mask: Tensor | None = None) -> DecoderState:
        """Return the state that looks at an encoder's ``source`` (batch, source, hidden) and has read nothing yet."""
        keys_values = tuple(layer.cross_attention.look_at(source) for layer in self.layers)
        return DecoderState(source=keys_values, source_mask=source_mask)

    def read(
        self, ids: Tensor, state: DecoderState | None = None, mask: Tensor | None = None, return_attention: bool = False
    ) -> tuple[Tensor, DecoderState, DecoderAttention]:
        """Read ``ids`` (batch, target) after ``state``; return its states, the new state, the attention."""
        state = state or DecoderState()
        if hasattr(self.layers[0], "cross_attention") and not state.source:
            raise ValueError("this decoder looks at a source: give it the state that the model's encode returns.")
        read = state.past[0].key.size(2) if state.past else 0
        mask = _all_read(state.mask, mask, ids, read)
        states = self.embedding(ids, mask, read=read)
        where = _visible(ids, mask, read)
        source_where = None if state.source_mask is None else state.source_mask[:, None, None]
        past, attentions = [], []
        for number, layer in enumerate(self.layers):
            states, keys_values, weights = layer(
                states,
                where,
                state.past[number] if read else None,
                state.source[number] if state.source else None,
                source_where,
                return_attention,
            )
            past.append(keys_values)
            attentions.append(weights)
        own, source = zip(*attentions, strict=True)
        attention = DecoderAttention(own, source if state.source else ())
        return self.norm(states), state._replace(past=tuple(past), mask=mask), attention

    def forward(
        self, ids: Tensor, state: DecoderState | None = None, mask: Tensor | None = None, return_attention: bool = False
    ) -> tuple:
        """Read ``ids`` (batch, target) after ``state``; return ``logits`` (batch, target, vocabulary) and a new state.

        Row j scores what follows token j. ``mask`` (batch, target) is True at real tokens, on either side; None: all
        are. With ``return_attention`` also a ``DecoderAttention``.
        """
        states, state, attention = self.read(ids, state, mask, return_attention)
        logits = self.out(states)
        return (logits, state, attention) if return_attention else (logits, state)

    def select_state(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """Return the state of the chosen ``rows`` of the batch, in that order, as beam search needs it."""
        return select_rows(state, rows)


class Transformer(nn.Module):
    """Translate: an encoder reads the source, a decoder writes and looks back at it in every layer (figure 1)."""

    def __init__(self, encoder: TransformerEncoder, decoder: TransformerDecoder):
        super().__init__()
        if encoder.config.hidden_size != decoder.config.hidden_size:
            raise ValueError(
                f"the encoder's vectors have {encoder.config.hidden_size} numbers and the decoder's "
                f"{decoder.config.hidden_size}; give both one hidden size."
            )
        if not hasattr(decoder.layers[0], "cross_attention"):
            raise ValueError("this decoder cannot look at a source; build it with cross_attention=True.")
        self.encoder, self.decoder = encoder, decoder

    def encode(self, source: Tensor, source_mask: Tensor | None = None) -> DecoderState:
        """Read ``source`` (batch, source), ``source_mask`` True at real tokens; return what the decoder looks at."""
        return self.decoder.start(self.encoder(source, source_mask), source_mask)

    def forward(
        self, source: Tensor, source_mask: Tensor | None, target: Tensor, return_attention: bool = False
    ) -> Tensor | tuple:
        """Return ``logits`` (batch, target, vocabulary), the scores of what follows each token of ``target``.

        ``source`` is (batch, source), ``source_mask`` of the same shape and True at real tokens, ``target`` (batch,
        target) begins with the start token and is padded on the right, if at all. All steps run in one call. With
        ``return_attention`` also the decoder's ``DecoderAttention``.
        """
        check_forward(source, target)
        logits, _, *attention = self.decoder(
            target, self.encode(source, source_mask), return_attention=return_attention
        )
        return (logits, *attention) if return_attention else logits


def _all_read(before: Tensor | None, mask: Tensor | None, ids: Tensor, read: int) -> Tensor | None:
    """Return the mask of what was read and what is new together, (batch, read + target); None if all is real."""
    if before is None and mask is None:
        return None
    before = ids.new_ones((*ids.shape[:-1], read), dtype=torch.bool) if before is None else before
    return torch.cat([before, torch.ones_like(ids, dtype=torch.bool) if mask is None else mask], dim=-1)


def _visible(ids: Tensor, mask: Tensor | None, read: int) -> Tensor | None:
    """Return who may look at whom, (1 or batch, 1, target, read + target): no token at what follows or at padding."""
    target = ids.size(1)
    if mask is None and target == 1:
        return None
    causal = causal_mask(target, read, ids.device)
    if mask is None:
        return causal[None, None]
    # Padding may look at itself: a row that may look nowhere has no softmax, and what it gives no token will see.
    return (causal & (mask[:, None] | causal.triu(read)))[:, None]
