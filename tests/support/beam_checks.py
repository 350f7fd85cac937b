"""What must hold of a live beam tree, wherever it is shown: its numbers, its keys, its sliders, its colours."""

import re

from playwright.sync_api import Locator, Page

from tests.support.explorer_checks import CONTRAST
from utils.beam import beam_search
from utils.explorers.delivery import visible

# A small random decoder whose tokens are of every kind; greedy search loses.
DATA = """
import torch
from utils.explorers.beam import BeamTree
from utils.recurrent import DecoderRNN
torch.manual_seed(23)
model = DecoderRNN(8, 8).eval()
torch.nn.init.normal_(model.out.weight, std=3.0)
tokens = ['</script><img src=x onerror="window.hacked=1">', "<b>bold", "$x^2$", " the", "שלום", "👩\\u200d🔬", ""]
tokens += ["</s>"]
prompt = torch.tensor([[1]])
options = {"max_new_tokens": 7, "end_id": 7}
"""
TREE = 'BeamTree(model, prompt, tokens=tokens, width=4, prompt="<i>he</i> said", **options)'
NODES = "(root) => root.querySelector('div').shadowRoot.querySelectorAll('*').length"


def given() -> dict:
    """Return what the notebook made, and what beam search finds at each width."""
    names: dict = {}
    exec(DATA, names)
    search = {"trace": True, **names["options"]}
    names["found"] = [beam_search(names["model"], names["prompt"], width=width, **search) for width in range(1, 5)]
    return names


def view(page: Page) -> Locator:
    """Wait for the beam tree to come alive, and return it."""
    found = page.locator('.course-explorer[data-kind="beam"][data-state="live"]')
    found.wait_for()
    assert not found.locator("> img").is_visible()
    return found


def shown(number: float, places: int = 2) -> str:
    """Return a log-probability as the page writes it."""
    return f"{number:.{places}f}".replace("-0.00", "0.00" if round(number, places) == 0 else "-0.00").replace("-", "−")


def assert_numbers(page: Page) -> None:
    """Compare every node, every text and every number of every width with ``beam_search``."""
    root, names = view(page), given()
    words = [visible(token) for token in names["tokens"]]
    width, step, _ = root.get_by_role("slider").all()
    width.press("Home")
    for number, found in enumerate(names["found"], start=1):
        assert width.get_attribute("aria-valuetext") == f"{number}{': greedy search' * (number == 1)}"
        (tree,) = found.trees
        last = max(node.length for node in tree)
        step.press("End")
        assert step.get_attribute("aria-valuetext") == f"{last} of {last}"
        nodes = root.locator(".node:not(.root)")
        labels = nodes.evaluate_all("(all) => all.map((node) => [node.ariaLabel, node.ariaLevel])")
        expected = [
            (
                f"{words[node.token]}, {shown(node.log_probability)} Σ {shown(node.total)}, {node.fate}",
                f"{node.length + 1}",
            )
            for node in tree
        ]
        assert sorted(map(tuple, labels)) == sorted(expected)
        best = found.hypotheses[0][0]
        assert won(root) == [words[token] for token in best.ids]
        said = root.locator(".finding").inner_text()
        assert f"log-probability {shown(best.log_probability)}, probability" in said
        items = root.locator("li").all_inner_texts()
        ended = [node for node in tree if node.fate in ("finished", "unfinished")]
        assert len(items) == min(8, len(ended))
        for item, each in zip(items, found.hypotheses[0], strict=False):
            text = " ".join(words[token] for token in each.ids)
            assert item.startswith(f"“{text}” {shown(each.log_probability)} · {len(each.ids)} token")
            assert item.endswith("unfinished") != each.finished
        width.press("ArrowRight")


def won(root: Locator) -> list[str]:
    """Return the words of the best text, in order."""
    return root.locator(".node.won").evaluate_all(
        "(all) => all.sort((a, b) => a.ariaLevel - b.ariaLevel).map((node) => node.innerText)"
    )


