"""How every explorer reaches the page: one self-contained ``<div>`` that shows a picture and then comes alive.

The ``<div>`` holds an ``<img>`` (what viewers without JavaScript and untrusted notebooks show), the numbers as one
compressed attribute, and an inline script that replaces the picture. Nothing is ever fetched. The script is the plain
text of the ``.js`` and ``.css`` files beside this module; tokens reach it inside the compressed payload only.
"""

import base64
import html
import itertools
import json
import re
import unicodedata
import warnings
import zlib
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

SCRIPT_LIMIT = 20_000  # bytes of script and style in one output
OUTPUT_LIMIT = 4_000_000  # bytes of one output; a larger one would make the notebook slow to open and to save

SOURCES = {  # of each kind, beside explorer.css and core.js
    "decoding": ("slider.css", "decoding.css", "sampling.js", "decoding.js"),
    "attention": ("attention.css", "canvas.js", "heat.js", "attention_maps.js", "attention_draw.js", "attention.js"),
    "alignment": ("slider.css", "alignment.css", "canvas.js", "heat.js", "alignment.js"),
    "steps": ("steps.css", "steps.js"),
    "compare": ("chart.css", "compare.css", "canvas.js", "heat.js", "chart.js", "compare_maps.js", "compare.js"),
    "curves": ("chart.css", "curves.css", "chart.js", "curves.js"),
    "beam": ("slider.css", "beam.css", "beam_tree.js", "beam_words.js", "beam.js"),
    "translation": ("slider.css", "translation.css", "canvas.js", "translation_draw.js", "translation.js"),
    "positions": (
        *("chart.css", "positions.css", "canvas.js", "chart.js"),
        *("positions_draw.js", "positions.js"),
    ),
}

_numbers = itertools.count(1)
_DTYPES = ("uint8", "uint16", "uint32", "float32")
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # to Unicode letters and a symbol, to the eye nothing
_JOINED = re.compile("(?<=[^\u200d])\u200d(?=[^\u200d])")  # where two characters are made one, as in many emoji
_NAMED = {" ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥", "\x7f": "␡"}


class Explorer:
    """One interactive view as a notebook output: ``text/html`` for people with a page, ``text/plain`` for the rest.

    ``payload`` comes from ``pack``; ``picture`` is a PNG; ``alt`` describes that picture; ``summary`` is what a console
    shows. Raises ``ValueError`` when the whole output would be larger than ``OUTPUT_LIMIT`` bytes.
    """

    def __init__(self, kind: str, *, payload: str, picture: bytes, width: int, alt: str, summary: str) -> None:
        # Numbered in the order of making, so that a notebook run from the top always gives the same output.
        self.identifier = f"course-explorer-{next(_numbers)}"
        self.summary = summary
        self.html = (
            f'<div class="course-explorer" id="{self.identifier}" data-kind="{html.escape(kind)}"'
            f' data-payload="{payload}">'
            f'<img src="data:image/png;base64,{base64.b64encode(picture).decode("ascii")}"'
            f' width="{width}" alt="{html.escape(alt)}" style="max-width: 100%">'
            f"<script>{script(kind)}</script></div>"
        )
        size = len(self.html.encode("utf-8"))
        if size > OUTPUT_LIMIT:
            raise ValueError(
                f"This explorer would take {size / 1e6:.1f} MB, more than the {OUTPUT_LIMIT / 1e6:.0f} MB a notebook "
                "carries well; give it fewer or smaller inputs."
            )

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return both forms of the output, as IPython asks for them."""
        return {"text/html": self.html, "text/plain": self.summary}


@cache
def script(kind: str) -> str:
    """Return the script of one kind of explorer in one scope: its style (as ``STYLE``), the shared core, its own files.

    Comments, indentation and spaces around signs stay behind: they are for readers of the files, and would be repeated
    in every output.
    """
    folder = Path(__file__).parent
    files = {name: (folder / name).read_text("utf-8") for name in ("explorer.css", "core.js", *SOURCES[kind])}
    style = " ".join(text for name, text in files.items() if name.endswith(".css"))
    style = re.sub(
        r";? (?=})|([{};:,]) | (?={)", r"\1", " ".join(re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL).split())
    )
    lines = [line.strip() for name, text in files.items() if name.endswith(".js") for line in text.splitlines()]
    code = "".join(_thinned(line) for line in lines if line and not line.startswith("//"))
    text = f'(() => {{\n"use strict";\nconst STYLE = {json.dumps(style, ensure_ascii=False)};\n{code}\n}})();'
    if "</" in text or "<!--" in text:
        raise ValueError(
            f"the files of {kind!r} must not contain '</' or '<!--': its text stands inside an HTML script element."
        )
    return text


def _thinned(line: str) -> str:
    """Return a line of JavaScript without what only readers need: a comment after it, spaces, breaks.

    Strings stay as they are, and so do lines in which it is hard to tell what is one.
    """
    line = re.sub(r""" // [^"'`]*$""", "", line)
    parts = re.split(r'("[^"]*"|`[^`]*`)', line)
    nested = any(part.startswith("`") and part.count("${") != part.count("}") for part in parts)
    if nested or "`" in "".join(parts[::2]) or re.search(r"['\\]|//|(?:^|[(,=:!]) ?/", line):
        return f"{line}\n"
    for place in range(0, len(parts), 2):
        signs = re.sub(r" ?([=<>?:,;(){}\[\]|&!*%]) ?", r"\1", parts[place])
        signs = re.sub(r"(?<![+\-]) ?([+\-/]) ?(?![+\-])", r"\1", signs)
        parts[place] = re.sub(r"(?<!\w)\((\w+)\)=>", r"\1=>", signs)
    return "".join(parts) + "\n" * (not parts[-1].endswith((";", ",", "{", "(", "[")))


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Return ``header`` (anything JSON can hold) and ``arrays`` as one base64 text; ``unpack`` and ``core.js`` read it.

    Layout before zlib: the length of the JSON as uint32, the JSON, then each array's bytes, all little-endian. The
    alphabet of base64 has no character that HTML or JavaScript could take for its own.
    """
    places, body = [], b""
    for name, array in arrays.items():
        if array.dtype.name not in _DTYPES:
            raise ValueError(f"array {name!r} has dtype {array.dtype}; an explorer carries {', '.join(_DTYPES)}.")
        places.append([name, array.dtype.name, list(array.shape)])
        body += array.astype(array.dtype.newbyteorder("<")).tobytes()
    text = json.dumps({**header, "arrays": places}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    start = text.encode("utf-8")
    data = len(start).to_bytes(4, "little") + start + body
    # Of megabytes of measurements these settings make as little as level 9 would, in a third of its time.
    level, strategy = (9, zlib.Z_DEFAULT_STRATEGY) if len(data) < 500_000 else (5, zlib.Z_FILTERED)
    packer = zlib.compressobj(level, strategy=strategy)
    return base64.b64encode(packer.compress(data) + packer.flush()).decode("ascii")


def unpack(payload: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays that ``pack`` was given."""
    data = zlib.decompress(base64.b64decode(payload))
    offset = 4 + int.from_bytes(data[:4], "little")
    header = json.loads(data[4:offset])
    arrays = {}
    for name, dtype, shape in header.pop("arrays"):
        kind = np.dtype(dtype).newbyteorder("<")
        arrays[name] = np.frombuffer(data, kind, count=int(np.prod(shape)), offset=offset).reshape(shape).astype(dtype)
        offset += arrays[name].nbytes
    return header, arrays


