"""GRU encoders and decoders (slides 2 to 5), alone and joined, batched, with masks that reach every step."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from utils.attention import AdditiveScore, attention
from utils.seq2seq import check_forward


class EncoderRNN(nn.Module):
    """Read a sentence with a GRU: one vector per token, and one for the whole (the GRU of Cho et al. 2014, 2.3)."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bidirectional: bool = False):
        super().__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Encode ``ids`` (batch, source); ``mask`` of the same shape is True at real tokens, which come first.

        Returns ``outputs`` (batch, source, directions × hidden), zero after each sentence's end, and ``state``
        (layers × directions, batch, hidden), taken after each sentence's own last token. An empty sentence is read as
        one padding token.
        """
        embedded = self.embedding(ids)  # (batch, source, hidden)
        if mask is None:
            return self.gru(embedded)
        lengths = mask.sum(dim=1).clamp(min=1).cpu()
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        outputs, state = self.gru(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=ids.size(1))
        return outputs, state


class DecoderRNN(nn.Module):
    """Predict the next token from the tokens so far: a GRU language model, conditioned through its first state."""

    def __init__(self, hidden_size: int, output_size: int, num_layers: int = 1, dropout: float = 0.0):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, num_layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read ``ids`` (batch, target) from ``state`` (layers, batch, hidden), zeros if None.

        Returns ``logits`` (batch, target, vocabulary), the scores of what follows each token, and the new state. One
        call reads one token or a thousand: in training all target steps run at once, in generation one at a time.
        """
        embedded = self.dropout(self.embedding(ids))  # (batch, target, hidden)
        outputs, state = self.gru(embedded, state)
        return self.out(self.dropout(outputs)), state

    def select_state(self, state: Tensor, rows: Tensor) -> Tensor:
        """Return the state of the chosen ``rows`` of the batch, in that order, as beam search needs it."""
        return state.index_select(1, rows)


class Bridge(nn.Module):
    """Turn an encoder's final state into a decoder's first.

    A one-way encoder's state is handed over as it is. One that reads both ways has two, joined and mapped to the
    decoder's size by tanh(W s + b); Bahdanau et al. 2015 (appendix A.2.2) take the backward one alone. Raises
    ``ValueError`` if the numbers of layers differ, or the sizes where nothing maps them.
    """

    def __init__(self, encoder: nn.GRU, decoder: nn.GRU):
        super().__init__()
        if encoder.num_layers != decoder.num_layers:
            raise ValueError(
                f"the encoder has {encoder.num_layers} layers and the decoder {decoder.num_layers}; "
                "a state can be handed over only if both have as many."
            )
        if not encoder.bidirectional and encoder.hidden_size != decoder.hidden_size:
            raise ValueError(
                f"the encoder's state has {encoder.hidden_size} numbers and the decoder's {decoder.hidden_size}; "
                "make the hidden sizes equal, or the encoder bidirectional."
            )
        self.map = nn.Linear(2 * encoder.hidden_size, decoder.hidden_size) if encoder.bidirectional else None

    def forward(self, state: Tensor) -> Tensor:
        """Take ``state`` (layers × directions, batch, hidden); return (layers, batch, the decoder's hidden)."""
        if self.map is None:
            return state
        joined = torch.cat([state[0::2], state[1::2]], dim=-1)  # forward and backward: (layers, batch, 2 × hidden)
        return torch.tanh(self.map(joined))


class EncoderDecoder(nn.Module):
    """Translate through one vector: the decoder starts from the encoder's final state (slide 4; Cho et al. 2014)."""

    def __init__(self, encoder: EncoderRNN, decoder: nn.Module):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.bridge = Bridge(encoder.gru, decoder.gru)

    def encode(self, source: Tensor, source_mask: Tensor | None = None) -> Tensor:
        """Read ``source`` (batch, source); return what the decoder starts from, (layers, batch, hidden)."""
        _, state = self.encoder(source, source_mask)
        return self.bridge(state)

    def forward(
        self, source: Tensor, source_mask: Tensor | None, target: Tensor, teacher_forcing_ratio: float = 1.0
    ) -> Tensor:
        """Return ``logits`` (batch, target, vocabulary), the scores of what follows each token of ``target``.

        ``source`` is (batch, source), ``source_mask`` of the same shape and True at real tokens, ``target`` (batch,
        target) begins with the start token. At ratio 1 the decoder reads the true target, all steps in one call. Below,
        it goes step by step: each sentence at each step reads the true token with this probability, otherwise the
        one that the model itself finds most probable (Bengio et al. 2015, section 2.4). The draws come from PyTorch's
        CPU generator, alike on every device.
        """
        check_forward(source, target, teacher_forcing_ratio)
        state = self.encode(source, source_mask)
        if teacher_forcing_ratio == 1:
            return self.decoder(target, state)[0]
        own, steps = target[:, :1], []
        for truth in target.split(1, dim=1):
            forced = torch.rand(truth.shape).to(truth.device) < teacher_forcing_ratio
            logits, state = self.decoder(torch.where(forced, truth, own), state)
            own = logits.argmax(dim=-1)
            steps.append(logits)
        return torch.cat(steps, dim=1)