def assert_alive(page: Page) -> None:
    """Use the beam tree as a reader would: sliders, buttons, keys, pins, table."""
    root, names = view(page), given()
    assert_numbers(page)
    width, step, penalty = root.get_by_role("slider").all()
    detail, nodes = root.locator(".detail"), root.locator(".node")
    greedy, best = names["found"][0].hypotheses[0][0], names["found"][3].hypotheses[0][0]
    assert best.log_probability > greedy.log_probability + 0.1
    assert "Greedy search (width 1) finds" in root.locator(".finding").inner_text()
    assert root.locator(".node.led").count() > 0

    # The tree grows word by word.
    (tree,) = names["found"][3].trees
    for number in range(max(node.length for node in tree) + 1):
        step.press("Home") if not number else root.get_by_role("button", name="Next").click()
        assert nodes.count() == 1 + sum(node.length <= number for node in tree)
    assert root.get_by_role("button", name="Next").is_disabled()
    root.get_by_role("button", name="Back").click()
    assert root.locator(".won").count() == 1  # nothing has won yet: this is the one of the legend
    play = root.get_by_role("button", name="Play")
    step.press("End")
    # In one go, before the first word comes.
    left = "(button) => { button.click(); return button.closest('.view').querySelectorAll('.node').length; }"
    assert play.evaluate(left) == 1
    root.get_by_role("button", name="Pause").click()
    assert play.count() == 1

    # Keys: to the best text, up and down its column, back to the prompt.
    step.press("End")
    root.locator('.node[tabindex="0"]').focus()
    page.keyboard.press("End")
    assert "■ Finished, number 1 of" in detail.inner_text()
    assert nodes.evaluate_all("(all) => all.filter((node) => node.tabIndex === 0).length") == 1
    total = re.search(r"[=≈] (−[\d.]+), probability ([\d.]+)%", detail.inner_text())
    assert total.group(1) == shown(best.log_probability)
    page.keyboard.press("Enter")
    for _ in best.ids:
        page.keyboard.press("ArrowLeft")
    assert detail.inner_text() == "<i>he</i> said: every text starts here."
    page.keyboard.press("ArrowRight")
    assert "number 1 of" in detail.inner_text()
    for _ in range(12):
        page.keyboard.press("ArrowDown")  # at the end the walk stands still
    first = [node for node in tree if node.length == 1]
    lost = min(node.total for node in first if node.fate == "kept") - first[-1].total
    assert "✂ Pruned, number 8 of 8 at step 1: the last of the 4 that went on, “" in detail.inner_text()
    assert detail.inner_text().endswith(f"is ahead by {shown(lost)}.")
    live = root.locator("[aria-live]")
    page.wait_for_function("(region) => region.textContent.includes('Pruned')", arg=live.element_handle())
    page.keyboard.press("Home")
    width.focus()
    assert "■ Finished, number 1 of" in detail.inner_text()  # pinned
    page.keyboard.press("Escape")
    assert detail.inner_text().startswith("Point at a word")
    root.locator(".node.pruned").first.click()
    assert "✂ Pruned" in detail.inner_text()
    page.keyboard.press("Escape")

    # The penalty re-ranks what has ended.
    penalty.press("End")
    assert penalty.get_attribute("aria-valuetext") == "2.00"
    ended = [node for node in tree if node.fate in ("finished", "unfinished")]
    top = max(ended, key=lambda node: node.total / node.length**2)
    words = [visible(token) for token in names["tokens"]]
    assert won(root) == [words[token] for token in top.ids] != [words[token] for token in best.ids]
    assert f"÷ {top.length}^2.00 = {shown(top.total / top.length**2)}" in root.locator("li").first.inner_text()
    penalty.press("Home")
    root.get_by_text("The best texts as a table").click()
    root.locator("tr").nth(5).wait_for()
    rows = root.locator("tr").evaluate_all("(rows) => rows.slice(1).map((row) => row.innerText.split('\\t'))")
    expected = [(width, each) for width in range(1, 5) for each in names["found"][width - 1].hypotheses[0]]
    assert [(int(row[0]), row[2], int(row[3]), row[4]) for row in rows] == [
        (number, shown(each.log_probability, 4), len(each.ids), shown(each.score, 4)) for number, each in expected
    ]
    assert root.evaluate(NODES) < 1500
    assert page.evaluate("window.hacked") is None


def assert_legible(page: Page, *, dark: bool) -> None:
    """Measure the contrast of every kind of text, and that the background is the theme's."""
    nodes = [f".node.{kind}:not(.won)" for kind in ("root", "kept", "pruned", "finished", "past")]
    for part in (".finding", ".detail", *nodes, ".cut", ".key", "li", ".slider >> nth=0"):
        paper, contrast = page.locator(f".course-explorer {part}").first.evaluate(CONTRAST)
        assert (paper < 0.2) == dark, part
        assert contrast > 4.5, (part, contrast)
