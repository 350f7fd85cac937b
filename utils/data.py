"""The texts the course learns from: plain English prose, and numbers in two languages."""

import re
from pydoc_data.topics import topics

_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_EMPHASIS = re.compile(r"\*(\S[^*]*?)\*")
_CODE_MARKS = re.compile(r"::=|>>>|\.\.\.|[{}|\\=<>\[\]`^@#~%]|  ")


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
    return [(_english(number), _french(number)) for number in range(1000)]


_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_FRENCH = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit "
    "dix-neuf"
).split()
_FRENCH_TENS = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante", 80: "quatre-vingt"}


def _english(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return f"{_ENGLISH[hundreds]} hundred" + (f" and {_english(rest)}" if rest else "")
    if number < 20:
        return _ENGLISH[number]
    tens, ones = divmod(number, 10)
    return _ENGLISH_TENS[tens - 2] + (f"-{_ENGLISH[ones]}" if ones else "")


def _french(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if hundreds:
        cent = "cent" if hundreds == 1 else f"{_FRENCH[hundreds]} cent"
        return f"{cent} {_french(rest)}" if rest else cent + "s" * (hundreds > 1)
    if number < 20:
        return _FRENCH[number]
    base = max(tens for tens in _FRENCH_TENS if tens <= number)  # 70 counts on from 60, 90 from 80
    ones = number - base
    if ones == 0:
        return "quatre-vingts" if base == 80 else _FRENCH_TENS[base]
    joint = " et " if ones in (1, 11) and base != 80 else "-"
    return _FRENCH_TENS[base] + joint + _FRENCH[ones]


def _is_prose(sentence: str) -> bool:
    """Say whether a sentence starts with a capital, ends with a full stop, has 4–40 words and no code in it."""
    return (
        4 <= len(sentence.split()) <= 40
        and sentence[0].isupper()
        and sentence[-1] in ".!?"
        and sentence.isascii()
        and not _CODE_MARKS.search(sentence)
    )
