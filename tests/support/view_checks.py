"""What must hold of the steps of attention and of the alignment view, wherever they are shown."""

import re

import torch
import torch.nn.functional as F
from playwright.sync_api import Locator, Page

from tests.support.explorer_checks import CONTRAST
from utils.explorers.delivery import visible

# Tokens of every kind, a padded key, and a causal mask; five generated words for four source words.
DATA = """
import torch
from utils.explorers.alignment import AlignmentView
from utils.explorers.steps import AttentionSteps
tokens = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", "שלום"]
query, key, value = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(5))
mask = torch.tensor([True, True, False, True])
weights = torch.randn(5, 4, generator=torch.Generator().manual_seed(6)).mul(2).softmax(dim=1)
targets = tokens + [""]
gold = ([(0, 0), (1, 2)], [(3, 3)])
"""
STEPS = "AttentionSteps(query, key, value[:, :3], tokens=tokens, mask=mask, causal=True)"
ALIGNMENT = "AlignmentView(weights, tokens, targets, gold=gold)"
NODES = "(root) => root.querySelector('div').shadowRoot.querySelectorAll('*').length"


def given() -> dict:
    """Return the numbers that the notebook made."""
    names: dict = {}
    exec(DATA, names)
    return names


def view(page: Page, kind: str) -> Locator:
    """Wait for the explorer of that kind to come alive, and return it."""
    found = page.locator(f'.course-explorer[data-kind="{kind}"][data-state="live"]')
    found.wait_for()
    assert not found.locator("> img").is_visible()
    return found


def cells(root: Locator) -> torch.Tensor:
    """Return the numbers of the result that the steps show now, in full precision."""
    rows = root.locator('.result [role="row"]')
    numbers = rows.evaluate_all(
        "(rows) => rows.slice(1).map((row) => [...row.querySelectorAll('.cell')].map((cell) => cell.dataset.value))"
    )
    return torch.tensor([[float(value.replace("Infinity", "inf")) for value in row] for row in numbers])


def assert_steps_equal_torch(root: Locator) -> None:
    """Go through the four stages and compare every number with torch's."""
    names = given()
    query, key, value = names["query"], names["key"], names["value"][:, :3]
    allowed = names["mask"].expand(4, 4).tril()
    scores = query @ key.T / 2
    masked = scores.masked_fill(~allowed, -float("inf"))
    context = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
    tabs = root.get_by_role("tab")
    for number, expected in enumerate((scores, masked, masked.softmax(dim=1), context)):
        tabs.nth(number).click()
        shown = cells(root)
        torch.testing.assert_close(shown, expected, rtol=0, atol=1e-4)
        shut = root.locator(".result .cell.shut").count()
        assert shut == (int((~allowed).sum()) if number in (1, 2) else 0)
    assert root.locator(".result [role=rowheader] bdi").all_inner_texts() == [
        visible(token) for token in names["tokens"]
    ]


