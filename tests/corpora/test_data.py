import re

import pytest

from utils.data import load_prose


@pytest.fixture(scope="module")
def prose() -> list[str]:
    return load_prose()


def test_there_is_enough_of_it(prose):
    assert 1_000 <= len(prose) <= 2_500
    assert 15_000 <= sum(len(sentence.split()) for sentence in prose) <= 60_000


def test_no_sentence_comes_twice_and_the_order_is_always_the_same(prose):
    assert len(set(prose)) == len(prose)
    assert load_prose() == prose


def test_each_is_one_sentence_of_plain_length(prose):
    for sentence in prose:
        assert sentence[0].isupper(), sentence
        assert sentence[-1] in ".!?", sentence
        assert sentence == " ".join(sentence.split()), "spaces are single, and there are no line breaks"
        assert 4 <= len(sentence.split()) <= 40, sentence


def test_there_is_no_code_in_it(prose):
    marks = re.compile(r"::|>>>|\.\.\.|[{}|\\=<>\[\]`^@#~%\"•]")
    assert [sentence for sentence in prose if marks.search(sentence)] == []
    assert all(sentence.isascii() for sentence in prose)


def test_it_reads_as_english(prose):
    words = [word.strip(".,;:()").lower() for sentence in prose for word in sentence.split()]
    assert words.count("the") > 0.04 * len(words)
    assert sum(word.isalpha() for word in words) > 0.85 * len(words)
