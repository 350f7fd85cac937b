"""What must hold of the steps of a translation, wherever they are shown."""

import re
from dataclasses import dataclass

import torch
from playwright.sync_api import Locator, Page
from torch import Tensor

from tests.support.explorer_checks import CONTRAST
from utils.decoding import generate
from utils.explorers.delivery import visible
from utils.recurrent import EncoderDecoder

# An encoder–decoder that reads its own words, and one with attention, two layers and two directions that reads the true
# ones. The tokens are the strangest there are; the weights are scaled up, so that the states reach far.
DATA = """
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
PLAIN = 'TranslationSteps.of(plain, source, max_new_tokens=6, reference="<i>reference", **settings)'
ATTENDING = "TranslationSteps.of(attending, source, target_ids=target, **settings)"
VIEWS = '.course-explorer[data-kind="translation"][data-state="live"]'
NODES = "(root) => root.querySelector('div').shadowRoot.querySelectorAll('*').length"
# Whether anything is drawn, in each column of a canvas, within 30 pixels below y.
OPAQUE = """(canvas, [columns, y]) => {
    const pen = canvas.getContext("2d");
    const ratio = canvas.width / parseFloat(canvas.style.width);
    const at = (column) => Math.round(ratio * (canvas.pitch * (column + 0.4)));
    const tall = Math.round(ratio * y);
    return Array.from({ length: columns }, (_, column) => pen.getImageData(at(column), tall, 1, 30 * ratio).data
        .some((byte) => byte > 0));
}"""


@dataclass(frozen=True)
class Expected:
    """What torch says of one translation, computed all steps at once and not by the code that is tested."""

    encoder: Tensor  # (source, directions × hidden)
    first: Tensor  # (layers, hidden)
    decoder: Tensor  # (target, hidden)
    logits: Tensor  # (target, vocabulary)
    read: list[int]
    weights: Tensor | None  # (target, source)

    @property
    def written(self) -> list[int]:
        """The most probable word of each step."""
        return self.logits.argmax(dim=1).tolist()


@torch.no_grad()
def by_hand(
    model: EncoderDecoder, source: list[int], *, start: int, end: int, limit: int = 60, target: list[int] | None = None
) -> Expected:
    """Run the model as its own ``forward`` and ``generate`` do."""
    ids = torch.tensor([source])
    outputs, _ = model.encoder(ids)
    state = model.encode(ids)
    if target is None:
        written = generate(
            model.decoder, torch.tensor([[start]]), state, max_new_tokens=limit, end_id=end
        ).ids.tolist()[0]
        read = written[:-1]
    else:
        read = target[:-1] if target[-1] == end else target
    read_ids = torch.tensor([read])
    logits = model(ids, None, read_ids)
    first = state if isinstance(state, Tensor) else state.hidden
    states, _ = model.decoder.gru(model.decoder.embedding(read_ids), first)
    weights = None
    if not isinstance(state, Tensor):
        weights = model.decoder(read_ids, state, return_attention=True)[2][0]
    return Expected(outputs[0], first[:, 0], states[0], logits[0], read, weights)


def given() -> dict:
    """Return the models and sentences that the notebook made."""
    names: dict = {}
    exec(DATA, names)
    return names


def expected_of(names: dict) -> list[Expected]:
    """Return what torch says of the plain and of the attending translation."""
    free = by_hand(names["plain"], names["source"], start=0, end=1, limit=6)
    return [free, by_hand(names["attending"], names["source"], start=0, end=1, target=names["target"])]


def views(page: Page) -> list[Locator]:
    """Wait for the plain and the attending translation to come alive, and return them."""
    found = [page.locator(VIEWS).nth(number) for number in range(2)]
    for each in found:
        each.wait_for()
        assert not each.locator("> img").is_visible()
    return found


def number_shown(text: str) -> float:
    """Return the last number of a sentence."""
    return float(re.findall(r"[−\d.]+", text)[-1].replace("−", "-"))


def assert_state(page: Page, root: Locator, state: Tensor) -> None:
    """Walk through the large state number by number; a long one is sampled, and only the first ten are looked at."""
    size = state.numel()
    large = root.locator("canvas").nth(2)
    large.focus()
    page.keyboard.press("Home")
    said = root.locator(".columns p").first
    for place in range(min(size, 10)):
        index = place * size // min(size, 64)
        text = said.inner_text()
        assert f"number {index + 1} of {size}: " in text
        assert abs(number_shown(text) - float(state[index])) < 1 / 127 + 0.005, (place, text)
        page.keyboard.press("ArrowRight")


def assert_equal_torch(page: Page) -> None:
    """Go through all steps of both and compare states, probabilities, weights and words with torch's."""
    names = given()
    for root, expected in zip(views(page), expected_of(names), strict=True):
        words = [visible(token) for token in names["tokens"]]
        detail, rows, slider = root.locator(".detail"), root.locator(".row"), root.get_by_role("slider")
        caption, following = root.locator(".stepper b"), root.get_by_role("button", name="Next")
        slider.press("Home")
        half = expected.encoder.size(1) // (2 if expected.weights is not None else 1)
        for word in range(4):
            assert caption.inner_text() == f"Encoder: step {word + 1} of 4"
            assert f"reads “{visible(names['hostile'][word])}”" in detail.inner_text()
            before = expected.encoder[word - 1, :half] if word else torch.zeros(half)
            moved = float((expected.encoder[word, :half] - before).norm())
            said = re.search(r"moves the state by ([\d.]+\d)", detail.inner_text())
            assert abs(float(said.group(1)) - moved) < 0.0051
            assert_state(page, root, expected.encoder[word, :half])
            following.click()
        assert caption.inner_text() == "The vector handed over"
        assert "everything it will know of the sentence" in detail.inner_text()
        assert ("look back" in detail.inner_text()) == (expected.weights is not None)
        assert_state(page, root, expected.first[0])
        shares = expected.logits.softmax(dim=1)
        for step, (read, written) in enumerate(zip(expected.read, expected.written, strict=True)):
            following.click()
            said = detail.inner_text()
            assert caption.inner_text() == f"Decoder: step {step + 1} of {len(expected.read)}"
            assert said.startswith(f"The decoder reads “{words[read]}”")
            assert f"writes “{words[written]}”" in said
            own = step == 0 or read == expected.written[step - 1]
            assert ("instead of its own word" in said) == (not own)
            assert ("its own last word" in said) == (own and step > 0)
            if expected.weights is not None:
                best = int(expected.weights[step].argmax())
                looked = re.search(r"looks most at “(.*)” \((\d+\.\d)%\) and writes", said, re.DOTALL)
                assert looked.group(1) == visible(names["hostile"][best])
                assert abs(float(looked.group(2)) / 100 - expected.weights[step, best]) < 0.0045
            top = shares[step].sort(descending=True, stable=True)
            drawn = rows.filter(visible=True)
            found = [float(value) for value in drawn.evaluate_all("(all) => all.map((row) => row.dataset.share)")]
            assert (torch.tensor(found) - top.values[:5]).abs().max() < 0.004
            assert drawn.locator("bdi").all_inner_texts() == [words[index] for index in top.indices[:5]]
            assert root.locator(".chosen bdi").inner_text() == words[written]
            assert root.locator("mark").inner_text() == words[written]
            assert root.locator(".sentence bdi").all_inner_texts() == [
                words[each] for each in expected.written[: step + 1]
            ]
            assert_state(page, root, expected.decoder[step])
        assert following.get_attribute("aria-disabled") == "true"


