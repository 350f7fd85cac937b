"""What one call for all target steps saves in training: ``python -m benchmarks.teacher_forcing`` prints a table.

Translators of about equal size (plain, and attention with each score function) take full training steps on ``en_fr``:
with teacher forcing in one call, with teacher forcing a token at a time, and reading their own words, which must go a
token at a time. Every round runs each way once, in turn; the table gives the medians of the rounds. Seconds are
those of the processor, on one thread: what else runs on the machine disturbs them less than a clock's.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from utils.attention import SCORES
from utils.data import Pair, load_pairs
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, DecoderRNN, EncoderDecoder, EncoderRNN
from utils.text import length_buckets, pad, train_word_tokenizer

BATCH, DROPOUT = 32, 0.3
Batch = tuple[Tensor, Tensor, Tensor]  # source, its mask, target


def prepare(pairs: list[Pair], count: int) -> tuple[list[Batch], int, int]:
    """Return ``count`` batches of ``pairs``, sentences of similar length together, and the vocabularies' sizes."""
    english = train_word_tokenizer((pair.english for pair in pairs), lowercase=True)
    french = train_word_tokenizer((pair.french for pair in pairs), french_spacing=True)
    sources = [english.encode(pair.english, end=True) for pair in pairs]
    targets = [french.encode(pair.french, start=True, end=True) for pair in pairs]
    buckets = length_buckets([len(target) for target in targets], BATCH, seed=0)[:count]
    batches = [(*pad([sources[row] for row in rows]), pad([targets[row] for row in rows])[0]) for rows in buckets]
    return batches, len(english), len(french)


def build(kind: str, english: int, french: int, seed: int = 0) -> EncoderDecoder:
    """Return an untrained translator: ``"plain"``, or with attention by the score of that name."""
    torch.manual_seed(seed)
    size = 138 if kind == "plain" else 128  # the plain one gets a larger state in the place of attention's numbers
    encoder = EncoderRNN(english, size // 2, bidirectional=True)
    if kind == "plain":
        return EncoderDecoder(encoder, DecoderRNN(size, french, dropout=DROPOUT))
    return AttentionEncoderDecoder(encoder, AttentionDecoderRNN(size, french, dropout=DROPOUT, score=SCORES[kind]))


def one_call(model: EncoderDecoder, source: Tensor, mask: Tensor, target: Tensor) -> Tensor:
    """Read the true target, all steps at once."""
    return model(source, mask, target)


def token_by_token(model: EncoderDecoder, source: Tensor, mask: Tensor, target: Tensor) -> Tensor:
    """Read the true target, one token a call."""
    state, steps = model.encode(source, mask), []
    for token in target.split(1, dim=1):
        logits, state = model.decoder(token, state)
        steps.append(logits)
    return torch.cat(steps, dim=1)


def own_words(model: EncoderDecoder, source: Tensor, mask: Tensor, target: Tensor) -> Tensor:
    """Read the start token, then what the model itself finds most probable."""
    return model(source, mask, target, teacher_forcing_ratio=0.0)


WAYS: dict[str, Callable[..., Tensor]] = {"one call": one_call, "by token": token_by_token, "own words": own_words}


def tokens_per_second(way: Callable[..., Tensor], model: EncoderDecoder, batches: list[Batch]) -> float:
    """Take a training step on every batch and return how many target tokens were learned from a CPU second."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    tokens, start = 0, time.process_time()
    for source, mask, target in batches:
        logits = way(model, source, mask, target[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        tokens += int((target[:, 1:] != 0).sum())
    return tokens / (time.process_time() - start)


def measure(kinds: list[str], batches: list[Batch], english: int, french: int, rounds: int) -> dict[str, list[float]]:
    """Return for each kind of model the median target tokens a second of each of ``WAYS``."""
    models = {kind: build(kind, english, french).train() for kind in kinds}
    speeds: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):  # the first round warms up and does not count
        for kind, way in itertools.product(models, WAYS):
            speed = tokens_per_second(WAYS[way], models[kind], batches)
            if number:
                speeds.setdefault((kind, way), []).append(speed)
    return {kind: [statistics.median(speeds[kind, way]) for way in WAYS] for kind in models}


def main() -> None:
    """Print the table, one row for each model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    batches, english, french = prepare(load_pairs().train, arguments.batches)
    print(f"{arguments.batches} batches of {BATCH}; medians of {arguments.rounds} rounds, target tokens a second\n")
    print("| model | numbers to learn | one call | a token at a time | own words | one call ÷ token at a time |")
    print("|---|---|---|---|---|---|")
    for kind, speeds in measure(["plain", *SCORES], batches, english, french, arguments.rounds).items():
        name = kind if kind == "plain" else f"attention, {kind}"
        size = sum(parameter.numel() for parameter in build(kind, english, french).parameters())
        row = " | ".join(f"{speed:,.0f}" for speed in speeds)
        print(f"| {name} | {size:,} | {row} | {speeds[0] / speeds[1]:.1f} × |")


if __name__ == "__main__":
    main()
