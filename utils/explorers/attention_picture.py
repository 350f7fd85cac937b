"""The attention explorer's still picture: one head's heat map with its tokens beside small maps of all heads.

Drawn by hand with Pillow, because laying out text with matplotlib would take a hundred times as long.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from utils.explorers.drawing import fitted, font

WIDTH = 720
_LABELS, _HEADING, _SIDE, _GRID = 92, 46, 272, 300  # pixels: row labels, room above, the heat map, the small maps
_GREYS, _RAMP = 5, 12  # colours of the picture: paper to ink, then cividis; few, so that the file stays small
_SMALL_RAMP = 5  # steps of the small maps' colours

Place = Callable[[float], tuple[float, float]]  # from the middle of a cell to where its label goes


@dataclass(frozen=True)
class Chosen:
    """The head to draw large: its place in the grid of layers and heads, and the heading over it."""

    layer: int
    head: int
    heading: str


def picture(
    shares: np.ndarray, forbidden: np.ndarray, rows: Sequence[str], columns: Sequence[str], chosen: Chosen
) -> bytes:
    """Return a PNG of ``WIDTH`` pixels, the same bytes every time.

    ``shares`` (layers, heads, query, key) holds square roots of weights, 0 to 1; cells where ``forbidden`` (query, key)
    is True are hatched. ``rows`` and ``columns`` are the tokens, every character visible.
    """
    layers, heads, queries, keys = shares.shape
    cell = min(26, _SIDE / max(queries, keys))
    height, width = max(1, round(cell * queries)), max(1, round(cell * keys))
    tile = int(min(58, _GRID / heads))
    small = max(1, tile - 3)
    if small > max(queries, keys):  # whole pixels for each cell
        small -= small % max(queries, keys)
        tile = small + 3
    top = _HEADING + _LABELS
    total = max(top + height + 34, _HEADING + 14 + layers * tile + 8)
    pixels = np.zeros((total, WIDTH), dtype="uint8")
    large = _coloured(_scaled(shares[chosen.layer, chosen.head], height, width), forbidden)
    pixels[top : top + height, _LABELS : _LABELS + width] = large
    left = WIDTH - _GRID
    tiles = _coloured(np.rint(_SMALL_RAMP * _scaled(shares, small, small)) / _SMALL_RAMP, forbidden)
    for layer, head in np.ndindex(layers, heads):
        y, x = _HEADING + 14 + layer * tile, left + head * tile
        if (layer, head) == (chosen.layer, chosen.head):
            pixels[y - 2 : y + small + 2, x - 2 : x + small + 2] = _GREYS - 1
        pixels[y : y + small, x : x + small] = tiles[layer, head]
    ramp = _coloured(np.tile(np.linspace(0, 1, 150), (9, 1)), np.zeros((1, 1), dtype=bool))
    pixels[top + height + 8 : top + height + 17, _LABELS : _LABELS + 150] = ramp

    text = Image.new("L", (WIDTH, total))
    draw = ImageDraw.Draw(text)
    draw.text((4, 6), chosen.heading, fill=255, font=font(15, bold=True))
    draw.text((4, 27), "rows look, columns are looked at", fill=190, font=font(12))
    draw.text((left, 6), "every head" if heads * layers > 1 else "", fill=255, font=font(15, bold=True))
    draw.text((left, 27), f"{layers} layers down, {heads} heads across" * (heads * layers > 1), 190, font=font(12))
    for share in (0, 0.1, 0.5, 1):  # the ramp is even in the square root of the weight
        place = (_LABELS + 150 * share**0.5, top + height + 18)
        draw.text(place, f"{share:.0%}", fill=190, font=font(11), anchor="ma")
    _labels(draw, rows, cell, lambda y: (_LABELS - 5, top + y), "rm")
    # The columns' labels are written level and turned by a quarter; the first and last stand out over the edges.
    level = Image.new("L", (_LABELS, width + 16))
    _labels(ImageDraw.Draw(level), columns, cell, lambda y: (5, y + 8), "lm")
    text.paste(level.transpose(Image.Transpose.ROTATE_90), (_LABELS - 8, _HEADING))
    grey = np.asarray(text) // 52
    return _saved(np.where(grey > 0, grey, pixels))


def _scaled(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return ``values`` (..., rows, columns) as (..., height, width): each repeated, or the greatest of a block."""
    for axis, size in ((-2, height), (-1, width)):
        count = values.shape[axis]
        starts = np.arange(size) * count // size
        values = np.take(values, starts, axis) if count <= size else np.maximum.reduceat(values, starts, axis)
    return values


def _coloured(shares: np.ndarray, forbidden: np.ndarray) -> np.ndarray:
    """Return palette entries for ``shares`` (..., height, width), hatched where ``forbidden`` (rows, columns) says."""
    height, width = shares.shape[-2:]
    hatching = np.where(np.add.outer(np.arange(height), np.arange(width)) % 5 == 0, 2, 0)
    coloured = _GREYS + np.rint(shares * (_RAMP - 1)).astype("uint8")
    return np.where(_scaled(forbidden, height, width), hatching, coloured)


def _labels(
    draw: ImageDraw.ImageDraw,
    tokens: Sequence[str],
    cell: float,
    place: Callable[[float], tuple[float, float]],
    anchor: str,
) -> None:
    """Write each token beside its cell; where the cells are too low for that, only as many tokens as there is room."""
    face = font(round(min(13, max(10, cell - 1))))
    step = max(1, math.ceil((face.size + 1) / cell))
    for number in range(0, len(tokens), step):
        token = tokens[number]
        shown = token if len(token) <= 6 else fitted(token, face, _LABELS - 6)  # measuring takes its time
        draw.text(place((number + 0.5) * cell), shown, fill=255, font=face, anchor=anchor)


@cache
def _palette() -> bytes:
    greys = np.linspace(255, 26, _GREYS)[:, None].repeat(3, axis=1)
    ramp = 255 * matplotlib.colormaps["cividis"](np.linspace(0, 1, _RAMP))[:, :3]
    return np.rint(np.concatenate([greys, ramp])).astype("uint8").tobytes()


def _saved(pixels: np.ndarray) -> bytes:
    image, stored = Image.fromarray(pixels.astype("uint8")), BytesIO()
    image.putpalette(_palette())
    image.save(stored, format="PNG", compress_level=6)
    return stored.getvalue()
