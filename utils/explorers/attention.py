"""The attention explorer: every layer and head of a model's attention, one of them large, token by token."""

from collections.abc import Collection, Sequence
from typing import Any, Self

import numpy as np
from torch import Tensor

from utils import plots
from utils.explorers.attention_parts import Attention, Tokens, checked_attention, checked_tokens
from utils.explorers.attention_picture import WIDTH, Chosen, picture
from utils.explorers.delivery import Explorer, check_size, pack, script
from utils.explorers.weights import EAGER, encoded

SPECIAL_TOKENS = frozenset(
    "[CLS] [SEP] [PAD] <s> </s> <pad> <bos> <eos> <|endoftext|> <|im_start|> <|im_end|> <|begin_of_text|>".split()
)
_COLOURS = {
    "encoder self-attention": plots.ENCODER,
    "causal self-attention": plots.DECODER,
    "decoder self-attention": plots.DECODER,
    "cross-attention": plots.ENCODER_DECODER,
}


class AttentionExplorer(Explorer):
    """Every head of every layer as a small map, and one of them as a heat map and as lines from token to token.

    ``attentions`` (an encoder's, or a decoder-only model's) goes with ``tokens``, ``decoder_attentions`` with
    ``target_tokens``, ``cross_attentions`` with both; give any of the three, as transformers' models return them or as
    ``checked_weights`` reads them. Layers and heads may be as many in each as they like. Attention that never looks
    ahead is recognised as causal.

    ``mask`` and ``target_mask``, (tokens,) or (batch, tokens), are True at real tokens; what they or causality forbid
    is hatched. ``example`` chooses from the batch, ``layers`` which layers to show. ``segments`` (such as
    ``token_type_ids``) says which sentence of a pair each of ``tokens`` belongs to. ``special_tokens`` are those that
    the reader can hide. The view starts at ``layer`` and ``head``, by default at the head of least mean entropy.

    Weights are stored to within 0.004. ``ValueError`` for anything that does not fit together, and for more than a
    notebook carries well.
    """

    def __init__(
        self,
        attentions: Any = None,
        tokens: Sequence[str] | None = None,
        *,
        decoder_attentions: Any = None,
        cross_attentions: Any = None,
        target_tokens: Sequence[str] | None = None,
        mask: Tensor | np.ndarray | Sequence[Any] | None = None,
        target_mask: Tensor | np.ndarray | Sequence[Any] | None = None,
        example: int = 0,
        special_tokens: Collection[str] = SPECIAL_TOKENS,
        segments: Tensor | Sequence[int] | None = None,
        layers: Sequence[int] | None = None,
        layer: int | None = None,
        head: int | None = None,
    ) -> None:
        sequences = {
            "tokens": checked_tokens("tokens", tokens, mask, segments, special_tokens, example),
            "target_tokens": checked_tokens("target_tokens", target_tokens, target_mask, None, special_tokens, example),
        }
        given = {
            "attentions": (attentions, "encoder self-attention", "tokens", "tokens"),
            "decoder_attentions": (decoder_attentions, "decoder self-attention", "target_tokens", "target_tokens"),
            "cross_attentions": (cross_attentions, "cross-attention", "target_tokens", "tokens"),
        }
        shown = []
        for name, (weights, kind, *between) in given.items():
            if weights is None:
                continue
            for which in between:
                if sequences[which] is None:
                    raise ValueError(f"{name} needs {which}: one string for each position that the model read.")
            queries, keys = (sequences[which] for which in between)
            shown.append(checked_attention(name, kind, weights, queries, keys, example=example, layers=layers))
        if not shown:
            raise ValueError(f"there are no attention weights to show; {EAGER}, and give its attentions and tokens.")
        # Weights take about 0.7 bytes each, rarely less than a quarter of that: far too many are refused unpacked.
        most = max(len(each.layers) for each in shown)
        check_size("explorer", 0.7 * sum(each.weights.size for each in shown), most, leeway=4)
        starts = [shown[0].sharpest(layer, head), *(each.sharpest() for each in shown[1:])]
        payload = pack(*_payload(shown, starts, [each for each in sequences.values() if each is not None]))
        still = _picture(shown[0], *starts[0])
        check_size("explorer", len(payload) + len(still) * 4 / 3 + len(script("attention").encode()), most)
        summary = "\n".join(each.sentences() for each in shown)
        layer, head = starts[0]
        super().__init__(
            "attention",
            payload=payload,
            picture=still,
            width=WIDTH,
            alt=f"Heat map of layer {shown[0].layers[layer]}, head {head}, beside small maps of all heads. {summary}",
            summary=summary,
        )

    @classmethod
    def from_output(
        cls, output: Any, tokens: Sequence[str], target_tokens: Sequence[str] | None = None, **options: Any
    ) -> Self:
        """Show all the attention weights in a transformers model's ``output``, an encoder–decoder's by its two tokens.

        ``options`` are those of the class. ``ValueError`` when the model gave no weights.
        """
        found = {
            "attentions": getattr(output, "encoder_attentions", None) or getattr(output, "attentions", None),
            "decoder_attentions": getattr(output, "decoder_attentions", None),
            "cross_attentions": getattr(output, "cross_attentions", None),
        }
        if not any(found.values()):
            raise ValueError(f"this output holds no attention weights; {EAGER}.")
        return cls(tokens=tokens, target_tokens=target_tokens, **found, **options)


def _payload(
    shown: Sequence[Attention], starts: Sequence[tuple[int, int]], sequences: Sequence[Tokens]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and arrays that attention.js reads."""
    header = {
        "sequences": [
            {
                "tokens": each.labels,
                "special": each.special.astype(int).tolist(),
                "padding": (~each.real).astype(int).tolist(),
                "segments": each.segments,
            }
            for each in sequences
        ],
        "attentions": [
            {
                "kind": each.kind,
                "colour": _COLOURS[each.kind],
                "layers": each.layers,
                "heads": each.weights.shape[1],
                "queries": sequences.index(each.queries),
                "keys": sequences.index(each.keys),
                "causal": each.causal,
                "start": start,
            }
            for each, start in zip(shown, starts, strict=True)
        ],
    }
    return header, {f"weights{number}": encoded(each.weights, causal=each.causal) for number, each in enumerate(shown)}


def _picture(shown: Attention, layer: int, head: int) -> bytes:
    heading = f"{shown.kind}, layer {shown.layers[layer]}, head {head}"
    return picture(
        np.sqrt(shown.weights), shown.forbidden, shown.queries.labels, shown.keys.labels, Chosen(layer, head, heading)
    )
