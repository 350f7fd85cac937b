"""The texts the course learns from: its own corpora (``utils/corpora``, with a card each) and real ones, downloaded."""

import csv
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from typing import Generic, NamedTuple, TypeVar

from utils import downloads, number_words

Example = TypeVar("Example")
Link = tuple[int, int]  # (source position, target position), both counted from 0

CORPORA = Path(__file__).parent / "corpora"
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_EMPHASIS = re.compile(r"\*(\S[^*]*?)\*")
_CODE_MARKS = re.compile(r"::=|>>>|\.\.\.|[{}|\\=<>\[\]`^@#~%]|  ")


@dataclass(frozen=True)
class Splits(Generic[Example]):
    """A corpus in three parts: to learn from, to choose settings by, and to measure on once."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]


class Pair(NamedTuple):
    """A sentence in two languages. ``tag`` names its main phenomenon; ``origin`` is how it came about."""

    english: str
    french: str
    tag: str
    origin: str  # "written" one by one, a grammar "drill", or a "caption" of a photograph


class Alignment(NamedTuple):
    """A sentence pair cut into words, and which word translates which. ``possible`` links include the sure ones."""

    english: list[str]
    french: list[str]
    sure: frozenset[Link]
    possible: frozenset[Link]


class Review(NamedTuple):
    """What somebody wrote about a film; ``label`` is 1 if they liked it, 0 if they did not."""

    text: str
    label: int
    kind: str  # plain, contrast, negation, irony, faint-praise; "snippet" in the downloaded set


class Article(NamedTuple):
    """A short news article. ``key_sentences`` are the indices into ``sentences`` that a careful reader would keep."""

    headline: str
    paragraphs: list[list[str]]
    summary: list[str]
    key_sentences: list[int]

    @property
    def sentences(self) -> list[str]:
        """All sentences, in order."""
        return [sentence for paragraph in self.paragraphs for sentence in paragraph]


class Headline(NamedTuple):
    """The first sentence of a news item and its headline."""

    sentence: str
    headline: str


def load_pairs(source: str = "en_fr") -> Splits[Pair]:
    """Return English–French sentence pairs: the course's own (``"en_fr"``), or ``"multi30k"`` from the internet.

    Multi30k is fetched once and kept; 29,000 captions to train on, 1,014 to validate, 1,000 to test. Raises
    ``CourseError`` when it cannot be fetched, ``ValueError`` for another source.
    """
    if source == "en_fr":
        return _splits(
            (row["split"], Pair(row["english"], row["french"], row["tag"], row["origin"])) for row in _rows("en_fr.tsv")
        )
    if source == "multi30k":
        parts = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
        return _splits(
            (split, Pair(english, french, "caption", "caption"))
            for split, part in parts.items()
            for english, french in downloads.multi30k(part)
        )
    raise ValueError(f'there are no sentence pairs called {source!r}; the sources are "en_fr" and "multi30k".')


def load_alignments() -> list[Alignment]:
    """Return the gold word alignments of 100 test pairs, in words as ``utils.text.word_tokens`` cuts them."""
    return [
        Alignment(
            row["english"].split(" "),
            row["french"].split(" "),
            sure := _links(row["sure"]),
            sure | _links(row["possible"]),
        )
        for row in _rows("alignments.tsv")
    ]


def load_reviews(source: str = "reviews") -> Splits[Review]:
    """Return labelled film reviews: the course's own, or ``"sentence-polarity"`` from the internet.

    The sentence polarity set is fetched once and kept; as it comes without a split, a tenth of it goes to validation
    and a tenth to test, chosen by each text's SHA-256. Raises ``CourseError`` when it cannot be fetched, ``ValueError``
    for another source.
    """
    if source == "reviews":
        return _splits((split, review) for split, review in _reviews() if split != "challenge")
    if source == "sentence-polarity":
        return _splits(
            (_drawn_split(text), Review(text, int(label == "positive"), "snippet"))
            for label, texts in downloads.sentence_polarity().items()
            for text in texts
        )
    raise ValueError(f'there are no reviews called {source!r}; the sources are "reviews" and "sentence-polarity".')


def load_hard_reviews() -> list[Review]:
    """Return the challenge set: 100 reviews whose words point the wrong way, by negation or irony, for testing only."""
    return [review for split, review in _reviews() if split == "challenge"]


def load_articles() -> list[Article]:
    """Return the course's news articles, in the order of their file names."""
    files = sorted((CORPORA / "articles").glob("*.json"))
    return [Article(**json.loads(file.read_text("utf-8"))) for file in files]


def load_headlines() -> Splits[Headline]:
    """Return the course's pairs of a news item's first sentence and its headline."""
    return _splits(
        (row["split"], Headline(row["sentence"], row["headline"])) for row in _rows("articles/headlines.tsv")
    )


def load_prose() -> list[str]:
    """Return the English sentences of the interpreter's own manual (``pydoc_data.topics``), in order, without repeats.

    Sentences that hold code or grammar rules are left out, and the marks around names and emphasised words are
    dropped: what stays is between one and two thousand sentences of plain technical English, which every Python
    carries. The text is that of the running Python version, so the counts differ a little from one version to the
    next.
    """
    sentences: dict[str, None] = {}
    for _, topic in sorted(topics.items()):
        for paragraph in _PARAGRAPH.split(topic):
            text = " ".join(paragraph.replace('"', "").split()).removeprefix("• ").removeprefix("* ")
            text = _EMPHASIS.sub(r"\1", text)
            for sentence in _SENTENCE_END.split(text):
                if _is_prose(sentence):
                    sentences[sentence] = None
    return list(sentences)


def load_numbers() -> list[tuple[str, str]]:
    """Return the numbers 0–999 in words as (English, French) pairs, in order: a complete little translation task.

    British English ("three hundred and seven") and the traditional French spelling, hyphens only below a hundred
    ("trois cent quatre-vingt-dix-sept").
    """
    return [(number_words.english(number), number_words.french(number)) for number in range(1000)]


def _rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a table with tabs between columns, each by the names in the first line; quotes are text."""
    with (CORPORA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _splits(examples) -> Splits:
    """Sort (split, example) pairs into their splits, in order."""
    parts: dict[str, list] = {"train": [], "validation": [], "test": []}
    for split, example in examples:
        parts[split].append(example)
    return Splits(**parts)


def _reviews() -> list[tuple[str, Review]]:
    return [
        (row["split"], Review(row["text"], int(row["label"] == "positive"), row["kind"]))
        for row in _rows("reviews.tsv")
    ]


def _links(text: str) -> frozenset[Link]:
    """Read ``"0-0 1-2"``."""
    return frozenset((int(source), int(target)) for source, target in (link.split("-") for link in text.split()))


def _drawn_split(text: str) -> str:
    draw = int(hashlib.sha256(text.encode("utf-8")).hexdigest(), 16) % 10
    return {0: "test", 1: "validation"}.get(draw, "train")


def _is_prose(sentence: str) -> bool:
    """Say whether a sentence starts with a capital, ends with a full stop, has 4–40 words and no code in it."""
    return (
        4 <= len(sentence.split()) <= 40
        and sentence[0].isupper()
        and sentence[-1] in ".!?"
        and sentence.isascii()
        and not _CODE_MARKS.search(sentence)
    )
