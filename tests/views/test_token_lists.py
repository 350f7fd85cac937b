"""Ten thousand generated token lists, through every view: made by Python, and brought to life in a real browser."""

import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from random import Random
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser
from torch import Tensor

from tests.support.browser import browser, executable
from tests.support.token_lists import HOSTILE, STRANGE, Batch, Made, gather, live_faults, token, token_list
from utils.explorers import compare, decoding, delivery
from utils.explorers.alignment import AlignmentView
from utils.explorers.attention import AttentionExplorer
from utils.explorers.beam import BeamTree
from utils.explorers.compare import CompareView
from utils.explorers.decoding import DecodingExplorer
from utils.explorers.delivery import shortened, visible
from utils.explorers.positions import PositionsView
from utils.explorers.steps import AttentionSteps
from utils.explorers.translation import TranslationSteps

BATCH = 200  # views on one page


def weights(random: Random, *shape: int) -> np.ndarray:
    """Return rows that sum to 1."""
    return np.random.default_rng(random.getrandbits(32)).dirichlet(np.full(shape[-1], 0.3), size=shape[:-1])


def numbers(random: Random, *shape: int) -> np.ndarray:
    return np.random.default_rng(random.getrandbits(32)).normal(size=shape)


def length(random: Random) -> int:
    """Return 3 to 12, most often something small."""
    return min(random.randint(3, 12), random.randint(3, 12))


def seldom(random: Random, module: ModuleType, *drawing: str) -> AbstractContextManager:
    """Let a still picture that takes longer than all the rest be drawn for one view in twenty."""
    if random.random() < 0.05:
        return nullcontext()
    return mock.patch.multiple(module, **dict.fromkeys(drawing, lambda *arguments: b""))


