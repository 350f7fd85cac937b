"""The news articles and the headlines: their form, their facts, and what the first sentences are worth."""

import re
from collections import Counter

import pytest

from tests.support.corpus_rules import character_faults, runs, words
from utils.data import Article, Headline, Splits, load_articles, load_headlines
from utils.metrics import rouge

NUMBER = r"\d[\d,.]*\d|\d"


@pytest.fixture(scope="module")
def articles() -> list[Article]:
    return load_articles()


@pytest.fixture(scope="module")
def headlines() -> Splits[Headline]:
    return load_headlines()


def test_there_are_enough_articles_of_the_right_length(articles):
    assert len(articles) >= 40
    for article in articles:
        assert 120 <= sum(len(sentence.split()) for sentence in article.sentences) <= 300, article.headline
        assert 4 <= len(article.headline.split()) <= 12, article.headline
        assert len(article.summary) == 2
        assert 25 <= sum(len(sentence.split()) for sentence in article.summary) <= 60, article.headline
    assert len({article.headline for article in articles}) == len(articles)


def test_every_sentence_is_one_sentence(articles):
    for article in articles:
        for sentence in [*article.sentences, *article.summary]:
            assert character_faults(sentence, quotes=True) == [], sentence
            assert re.search(r"[.!?]\"?$", sentence), sentence
            assert not re.search(r"(?<!\bDr)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bSt)[.!?] [A-Z](?![^\"]*\")", sentence), (
                sentence
            )
        assert article.headline[-1] not in ".!"
        assert character_faults(article.headline, quotes=True) == []


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


def test_there_are_enough_headlines(headlines):
    assert len(headlines.train) >= 1_200
    assert len(headlines.validation) >= 100
    assert len(headlines.test) >= 150
    assert sum(map(len, (headlines.train, headlines.validation, headlines.test))) >= 1_500


def test_no_news_comes_twice(headlines):
    everything = headlines.train + headlines.validation + headlines.test
    for field in ("sentence", "headline"):
        counts = Counter(getattr(item, field).casefold() for item in everything)
        assert [text for text, count in counts.items() if count > 1] == []
    learnt = {run for item in headlines.train for run in runs(item.sentence, 9)}
    assert [item.sentence for item in headlines.validation + headlines.test if runs(item.sentence, 9) & learnt] == []


def test_headlines_have_the_form_of_headlines(headlines):
    for item in headlines.train + headlines.validation + headlines.test:
        assert character_faults(item.sentence) == character_faults(item.headline) == [], item
        assert item.sentence[-1] == "."
        assert item.headline[-1] not in ".!"
        assert 10 <= len(item.sentence.split()) <= 32, item
        assert 3 <= len(item.headline.split()) <= 9, item


def test_headlines_can_be_written_from_their_sentences_but_not_by_copying_the_first_words(headlines):
    copied = []
    for item in headlines.train:
        source, headline = set(words(item.sentence)), words(item.headline)
        copied.append(sum(word in source for word in headline) / len(headline))
    assert sum(copied) / len(copied) > 0.6
    first = [" ".join(item.sentence.split()[:6]) for item in headlines.test]
    assert rouge(first, [item.headline for item in headlines.test])["rouge1"] < 40