def payload_of(output: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and arrays that a ``text/html`` output carries; ``ValueError`` if it is no explorer's."""
    found = re.search(r'^<div class="course-explorer"[^>]* data-payload="([A-Za-z0-9+/=]+)"', output)
    if found is None:
        raise ValueError('this HTML holds no explorer; an explorer\'s output starts with <div class="course-explorer".')
    return unpack(found.group(1))


def check_size(what: str, size: float, layers: int, *, leeway: int = 1) -> None:
    """Raise ``ValueError``, saying how many of the ``layers`` fit, if ``what`` takes more bytes than an output may.

    An estimate made before the weights are compressed may be ``leeway`` times as large.
    """
    if size <= leeway * OUTPUT_LIMIT:
        return
    fitting = int(layers * OUTPUT_LIMIT / size)
    fewer = f"fewer layers at a time, for example layers=range({fitting})" if fitting else "one layer, layers=[0]"
    raise ValueError(
        f"this {what} would take about {size / 1e6:.1f} MB, more than the {OUTPUT_LIMIT / 1e6:.0f} MB a notebook "
        f"carries well; show {fewer}, or a shorter text."
    )


def visible(token: str, *, spaces: bool = True) -> str:
    """Return ``token`` with everything that cannot be seen made visible, so that it is safe to set in a line of text.

    Space and newline become ␣ and ↵ (with ``spaces=False`` a plain space stays, for running text); other controls,
    direction marks and unassigned characters are spelled out; a token of no characters is called (empty).
    """
    shown = "\u200d".join(
        "".join(_visible_character(character, spaces) for character in part) for part in _JOINED.split(token)
    )
    if shown and unicodedata.category(shown[0])[0] == "M":
        shown = "◌" + shown  # a mark with nothing to stand on would climb on its neighbour, or not be seen
    return shown or "(empty)"


def _visible_character(character: str, spaces: bool) -> str:
    if character == " " and not spaces:
        return character
    if character in _NAMED:
        return _NAMED[character]
    if ord(character) < 0x20:
        return chr(0x2400 + ord(character))
    if character in _BLANK or unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"):
        return f"⟨U+{ord(character):04X}⟩"
    return character


def shortened(text: str, limit: int) -> str:
    """Return the last ``limit`` characters of ``text``, with … in front when something was left out."""
    return text if len(text) <= limit else "…" + text[-limit:]


def png(figure: Figure) -> bytes:
    """Return ``figure`` as a small PNG (12 colours, no metadata), the same bytes every time on one machine."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        # Tokens may be in any script; a box for a glyph the font lacks is right here, a warning is noise.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=figure.dpi)
    picture = Image.open(buffer).convert("RGB").quantize(12, dither=Image.Dither.NONE)
    small = BytesIO()
    picture.save(small, format="PNG", optimize=True)
    return small.getvalue()
