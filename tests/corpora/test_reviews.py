"""The film reviews: sizes, balance, and that no word gives the verdict away."""

from collections import Counter

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.support.corpus_rules import character_faults, runs, words
from utils.data import Review, Splits, load_hard_reviews, load_reviews

KINDS = {"plain", "contrast", "negation", "irony", "faint-praise"}


@pytest.fixture(scope="module")
def corpus() -> Splits[Review]:
    return load_reviews()


@pytest.fixture(scope="module")
def challenge() -> list[Review]:
    return load_hard_reviews()


@pytest.fixture(scope="module")
def reviews(corpus, challenge) -> list[Review]:
    return corpus.train + corpus.validation + corpus.test + challenge


def test_there_are_enough(corpus, challenge, reviews):
    assert len(reviews) >= 1_200
    assert len(corpus.train) >= 1_000
    assert len(corpus.validation) >= 150
    assert len(corpus.test) >= 250
    assert len(challenge) == 100


def test_every_part_is_half_positive_kind_by_kind(corpus, challenge):
    for part in (corpus.train, corpus.validation, corpus.test, challenge):
        assert abs(sum(review.label for review in part) / len(part) - 0.5) < 0.02
        for kind in {review.kind for review in part}:
            labels = [review.label for review in part if review.kind == kind]
            assert abs(sum(labels) - len(labels) / 2) <= max(2, 0.1 * len(labels)), kind
    for part in (corpus.train, corpus.validation, corpus.test):
        assert {review.kind for review in part} == KINDS
    assert Counter(review.kind for review in challenge) == {"negation": 50, "irony": 50}


def test_lengths(reviews):
    assert all(5 <= len(review.text.split()) <= 60 for review in reviews)
    positive, negative = (
        sum(len(review.text.split()) for review in reviews if review.label == label)
        / sum(review.label == label for review in reviews)
        for label in (1, 0)
    )
    assert abs(positive - negative) < 2, "length does not give the verdict away"


def test_the_characters(reviews):
    assert [review.text for review in reviews if character_faults(review.text, quotes=True)] == []


def test_no_review_is_another_in_disguise(corpus, challenge, reviews):
    assert len({" ".join(words(review.text)) for review in reviews}) == len(reviews)
    seen = {run for review in corpus.train for run in runs(review.text, 8)}
    held_out = corpus.validation + corpus.test + challenge
    assert [review.text for review in held_out if runs(review.text, 8) & seen] == []


def test_no_word_gives_the_verdict_away(reviews):
    counts = {label: Counter() for label in (0, 1)}
    for review in reviews:
        counts[review.label].update(set(words(review.text)))
    for word in counts[0].keys() | counts[1].keys():
        uses = counts[0][word] + counts[1][word]
        assert uses < 20 or max(counts[0][word], counts[1][word]) / uses <= 0.75, word


def test_a_bag_of_words_does_well_but_not_too_well(corpus, challenge):
    model = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=2_000))
    model.fit([review.text for review in corpus.train], [review.label for review in corpus.train])
    scores = [model.score([r.text for r in part], [r.label for r in part]) for part in (corpus.test, challenge)]
    assert 0.6 < scores[0] < 0.9
    assert scores[1] < 0.7, "the challenge set is not for counting words"
