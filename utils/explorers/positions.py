"""The view of position vectors: a table of them as a map, as waves, as clocks, and how alike two positions are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from utils.explorers.delivery import Explorer, pack, visible
from utils.explorers.positions_parts import Table
from utils.explorers.positions_picture import WIDTH, positions_picture

MOST_POSITIONS = 2_048  # of one table
MOST_NUMBERS = 262_144  # of all tables together: with one byte each, about 320 kilobytes of output
MOST_TABLES = 4
_EXACT = 32_768  # numbers of a table up to which they are stored as they are

Values = Tensor | np.ndarray | Sequence[Sequence[float]]


class PositionsView(Explorer):
    """A table of position vectors to explore: as a map, two of its dimensions as waves and as a clock, its likenesses.

    ``table`` is (positions, size), or a mapping of up to four names to such tables, which may differ in shape and are
    chosen from a menu: those of ``sinusoidal_positions`` (Vaswani et al. 2017, section 3.5), or learned ones, such as
    ``model.embeddings.position_embeddings.weight`` of BERT. ``name`` is what a single table is called, ``tokens`` name
    the positions. The reader moves a position, the distance to another, and the pair of dimensions (2i, 2i + 1); the
    view starts at ``start``, these three, by default a third into the table, 5 positions on, and at a wave that is
    easily seen.

    Where a pair of dimensions turns evenly, as a sine and a cosine do, the view says how far one position turns it;
    this is measured from the table, never assumed. Tables of up to 32,768 numbers are stored to within a 50,000th of
    each number, larger ones to within a 250th of the largest number of each position. ``ValueError`` for anything that
    does not fit together and for more than a notebook carries well.
    """

    def __init__(
        self,
        table: Values | Mapping[str, Values],
        *,
        name: str = "position vectors",
        tokens: Sequence[str] | None = None,
        start: tuple[int, int, int] | None = None,
    ) -> None:
        tables = _checked_tables(table if isinstance(table, Mapping) else {name: table})
        labels = None if tokens is None else _checked_tokens(tokens, tables)
        first = tables[0]
        position, distance, pair = _default(first) if start is None else _checked_start(start, first)
        header = {
            "tables": [
                {
                    "name": each.name,
                    "positions": each.shape[0],
                    "size": each.shape[1],
                    "scale": each.scale,
                    "alone": each.distance_alone,
                }
                for each in tables
            ],
            "labels": labels,
            "start": {"position": position, "distance": distance, "column": 2 * pair},
        }
        said = "\n".join(each.sentences() for each in tables)
        super().__init__(
            "positions",
            payload=pack(header, _arrays(tables)),
            picture=positions_picture(tables, position),
            width=WIDTH,
            alt=f"Heat map of position vectors and curve of the dot products with position {position}. {said}",
            summary=f"Position vectors\n{said}",
        )


def _default(table: Table) -> tuple[int, int, int]:
    positions, size = table.shape
    position = (positions - 1) // 3
    return position, min(5, positions - 1 - position), (size // 2) // 8


def _arrays(tables: Sequence[Table]) -> dict[str, np.ndarray]:
    """Return what positions.js reads: for each table its numbers, the clocks' turns, the likenesses by distance."""
    arrays = {}
    for place, table in enumerate(tables):
        arrays[f"turns{place}"] = table.turns.astype("float32")
        arrays[f"by_distance{place}"] = table.by_distance.astype("float32")
        if table.values.size <= _EXACT:
            arrays[f"values{place}"] = _rounded(table.values)
            continue
        largest = np.abs(table.values).max(axis=1, keepdims=True)
        steps = np.rint(127 * table.values / np.where(largest > 0, largest, 1))
        arrays[f"largest{place}"] = largest[:, 0].astype("float32")
        arrays[f"values{place}"] = (steps + 128).astype("uint8")
    return arrays


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return ``values`` as float32 with 16 of their 24 bits, which take a quarter less room when packed."""
    bits = values.astype("float32").view("uint32").astype("uint64")
    return ((bits + 0x80) & 0xFFFFFF00).astype("uint32").view("float32")


def _checked_tables(given: Mapping[str, Values]) -> list[Table]:
    """Return the tables of ``given``, or say in one sentence what does not fit."""
    if not 1 <= len(given) <= MOST_TABLES:
        raise ValueError(f"table holds {len(given)} tables; give one, or up to {MOST_TABLES} under a name each.")
    if not all(isinstance(name, str) for name in given):
        raise ValueError(f"the names are {str(list(given))[:80]}; each table must have a string as its name.")
    tables = []
    for name, values in given.items():
        shown = visible(name, spaces=False)
        tables.append(Table(shown, _checked_values(values, "table" if len(given) == 1 else f"table {shown!r}")))
    if (count := sum(each.values.size for each in tables)) > MOST_NUMBERS:
        fitting = max(1, MOST_NUMBERS // sum(each.shape[1] for each in tables))
        raise ValueError(
            f"there are {count:,} numbers, more than the {MOST_NUMBERS:,} that this view carries; give fewer "
            f"positions, for example table[:{fitting}]."
        )
    return tables


def _checked_values(values: Values, what: str) -> np.ndarray:
    """Return ``values`` as float64 (positions, size)."""
    try:
        array = torch.as_tensor(values).detach().to("cpu", torch.float64).numpy()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{what} must hold numbers, (positions, size), as a tensor or an array.") from None
    if array.ndim != 2:
        raise ValueError(
            f"{what} has shape {array.shape}; it must be (positions, size), one row for each position, without a batch."
        )
    positions, size = array.shape
    if not positions or size < 2:
        raise ValueError(f"{what} has shape {array.shape}; there must be at least one position and two dimensions.")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"{what} holds {array[row, column]} at position {row}, dimension {column}; all its numbers must be finite."
        )
    if np.abs(array).max() > 1e15:
        raise ValueError(f"{what} holds {np.abs(array).max():.3g}; its numbers must be smaller than 1e15.")
    if positions > MOST_POSITIONS:
        raise ValueError(
            f"{what} has {positions:,} positions, more than the {MOST_POSITIONS:,} that this view shows; give the "
            f"first of them, table[:{MOST_POSITIONS}]."
        )
    return array


def _checked_tokens(tokens: Sequence[str], tables: Sequence[Table]) -> list[str]:
    """Return the tokens with every character visible, one for each position."""
    listed = list(tokens) if isinstance(tokens, Iterable) and not isinstance(tokens, str) else []
    if not listed or not all(isinstance(token, str) for token in listed):
        raise ValueError(f"tokens is {str(tokens)[:60]!r}; it must be a list of strings, one for each position.")
    for table in tables:
        if len(listed) != table.shape[0]:
            raise ValueError(
                f"tokens has {len(listed)} entries, but {table.name!r} has {table.shape[0]} positions; give one token "
                f"for each position, or fewer positions, table[:{len(listed)}]."
            )
    return [visible(token) for token in listed]


def _checked_start(start: Any, table: Table) -> tuple[int, int, int]:
    """Return the position, distance and pair that ``start`` names, which the first table must have."""
    if not (isinstance(start, Sequence) and len(start) == 3 and all(isinstance(each, int) for each in start)):
        raise ValueError(f"start is {start!r}; it must be (position, distance, pair), three whole numbers.")
    positions, pairs = table.shape[0], len(table.even)
    for what, value, low, high in (
        ("position", start[0], 0, positions - 1),
        ("distance", start[1], -start[0], positions - 1 - start[0]),
        ("pair", start[2], 0, pairs - 1),
    ):
        if not low <= value <= high:
            raise ValueError(f"start has {what} {value}; in {table.name!r} it can be {low} to {high}.")
    return start[0], start[1], start[2]
