"""The rules that the texts of all corpora obey: enough of them, well formed, none twice, and no test given away."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.support.corpus_rules import character_faults, one_word_apart, runs, words
from utils.data import load_articles, load_hard_reviews, load_headlines, load_pairs, load_prose, load_reviews


@dataclass(frozen=True)
class Texts:
    """One kind of text in a corpus, part by part, and what is asked of it."""

    parts: dict[str, list[str]]
    least: dict[str, int]  # so many of a part, or of "all"
    length: tuple[int, int]  # in words
    begins: str = r"\"?[A-ZÀ-Ý0-9]"
    ends: str = r"[.?!]$"
    quotes: bool = False  # straight ones are allowed
    same: Callable[[str], str] | None = lambda text: " ".join(words(text))  # what no two texts share
    near: Callable[[str], set] | None = None  # what no held-out text shares with one to learn from

    @property
    def all(self) -> list[str]:
        return [text for part in self.parts.values() for text in part]


def column(corpus, field: str) -> dict[str, list[str]]:
    """Return one field of each example, part by part."""
    return {part: [getattr(each, field) for each in examples] for part, examples in vars(corpus).items()}


@pytest.fixture(scope="module")
def corpora() -> dict[str, Texts]:
    pairs, headlines, articles = load_pairs(), load_headlines(), load_articles()
    reviews = column(load_reviews(), "text") | {"challenge": [review.text for review in load_hard_reviews()]}
    news = {"train": 1_200, "validation": 100, "test": 150, "all": 1_500}
    lines = [line for article in articles for line in (*article.sentences, *article.summary)]
    return {
        "English": Texts(
            column(pairs, "english"),
            {"validation": 200, "test": 400, "all": 6_000},
            (1, 13),
            begins=r"[A-ZÀ-Ý]",
            same=lambda text: " ".join(words(text)) + text[-1],  # a question and its answer may have the same words
            near=one_word_apart,
        ),
        "French": Texts(column(pairs, "french"), {}, (1, 20), begins=r"[A-ZÀ-Ý]", same=None, near=one_word_apart),
        "reviews": Texts(
            reviews,
            {"train": 1_000, "validation": 150, "test": 250, "challenge": 100},
            (5, 60),
            begins="",
            ends="",
            quotes=True,
            near=lambda text: runs(text, 8),
        ),
        "first sentences": Texts(
            column(headlines, "sentence"), news, (10, 32), ends=r"\.$", near=lambda text: runs(text, 9)
        ),
        "headlines": Texts(column(headlines, "headline"), news, (3, 9), ends=r"[^.!]$"),
        "articles": Texts({"all": lines}, {}, (1, 60), ends=r"[.!?]\"?$", quotes=True, same=None),
        "articles' headlines": Texts(
            {"all": [article.headline for article in articles]}, {"all": 40}, (4, 12), ends=r"[^.!]$", quotes=True
        ),
        "prose": Texts({"all": load_prose()}, {"all": 1_000}, (4, 40), same=str),
    }


def test_there_are_enough(corpora):
    faults = []
    for name, texts in corpora.items():
        sizes = {part: len(found) for part, found in texts.parts.items()} | {"all": len(texts.all)}
        faults += [f"{name}: {sizes[part]} of {part}" for part, least in texts.least.items() if sizes[part] < least]
    assert faults == []


def test_every_text_is_well_formed(corpora):
    faults = []
    for name, texts in corpora.items():
        for text in texts.all:
            found = character_faults(text, quotes=texts.quotes)
            if name == "prose":  # a manual has marks of its own
                found = [fault for fault in found if "odd characters" not in fault]
            if not texts.length[0] <= len(text.split()) <= texts.length[1]:
                found.append(f"{len(text.split())} words")
            if not re.search(texts.ends, text):
                found.append("it ends with the wrong mark")
            if not re.match(texts.begins, text):
                found.append("it begins with the wrong letter")
            faults += [f"{name}, {text!r}: {fault}" for fault in found]
    assert faults == []


def test_no_text_comes_twice(corpora):
    faults = []
    for name, texts in corpora.items():
        counts = Counter(map(texts.same, texts.all)) if texts.same else {}
        faults += [f"{name}: {text}" for text, count in counts.items() if count > 1]
    assert faults == []


def test_nothing_held_out_is_near_to_what_is_learnt(corpora):
    faults = []
    for name, texts in corpora.items():
        if texts.near:
            learnt = {key for text in texts.parts["train"] for key in texts.near(text)}
            held_out = [text for part, found in texts.parts.items() if part != "train" for text in found]
            faults += [f"{name}: {text}" for text in held_out if texts.near(text) & learnt]
    assert faults == []
