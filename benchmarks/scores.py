"""What each score function learns from real sentences: ``python -m benchmarks.scores`` prints a table.

Translators with attention of equal state, trained on ``en_fr`` exactly alike but for the score, each from several
seeds; also lesson 5's slide, whose additive score begins with v between 0 and 1. Scored on the validation split, and by
the alignment error rate on the gold links (which are of test pairs). *Sharpness* is the mean of each row's largest
weight: 1 is all-or-nothing.
"""

import argparse
import statistics
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from benchmarks.teacher_forcing import build
from utils.attention import SCORES
from utils.data import Alignment, Pair, load_alignments, load_pairs
from utils.decoding import generate
from utils.metrics import alignment_error_rate, bleu, chrf
from utils.recurrent import AttentionEncoderDecoder
from utils.text import Tokenizer, length_buckets, pad, train_word_tokenizer, word_tokens
from utils.training import TrainingConfig, fit

SLIDE = "additive, the slide's v"
KINDS = (*SCORES, SLIDE)


class Translation:
    """The sentence pairs, and a translator of each kind trained on them."""

    def __init__(self, pairs: list[Pair], epochs: int):
        self.epochs = epochs
        self.english = train_word_tokenizer((pair.english for pair in pairs), lowercase=True)
        self.french = train_word_tokenizer((pair.french for pair in pairs), french_spacing=True)
        self.sources = [self.english.encode(pair.english, end=True) for pair in pairs]
        self.targets = [self.french.encode(pair.french, start=True, end=True) for pair in pairs]

    def batches(self, seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return source, mask and target of 32 sentences of similar length each."""
        buckets = length_buckets([len(target) for target in self.targets], 32, seed=seed)
        return [(*pad([self.sources[i] for i in rows]), pad([self.targets[i] for i in rows])[0]) for rows in buckets]

    def train(self, kind: str, seed: int) -> AttentionEncoderDecoder:
        """Return a trained translator with that score."""
        model = build("additive" if kind == SLIDE else kind, len(self.english), len(self.french), seed)
        if kind == SLIDE:
            nn.init.uniform_(model.decoder.score.v.weight, 0, 1)

        def loss(model: AttentionEncoderDecoder, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
            source, mask, target = batch
            logits = model(source, mask, target[:, :-1]).flatten(0, 1)
            return nn.functional.cross_entropy(
                logits, target[:, 1:].flatten(), ignore_index=Tokenizer.pad_id, label_smoothing=0.1
            )

        config = TrainingConfig(epochs=self.epochs, learning_rate=6e-3, seed=seed)
        fit(model, lambda epoch: self.batches(1000 * seed + epoch), loss, config)
        return model.cpu().eval()

    @torch.no_grad()
    def translate(self, model: AttentionEncoderDecoder, sentences: list[str]) -> list[str]:
        """Translate greedily, all sentences in one batch."""
        source, mask = pad([self.english.encode(text, end=True) for text in sentences])
        start = torch.full((len(sentences), 1), self.french.start_id)
        end = self.french.end_id
        made = generate(model.decoder, start, model.encode(source, mask), max_new_tokens=40, end_id=end)
        return [self.french.decode(row) for row in made.ids]

    @torch.no_grad()
    def weights(self, model: AttentionEncoderDecoder, pairs: list[Pair]) -> Iterator[Tensor]:
        """Yield each pair's weights (French words, English words and the end), the French being given."""
        for pair in pairs:
            source = torch.tensor([self.english.encode(pair.english, end=True)])
            read = torch.tensor([self.french.encode(pair.french, start=True)])
            _, _, weights = model.decoder(read, model.encode(source), return_attention=True)
            yield weights[0, :-1]


def links(weights: list[Tensor], gold: list[Alignment]) -> dict[str, set[tuple[int, int, int]]]:
    """Return (sentence, English word, French word) for the strongest weights, and for the gold links."""
    found = {"predicted": set(), "sure": set(), "possible": set()}
    for number, (rows, alignment) in enumerate(zip(weights, gold, strict=True)):
        best = enumerate(rows.argmax(dim=-1).tolist())
        found["predicted"] |= {(number, i, j) for j, i in best if i < len(alignment.english)}
        found["sure"] |= {(number, i, j) for i, j in alignment.sure}
        found["possible"] |= {(number, i, j) for i, j in alignment.possible}
    return found


def measure(task: Translation, kind: str, seed: int, held_out: list[Pair], tests: list[Pair]) -> tuple[float, ...]:
    """Return BLEU and chrF on ``held_out``, the alignment error rate over the gold links, and the sharpness."""
    model = task.train(kind, seed)
    made, right = task.translate(model, [pair.english for pair in held_out]), [pair.french for pair in held_out]
    pairs = {tuple(word_tokens(pair.english)): pair for pair in tests}
    gold = load_alignments()
    weights = list(task.weights(model, [pairs[tuple(alignment.english)] for alignment in gold]))
    found = links(weights, gold)
    error = alignment_error_rate(found["predicted"], found["sure"], found["possible"])
    return bleu(made, right), chrf(made, right), error, torch.cat([rows.amax(dim=-1) for rows in weights]).mean().item()


def main() -> None:
    """Print the table, one row for each score: the mean over the seeds, and in brackets the lowest and the highest."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    corpus = load_pairs()
    task = Translation(corpus.train, arguments.epochs)
    print(f"{arguments.epochs} epochs, {arguments.seeds} seeds: mean (lowest to highest)\n")
    print("| score | BLEU | chrF | alignment error rate | sharpness |\n|---|---|---|---|---|")
    for kind in KINDS:
        runs = [measure(task, kind, seed, corpus.validation, corpus.test) for seed in range(arguments.seeds)]
        cells = []
        for values, digits in zip(zip(*runs, strict=True), (1, 1, 2, 2), strict=True):
            mean, low, high = (f"{value:.{digits}f}" for value in (statistics.mean(values), min(values), max(values)))
            cells.append(f"{mean} ({low} to {high})")
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
