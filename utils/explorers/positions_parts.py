"""What a table of position vectors is made of: its pairs of dimensions as clocks, its dot products by distance."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

_EVEN = 0.01  # of the radius: how far a pair may lie from an evenly turning hand; bfloat16 rounds by 0.004
_ALONE = 0.001  # of the largest dot product: how far those of one distance may lie apart


@dataclass(frozen=True, eq=False)
class Table:
    """Position vectors under a name: ``values`` (positions, size) in float64."""

    name: str
    values: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """The number of positions and of dimensions."""
        return self.values.shape

    @property
    def even(self) -> np.ndarray:
        """The first dimension of each pair: 0, 2, 4 …; the last pair of an odd number is that of the last two."""
        return np.minimum(np.arange(0, self.shape[1], 2), self.shape[1] - 2)

    @cached_property
    def scale(self) -> float:
        """The size of number that has the full colour: a few numbers that are far larger do not wash out the rest."""
        return float(np.quantile(np.abs(self.values), 0.995, method="higher")) or 1.0

    @cached_property
    def turns(self) -> np.ndarray:
        """For each pair the angle (radians, clockwise) by which one position turns it, NaN where there is none.

        A pair is read as the hand of a clock: its first number to the right, its second upwards. It turns evenly when
        a hand of one length and speed meets all its positions to within a hundredth of that length, as the sine and
        cosine of Vaswani et al. (2017, section 3.5) do. Two positions alone would fit any speed.
        """
        right, up = self.values[:, self.even], self.values[:, self.even + 1]  # (positions, pairs)
        if len(right) < 3:
            return np.full(right.shape[1], np.nan)
        angle = np.unwrap(np.arctan2(right, up), axis=0)
        turn = (angle[-1] - angle[0]) / (len(angle) - 1)
        radius = np.hypot(right, up).mean(axis=0)
        steps = np.arange(len(angle))[:, None] * turn
        phase = (angle - steps).mean(axis=0)
        apart = np.hypot(right - radius * np.sin(phase + steps), up - radius * np.cos(phase + steps)).max(axis=0)
        return np.where((apart <= _EVEN * radius) & (np.abs(turn) > 1e-9), turn, np.nan)

    @cached_property
    def by_distance(self) -> np.ndarray:
        """The lowest and highest dot product and cosine of two positions so far apart: (measure, 2, distance).

        NaN where every pair has a vector of zeros, which has no cosine.
        """
        products = self.values @ self.values.T
        norms = np.sqrt(np.diag(products))
        with np.errstate(invalid="ignore", divide="ignore"):
            cosines = np.where(np.outer(norms, norms) > 0, products / np.outer(norms, norms), np.nan)
        found = np.full((2, 2, len(products)), np.nan)
        for measure, table in enumerate((products, cosines)):
            for distance in range(len(table)):
                row = np.diagonal(table, distance)
                if (known := row[~np.isnan(row)]).size:
                    found[measure, :, distance] = known.min(), known.max()
        return found

    @cached_property
    def distance_alone(self) -> bool:
        """Whether the dot product of two positions depends on how far apart they are, and on nothing else."""
        low, high = self.by_distance[0]
        return bool((high - low).max() <= _ALONE * np.abs(self.by_distance[0]).max())

    def sentences(self) -> str:
        """Say how large the table is, which of its pairs turn evenly, and how its dot products fall."""
        positions, size = self.shape
        turning = np.abs(self.turns[~np.isnan(self.turns)])
        said = [
            f"{self.name}: {positions} × {size} (positions × dimensions).",
            f"{len(turning)} of its {len(self.turns)} pairs of dimensions turn evenly from position to position"
            + (f", once in {_waves(turning)} positions." if len(turning) else "."),
        ]
        low, high = self.by_distance[0]
        at = [distance for distance in (1, 2, 5, 10, 20, 50, 100) if distance < positions]
        if self.distance_alone and at:
            falls = ", ".join(f"{number(low[distance])} at {distance}" for distance in (0, *at))
            said.append(f"The dot product depends on the distance of two positions alone: {falls}.")
        elif at:
            falls = ", ".join(f"{number(low[each])} to {number(high[each])} at {each}" for each in at)
            said.append(f"The dot product of two positions depends on more than their distance: {falls}.")
        return " ".join(said)


def _waves(turning: np.ndarray) -> str:
    ends = dict.fromkeys(number(2 * math.pi / turn) for turn in (turning.max(), turning.min()))
    return " to ".join(ends)


def number(value: float) -> str:
    """Return ``value`` as people write it: four digits, and whole above a thousand."""
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", "−")
