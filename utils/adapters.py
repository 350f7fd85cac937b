"""Models from elsewhere behind the course's decoder interface, so that every search and view works on them too."""

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from utils.attention import KeysValues
from utils.nested import select_rows
from utils.transformer import DecoderState
from utils.transformer_layers import token_positions


class CausalLM(nn.Module):
    """A causal language model of ``transformers``, whatever its layout, to be called as the course's own decoders are.

    The state is the course's ``DecoderState``: keys and values of every layer, and the mask of what was read. It is a
    value: reading on makes a new one and leaves the old as it was, though ``transformers``' own cache changes in place.
    ``ValueError`` for a model with an encoder.
    """

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        if model.config.is_encoder_decoder:
            raise ValueError(f"{type(model).__name__} has an encoder too; give a decoder alone, as GPT-2 is.")
        self.model = model
        self.eval()

    def forward(
        self, ids: Tensor, state: DecoderState | None = None, mask: Tensor | None = None, last_only: bool = False
    ) -> tuple[Tensor, DecoderState]:
        """Read ``ids`` (batch, new) after ``state``; return ``logits`` (batch, new, vocabulary) and the new state.

        ``mask`` (batch, new) is True at real tokens; None: all are. With ``last_only`` the logits are (batch, 1,
        vocabulary), of what follows the last token, which saves much of the work and memory of a long prompt. Logits
        are 32-bit whatever the weights are.
        """
        mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
        read, cache = 0, DynamicCache()
        if state is not None:
            read, mask = state.mask.size(1), torch.cat([state.mask, mask], dim=1)
            for number, layer in enumerate(state.past):
                cache.update(layer.key, layer.value, number)
        output = self.model(
            input_ids=ids,
            attention_mask=mask.long(),
            position_ids=token_positions(ids, mask, read),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=int(last_only),  # 0 keeps all
        )
        past = tuple(KeysValues(layer.keys, layer.values) for layer in output.past_key_values.layers)
        return output.logits.float(), DecoderState(past, mask)

    def select_state(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """Return the state of the chosen ``rows`` of the batch, in that order, as beam search needs it."""
        return select_rows(state, rows)
