"""The two corpora without a file: the prose of Python's own manual, and the numbers in words."""

import re

from utils.data import load_numbers, load_prose

SPELLING = {
    0: ("zero", "zéro"),
    17: ("seventeen", "dix-sept"),
    20: ("twenty", "vingt"),
    21: ("twenty-one", "vingt et un"),
    40: ("forty", "quarante"),
    61: ("sixty-one", "soixante et un"),
    70: ("seventy", "soixante-dix"),
    71: ("seventy-one", "soixante et onze"),
    75: ("seventy-five", "soixante-quinze"),
    80: ("eighty", "quatre-vingts"),
    81: ("eighty-one", "quatre-vingt-un"),
    91: ("ninety-one", "quatre-vingt-onze"),
    97: ("ninety-seven", "quatre-vingt-dix-sept"),
    100: ("one hundred", "cent"),
    101: ("one hundred and one", "cent un"),
    180: ("one hundred and eighty", "cent quatre-vingts"),
    200: ("two hundred", "deux cents"),
    201: ("two hundred and one", "deux cent un"),
    316: ("three hundred and sixteen", "trois cent seize"),
    871: ("eight hundred and seventy-one", "huit cent soixante et onze"),
    999: ("nine hundred and ninety-nine", "neuf cent quatre-vingt-dix-neuf"),
}


def test_prose_is_plain_english_without_code_and_always_the_same():
    prose = load_prose()
    assert load_prose() == prose
    assert len(prose) <= 2_500
    assert 15_000 <= sum(len(sentence.split()) for sentence in prose) <= 60_000
    marks = re.compile(r"::|>>>|\.\.\.|[{}|\\=<>\[\]`^@#~%\"•]")
    assert [sentence for sentence in prose if marks.search(sentence) or not sentence.isascii()] == []
    assert [sentence for sentence in prose if not sentence[0].isupper()] == []
    words = [word.strip(".,;:()").lower() for sentence in prose for word in sentence.split()]
    assert words.count("the") > 0.04 * len(words)
    assert sum(word.isalpha() for word in words) > 0.85 * len(words)


def test_each_number_has_a_name_of_its_own_in_both_languages_spelt_as_the_grammars_say():
    numbers = load_numbers()
    assert len({english for english, _ in numbers}) == len({french for _, french in numbers}) == len(numbers) == 1000
    assert {number: numbers[number] for number in SPELLING} == SPELLING


def test_vingts_and_cents_take_their_s_only_at_the_end_and_et_stands_only_before_un_and_onze():
    names = [french for _, french in load_numbers()]
    assert [name for name in names for plural in ("vingts", "cents") if plural in name.removesuffix(plural)] == []
    with_et = [name for name in names if " et " in name]
    assert len(with_et) == 10 * 6  # 21, 31, 41, 51, 61 and 71 in each hundred
    assert [name for name in with_et if name.split(" et ")[1] not in ("un", "onze") or "quatre-vingt et" in name] == []
