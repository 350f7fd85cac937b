import pytest

from utils.data import load_numbers

NUMBERS = load_numbers()


def test_each_number_has_a_name_of_its_own_in_both_languages():
    assert len(NUMBERS) == 1000
    assert len({english for english, _ in NUMBERS}) == len({french for _, french in NUMBERS}) == 1000


@pytest.mark.parametrize(
    ("number", "english", "french"),
    [
        (0, "zero", "zéro"),
        (17, "seventeen", "dix-sept"),
        (20, "twenty", "vingt"),
        (21, "twenty-one", "vingt et un"),
        (40, "forty", "quarante"),
        (61, "sixty-one", "soixante et un"),
        (70, "seventy", "soixante-dix"),
        (71, "seventy-one", "soixante et onze"),
        (75, "seventy-five", "soixante-quinze"),
        (80, "eighty", "quatre-vingts"),
        (81, "eighty-one", "quatre-vingt-un"),
        (91, "ninety-one", "quatre-vingt-onze"),
        (97, "ninety-seven", "quatre-vingt-dix-sept"),
        (100, "one hundred", "cent"),
        (101, "one hundred and one", "cent un"),
        (180, "one hundred and eighty", "cent quatre-vingts"),
        (200, "two hundred", "deux cents"),
        (201, "two hundred and one", "deux cent un"),
        (316, "three hundred and sixteen", "trois cent seize"),
        (871, "eight hundred and seventy-one", "huit cent soixante et onze"),
        (999, "nine hundred and ninety-nine", "neuf cent quatre-vingt-dix-neuf"),
    ],
)
def test_numbers_are_spelt_as_the_grammars_say(number, english, french):
    assert NUMBERS[number] == (english, french)


def test_vingts_and_cents_take_their_s_only_at_the_end():
    for _, french in NUMBERS:
        for plural in ("vingts", "cents"):
            assert plural not in french or french.endswith(plural)


def test_et_stands_only_before_un_and_onze_and_never_after_quatre_vingt():
    with_et = [french for _, french in NUMBERS if " et " in french]
    assert len(with_et) == 10 * 6  # 21, 31, 41, 51, 61 and 71 in each hundred
    assert all(french.split(" et ")[1] in ("un", "onze") for french in with_et)
    assert not any("quatre-vingt et" in french for french in with_et)
