"""A real Chromium for the tests, confined to this machine.

Also a camera: ``python -m tools.browser NOTEBOOK FOLDER [--dark] [--width 1400] [--no-run]`` opens a copy of a
notebook in JupyterLab, runs all its cells and saves a picture of every screenful.
"""

import argparse
import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Route, sync_playwright

from tools.course_copy import copy_of_the_course
from tools.lab import command, lab

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)
_running: list[Playwright] = []


def executable() -> str | None:
    """Return the path of a Chromium or Chrome on this machine, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium with an empty profile of its own.

    A thread can have only one Playwright, so what is started while another browser runs belongs to the same one.
    """
    with nullcontext(_running[-1]) if _running else sync_playwright() as playwright:
        _running.append(playwright)
        try:
            with playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS)) as started:
                yield started
        finally:
            _running.pop()


@dataclass
class Visit:
    """One page, what it asked of other machines (always refused), and what went wrong in it."""

    page: Page
    refused: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        """Keep a console message if it is an error."""
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def refuse(self, route: Route) -> None:
        """Stop a request, and count it."""
        self.refused.append(route.request.url)
        route.abort()


@contextmanager
def visit(
    started: Browser, *, width: int = 1400, height: int = 900, scripts: bool = True, **options
) -> Iterator[Visit]:
    """Open an empty page; ``options`` (say ``color_scheme="dark"``) are those of a Playwright context."""
    options |= {"viewport": {"width": width, "height": height}, "java_script_enabled": scripts}
    with started.new_context(service_workers="block", **options) as context:
        opened = Visit(context.new_page())
        context.route(lambda url: urlsplit(url).scheme in ("http", "https") and not is_local(url), opened.refuse)
        opened.page.on("console", opened.hear)
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        yield opened


def is_local(url: str) -> bool:
    """Return whether a request stays on this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost")


def photograph(page: Page, folder: Path, name: str) -> list[Path]:
    """Save one picture for every screenful of the open notebook."""
    folder.mkdir(parents=True, exist_ok=True)
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer").first
    height, step = panel.evaluate("(panel) => [panel.scrollHeight, 0.9 * panel.clientHeight]")
    pictures = []
    for number in range(math.ceil(height / step)):
        panel.evaluate("(panel, top) => { panel.scrollTop = top; }", number * step)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        pictures.append(folder / f"{name}-{number + 1:02d}.png")
        page.screenshot(path=pictures[-1])
    return pictures


def main() -> None:
    """Photograph one notebook, as the module's first lines say."""
    parser = argparse.ArgumentParser(description="Photograph a notebook in JupyterLab, a screenful at a time.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dark", action="store_true", help="use the dark theme")
    parser.add_argument("--width", type=int, default=1400, help="of the window, in pixels")
    parser.add_argument("--no-run", action="store_true", help="show the outputs in the file, untrusted as they are")
    given = parser.parse_args()
    if executable() is None:
        parser.exit(1, f"No browser: install one of {', '.join(NAMES)}.\n")
    with tempfile.TemporaryDirectory() as temporary, browser() as started:
        copy_of_the_course(Path(temporary), given.notebook, keep_outputs=given.no_run)
        with lab(Path(temporary)) as served, visit(started, width=given.width) as opened:
            served.open(opened.page, f"notebooks/{given.notebook.name}")
            served.theme(opened.page, dark=given.dark)
            command(opened.page, "application:toggle-left-area")
            if not given.no_run:
                served.run_all(opened.page, timeout=600)
            name = f"{given.notebook.stem}-{'dark' if given.dark else 'light'}"
            pictures = photograph(opened.page, given.folder, name)
            print(f"{len(pictures)} pictures in {given.folder}")
            for problem in (*opened.errors, *(f"refused: {url}" for url in opened.refused)):
                print(problem)


if __name__ == "__main__":
    main()
