"""When two outputs of one cell count as the same: numbers may drift in the last digits, pictures by a font's edge."""

import base64
import io
import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
from PIL import Image

from utils.explorers import delivery

RELATIVE, ABSOLUTE = 1e-3, 1e-6
# Measured on the course's figures: another way of hinting the font moves the mean by up to 0.006 and the worst block by
# up to 0.15; one bar of four raised by 5 % moves the worst block by 0.21, an inverted figure the mean by 0.8.
MEAN_DIFFERENCE, WORST_BLOCK = 0.008, 0.16
BLOCKS_ACROSS = 45

# Spaces before a number belong to it: a sign that comes or goes moves the alignment, not the meaning.
_NUMBER = re.compile(r"(?: +|(?<![\w.]))([-+−]?)(\d+\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\d+)")
_PICTURE = re.compile(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=\s]+)")
_PAYLOAD = re.compile(r'data-payload="[^"]*"')


def text_difference(expected: str, actual: str) -> str | None:
    """Return what differs between two texts, ``None`` if they count as the same.

    Decimals may differ by a thousandth of their value, by 1e-6, or, where four or more places are printed, by one in
    the last place, since a drift in the seventh digit can tip it. Whole numbers and everything else must be equal.
    """
    if expected == actual:
        return None
    numbers, others = list(_NUMBER.finditer(expected)), list(_NUMBER.finditer(actual))
    if _NUMBER.sub("#", expected) != _NUMBER.sub("#", actual):
        return _first_line("the text differs", expected, actual)
    for number, other in zip(numbers, others, strict=True):
        if not _same_number(number.group(1) + number.group(2), other.group(1) + other.group(2)):
            return _first_line(
                f"{number.group().strip()} became {other.group().strip()}",
                _line_around(expected, number.start(2)),
                _line_around(actual, other.start(2)),
            )
    return None


def _same_number(expected: str, actual: str) -> bool:
    expected, actual = (text.replace("−", "-").removeprefix("+") for text in (expected, actual))
    if expected == actual:
        return True
    if any(re.fullmatch(r"-?\d+", text) for text in (expected, actual)):
        return False
    places = len(expected.split("e")[0].partition(".")[2]) if "e" not in expected.lower() else 0
    last_place = 10.0**-places if places >= 4 else 0.0
    allowed = max(RELATIVE * abs(float(expected)), ABSOLUTE, last_place)
    return abs(float(expected) - float(actual)) <= allowed * (1 + 1e-9)


def _line_around(text: str, position: int) -> str:
    return text[text.rfind("\n", 0, position) + 1 :].split("\n", 1)[0]


def _first_line(reason: str, expected: str, actual: str) -> str:
    pairs = zip_longest(expected.splitlines(), actual.splitlines(), fillvalue="(nothing)")
    was, is_now = next(((a, b) for a, b in pairs if a != b), (expected[-80:], actual[-80:]))
    return f"{reason}\n    in the notebook: {was[:200]}\n    computed now:    {is_now[:200]}"


def picture_difference(expected: bytes, actual: bytes) -> str | None:
    """Return how two PNG or JPEG pictures differ, ``None`` if they look the same."""
    was, is_now = (Image.open(io.BytesIO(data)).convert("RGBA") for data in (expected, actual))
    if any(abs(a - b) > 0.02 * a for a, b in zip(was.size, is_now.size, strict=True)):
        return f"the picture was {was.width} × {was.height} pixels and is now {is_now.width} × {is_now.height}"
    before, after = (_on_white(image.resize(was.size)) for image in (was, is_now))
    mean = float(np.abs(before - after).mean())
    side = max(4, round(was.width / BLOCKS_ACROSS))
    worst = float(np.abs(_blocks(before, side) - _blocks(after, side)).mean(axis=2).max())
    if mean <= MEAN_DIFFERENCE and worst <= WORST_BLOCK:
        return None
    return (
        f"the picture looks different: {mean:.4f} on average (at most {MEAN_DIFFERENCE}), "
        f"{worst:.2f} in the worst place (at most {WORST_BLOCK})"
    )


def _on_white(image: Image.Image) -> np.ndarray:
    """Return the picture as it looks on paper, values 0 to 1, shape (height, width, colour)."""
    paper = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(paper, image).convert("RGB"), dtype=np.float32) / 255


