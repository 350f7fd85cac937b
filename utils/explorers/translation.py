"""The steps of one translation: the encoder reads word by word, hands over a vector, and the decoder writes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from utils.device import evaluating
from utils.explorers import translation_parts as parts
from utils.explorers.delivery import Explorer, pack
from utils.explorers.translation_picture import WIDTH, picture
from utils.explorers.weights import encoded

TOP = 5  # next words that get a bar

Numbers = Tensor | np.ndarray | Sequence[Sequence[float]]


class TranslationSteps(Explorer):
    """One sentence on its way through an encoder–decoder: source word → state → word by word.

    ``encoder_states`` is (source, hidden), the state after each of ``source_tokens``; with ``bidirectional`` it is
    (source, 2 × hidden), forward then backward. ``decoder_states`` is (target, hidden), the state after each id of
    ``read``, and ``logits`` (target, vocabulary) the scores of what follows it. States lie in −1 to 1, as those of
    GRUs do. ``tokens`` holds the vocabulary's strings, or is a function from id to string. ``written`` are the ids
    chosen (None: the most probable); where ``read`` holds another id than was written before, the view marks it.

    ``first_state`` is what the decoder starts from, (hidden,) or (layers, hidden); None: the encoder's last state.
    ``attention`` is (target, source), where the decoder looked at each step; ``reference`` a translation to compare
    with. At most ``MOST_READ`` source and ``MOST_WRITTEN`` target tokens; that, shapes that do not fit, NaN and ids
    outside the vocabulary are a ``ValueError``. Probabilities and distances (Euclidean, over all numbers of a state)
    are stored as they are, ``CELLS`` numbers of each state to within 1/254.
    """

    def __init__(
        self,
        source_tokens: Sequence[str],
        encoder_states: Numbers,
        decoder_states: Numbers,
        logits: Numbers,
        tokens: Sequence[str] | Callable[[int], str],
        *,
        read: Sequence[int] | Tensor,
        written: Sequence[int] | Tensor | None = None,
        first_state: Tensor | np.ndarray | Sequence[float] | None = None,
        bidirectional: bool = False,
        attention: Any = None,
        reference: str | None = None,
    ) -> None:
        sources = parts.checked_sources(source_tokens)
        encoder = parts.checked_states(encoder_states, "encoder_states", len(sources), "source token")
        scores = parts.checked_logits(logits)
        decoder = parts.checked_states(decoder_states, "decoder_states", len(scores), "row of logits")
        inputs = parts.checked_ids(read, "read", len(scores), scores.size(1))
        outputs = scores.argmax(dim=1).tolist() if written is None else written
        outputs = parts.checked_ids(outputs, "written", len(scores), scores.size(1))
        if bidirectional and encoder.size(1) % 2:
            raise ValueError(
                f"encoder_states have {encoder.size(1)} numbers, which cannot be halved into a forward and a backward "
                "state; give (source, 2 × hidden), or bidirectional=False."
            )
        both = torch.stack(encoder.chunk(2 if bidirectional else 1, dim=1))  # (directions, source, hidden)
        first = parts.checked_first(first_state, both, decoder.size(1))  # (layers, hidden)
        if not callable(tokens) and len(tokens) != scores.size(1):
            raise ValueError(
                f"there are {len(tokens):,} tokens but {scores.size(1):,} logits at each step; give one token for each."
            )
        weights = None if attention is None else parts.checked_attention(attention, len(scores), len(sources))
        if reference is not None and not isinstance(reference, str):
            raise ValueError(f"reference is {reference!r}; give the reference translation as one string.")

        shares = scores.double().softmax(dim=1)
        best = shares.sort(dim=1, descending=True, stable=True).indices[:, :TOP]  # (target, top)
        named = sorted({*inputs, *outputs, *best.flatten().tolist()})
        place = {index: number for number, index in enumerate(named)}
        names = [parts.name_of(tokens, index) for index in named]
        reads, writes = ([place[index] for index in ids] for ids in (inputs, outputs))
        chosen = shares[torch.arange(len(shares)), outputs]
        given = [step for step in range(1, len(reads)) if reads[step] != writes[step - 1]]
        moved, away = parts.distances(both)
        arrays = {
            "encoder": parts.cells(both.transpose(0, 1)),  # (source, directions, cells)
            "first": parts.cells(first),
            "decoder": parts.cells(decoder),
            "moved": _stored(moved.T),
            "away": _stored(away.T),
            "steps": _stored(torch.diff(decoder, dim=0, prepend=first[-1:]).norm(dim=1)),
            "shares": _stored(shares.gather(1, best)),
            "chosen": _stored(chosen),
        }
        if weights is not None:
            arrays["weights"] = encoded(weights[None, None])[0, 0]
        header = {
            "sources": sources,
            "names": names,
            "read": reads,
            "written": writes,
            "top": [[place[index] for index in row] for row in best.tolist()],
            "sizes": [both.size(2), decoder.size(1)],
            "cells": [arrays["encoder"].shape[2], arrays["decoder"].shape[1]],
            "directions": len(both),
            "attends": weights is not None,
            "notes": parts.notes(both, first, attends=weights is not None, forced=bool(given), reference=reference),
        }
        said = [f"{' '.join(sources)} → {_story(names, writes, chosen)}."]
        examples = [f"{names[reads[step]]} for its own {names[writes[step - 1]]}" for step in given[:5]]
        examples += ["…"] * (len(given) > 5)
        said += [f"Read in place of its own words: {', '.join(examples)}."] * bool(given)
        size = f"{len(sources)} source words, {len(reads)} written"
        size += ", with attention" if header["attends"] else ""
        super().__init__(
            "translation",
            payload=pack(header, arrays),
            picture=picture(header, arrays),
            width=WIDTH,
            alt=f"States of an encoder and a decoder as strips of coloured cells: {size}. {' '.join(said)}",
            summary="\n".join([f"Translation step by step: {size}", *said, header["notes"]["reference"]]).rstrip(),
        )

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        model: nn.Module,
        source_ids: Sequence[int] | Tensor,
        *,
        source_tokens: Sequence[str],
        tokens: Sequence[str] | Callable[[int], str],
        start_id: int,
        end_id: int,
        max_new_tokens: int = parts.MOST_WRITTEN,
        target_ids: Sequence[int] | Tensor | None = None,
        reference: str | None = None,
    ) -> "TranslationSteps":
        """Run an ``EncoderDecoder`` or ``AttentionEncoderDecoder`` on one sentence and show what it did.

        Without ``target_ids`` the model reads its own words, as in greedy search, until it writes ``end_id`` or has
        written ``max_new_tokens``. With ``target_ids``, which begin with ``start_id``, it reads those instead (teacher
        forcing), as in the model's ``forward``; a last ``end_id`` is there to be predicted, not to be read.
        """
        if not all(hasattr(model, part) for part in ("encoder", "decoder", "encode")):
            raise ValueError(
                f"model is a {type(model).__name__}; give an EncoderDecoder or an AttentionEncoderDecoder, or call "
                "TranslationSteps with the states of your own model."
            )
        embeddings = [model.encoder.embedding.num_embeddings, model.decoder.embedding.num_embeddings]
        ids = parts.checked_ids(source_ids, "source_ids", len(parts.checked_sources(source_tokens)), embeddings[0])
        forced = None
        if target_ids is not None:
            forced = parts.checked_ids(target_ids, "target_ids", None, embeddings[1])
            if forced[:1] != [start_id]:
                raise ValueError(f"target_ids must begin with the start token, {start_id}; they are {forced[:8]}.")
            forced = forced[:-1] if len(forced) > 1 and forced[-1] == end_id else forced
        limit = max_new_tokens if forced is None else len(forced)
        if not 1 <= limit <= parts.MOST_WRITTEN:
            what = "max_new_tokens" if forced is None else "the number of target_ids to read"
            raise ValueError(f"{what} is {limit}; it must lie between 1 and {parts.MOST_WRITTEN}.")

        source = torch.tensor([ids], device=next(model.parameters()).device)
        read, steps = parts.checked_ids([start_id], "start_id", 1, embeddings[1]), []
        with evaluating(model):
            outputs, _ = model.encoder(source)
            state = model.encode(source)
            attends = not isinstance(state, Tensor)
            first = state.hidden if attends else state
            for step in range(limit):
                token = source.new_tensor([read[-1:]])
                logits, state, *weights = model.decoder(token, state, **({"return_attention": True} if attends else {}))
                hidden = state.hidden if attends else state  # (layers, 1, hidden)
                steps.append((hidden[-1, 0], logits[0, 0], *(each[0, 0] for each in weights)))
                own = int(logits[0, 0].argmax())
                if step + 1 == limit or (forced is None and own == end_id):
                    break
                read.append(own if forced is None else forced[step + 1])
        states, logits, *weights = (torch.stack(each) for each in zip(*steps, strict=True))
        return cls(
            source_tokens,
            outputs[0],
            states,
            logits,
            tokens,
            read=read,
            first_state=first[:, 0],
            bidirectional=model.encoder.gru.bidirectional,
            attention=weights[0] if weights else None,
            reference=reference,
        )


def _story(names: Sequence[str], writes: Sequence[int], chosen: Tensor) -> str:
    return ", ".join(f"{names[word]} {share:.1%}" for word, share in zip(writes, chosen.tolist(), strict=True))


def _stored(numbers: Tensor) -> np.ndarray:
    return numbers.to(torch.float32).numpy()