def assert_steps_alive(page: Page) -> None:
    """Use the steps of attention as a reader would: buttons, keys, pins, table."""
    root = view(page, "steps")
    assert_steps_equal_torch(root)
    tabs, detail = root.get_by_role("tab"), root.locator(".detail")
    tabs.nth(3).press("Home")
    assert tabs.nth(0).get_attribute("aria-selected") == "true"
    tabs.nth(0).press("ArrowRight")
    assert tabs.evaluate_all("(all) => all.map((tab) => tab.tabIndex)") == [-1, 0, -1, -1]
    root.get_by_role("button", name="Next").click()
    assert tabs.nth(2).get_attribute("aria-selected") == "true"
    sums = root.locator(".result b[role=cell]").all_inner_texts()
    assert sums == ["1.00"] * 4

    result = root.locator(".result .cell")
    root.locator('.result [tabindex="0"]').focus()
    for press in ("End", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp", "Home", "ArrowDown", "ArrowRight"):
        page.keyboard.press(press)  # at an edge the walk stands still
    assert result.evaluate_all("(all) => all.map((cell) => cell.tabIndex)").index(0) == 5
    assert re.search(r"→.+exp\(.+\) ÷ \(exp\(.+exp\(−∞\)\) ≈ [\d.]+ ÷ \(.+\) ≈ 0\.\d{4}$", detail.inner_text(), re.S)
    page.keyboard.press("PageUp")
    assert "may look at" in detail.inner_text()
    page.keyboard.press("ArrowRight")
    assert "stands later (3 > 2): " in detail.inner_text()
    page.keyboard.press("Enter")
    tabs.nth(1).focus()
    assert "stands later (3 > 2): " in detail.inner_text()  # pinned
    assert root.locator(".lit").count() == 2
    live = root.locator("[aria-live]")
    page.wait_for_function("(region) => region.textContent.includes('stands later')", arg=live.element_handle())
    page.keyboard.press("Escape")
    assert "Point at a number" in detail.inner_text()
    tabs.nth(3).click()
    result.nth(0).hover()
    assert "= 1.00 × value of “" in detail.inner_text()
    assert "d1: " in detail.inner_text()

    root.get_by_text("All numbers as a table").click()
    root.locator("tr").nth(21).wait_for()
    assert root.locator("tr").count() == 1 + 16 + 1 + 4
    assert root.evaluate(NODES) < 500
    assert page.evaluate("window.hacked") is None


def assert_alignment_alive(page: Page) -> None:
    """Use the alignment view as a reader would: slider, words, map, table."""
    root = view(page, "alignment")
    names = given()
    weights = names["weights"]
    detail, slider, later = root.locator(".detail"), root.get_by_role("slider"), root.locator(".later")
    caption = root.locator(".stepper b")
    words = root.get_by_role("option")
    assert words.all_inner_texts() == [visible(token) for token in names["targets"]]
    assert (caption.inner_text(), later.count()) == ("Whole sentence", 0)

    slider.press("Home")
    for row, best in enumerate(weights.argmax(dim=1).tolist()):
        assert caption.inner_text().startswith(f"Word {row + 1} of 5: ")
        assert slider.get_attribute("aria-valuetext") == caption.inner_text()
        assert later.count() == 4 - row
        share = float(re.search(r"with (\d+\.\d)%", detail.inner_text()).group(1)) / 100
        assert abs(share - weights[row].max()) < 0.0045
        assert f"“{visible(names['tokens'][best])}” with" in detail.inner_text()
        root.get_by_role("button", name="Next").click()
    assert caption.inner_text() == "Whole sentence"

    heat = root.locator("canvas").last
    heat.focus()
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("ArrowUp")
    for row in range(5):
        for column in range(4):
            said = detail.inner_text()
            assert abs(float(re.search(r"with <?(\d+(?:\.\d)?)%", said).group(1)) / 100 - weights[row, column]) < 0.0045
            link = (
                "sure"
                if (column, row) in names["gold"][0]
                else "possible"
                if (column, row) in names["gold"][1]
                else "no"
            )
            assert said.endswith(f"(gold: {link} link)")
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert caption.inner_text().startswith("Word 5 of 5")
    live = root.locator("[aria-live]")
    page.wait_for_function("(region) => region.textContent.startsWith('Word 5 of 5')", arg=live.element_handle())

    words.nth(4).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert words.evaluate_all("(all) => all.map((word) => word.tabIndex)") == [-1, 0, -1, -1, -1]
    assert words.evaluate_all("(all) => all.map((word) => word.ariaSelected)").index("true") == 1
    page.keyboard.press("Escape")
    assert (caption.inner_text(), later.count()) == ("Whole sentence", 0)
    words.nth(3).click()
    assert caption.inner_text().startswith("Word 4 of 5")

    root.get_by_text("The strongest links as a table").click()
    root.locator("tr").nth(5).wait_for()
    shown = [float(text) for text in root.locator("td:nth-child(3)").all_inner_texts()]
    assert (torch.tensor(shown) - weights.max(dim=1).values).abs().max() < 0.004
    assert "alignment error rate" in root.locator(".note").first.inner_text()
    assert root.evaluate(NODES) < 200
    assert page.evaluate("window.hacked") is None


def assert_views_legible(page: Page, *, dark: bool) -> None:
    """Measure the contrast of every kind of text, and that the background is the theme's."""
    for part in (
        ".intention",
        "h4 >> nth=0",
        ".result .cell >> nth=0",
        "[role=rowheader] >> nth=0",
        ".formula",
        ".note",
        ".word >> nth=0",
    ):
        paper, contrast = page.locator(f".course-explorer {part}").first.evaluate(CONTRAST)
        assert (paper < 0.2) == dark, part
        assert contrast > 4.5, (part, contrast)
