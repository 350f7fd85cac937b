"""What must hold of a live attention explorer, wherever it is shown: its weights, its keys, its colours, its size."""

import torch
from playwright.sync_api import Page

from tests.support.explorer_checks import CONTRAST, LIVE, NODES
from utils.explorers.weights import decoded, encoded

# An encoder of three layers with padding and a pair of sentences, a causal decoder of two layers, and their cross
# attention of one; the tokens are the strangest there are.
DATA = """
import torch
hostile = '</script><img src=x onerror="window.hacked=1">'
tokens = ["[CLS]", hostile, "$x^2$", "[SEP]", "שלום", "👩\\u200d🔬", "[SEP]", "[PAD]"]
target = ["<b>bold", " the", "\\n", "", "x"]
def weights(*shape, mask=None):
    scores = 3 * torch.randn(1, *shape, generator=torch.Generator().manual_seed(sum(shape)))
    return scores.masked_fill(torch.zeros(1, dtype=bool) if mask is None else mask, -torch.inf).softmax(-1)
mask = torch.tensor([1, 1, 1, 1, 1, 1, 1, 0])
padding = mask == 0
own = tuple(weights(4, 8, 8, mask=padding) for _ in range(2)) + (weights(4, 8, 8, mask=padding) ** 2,)
own = tuple(layer / layer.sum(-1, keepdim=True) for layer in own)
causal = tuple(weights(2, 5, 5, mask=torch.ones(5, 5).triu(1).bool()) for _ in range(2))
cross = (weights(3, 5, 8, mask=padding),)
"""
EXPLORER = (
    "AttentionExplorer(own, tokens, decoder_attentions=causal, cross_attentions=cross, target_tokens=target, "
    "mask=mask, segments=[0, 0, 0, 0, 1, 1, 1, 1], layer=2, head=1)"
)
SHOWN = "(canvas) => Array.from(canvas.weights, (weight) => (Number.isNaN(weight) ? -1 : weight))"


def given() -> dict:
    """Return the same numbers that the notebook made."""
    found: dict = {}
    exec(DATA, found)
    return found


def assert_map(page: Page, expected: torch.Tensor, forbidden: torch.Tensor) -> None:
    """Compare the heat map's numbers with ``expected``; forbidden cells hold none."""
    shown = torch.tensor(page.locator(".course-explorer .map > canvas").evaluate(SHOWN)).view(expected.shape)
    assert torch.equal(shown == -1, forbidden)
    assert (shown - expected)[~forbidden].abs().max() < 0.004


