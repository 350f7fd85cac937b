"""How every lesson is told: one title, slides and notes, claims after measured numbers, whole exercises, live links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from tools import notebook_files

SLIDES = (12, 25)
FEWEST_EXERCISES = 3
FEWEST_NOTES = 4
SLIDE_TYPES = {"slide", "subslide", "fragment", "skip", "notes", "-"}
NOTES_START = "<details><summary>Speaker notes"
# An ignored cell with one of these tags needs no claim: there is nothing in it to claim.
NEED_NO_CLAIM = {"setup", "picture", "play", "progress"}


@dataclass(frozen=True)
class Cell:
    """A cell and its place in the notebook, counted from 1."""

    number: int
    node: NotebookNode


def tags_of(cell: NotebookNode) -> list[str]:
    """Return the tags of a notebook's cell."""
    return notebook_files.tags_of(cell)


def is_ignored(cell: NotebookNode) -> bool:
    """Say whether nbval runs a cell without comparing its output."""
    return "nbval-ignore-output" in tags_of(cell)


def problems(cells: list[Cell], code: list[Cell]) -> Iterator[str]:
    """Yield a plain sentence for each rule of telling that the cells break."""
    markdown = [cell for cell in cells if cell.node.cell_type == "markdown"]
    yield from _claims(code)
    yield from _exercises(cells)
    yield from _slides(cells)
    yield from _headings(cells)
    yield from _boxes(markdown, code)
    yield from _links(markdown)


def _claims(code: list[Cell]) -> Iterator[str]:
    waiting: Cell | None = None
    for cell in code:
        tags = set(tags_of(cell.node))
        if "claim" in tags:
            waiting = None
            yield from _claim(cell)
        elif re.search(r"^\s*claim\(", cell.node.source, re.MULTILINE):
            yield f"cell {cell.number} makes a claim and is not tagged claim."
        if is_ignored(cell.node):
            if waiting:
                yield f"cell {waiting.number} is neither compared nor followed by a claim before the next such cell."
            waiting = None if tags & NEED_NO_CLAIM else cell
        if "picture" in tags and any(not _is_picture(output) for output in cell.node.outputs):
            yield f"cell {cell.number} is tagged picture but shows more than pictures."
    if waiting:
        yield f"cell {waiting.number} is neither compared nor followed by a claim."


def _claim(cell: Cell) -> Iterator[str]:
    said = "".join(output.text for output in cell.node.outputs if output.output_type == "stream")
    if "claim(" not in cell.node.source:
        yield f"cell {cell.number} is tagged claim but claims nothing."
    elif not said or any(not line.startswith("✓ ") for line in said.splitlines()):
        yield f"cell {cell.number}: every line of a claim's output starts with ✓."
    if is_ignored(cell.node):
        yield f"cell {cell.number} is a claim, and a claim's output is always compared."


def _is_picture(output: NotebookNode) -> bool:
    data = output.get("data", {})
    return "image/png" in data or data.get("text/html", "").startswith('<div class="course-explorer"')


def _exercises(cells: list[Cell]) -> Iterator[str]:
    places = [place for place, cell in enumerate(cells) if "exercise" in tags_of(cell.node)]
    if len(places) < FEWEST_EXERCISES:
        yield f"there are {len(places)} exercises; a lesson has at least {FEWEST_EXERCISES}."
    solutions = sum("solution" in tags_of(cell.node) for cell in cells)
    if solutions > len(places):
        yield f"there are {len(places)} exercises but {solutions} solutions."
    for place, until in zip(places, [*places[1:], len(cells)], strict=True):
        stub = cells[place]
        task = cells[place - 1].node.source if place else ""
        if not (re.search(r"\bdifficulty\b", task, re.IGNORECASE) and re.search(r"\d+ minutes?\b", task)):
            yield f"the exercise in cell {stub.number} must follow a text that gives its difficulty and minutes."
        rest = [cell.node for cell in cells[place + 1 : until]]
        checked = "check." in stub.node.source or (rest and "check" in tags_of(rest[0]) and "check." in rest[0].source)
        if not checked:
            yield f"the exercise in cell {stub.number} is not checked: end it with check.<its name>(...)."
        solution = next((position for position, cell in enumerate(rest) if "solution" in tags_of(cell)), None)
        if solution is None:
            yield f"the exercise in cell {stub.number} has no solution."
        hints = "\n".join(cell.source for cell in rest[:solution] if cell.cell_type == "markdown")
        if hints.count("<details>") != 3 or hints.count("</details>") != 3:
            yield f"the exercise in cell {stub.number} needs three hints, each in <details>, before its solution."


def _slides(cells: list[Cell]) -> Iterator[str]:
    kinds = [cell.node.metadata.get("slideshow", {}).get("slide_type") for cell in cells]
    for cell, kind in zip(cells, kinds, strict=True):
        if kind not in SLIDE_TYPES:
            yield f"cell {cell.number} needs a slide type: slide, subslide, fragment, skip, notes or -."
        is_note = cell.node.cell_type == "markdown" and cell.node.source.startswith(NOTES_START)
        if is_note != (kind == "notes"):
            yield f"cell {cell.number}: speaker notes are of slide type notes and start with {NOTES_START}."
    slides = sum(kind in ("slide", "subslide") for kind in kinds)
    if not SLIDES[0] <= slides <= SLIDES[1]:
        yield f"there are {slides} slides; {SLIDES[0]} to {SLIDES[1]} are right."
    if kinds.count("notes") < FEWEST_NOTES:
        yield f"there are speaker notes in {kinds.count('notes')} places; a lecturer needs at least {FEWEST_NOTES}."


def _headings(cells: list[Cell]) -> Iterator[str]:
    titles = [
        cell.number
        for cell in cells
        if cell.node.cell_type == "markdown"
        for line in prose(cell.node.source).splitlines()
        if line.startswith("# ") or "<h1" in line
    ]
    if titles != [1]:
        yield f"there must be one title (# …), in the first cell; there are {len(titles)}."


def _boxes(markdown: list[Cell], code: list[Cell]) -> Iterator[str]:
    if not any(re.search(r"(?:^#+ *|\*\*)Slide notes", cell.node.source, re.MULTILINE) for cell in markdown):
        yield "there is no Slide notes box: say what was changed in the slide's code and why."
    if not any("quiz" in tags_of(cell.node) for cell in code):
        yield "there is no quiz."


def _links(markdown: list[Cell]) -> Iterator[str]:
    for cell in markdown:
        text = prose(cell.node.source)
        for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", text):
            if not alt.strip():
                yield f"cell {cell.number} has an image without alt text: {target[:60]}."
            if target.startswith("http"):
                yield f"cell {cell.number} fetches an image from elsewhere: {target[:60]}."
        if re.search(r"<img(?![^>]*\balt=[\"'][^\"'])[^>]*>", text):
            yield f"cell {cell.number} has an image without alt text."
        for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)|href=[\"']([^\"']+)", text):
            yield from _link(cell.number, "".join(target))


def _link(number: int, target: str) -> Iterator[str]:
    if re.match(r"https?://|mailto:|#", target):
        return
    file = target.partition("#")[0]
    if Path(file).is_absolute() or not (notebook_files.FOLDER / file).exists():
        yield f"cell {number} links to {target}, which does not exist."


def prose(source: str) -> str:
    """Return Markdown without its code, fenced or between backticks."""
    return re.sub(r"`[^`\n]+`", "", re.sub(r"^(```|~~~).*?^\1", "", source, flags=re.DOTALL | re.MULTILINE))
