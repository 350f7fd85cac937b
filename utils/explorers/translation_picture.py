"""The still picture of a translation: source words with their states, the vector handed over, the written words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from utils.explorers import drawing

WIDTH = 760
MINUS, PLUS = (143, 91, 214), (214, 138, 0)  # violet and amber, told apart by every eye; their mixture with white is 0
_MARGIN, _STRIPS, _GAP = 12, 128, 6  # pixels: at the edges, height of a column's strips, between two of them
_WIDEST, _TALLEST = 92, 84  # pixels: of a column, of a turned word


def picture(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return a PNG of ``WIDTH`` pixels from what the live view is given."""
    names, read, written = header["names"], header["read"], header["written"]
    both = "; lower strips: read backwards" * (header["directions"] > 1)
    above = _row(f"Encoder: the state after each word{both}", header["sources"], arrays["encoder"])
    own = [True, *(word == before for word, before in zip(read[1:], written, strict=False))]
    heads = ["the vector", *("≠ " * (not same) + names[word] for word, same in zip(read, own, strict=True))]
    feet = ["", *(names[word] for word in written)]
    shares = ["", *(f"{share:.0%}" for share in arrays["chosen"])]
    states = np.concatenate([arrays["first"][-1:], arrays["decoder"]])[:, None]
    below = _row("Decoder: reads a word (≠ not its own), writes the next", heads, states, feet, shares)
    image = Image.new("RGB", (WIDTH, above.height + below.height + 26), "white")
    image.paste(above, (0, 0))
    image.paste(below, (0, above.height))
    _key(ImageDraw.Draw(image), image.height - 16)
    return drawing.stored(image)


def _row(
    title: str,
    heads: Sequence[str],
    states: np.ndarray,
    feet: Sequence[str] = (),
    shares: Sequence[str] = (),
) -> Image.Image:
    """Draw one machine: a column for each word, ``states`` (words, strips, cells) below it, what it writes below."""
    pitch = min(_WIDEST, (WIDTH - 2 * _MARGIN) / len(heads))
    face = drawing.font(13)
    longest = round(max(face.getlength(text[:60]) for text in (*heads, *feet)))
    turned = longest > pitch - 6
    room = min(_TALLEST, longest + 10) if turned else 22
    strip = _STRIPS // states.shape[1]
    tall, top = states.shape[1] * (strip + _GAP), 30 + room
    image = Image.new("RGB", (WIDTH, top + tall + (room + 22) * bool(feet) + 8), "white")
    pen = ImageDraw.Draw(image)
    pen.text((_MARGIN, 16), title, "black", font=drawing.font(14, bold=True), anchor="lm")
    for number, head in enumerate(heads):
        left, wide = _MARGIN + pitch * number, max(2, pitch - max(2, 0.12 * pitch))
        middle = left + wide / 2
        _write(image, head, (middle, top - room), room, pitch, turned, colour=drawing.SOFT)
        for place, state in enumerate(states[number]):
            box = Image.fromarray(_coloured(state)[:, None]).resize((round(wide), strip), Image.Resampling.NEAREST)
            image.paste(box, (round(left), top + place * (strip + _GAP)))
        if feet:
            _write(image, feet[number], (middle, top + tall), room, pitch, turned, colour="black", below=True)
            size = 12 if pitch > 34 else 9
            if pitch > 20:
                place = (middle, top + tall + room + 8)
                pen.text(place, shares[number], drawing.SOFT, font=drawing.font(size), anchor="mm")
    return image


def _write(
    image: Image.Image,
    text: str,
    place: tuple[float, float],
    room: int,
    pitch: float,
    turned: bool,
    *,
    colour: str,
    below: bool = False,
) -> None:
    """Write a word around the middle of its column, upwards where there is no room across."""
    face = drawing.font(13 if pitch > 15 else 10)
    x, y = place
    if not turned:
        ImageDraw.Draw(image).text(
            (x, y + room / 2), drawing.fitted(text, face, pitch - 4), colour, font=face, anchor="mm"
        )
        return
    length = room - 4 if not below else min(room - 4, round(face.getlength(text[:60])) + 8)
    label = drawing.turned(text, face, max(8, length), colour)
    image.paste(label, (round(x - label.width / 2), round(y + 2)))


def _coloured(state: np.ndarray) -> np.ndarray:
    """Return the cells of a state as colours, (cells, 3)."""
    values = (state.astype("float32") - 127) / 127
    ends = np.where(values[:, None] < 0, MINUS, PLUS)
    return np.rint(255 + np.abs(values)[:, None] * (ends - 255)).astype("uint8")


def _key(pen: ImageDraw.ImageDraw, middle: float) -> None:
    face = drawing.font(12)
    pen.text((_MARGIN, middle), "−1", drawing.SOFT, font=face, anchor="lm")
    for step, colour in enumerate(_coloured(np.arange(0, 255, 2))):
        pen.line((_MARGIN + 22 + step, middle - 6, _MARGIN + 22 + step, middle + 6), tuple(colour.tolist()))
    said = "1: the numbers of a state; below each written word the probability that the model gave it"
    pen.text((_MARGIN + 156, middle), said, drawing.SOFT, font=face, anchor="lm")
