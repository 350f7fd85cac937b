"""What the headlines can teach in two minutes: ``python -m benchmarks.headlines`` prints a table and some headlines.

A small Transformer that reads a news item's first sentence and writes its headline, word by word, with and without a
copy gate: at each step it may take a word of the sentence instead of one of its own (See et al. 2017). Both are trained
on the train split for the same number of epochs and scored once on the test split, beside the sentence's first words.
"""

import argparse
import os
import random

import torch
from torch import Tensor, nn

from utils.data import Headline, load_headlines
from utils.device import evaluating, pick_device
from utils.metrics import rouge
from utils.nested import to_device
from utils.text import Tokenizer, length_buckets, pad, train_word_tokenizer
from utils.training import TrainingConfig, fit

SIZE, HEADS, LAYERS, INNER, DROPOUT = 128, 4, 2, 256, 0.3
BATCH, LONGEST, LEAD_WORDS, UNSEEN = 16, 80, 6, 0.05


class Writer(nn.Module):
    """A Transformer encoder–decoder over one vocabulary; with ``copying`` it mixes in the words of its source."""

    def __init__(self, vocabulary: int, copying: bool):
        super().__init__()
        self.copying = copying
        self.word = nn.Embedding(vocabulary, SIZE)
        self.position = nn.Embedding(LONGEST, SIZE)
        settings = {"dim_feedforward": INNER, "dropout": DROPOUT, "activation": "gelu"}
        settings |= {"batch_first": True, "norm_first": True}
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(SIZE, HEADS, **settings), LAYERS, nn.LayerNorm(SIZE), enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(SIZE, HEADS, **settings), LAYERS, nn.LayerNorm(SIZE)
        )
        self.pointer = nn.MultiheadAttention(SIZE, 1, batch_first=True)
        self.gate = nn.Linear(2 * SIZE, 1)
        self.out = nn.Linear(SIZE, vocabulary)
        self.dropout = nn.Dropout(DROPOUT)
        for table in (self.word, self.position):
            nn.init.normal_(table.weight, std=SIZE**-0.5)

    def embed(self, ids: Tensor) -> Tensor:
        """Return word and position vectors, (batch, length, size)."""
        return self.dropout((self.word(ids) + self.position.weight[: ids.size(1)]) * SIZE**0.5)

    def forward(self, source: Tensor, mask: Tensor, names: Tensor, target: Tensor, words: int) -> Tensor:
        """Return the log-probabilities (batch, target, ``words``) of the word after each of ``target``.

        ``names`` (batch, source) says which of all ``words`` each source position holds, known to the model or not.
        """
        memory = self.encoder(self.embed(source), src_key_padding_mask=~mask)
        future = torch.ones(target.size(1), target.size(1), dtype=torch.bool, device=target.device).triu(1)
        states = self.decoder(self.embed(target), memory, tgt_mask=future, memory_key_padding_mask=~mask)
        written = self.out(self.dropout(states)).softmax(dim=-1)  # (batch, target, vocabulary)
        written = nn.functional.pad(written, (0, words - written.size(-1)))
        if not self.copying:
            return (written + 1e-9).log()
        context, attention = self.pointer(states, memory, memory, key_padding_mask=~mask)  # (batch, target, source)
        gate = self.gate(torch.cat([states, context], dim=-1)).sigmoid()
        where = names[:, None, :].expand(-1, target.size(1), -1)
        copied = torch.zeros_like(written).scatter_add(-1, where, attention)
        return (gate * written + (1 - gate) * copied + 1e-9).log()


class Words:
    """The model's own words, and behind them every other word, which can only be copied."""

    def __init__(self, corpus_texts: list[str], train_texts: list[str]):
        self.own = train_word_tokenizer(train_texts, min_count=3)
        self.every: dict[str, int] = {self.own.token(token_id): token_id for token_id in range(len(self.own))}
        everything = train_word_tokenizer(corpus_texts)
        for token_id in range(len(everything)):
            self.every.setdefault(everything.token(token_id), len(self.every))
        self.all: Tokenizer = everything
        self.spelling = {number: word for word, number in self.every.items()}

    def known(self, text: str) -> list[int]:
        """Return the model's own ids; words it does not know become ``<unk>``."""
        return self.own.encode(text)

    def numbers(self, text: str) -> list[int]:
        """Return the number of each word among all words."""
        return [self.every[word] for word in self.all.tokens(text)]

    def read(self, numbers: Tensor) -> str:
        """Return the text of a row of numbers."""
        words = (self.spelling[int(number)] for number in numbers if int(number) > self.own.end_id)
        return self.all.decode(token for word in words for token in self.all.encode(word))


