"""Still pictures of tables and heat maps, drawn with Pillow: matplotlib lays out text a hundred times as slowly."""

from functools import cache
from io import BytesIO
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

Box = tuple[float, float, float, float]  # left, top, right, lower edge, in pixels
SOFT = "#5A5A5A"  # labels and headings beside what matters
HATCHING = "#B5B5B5"
ACCENT = "#D55E00"  # what the reader is to look at


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with matplotlib; a box stands for each glyph that it lacks."""
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return ImageFont.truetype(folder / f"DejaVuSans{'-Bold' * bold}.ttf", size)


def fitted(text: str, face: ImageFont.FreeTypeFont, width: float) -> str:
    """Return the beginning of ``text`` that is at most ``width`` pixels wide, with … for what was left out."""
    shown = text = text[:60]
    while text and face.getlength(shown) > width:
        text = text[:-1]
        shown = f"{text}…"
    return shown


def turned(text: str, face: ImageFont.FreeTypeFont, length: int, colour: str) -> Image.Image:
    """Return ``text`` running upwards on white, its start at the lower edge, ``length`` pixels high."""
    level = Image.new("RGB", (length, face.size + 5), "white")
    ImageDraw.Draw(level).text((2, level.height / 2), fitted(text, face, length - 3), colour, font=face, anchor="lm")
    return level.transpose(Image.Transpose.ROTATE_90)


def hatch(image: Image.Image, box: Box) -> None:
    """Fill ``box`` with the slanting lines that stand for what a mask forbids."""
    left, top, right, lower = map(round, box)
    pattern = Image.new("RGB", (right - left, lower - top), "white")
    pen = ImageDraw.Draw(pattern)
    for x in range(-pattern.height, pattern.width, 6):
        pen.line((x, pattern.height, x + pattern.height, 0), HATCHING)
    image.paste(pattern, (left, top))


def outline(pen: ImageDraw.ImageDraw, box: Box, *, dashed: bool) -> None:
    """Draw the edge of ``box`` in black on white, to be seen on any colour."""
    left, top, right, lower = box
    pen.rectangle(box, outline="white", width=3)
    for start, end in (((left, top), (right, top)), ((right, top), (right, lower)), ((right, lower), (left, lower))):
        _line(pen, start, end, dashed)
    _line(pen, (left, lower), (left, top), dashed)


def _line(pen: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], dashed: bool) -> None:
    parts = 6 if dashed else 1
    for part in range(0, parts, 2):
        pen.line([_between(start, end, part / parts), _between(start, end, (part + 1) / parts)], "black", 2)


def _between(start: tuple[float, float], end: tuple[float, float], share: float) -> tuple[float, float]:
    return (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))


def rgb(share: float) -> tuple[int, int, int]:
    """Return cividis at ``share`` (0 to 1) of its length: red, green and blue from 0 to 255."""
    red, green, blue = (round(255 * part) for part in matplotlib.colormaps["cividis"](float(share))[:3])
    return red, green, blue


def ink_on(share: float) -> str:
    """Return black or white: the easier to read on ``rgb(share)``."""
    return "white" if share < 0.45 else "black"


def stored(image: Image.Image) -> bytes:
    """Return ``image`` as a small PNG (64 colours, no metadata), the same bytes every time."""
    buffer = BytesIO()
    image.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(buffer, "PNG", compress_level=7)
    return buffer.getvalue()
