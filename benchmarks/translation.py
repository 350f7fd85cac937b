"""What ``en_fr`` can teach in two minutes: ``python -m benchmarks.translation`` prints a table and some translations.

PyTorch's own Transformer layers with a vocabulary of words, trained on the corpus's train split for a fixed number of
epochs and scored once on its test split, greedily decoded, for several seeds.
"""

import argparse
import os
import statistics

import torch
from torch import Tensor, nn

from utils.data import Pair, load_pairs
from utils.device import evaluating
from utils.metrics import bleu, chrf, exact_match
from utils.text import Tokenizer, length_buckets, pad, train_word_tokenizer
from utils.training import TrainingConfig, fit

SIZE, HEADS, LAYERS, INNER, DROPOUT = 128, 4, 2, 256, 0.3
BATCH, LONGEST = 32, 40
PHRASES = ("Hello, how are you?", "I don't like this soup.", "Where did you buy these beautiful red shoes?")


class Translator(nn.Module):
    """A Transformer (Vaswani et al. 2017) with learned positions and layer normalisation before each sublayer."""

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        size: int = SIZE,
        inner: int = INNER,
        dropout: float = DROPOUT,
    ):
        super().__init__()
        self.size = size
        self.source = nn.Embedding(source_vocabulary, size)
        self.target = nn.Embedding(target_vocabulary, size)
        self.position = nn.Embedding(LONGEST, size)
        settings = (size, HEADS, inner, dropout, "gelu")
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(*settings, batch_first=True, norm_first=True),
            LAYERS,
            norm=nn.LayerNorm(size),
            enable_nested_tensor=False,
        )
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(*settings, batch_first=True, norm_first=True), LAYERS, norm=nn.LayerNorm(size)
        )
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(size, target_vocabulary)
        for table in (self.source, self.target, self.position):
            nn.init.normal_(table.weight, std=size**-0.5)

    def embed(self, table: nn.Embedding, ids: Tensor) -> Tensor:
        """Return word and position vectors, (batch, length, size)."""
        return self.dropout(table(ids) * self.size**0.5 + self.position.weight[: ids.size(1)])

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the encoder's states, (batch, source, size)."""
        return self.encoder(self.embed(self.source, ids), src_key_padding_mask=~mask)

    def decode(self, ids: Tensor, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Return the scores of what follows each target token, (batch, target, vocabulary)."""
        future = torch.ones(ids.size(1), ids.size(1), dtype=torch.bool, device=ids.device).triu(1)
        states = self.decoder(
            self.embed(self.target, ids), memory, tgt_mask=future, memory_key_padding_mask=~memory_mask
        )
        return self.out(states)

    def forward(self, source: Tensor, source_mask: Tensor, target: Tensor) -> Tensor:
        """Score every target step at once."""
        return self.decode(target, self.encode(source, source_mask), source_mask)


def train(
    pairs: list[Pair], epochs: int, seed: int, dropout: float = DROPOUT
) -> tuple[Translator, Tokenizer, Tokenizer, float]:
    """Train on ``pairs`` and return the model, both tokenisers and the seconds it took."""
    english = train_word_tokenizer((pair.english for pair in pairs), lowercase=True)
    french = train_word_tokenizer((pair.french for pair in pairs), french_spacing=True)
    sources = [english.encode(pair.english, end=True) for pair in pairs]
    targets = [french.encode(pair.french, start=True, end=True) for pair in pairs]

    def batches(epoch: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        chosen = length_buckets([len(target) for target in targets], BATCH, seed=1000 * seed + epoch)
        return [(*pad([sources[i] for i in rows]), pad([targets[i] for i in rows])[0]) for rows in chosen]

    def loss(model: Translator, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        source, source_mask, target = batch
        logits = model(source, source_mask, target[:, :-1])
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=french.pad_id, label_smoothing=0.1
        )

    torch.manual_seed(seed)
    model = Translator(len(english), len(french), dropout=dropout)
    history = fit(model, batches, loss, TrainingConfig(epochs=epochs, learning_rate=3e-3, seed=seed))
    return model, english, french, history.seconds


@torch.no_grad()
def translate(model: Translator, english: Tokenizer, french: Tokenizer, sentences: list[str]) -> list[str]:
    """Translate greedily, all sentences in one batch."""
    device = model.out.weight.device
    source, mask = (tensor.to(device) for tensor in pad([english.encode(text, end=True) for text in sentences]))
    with evaluating(model):
        memory = model.encode(source, mask)
        ids = torch.full((len(sentences), 1), french.start_id, device=device)
        finished = torch.zeros(len(sentences), dtype=torch.bool, device=device)
        while not finished.all() and ids.size(1) < LONGEST:
            following = model.decode(ids, memory, mask)[:, -1].argmax(dim=-1)
            ids = torch.cat([ids, following.masked_fill(finished, french.pad_id)[:, None]], dim=1)
            finished |= following == french.end_id
    return [french.decode(row) for row in ids]


def main() -> None:
    """Print the table, one row for each seed, and what the first model makes of a few phrases."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    arguments = parser.parse_args()
    corpus = load_pairs()
    held_out = getattr(corpus, arguments.split)
    references = [pair.french for pair in held_out]
    print(f"{len(corpus.train)} pairs to train on, {len(held_out)} of {arguments.split}; {os.cpu_count()} cores\n")
    print("| seed | epochs | seconds | BLEU | chrF | exact match |\n|---|---|---|---|---|---|")
    first, scores = None, []
    for seed in range(arguments.seeds):
        model, english, french, seconds = train(corpus.train, arguments.epochs, seed)
        first = first or (model, english, french)
        hypotheses = translate(model, english, french, [pair.english for pair in held_out])
        scores.append(bleu(hypotheses, references))
        print(
            f"| {seed} | {arguments.epochs} | {seconds:.0f} | {scores[-1]:.1f} | {chrf(hypotheses, references):.1f} "
            f"| {exact_match(hypotheses, references):.0%} |"
        )
    print(f"\nmedian BLEU {statistics.median(scores):.1f}\n")
    for phrase, translation in zip(PHRASES, translate(*first, list(PHRASES)), strict=True):
        print(f"{phrase} → {translation}")


if __name__ == "__main__":
    main()
