"""What the key–value cache saves: ``python -m benchmarks.generation`` prints a table.

A language model and an encoder–decoder of the course, untrained (a step costs the same whatever it says), write by
greedy and by beam search: with the cache, and reading the whole text again for each token. The latter is given every
other advantage: PyTorch's fused attention, the vocabulary's scores at the last position alone, and the source's keys
and values made once. One run shows the seconds to every shorter length; the runs are taken in turn, and seconds are
those of the processor, on one thread (on CUDA a clock's). ``transformers``' GPT-2 of the same size does the same by its
own ``generate``. In the end the savings are held against the course's limits; what misses one is named, and the exit
status is 1.
"""

import argparse
import itertools
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.transformer import clock, gpt2
from utils.beam import beam_search
from utils.decoding import Decodable, generate
from utils.device import device_name, pick_device
from utils.transformer import DecoderState, Transformer, TransformerDecoder, TransformerEncoder
from utils.transformer_layers import TransformerConfig

SOURCE = 20  # tokens of an encoder–decoder's source
LENGTHS = (16, 32, 64, 128, 256)
AT = 128  # the tokens at which the course's limits are held: so many times as fast with the cache
# One text alone saves less: to make one token, a processor reads all the weights, which takes it most of the time.
LEAST, LEAST_ALONE = 5.0, 2.5
PEER = "transformers' GPT-2"


class ReadSoFar(NamedTuple):
    """What a decoder without a cache carries along: the text itself, and the source."""

    ids: Tensor  # (batch, read so far)
    source: DecoderState


class WithoutCache:
    """A decoder that reads the whole text again for each new token."""

    def __init__(self, decoder: TransformerDecoder):
        self.decoder = decoder

    def __call__(self, ids: Tensor, state: ReadSoFar | DecoderState | None) -> tuple[Tensor, ReadSoFar]:
        """Read all so far and the new ``ids``; return the logits of the last position (batch, 1, vocabulary)."""
        if isinstance(state, ReadSoFar):
            ids, source = torch.cat([state.ids, ids], dim=1), state.source
        else:
            source = state or DecoderState()
        states, _, _ = self.decoder.read(ids, source)
        return self.decoder.out(states[:, -1:]), ReadSoFar(ids, source)

    def select_state(self, state: ReadSoFar, rows: Tensor) -> ReadSoFar:
        """Return the chosen ``rows``, as beam search needs it."""
        return ReadSoFar(state.ids.index_select(0, rows), self.decoder.select_state(state.source, rows))


class Timed:
    """A model that notes the time whenever it is called."""

    def __init__(self, model: Decodable, device: torch.device):
        self.model, self.device, self.times = model, device, []
        self.select_state = model.select_state

    def __call__(self, ids: Tensor, state: object) -> tuple[Tensor, object]:
        """Call the model."""
        self.times.append(clock(self.device))
        return self.model(ids, state)


def build(kind: str, config: TransformerConfig, device: torch.device) -> tuple[TransformerDecoder, Transformer | None]:
    """Return an untrained decoder of the ``kind`` and, if it is half of one, the whole encoder–decoder."""
    torch.manual_seed(0)
    if kind == "language model":
        return TransformerDecoder(config).to(device).eval(), None
    decoder = TransformerDecoder(config, cross_attention=True)
    return decoder.to(device).eval(), Transformer(TransformerEncoder(config), decoder).to(device).eval()


