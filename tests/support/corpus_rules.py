"""What a sentence of the course's corpora must obey: characters, French and English spelling, and what a twin is."""

import re
import unicodedata

from utils.text import word_tokens

VOWEL = r"(?=[aeiouyàâéèêëîïôùûœæh])"
# Before these there is no elision: an aspirated h, or a vowel that counts as none.
UNLINKED = r"(?!h(?:uit|aut|auts|aute|autes|âte|éros|asard|onte|ors|amster|aricot|aricots)\b|onz|oui\b|yaourt|yeux)"
INFINITIVE = r"(?:(?:y|en) )?[\w']+(?:er|ir|re)\b"
LINKED = rf"{VOWEL}{UNLINKED}"
ELIDED = "je|me|te|se|le|la|ne|de|que|jusque|lorsque|puisque|quoique"
MASCULINE = (
    "ami|an|animal|arbre|avion|appartement|ordinateur|oncle|homme|hôtel|hôpital|enfant|ascenseur|escalier|étudiant|"
    "infirmier|exercice|anniversaire|été|hiver|orage|oiseau|œil|œuf"
)
PATTERNS = {
    "a space is missing before ? ! : or ;": r"[^ ][?!:;]",
    "a space stands before a comma or a full stop": r" [.,]",
    "a word ending in e or a is not elided": rf"(?<![\w-])(?:{ELIDED}) {LINKED}",
    "si is not elided": r"(?<![\w-])si ils?\b",
    "ce stands before a vowel (c' or cet)": rf"(?<![\w-])ce {LINKED}",
    "a word is elided before a consonant": r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)'(?=[bcdfgjklmnpqrstvwxz])",
    "à or de is not contracted with the article": rf"(?<![\w-])(?:à|de) (?:le|les) (?!{INFINITIVE})",
    "beau, nouveau or vieux stands before a vowel": rf"\b(?:beau|nouveau|vieux|fou) (?:{MASCULINE})\b",
    "ma, ta or sa stands before a vowel": rf"(?<![\w-])(?:ma|ta|sa) {LINKED}",
    "oe is written for œ": r"oe(?:u|il)",
}
SECOND_OF_NE = {"pas", "jamais", "plus", "rien", "personne", "que", "qu'", "aucun", "aucune", "ni", "nulle"}
A_FOR_AN = r"\ba (?=[aeiou](?!ne\b|nce\b|uro|ni[a-z]|se[a-z])|hour|honest)"
AN_FOR_A = r"\ban (?=[^aeiouh]|hot|house|hat|horse|half|hand)"
NAMES = set("marie anna julie emma sophie paul marc hugo tom lucas martin petit paris lyon nice london londres".split())
NUMBERS = set(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand deux trois quatre cinq sept huit "
    "neuf dix onze douze treize quatorze quinze seize vingt trente quarante cinquante soixante cent cents mille".split()
)


def character_faults(text: str, *, quotes: bool = False) -> list[str]:
    """Return what is wrong with the characters of ``text``; straight double quotes only where ``quotes`` allows."""
    faults = []
    if text != " ".join(text.split()):
        faults.append("spaces are double, odd, or at an end")
    if text != unicodedata.normalize("NFC", text):
        faults.append("an accent stands apart from its letter")
    odd = set(re.findall(r"[^\w ,.?!:;'£€%&()/-]" if not quotes else r"[^\w ,.?!:;'\"£€%&()/-]", text))
    if odd:
        faults.append(f"odd characters: {' '.join(sorted(odd))}")
    return faults


def french_faults(text: str) -> list[str]:
    """Return which rules of French spelling and typography ``text`` breaks."""
    faults = [fault for fault, pattern in PATTERNS.items() if re.search(pattern, text, re.IGNORECASE)]
    words = [word.casefold() for word in word_tokens(text)]
    if {"ne", "n'"} & set(words) and not SECOND_OF_NE & {word.rstrip("-") for word in words}:
        faults.append("ne has no second part")
    return faults


def english_faults(text: str) -> list[str]:
    """Return which rules of English spelling and typography ``text`` breaks."""
    faults = ["a and an are confused"] if re.search(f"{A_FOR_AN}|{AN_FOR_A}", text, re.IGNORECASE) else []
    if re.search(r" [.,?!:;]", text):
        faults.append("a space stands before a mark")
    if re.search(r"\bi\b", text):
        faults.append("I is small")
    return faults


def normal_form(text: str) -> str:
    """Return what two sentences share that differ only in punctuation, in capitals, in a name or in a number."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+", text.casefold().replace("-", " "))
    return " ".join("N" if word in NAMES else "0" if word in NUMBERS or word.isdigit() else word for word in words)


def words(text: str) -> list[str]:
    """Return the words of ``text`` in small letters, without marks."""
    return [
        word.casefold() for word in word_tokens(text) if any(letter.isalpha() or letter.isdigit() for letter in word)
    ]


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    """Return every run of ``length`` neighbouring words."""
    found = words(text)
    return {tuple(found[first : first + length]) for first in range(len(found) - length + 1)}


def one_word_apart(text: str) -> set[tuple[object, ...]]:
    """Return keys of which two sentences share one if a single word, changed, left out or added, parts them.

    A key is the sentence's normal form, or that form with one of its words left out.
    """
    form = tuple(normal_form(text).split())
    return (
        {form}
        | {(*form[:place], "*", *form[place + 1 :]) for place in range(len(form))}
        | {form[:place] + form[place + 1 :] for place in range(len(form))}
    )
