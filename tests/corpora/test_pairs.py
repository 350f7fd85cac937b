"""The English–French corpus: its size, its splits, its spelling, and that nothing of the test is learnt by heart."""

from collections import Counter

import pytest

from tests.support.corpus_rules import (
    character_faults,
    english_faults,
    french_faults,
    normal_form,
    one_word_apart,
    words,
)
from utils.data import Pair, Splits, load_pairs
from utils.text import train_word_tokenizer

TAGS = (
    "greeting negation question adjective object-pronoun past imperfect future partitive contraction possessive "
    "reflexive imperative modal comparison time place there-is relative avoir present"
).split()


@pytest.fixture(scope="module")
def corpus() -> Splits[Pair]:
    return load_pairs()


@pytest.fixture(scope="module")
def pairs(corpus) -> list[Pair]:
    return corpus.train + corpus.validation + corpus.test


def test_there_are_enough(corpus, pairs):
    assert len(pairs) >= 6_000
    assert sum(pair.origin == "written" for pair in pairs) >= 2_500
    assert len(corpus.test) >= 400
    assert len(corpus.validation) >= 200
    assert {pair.origin for pair in pairs} == {"written", "drill"}
    assert {pair.origin for pair in corpus.test + corpus.validation} == {"written"}, "drills are for learning only"


def test_every_phenomenon_is_tested(corpus, pairs):
    assert {pair.tag for pair in pairs} == set(TAGS)
    assert min(Counter(pair.tag for pair in corpus.test).values()) >= 20
    assert min(Counter(pair.tag for pair in corpus.validation).values()) >= 5


def test_no_sentence_comes_twice(pairs):
    english = Counter(" ".join(words(pair.english)) + pair.english[-1] for pair in pairs)
    assert [text for text, count in english.items() if count > 1] == []


@pytest.mark.parametrize("language", ["english", "french"])
@pytest.mark.parametrize("part", ["test", "validation"])
def test_nothing_held_out_is_learnt_by_heart(corpus, language, part):
    learnt = {normal_form(getattr(pair, language)) for pair in corpus.train}
    assert [pair for pair in getattr(corpus, part) if normal_form(getattr(pair, language)) in learnt] == []


@pytest.mark.parametrize("language", ["english", "french"])
def test_nothing_held_out_is_one_word_away_from_what_is_learnt(corpus, language):
    learnt = {key for pair in corpus.train for key in one_word_apart(getattr(pair, language))}
    near = [pair for pair in corpus.test + corpus.validation if one_word_apart(getattr(pair, language)) & learnt]
    assert near == []


@pytest.mark.parametrize("language", ["english", "french"])
def test_test_and_validation_have_no_sentence_in_common(corpus, language):
    test, validation = (
        {normal_form(getattr(pair, language)) for pair in part} for part in (corpus.test, corpus.validation)
    )
    assert test & validation == set()
    assert len(test) == len(corpus.test)


@pytest.mark.parametrize("language", ["english", "french"])
def test_every_word_of_the_test_was_seen_three_times(corpus, language):
    seen = Counter(word for pair in corpus.train for word in words(getattr(pair, language)))
    assert {word for pair in corpus.test for word in words(getattr(pair, language)) if seen[word] < 3} == set()


def test_the_vocabulary_is_a_beginners(pairs):
    for language in ("english", "french"):
        forms = {word.rstrip("-'") for pair in pairs for word in words(getattr(pair, language))}
        assert 1_000 <= len(forms) <= 1_500, language  # each form counts: va, vas, vais, aller …


def test_lengths(pairs):
    assert [pair for pair in pairs if not 1 <= len(pair.english.split()) <= 13] == []
    ratio = [len(words(pair.french)) / len(words(pair.english)) for pair in pairs]
    assert all(0.2 <= each <= 4 for each in ratio), "a sentence and its translation are about as long"


def test_every_sentence_is_well_spelt(pairs):
    faults = {}
    for pair in pairs:
        found = character_faults(pair.english) + character_faults(pair.french)
        found += english_faults(pair.english) + french_faults(pair.french)
        if found:
            faults[pair] = found
        assert pair.english[0].isupper(), pair
        assert pair.french[0].isupper(), pair
        assert pair.english[-1] == pair.french[-1], pair
        assert pair.english[-1] in ".?!", pair
    assert faults == {}


def test_negations_are_whole(pairs):
    for pair in pairs:
        if pair.tag == "negation":
            assert {"ne", "n'", "non", "pas"} & set(words(pair.french)), pair


def test_the_slides_own_sentence_is_tested_and_never_learnt(corpus):
    assert "Hello, how are you?" in {pair.english for pair in corpus.test}


def test_word_tokenisers_give_every_sentence_back(pairs):
    english = train_word_tokenizer(pair.english for pair in pairs)
    french = train_word_tokenizer((pair.french for pair in pairs), french_spacing=True)
    for pair in pairs:
        assert english.decode(english.encode(pair.english)) == pair.english
        assert french.decode(french.encode(pair.french)) == pair.french


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Où vas-tu?", "a space is missing"),
        ("Je arrive.", "not elided"),
        ("Il faut que il parte.", "not elided"),
        ("Si il pleut, je reste.", "si is not elided"),
        ("Je vais à le marché.", "not contracted"),
        ("Le chien de les voisins.", "not contracted"),
        ("Ce homme est grand.", "ce stands before a vowel"),
        ("L'haut mur.", ""),
        ("J'mange une pomme.", "before a consonant"),
        ("C'est un beau arbre.", "beau"),
        ("Ma amie chante.", "ma, ta or sa"),
        ("Ma soeur chante.", "œ"),
        ("Je ne sais.", "no second part"),
        ("Il est là .", "before a comma"),
    ],
)
def test_faults_of_french_are_found(text, fault):
    assert any(fault in found for found in french_faults(text)) or not fault


@pytest.mark.parametrize(
    "text",
    [
        "Donne-le à Marie !",
        "Est-ce à Paris ?",
        "J'ai envie de le voir.",
        "La onzième page, le huit mai, la haute montagne.",
        "Il n'y a personne à l'hôtel.",
        "Je n'ai que dix euros, mais aujourd'hui c'est assez.",
        "S'il te plaît, qu'est-ce que c'est ?",
        "Nous commençons à les comprendre.",
    ],
)
def test_good_french_passes(text):
    assert french_faults(text) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Marie has two cats.", "Paul has three cats!"),
        ("Where is Tom, please?", "Where is Anna please?"),
        ("Il a 3 chats.", "Il a dix chats."),
    ],
)
def test_twins_are_told(one, other):
    assert normal_form(one) == normal_form(other)
    assert normal_form(one) != normal_form(
        one.replace("has", "had").replace("Where", "Here").replace("chats", "chiens")
    )


@pytest.mark.parametrize("other", ["The old dog sleeps.", "The dog sleeps here.", "The cat sleeps.", "Dog sleeps."])
def test_sentences_one_word_apart_are_told(other):
    assert one_word_apart("The dog sleeps.") & one_word_apart(other)
    assert not one_word_apart("The dog sleeps.") & one_word_apart("My brother is reading.")


@pytest.mark.parametrize("text", ["A apple.", "An dog.", "an house", "We saw a old man.", "and i know", "Yes ."])
def test_faults_of_english_are_found(text):
    assert english_faults(text)


def test_good_english_passes():
    assert english_faults("An hour in a European university, a one-way ticket, an apple, a useful hat.") == []
