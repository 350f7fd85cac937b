"""What a comparison shows: two sides of attention, and how far apart they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from utils.explorers.attention_parts import Attention
from utils.explorers.delivery import visible

WIDTH = 900  # pixels of the still pictures
Place = tuple[int, int | None]  # layer and head; no head: the mean over all


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison: attention under a name, and which layer (its place) and head (None: mean) is shown."""

    name: str
    attention: Attention
    layer: int
    head: int | None

    @cached_property
    def chosen(self) -> np.ndarray:
        """The weights (query, key) of the layer and head that are shown."""
        heads = self.attention.weights[self.layer]
        return (heads.mean(axis=0) if self.head is None else heads[self.head]).astype("float64")

    @cached_property
    def seen(self) -> np.ndarray:
        """Which cells (query, key) are drawn: neither forbidden nor in the row of a token that looks at nothing."""
        return ~self.attention.forbidden & self.chosen.any(axis=1, keepdims=True)

    @property
    def where(self) -> str:
        """The layer and head in words."""
        heads = self.attention.weights.shape[1]
        head = f"mean of {heads} heads" if self.head is None and heads > 1 else f"head {self.head or 0}"
        return f"layer {self.attention.layers[self.layer]}, {head}"

    @property
    def entropy(self) -> float:
        """The entropy in bits of the rows that look at something, on average; 0 without such rows."""
        rows = _normalised(self.chosen, self.seen)
        return float(_entropy(rows).mean()) if len(rows) else 0.0


def _normalised(weights: np.ndarray, seen: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """Return as distributions the rows in which something is seen (or those of ``among``)."""
    rows = np.where(seen, weights, 0)[seen.any(axis=1) if among is None else among]
    return rows / rows.sum(axis=1, keepdims=True)


def _entropy(rows: np.ndarray) -> np.ndarray:
    return -(rows * np.log2(np.where(rows > 0, rows, 1))).sum(axis=-1)


def distances(first: Side, second: Side) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row that both sides have: Jensen–Shannon divergence (bits, 0 to 1; Lin 1991), total variation."""
    both = first.seen.any(axis=1) & second.seen.any(axis=1)
    one, other = (_normalised(side.chosen, side.seen, both) for side in (first, second))
    divergence = _entropy((one + other) / 2) - (_entropy(one) + _entropy(other)) / 2
    return np.maximum(divergence, 0), np.abs(one - other).sum(axis=1) / 2


def apart(first: Side, second: Side) -> str | None:
    """Return in one sentence why there is no difference map, ``None`` where there is one."""
    sizes = [side.chosen.shape for side in (first, second)]
    if sizes[0] == sizes[1]:
        return None
    said = " and ".join(f"{queries} × {keys}" for queries, keys in sizes)
    return f"No difference map: the two have {said} tokens, and only maps of one size can be subtracted cell by cell."


def sentences(first: Side, second: Side) -> str:
    """Say what is compared, how far apart it is, and where most."""
    lines = []
    for side in (first, second):
        layers, heads, queries, keys = side.attention.weights.shape
        size = f"{layers} × {heads} (layers × heads), {queries} × {keys} tokens"
        lines.append(f"{side.name}: {size}; {side.where}: mean entropy {side.entropy:.4f} bits.")
    if (reason := apart(first, second)) is not None:
        return "\n".join([*lines, reason])
    divergence, variation = distances(first, second)
    if not len(divergence):
        return "\n".join([*lines, "There is no row in which both look at something."])
    change = np.where(first.seen & second.seen, second.chosen - first.chosen, 0)
    # To four decimals, so that rounding in the last bits of a float does not decide between equal changes.
    row, column = np.unravel_index(np.abs(change).round(4).argmax(), change.shape)
    link = f"“{labels(first, second, 'queries')[row]}” → “{labels(first, second, 'keys')[column]}”"
    return "\n".join(
        [
            *lines,
            f"Mean Jensen–Shannon divergence of the rows {divergence.mean():.4f} bits, total variation "
            f"{variation.mean():.4f}. Largest difference {link}: {first.chosen[row, column]:.4f} → "
            f"{second.chosen[row, column]:.4f} ({change[row, column]:+.4f}).",
        ]
    )


def labels(first: Side, second: Side, which: str) -> list[str]:
    """Return the tokens of both sides' "queries" or "keys", as many in both: one word, or two where they differ."""
    both = zip(*(getattr(side.attention, which).labels for side in (first, second)), strict=True)
    return [one if one == other else f"{one}/{other}" for one, other in both]


def checked_place(side: str, attention: Attention, wanted: Any) -> tuple[int, int | None]:
    """Return the place of the layer ``wanted`` names among those shown, and its head; ``None`` for the mean."""
    layers, heads = attention.layers, attention.weights.shape[1]
    if not (isinstance(wanted, Sequence) and len(wanted) == 2):
        raise ValueError(f"start holds {wanted!r}; it must be a (layer, head) for each side, head None for the mean.")
    layer, head = wanted
    if layer not in layers:
        raise ValueError(
            f"start names layer {layer!r} of {side}, which shows the layers {', '.join(map(str, layers))}."
        )
    if head is not None and head not in range(heads):
        raise ValueError(f"start names head {head!r} of {side}, which has {heads}, counted from 0 (None: their mean).")
    return layers.index(layer), None if head is None else int(head)


def checked_names(names: Any) -> list[str]:
    """Return two different names, or some for curves, every character visible."""
    listed = [] if isinstance(names, str) else list(names)
    if not listed or not all(isinstance(name, str) for name in listed) or len(set(listed)) < len(listed):
        raise ValueError(f"the names are {names!r}; they must be different strings, one for each side or curve.")
    return [visible(name, spaces=False) for name in listed]
