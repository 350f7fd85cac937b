"""What a view of attention costs: ``python -m benchmarks.explorers --bertviz FOLDER`` prints a table.

The attention of all-MiniLM-L6-v2 on English prose, as ``AttentionExplorer`` and as BertViz's head view and model view
show it: the bytes of the output, the seconds Python takes to make it, the seconds from navigation until a real browser
has painted the view and until it has painted its answer to a first action, and the elements on the page. In the end our
own numbers are held against the course's limits; a limit that is missed is named, and the exit status is 1.

BertViz is no part of the course. It is installed into FOLDER the first time (by pip and npm, verified) and used from
there; without ``--bertviz`` only the course's own view is measured. BertViz asks three scripts of a server elsewhere;
here they come from FOLDER, without a network.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import torch
from playwright.sync_api import Browser, Error, Page, Route, TimeoutError
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from benchmarks.attention_views import OURS, SCRIPTS, Attentions, View, bertviz, install
from tools.browser import browser, executable
from utils import pretrained
from utils.data import load_prose

SIZES = (16, 64, 128, 256)
ELEMENTS = """() => [document, ...Array.from(document.querySelectorAll("[data-kind] > div"), (div) => div.shadowRoot)]
    .reduce((sum, root) => sum + root.querySelectorAll("*").length, 0)"""


@dataclass(frozen=True)
class Cost:
    """What one view of one text costs; seconds are None where the limit of time was passed or the page crashed."""

    size: int
    build: float
    paint: float | None = None
    answer: float | None = None
    elements: int | None = None


@dataclass(frozen=True)
class Limits:
    """What the course's own view of a text of so many tokens may cost at most."""

    size: int
    build: float
    paint: float
    elements: int = 2_000


LIMITS = {
    16: Limits(60_000, 0.010, 0.5),
    64: Limits(420_000, 0.5, 0.5),
    128: Limits(1_200_000, 0.5, 0.5),
    256: Limits(3_700_000, 0.5, 1.0),
}


def attention_of_prose(sizes: Sequence[int]) -> dict[int, tuple[Attentions, list[str]]]:
    """Return all-MiniLM-L6-v2's attention (layers of (1, heads, tokens, tokens)) and tokens for texts of each size."""
    folder = pretrained.path(pretrained.ENCODER)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    text = " ".join(load_prose()[:60])
    found = {}
    for size in sizes:
        inputs = tokenizer(text, truncation=True, max_length=size, return_tensors="pt")
        with torch.no_grad():
            attentions = model(**inputs, output_attentions=True).attentions
        found[size] = (attentions, tokenizer.convert_ids_to_tokens(inputs["input_ids"][0]))
    return found


def cost(
    view: View, attentions: Attentions, tokens: list[str], *, scripts: Path | None, rounds: int, limit: float
) -> Cost:
    """Build the view and open it in a fresh browser, ``rounds`` times or for about ``limit`` ÷ 4 seconds; medians."""
    builds, html = [], ""
    while len(builds) < rounds and sum(builds) < limit / 4:
        start = time.perf_counter()
        html = view.html(attentions, tokens)
        builds.append(time.perf_counter() - start)
    visits: list[tuple[float | None, float | None, int | None]] = []
    with tempfile.TemporaryDirectory() as temporary, browser() as started:
        path = Path(temporary, "view.html")
        path.write_text(f'<!doctype html><meta charset="utf-8"><body>{html}', "utf-8")
        open_once(started, "about:blank", "() => true", "() => true", None, limit)  # the browser's own start
        begun = time.perf_counter()
        while len(visits) < rounds and time.perf_counter() - begun < limit / 4:
            visits.append(open_once(started, path.as_uri(), view.there, view.answers, scripts, limit))
    paint, answer, elements = (
        None if any(number is None for number in each) else statistics.median(each)
        for each in zip(*visits, strict=True)
    )
    return Cost(len(html.encode("utf-8")), statistics.median(builds), paint, answer, elements)


