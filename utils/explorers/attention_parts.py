"""What the attention explorer shows: sequences of tokens, and the attention between two of them, checked together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from string import ascii_uppercase
from typing import Any

import numpy as np
import torch

from utils.explorers.delivery import visible
from utils.explorers.weights import checked_weights, is_causal

_LEAK = 0.005  # of a real token's attention on padding: more, and the model was not given that mask


@dataclass(frozen=True, eq=False)
class Tokens:
    """One sequence of tokens: its texts, which are real, and which sentence of a pair each belongs to."""

    texts: list[str]
    real: np.ndarray
    special: np.ndarray
    segments: list[str]

    @cached_property
    def labels(self) -> list[str]:
        """The tokens with every character visible."""
        return [visible(text) for text in self.texts]


@dataclass(frozen=True, eq=False)
class Attention:
    """One kind of attention, ``weights`` (layers, heads, query, key), between two sequences of tokens."""

    kind: str
    weights: np.ndarray
    layers: list[int]
    queries: Tokens
    keys: Tokens

    def __post_init__(self) -> None:
        leak = self.weights[:, :, self.queries.real][..., ~self.keys.real]
        if leak.size and leak.max() > _LEAK:
            raise ValueError(
                f"mask calls some tokens padding, yet in {self.kind} a token gives one of them {leak.max():.2f} of its "
                "attention; give the model that mask, or leave it out here to see what the model did."
            )

    @cached_property
    def causal(self) -> bool:
        """Whether no token attends to a later one."""
        return is_causal(self.weights)

    @cached_property
    def forbidden(self) -> np.ndarray:
        """Which cells (query, key) a mask rules out: padding on either side, and with causal attention the future."""
        padding = ~np.logical_and.outer(self.queries.real, self.keys.real)
        return padding | np.triu(np.ones_like(padding), 1) if self.causal else padding

    @cached_property
    def entropies(self) -> np.ndarray:
        """Return the entropy in bits of each head's rows, averaged over the real queries: (layers, heads)."""
        rows = self.weights[:, :, self.queries.real]
        bits = -np.einsum("lhqk,lhqk->lhq", rows, np.log2(np.maximum(rows, 1e-12)))
        return bits.mean(axis=-1) if bits.size else np.zeros(self.weights.shape[:2])

    def strongest(self) -> tuple[int, int, int, int]:
        """Return (layer, head, query, key) of the greatest weight, if possible between two different plain tokens."""
        plain = ~np.logical_or.outer(self.queries.special, self.keys.special) & ~self.forbidden
        if self.queries is self.keys:
            plain &= ~np.eye(len(plain), dtype=bool)
        allowed = plain if plain.any() else ~self.forbidden
        # To four decimals, so that rounding in the last bits of a float does not decide between equal links.
        best = np.where(allowed, self.weights, -1).round(4).argmax()
        return tuple(int(place) for place in np.unravel_index(best, self.weights.shape))

    def sharpest(self, layer: int | None = None, head: int | None = None) -> tuple[int, int]:
        """Return the places of the layer and head of least mean entropy, among those of ``layer`` and ``head``."""
        if layer is not None and layer not in self.layers:
            raise ValueError(f"layer is {layer}, but {self.kind} shows the layers {_listed(self.layers)}.")
        if head is not None and not 0 <= head < self.weights.shape[1]:
            raise ValueError(f"head is {head}, but {self.kind} has {self.weights.shape[1]} heads, counted from 0.")
        bits = self.entropies.round(3)
        for axis, place in enumerate((None if layer is None else self.layers.index(layer), head)):
            if place is not None:
                others = np.arange(bits.shape[axis]) != place
                bits[(others, slice(None)) if axis == 0 else (slice(None), others)] = np.inf
        return tuple(int(place) for place in np.unravel_index(bits.argmin(), bits.shape))

    def sentences(self) -> str:
        """Say how large it is, how spread out, and which link is strongest."""
        _, heads, queries, keys = self.weights.shape
        bits = self.entropies
        least = np.unravel_index(bits.round(3).argmin(), bits.shape)
        layer, head, query, key = self.strongest()
        link = f"“{self.queries.labels[query]}” → “{self.keys.labels[key]}”"
        return (
            f"{self.kind.capitalize()}, {len(self.layers)} × {heads} (layers × heads), {queries} × {keys} tokens. "
            f"Mean entropy {bits.mean():.4f} bits, least in layer {self.layers[least[0]]}, head {least[1]} "
            f"({bits.min():.4f}). Strongest link {link}, {self.weights[layer, head, query, key]:.4f}, "
            f"in layer {self.layers[layer]}, head {head}."
        )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def checked_tokens(
    name: str,
    tokens: Sequence[str] | None,
    mask: Any,
    segments: Any,
    special: Collection[str],
    example: int,
) -> Tokens | None:
    """Return ``tokens`` with what is known about each; ``None`` stays ``None``."""
    if tokens is None:
        return None
    if isinstance(tokens, str):
        raise ValueError(f"{name} is one string; give a list of strings, one for each position that the model read.")
    texts = list(tokens)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"{name} holds {text!r} at place {place}; tokens must be strings.")
    real = np.ones(len(texts), dtype=bool)
    if mask is not None:
        real = _for_each("mask of " + name, mask, example, len(texts)) != 0
        if not real.any():
            raise ValueError(f"the mask of {name} marks no token as real; it must be True, or 1, at real tokens.")
    numbers = [] if segments is None else _for_each("segments", segments, example, len(texts)).tolist()
    letters = dict(zip(dict.fromkeys(numbers), ascii_uppercase, strict=False))
    if len(letters) < len(set(numbers)):
        raise ValueError(f"segments tells {len(set(numbers))} sentences apart; the view has letters for 26.")
    hidden = np.array([text in special for text in texts], dtype=bool)
    return Tokens(texts, real, hidden, [letters[number] for number in numbers])


def _for_each(name: str, values: Any, example: int, length: int) -> np.ndarray:
    """Return one number for each token from (tokens,) or (batch, tokens)."""
    array = torch.as_tensor(values).detach().cpu().numpy()
    array = array[example] if array.ndim == 2 and 0 <= example < len(array) else array
    if array.shape != (length,):
        raise ValueError(f"the {name} has shape {array.shape}, but there are {length} tokens; give one value for each.")
    return array


def checked_attention(
    name: str, kind: str, weights: Any, queries: Tokens, keys: Tokens, *, example: int, layers: Sequence[int] | None
) -> Attention:
    """Return one kind of attention, of the chosen ``layers`` (``None``: all), that fits its tokens."""
    checked = checked_weights(weights, name=name, example=example, queries=len(queries.texts), keys=len(keys.texts))
    shown = list(range(len(checked)) if layers is None else layers)
    for layer in shown:
        if not 0 <= layer < len(checked):
            raise ValueError(f"layers names layer {layer}, but {name} has {len(checked)}, counted from 0.")
    if not shown or len(set(shown)) < len(shown):
        raise ValueError(f"layers is {shown}; name at least one layer, each once.")
    made = Attention(kind, checked if layers is None else checked[shown], shown, queries, keys)
    if kind.startswith("encoder") and made.causal:
        return replace(made, kind="causal self-attention")
    return made
