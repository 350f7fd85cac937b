"""The news articles and the headlines: their form, their facts, and what the first sentences are worth."""

import re

import pytest

from tests.support.corpus_rules import words
from utils.data import Article, Headline, Splits, load_articles, load_headlines
from utils.metrics import rouge

NUMBER = r"\d[\d,.]*\d|\d"
END_WITHIN = r"(?<!\bDr)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bSt)[.!?] [A-Z](?![^\"]*\")"


@pytest.fixture(scope="module")
def articles() -> list[Article]:
    return load_articles()


@pytest.fixture(scope="module")
def headlines() -> Splits[Headline]:
    return load_headlines()


def test_articles_have_the_right_length_and_single_sentences(articles):
    for article in articles:
        assert 120 <= sum(len(sentence.split()) for sentence in article.sentences) <= 300, article.headline
        assert len(article.summary) == 2, article.headline
        assert 25 <= sum(len(sentence.split()) for sentence in article.summary) <= 60, article.headline
        for sentence in [*article.sentences, *article.summary]:
            assert not re.search(END_WITHIN, sentence), sentence


def test_summaries_and_headlines_invent_no_number_and_no_name(articles):
    for article in articles:
        text = " ".join(article.sentences)
        numbers = set(re.findall(NUMBER, text))
        for line in [*article.summary, article.headline]:
            assert set(re.findall(NUMBER, line)) <= numbers, line
            for name in re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", line):
                assert name in text, f"{name}: {line}"


def test_key_sentences_are_spread(articles):
    for article in articles:
        assert article.key_sentences == sorted(set(article.key_sentences))
        assert 2 <= len(article.key_sentences) <= 4
        assert article.key_sentences[-1] < len(article.sentences)
    places = [place for article in articles for place in article.key_sentences]
    assert 0.2 < sum(place < 3 for place in places) / len(places) < 0.6
    assert sum(0 not in article.key_sentences for article in articles) >= 16


def test_the_first_three_sentences_are_good_but_not_unbeatable(articles):
    summaries = [" ".join(article.summary) for article in articles]

    def score(chosen: list[list[str]]) -> float:
        return rouge([" ".join(sentences) for sentences in chosen], summaries)["rouge1"]

    lead = score([article.sentences[:3] for article in articles])
    key = score([[article.sentences[place] for place in article.key_sentences] for article in articles])
    last = score([article.sentences[-3:] for article in articles])
    assert last + 5 < lead < key - 5


def test_headlines_can_be_written_from_their_sentences_but_not_by_copying_the_first_words(headlines):
    copied = []
    for item in headlines.train:
        source, headline = set(words(item.sentence)), words(item.headline)
        copied.append(sum(word in source for word in headline) / len(headline))
    assert sum(copied) / len(copied) > 0.6
    first = [" ".join(item.sentence.split()[:6]) for item in headlines.test]
    assert rouge(first, [item.headline for item in headlines.test])["rouge1"] < 40
