"""The comparison's still picture: two heat maps on one scale, and the map of their difference."""

import math
import textwrap
from collections.abc import Sequence
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from utils import plots
from utils.explorers import drawing
from utils.explorers.compare_parts import WIDTH, Side, apart, labels

_LABELS, _ABOVE, _MAP, _GAP = 84, 132, 204, 16  # pixels of a map's row labels, of all above it, of itself, between two


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])


def diverging(change: np.ndarray) -> np.ndarray:
    """Return colours (..., 3) for differences from -1 to 1: the first's blue, white at 0, the second's orange."""
    shares = np.sqrt(np.minimum(np.abs(change), 1))[..., None]
    ends = np.where((change > 0)[..., None], _rgb(plots.DECODER), _rgb(plots.ENCODER))
    return np.rint(255 + shares * (ends - 255)).astype("uint8")


def maps_picture(first: Side, second: Side) -> bytes:
    """Return a PNG of ``WIDTH`` pixels: both heat maps on one scale and, of maps of one size, their difference."""
    ramp = np.array([drawing.rgb(share / 63) for share in range(64)], dtype="uint8")
    panels = []
    for side in (first, second):
        pixels = ramp[np.rint(63 * np.sqrt(np.minimum(side.chosen, 1))).astype(int)]
        words = [side.attention.queries.labels, side.attention.keys.labels]
        panels.append((side.name, side.where, pixels, side.seen, words))
    if apart(first, second) is None:
        both = [labels(first, second, which) for which in ("queries", "keys")]
        change = diverging(second.chosen - first.chosen)
        panels.append(("difference", f"{second.name} − {first.name}", change, first.seen & second.seen, both))
    cell = min(28.0, _MAP / max(max(side.chosen.shape) for side in (first, second)))
    height = round(cell * max(len(side.chosen) for side in (first, second)))
    image = Image.new("RGB", (WIDTH, _ABOVE + height + 44), "white")
    for number, panel in enumerate(panels):
        _panel(image, number * (_LABELS + _MAP + _GAP), cell, *panel)
    top = _ABOVE + height + 12
    _key(image, _LABELS, top, ramp, ("0", "weight", "1"))
    if (reason := apart(first, second)) is not None:
        place = (2 * (_LABELS + _MAP + _GAP) + 30, _ABOVE)
        ImageDraw.Draw(image).text(place, textwrap.fill(reason, 32), "black", font=drawing.font(15), spacing=7)
    else:
        left = 2 * (_LABELS + _MAP + _GAP) + _LABELS
        _key(image, left, top, diverging(np.linspace(-1, 1, 63) * abs(np.linspace(-1, 1, 63))), ("−1", "0", "+1"))
    return _saved(image)


@cache
def _palette() -> Image.Image:
    """Return greys and both ramps: a palette made from the picture itself would lose the ends that few cells have."""
    greys = np.linspace(0, 255, 18)[:, None].repeat(3, axis=1)
    weights = np.array([drawing.rgb(share / 63) for share in range(64)])
    steps = np.linspace(-1, 1, 65)
    colours = np.concatenate([greys, weights, diverging(steps * np.abs(steps))]).astype("uint8")
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.tobytes())
    return palette


def _saved(image: Image.Image) -> bytes:
    stored = BytesIO()
    image.quantize(palette=_palette(), dither=Image.Dither.NONE).save(stored, "PNG", compress_level=7)
    return stored.getvalue()


def _panel(
    image: Image.Image,
    left: int,
    cell: float,
    name: str,
    where: str,
    pixels: np.ndarray,
    seen: np.ndarray,
    words: list[list[str]],
) -> None:
    """Draw one map at ``left``: heading, tokens, cells, hatching where nothing is ``seen``."""
    pen = ImageDraw.Draw(image)
    room = _LABELS + _MAP
    bold, plain = drawing.font(16, bold=True), drawing.font(13)
    pen.text((left + 4, 4), drawing.fitted(name, bold, room), "black", font=bold)
    pen.text((left + 4, 27), drawing.fitted(where, plain, room), drawing.SOFT, font=plain)
    left += _LABELS
    high, wide = round(cell * len(pixels)), round(cell * pixels.shape[1])
    drawing.hatch(image, (left, _ABOVE, left + wide, _ABOVE + high))
    shown = Image.fromarray(seen).convert("L").resize((wide, high), Image.Resampling.NEAREST)
    image.paste(Image.fromarray(pixels).resize((wide, high), Image.Resampling.NEAREST), (left, _ABOVE), shown)
    pen.rectangle((left - 1, _ABOVE - 1, left + wide, _ABOVE + high), outline=drawing.HATCHING)
    every = math.ceil(15 / cell)
    for place in range(0, len(pixels), every):
        at = (left - 6, _ABOVE + cell * (place + 0.5))
        pen.text(at, drawing.fitted(words[0][place], plain, _LABELS - 10), "black", font=plain, anchor="rm")
    for place in range(0, pixels.shape[1], every):
        label = drawing.turned(words[1][place], plain, _ABOVE - 52, "black")
        image.paste(label, (round(left + cell * (place + 0.5) - label.width / 2), 48))


def _key(image: Image.Image, left: int, top: int, ramp: np.ndarray, said: Sequence[str]) -> None:
    image.paste(Image.fromarray(ramp[None]).resize((180, 9)), (left, top))
    pen = ImageDraw.Draw(image)
    for place, text in enumerate(said):
        anchor = ("la", "ma", "ra")[place]
        pen.text((left + 90 * place, top + 12), text, drawing.SOFT, font=drawing.font(12), anchor=anchor)
