"""The attention explorer in a real browser, in every place where a notebook is read."""

import pytest
import torch

from tests.support.attention_samples import weights
from tests.support.explorer_checks import NODES, number, places, press, table
from tests.support.explorer_pages import EveryPlace
from utils.explorers import AttentionExplorer
from utils.explorers.weights import decoded, encoded

pytestmark = pytest.mark.browser

MAP = ".map > canvas"
SHOWN = "(canvas) => Array.from(canvas.weights, (weight) => (Number.isNaN(weight) ? -1 : weight))"
# The brightness of the numbers under the ramp of colours: what is written is light on dark, or dark on light.
INK = """(canvas) => {
    const pen = canvas.getContext("2d");
    const { data } = pen.getImageData(0, canvas.height - 16 * devicePixelRatio, canvas.width, 10);
    let [sum, count] = [0, 0];
    for (let place = 0; place < data.length; place += 4) {
        if (data[place + 3] > 200) { sum += data[place]; count += 1; }
    }
    return sum / count;
}"""


def assert_map(root, expected, forbidden):
    """Compare the heat map's numbers with ``expected``; forbidden cells hold none."""
    shown = torch.tensor(root.locator(MAP).evaluate(SHOWN)).view(expected.shape)
    assert torch.equal(shown == -1, forbidden)
    assert (shown - expected)[~forbidden].abs().max() < 0.004


