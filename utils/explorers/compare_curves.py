"""Measured curves of some models over one x: checked, put into words, and drawn as a still picture."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from utils import plots
from utils.explorers import drawing
from utils.explorers.compare_parts import WIDTH, checked_names
from utils.explorers.delivery import visible

COLOURS = (
    *(plots.ENCODER, plots.DECODER, plots.ENCODER_DECODER, plots.SECOND, plots.HIGHLIGHT, plots.THIRD),
    plots.BASELINE,
)
MOST_POINTS = 2_000  # of one curve
_LEFT, _RIGHT, _TOP, _LOWER, _HEIGHT = 76, WIDTH - 190, 44, 372, 430  # pixels: edges of the still picture's axes
_FINE = 3  # lines are drawn this much larger and then made smaller, which smooths them


@dataclass(frozen=True, eq=False)
class Curves:
    """Measured curves over one x: ``values`` (curve, point), with NaN where nothing was measured.

    ``low`` and ``high`` are their intervals, NaN where there are none; ``baseline`` is the curve that the others are
    compared with.
    """

    names: list[str]
    x: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    baseline: int
    x_label: str
    y_label: str

    def sentences(self) -> str:
        """Say where each curve begins and ends, and what lies farthest from the baseline."""
        said = [f"{self.y_label} by {self.x_label}, {len(self.x)} points, {self.x[0]:.4g} to {self.x[-1]:.4g}."]
        for name, values in zip(self.names, self.values, strict=True):
            measured = np.flatnonzero(np.isfinite(values))
            ends = [f"{values[place]:.4g} at {self.x[place]:.4g}" for place in (measured[0], measured[-1])]
            left = len(self.x) - len(measured)
            said.append(f"{name}: {' → '.join(ends)}{f'; {left} not measured' if left else ''}.")
        change = np.nan_to_num(self.values - self.values[self.baseline])
        curve, place = np.unravel_index(np.abs(change).argmax(), change.shape)
        if len(self.names) > 1 and change[curve, place]:
            said.append(
                f"Largest difference from {self.names[self.baseline]}: {self.names[curve]}, "
                f"{change[curve, place]:+.4g} at {self.x[place]:.4g}."
            )
        return "\n".join(said)


def _numbers(values: Any, what: str, points: int | None = None) -> np.ndarray:
    """Return ``values`` as float64 (points,)."""
    try:
        numbers = torch.as_tensor(values).detach().to("cpu", torch.float64).numpy()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{what} must hold numbers; write float('nan') where nothing was measured.") from None
    if numbers.ndim != 1:
        raise ValueError(f"{what} has shape {numbers.shape}; it must be one row of numbers.")
    if points is not None and len(numbers) != points:
        raise ValueError(f"{what} has {len(numbers)} numbers but x has {points}; give one for each x, or float('nan').")
    if np.isinf(numbers).any() or (points is None and np.isnan(numbers).any()):
        raise ValueError(f"{what} holds {'infinity' if points else 'NaN or infinity'}; it must be finite numbers.")
    return numbers


def checked_curves(
    series: Any, x: Any, *, x_label: str, y_label: str, baseline: str | None, intervals: Mapping[str, Any] | None
) -> Curves:
    """Return the curves of ``series``, or say in one sentence what does not fit."""
    if not isinstance(series, Mapping) or not 1 <= len(series) <= len(COLOURS):
        count = f"holds {len(series)}" if isinstance(series, Mapping) else f"is {str(series)[:60]}"
        raise ValueError(f"series {count}; it must be a mapping of 1 to {len(COLOURS)} names to their numbers.")
    places = _numbers(x, "x")
    if not 1 <= len(places) <= MOST_POINTS:
        raise ValueError(f"x has {len(places):,} points; a curve has 1 to {MOST_POINTS:,}, so leave some out.")
    if (wrong := np.flatnonzero(np.diff(places) <= 0)).size:
        at = int(wrong[0])
        raise ValueError(f"x goes from {places[at]:g} to {places[at + 1]:g}; it must increase from point to point.")
    names = checked_names(series)
    keys = list(series)
    values = np.stack([_numbers(series[key], f"the curve {key!r}", len(places)) for key in keys])
    for key, row in zip(keys, values, strict=True):
        if np.isnan(row).all():
            raise ValueError(f"the curve {key!r} holds no number at all; leave it out.")
    for what, name in [("baseline", baseline)] * (baseline is not None) + [
        ("intervals", each) for each in intervals or ()
    ]:
        if name not in keys:
            raise ValueError(f"{what} names {name!r}, but the curves are {', '.join(map(repr, keys))}.")
    bounds = np.full((2, *values.shape), np.nan)
    for key, band in (intervals or {}).items():
        bounds[:, keys.index(key)] = _checked_band(key, band, values[keys.index(key)])
    labels = [visible(text, spaces=False) if isinstance(text, str) else None for text in (x_label, y_label)]
    if None in labels:
        raise ValueError(f"x_label and y_label are {x_label!r} and {y_label!r}; both must be strings.")
    return Curves(names, places, values, *bounds, 0 if baseline is None else keys.index(baseline), *labels)


def _checked_band(key: str, band: Any, values: np.ndarray) -> np.ndarray:
    """Return the lower and upper ends (2, points) of one curve's intervals."""
    if not (isinstance(band, Sequence | np.ndarray | torch.Tensor) and not isinstance(band, str) and len(band) == 2):
        raise ValueError(f"the interval of {key!r} must be (low, high), each with one number for each x.")
    low, high = (
        _numbers(end, f"the {side} end of {key!r}", len(values))
        for side, end in zip(("low", "high"), band, strict=True)
    )
    if (outside := np.flatnonzero((low > values) | (values > high))).size:
        at = int(outside[0])
        raise ValueError(
            f"the interval of {key!r} at point {at} is {low[at]:g} to {high[at]:g}, which its value {values[at]:g} "
            "lies outside of; low must not lie above it, nor high below."
        )
    return np.stack([low, high])


