"""Every view, made from generated tokens and numbers; what all views must do is tested with these."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from tests.support.token_lists import Made, token, token_list
from tests.support.view_outputs import stored
from utils.explorers import compare, decoding
from utils.explorers.alignment import AlignmentView
from utils.explorers.attention import AttentionExplorer
from utils.explorers.beam import BeamTree
from utils.explorers.compare import CompareView
from utils.explorers.decoding import DecodingExplorer
from utils.explorers.delivery import shortened, visible
from utils.explorers.positions import PositionsView
from utils.explorers.steps import AttentionSteps
from utils.explorers.translation import TranslationSteps


def weights(random: Random, *shape: int) -> np.ndarray:
    """Return rows that sum to 1."""
    return np.random.default_rng(random.getrandbits(32)).dirichlet(np.full(shape[-1], 0.3), size=shape[:-1])


def numbers(random: Random, *shape: int) -> np.ndarray:
    return np.random.default_rng(random.getrandbits(32)).normal(size=shape)


def length(random: Random) -> int:
    """Return 1 to 12, most often something small."""
    return min(random.randint(1, 12), random.randint(3, 12))


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
    tokens = token_list(random, random.randint(1, 4))
    keys = random.choice((tokens, token_list(random, random.randint(1, 4))))
    query, key, value = (numbers(random, len(each), 2) for each in (tokens, keys, keys))
    return (
        AttentionSteps(query, key, value, tokens=tokens, key_tokens=keys, causal=random.random() < 0.3),
        [visible(text) for text in tokens + keys],
    )


def alignment_view(random: Random) -> Made:
    """Lists of different lengths, some with gold links."""
    sources, targets = (token_list(random, length(random)) for _ in range(2))
    last = (len(sources) - 1, len(targets) - 1)
    gold = random.choice((None, ([(0, 0), last], [(0, last[1])])))
    made = AlignmentView(weights(random, len(targets), len(sources)), sources, targets, gold=gold)
    return made, [visible(text) for text in sources + targets]


def decoding_explorer(random: Random) -> Made:
    """One or two contexts."""
    tokens = token_list(random, length(random))
    prompts = token_list(random, random.choice((1, 2)))
    made = DecodingExplorer(numbers(random, len(prompts), len(tokens)), tokens, prompt=prompts)
    said = [f"{shortened(visible(prompts[0], spaces=False), 240)} "] if prompts[0] else []
    return made, said + [visible(text) for text in tokens]


def comparison(random: Random) -> Made:
    """Two sides that read the same tokens, or lists of their own."""
    size = length(random)
    tokens, others = token_list(random, size), token_list(random, size)
    both = (weights(random, 1, 2, size, size) for _ in range(2))
    second = random.choice((None, others))
    names = f"first{token(random)}", token(random)
    made = CompareView(*both, tokens, second_tokens=second, names=names)
    return made, [*(visible(name, spaces=False) for name in names), *map(visible, tokens + (second or []))]


def curves(random: Random) -> Made:
    """Three models and the names of both axes."""
    names = dict.fromkeys(token_list(random, 3))
    measured = {name: numbers(random, 5) for name in names}
    labels = token_list(random, 2)
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
    header, arrays = stored(made)
    grown = arrays["tokens"][arrays["fates"][-1] > 0]  # in the widest tree, which is the one that is shown first
    texts = [header["names"][number] for number in grown]
    assert set(texts) <= set(map(visible, tokens))
    return made, texts


def translation_steps(random: Random) -> Made:
    """Words read, words written, a reference; some with attention."""
    sources, tokens = token_list(random, random.randint(1, 8)), token_list(random, random.randint(1, 8))
    steps = random.randint(1, 6)
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


VIEWS: dict[str, Callable[[Random], Made]] = {
    "attention": attention_explorer,
    "alignment": alignment_view,
    "decoding": decoding_explorer,
    "steps": attention_steps,
    "comparison": comparison,
    "curves": curves,
    "beam": beam_tree,
    "translation": translation_steps,
    "positions": positions_view,
}
SLOW_PICTURES = {  # the still pictures that take longer than all the rest of a view
    "decoding": (decoding, ("_picture", "png")),
    "comparison": (compare, ("maps_picture",)),
    "curves": (compare, ("curves_picture",)),
}


def undrawn(view: str) -> AbstractContextManager:
    """Leave out the still picture of a view for which that takes long."""
    module, drawing = SLOW_PICTURES[view]
    return mock.patch.multiple(module, **dict.fromkeys(drawing, lambda *arguments: b""))
