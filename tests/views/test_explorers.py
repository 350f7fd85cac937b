import itertools
import json
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from utils.decoding import sampling_probabilities
from utils.explorers import DecodingExplorer, delivery
from utils.explorers.decoding import STEP

HOSTILE = '</script><img src=x onerror="alert(1)">'
# Any text at all, half of a surrogate pair included: byte-level tokenisers make strange tokens.
any_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=12)
logit = st.one_of(st.floats(-60, 60, width=32), st.just(-float("inf")))


def explorer(contexts=1, vocabulary=50, **options):
    scores = 3 * torch.randn(contexts, vocabulary, generator=torch.Generator().manual_seed(7))
    return DecodingExplorer(scores, [f" w{index}" for index in range(vocabulary)], **options)


def stored_logits(output):
    """Read the output back as the browser does: for each context its logits in falling order, and the named tokens."""
    header, arrays = delivery.payload_of(output)
    for number, context in enumerate(header["contexts"]):
        low, middle, high = arrays[f"steps{number}"].astype(np.int64)
        depth = np.cumsum(low + 256 * middle + 65536 * high)
        names = [header["names"][place] for place in arrays[f"names{number}"]]
        yield context["highest"] - header["step"] * depth, names


class Tags(HTMLParser):
    """The elements, attributes and script of a piece of HTML, as a browser would take them."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


# --- what is delivered


@settings(max_examples=25, deadline=None)
@given(tokens=st.lists(any_text, min_size=1, max_size=12), prompt=any_text)
def test_tokens_of_any_kind_are_text(tokens, prompt):
    made = DecodingExplorer(torch.arange(len(tokens)), tokens, prompt=prompt)
    page = Tags(made.html)
    assert [tag for tag, _ in page.elements] == ["div", "img", "script"]
    assert page.text == delivery.script("decoding")  # no token has become part of the page or of its script
    made.html.encode("utf-8")
    made.summary.encode("utf-8")
    [(_, names)] = stored_logits(made.html)
    assert names == [delivery.visible(token) for token in reversed(tokens)]


def test_hostile_token_stays_out_of_the_markup():
    made = DecodingExplorer([1.0, 0.0], [HOSTILE, "a"], prompt=f'"{HOSTILE}')
    assert HOSTILE not in made.html.replace(delivery.script("decoding"), "")
    assert "onerror" in dict(Tags(made.html).elements)["img"]["alt"]  # said as text, by the alternative text
    assert next(stored_logits(made.html))[1][0] == HOSTILE.replace(" ", "␣")


def test_output_has_a_picture_a_description_and_a_plain_form():
    made = explorer(prompt="the cat", top_k=5)
    bundle, _ = DisplayFormatter().format(made)
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/html"].startswith('<div class="course-explorer" id="course-explorer-')
    image = dict(Tags(made.html).elements)["img"]
    with Image.open(BytesIO(delivery.base64.b64decode(image["src"].partition(",")[2]))) as picture:
        assert picture.format == "PNG"
        assert picture.width == int(image["width"])
    for said in (image["alt"], bundle["text/plain"]):
        assert "“the cat”" in said
        assert "50 tokens" in said
        assert "top-k 5" in said
        assert "kept 5 tokens" in said
    assert repr(made) == bundle["text/plain"]


def test_same_inputs_give_the_same_bytes(monkeypatch):
    monkeypatch.setattr(delivery, "_numbers", itertools.count(4))
    first = explorer(contexts=2)
    monkeypatch.setattr(delivery, "_numbers", itertools.count(4))
    assert explorer(contexts=2).html == first.html
    assert first.identifier == "course-explorer-4"
    assert explorer().identifier == "course-explorer-5"


def test_budget_of_three_contexts_and_two_thousand_tokens():
    made = explorer(contexts=3, vocabulary=2000, prompt=["one", "two", "three"])
    assert len(made.html.encode("utf-8")) <= 40_000


def test_vocabulary_of_a_real_model_fits():
    asked = []

    def name_of(index):
        asked.append(index)
        return f"token {index}"

    scores = 3 * torch.randn(2, 49_152, generator=torch.Generator().manual_seed(1))
    made = DecodingExplorer(scores, name_of)
    assert len(made.html.encode("utf-8")) <= 120_000
    assert len(set(asked)) <= 2 * 128  # a function is asked for what is shown, not for the whole vocabulary


def test_too_large_an_output_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(delivery, "OUTPUT_LIMIT", 10_000)
    with pytest.raises(ValueError, match=r"would take 0\.0 MB, more than the 0 MB"):
        explorer()


# --- the stored logits


@settings(max_examples=25, deadline=None)
@given(st.lists(logit, min_size=1, max_size=60).filter(lambda row: max(row) > -float("inf")))
def test_stored_logits_are_the_given_ones(row):
    made = DecodingExplorer(row, [str(index) for index in range(len(row))])
    [(stored, names)] = stored_logits(made.html)
    expected = torch.tensor(row).sort(descending=True, stable=True)
    possible = int(expected.values.isfinite().sum())
    assert delivery.payload_of(made.html)[0]["contexts"][0]["excluded"] == len(row) - possible
    np.testing.assert_allclose(stored, expected.values[:possible], rtol=1e-6, atol=STEP / 2 + 1e-4)
    assert names == [str(index) for index in expected.indices[:possible].tolist()]


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(None, None), (7, None), (None, 0.8), (40, 0.5)])
def test_stored_logits_give_the_probabilities_of_sampling(temperature, top_k, top_p):
    scores = 3 * torch.randn(2, 500, generator=torch.Generator().manual_seed(3))
    made = DecodingExplorer(scores, [str(index) for index in range(500)], named=500)
    expected = sampling_probabilities(scores, temperature, top_k, top_p)
    for row, (stored, names) in zip(expected, stored_logits(made.html), strict=True):
        again = sampling_probabilities(torch.tensor(stored), temperature, top_k, top_p)
        order = torch.tensor([int(name) for name in names])
        assert (again - row[order]).abs().max() < 0.004


def test_contexts_share_one_table_of_names():
    header, arrays = delivery.payload_of(explorer(contexts=3, vocabulary=30, prompt=list("abc")).html)
    assert len(header["names"]) == 30
    assert [context["text"] for context in header["contexts"]] == ["a", "b", "c"]
    assert all(len(arrays[f"names{number}"]) == 30 for number in range(3))


def test_long_prompt_keeps_its_end():
    header, _ = delivery.payload_of(explorer(prompt="x" * 500 + " the end").html)
    text = header["contexts"][0]["text"]
    assert text.startswith("…x")
    assert text.endswith("the end")
    assert len(text) == 241


def test_payload_is_json_that_every_browser_reads():
    header, _ = delivery.payload_of(explorer(prompt="\u2028\x00").html)
    assert json.loads(json.dumps(header, allow_nan=False)) == header


def test_gradient_half_precision_and_numpy_are_taken():
    tokens = ["a", "b"]
    for scores in (torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([1, 2]).bfloat16(), np.array([1, 2])):
        [(stored, names)] = stored_logits(DecodingExplorer(scores, tokens).html)
        assert stored.tolist() == [2.0, 1.0]
        assert names == ["b", "a"]


@pytest.mark.parametrize(
    ("logits", "tokens", "options", "message"),
    [
        ([float("nan"), 0.0], "ab", {}, "context 0 hold NaN or [+]infinity"),
        ([[0.0, 0.0], [float("inf"), 0.0]], "ab", {}, "context 1 hold NaN or [+]infinity"),
        ([-float("inf")] * 2, "ab", {}, "context 0 are all -infinity"),
        ([], "", {}, "neither of them 0"),
        (torch.zeros(0, 3), "abc", {}, "neither of them 0"),
        (torch.zeros(1, 1, 3), "abc", {}, r"take the last position, logits\[:, -1\]"),
        (1.0, "a", {}, "must have shape"),
        ([[0.0], [0.0, 1.0]], "ab", {}, "must be numbers of shape"),
        ("words", "ab", {}, "must be numbers of shape"),
        ([0.0, 1.0], "abc", {}, "there are 3 tokens but 2 logits"),
        ([0.0, 1.0], ["a", b"b"], {}, "token 1 is b'b'; tokens must be strings"),
        ([0.0, 1.0], lambda index: index, {}, "token 1 is 1; tokens must be strings"),
        ([0.0, 1.0], "ab", {"prompt": ["x", "y"]}, "there are 2 prompts but 1 contexts"),
        ([0.0, 1.0], "ab", {"prompt": [3]}, "every prompt must be a string"),
        ([0.0, 1.0], "ab", {"temperature": 0}, "temperature must lie within the slider's"),
        ([0.0, 1.0], "ab", {"temperature": float("nan")}, "temperature must lie within the slider's"),
        ([0.0, 1.0], "ab", {"top_k": 0}, "top_k must be at least 1"),
        ([0.0, 1.0], "ab", {"top_p": 1.5}, "top_p must lie above 0"),
        ([0.0, 1.0], "ab", {"top": 0}, "top must be at least 1"),
        ([0.0, 1.0], "ab", {"top": 5, "named": 2}, "named at least top"),
    ],
)
def test_bad_input_gets_one_plain_sentence(logits, tokens, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        DecodingExplorer(logits, tokens, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