def _blocks(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return the mean colour of each ``side`` × ``side`` block, the rest at the right and lower edge padded white."""
    height, width, _ = pixels.shape
    padded = np.pad(pixels, ((0, -height % side), (0, -width % side), (0, 0)), constant_values=1)
    rows, columns = padded.shape[0] // side, padded.shape[1] // side
    return padded.reshape(rows, side, columns, side, 3).mean(axis=(1, 3))


def html_difference(expected: str, actual: str) -> str | None:
    """Return how two ``text/html`` outputs differ: their text, then an explorer's numbers, then their pictures."""
    bare, bare_now = (_PICTURE.sub("(picture)", _PAYLOAD.sub("", html)) for html in (expected, actual))
    if difference := text_difference(bare, bare_now):
        return difference
    if bool(_PAYLOAD.search(expected)) != bool(_PAYLOAD.search(actual)):
        return "one of the two carries an explorer's numbers, the other does not"
    if _PAYLOAD.search(expected) and (
        difference := payload_difference(delivery.payload_of(expected), delivery.payload_of(actual))
    ):
        return difference
    for was, is_now in zip(_PICTURE.findall(expected), _PICTURE.findall(actual), strict=True):
        if difference := picture_difference(base64.b64decode(was), base64.b64decode(is_now)):
            return difference
    return None


Payload = tuple[dict[str, Any], dict[str, np.ndarray]]


def payload_difference(expected: Payload, actual: Payload) -> str | None:
    """Return how the numbers of two explorers differ.

    Bytes are quantised measurements and may differ by 2; other whole numbers are places and must be equal.
    """
    (header, arrays), (header_now, arrays_now) = expected, actual
    if list(arrays) != list(arrays_now):
        return f"the explorer carried {', '.join(arrays)} and now carries {', '.join(arrays_now)}"
    if "step" in header and "step" in header_now:
        return _logits_difference(expected, actual)
    if difference := _value_difference(header, header_now):
        return f"the explorer's header: {difference}"
    for name, array in arrays.items():
        other = arrays_now[name]
        if array.shape != other.shape or array.dtype != other.dtype:
            return f"the explorer's {name} had shape {array.shape} and now has {other.shape}"
        tolerance = {"float32": 1e-4 + RELATIVE * np.abs(array), "uint8": 2}.get(array.dtype.name, 0)
        if (np.abs(array.astype(float) - other.astype(float)) > tolerance).any():
            return f"the explorer's {name} hold other numbers than before"
    return None


def _value_difference(expected: Any, actual: Any) -> str | None:
    """Compare two JSON values: decimals with the tolerance of texts, all else exactly."""
    if isinstance(expected, float) and isinstance(actual, float):
        same = abs(expected - actual) <= max(RELATIVE * abs(expected), ABSOLUTE)
        return None if same else f"{expected} became {actual}"
    if isinstance(expected, Mapping) and isinstance(actual, Mapping) and expected.keys() == actual.keys():
        pairs = [(expected[key], actual[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = list(zip(expected, actual, strict=True))
    elif isinstance(expected, str) and isinstance(actual, str):
        return text_difference(expected, actual)
    else:
        return None if expected == actual else f"{str(expected)[:80]} became {str(actual)[:80]}"
    return next((difference for was, is_now in pairs if (difference := _value_difference(was, is_now))), None)


def _logits_difference(expected: Payload, actual: Payload) -> str | None:
    """Compare two decoding explorers, whose logits lie sorted, as steps down: near ties may trade places."""
    (header, arrays), (header_now, arrays_now) = expected, actual
    plain, plain_now = ({**each, "names": [], "contexts": []} for each in (header, header_now))
    if difference := _value_difference(plain, plain_now):
        return f"the explorer's settings: {difference}"
    for number, (context, context_now) in enumerate(zip(header["contexts"], header_now["contexts"], strict=True)):
        if difference := _value_difference(context, context_now):
            return f"context {number} of the explorer: {difference}"
        depth, depth_now = (_depth(each[f"steps{number}"]) * header["step"] for each in (arrays, arrays_now))
        if depth.shape != depth_now.shape or (np.abs(depth - depth_now) > 0.02).any():
            return f"context {number} of the explorer holds other logits than before"
        logits = dict(zip((header["names"][i] for i in arrays[f"names{number}"]), depth, strict=False))
        logits_now = dict(zip((header_now["names"][i] for i in arrays_now[f"names{number}"]), depth_now, strict=False))
        lowest = min(list(logits.values())[-1:], default=0.0)
        for name, value in logits.items():
            if abs(logits_now.get(name, lowest) - value) > 0.02:
                return f"context {number} of the explorer: the logit of {name!r} is another one than before"
    return None


def _depth(planes: np.ndarray) -> np.ndarray:
    """Return how far each logit lies below the highest, in steps, from the three byte planes of its differences."""
    low, middle, high = planes.astype(np.int64)
    return np.cumsum(low + (middle << 8) + (high << 16))
