"""What a committed notebook must be as a document: run, clean, light, and built like every other lesson.

``problems`` returns one plain sentence for each rule broken; how the lesson is told is in ``lesson_rules``.
"""

import json
import math
import platform
import re
import statistics
from collections.abc import Iterator
from html.parser import HTMLParser

from nbformat import NotebookNode

from tools import home_definitions, lesson_rules
from tools.lesson_rules import Cell, is_ignored, tags_of
from tools.lesson_template import LAUNCH_TAG, SETUP_TAGS, launch_links, lesson_of, setup_cell

LARGEST = 1_500_000  # bytes of a notebook file
SMALLEST_SHARE = 0.7  # of the code cells with output, how many nbval compares at least
CODE_CELLS, ALL_LINES = (25, 45), 400
LINES_OF_A_CELL = {"the median": 8, "nine cells of ten": 22, "the longest": 40}
TAGS = {
    *("setup", "launch", "exercise", "check", "solution", "claim", "quiz", "picture", "play", "progress", "timed"),
    "nbval-ignore-output",
}

_FORBIDDEN_OUTPUT = {
    "an absolute path": r"(?<![\w.:/])/(?:home|root|Users|tmp|var|opt|usr|mnt|content|private|srv)/\w|\b[A-Z]:\\\w",
    "the address of a machine": r"\blocalhost:\d|\b127\.0\.0\.1\b|\bip-\d+-\d+-\d+|\b[\w-]+\.local\b",
    "an address in memory": r"\bat 0x[0-9a-fA-F]{6,}",
    "the remains of a progress bar": r"\d%\|| ?\bit/s\b|\bs/it\b|\r|Loading weights",
    "the output of pip": r"^(?:Collecting |Requirement already satisfied|Successfully installed |\[notice\])",
    "terminal colours": r"\x1b\[",
}


def problems(notebook: NotebookNode, name: str) -> list[str]:
    """Return a plain sentence for everything wrong with ``notebook``, whose file is called ``name``."""
    cells = [Cell(number, cell) for number, cell in enumerate(notebook.cells, 1)]
    code = [cell for cell in cells if cell.node.cell_type == "code"]
    rules = (
        _metadata(notebook, name),
        _execution(code),
        _outputs(code),
        _figures(code),
        _setup(cells, name),
        _tags(cells),
        _size(notebook, code),
        _share(notebook),
        home_definitions.problems(notebook),
        lesson_rules.problems(cells, code),
    )
    return [f"{name}: {sentence}" for rule in rules for sentence in rule]


def compared_share(notebook: NotebookNode) -> tuple[int, int]:
    """Return how many code cells with output nbval compares, and how many code cells with output there are."""
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    return sum(not is_ignored(cell) for cell in shown), len(shown)


