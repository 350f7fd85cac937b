"""What three translators learn from ``en_fr``: ``python -m benchmarks.translators`` prints a table.

The encoder–decoder with attention of lesson 5, the course's Transformer and PyTorch's own Transformer layers, trained
on the same sentences in the same batches with the optimiser of ``fit`` and one loss. Learning rate and dropout were
chosen on the validation split; greedy search, scored once on the test split, for several seeds. Seconds are those of
the processor, on one thread; on CUDA a clock's.
"""

import argparse
import statistics
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks import translation
from benchmarks.scores import Translation
from benchmarks.transformer import clock, translator
from utils.data import Pair, load_pairs
from utils.device import device_name, pick_device
from utils.metrics import bleu, chrf, exact_match
from utils.text import Tokenizer
from utils.training import TrainingConfig, fit
from utils.transformer import Transformer

GRU, OURS, PYTORCH = "GRU with attention (lesson 5)", "the course's Transformer", "PyTorch's Transformer layers"
KINDS = (GRU, OURS, PYTORCH)
LEARNING_RATE, DROPOUT = 3e-3, 0.2  # of both Transformers


class Learned(NamedTuple):
    """What a translator learned, and what it cost."""

    bleu: float
    chrf: float
    exact: float  # share of the translations that are the reference's very words
    seconds: float
    speed: float  # target tokens a second


def train_ours(task: Translation, seed: int) -> Transformer:
    """Return our Transformer, trained as the others are."""
    torch.manual_seed(seed)
    size = translation.SIZE
    model = translator(len(task.english), len(task.french), size, translation.INNER, DROPOUT)

    def loss(model: Transformer, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        source, mask, target = batch
        logits = model(source, mask, target[:, :-1]).flatten(0, 1)
        return nn.functional.cross_entropy(
            logits, target[:, 1:].flatten(), ignore_index=Tokenizer.pad_id, label_smoothing=0.1
        )

    config = TrainingConfig(epochs=task.epochs, learning_rate=LEARNING_RATE, seed=seed)
    fit(model, lambda epoch: task.batches(1000 * seed + epoch), loss, config)
    return model.cpu()


def measure(kind: str, task: Translation, pairs: list[Pair], held_out: list[Pair], seed: int) -> Learned:
    """Train a translator of that ``kind`` on ``pairs``, which are the task's, and score it on ``held_out``."""
    device = pick_device()
    sentences, references = [pair.english for pair in held_out], [pair.french for pair in held_out]
    start = clock(device)
    if kind == PYTORCH:
        model, english, french, _ = translation.train(pairs, task.epochs, seed, DROPOUT)
        seconds = clock(device) - start
        made = translation.translate(model, english, french, sentences)
    else:
        model = train_ours(task, seed) if kind == OURS else task.train("scaled general", seed)
        seconds = clock(device) - start
        made = task.translate(model, sentences)
    tokens = task.epochs * sum(len(target) - 1 for target in task.targets)
    scores = bleu(made, references), chrf(made, references), exact_match(made, references)
    return Learned(*scores, seconds, tokens / seconds)


def row(kind: str, epochs: int, runs: list[Learned]) -> str:
    """Return the table's line: means over the seeds, with the lowest and the highest of several in brackets."""
    cells = []
    for values, form in zip(zip(*runs, strict=True), (".1f", ".1f", ".0%", ".0f", ",.0f"), strict=True):
        mean, low, high = (format(value, form) for value in (statistics.mean(values), min(values), max(values)))
        cells.append(f"{mean} ({low} to {high})" if form == ".1f" and len(runs) > 1 else mean)
    return f"| {kind} | {epochs} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, nargs="+", default=(6, 12, 16))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    corpus = load_pairs()
    held_out = getattr(corpus, arguments.split)
    print(
        f"{device_name(pick_device())}; {len(corpus.train)} pairs to train on, {len(held_out)} of {arguments.split}; ",
        end="",
    )
    print(f"{arguments.seeds} seeds: mean (lowest to highest)\n")
    print("| translator | epochs | BLEU | chrF | exact match | seconds | tokens a second |")
    print("|---" * 7 + "|")
    for epochs in arguments.epochs:
        task = Translation(corpus.train, epochs)
        for kind in KINDS:
            runs = [measure(kind, task, corpus.train, held_out, seed) for seed in range(arguments.seeds)]
            print(row(kind, epochs, runs), flush=True)


if __name__ == "__main__":
    main()
