"""The corpora from the internet: what arrives; the real ones where copies lie beside the course."""

import pytest

from tests.support.loopback import Loopback
from tests.support.wanted import CAPTIONS
from utils import downloads
from utils.course import ROOT
from utils.data import Pair, Review, Splits, load_pairs, load_reviews
from utils.errors import CourseError

COPIES = ROOT.parent / "shared" / "data"  # not part of the course: where they are missing, these tests are skipped


def every(corpus: Splits) -> list:
    return corpus.train + corpus.validation + corpus.test


def test_captions_arrive_as_the_same_objects_as_the_courses_own_pairs(captions):
    arrived = captions.get()
    assert arrived.train == [Pair(english, french, "caption", "caption") for english, french in CAPTIONS["train"]]
    assert [pair.english for pair in arrived.validation + arrived.test] == ["A red hat.", "A girl reads."]
    assert same_shape(arrived, load_pairs())


def test_snippets_arrive_as_the_same_objects_as_the_courses_own_reviews(snippets):
    arrived = snippets.get()
    texts = {"dull , and long .": 0, "not a film – a nap": 0, "it's a joy .": 1, "clever and kind .": 1}
    assert sorted(every(arrived)) == sorted(Review(text, label, "snippet") for text, label in texts.items())
    assert same_shape(arrived, load_reviews())


def same_shape(first: Splits, second: Splits) -> bool:
    """Tell whether two corpora hold the same kind of object, field by field."""
    one, other = first.train[0], second.train[0]
    return type(one) is type(other) and [type(value) for value in one] == [type(value) for value in other]


@pytest.mark.parametrize("load", [load_pairs, load_reviews])
def test_a_source_that_is_not_there_is_named_with_those_that_are(load):
    with pytest.raises(ValueError, match=r"called 'wmt'; the sources are \"\w+\" and \"[\w-]+\"\.$"):
        load("wmt")


def test_addresses_are_pinned_to_a_commit():
    for address in (downloads.MULTI30K_URL, downloads.POLARITY_URL):
        assert address.startswith("https://raw.githubusercontent.com/")
        assert any(len(part) == 40 and int(part, 16) for part in address.split("/") if len(part) == 40)


@pytest.fixture
def copies(server: Loopback, cache, monkeypatch) -> None:
    """Serve the real files, with the checksums that the course pins."""
    if not COPIES.is_dir():
        pytest.skip("there is no copy of the real corpora beside the course")
    for name in downloads.MULTI30K_SHA256:
        server.serve(f"/{name}", (COPIES / "multi30k" / name).read_bytes())
    server.serve("/sentence_polarity.zip", (COPIES / "sentence_polarity.zip").read_bytes())
    monkeypatch.setattr(downloads, "MULTI30K_URL", server.url)
    monkeypatch.setattr(downloads, "POLARITY_URL", server.url)


def test_the_real_captions(copies):
    captions = load_pairs("multi30k")
    assert [len(part) for part in (captions.train, captions.validation, captions.test)] == [29_000, 1_014, 1_000]
    assert all(pair.english and pair.french for pair in every(captions))


def test_the_real_snippets(copies):
    snippets = load_reviews("sentence-polarity")
    assert len(every(snippets)) == 10_662
    assert sum(review.label for review in every(snippets)) == 5_331
    for part in (snippets.validation, snippets.test):
        assert 950 <= len(part) <= 1_200
        assert 0.45 < sum(review.label for review in part) / len(part) < 0.55
    assert not {review.text for review in snippets.train} & {review.text for review in snippets.test}
    assert not any("\x80" <= letter <= "\x9f" for review in every(snippets) for letter in review.text)


def test_the_file_that_failed_is_named_and_those_before_it_are_kept(captions):
    captions.server.pages["/train.fr.gz"].status = 404
    with pytest.raises(CourseError, match=r"^Multi30k \(train\.fr\.gz\) .*error 404"):
        captions.get()
    assert captions.listing() == {"train.en.gz"}
