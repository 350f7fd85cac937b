"""What the tests of every live view need: to press keys, to read numbers, tables and marks, to measure contrast."""

import re
from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

LIVE = '.course-explorer[data-state="live"]'
NODES = "(root) => root.querySelector('div').shadowRoot.querySelectorAll('*').length"
# The contrast of an element's text with the explorer's background, as WCAG 2 counts it.
CONTRAST = """(node) => {
    const brush = new OffscreenCanvas(1, 1).getContext("2d");
    const light = (...colours) => {
        for (const colour of colours) { brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1); }
        const [r, g, b] = [...brush.getImageData(0, 0, 1, 1).data].map((byte) => byte / 255)
            .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = getComputedStyle(node.closest(".view")).backgroundColor;
    const [low, high] = [light(paper), light(paper, getComputedStyle(node).color)].sort((a, b) => a - b);
    return [light(paper), (high + 0.05) / (low + 0.05)];
}"""


def views(page: Page, count: int) -> list[Locator]:
    """Wait until that many views have come alive in place of their pictures, and return them in order."""
    found = page.locator(LIVE)
    found.nth(count - 1).wait_for()
    assert found.locator("> img").filter(visible=True).count() == 0
    return found.all()


def press(page: Page, keys: str) -> None:
    """Press those keys, one after the other, wherever the reader is."""
    for key in keys.split():
        page.keyboard.press(key)


def slide(slider: Locator, position: float) -> None:
    """Move a slider there, as a pointer does that drags it."""
    slider.evaluate(
        "(input, position) => { input.value = position; input.dispatchEvent(new Event('input')); }", str(position)
    )


def places(items: Locator, attribute: str, value: object) -> list[int]:
    """Return which of the items have that value, say those in which ``tabIndex`` is 0."""
    values = items.evaluate_all("(all, attribute) => all.map((item) => item[attribute])", attribute)
    return [place for place, each in enumerate(values) if each == value]


def number(text: str) -> float:
    """Return a number that is written with the minus sign of typography."""
    return float(text.replace("−", "-"))


def numbers(text: str) -> list[float]:
    """Return the decimals of a sentence."""
    return [number(found) for found in re.findall(r"[−-]?\d+\.\d+", text)]


def table(root: Locator, title: str, rows: int) -> list[list[str]]:
    """Open the table of that title, wait until it is filled with as many rows, and return their cells."""
    root.get_by_text(title).click()
    expect(root.locator("tr")).to_have_count(rows)
    return [line.split("\t") for line in root.locator("tr").all_inner_texts()]


def assert_announced(root: Locator, pattern: str) -> None:
    """Wait until screen readers are told a sentence of that pattern."""
    expect(root.locator("[aria-live]")).to_have_text(re.compile(pattern), timeout=30_000)


def assert_legible(page: Page, parts: Sequence[str], *, dark: bool) -> None:
    """Measure the contrast of each kind of text with the view's background, and that this is the theme's."""
    for part in parts:
        paper, contrast = page.locator(f"{LIVE} {part} >> visible=true").first.evaluate(CONTRAST)
        assert (paper < 0.2) == dark, part
        assert contrast > 4.5, (part, contrast)
