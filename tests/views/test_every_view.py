"""What every view does, whatever it shows. That tokens of any kind stay text is in ``test_token_lists.py``."""

import itertools
from random import Random

import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter

from tests.support.attention_samples import noise, weights, words
from tests.support.hand_made import small_decoder
from tests.support.made_views import VIEWS
from tests.support.token_lists import static_faults
from tests.support.view_outputs import image_of, pixels_of, refusal_faults
from utils.explorers import (
    AlignmentView,
    AttentionExplorer,
    AttentionSteps,
    BeamTree,
    CompareView,
    DecodingExplorer,
    PositionsView,
    TranslationSteps,
    delivery,
)


def decoding(contexts, vocabulary):
    return DecodingExplorer(3 * noise(contexts, vocabulary), words(vocabulary), prompt=words(contexts))


def attention(layers, heads, size, batch=1):
    return AttentionExplorer(weights(layers, batch, heads, size, size), words(size))


def comparison(layers, heads, size):
    both = (weights(layers, 1, heads, size, size, seed=seed) for seed in (1, 2))
    return CompareView(*both, words(size))


def curves(names, points):
    measured = {name: noise(points, seed=number) for number, name in enumerate(words(names))}
    return CompareView.curves(measured, range(points), x_label="length", y_label="BLEU")


def beam(width, longest):
    return BeamTree(small_decoder(), torch.tensor([[4]]), tokens=words(11), width=width, max_new_tokens=longest)


def translation(sources, targets, hidden, word="w"):
    encoder, decoder = noise(sources, hidden).tanh(), noise(targets, hidden).tanh()
    return TranslationSteps(words(sources, word), encoder, decoder, noise(targets, 30), words(30), read=[0] * targets)


def sinusoidal(length, size):
    angles = torch.arange(length)[:, None] / 10_000 ** (torch.arange(0, size, 2) / size)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


# The smallest and the largest of each, and how many bytes a notebook then carries. Random weights pack worse than a
# model's: of real ones six layers of twelve heads take 57 kB for 16 tokens, 317 kB for 64.
SIZES = {
    "one token to choose from": (lambda: decoding(1, 1), 40_000),
    "one token that is possible": (lambda: DecodingExplorer([60.0, -torch.inf, -torch.inf], words(3)), 40_000),
    "logits far apart": (lambda: DecodingExplorer([60.0, -60.0, -torch.inf], words(3)), 40_000),
    "three contexts of 2,000 tokens": (lambda: decoding(3, 2_000), 40_000),
    "the vocabulary of a real model": (lambda: decoding(2, 49_152), 120_000),
    "attention of one token": (lambda: attention(1, 1, 1), 40_000),
    "attention of one head in each of two layers": (lambda: attention(2, 1, 3), 40_000),
    "attention of more heads than there is room for": (lambda: attention(48, 25, 2), 50_000),
    "attention of 16 tokens": (lambda: attention(6, 12, 16), 62_000),
    "attention of 64 tokens": (lambda: attention(6, 12, 64), 440_000),
    "attention of 300 tokens": (lambda: attention(1, 2, 300), 190_000),
    "a link": (lambda: AlignmentView([[1.0]], ["a"], ["b"]), 40_000),
    "128 by 200 words": (lambda: AlignmentView(weights(128, 200), words(200), words(128)), 120_000),
    "steps of one token": (lambda: AttentionSteps([[1.0]], [[1.0]], [[1.0]]), 40_000),
    "steps of eight tokens": (lambda: AttentionSteps(*noise(3, 8, 8), tokens=words(8, "token")), 60_000),
    "two heads of one token": (lambda: comparison(1, 2, 1), 40_000),
    "two heads of 64 tokens": (lambda: comparison(6, 12, 64), 1_000_000),
    "one point": (lambda: curves(1, 1), 40_000),
    "2,000 points of seven curves": (lambda: curves(7, 2_000), 150_000),
    "a tree of one token": (lambda: beam(1, 1), 40_000),
    "five hypotheses of twenty words": (lambda: beam(5, 20), 90_000),
    "one word translated": (lambda: translation(1, 1, 128), 40_000),
    "ten words translated": (lambda: translation(10, 10, 128), 60_000),
    "forty long words translated": (lambda: translation(40, 60, 128, "a long word "), 120_000),
    "one position": (lambda: PositionsView(noise(1, 2)), 40_000),
    "128 positions": (lambda: PositionsView(sinusoidal(128, 128)), 110_000),
    "512 positions": (lambda: PositionsView(noise(512, 384)), 420_000),
    "two tables of positions": (
        lambda: PositionsView({"sinusoidal": sinusoidal(128, 128), "learned": noise(512, 384)}),
        485_000,
    ),
}
HALVES = torch.tensor([[0.5, 0.5], [0.25, 0.75]])  # as exact in 16 bits as in 64
KINDS = {
    "lists": torch.Tensor.tolist,
    "NumPy": torch.Tensor.numpy,
    "64 bits": torch.Tensor.double,
    "half precision": torch.Tensor.half,
    "bfloat16 with a gradient": lambda numbers: numbers.bfloat16().requires_grad_(),
    "a parameter": torch.nn.Parameter,
}
FROM = {  # how each view that takes numbers is made of the same ones, which ``given`` makes something else of
    "attention": lambda given: AttentionExplorer(given(HALVES), words(2)),
    "alignment": lambda given: AlignmentView(given(HALVES), words(2), words(2)),
    "decoding": lambda given: DecodingExplorer(given(HALVES), words(2)),
    "steps": lambda given: AttentionSteps(given(HALVES), given(HALVES), given(HALVES)),
    "comparison": lambda given: CompareView(given(HALVES), given(HALVES.flip(0)), words(2)),
    "curves": lambda given: CompareView.curves(
        {"loss": given(HALVES[1])}, given(torch.tensor([1.0, 2.0])), x_label="step", y_label="nats"
    ),
    "translation": lambda given: TranslationSteps(
        *(words(2), given(HALVES), given(HALVES), given(HALVES), words(2)),
        read=[0, 1],
        attention=given(HALVES),
        first_state=given(HALVES[0]),
    ),
    "positions": lambda given: PositionsView(given(HALVES)),
}


