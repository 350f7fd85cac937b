"""What ``reviews`` can teach: ``python -m benchmarks.reviews`` prints a table.

The course's pretrained encoder, fine-tuned on the train split with a linear layer on the mean of its vectors, beside a
bag of words with logistic regression; both scored on our test split, on the challenge set, and, where they can be
fetched, on the real film reviews of the sentence polarity set, of which neither has seen any.
"""

import argparse
import os

import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from utils import pretrained
from utils.data import Review, load_hard_reviews, load_reviews
from utils.device import evaluating, pick_device
from utils.errors import CourseError
from utils.nested import to_device
from utils.text import length_buckets
from utils.training import TrainingConfig, fit

BATCH, LONGEST = 16, 128


class Classifier(nn.Module):
    """The encoder, its embeddings frozen, and two scores from the mean of the vectors of a text's tokens."""

    def __init__(self, folder: str):
        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder)
        self.encoder.embeddings.requires_grad_(False)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(self.encoder.config.hidden_size, 2)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return scores (batch, 2) for negative and positive."""
        states = self.encoder(**inputs).last_hidden_state
        mask = inputs["attention_mask"][:, :, None]
        return self.head(self.dropout((states * mask).sum(dim=1) / mask.sum(dim=1)))


def batched(tokenizer, reviews: list[Review], size: int, seed: int) -> list[tuple[dict[str, Tensor], Tensor]]:
    """Return batches of texts of similar length, as (inputs, labels)."""
    chosen = length_buckets([len(review.text) for review in reviews], size, seed=seed)
    return [
        (
            dict(
                tokenizer(
                    [reviews[row].text for row in rows],
                    padding=True,
                    truncation=True,
                    max_length=LONGEST,
                    return_tensors="pt",
                )
            ),
            torch.tensor([reviews[row].label for row in rows]),
        )
        for rows in chosen
    ]


def fine_tune(tokenizer, folder: str, reviews: list[Review], epochs: int, seed: int) -> tuple[Classifier, float]:
    """Return the trained classifier and the seconds it took."""
    torch.manual_seed(seed)
    model = Classifier(folder)
    history = fit(
        model,
        lambda epoch: batched(tokenizer, reviews, BATCH, seed=1000 * seed + epoch),
        lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        TrainingConfig(epochs=epochs, learning_rate=1.5e-4, warmup=0.1, seed=seed),
    )
    return model, history.seconds


@torch.no_grad()
def accuracy(model: Classifier, tokenizer, reviews: list[Review]) -> float:
    """Return the share of reviews that the classifier labels rightly."""
    device, correct = pick_device(model), 0
    with evaluating(model):
        for batch in batched(tokenizer, reviews, 64, seed=0):
            inputs, labels = to_device(batch, device)
            correct += int((model(inputs).argmax(dim=-1) == labels).sum())
    return correct / len(reviews)


def main() -> None:
    """Print one row for the bag of words and one for each seed of the encoder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    corpus = load_reviews()
    columns = {f"our {arguments.split}": getattr(corpus, arguments.split), "challenge": load_hard_reviews()}
    try:
        real = load_reviews("sentence-polarity")
        columns["real reviews"] = real.train + real.validation + real.test
    except CourseError as error:
        print(error)
    print(f"{len(corpus.train)} reviews to train on; {os.cpu_count()} cores\n")
    print(f"| model | seconds | {' | '.join(f'{name} ({len(part):,})' for name, part in columns.items())} |")
    print("|---" * (2 + len(columns)) + "|")
    words = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=2_000))
    words.fit([review.text for review in corpus.train], [review.label for review in corpus.train])
    scores = [words.score([r.text for r in part], [r.label for r in part]) for part in columns.values()]
    print(f"| bag of words | | {' | '.join(f'{score:.1%}' for score in scores)} |")
    folder = pretrained.path(pretrained.ENCODER)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for seed in range(arguments.seeds):
        model, seconds = fine_tune(tokenizer, folder, corpus.train, arguments.epochs, seed)
        scores = [accuracy(model, tokenizer, part) for part in columns.values()]
        name = f"{pretrained.ENCODER}, {arguments.epochs} epochs, seed {seed}"
        print(f"| {name} | {seconds:.0f} | {' | '.join(f'{score:.1%}' for score in scores)} |", flush=True)


if __name__ == "__main__":
    main()
