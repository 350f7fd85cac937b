"""The steps of a translation in a real browser, in every place where a notebook is read."""

import re
from functools import cache

import pytest
import torch
from playwright.sync_api import expect

from tests.support.explorer_checks import NODES, assert_announced, number, press, table
from tests.support.explorer_pages import EveryPlace
from tests.support.translation_checks import by_hand
from utils.explorers.delivery import visible
from utils.explorers.translation import TranslationSteps

pytestmark = pytest.mark.browser

# Whether anything is drawn, in each column of a canvas, within 30 pixels below y.
OPAQUE = """(canvas, [columns, y]) => {
    const pen = canvas.getContext("2d");
    const ratio = canvas.width / parseFloat(canvas.style.width);
    const at = (column) => Math.round(ratio * (canvas.pitch * (column + 0.4)));
    const tall = Math.round(ratio * y);
    return Array.from({ length: columns }, (_, column) => pen.getImageData(at(column), tall, 1, 30 * ratio).data
        .some((byte) => byte > 0));
}"""


# What is said of the numbers of a state, one after the other: so many keys would take long, pressed one by one.
WALK = """(canvas, steps) => Array.from({ length: steps }, () => {
    const said = canvas.closest(".view").querySelector(".columns p").innerText;
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, composed: true }));
    return said;
})"""


def assert_state(root, state):
    """Walk through the large state number by number; a long one is sampled, and only the first ten are looked at."""
    size = state.numel()
    large = root.locator("canvas").nth(2)
    large.press("Home")
    for place, text in enumerate(large.evaluate(WALK, min(size, 10))):
        index = place * size // min(size, 64)
        assert f"number {index + 1} of {size}: " in text
        assert abs(number(re.findall(r"[−\d.]+", text)[-1]) - float(state[index])) < 1 / 127 + 0.005, (place, text)