def _metadata(notebook: NotebookNode, name: str) -> Iterator[str]:
    wanted = {
        "course": {"lesson": lesson_of(name).number},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    if (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        yield f"the format is {notebook.nbformat}.{notebook.nbformat_minor}; it must be 4.5."
    if notebook.metadata != wanted:
        yield f"the notebook's metadata must be {wanted} and nothing else."
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) != len(ids):
        yield "every cell needs an id of its own."
    for number, cell in enumerate(notebook.cells, 1):
        extra = set(cell.metadata) - {"tags", "slideshow", "jupyter"}
        if extra:
            yield f"cell {number} carries metadata of a machine or a program: {', '.join(sorted(extra))}."


def _execution(code: list[Cell]) -> Iterator[str]:
    for cell in code:
        if not cell.node.source.strip():
            yield f"cell {cell.number} is empty."
    counts = [cell.node.execution_count for cell in code]
    for position, (cell, count) in enumerate(zip(code, counts, strict=True), 1):
        if count is None:
            yield f"cell {cell.number} was never run."
        elif count != position:
            yield f"cell {cell.number} was run as number {count}, but it is code cell {position}: run all from the top."


def _outputs(code: list[Cell]) -> Iterator[str]:
    host = platform.node()
    hosts = rf"\b{re.escape(host)}\b" if len(host) >= 8 and re.search(r"[\d-]", host) else r"(?!)"
    for cell in code:
        for output in cell.node.outputs:
            if output.output_type == "error":
                yield f"cell {cell.number} ended in an error: {output.ename}."
            if output.output_type == "stream" and output.name == "stderr":
                yield f"cell {cell.number} wrote to stderr: {output.text.strip()[:80]}"
            if any("widget" in kind for kind in output.get("data", {})):
                yield f"cell {cell.number} holds a live widget, which shows nothing without its kernel."
            text = _words_of(output)
            for what, pattern in {**_FORBIDDEN_OUTPUT, "the name of this machine": hosts}.items():
                if found := re.search(pattern, text, re.MULTILINE):
                    yield f"cell {cell.number} shows {what}: {found.group()!r}."


def _words_of(output: NotebookNode) -> str:
    """Return what an output says, without pictures and without the scripts of explorers."""
    if output.output_type == "stream":
        return output.text
    texts = [str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    bare = re.sub(
        r"<script>.*?</script>|base64,[A-Za-z0-9+/=]+|data-payload=\"[^\"]*\"", "", "\n".join(texts), flags=re.S
    )
    return re.sub(r"</\w+>", "", bare)


def _figures(code: list[Cell]) -> Iterator[str]:
    for cell in code:
        for output in cell.node.outputs:
            data = output.get("data", {})
            if "image/png" in data or "image/jpeg" in data:
                described = output.metadata.get("image/png", {}).get("alt", "")
                if not described.strip():
                    yield f'cell {cell.number} shows a figure without alt text: use plots.show(figure, alt="…").'
                elif data.get("text/plain") != described:
                    yield f"cell {cell.number} shows a figure whose text/plain is not its alt text."
            for image in images_in(data.get("text/html", "")):
                if not image.get("alt"):
                    yield f"cell {cell.number} shows HTML with an image that has no alt text."


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append(dict(attrs))


def images_in(html: str) -> list[dict[str, str | None]]:
    """Return the attributes of each ``<img>`` in a piece of HTML."""
    parser = _Images()
    parser.feed(html)
    return parser.found


def _setup(cells: list[Cell], name: str) -> Iterator[str]:
    setups = [cell for cell in cells if "setup" in tags_of(cell.node)]
    if len(setups) != 1:
        yield f"there must be one setup cell, and there are {len(setups)}."
    for cell in setups:
        if cell.node.source != setup_cell() or set(tags_of(cell.node)) != set(SETUP_TAGS):
            yield f"cell {cell.number}, the setup cell, is not the course's: run python -m tools.stamp."
    launches = [cell for cell in cells if LAUNCH_TAG in tags_of(cell.node)]
    if [cell.node.source for cell in launches] != [launch_links(lesson_of(name))]:
        yield "the launch links are not the course's: keep one cell tagged launch and run python -m tools.stamp."


def _tags(cells: list[Cell]) -> Iterator[str]:
    for cell in cells:
        for tag in sorted(set(tags_of(cell.node)) - TAGS):
            yield f"cell {cell.number} has the tag {tag!r}, which this course does not use."
        folded = bool(cell.node.metadata.get("jupyter", {}).get("source_hidden"))
        if folded != ("solution" in tags_of(cell.node)):
            yield f"cell {cell.number}: a solution is folded (source_hidden), and nothing else is."
        if re.search(r"#\s*(?:NBVAL_|PYTEST_VALIDATE)", cell.node.source):
            yield f"cell {cell.number} speaks to nbval in a comment: use a tag."


def _size(notebook: NotebookNode, code: list[Cell]) -> Iterator[str]:
    size = len(json.dumps(notebook, indent=1, ensure_ascii=False).encode())
    if size > LARGEST:
        yield f"the file has {size:,} bytes; at most {LARGEST:,} are allowed."
    if not CODE_CELLS[0] <= len(code) <= CODE_CELLS[1]:
        yield f"there are {len(code)} code cells; {CODE_CELLS[0]} to {CODE_CELLS[1]} are right."
    lines = sorted(sum(bool(line.strip()) for line in cell.node.source.splitlines()) for cell in code)
    if not lines:
        return
    measured = (statistics.median(lines), lines[math.ceil(0.9 * len(lines)) - 1], lines[-1])
    for (what, most), value in zip(LINES_OF_A_CELL.items(), measured, strict=True):
        if value > most:
            yield f"the code cells are too long: {what} may have {most} lines and has {value:g}."
    if sum(lines) > ALL_LINES:
        yield f"there are {sum(lines)} lines of code; at most {ALL_LINES} are allowed."


def _share(notebook: NotebookNode) -> Iterator[str]:
    compared, total = compared_share(notebook)
    if compared < SMALLEST_SHARE * total:
        yield f"only {compared} of {total} cells with output are compared; at least {SMALLEST_SHARE:.0%} must be."
