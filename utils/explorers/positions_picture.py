"""The still picture of position vectors: each table as a heat map, beside it the dot products with one position."""

import itertools
from collections.abc import Sequence
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from utils import plots
from utils.explorers import drawing
from utils.explorers.compare_curves import ticks
from utils.explorers.positions_parts import Table, number

WIDTH = 900  # pixels
_ROW, _TOP, _HIGH = 384, 64, 250  # pixels of one table, of what is above its map, and of the map
_LEFT, _WIDE, _CURVE, _RIGHT = 56, 380, 516, 884  # pixels: left edge and width of the map, edges of the curve
_FINE = 3  # the curve is drawn this much larger and then made smaller, which smooths it


def positions_picture(tables: Sequence[Table], position: int) -> bytes:
    """Return a PNG of ``WIDTH`` pixels: for each table its map, and the curve of ``position`` (or its last one)."""
    image = Image.new("RGB", (WIDTH, _ROW * len(tables)), "white")
    for place, table in enumerate(tables):
        at = min(position, table.shape[0] - 1)
        _map(image, table, at, _ROW * place)
        _curve(image, table, at, _ROW * place)
    stored = BytesIO()
    image.quantize(palette=_palette(), dither=Image.Dither.NONE).save(stored, "PNG", optimize=True)
    return stored.getvalue()


@cache
def _palette() -> Image.Image:
    """Return greys and the ramp, with few colours, for a noisy map is stored the larger the more it has."""
    greys = np.linspace(0, 255, 8)[:, None].repeat(3, axis=1)
    ramp = np.asarray(_ramp(np.linspace(-1, 1, 23)[None]))[0]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([greys, ramp]).astype("uint8").tobytes())
    return palette


def _ramp(shares: np.ndarray) -> Image.Image:
    """Return colours for -1 to 1: blue, white at 0, orange."""
    ends = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in (plots.ENCODER, plots.DECODER)])
    size = np.minimum(np.abs(shares), 1)[..., None]
    colours = 255 + size * (np.where((shares > 0)[..., None], ends[1], ends[0]) - 255)
    return Image.fromarray(np.rint(colours).astype("uint8"))


def _map(image: Image.Image, table: Table, position: int, top: int) -> None:
    pen, plain, bold = ImageDraw.Draw(image), drawing.font(14), drawing.font(17, bold=True)
    positions, size = table.shape
    pen.text((8, top + 8), drawing.fitted(table.name, bold, 300), "black", font=bold)
    pen.text((8, top + 34), f"{positions} positions × {size} dimensions", drawing.SOFT, font=plain)
    top += _TOP
    # The box filter enlarges cells with sharp edges, and averages small ones: in blocks, since noise of single pixels
    # does not compress.
    if positions > _HIGH or size > _WIDE:
        shown = _ramp(table.values / table.scale).resize((_WIDE // 2, _HIGH // 2), Image.Resampling.BOX)
    else:
        shown = _ramp(table.values / table.scale)
    shown = shown.resize((_WIDE, _HIGH), Image.Resampling.BOX)
    image.paste(shown, (_LEFT, top))
    pen.rectangle((_LEFT - 1, top - 1, _LEFT + _WIDE, top + _HIGH), outline=drawing.HATCHING)
    row = _HIGH / positions
    upper = top + row * position
    drawing.outline(pen, (_LEFT, upper, _LEFT + _WIDE - 1, upper + max(row, 4)), dashed=False)
    for value in _marks(positions):
        pen.text((_LEFT - 6, top + row * (value + 0.5)), str(value), "black", font=plain, anchor="rm")
    for value in _marks(size):
        pen.text((_LEFT + _WIDE / size * (value + 0.5), top + _HIGH + 4), str(value), "black", font=plain, anchor="ma")
    top += _HIGH + 28
    pen.text((_LEFT, top + 3), "dimension", drawing.SOFT, font=plain)
    image.paste(_ramp(np.linspace(-1, 1, 120)[None]).resize((120, 12)), (_LEFT + 190, top + 6))
    pen.text((_LEFT + 182, top + 3), f"−{number(table.scale)}", drawing.SOFT, font=plain, anchor="ra")
    pen.text((_LEFT + 318, top + 3), f"+{number(table.scale)}", drawing.SOFT, font=plain)


def _marks(count: int) -> list[int]:
    """Return the round numbers to write along an axis of so many places."""
    return sorted({int(value) for value in ticks(0, count - 1) if value < count} if count > 1 else {0})


def _curve(image: Image.Image, table: Table, position: int, top: int) -> None:
    pen, plain, bold = ImageDraw.Draw(image), drawing.font(14), drawing.font(15, bold=True)
    heights = table.values @ table.values[position]
    down = ticks(float(min(heights.min(), 0)), float(heights.max()))
    upper, lower, last = top + _TOP, top + _TOP + _HIGH, len(heights) - 1
    x = _CURVE + (np.arange(len(heights)) / last if last else np.full(1, 0.5)) * (_RIGHT - _CURVE)

    def up(value: np.ndarray | float) -> np.ndarray:
        return lower - (value - down[0]) / (down[-1] - down[0]) * (lower - upper)

    large = Image.new("RGB", (_FINE * (WIDTH - _CURVE + 10), _FINE * _ROW), "white")
    brush = ImageDraw.Draw(large)
    points = np.stack([x - _CURVE + 10, up(heights) - top], axis=1) * _FINE
    for value in down:
        y = _FINE * float(up(value) - top)
        brush.line((10 * _FINE, y, _FINE * (_RIGHT - _CURVE + 10), y), plots.GRID, _FINE)
    for start, end in itertools.pairwise(points.tolist()):
        brush.line((*start, *end), drawing.ACCENT, (3 if last < 200 else 1) * _FINE)
    across, y = points[position].tolist()
    brush.ellipse((across - 6 * _FINE, y - 6 * _FINE, across + 6 * _FINE, y + 6 * _FINE), "black")
    image.paste(large.resize((WIDTH - _CURVE + 10, _ROW), Image.Resampling.LANCZOS), (_CURVE - 10, top))
    pen.text((_CURVE - 46, top + 22), f"Dot product with position {position}", "black", font=bold)
    for value in down:
        pen.text((_CURVE - 12, float(up(value))), number(value), drawing.SOFT, font=plain, anchor="rm")
    for value in _marks(len(heights)):
        pen.text((x[value], lower + 8), str(value), drawing.SOFT, font=plain, anchor="ma")
    pen.text(((_CURVE + _RIGHT) / 2, lower + 30), "position", "black", font=plain, anchor="ma")