def assert_every_head_equals_torch(page: Page) -> None:
    """Go through each kind of attention, layer and head, mean and maximum included."""
    data = given()
    away = data["padding"]
    kinds = {
        "encoder self-attention": (data["own"], away[:, None] | away),
        "decoder self-attention": (data["causal"], torch.ones(5, 5).triu(1).bool()),
        "cross-attention": (data["cross"], away.repeat(5, 1)),
    }
    for kind, (layers, forbidden) in kinds.items():
        page.locator(".course-explorer select").select_option(kind)
        radios = page.locator(".course-explorer [role=radio]")
        heads = layers[0].shape[1] + 2
        assert radios.count() == len(layers) * heads
        for place in range(radios.count()):
            radios.nth(place).click()
            of_layer = layers[place // heads][0]
            maps = [*of_layer, of_layer.mean(dim=0), of_layer.amax(dim=0)]
            assert_map(page, maps[place % heads], forbidden)
    page.locator(".course-explorer select").select_option("encoder self-attention")
    assert radios.nth(13).get_attribute("aria-checked") == "true"  # layer 2, head 1, as asked for


def assert_alive(page: Page) -> None:
    """Go through the explorer as a reader would: heads, tokens, keys, hiding, sorting, table."""
    page.wait_for_selector(LIVE)
    assert not page.locator(".course-explorer > img").is_visible()
    assert_every_head_equals_torch(page)
    data = given()
    detail, title = page.locator(".course-explorer .detail"), page.locator(".course-explorer h3")
    radios, tokens = page.locator(".course-explorer [role=radio]"), page.locator(".course-explorer [role=option]")
    rows = data["own"][2][0, 1]

    assert title.inner_text().startswith("layer 2, head 1: entropy ")
    entropy = -torch.special.xlogy(rows, rows).sum(-1)[:7].mean() / torch.log(torch.tensor(2.0))
    assert abs(float(title.inner_text().split()[-2]) - entropy) < 0.05
    radios.nth(13).focus()
    for key, head in (("ArrowRight", 14), ("ArrowUp", 8), ("ArrowLeft", 7), ("ArrowDown", 13)):
        page.keyboard.press(key)
        assert radios.evaluate_all("(all) => all.findIndex((head) => head.ariaChecked === 'true')") == head
        assert radios.evaluate_all("(all) => all.filter((head) => head.tabIndex === 0).length") == 1

    # The keyboard walks the tokens that look, then along the tokens they look at.
    assert tokens.evaluate_all("(all) => all.map((token) => token.ariaLabel)")[1].startswith("</script>")
    tokens.first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "End", "ArrowUp", "Home", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    strongest = rows[2].argsort(descending=True)[:2]
    assert detail.inner_text().startswith("$x^2$ looks at " + data["tokens"][strongest[0]])
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert detail.inner_text().startswith("$x^2$ → [SEP] ")
    assert abs(float(detail.inner_text().split()[3]) - rows[2, 3]) < 0.004
    page.keyboard.press("Enter")
    page.locator(".course-explorer input").first.focus()
    assert detail.inner_text().startswith("$x^2$ → [SEP] ")
    assert tokens.nth(2).get_attribute("aria-selected") == "true"
    page.keyboard.press("Escape")
    assert detail.inner_text().startswith("Point at a token")

    tokens.nth(4).click()  # which also brings the keyboard there
    page.keyboard.press("ArrowUp")
    assert tokens.nth(3).evaluate("(token) => token.getRootNode().activeElement === token")
    page.locator(".course-explorer input").first.focus()
    page.mouse.move(0, 0)
    assert detail.inner_text().startswith(data["tokens"][4] + " looks at ")
    page.keyboard.press("Escape")

    # The pointer: a cell of the heat map, a masked one, a token beside the lines.
    heat = page.locator(".course-explorer .map > canvas")
    lines = page.locator(".course-explorer .panels > :last-child canvas")
    first, last = tokens.first.bounding_box(), tokens.last.bounding_box()
    cell = {"x": first["width"] + 1.5 * first["height"], "y": first["width"] + 0.5 * first["height"]}
    heat.hover(position=cell)
    assert abs(float(detail.inner_text().split(" → ")[1].split(" · ")[0].split()[-1]) - rows[0, 1]) < 0.004
    heat.hover(position={**cell, "x": first["width"] + 7.5 * last["height"]})
    assert "[CLS] → [PAD] masked" in detail.inner_text()
    lines.click(position={"x": lines.bounding_box()["width"] - 20, "y": 30})
    page.mouse.move(0, 0)
    assert detail.inner_text().startswith("[CLS] is looked at by ")
    assert page.get_by_text("sentence A → B").inner_text().count("→") == 4

    page.get_by_label("hide special tokens").check()
    plain = torch.tensor([1, 2, 4, 5])
    expected = torch.tensor(decoded(encoded(rows.numpy())))[plain][:, plain]  # what was stored, made 1 again
    assert_map(page, expected / expected.sum(-1, keepdim=True), torch.zeros(4, 4, dtype=torch.bool))
    assert tokens.count() == 4
    page.get_by_label("hide special tokens").uncheck()

    names = radios.evaluate_all("(all) => all.map((head) => head.ariaLabel)")
    page.get_by_label("sort heads").check()
    ordered = radios.evaluate_all("(all) => all.map((head) => head.ariaLabel)")
    bits = [float(name.split()[-2]) for name in ordered[:4]]
    assert bits == sorted(bits)
    assert sorted(ordered) == sorted(names)
    page.get_by_label("sort heads").uncheck()

    page.get_by_text("The strongest links").click()
    page.locator(".course-explorer tr").nth(2).wait_for()  # the table is filled when the browser says it is open
    shown = [float(text) for text in page.locator(".course-explorer td:first-child").all_inner_texts()]
    assert abs(shown[0] - rows[:7].max()) < 0.004
    assert shown == sorted(shown, reverse=True)
    assert page.evaluate(NODES) < 300
    assert page.evaluate("window.hacked") is None


def assert_legible(page: Page, *, dark: bool) -> None:
    """Measure the contrast of the text, that the background is the theme's, and that the canvas follows it."""
    for part in (".detail", "h3", "label >> nth=0", "summary", "[role=radio] >> nth=0"):
        paper, contrast = page.locator(f".course-explorer {part}").evaluate(CONTRAST)
        assert (paper < 0.2) == dark, part
        assert contrast > 4.5, (part, contrast)
    # The numbers under the ramp of colours: what is written is light on dark, or dark on light.
    ink = """(canvas) => {
        const pen = canvas.getContext("2d");
        const { data } = pen.getImageData(0, canvas.height - 16 * devicePixelRatio, canvas.width, 10);
        let [sum, count] = [0, 0];
        for (let place = 0; place < data.length; place += 4) {
            if (data[place + 3] > 200) { sum += data[place]; count += 1; }
        }
        return sum / count;
    }"""
    canvas = ".course-explorer .map > canvas"
    page.wait_for_function(f"""() => {{
        const canvas = document.querySelector(".course-explorer > div").shadowRoot.querySelector(".map > canvas");
        return ({ink})(canvas) {">" if dark else "<"} 128;
    }}""")
    assert page.locator(canvas).is_visible()
