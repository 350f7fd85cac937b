"""The still picture of a beam tree: the widest search, fully grown, and in words what each width found."""

import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from utils import plots
from utils.beam import BeamGeneration, Node
from utils.explorers import drawing

_WIDE, _HIGH, _ACROSS, _DOWN, _CUT = 112, 40, 142, 46, 24  # pixels: a node, from node to node, the line of the cut
_STEPS = 7  # that the picture shows; the live view has all
_LINE, _LEAST = 22, 700  # pixels: a line of text, and the width that such lines need
_WON, _PALE = "#A84A00", "#BBBBBB"


def stored_picture(
    found: BeamGeneration,
    greedy: tuple[int, ...],
    prompt: str,
    name_of: Callable[[int], str],
    lines: Sequence[str],
) -> tuple[bytes, int]:
    """Draw the first tree of ``found`` under ``lines``, with the text that ``greedy`` search found outlined.

    Returns the PNG and its width in pixels.
    """
    places, height, cuts = _places([node for node in found.trees[0] if node.length <= _STEPS])
    steps = max(node.length for node in found.trees[0])
    top = _LINE * len(lines) + 12
    more = steps > _STEPS
    width = max(_LEAST, 10 + _ACROSS * min(steps, _STEPS) + _WIDE + 90 * more)
    image = Image.new("RGB", (width, top + height + _LINE), "white")
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((6, 4 + _LINE * number), _cut_to(line, width - 12), "black", font=drawing.font(14))
    won = {found.hypotheses[0][0].ids[:length] for length in range(len(found.hypotheses[0][0].ids) + 1)}
    corner = {ids: (6 + _ACROSS * len(ids), top + y) for ids, (_, y) in places.items()}
    corner[()] = (6, top + _DOWN / 2 - 4)
    for length, y in cuts.items():
        left = 6 + _ACROSS * length - (_ACROSS - _WIDE) // 2
        for x in range(left, left + _ACROSS, 10):
            pen.line((x, top + y, x + 5, top + y), drawing.SOFT, 2)
        pen.text((left + 20, top + y + 4), "pruned", drawing.SOFT, font=drawing.font(12))
    # The best text last, to lie on top.
    for ids, (node, _) in sorted(places.items(), key=lambda place: place[0] in won):
        (left, above), (x, y) = corner[ids[:-1]], corner[ids]
        colour = drawing.ACCENT if ids in won else _PALE if node.fate == "pruned" else drawing.SOFT
        thick = round(1 + 8 * math.exp(node.log_probability))
        pen.line((left + _WIDE, above + _HIGH / 2, x, y + _HIGH / 2), colour, thick)
    _box(pen, corner[()], prompt, "", "kept", best=False)
    for ids, (node, _) in places.items():
        numbers = f"{node.log_probability:.2f}  Σ {node.total:.2f}".replace("-", "−")
        _box(pen, corner[ids], name_of(node.token), numbers, node.fate, best=ids in won)
        if ids == greedy[: len(ids)] and greedy not in won:
            x, y = corner[ids]
            pen.rounded_rectangle((x - 3, y - 3, x + _WIDE + 3, y + _HIGH + 3), 8, outline=plots.THIRD, width=3)
    legend = (
        f"filled: the best text{'; blue outline: greedy search’s' if greedy not in won else ''}; black end: finished"
    )
    pen.text((6, image.height - 12), legend, drawing.SOFT, font=drawing.font(12), anchor="lm")
    if more:
        place = (width - 86, top + _DOWN / 2)
        pen.text(place, f"… {steps - _STEPS} more", drawing.SOFT, font=drawing.font(13))
    return drawing.stored(image), width


def _places(nodes: Sequence[Node]) -> tuple[dict[tuple[int, ...], tuple[Node, int]], int, dict[int, int]]:
    """Return each node with its upper edge, the height of the tree, and where in each step the pruned ones start."""
    columns: dict[int, tuple[list[Node], list[Node]]] = {}
    for node in sorted(nodes, key=lambda node: -node.total):
        columns.setdefault(node.length, ([], []))[node.fate == "pruned"].append(node)
    places, cuts = {}, {}
    for length, (upper, lower) in columns.items():
        places |= {node.ids: (node, _DOWN * row) for row, node in enumerate(upper)}
        places |= {node.ids: (node, _DOWN * row + _CUT) for row, node in enumerate(lower, start=len(upper))}
        if lower:
            cuts[length] = _DOWN * len(upper) - 2
    return places, max(y for _, y in places.values()) + _DOWN, cuts


def _box(
    pen: ImageDraw.ImageDraw, place: tuple[float, float], name: str, numbers: str, fate: str, *, best: bool
) -> None:
    x, y = place
    paper, ink = (_WON, "white") if best else ("white", drawing.SOFT if fate in ("pruned", "abandoned") else "black")
    edge = _WON if best else _PALE if fate == "pruned" else "black"
    pen.rounded_rectangle((x, y, x + _WIDE, y + _HIGH), 6, paper, edge, 1 if fate == "pruned" else 2)
    if fate == "finished":
        pen.rectangle((x + _WIDE - 7, y + 4, x + _WIDE, y + _HIGH - 4), edge if not best else "black")
    face = drawing.font(14, bold=fate != "pruned")
    middle = y + (12 if numbers else _HIGH / 2)
    pen.text((x + 7, middle), drawing.fitted(name, face, _WIDE - 16), ink, font=face, anchor="lm")
    pen.text((x + 7, y + 29), numbers, ink, font=drawing.font(12), anchor="lm")


def _cut_to(line: str, width: float) -> str:
    """Return the beginning of a line of any length that fits ``width`` pixels."""
    face, room = drawing.font(14), len(line)
    while room and face.getlength(line[:room] + "…" * (room < len(line))) > width:
        room -= 1
    return line[:room] + "…" * (room < len(line))
