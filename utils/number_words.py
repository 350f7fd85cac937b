"""Numbers in words, in English and in French."""

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


def english(number: int) -> str:
    """Return 0–999 in British English: ``three hundred and seven``."""
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return f"{_ENGLISH[hundreds]} hundred" + (f" and {english(rest)}" if rest else "")
    if number < 20:
        return _ENGLISH[number]
    tens, ones = divmod(number, 10)
    return _ENGLISH_TENS[tens - 2] + (f"-{_ENGLISH[ones]}" if ones else "")


def french(number: int) -> str:
    """Return 0–999 in the traditional French spelling, hyphens only below 100: ``trois cent quatre-vingt-dix``."""
    hundreds, rest = divmod(number, 100)
    if hundreds:
        cent = "cent" if hundreds == 1 else f"{_FRENCH[hundreds]} cent"
        return f"{cent} {french(rest)}" if rest else cent + "s" * (hundreds > 1)
    if number < 20:
        return _FRENCH[number]
    base = max(tens for tens in _FRENCH_TENS if tens <= number)  # 70 counts on from 60, 90 from 80
    ones = number - base
    if ones == 0:
        return "quatre-vingts" if base == 80 else _FRENCH_TENS[base]
    joint = " et " if ones in (1, 11) and base != 80 else "-"
    return _FRENCH_TENS[base] + joint + _FRENCH[ones]
