"""What longer training does for a translator through one vector: ``python -m benchmarks.bottleneck`` prints two tables.

Plain encoder–decoders (one layer, one way, teacher forcing in one call) learn two tasks, each for a few epochs and,
from the start again, for three or four times as many: lists of numbers in words, with vectors of three sizes, and the
sentences of ``en_fr``. A table says what so many epochs achieved, by the source's length; it is no limit of the vector.
"""

import argparse
import itertools
import random
from collections.abc import Sequence

import torch

from utils.data import load_numbers, load_pairs
from utils.decoding import generate
from utils.metrics import chrf, exact_match
from utils.recurrent import DecoderRNN, EncoderDecoder, EncoderRNN
from utils.text import Tokenizer, length_buckets, pad, train_word_tokenizer, word_tokens
from utils.training import TrainingConfig, fit

BATCH = 32
LENGTHS, EACH = range(1, 9), 100  # numbers in a list, and fresh lists of each length
GROUPS = {"2–6": range(2, 7), "7–8": range(7, 9), "9 or more": range(9, 40)}  # words in an English sentence
Texts = Sequence[tuple[str, str]]  # English, French


def train(
    texts: Texts, english: Tokenizer, french: Tokenizer, *, hidden: int, epochs: int, rate: float, seed: int = 0
) -> EncoderDecoder:
    """Build a translator whose vector has ``hidden`` numbers, and train it on ``texts``."""
    torch.manual_seed(seed)
    model = EncoderDecoder(EncoderRNN(len(english), hidden), DecoderRNN(hidden, len(french)))
    sources = [english.encode(text, end=True) for text, _ in texts]
    targets = [french.encode(text, start=True, end=True) for _, text in texts]

    def batches(epoch: int) -> list:
        chosen = length_buckets([len(target) for target in targets], BATCH, seed=1000 * seed + epoch)
        return [(*pad([sources[row] for row in rows]), pad([targets[row] for row in rows])[0]) for rows in chosen]

    def loss(model: EncoderDecoder, batch: tuple) -> torch.Tensor:
        source, mask, target = batch
        logits = model(source, mask, target[:, :-1])
        wanted = target[:, 1:].flatten()
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted, ignore_index=Tokenizer.pad_id)

    fit(model, batches, loss, TrainingConfig(epochs=epochs, learning_rate=rate, seed=seed))
    return model.cpu()


@torch.no_grad()
def translate(model: EncoderDecoder, english: Tokenizer, french: Tokenizer, sentences: Sequence[str]) -> list[str]:
    """Translate greedily, all sentences in one batch."""
    source, mask = pad([english.encode(sentence, end=True) for sentence in sentences])
    start = torch.full((len(sentences), 1), french.start_id)
    state, most = model.encode(source, mask), 2 * source.size(1) + 5
    written = generate(model.decoder, start, state, max_new_tokens=most, end_id=french.end_id)
    return [french.decode(row) for row in written.ids]


def number_lists(count: int) -> tuple[list[tuple[str, str]], dict[int, list[tuple[str, str]]]]:
    """Return ``count`` lists of numbers below a hundred to learn from, and fresh ones of each length."""
    small, draw = load_numbers()[:100], random.Random(0)

    def one(length: int) -> tuple[str, str]:
        return tuple(", ".join(words) for words in zip(*(draw.choice(small) for _ in range(length)), strict=True))

    known = [one(LENGTHS[index % len(LENGTHS)]) for index in range(count)]
    return known, {length: [one(length) for _ in range(EACH)] for length in LENGTHS}


def lists_right(hidden: int, epochs: int, seed: int, count: int = 4_000) -> list[float]:
    """Train on number lists; return the share of fresh ones of each length that are entirely right."""
    known, fresh = number_lists(count)
    english, french = (train_word_tokenizer([*words, ","]) for words in zip(*load_numbers()[:100], strict=True))
    model = train(known, english, french, hidden=hidden, epochs=epochs, rate=1e-2, seed=seed)
    columns = (zip(*pairs, strict=True) for pairs in fresh.values())
    return [exact_match(translate(model, english, french, asked), wanted) for asked, wanted in columns]


def sentences_right(known: Texts, unseen: Texts, epochs: int, seed: int) -> dict[str, list[tuple[float, float]]]:
    """Train on sentences; return (exact match, chrF) for each of ``GROUPS``, of some trained on and of ``unseen``."""
    english = train_word_tokenizer((text for text, _ in known), lowercase=True)
    french = train_word_tokenizer((text for _, text in known), french_spacing=True)
    model = train(known, english, french, hidden=128, epochs=epochs, rate=6e-3, seed=seed)
    drawn = random.Random(0).sample(list(known), min(len(known), len(unseen)))
    found = {}
    for name, texts in {"trained on": drawn, "never seen": unseen}.items():
        said = translate(model, english, french, [text for text, _ in texts])
        for lengths in GROUPS.values():
            rows = [row for row, (text, _) in enumerate(texts) if len(word_tokens(text)) in lengths]
            of_group = [said[row] for row in rows], [texts[row][1] for row in rows]
            found.setdefault(name, []).append((exact_match(*of_group), chrf(*of_group)))
    return found


def main() -> None:
    """Print a table for the lists and one for the sentences, a row for each training run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=2)
    seeds = range(parser.parse_args().seeds)
    lengths = " | ".join(map(str, LENGTHS))
    print(f"Lists entirely right, by how many numbers they hold:\n\n| size | epochs | seed | {lengths} |")
    print("|---" * (3 + len(LENGTHS)) + "|")
    for hidden, epochs, seed in itertools.product((32, 64, 128), (6, 24), seeds):
        shares = " | ".join(f"{share:.0%}" for share in lists_right(hidden, epochs, seed))
        print(f"| {hidden} | {epochs} | {seed} | {shares} |", flush=True)
    corpus = load_pairs()
    known, unseen = ([(pair.english, pair.french) for pair in part] for part in (corpus.train, corpus.test))
    print("\nSentences exactly right, and their chrF, by words:\n")
    print(f"| epochs | seed | sentences | {' | '.join(GROUPS)} |\n|---|---|---|---|---|---|")
    for epochs, seed in itertools.product((8, 24), seeds):
        for name, groups in sentences_right(known, unseen, epochs, seed).items():
            cells = " | ".join(f"{exact:.1%}, {score:.1f}" for exact, score in groups)
            print(f"| {epochs} | {seed} | {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
