"""What must hold of a live sampling explorer, wherever it is shown: its numbers, its keys, its draws, its colours."""

import re

import torch
from playwright.sync_api import Page

from utils.decoding import sampling_probabilities
from utils.explorers.delivery import visible

# Two contexts over 200 tokens, the strangest of them the most probable, so that they are the ones shown.
DATA = """
import torch
tokens = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", " the", "\\n", "שלום", "👩\\u200d🔬"]
tokens += [""]
tokens += [f" word{index}" for index in range(len(tokens), 200)]
logits = 2 * torch.randn(2, 200, generator=torch.Generator().manual_seed(5))
logits[:, :8] += 4
"""
LIVE = '.course-explorer[data-state="live"]'
NODES = "() => document.querySelector('.course-explorer > div').shadowRoot.querySelectorAll('*').length"
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


def set_slider(page: Page, number: int, position: float) -> None:
    """Move the slider of that number: temperature, top-k, top-p."""
    page.locator(".course-explorer input").nth(number).evaluate(
        "(input, position) => { input.value = position; input.dispatchEvent(new Event('input')); }", position
    )


def assert_numbers_equal_torch(page: Page, context: int = 0) -> dict[str, float]:
    """Compare what is shown with ``sampling_probabilities``, called as the explorer says it may be called."""
    given = {}
    exec(DATA, given)  # the same numbers that the notebook made
    said = page.locator(".course-explorer code").inner_text()
    settings = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", said)}
    if "top_k" in settings:
        settings["top_k"] = int(settings["top_k"])
    expected = sampling_probabilities(given["logits"][context], **settings)
    order = given["logits"][context].sort(descending=True, stable=True).indices[:20]
    rows = page.locator(".course-explorer .row[role]")
    shown = torch.tensor([float(value) for value in rows.evaluate_all("(all) => all.map((row) => row.dataset.after)")])
    assert (shown - expected[order]).abs().max() < 0.004, settings
    assert rows.locator("bdi").all_inner_texts() == [visible(given["tokens"][index]) for index in order]
    entropy, kept, _ = page.locator(".course-explorer dd").all_inner_texts()
    bits = -torch.special.xlogy(expected, expected).sum().item() / torch.log(torch.tensor(2.0)).item()
    assert abs(float(entropy.removesuffix(" bits")) - bits) < 0.02, settings
    # Uncut, every token stays, though torch's 32 bits round the rarest down to 0.
    left = 200 if settings.keys() == {"temperature"} else int((expected > 0).sum())
    assert kept == f"{left} of 200", settings
    return settings


def assert_alive(page: Page) -> None:
    """Go through the explorer as a reader would: sliders, contexts, keys, draws, table."""
    page.wait_for_selector(LIVE)
    assert not page.locator(".course-explorer > img").is_visible()
    assert assert_numbers_equal_torch(page) == {"temperature": 0.7, "top_k": 60}
    last = int(page.locator(".course-explorer input").nth(1).get_attribute("max"))
    for positions in ((-1, last, 1), (0.48, last, 1), (0, last, 0.9), (0.3, 11, 1), (0.3, 8, 0.55), (0.3, 0, 0.01)):
        for number, position in enumerate(positions):
            set_slider(page, number, position)
        assert_numbers_equal_torch(page)
    page.locator(".course-explorer select").select_option(index=1)
    assert_numbers_equal_torch(page, context=1)
    page.get_by_role("button", name="Reset").click()
    assert assert_numbers_equal_torch(page, context=1) == {"temperature": 0.7, "top_k": 60}

    page.get_by_role("slider", name="Temperature").press("ArrowRight")
    assert assert_numbers_equal_torch(page, context=1)["temperature"] == 0.72
    rows = page.locator(".course-explorer .row[role]")
    rows.first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "Enter", "ArrowDown"):
        page.keyboard.press(key)
    assert rows.evaluate_all("(all) => all.map((row) => row.ariaSelected)").index("true") == 1
    assert rows.evaluate_all("(all) => all.map((row) => row.tabIndex)").index(0) == 2
    assert "rank 3 " in page.locator(".detail").inner_text()  # the row in focus; the pinned one when it is left
    page.get_by_role("button", name="Draw a token").focus()
    assert "rank 2 " in page.locator(".detail").inner_text()
    page.keyboard.press("Escape")
    assert "rank" not in page.locator(".detail").inner_text()

    page.get_by_role("button", name="Draw 100").click()
    counts = page.locator(".course-explorer small").all_inner_texts()
    assert sum(int(count.lstrip("×") or 0) for count in counts) == 100
    first = page.locator("mark").inner_text()
    page.get_by_role("button", name="Reset").click()
    set_slider(page, 0, 0.5)
    assert page.locator("mark").inner_text() == "?"
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("slider", name="Temperature").press("ArrowRight")
    page.get_by_role("button", name="Draw 100").click()
    assert page.locator("mark").inner_text() == first  # the same settings draw the same tokens
    page.get_by_text("These numbers as a table").click()
    page.locator(".course-explorer tr").nth(20).wait_for()  # the table is filled when the browser says it is open
    assert page.locator(".course-explorer tr").count() == 21
    assert page.evaluate(NODES) < 500
    assert page.evaluate("window.hacked") is None


def assert_legible(page: Page, *, dark: bool) -> None:
    """Measure the contrast of every kind of text, and that the background is the theme's."""
    for part in (".sentence", ".detail", ".row[role] >> nth=0", ".key", "dt >> nth=0", "code", "mark"):
        paper, contrast = page.locator(f".course-explorer {part}").evaluate(CONTRAST)
        assert (paper < 0.2) == dark, part
        assert contrast > 4.5 or part == "mark", (part, contrast)
