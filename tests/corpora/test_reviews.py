"""The film reviews: balance, and that no word gives the verdict away."""

from collections import Counter

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.support.corpus_rules import words
from utils.data import Review, load_hard_reviews, load_reviews

KINDS = {"plain", "contrast", "negation", "irony", "faint-praise"}


@pytest.fixture(scope="module")
def parts() -> dict[str, list[Review]]:
    return vars(load_reviews()) | {"challenge": load_hard_reviews()}


@pytest.fixture(scope="module")
def reviews(parts) -> list[Review]:
    return [review for part in parts.values() for review in part]


def test_every_part_is_half_positive_kind_by_kind(parts):
    for name, part in parts.items():
        assert abs(sum(review.label for review in part) / len(part) - 0.5) < 0.02, name
        kinds = Counter(review.kind for review in part)
        assert name == "challenge" or kinds.keys() == KINDS, name
        for kind in kinds:
            labels = [review.label for review in part if review.kind == kind]
            assert abs(sum(labels) - len(labels) / 2) <= max(2, 0.1 * len(labels)), (name, kind)
    assert Counter(review.kind for review in parts["challenge"]) == {"negation": 50, "irony": 50}


def test_length_does_not_give_the_verdict_away(reviews):
    positive, negative = (
        sum(len(review.text.split()) for review in reviews if review.label == label)
        / sum(review.label == label for review in reviews)
        for label in (1, 0)
    )
    assert abs(positive - negative) < 2


def test_no_word_gives_the_verdict_away(reviews):
    counts = {label: Counter() for label in (0, 1)}
    for review in reviews:
        counts[review.label].update(set(words(review.text)))
    for word in counts[0].keys() | counts[1].keys():
        uses = counts[0][word] + counts[1][word]
        assert uses < 20 or max(counts[0][word], counts[1][word]) / uses <= 0.75, word


def test_a_bag_of_words_does_well_but_not_too_well(parts):
    model = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=2_000))
    model.fit([review.text for review in parts["train"]], [review.label for review in parts["train"]])
    test, challenge = (
        model.score([review.text for review in parts[name]], [review.label for review in parts[name]])
        for name in ("test", "challenge")
    )
    assert 0.6 < test < 0.9
    assert challenge < 0.7, "the challenge set is not for counting words"