def train(words: Words, items: list[Headline], copying: bool, epochs: int, seed: int) -> tuple[Writer, float]:
    """Return the trained model and the seconds it took."""
    own = words.own

    def batches(epoch: int) -> list[tuple]:
        chosen = length_buckets([len(item.sentence) for item in items], BATCH, seed=1000 * seed + epoch)
        noise = random.Random(epoch)
        made = []
        for rows in chosen:
            source, mask = pad([words.known(items[row].sentence) for row in rows])
            hidden = torch.tensor([[noise.random() < UNSEEN for _ in row] for row in source]) & mask
            source = source.masked_fill(hidden, own.unknown_id)  # so that unknown words are something to learn from
            names, _ = pad([words.numbers(items[row].sentence) for row in rows])
            target, _ = pad([[own.start_id, *words.numbers(items[row].headline), own.end_id] for row in rows])
            made.append((source, mask, names, target))
        return made

    def loss(model: Writer, batch: tuple) -> Tensor:
        source, mask, names, target = batch
        read = target[:, :-1].masked_fill(target[:, :-1] >= len(own), own.unknown_id)
        scores = model(source, mask, names, read, len(words.every))
        return nn.functional.nll_loss(scores.flatten(0, 1), target[:, 1:].flatten(), ignore_index=own.pad_id)

    torch.manual_seed(seed)
    model = Writer(len(own), copying)
    history = fit(model, batches, loss, TrainingConfig(epochs=epochs, learning_rate=2e-3, warmup=0.1, seed=seed))
    return model, history.seconds


@torch.no_grad()
def write(model: Writer, words: Words, sentences: list[str]) -> list[str]:
    """Write headlines greedily, all in one batch."""
    own, device = words.own, pick_device(model)
    source, mask = pad([words.known(sentence) for sentence in sentences])
    names, _ = pad([words.numbers(sentence) for sentence in sentences])
    source, mask, names = to_device((source, mask, names), device)
    numbers = torch.full((len(sentences), 1), own.start_id, device=device)
    with evaluating(model):
        for _ in range(14):
            read = numbers.masked_fill(numbers >= len(own), own.unknown_id)
            scores = model(source, mask, names, read, len(words.every))[:, -1]
            scores[:, own.unknown_id] = -torch.inf
            ended = (numbers == own.end_id).any(dim=1)
            following = scores.argmax(dim=-1).masked_fill(ended, own.pad_id)
            numbers = torch.cat([numbers, following[:, None]], dim=1)
    return [words.read(row) for row in numbers]


def main() -> None:
    """Print the table and a few headlines of the model that may copy."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    arguments = parser.parse_args()
    corpus = load_headlines()
    held_out = getattr(corpus, arguments.split)
    texts = [text for part in (corpus.train, held_out) for item in part for text in item]
    words = Words(texts, [text for item in corpus.train for text in item])
    sentences, references = zip(*held_out, strict=True)
    print(f"{len(corpus.train)} items to train on, {len(held_out)} of {arguments.split}; {os.cpu_count()} cores\n")
    print("| writer | seconds | ROUGE-1 | ROUGE-2 | ROUGE-L |\n|---|---|---|---|---|")
    results = {f"the first {LEAD_WORDS} words": ([" ".join(text.split()[:LEAD_WORDS]) for text in sentences], 0.0)}
    for name, copying in (("Transformer", False), ("Transformer that may copy", True)):
        model, seconds = train(words, corpus.train, copying, arguments.epochs, seed=0)
        results[name] = write(model, words, list(sentences)), seconds
    for name, (headlines, seconds) in results.items():
        scores = rouge(headlines, references)
        print(f"| {name} | {seconds:.0f} | {' | '.join(f'{score:.1f}' for score in scores.values())} |")
    print()
    for sentence, reference, headline in list(zip(sentences, references, headlines, strict=True))[:6]:
        print(f"{sentence}\n  reference: {reference}\n  model:     {headline}")


if __name__ == "__main__":
    main()
