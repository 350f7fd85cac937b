"""Which drift counts as the same, and which change does not."""

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.support.comparison import html_difference, payload_difference, picture_difference, text_difference
from utils import plots
from utils.explorers import delivery
from utils.explorers.decoding import DecodingExplorer


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("loss 0.693147", "loss 0.693148"),
        ("loss 2.5000", "loss 2.5001"),
        ("[ 0.1234, -0.0000]", "[ 0.1234,  0.0000]"),
        ("tensor([[0.0123]])", "tensor([[0.0124]])"),
        ("1.2e-07 apart", "3.4e-08 apart"),
        ("1e-07 apart", "0.0 apart"),
        ("1234.5 tokens", "1235.0 tokens"),
        ("x = −0.50000", "x = -0.50001"),
    ],
)
def test_small_drift_is_accepted(expected, actual):
    assert text_difference(expected, actual) is None


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("loss 0.693", "loss 0.700"),
        ("loss 2.00", "loss 2.02"),
        ("loss 0.69", "loss -0.69"),
        ("3 tokens", "4 tokens"),
        ("1000000 tokens", "1000001 tokens"),
        ("100 %", "101 %"),
        ("layer 1.", "layer 2."),
        ("cell 007", "cell 7"),
        ("The cat sat.", "The cat sits."),
        ("a b", "a  b"),
        ("3", "3.0"),
        ("0.5", "nan"),
        ("0.5 0.6", "0.5"),
        ("one\n", "one"),
        ("", "0.5"),
        ("version 2.13.0", "version 2.13.1"),
        ("gru_1 0.5", "gru_2 0.5"),
    ],
)
def test_other_text_is_refused(expected, actual):
    assert text_difference(expected, actual)
    assert text_difference(actual, expected)


def test_the_difference_shows_both_lines():
    message = text_difference("start\nloss 0.500\nend", "start\nloss 0.600\nend")
    assert message == "0.500 became 0.600\n    in the notebook: loss 0.500\n    computed now:    loss 0.600"


@given(st.text())
def test_any_text_equals_itself_and_no_longer_text(text):
    assert text_difference(text, text) is None
    assert text_difference(text, text + "x")


@given(st.floats(0.01, 1e6), st.floats(-0.5, 0.5))
def test_decimals_within_half_a_thousandth_are_the_same(value, drift):
    assert text_difference(f"v {value:.9f}", f"v {value * (1 + drift * 1e-3):.9f}") is None
    assert text_difference(f"v {value:.9f}", f"v {value * 1.01:.9f}")


def bars(heights: tuple[float, ...] = (3, 5, 2, 4), colour: str = plots.ENCODER, **settings: object) -> bytes:
    with plt.rc_context():
        plots.use_style()
        plt.rcParams.update(settings)
        figure, axes = plt.subplots()
        axes.bar(["one", "two", "three", "four"], heights, color=colour)
        axes.set(title="Recall by length", ylabel="recall (%)", ylim=(0, 6))
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=plots.PIXELS_PER_INCH * plots.SHARPNESS)
        plt.close(figure)
    return buffer.getvalue()


def as_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("hinting", ["none", "no_autohint", "force_autohint"])
def test_another_hinting_of_the_font_is_accepted(hinting):
    assert picture_difference(bars(), bars(**{"text.hinting": hinting})) is None


def test_a_drift_of_a_millionth_is_accepted():
    assert picture_difference(bars(), bars((3 + 3e-6, 5, 2, 4))) is None


@pytest.mark.parametrize(
    "changed",
    [
        lambda: bars((3.15, 5, 2, 4)),
        lambda: bars((5, 3, 2, 4)),
        lambda: bars(colour=plots.DECODER),
        lambda: as_png(ImageOps.invert(Image.open(io.BytesIO(bars())).convert("RGB"))),
        lambda: as_png(ImageOps.mirror(Image.open(io.BytesIO(bars())))),
        lambda: as_png(Image.new("RGB", Image.open(io.BytesIO(bars())).size, "white")),
    ],
    ids=["a bar 5 % higher", "two bars exchanged", "another colour", "inverted", "mirrored", "blank"],
)
def test_a_changed_picture_is_refused(changed):
    assert "looks different" in picture_difference(bars(), changed())


def test_another_size_is_refused():
    image = Image.open(io.BytesIO(bars()))
    assert "pixels" in picture_difference(bars(), as_png(image.resize((image.width, image.height * 2))))


def explorer(change: float = 0.0, word: str = "tea", prompt: str = "I drink") -> str:
    logits = torch.linspace(3, -3, 40)
    logits[1] += change
    return DecodingExplorer(logits, [word, *(f"word{n}" for n in range(1, 40))], prompt=prompt)._repr_mimebundle_()[
        "text/html"
    ]


def numbered(html: str) -> str:
    """Return an explorer's HTML under one and the same number: the counter runs on within a test session."""
    return re.sub(r"course-explorer-\d+", "course-explorer-1", html)


@pytest.mark.parametrize("change", [{}, {"change": 1e-4}])
def test_the_same_explorer_is_accepted(change):
    assert html_difference(numbered(explorer()), numbered(explorer(**change))) is None


@pytest.mark.parametrize("change", [{"change": 0.5}, {"word": "ink"}, {"prompt": "I eat"}])
def test_another_explorer_is_refused(change):
    assert html_difference(numbered(explorer()), numbered(explorer(**change)))


@pytest.mark.parametrize("change", [{"change": 0.5}, {"word": "ink"}, {"prompt": "I eat"}])
def test_an_explorers_numbers_are_compared_though_its_picture_is_the_same(change):
    assert payload_difference(delivery.payload_of(explorer()), delivery.payload_of(explorer(**change)))


def test_quantised_numbers_may_differ_by_two_and_places_not_at_all():
    def payload(level: int, place: int, weight: float = 0.5) -> tuple:
        arrays = {
            "levels": np.array([level], dtype="uint8"),
            "places": np.array([place], dtype="uint32"),
            "weights": np.array([weight], dtype="float32"),
        }
        return delivery.unpack(delivery.pack({"heads": 2, "name": "a", "scale": 0.5}, arrays))

    assert payload_difference(payload(10, 3), payload(12, 3)) is None
    assert payload_difference(payload(10, 3), payload(13, 3))
    assert payload_difference(payload(10, 3), payload(10, 4))
    assert payload_difference(payload(10, 3), payload(10, 3, 0.5001)) is None
    assert payload_difference(payload(10, 3), payload(10, 3, 0.51))


def test_a_table_and_the_picture_in_it_are_compared():
    def table(number: str, heights: tuple[float, ...] = (3, 5, 2, 4)) -> str:
        image = base64.b64encode(bars(heights)).decode()
        return f'<table><tr><td>{number}</td></tr></table><img alt="bars" src="data:image/png;base64,{image}">'

    assert html_difference(table("0.123456"), table("0.123457")) is None
    assert html_difference(table("0.12"), table("0.13"))
    assert "looks different" in html_difference(table("0.12"), table("0.12", (3, 1, 2, 4)))
    assert html_difference(table("0.12"), explorer())
