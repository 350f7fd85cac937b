"""What torch says of a translation, all steps at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from utils.decoding import generate
from utils.recurrent import EncoderDecoder


@dataclass(frozen=True)
class Expected:
    """What torch says of one translation, computed all steps at once and not by the code that is tested."""

    encoder: Tensor  # (source, directions × hidden)
    first: Tensor  # (layers, hidden)
    decoder: Tensor  # (target, hidden)
    logits: Tensor  # (target, vocabulary)
    read: list[int]
    weights: Tensor | None  # (target, source)

    @property
    def written(self) -> list[int]:
        """The most probable word of each step."""
        return self.logits.argmax(dim=1).tolist()


@torch.no_grad()
def by_hand(
    model: EncoderDecoder, source: list[int], *, start: int, end: int, limit: int = 60, target: list[int] | None = None
) -> Expected:
    """Run the model as its own ``forward`` and ``generate`` do."""
    ids = torch.tensor([source])
    outputs, _ = model.encoder(ids)
    state = model.encode(ids)
    if target is None:
        written = generate(
            model.decoder, torch.tensor([[start]]), state, max_new_tokens=limit, end_id=end
        ).ids.tolist()[0]
        read = written[:-1]
    else:
        read = target[:-1] if target[-1] == end else target
    read_ids = torch.tensor([read])
    logits = model(ids, None, read_ids)
    first = state if isinstance(state, Tensor) else state.hidden
    states, _ = model.decoder.gru(model.decoder.embedding(read_ids), first)
    weights = None
    if not isinstance(state, Tensor):
        weights = model.decoder(read_ids, state, return_attention=True)[2][0]
    return Expected(outputs[0], first[:, 0], states[0], logits[0], read, weights)
