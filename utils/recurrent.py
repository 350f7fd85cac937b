"""GRU encoder and decoder (slides 2 and 3), batched, with masks that reach every step."""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


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
