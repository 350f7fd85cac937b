"""The English–French corpus: its phenomena, its spelling, and that every word of the test can be learnt."""

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


def test_pairs_are_written_one_by_one_and_drills_are_for_learning_only(corpus, pairs):
    assert sum(pair.origin == "written" for pair in pairs) >= 2_500
    assert {pair.origin for pair in pairs} == {"written", "drill"}
    assert {pair.origin for pair in corpus.test + corpus.validation} == {"written"}


def test_every_phenomenon_is_tested(corpus, pairs):
    assert {pair.tag for pair in pairs} == set(TAGS)
    assert min(Counter(pair.tag for pair in corpus.test).values()) >= 20
    assert min(Counter(pair.tag for pair in corpus.validation).values()) >= 5
    assert "Hello, how are you?" in {pair.english for pair in corpus.test}, "the slides' own sentence is never learnt"


@pytest.mark.parametrize("language", ["english", "french"])
def test_what_is_tested_can_be_learnt_and_is_tested_once(corpus, pairs, language):
    test, validation = (
        {normal_form(getattr(pair, language)) for pair in part} for part in (corpus.test, corpus.validation)
    )
    assert test & validation == set()
    assert len(test) == len(corpus.test)
    seen = Counter(word for pair in corpus.train for word in words(getattr(pair, language)))
    assert {word for pair in corpus.test for word in words(getattr(pair, language)) if seen[word] < 3} == set()
    forms = {word.rstrip("-'") for pair in pairs for word in words(getattr(pair, language))}
    assert 1_000 <= len(forms) <= 1_500, "a beginner's vocabulary; each form counts: va, vas, vais, aller …"


def test_every_sentence_is_well_spelt_and_about_as_long_as_its_translation(pairs):
    faults = {}
    for pair in pairs:
        found = english_faults(pair.english) + french_faults(pair.french)
        if pair.english[-1] != pair.french[-1]:
            found.append("the last marks differ")
        if not 0.2 <= len(words(pair.french)) / len(words(pair.english)) <= 4:
            found.append("one is much longer")
        if pair.tag == "negation" and not {"ne", "n'", "non", "pas"} & set(words(pair.french)):
            found.append("the negation is missing")
        if found:
            faults[pair] = found
    assert faults == {}


def test_word_tokenisers_give_every_sentence_back(pairs):
    english = train_word_tokenizer(pair.english for pair in pairs)
    french = train_word_tokenizer((pair.french for pair in pairs), french_spacing=True)
    for pair in pairs:
        assert english.decode(english.encode(pair.english)) == pair.english
        assert french.decode(french.encode(pair.french)) == pair.french


# --- the rules must be able to fail

FRENCH_FAULTS = {
    "Où vas-tu?": "a space is missing",
    "Je arrive.": "not elided",
    "Il faut que il parte.": "not elided",
    "Si il pleut, je reste.": "si is not elided",
    "Je vais à le marché.": "not contracted",
    "Le chien de les voisins.": "not contracted",
    "Ce homme est grand.": "ce stands before a vowel",
    "J'mange une pomme.": "before a consonant",
    "C'est un beau arbre.": "beau",
    "Ma amie chante.": "ma, ta or sa",
    "Ma soeur chante.": "œ",
    "Je ne sais.": "no second part",
    "Il est là .": "before a comma",
}
GOOD_FRENCH = (
    "Donne-le à Marie !",
    "Est-ce à Paris ?",
    "J'ai envie de le voir.",
    "La onzième page, le huit mai, la haute montagne.",
    "Il n'y a personne à l'hôtel.",
    "Je n'ai que dix euros, mais aujourd'hui c'est assez.",
    "S'il te plaît, qu'est-ce que c'est ?",
    "Nous commençons à les comprendre.",
)
ENGLISH_FAULTS = ("A apple.", "An dog.", "an house", "We saw a old man.", "and i know", "Yes .")
GOOD_ENGLISH = "An hour in a European university, a one-way ticket, an apple, a useful hat."
CHARACTER_FAULTS = {"two  spaces": "spaces", " before": "spaces", "e\u0301te\u0301": "accent", "a “quote”": "odd"}


def test_faults_of_spelling_are_found_and_good_sentences_pass():
    missed = [text for text, fault in FRENCH_FAULTS.items() if not any(fault in each for each in french_faults(text))]
    missed += [text for text in ENGLISH_FAULTS if not english_faults(text)]
    missed += [text for text, fault in CHARACTER_FAULTS.items() if fault not in " ".join(character_faults(text))]
    assert missed == []
    assert {text: french_faults(text) for text in GOOD_FRENCH if french_faults(text)} == {}
    assert english_faults(GOOD_ENGLISH) == []
    assert character_faults('"no"') != []
    assert character_faults('"yes"', quotes=True) == []


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


def test_sentences_one_word_apart_are_told():
    for other in ("The old dog sleeps.", "The dog sleeps here.", "The cat sleeps.", "Dog sleeps.", "The dog sleeps!"):
        assert one_word_apart("The dog sleeps.") & one_word_apart(other), other
    assert not one_word_apart("The dog sleeps.") & one_word_apart("My brother is reading.")