def assert_alive(page: Page) -> None:
    """Use both as a reader would: numbers, buttons, keys, columns, play, table."""
    assert_equal_torch(page)
    names = given()
    for root, expected in zip(views(page), expected_of(names), strict=True):
        last = 4 + len(expected.read)
        slider, back = root.get_by_role("slider"), root.get_by_role("button", name="Back")
        upper, lower, large = (root.locator("canvas").nth(number) for number in range(3))
        assert slider.input_value() == str(last)
        back.click()
        assert slider.input_value() == str(last - 1)
        for key, place in (
            ("ArrowLeft", last - 2),
            ("Home", 0),
            ("ArrowLeft", 0),
            ("End", last),
            ("ArrowLeft", last - 1),
        ):
            page.keyboard.press(key)
            assert slider.input_value() == str(place), key
        slider.press("ArrowLeft")
        assert slider.input_value() == str(last - 2)
        assert slider.get_attribute("aria-valuetext") == root.locator(".stepper b").inner_text()
        large.focus()
        page.keyboard.press("ArrowRight")  # walks on the numbers, not on to the next step
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
        live = root.locator("[aria-live]")
        page.wait_for_function("(region) => region.textContent.startsWith('The sentence')", arg=live.element_handle())

        root.get_by_role("button", name="Play").click()
        assert slider.input_value() == "5"
        page.wait_for_function("(input) => input.value === '6'", arg=slider.element_handle())
        root.get_by_role("button", name="Pause").click()
        root.get_by_role("button", name="Play").click()
        page.keyboard.press("Escape")
        root.get_by_role("button", name="Play").wait_for()
        slider.press("End")
        root.get_by_role("button", name="Play").click()
        assert slider.input_value() == "0"
        page.keyboard.press("ArrowRight")
        assert slider.input_value() == "1"
        root.get_by_role("button", name="Play").wait_for()

        root.get_by_text("All steps as tables").click()
        root.locator("tr").nth(2 + 3 + len(expected.read)).wait_for()
        assert root.locator("tr").count() == 2 + 4 + len(expected.read)
        chosen = root.locator("table").nth(1).locator("td:nth-child(5)").all_inner_texts()
        shares = expected.logits.softmax(dim=1).max(dim=1).values
        assert (torch.tensor([float(text) for text in chosen]) - shares).abs().max() < 1e-4
        assert root.evaluate(NODES) < 500
        root.get_by_text("All steps as tables").click()
    assert page.locator(VIEWS).first.locator(".soft").first.inner_text() == "Reference: <i>reference"
    assert page.evaluate("window.hacked") is None


def assert_legible(page: Page, *, dark: bool) -> None:
    """Measure the contrast of every kind of text, and that the background is the theme's."""
    for root in views(page):
        root.get_by_role("slider").press("End")
    for part in (
        ".stepper b",
        ".sentence",
        ".soft",
        "h4",
        ".detail",
        ".columns p",
        "canvas",
        ".row",
        ".chosen",
        "summary",
    ):
        paper, contrast = page.locator(f".course-explorer {part} >> visible=true").last.evaluate(CONTRAST)
        assert (paper < 0.2) == dark, part
        assert contrast > 4.5, (part, contrast)