class AttentionState(NamedTuple):
    """What an attention decoder carries from step to step: its GRU's state, and the whole source to look back at."""

    hidden: Tensor  # (layers, batch, hidden)
    outputs: Tensor  # (batch, source, key size): the encoder's vectors, one per token
    mask: Tensor | None  # (batch, source), True at real tokens


class AttentionDecoderRNN(DecoderRNN):
    """Predict the next token from the tokens so far and from the source, looked at anew for each (slide 5).

    The order is Luong et al. 2015's (section 3): GRU → attention → tanh(W [context; state]) → vocabulary. As the GRU
    does not wait for the context, all target steps run in one call. ``key_size`` is the size of the encoder's outputs
    (None: the hidden size), ``score`` a class of ``utils.attention`` or another that is built alike.
    """

    def __init__(
        self,
        hidden_size: int,
        output_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        *,
        key_size: int | None = None,
        score: Callable[[int, int], nn.Module] = AdditiveScore,
    ):
        super().__init__(hidden_size, output_size, num_layers, dropout)
        self.key_size = hidden_size if key_size is None else key_size
        self.score = score(hidden_size, self.key_size)
        self.combine = nn.Linear(self.key_size + hidden_size, hidden_size, bias=False)

    def forward(self, ids: Tensor, state: AttentionState, return_attention: bool = False) -> tuple:
        """Read ``ids`` (batch, target) from ``state``; return ``logits`` (batch, target, vocabulary) and the new state.

        With ``return_attention`` also the ``weights`` (batch, target, source): row j is where the decoder looked after
        reading token j, to produce the one that follows.
        """
        if state is None:
            raise ValueError("this decoder looks back at a source: give it the state that the model's encode returns.")
        embedded = self.dropout(self.embedding(ids))  # (batch, target, hidden)
        states, hidden = self.gru(embedded, state.hidden)
        mask = None if state.mask is None else state.mask[:, None]  # (batch, 1, source): the same for every step
        context, weights = attention(states, state.outputs, state.outputs, mask, self.score)
        combined = torch.tanh(self.combine(torch.cat([context, states], dim=-1)))  # (batch, target, hidden)
        logits, state = self.out(self.dropout(combined)), state._replace(hidden=hidden)
        return (logits, state, weights) if return_attention else (logits, state)

    def select_state(self, state: AttentionState, rows: Tensor) -> AttentionState:
        """Return the state of the chosen ``rows`` of the batch, in that order, as beam search needs it."""
        mask = None if state.mask is None else state.mask.index_select(0, rows)
        return AttentionState(state.hidden.index_select(1, rows), state.outputs.index_select(0, rows), mask)


class AttentionEncoderDecoder(EncoderDecoder):
    """Translate with attention: the decoder gets all the encoder's outputs, not its final state alone."""

    def __init__(self, encoder: EncoderRNN, decoder: AttentionDecoderRNN):
        super().__init__(encoder, decoder)
        width = encoder.gru.hidden_size * (2 if encoder.gru.bidirectional else 1)
        if decoder.key_size != width:
            raise ValueError(
                f"the encoder's outputs have {width} numbers and the decoder looks at vectors of {decoder.key_size}; "
                f"build the decoder with key_size={width}."
            )

    def encode(self, source: Tensor, source_mask: Tensor | None = None) -> AttentionState:
        """Read ``source`` (batch, source); return what the decoder starts from and looks back at."""
        outputs, state = self.encoder(source, source_mask)
        return AttentionState(self.bridge(state), outputs, source_mask)