class TestTranslationSteps(EveryPlace):
    name = "translation"
    # An encoder–decoder that reads its own words, and one with attention, two layers and two directions that reads the
    # true ones. The tokens are the strangest there are; the weights are scaled up, so that the states reach far.
    data = """
import torch
from utils.explorers.translation import TranslationSteps
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, DecoderRNN, EncoderDecoder, EncoderRNN
hostile = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", "שלום"]
tokens = ["<s>", "</s>", *hostile, "", " the", "e\\u0301"]
torch.manual_seed(3)
plain = EncoderDecoder(EncoderRNN(9, 6), DecoderRNN(6, 9))
attending = AttentionEncoderDecoder(EncoderRNN(9, 80, 2, True), AttentionDecoderRNN(80, 9, 2, key_size=160))
with torch.no_grad():
    for parameter in (*plain.parameters(), *attending.parameters()):
        parameter.mul_(2.5)
source, target = [2, 3, 4, 5], [0, 6, 5, 7, 2, 1]
settings = dict(source_tokens=hostile, tokens=tokens, start_id=0, end_id=1)
"""
    shows = (
        'TranslationSteps.of(plain, source, max_new_tokens=6, reference="<i>reference", **settings)',
        "TranslationSteps.of(attending, source, target_ids=target, **settings)",
    )
    alts = ("4 source words, 6 written.", "with attention")
    texts = (
        *(".stepper b", ".sentence", ".soft", "h4", ".detail", ".columns p"),
        *("canvas", ".row:not(.chosen)", ".chosen", "summary"),
    )
    most_nodes = (500, 500)

    @classmethod
    @cache
    def expected(cls):
        """Return what torch says of the plain and of the attending translation."""
        given = cls.given()
        free = by_hand(given["plain"], given["source"], start=0, end=1, limit=6)
        return free, by_hand(given["attending"], given["source"], start=0, end=1, target=given["target"])

    def assert_numbers(self, page, *roots):
        """Go through all steps of both and compare states, probabilities, weights and words with torch's."""
        for root, expected in zip(roots, self.expected(), strict=True):
            self.assert_encoder(root, expected)
            self.assert_decoder(root, expected)
            assert root.get_by_role("button", name="Next").get_attribute("aria-disabled") == "true"

    def assert_encoder(self, root, expected):
        hostile = self.given()["hostile"]
        detail, caption = root.locator(".detail"), root.locator(".stepper b")
        root.get_by_role("slider").press("Home")
        half = expected.encoder.size(1) // (2 if expected.weights is not None else 1)
        for word in range(4):
            assert caption.inner_text() == f"Encoder: step {word + 1} of 4"
            assert f"reads “{visible(hostile[word])}”" in detail.inner_text()
            before = expected.encoder[word - 1, :half] if word else torch.zeros(half)
            moved = float((expected.encoder[word, :half] - before).norm())
            said = re.search(r"moves the state by ([\d.]+\d)", detail.inner_text())
            assert abs(float(said.group(1)) - moved) < 0.0051
            assert_state(root, expected.encoder[word, :half])
            root.get_by_role("button", name="Next").click()
        assert caption.inner_text() == "The vector handed over"
        assert "everything it will know of the sentence" in detail.inner_text()
        assert ("look back" in detail.inner_text()) == (expected.weights is not None)
        assert_state(root, expected.first[0])

    def assert_decoder(self, root, expected):
        given = self.given()
        words = [visible(token) for token in given["tokens"]]
        rows = root.locator(".row").filter(visible=True)
        shares = expected.logits.softmax(dim=1)
        for step, (read, written) in enumerate(zip(expected.read, expected.written, strict=True)):
            root.get_by_role("button", name="Next").click()
            said = root.locator(".detail").inner_text()
            assert root.locator(".stepper b").inner_text() == f"Decoder: step {step + 1} of {len(expected.read)}"
            assert said.startswith(f"The decoder reads “{words[read]}”")
            assert f"writes “{words[written]}”" in said
            own = step == 0 or read == expected.written[step - 1]
            assert ("instead of its own word" in said) == (not own)
            assert ("its own last word" in said) == (own and step > 0)
            if expected.weights is not None:
                best = int(expected.weights[step].argmax())
                looked = re.search(r"looks most at “(.*)” \((\d+\.\d)%\) and writes", said, re.DOTALL)
                assert looked.group(1) == visible(given["hostile"][best])
                assert abs(float(looked.group(2)) / 100 - expected.weights[step, best]) < 0.0045
            top = shares[step].sort(descending=True, stable=True)
            found = rows.evaluate_all("(all) => all.map((row) => Number(row.dataset.share))")
            assert (torch.tensor(found) - top.values[:5]).abs().max() < 0.004
            assert rows.locator("bdi").all_inner_texts() == [words[index] for index in top.indices[:5]]
            assert root.locator(".chosen bdi").inner_text() == words[written]
            assert root.locator("mark").inner_text() == words[written]
            sentence = root.locator(".sentence bdi").all_inner_texts()
            assert sentence == [words[each] for each in expected.written[: step + 1]]
            assert_state(root, expected.decoder[step])

    def walk(self, page, *roots):
        self.assert_numbers(page, *roots)
        for root, expected in zip(roots, self.expected(), strict=True):
            self.walk_one(page, root, expected)
        assert roots[0].locator(".soft").first.inner_text() == "Reference: <i>reference"

    def walk_one(self, page, root, expected):
        """Use buttons, keys, columns, play, table."""
        last = 4 + len(expected.read)
        slider, back = root.get_by_role("slider"), root.get_by_role("button", name="Back")
        upper, lower, large = (root.locator("canvas").nth(place) for place in range(3))
        assert slider.input_value() == str(last)
        back.click()
        assert slider.input_value() == str(last - 1)
        moves = [("ArrowLeft", last - 2), ("Home", 0), ("ArrowLeft", 0), ("End", last), ("ArrowLeft", last - 1)]
        for key, place in moves:
            press(page, key)
            assert slider.input_value() == str(place), key
        slider.press("ArrowLeft")
        assert slider.input_value() == str(last - 2)
        assert slider.get_attribute("aria-valuetext") == root.locator(".stepper b").inner_text()
        large.focus()
        press(page, "ArrowRight")  # walks on the numbers, not on to the next step
        assert slider.input_value() == str(last - 2)
        assert "number" in root.locator(".columns p").first.inner_text()

        upper.click(position={"x": 1.5 * upper.evaluate("(canvas) => canvas.pitch"), "y": 60})
        assert slider.input_value() == "1"
        # In the second step two words have been read forwards, and where there is a backward reader two from the end.
        strips = upper.evaluate("(canvas) => parseFloat(canvas.style.height) - 196")  # where the words end
        assert upper.evaluate(OPAQUE, [4, strips + 10]) == [True, True, False, False]
        if expected.weights is not None:
            assert upper.evaluate(OPAQUE, [4, strips + 80]) == [False, False, True, True]
        lower.click(position={"x": 0.5 * lower.evaluate("(canvas) => canvas.pitch"), "y": 60})
        assert slider.input_value() == "4"
        assert root.locator(".row").first.is_hidden()
        assert_announced(root, "^The sentence")

        play, pause = (root.get_by_role("button", name=name) for name in ("Play", "Pause"))
        play.click()
        assert slider.input_value() == "5"
        expect(slider).to_have_value("6", timeout=30_000)
        pause.click()
        play.click()
        press(page, "Escape")
        play.wait_for()
        slider.press("End")
        play.click()
        assert slider.input_value() == "0"
        press(page, "ArrowRight")
        assert slider.input_value() == "1"
        play.wait_for()

        rows = table(root, "All steps as tables", rows=2 + 4 + len(expected.read))
        shares = torch.tensor([float(row[4]) for row in rows[6:]])
        assert (shares - expected.logits.softmax(dim=1).max(dim=1).values).abs().max() < 1e-4

    def assert_legible(self, page, *, dark):
        """Besides, go to the end first, where every kind of text is shown."""
        for slider in page.get_by_role("slider").all():
            slider.press("End")
        super().assert_legible(page, dark=dark)

    @pytest.mark.parametrize("width", [400, 1000])
    def test_longest_sentences_fit(self, alone, width):
        """As many words as it takes, each of them long: no overflow, few nodes, every step at work."""
        generator = torch.Generator().manual_seed(0)
        encoder, decoder = (torch.randn(rows, 128, generator=generator).tanh() for rows in (40, 60))
        made = TranslationSteps(
            [f"a long source word, number {place}" for place in range(40)],
            encoder,
            decoder,
            torch.randn(60, 9, generator=generator),
            [f"a long written word, number {place}" for place in range(9)],
            read=[0] * 60,
        )
        [root] = alone(made.html, width=width)
        for key in ("Home", "PageUp", "End"):
            root.get_by_role("slider").press(key)
            assert root.page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert root.locator(".sentence bdi").count() == 60
        assert root.evaluate(NODES) < 500

    def test_word_that_is_not_among_the_most_probable_gets_a_bar_too(self, alone):
        made = TranslationSteps(
            ["a"], [[0.1]], [[0.2]], [[5.0, 4, 3, 2, 1, 0]], list("abcdef"), read=[0], written=[5], first_state=[0.3]
        )
        [root] = alone(made.html)
        root.get_by_role("slider").press("End")
        assert root.locator(".row bdi").all_inner_texts() == ["a", "b", "c", "d", "e", "f"]
        assert root.locator(".chosen").inner_text().split() == ["f", "0.4%"]
