"""A real JupyterLab, driven by programs: a home and settings of its own, a free port of this machine."""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import matplotlib
from playwright.sync_api import Page

from utils import storage

# Every cell in the page at once, and nothing that asks the network or the reader a question.
LAB_SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}
CELLS = "window.jupyterapp.shell.currentWidget.content.model.cells"
FINISHED = f"""() => {{
    const cells = [...{CELLS}].filter((cell) => cell.type === "code" && cell.sharedModel.getSource().trim());
    const failed = cells.some((cell) => cell.outputs.toJSON().some((output) => output.output_type === "error"));
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel;
    return failed || (cells.every((cell) => cell.executionCount) && kernel?.status === "idle");
}}"""


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its token, the folder it serves."""

    address: str
    token: str
    folder: Path

    def open(self, page: Page, notebook: str) -> None:
        """Show ``notebook`` (a path in the folder) in an empty workspace and wait for its kernel."""
        page.goto(f"{self.address}/lab/tree/{quote(notebook)}?reset&token={self.token}")
        page.wait_for_function(
            f"""() => window.jupyterapp?.shell?.currentWidget?.content?.model && {CELLS}.length
                && window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === "idle" """,
            timeout=120_000,
        )

    def start_kernel(self, folder: str) -> str:
        """Start a kernel in ``folder`` that notebooks can share, and return its name."""
        return _ask(self, "/api/kernels", {"name": "python3", "path": folder})["id"]

    def connect(self, notebook: str, kernel: str) -> None:
        """Give ``notebook`` that kernel, instead of the one of its own that it would be given when it is opened."""
        _ask(self, "/api/sessions", {"path": notebook, "name": "", "type": "notebook", "kernel": {"id": kernel}})

    def theme(self, page: Page, *, dark: bool) -> None:
        """Switch to JupyterLab's own light or dark theme."""
        command(page, "apputils:change-theme", {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"})
        page.wait_for_selector(f'body[data-jp-theme-light="{str(not dark).lower()}"]', state="attached")

    def run_all(self, page: Page, *, timeout: float = 300) -> None:
        """Choose Run > Run All Cells and wait (at most ``timeout`` seconds) until all have run or one has failed."""
        page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
        page.wait_for_function(FINISHED, timeout=1000 * timeout)


def command(page: Page, name: str, arguments: dict | None = None) -> None:
    """Run one of JupyterLab's commands."""
    page.evaluate("([name, given]) => window.jupyterapp.commands.execute(name, given)", [name, arguments or {}])


def cells(page: Page) -> list[dict]:
    """Return the open notebook's cells as they are now, as nbformat has them."""
    return page.evaluate(f"() => [...{CELLS}].map((cell) => cell.toJSON())")


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """Serve ``folder`` with a JupyterLab that has a home, settings and a port of its own, and stop it afterwards.

    Kernels keep the caller's model cache, so that nothing is fetched again, and get a data folder of their own.
    """
    with tempfile.TemporaryDirectory(prefix="course-lab-", ignore_cleanup_errors=True) as home:
        for name, values in LAB_SETTINGS.items():
            path = Path(home, "settings", "@jupyterlab", f"{name}.jupyterlab-settings")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), "utf-8")
        token, port = secrets.token_hex(16), _free_port()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))},
            **{"HOME": home, "USERPROFILE": home, "IPYTHONDIR": f"{home}/ipython", "JUPYTER_TOKEN": token},
            **{f"JUPYTER_{kind}_DIR": f"{home}/{kind.lower()}" for kind in ("CONFIG", "DATA", "RUNTIME")},
            **{"JUPYTERLAB_SETTINGS_DIR": f"{home}/settings", "JUPYTERLAB_WORKSPACES_DIR": f"{home}/workspaces"},
            **{"COURSE_CACHE": str(storage.cache_folder()), "COURSE_DATA": f"{home}/course"},
            "MPLCONFIGDIR": matplotlib.get_cachedir(),  # else the first figure rebuilds the list of fonts, and says so
        }
        options = ("--no-browser", "--allow-root", "--expose-app-in-browser", "--LabApp.extension_manager=readonly")
        server = (f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}")
        with open(Path(home, "log"), "w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", *options, *server],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            served = Lab(f"http://127.0.0.1:{port}", token, folder)
            try:
                _wait_for(served, process, Path(home, "log"))
                yield served
            finally:
                _stop(served, process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _ask(served: Lab, path: str, given: dict | None = None) -> dict:
    """Ask the server for what is at ``path``, or tell it what is ``given``."""
    headers = {"Authorization": f"token {served.token}"}
    data = None if given is None else json.dumps(given).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(served.address + path, data, headers)
    with opener.open(request, timeout=60) as answer:
        return json.loads(answer.read() or "{}")


def _wait_for(served: Lab, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            _ask(served, "/api/status")
            return
        except (urllib.error.URLError, TimeoutError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}") from error
            time.sleep(0.1)


def _stop(served: Lab, process: subprocess.Popen) -> None:
    """Ask the server to end, which ends its kernels too; insist only if it does not."""
    try:
        _ask(served, "/api/shutdown", {})
        process.wait(timeout=30)
    except (urllib.error.URLError, TimeoutError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()