def ticks(low: float, high: float) -> list[float]:
    """Return 2 to 8 evenly spaced round numbers, the first at or below ``low``, the last at or above ``high``."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # one number, but for rounding
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    power = 10.0 ** math.floor(math.log10((high - low) / 5))
    width = next(power * size for size in (1, 2, 5, 10) if power * size >= (high - low) / 5 * (1 - 1e-9))
    start, end = math.floor(low / width + 1e-9), math.ceil(high / width - 1e-9)
    return [number * width for number in range(start, end + 1)]


def curves_picture(shown: Curves) -> bytes:
    """Return a PNG of ``WIDTH`` pixels: each curve with its name at its end, intervals as bands, gaps as gaps."""
    bounds = np.concatenate([shown.values, shown.low, shown.high])
    down = ticks(float(np.nanmin(bounds)), float(np.nanmax(bounds)))
    span = float(shown.x[-1] - shown.x[0])

    def across(x: np.ndarray | float) -> np.ndarray:
        return _LEFT + ((x - shown.x[0]) / span if span else 0.5 + 0 * x) * (_RIGHT - _LEFT)

    def up(y: np.ndarray | float) -> np.ndarray:
        return _LOWER - (y - down[0]) / (down[-1] - down[0]) * (_LOWER - _TOP)

    large = Image.new("RGB", (_FINE * WIDTH, _FINE * _HEIGHT), "white")
    pen = ImageDraw.Draw(large)
    for value in down:
        pen.line([_FINE * place for place in (_LEFT, up(value), _RIGHT, up(value))], plots.GRID, _FINE)
    x = _FINE * across(shown.x)
    curves = list(zip(COLOURS, _FINE * up(shown.values), _FINE * up(shown.low), _FINE * up(shown.high), strict=False))
    for colour, _, low, high in curves:
        _band(large, x, low, high, colour)
    for colour, values, _, _ in curves:
        points = list(zip(x.tolist(), values.tolist(), strict=True))
        for start, end in itertools.pairwise(points):
            if not math.isnan(start[1] + end[1]):
                pen.line((*start, *end), colour, 3 * _FINE)
        for across_x, y in points:  # also what stands alone between two gaps
            if not math.isnan(y):
                radius = (4 if len(points) <= 60 else 1.5) * _FINE
                pen.ellipse((across_x - radius, y - radius, across_x + radius, y + radius), colour)
    image = large.resize((WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
    _words(image, shown, down, across, up)
    return drawing.stored(image)


def _band(image: Image.Image, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> None:
    """Tint what lies between ``low`` and ``high`` of two neighbouring points that have both."""
    mask = Image.new("L", image.size)
    pen = ImageDraw.Draw(mask)
    for place in range(len(x) - 1):
        edge = [*zip(x[place : place + 2], low[place : place + 2], strict=True)]
        edge += reversed([*zip(x[place : place + 2], high[place : place + 2], strict=True)])
        if not np.isnan(edge).any():
            pen.polygon([(float(a), float(b)) for a, b in edge], 55)
    image.paste(colour, (0, 0), mask)


def _words(
    image: Image.Image,
    shown: Curves,
    down: Sequence[float],
    across: Callable[[float], np.ndarray],
    up: Callable[[float], np.ndarray],
) -> None:
    """Write the axes' numbers and labels, and each curve's name at its last point, one below the other."""
    pen, plain, bold = ImageDraw.Draw(image), drawing.font(14), drawing.font(15, bold=True)
    pen.text((8, 8), drawing.fitted(shown.y_label, bold, WIDTH - 16), "black", font=bold)
    label = drawing.fitted(shown.x_label, plain, _RIGHT - _LEFT)
    pen.text(((_LEFT + _RIGHT) / 2, _HEIGHT - 20), label, "black", font=plain, anchor="mm")
    for value in down:
        pen.text((_LEFT - 8, up(value)), f"{value:.6g}", drawing.SOFT, font=plain, anchor="rm")
    marks = [value for value in ticks(shown.x[0], shown.x[-1]) if shown.x[0] <= value <= shown.x[-1]]
    for value in marks if len(shown.x) > 1 else shown.x.tolist():
        pen.text((across(value), _LOWER + 8), f"{value:.6g}", drawing.SOFT, font=plain, anchor="ma")
    ends = [(float(up(values[np.isfinite(values)][-1])), number) for number, values in enumerate(shown.values)]
    lowest = -math.inf
    for y, number in sorted(ends):
        lowest = max(y, lowest + 19)
        pen.rectangle((_RIGHT + 8, lowest - 2, _RIGHT + 20, lowest + 2), COLOURS[number])
        name = drawing.fitted(shown.names[number], plain, WIDTH - _RIGHT - 34)
        pen.text((_RIGHT + 26, lowest), name, "black", font=plain, anchor="lm")
