"""The gold alignments: they belong to test pairs, their positions exist, and they are worth something as a measure."""

import pytest

from utils.data import Alignment, load_alignments, load_pairs
from utils.metrics import alignment_error_rate
from utils.text import word_tokens

MARKS = set(".,?!")


@pytest.fixture(scope="module")
def alignments() -> list[Alignment]:
    return load_alignments()


def test_a_hundred_test_pairs_are_aligned(alignments):
    test = {(tuple(word_tokens(pair.english)), tuple(word_tokens(pair.french))) for pair in load_pairs().test}
    aligned = [(tuple(each.english), tuple(each.french)) for each in alignments]
    assert len(set(aligned)) == len(aligned) == 100
    assert set(aligned) <= test


def test_links_stay_within_their_sentences(alignments):
    for each in alignments:
        assert each.sure <= each.possible
        assert all(0 <= e < len(each.english) and 0 <= f < len(each.french) for e, f in each.possible), each.english


def test_every_phenomenon_that_lessons_look_at_is_there(alignments):
    tags = {pair.english: pair.tag for pair in load_pairs().test}
    found = [tags[text] for text in tags if word_tokens(text) in [each.english for each in alignments]]
    assert set(found) == set(tags.values())
    assert min(found.count("object-pronoun"), found.count("adjective")) >= 5


def test_marks_names_and_most_words_are_linked(alignments):
    linked = words = 0
    for each in alignments:
        marks = {(e, f) for e, f in each.possible if {each.english[e], each.french[f]} & MARKS}
        assert all(each.english[e] == each.french[f] for e, f in marks), each.english
        assert (len(each.english) - 1, len(each.french) - 1) in each.sure, "the last mark goes with the last mark"
        linked += len({f for _, f in each.possible})
        words += len(each.french)
    assert linked / words > 0.9


def test_the_measure_tells_a_diagonal_from_the_truth(alignments):
    gold = alignment_error_rate(*(everywhere(alignments, name) for name in ("sure", "sure", "possible")))
    diagonal = {
        (number, round(f * (len(each.english) - 1) / max(1, len(each.french) - 1)), f)
        for number, each in enumerate(alignments)
        for f in range(len(each.french))
    }
    baseline = alignment_error_rate(
        {((n, e), (n, f)) for n, e, f in diagonal}, everywhere(alignments, "sure"), everywhere(alignments, "possible")
    )
    assert gold == 0
    assert 0.2 < baseline < 0.7, "a diagonal is neither right nor useless"


def everywhere(alignments: list[Alignment], name: str) -> set[tuple]:
    """Return the links of all sentences in one set, their positions made distinct."""
    return {((number, e), (number, f)) for number, each in enumerate(alignments) for e, f in getattr(each, name)}
