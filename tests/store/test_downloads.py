"""The corpora from the internet, fetched from a server on this machine; the real ones where copies lie beside it."""

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from tests.support.loopback import Loopback, assert_one_plain_sentence, closed_port_url
from utils import downloads
from utils.course import ROOT
from utils.data import Pair, Review, Splits, load_pairs, load_reviews
from utils.errors import CourseError

COPIES = ROOT.parent / "shared" / "data"  # not part of the course: where they are missing, these tests are skipped
CAPTIONS = {
    "train": [("A dog runs.", "Un chien court."), ("Two men.", "Deux hommes.")],
    "val": [("A red hat.", "Un chapeau rouge.")],
    "test_2016_flickr": [("A girl reads.", "Une fille lit.")],
}
SNIPPETS = {"neg": "dull , and long . \nnot a film \x96 a nap\n", "pos": "it's a joy . \nclever and kind .\n"}


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    return tmp_path / "corpora"


@pytest.fixture
def site(server: Loopback, cache, monkeypatch) -> Loopback:
    """Serve small files in the place of the real ones, with checksums of their own."""
    files = {
        f"{part}.{language}.gz": gzip.compress("".join(f"{pair[side]}\n" for pair in pairs).encode())
        for part, pairs in CAPTIONS.items()
        for side, language in enumerate(("en", "fr"))
    }
    archive = zipped({f"sentence_polarity/rt-polarity.{label}": text for label, text in SNIPPETS.items()})
    for name, body in {**files, "sentence_polarity.zip": archive}.items():
        server.serve(f"/{name}", body)
        table = downloads.MULTI30K_SHA256 if name in files else downloads.POLARITY_SHA256
        monkeypatch.setitem(table, name, hashlib.sha256(body).hexdigest())
    monkeypatch.setattr(downloads, "MULTI30K_URL", server.url)
    monkeypatch.setattr(downloads, "POLARITY_URL", server.url)
    return server


def test_captions_arrive_as_the_same_objects_as_the_courses_own_pairs(site):
    captions = load_pairs("multi30k")
    assert captions.train == [Pair(english, french, "caption", "caption") for english, french in CAPTIONS["train"]]
    assert [pair.english for pair in captions.validation + captions.test] == ["A red hat.", "A girl reads."]
    assert same_shape(captions, load_pairs())


def test_snippets_arrive_as_the_same_objects_as_the_courses_own_reviews(site):
    snippets = load_reviews("sentence-polarity")
    everything = snippets.train + snippets.validation + snippets.test
    assert sorted(everything) == sorted(
        Review(text, label, "snippet")
        for text, label in [
            ("dull , and long .", 0),
            ("not a film – a nap", 0),
            ("it's a joy .", 1),
            ("clever and kind .", 1),
        ]
    )
    assert same_shape(snippets, load_reviews())


def same_shape(first: Splits, second: Splits) -> bool:
    """Tell whether two corpora hold the same kind of object, field by field."""
    one, other = first.train[0], second.train[0]
    return type(one) is type(other) and [type(value) for value in one] == [type(value) for value in other]


@pytest.mark.parametrize("load", [lambda: load_pairs("multi30k"), lambda: load_reviews("sentence-polarity")])
def test_what_was_fetched_once_needs_no_network(site, cache, load):
    first = load()
    fetched = dict(site.gets)
    assert load() == first
    assert dict(site.gets) == fetched
    site.pages.clear()
    assert load() == first
    damaged = next(cache.iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(CourseError, match=r"no longer has it \(error 404\)"):
        load()


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (lambda: load_pairs("multi30k"), "Multi30k (train.fr.gz)"),
        (lambda: load_reviews("sentence-polarity"), "The sentence polarity set (sentence_polarity.zip)"),
    ],
    ids=["multi30k", "sentence-polarity"],
)
class TestFaults:
    """Each fault of the way ends in one plain sentence, leaves no part of a file, and is over once the way is clear."""

    def fails(self, load, cache, name: str, remedy: str) -> None:
        with pytest.raises(CourseError) as caught:
            load()
        assert str(caught.value).startswith(name)
        assert_one_plain_sentence(str(caught.value), remedy=remedy)
        file = name.partition("(")[2].rstrip(")")
        assert [path.name for path in cache.glob(f"*{file}*")] == []

    def page(self, site, name):
        return site.pages["/" + name.partition("(")[2].rstrip(")")]

    def test_another_file_in_its_place(self, site, cache, load, name):
        page = self.page(site, name)
        page.sent = page.body[:-1] + b"?"
        self.fails(load, cache, name, "run this again")
        page.sent = None
        assert load().train

    def test_a_connection_that_breaks_off(self, site, cache, load, name):
        self.page(site, name).cuts = 1
        self.fails(load, cache, name, "run this again")
        assert load().train

    def test_a_server_in_trouble(self, site, cache, load, name):
        page = self.page(site, name)
        page.status = 503
        self.fails(load, cache, name, "run this again")
        page.status = 200
        assert load().train

    def test_no_network(self, site, cache, load, name, monkeypatch):
        for address in ("MULTI30K_URL", "POLARITY_URL"):
            monkeypatch.setattr(downloads, address, closed_port_url())
        self.fails(load, cache, name.replace(".fr.", ".en."), "internet connection")


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
    assert all(pair.english and pair.french for pair in captions.train + captions.validation + captions.test)


def test_the_real_snippets(copies):
    snippets = load_reviews("sentence-polarity")
    everything = snippets.train + snippets.validation + snippets.test
    assert len(everything) == 10_662
    assert sum(review.label for review in everything) == 5_331
    for part in (snippets.validation, snippets.test):
        assert 950 <= len(part) <= 1_200
        assert 0.45 < sum(review.label for review in part) / len(part) < 0.55
    assert not {review.text for review in snippets.train} & {review.text for review in snippets.test}
    assert not any("\x80" <= letter <= "\x9f" for review in everything for letter in review.text)
