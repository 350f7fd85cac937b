"""Every corpus has a card, and the numbers on it are those of the corpus."""

import re

from tests.support.corpus_rules import words
from utils.data import (
    CORPORA,
    load_alignments,
    load_articles,
    load_hard_reviews,
    load_headlines,
    load_pairs,
    load_reviews,
)

HEADINGS = ["Counts", "How it was made", "Quality", "Limits and biases", "Licence"]
DATA = ("en_fr.tsv", "alignments.tsv", "reviews.tsv", "articles")


def splits(corpus) -> dict[str, int]:
    return {name: len(getattr(corpus, name)) for name in ("train", "validation", "test")}


def pair_counts() -> dict[str, int]:
    corpus = load_pairs()
    pairs = corpus.train + corpus.validation + corpus.test
    forms = {
        language: {word.rstrip("-'") for pair in pairs for word in words(getattr(pair, language))}
        for language in ("english", "french")
    }
    return splits(corpus) | {
        "pairs": len(pairs),
        "written one by one": sum(pair.origin == "written" for pair in pairs),
        "drills": sum(pair.origin == "drill" for pair in pairs),
        "English word forms": len(forms["english"]),
        "French word forms": len(forms["french"]),
    }


def alignment_counts() -> dict[str, int]:
    alignments = load_alignments()
    return {
        "sentence pairs": len(alignments),
        "sure links": sum(len(each.sure) for each in alignments),
        "possible links": sum(len(each.possible - each.sure) for each in alignments),
    }


def review_counts() -> dict[str, int]:
    corpus, challenge = load_reviews(), load_hard_reviews()
    reviews = corpus.train + corpus.validation + corpus.test + challenge
    totals = {"reviews": len(reviews), "positive": sum(review.label for review in reviews)}
    return totals | splits(corpus) | {"challenge": len(challenge)}


def article_counts() -> dict[str, int]:
    articles, headlines = load_articles(), load_headlines()
    return splits(headlines) | {
        "articles": len(articles),
        "sentences in articles": sum(len(article.sentences) for article in articles),
        "key sentences": sum(len(article.key_sentences) for article in articles),
        "headline pairs": sum(splits(headlines).values()),
    }


COUNTS = {
    "en_fr.md": pair_counts,
    "alignments.md": alignment_counts,
    "reviews.md": review_counts,
    "articles.md": article_counts,
}


def test_every_corpus_has_a_card():
    assert {path.name for path in CORPORA.glob("*.md")} == {*COUNTS, "prose.md"}
    assert {path.name for path in CORPORA.iterdir() if path.suffix != ".md"} == set(DATA)


def test_every_card_says_what_a_card_should(subtests):
    for card in (*COUNTS, "prose.md"):
        with subtests.test(card):
            text = (CORPORA / card).read_text("utf-8")
            found = [heading for heading in re.findall(r"^## (.*)$", text, re.MULTILINE) if heading in HEADINGS]
            assert sorted(set(found)) == sorted(HEADINGS)
            assert "CC BY 4.0" in text or card == "prose.md"


def test_the_counts_on_the_card_are_true(subtests):
    for card, count in COUNTS.items():
        with subtests.test(card):
            counts = re.findall(r"^\| ([\w ]+) \| ([\d,]+) \|$", (CORPORA / card).read_text("utf-8"), re.MULTILINE)
            assert {name: int(number.replace(",", "")) for name, number in counts} == count()