def open_once(
    started: Browser, url: str, there: str, answers: str, scripts: Path | None, limit: float
) -> tuple[float | None, float | None, int | None]:
    """Return the seconds until the view is painted, until its answer is, and the elements; None once it takes too long.

    Painted is what a picture of the window shows: it is taken as soon as the view is there, and waits for the drawing.
    """
    context = started.new_context(viewport={"width": 1_000, "height": 800})

    def serve(route: Route) -> None:
        name = Path(urlsplit(route.request.url).path).name
        route.fulfill(path=scripts / name) if scripts and name in SCRIPTS else route.abort()

    context.route(lambda address: urlsplit(address).scheme in ("http", "https"), serve)
    page, found = context.new_page(), []
    start = time.perf_counter()
    with suppress(TimeoutError, Error):
        page.goto(url, wait_until="commit")
        for happened in (there, answers):
            page.wait_for_function(happened, timeout=left(start, limit))
            photograph(page, left(start, limit))
            found.append(time.perf_counter() - start)
        found.append(page.evaluate(ELEMENTS))
    context.close()
    return tuple([*found, None, None, None][:3])


def left(start: float, limit: float) -> float:
    """Return the milliseconds that are left of ``limit`` seconds, at least one: 0 would mean for ever."""
    return max(1.0, 1_000 * (limit - (time.perf_counter() - start)))


def photograph(page: Page, timeout: float) -> None:
    """Wait for everything that is in the window to be painted."""
    page.screenshot(clip={"x": 0, "y": 0, "width": 8, "height": 8}, caret="initial", timeout=timeout)


def missed(tokens: int, found: Cost) -> list[str]:
    """Say which of the course's limits the view of a text of so many tokens passes."""
    limits = LIMITS[min(size for size in LIMITS if size >= tokens)]
    units = {"size": "bytes", "build": "s of Python", "paint": "s to the first paint", "elements": "elements"}
    said = []
    for name, unit in units.items():
        measured, limit = getattr(found, name), getattr(limits, name)
        if measured is None or measured > limit:
            shown = "no end of" if measured is None else f"{measured:,.4g}" if limit < 10 else f"{measured:,}"
            said.append(f"{tokens} tokens: {shown} {unit}, the limit is {limit:,}")
    return said


def row(tokens: int, view: View, found: Cost, ours: Cost, limit: float) -> str:
    """Return the table's line for one view, each number with its ratio to ours."""
    cells = [f"{found.size / 1e6:,.{2 if found.size < 1e7 else 0}f}"]
    for name, digits in (("build", 3), ("paint", 2), ("answer", 2), ("elements", 0)):
        number = getattr(found, name)
        cells.append(("–" if name == "elements" else f"over {limit:g}") if number is None else f"{number:,.{digits}f}")
    if found is not ours:
        for place, name in enumerate(("size", "build", "paint", "answer", "elements")):
            theirs, own = getattr(found, name), getattr(ours, name)
            cells[place] += f" ({theirs / own:,.{1 if theirs < 10 * own else 0}f} ×)" if theirs and own else ""
    return f"| {tokens} | {view.name} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table; exit with status 1 where our own view passes a limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bertviz", type=Path, metavar="FOLDER", help="where BertViz is, or is to be installed")
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=SIZES, metavar="TOKENS")
    parser.add_argument("--rounds", type=int, default=5, help="at most; costly views get fewer")
    parser.add_argument("--limit", type=float, default=120, help="seconds for one visit of a page")
    arguments = parser.parse_args()
    if executable() is None:
        parser.exit(1, "This needs Chromium or Chrome.\n")
    logging.disable_progress_bar()
    views = [OURS]
    if arguments.bertviz is None:
        print("Without --bertviz FOLDER only the course's own view is measured.\n")
    else:
        install(arguments.bertviz)
        views += bertviz(arguments.bertviz)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; medians of {arguments.rounds} at most\n")
    print("| tokens | view | megabytes | Python, s | first paint, s | first answer, s | elements |")
    print("|---" * 7 + "|")
    failures = []
    for tokens, (attentions, texts) in attention_of_prose(arguments.sizes).items():
        ours = None
        for view in views:
            found = cost(
                *(view, attentions, texts), scripts=arguments.bertviz, rounds=arguments.rounds, limit=arguments.limit
            )
            ours = ours or found
            print(row(tokens, view, found, ours, arguments.limit), flush=True)
        failures += missed(tokens, ours)
    if failures:
        parser.exit(1, "\nLimits missed:\n" + "".join(f"- {each}\n" for each in failures))
    print("\nThe course's view keeps all its limits.")


if __name__ == "__main__":
    main()