class TestAttentionExplorer(EveryPlace):
    name = "attention"
    # An encoder of three layers with padding and a pair of sentences, a causal decoder of two layers, and their cross
    # attention of one; the tokens are the strangest there are.
    data = """
import torch
from utils.explorers import AttentionExplorer
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
    shows = (
        "AttentionExplorer(own, tokens, decoder_attentions=causal, cross_attentions=cross, target_tokens=target, "
        "mask=mask, segments=[0, 0, 0, 0, 1, 1, 1, 1], layer=2, head=1)",
    )
    alts = ("Heat map of layer 2, head 1",)
    texts = (".detail", "h3", "label", "summary", "[role=radio]")
    most_nodes = (300,)

    def assert_numbers(self, page, root):
        """Go through each kind of attention, layer and head, mean and maximum included."""
        given = self.given()
        away = given["padding"]
        kinds = {
            "encoder self-attention": (given["own"], away[:, None] | away),
            "decoder self-attention": (given["causal"], torch.ones(5, 5).triu(1).bool()),
            "cross-attention": (given["cross"], away.repeat(5, 1)),
        }
        radios, kind_shown = root.locator("[role=radio]"), root.locator("select")
        for kind, (layers, forbidden) in kinds.items():
            kind_shown.select_option(kind)
            heads = layers[0].shape[1] + 2
            assert radios.count() == len(layers) * heads
            for place in range(radios.count()):
                radios.nth(place).click()
                of_layer = layers[place // heads][0]
                maps = [*of_layer, of_layer.mean(dim=0), of_layer.amax(dim=0)]
                assert_map(root, maps[place % heads], forbidden)
        kind_shown.select_option("encoder self-attention")
        assert radios.nth(13).get_attribute("aria-checked") == "true"  # layer 2, head 1, as asked for

    def walk(self, page, root):
        """Use heads, tokens, keys, hiding, sorting, table."""
        self.assert_numbers(page, root)
        words, rows = self.given()["tokens"], self.given()["own"][2][0, 1]
        detail, title, option = root.locator(".detail"), root.locator("h3"), root.locator("input").first
        radios, tokens = root.locator("[role=radio]"), root.locator("[role=option]")

        assert title.inner_text().startswith("layer 2, head 1: entropy ")
        entropy = -torch.special.xlogy(rows, rows).sum(-1)[:7].mean() / torch.log(torch.tensor(2.0))
        assert abs(float(title.inner_text().split()[-2]) - entropy) < 0.05
        radios.nth(13).focus()
        for key, head in (("ArrowRight", 14), ("ArrowUp", 8), ("ArrowLeft", 7), ("ArrowDown", 13)):
            press(page, key)
            assert places(radios, "ariaChecked", "true") == [head]
            assert len(places(radios, "tabIndex", 0)) == 1

        # The keyboard walks the tokens that look, then along the tokens they look at.
        assert tokens.nth(1).get_attribute("aria-label").startswith("</script>")
        tokens.first.focus()
        press(page, "ArrowDown ArrowDown ArrowUp End ArrowUp Home ArrowDown ArrowDown")
        assert detail.inner_text().startswith("$x^2$ looks at " + words[rows[2].argmax()])
        press(page, "ArrowRight ArrowRight ArrowRight ArrowRight")
        assert detail.inner_text().startswith("$x^2$ → [SEP] ")
        assert abs(float(detail.inner_text().split()[3]) - rows[2, 3]) < 0.004
        press(page, "Enter")
        option.focus()
        assert detail.inner_text().startswith("$x^2$ → [SEP] ")
        assert tokens.nth(2).get_attribute("aria-selected") == "true"
        press(page, "Escape")
        assert detail.inner_text().startswith("Point at a token")

        tokens.nth(4).click()  # which also brings the keyboard there
        press(page, "ArrowUp")
        assert tokens.nth(3).evaluate("(token) => token.getRootNode().activeElement === token")
        option.focus()
        page.mouse.move(0, 0)
        assert detail.inner_text().startswith(words[4] + " looks at ")
        press(page, "Escape")

        # The pointer: a cell of the heat map, a masked one, a token beside the lines.
        heat, lines = root.locator(MAP), root.locator(".panels > :last-child canvas")
        first, last = tokens.first.bounding_box(), tokens.last.bounding_box()
        cell = {"x": first["width"] + 1.5 * first["height"], "y": first["width"] + 0.5 * first["height"]}
        heat.hover(position=cell)
        assert abs(float(detail.inner_text().split(" → ")[1].split(" · ")[0].split()[-1]) - rows[0, 1]) < 0.004
        heat.hover(position={**cell, "x": first["width"] + 7.5 * last["height"]})
        assert "[CLS] → [PAD] masked" in detail.inner_text()
        lines.click(position={"x": lines.bounding_box()["width"] - 20, "y": 30})
        page.mouse.move(0, 0)
        assert detail.inner_text().startswith("[CLS] is looked at by ")
        assert root.get_by_text("sentence A → B").inner_text().count("→") == 4

        hiding, sorting = root.get_by_label("hide special tokens"), root.get_by_label("sort heads")
        hiding.check()
        plain = torch.tensor([1, 2, 4, 5])
        expected = torch.tensor(decoded(encoded(rows.numpy())))[plain][:, plain]  # what was stored, made 1 again
        assert_map(root, expected / expected.sum(-1, keepdim=True), torch.zeros(4, 4, dtype=torch.bool))
        assert tokens.count() == 4
        hiding.uncheck()

        names = radios.evaluate_all("(all) => all.map((head) => head.ariaLabel)")
        sorting.check()
        ordered = radios.evaluate_all("(all) => all.map((head) => head.ariaLabel)")
        bits = [float(name.split()[-2]) for name in ordered[:4]]
        assert bits == sorted(bits)
        assert sorted(ordered) == sorted(names)
        sorting.uncheck()

        shown = [number(cells[0]) for cells in table(root, "The strongest links", rows=14)[1:]]
        assert abs(shown[0] - rows[:7].max()) < 0.004
        assert shown == sorted(shown, reverse=True)

    def assert_legible(self, page, *, dark):
        """Besides, the numbers on the canvas follow the theme."""
        super().assert_legible(page, dark=dark)
        canvas = page.locator(MAP)
        page.wait_for_function(f"(canvas) => ({INK})(canvas) {'>' if dark else '<'} 128", arg=canvas.element_handle())
        assert canvas.is_visible()

    def test_drawings_follow_when_the_reader_changes_the_width(self, alone):
        [root] = alone(*self.outputs(), width=1000)
        root.page.set_viewport_size({"width": 400, "height": 900})
        canvas = root.locator(MAP).element_handle()
        root.page.wait_for_function("(canvas) => canvas.clientWidth < 400", arg=canvas)

    @pytest.mark.parametrize("size", [1, 64, 256])
    def test_long_texts_stay_light(self, alone, size):
        """At 256 tokens, 6 layers of 2 heads (12 heads of a real model take 3.4 MB): few nodes, every key at work."""
        made = AttentionExplorer(weights(6, 1, 2, size, size), [f"word{place}" for place in range(size)])
        [root] = alone(made.html)
        assert root.evaluate(NODES) < 2_000
        root.locator("[role=option]").first.focus()
        press(root.page, "End")
        assert root.locator(".detail").inner_text().startswith(f"word{size - 1} looks at")