@torch.no_grad()
def seconds(
    kind: str,
    config: TransformerConfig,
    batch: int,
    beam: int,
    lengths: Sequence[int],
    rounds: int,
    device: torch.device,
) -> Tensor:
    """Return the seconds to each of ``lengths``, (rounds, 2, lengths): with the cache, then without it.

    Beam search for a ``beam`` above 1, otherwise greedy search. An encoder–decoder's reading of the source, which both
    do once, is not counted.
    """
    decoder, whole = build(kind, config, device)
    ids = torch.zeros(batch, 1, dtype=torch.long, device=device)
    state = None if whole is None else whole.encode(torch.randint(config.vocabulary_size, (batch, SOURCE)).to(device))
    found = torch.zeros(rounds, 2, len(lengths), dtype=torch.float64)
    for number, (way, model) in itertools.product(range(rounds), enumerate((decoder, WithoutCache(decoder)))):
        timed = Timed(model, device)
        if beam > 1:
            beam_search(timed, ids, state, width=beam, max_new_tokens=max(lengths))
        else:
            generate(timed, ids, state, max_new_tokens=max(lengths))
        timed.times.append(clock(device))
        found[number, way] = torch.tensor([timed.times[length] - timed.times[0] for length in lengths])
    return found


@torch.no_grad()
def transformers_seconds(
    config: TransformerConfig, batch: int, beam: int, length: int, rounds: int, device: torch.device
) -> Tensor:
    """Return the seconds ``transformers`` takes to write ``length`` tokens, (rounds, 2, 1): with its cache, without."""
    model = gpt2(config).to(device).eval()
    ids = torch.zeros(batch, 1, dtype=torch.long, device=device)
    search = {"do_sample": False, "num_beams": beam, "max_new_tokens": length, "attention_mask": torch.ones_like(ids)}
    found = torch.zeros(rounds, 2, 1, dtype=torch.float64)
    for number, (way, cached) in itertools.product(range(rounds), enumerate((True, False))):
        started = clock(device)
        model.generate(ids, use_cache=cached, **search)
        found[number, way] = clock(device) - started
    return found


def main() -> None:
    """Print the table; exit with status 1 where the cache saves too little."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, metavar="TOKENS")
    parser.add_argument("--beam", type=int, nargs=2, default=(8, 4), metavar=("TEXTS", "WIDTH"))
    parser.add_argument("--alone", action="store_true", help="one text at a time, greedily, and no more")
    parser.add_argument(
        "--size", type=int, nargs=3, default=(256, 6, 10_000), metavar=("WIDTH", "LAYERS", "VOCABULARY")
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = pick_device()
    size, layers, vocabulary = arguments.size
    shape = {"hidden_size": size, "num_heads": 8, "num_layers": layers, "inner_size": 4 * size, "dropout": 0.0}
    config = TransformerConfig(vocabulary, max_length=max(*arguments.lengths, SOURCE) + 1, **shape)
    print(f"{device_name(device)}; width {size}, {layers} layers, {vocabulary:,} tokens; ", end="")
    print(f"medians of {arguments.rounds} rounds\n\n| model | search | tokens | with, s | without, s | saving |")
    print("|---" * 6 + "|")
    failures = []
    texts, width = arguments.beam
    searches = ((1, 1),) if arguments.alone else ((1, 1), (texts, 1), (texts, width))
    for kind, (batch, beam) in itertools.product(("language model", "encoder–decoder", PEER), searches):
        search = f"{'greedy' if beam == 1 else f'beam of {beam}'}, {batch} text{'s' * (batch > 1)}"
        lengths = [max(arguments.lengths)] if kind == PEER else arguments.lengths
        if kind == PEER:
            found = transformers_seconds(config, batch, beam, *lengths, arguments.rounds, device)
        else:
            found = seconds(kind, config, batch, beam, lengths, arguments.rounds, device)
        for place, length in enumerate(lengths):
            ours, other = (statistics.median(found[:, way, place].tolist()) for way in (0, 1))
            print(f"| {kind} | {search} | {length} | {ours:.3f} | {other:.3f} | {other / ours:.1f} × |", flush=True)
            least = LEAST if batch * beam > 1 else LEAST_ALONE
            if kind != PEER and length == AT and other < least * ours:
                failures.append(f"{kind}, {search}: {other / ours:.1f} × at {AT} tokens, the limit is {least:g} ×")
    if failures:
        parser.exit(1, "\nLimits missed:\n" + "".join(f"- {each}\n" for each in failures))
    print("\nThe cache saves what it must.")


if __name__ == "__main__":
    main()