def attention_explorer(random: Random) -> Made:
    """Self-attention, causal or not, or the cross-attention between two lists."""
    tokens = token_list(random, length(random))
    size = len(tokens)
    kind = random.choice(("encoder", "causal", "cross"))
    if kind == "cross":
        targets = token_list(random, length(random))
        cross = weights(random, 1, 2, len(targets), size)
        made = AttentionExplorer(cross_attentions=cross, tokens=tokens, target_tokens=targets)
        return made, [visible(text) for text in targets]
    own = weights(random, 1, 2, size, size)
    if kind == "causal":
        own = np.tril(own) + 1e-3 * np.tri(size)
        return AttentionExplorer(own / own.sum(-1, keepdims=True), tokens), [visible(text) for text in tokens]
    segments = [int(place > size // 2) for place in range(size)]
    made = AttentionExplorer(own, tokens, segments=segments, special_tokens=tokens[:1])
    return made, [visible(text) for text in tokens]


def attention_steps(random: Random) -> Made:
    """Queries and keys that are named alike or by a list each."""
    tokens = token_list(random, random.randint(3, 4))
    keys = random.choice((tokens, token_list(random, random.randint(3, 4))))
    query, key, value = (numbers(random, len(each), 2) for each in (tokens, keys, keys))
    return (
        AttentionSteps(query, key, value, tokens=tokens, key_tokens=keys, causal=random.random() < 0.3),
        [visible(text) for text in tokens + keys],
    )


def alignment_view(random: Random) -> Made:
    """Lists of different lengths, some with gold links."""
    sources, targets = (token_list(random, length(random)) for _ in range(2))
    gold = random.choice((None, ([(0, 0), (2, 1)], [(1, 2)])))
    made = AlignmentView(weights(random, len(targets), len(sources)), sources, targets, gold=gold)
    return made, [visible(text) for text in sources + targets]


def decoding_explorer(random: Random) -> Made:
    """One or two contexts."""
    tokens = token_list(random, length(random))
    prompts = token_list(random, random.choice((1, 2)))
    with seldom(random, decoding, "_picture", "png"):
        made = DecodingExplorer(numbers(random, len(prompts), len(tokens)), tokens, prompt=prompts)
    said = [f"{shortened(visible(prompts[0], spaces=False), 240)} "] if prompts[0] else []
    return made, said + [visible(text) for text in tokens]


def comparison(random: Random) -> Made:
    """Two sides that read the same tokens, or lists of their own."""
    size = length(random)
    tokens, others = token_list(random, size), token_list(random, size)
    both = (weights(random, 1, 2, size, size) for _ in range(2))
    second = random.choice((None, others))
    with seldom(random, compare, "maps_picture"):
        made = CompareView(*both, tokens, second_tokens=second, names=("first", name := token(random)))
    return made, [visible(name, spaces=False), *map(visible, tokens + (second or []))]


def curves(random: Random) -> Made:
    """Three models and the names of both axes."""
    names = dict.fromkeys(token_list(random, 3))
    measured = {name: numbers(random, 5) for name in names}
    labels = token_list(random, 2)
    with seldom(random, compare, "curves_picture"):
        made = CompareView.curves(measured, range(5), x_label=labels[0], y_label=labels[1])
    return made, [visible(text, spaces=False) for text in names]


class Table:
    """A model for which only the last token matters: ``scores`` (vocabulary, vocabulary) holds what follows it."""

    def __init__(self, scores: np.ndarray):
        self.scores = torch.tensor(scores)

    def __call__(self, ids: Tensor, state: None) -> tuple[Tensor, None]:
        return self.scores[ids], state

    def select_state(self, state: None, rows: Tensor) -> None:
        return state


def beam_tree(random: Random) -> Made:
    """Trees of widths 1 and 2, some of whose texts end."""
    tokens = token_list(random, random.randint(3, 8))
    model = Table(numbers(random, len(tokens), len(tokens)))
    made = BeamTree(
        model, torch.tensor([[1]]), tokens=tokens, width=2, max_new_tokens=3, end_id=0, prompt=token(random)
    )
    header, stored = delivery.payload_of(made.html)
    grown = stored["tokens"][stored["fates"][-1] > 0]  # in the widest tree, which is the one that is shown first
    return made, [header["names"][number] for number in grown]


def translation_steps(random: Random) -> Made:
    """Words read, words written, a reference; some with attention."""
    sources, tokens = token_list(random, random.randint(3, 8)), token_list(random, random.randint(3, 8))
    steps = random.randint(3, 6)
    encoder, decoder = (np.tanh(numbers(random, count, 4)) for count in (len(sources), steps))
    logits = numbers(random, steps, len(tokens))
    made = TranslationSteps(
        *(sources, encoder, decoder, logits, tokens),
        read=[random.randrange(len(tokens)) for _ in range(steps)],
        attention=random.choice((None, weights(random, steps, len(sources)))),
        reference=token(random),
    )
    return made, [visible(text) for text in sources + [tokens[best] for best in logits.argmax(axis=1)]]


def positions_view(random: Random) -> Made:
    """Names of the positions of one table, and the name of the table."""
    tokens, name = token_list(random, length(random)), token(random)
    made = PositionsView(numbers(random, len(tokens), 6), tokens=tokens, name=name)
    return made, [visible(name, spaces=False), *map(visible, tokens)]


# Of each view: how it is made, and of how many token lists.
VIEWS: dict[str, tuple[Callable[[Random], Made], int]] = {
    "attention": (attention_explorer, 1_600),
    "alignment": (alignment_view, 1_600),
    "decoding": (decoding_explorer, 1_600),
    "steps": (attention_steps, 1_200),
    "comparison": (comparison, 1_000),
    "curves": (curves, 1_000),
    "beam": (beam_tree, 1_000),
    "translation": (translation_steps, 1_000),
    "positions": (positions_view, 1_000),
}


def batch(view: str, number: int) -> Batch:
    """Make the views of one page; the same arguments give the same lists."""
    make, count = VIEWS[view]
    random = Random(f"{view} {number}")
    return gather([lambda: make(random)] * min(BATCH, count - BATCH * number))


@pytest.fixture(scope="module")
def workers() -> Iterator[Executor]:
    """Make views in two processes while the browser shows those made before."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser | None]:
    if executable() is None:
        yield None
        return
    with browser() as started:
        yield started


def test_there_are_ten_thousand_lists():
    counts = [count for _, count in VIEWS.values()]
    assert sum(counts) >= 10_000
    assert min(counts) >= 1_000


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("view", VIEWS)
def test_tokens_of_any_kind_are_shown_and_nothing_is_run(view, workers, chromium, tmp_path):
    pages = range(-(-VIEWS[view][1] // BATCH))
    for number, made in enumerate(workers.map(batch, [view] * len(pages), pages)):
        assert made.faults == []
        if chromium is not None:
            assert live_faults(chromium, made, tmp_path / "page.html", width=(1000, 400)[number % 2]) == []
    if chromium is None:
        pytest.skip("made by Python without fault; no Chromium or Chrome on this machine to bring them to life")


def test_every_token_can_be_seen():
    """Whatever begins a name is neither blank, nor a mark or a joiner that has nothing to stand on."""
    random = Random(5)
    for text in [*STRANGE, *HOSTILE, *token_list(random, 20_000)]:
        shown = visible(text)
        assert unicodedata.category(shown[0])[0] in "LNPS"
        assert not set(shown) & set("\u115f\u1160\u2800\u3164\uffa0")
        assert not {shown[0], shown[-1]} & {"\u200d"}
        assert shown.replace("\u200d", "").isprintable()