def assert_delivered(made):
    """Check one self-contained ``<div>`` with a still picture, its description, a script, and a plain form."""
    assert static_faults(made) == []
    assert made.html.startswith(f'<div class="course-explorer" id="{made.identifier}" data-kind="')
    bundle, _ = DisplayFormatter().format(made)
    assert bundle == {"text/html": made.html, "text/plain": made.summary}
    assert repr(made) == made.summary
    assert len(np.unique(pixels_of(made).reshape(-1, 3), axis=0)) > 2
    image = image_of(made)
    assert image["style"] == "max-width: 100%"
    said = [line.removeprefix("Attention step by step: ") for line in made.summary.splitlines()]
    assert any(line and line in image["alt"] for line in said)


@pytest.mark.parametrize("view", VIEWS)
def test_same_inputs_give_the_same_bytes_and_nothing_is_printed(view, monkeypatch, capsys):
    outputs = []
    for _ in range(2):
        monkeypatch.setattr(delivery, "_numbers", itertools.count(4))
        made, _ = VIEWS[view](Random(3))
        outputs.append((made.html, made.summary))
    assert outputs[0] == outputs[1]
    assert made.identifier == "course-explorer-4"
    assert VIEWS[view](Random(3))[0].identifier == "course-explorer-5"
    assert_delivered(made)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("size", SIZES)
def test_smallest_and_largest_are_delivered_whole_and_small(size):
    make, most = SIZES[size]
    made = make()
    assert_delivered(made)
    assert len(made.html.encode("utf-8")) <= most


def test_too_large_an_output_is_refused(monkeypatch):
    monkeypatch.setattr(delivery, "OUTPUT_LIMIT", 1_000)
    cases = [({"view": view}, r"would take (about )?0\.0 MB, more than the 0 MB") for view in VIEWS]
    assert refusal_faults(lambda view: VIEWS[view](Random(1)), cases) == []


@pytest.mark.parametrize("view", FROM)
def test_numbers_of_any_kind_are_taken(view, monkeypatch):
    def made(given):
        monkeypatch.setattr(delivery, "_numbers", itertools.count(4))
        return FROM[view](given).html

    usual = made(lambda tensor: tensor)
    found = {}
    for kind, convert in KINDS.items():
        try:
            found[kind] = made(convert) == usual
        except Exception as error:
            found[kind] = repr(error)
    assert found == dict.fromkeys(KINDS, True)


@pytest.mark.parametrize("convert", [torch.Tensor.tolist, torch.Tensor.numpy])
@pytest.mark.parametrize("view", ["decoding", "curves", "positions"])
def test_whole_numbers_are_taken_too(view, convert, monkeypatch):
    def made(given):
        monkeypatch.setattr(delivery, "_numbers", itertools.count(4))
        return FROM[view](given).html

    assert made(lambda tensor: convert((4 * tensor).long())) == made(lambda tensor: 4 * tensor)
