"""Makes nbval compare a notebook's outputs as a reader would, pictures and explorers included.

nbval by itself compares text to the letter and skips pictures. Here its kernels are cut off from the network, and what
they give is kept for ``tests.lesson_runs``. Loaded by the root ``conftest.py``.
"""

import base64
import collections
import math
import os
import queue
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from nbformat import NotebookNode
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

from tests.support import lesson_runs
from tests.support.comparison import html_difference, picture_difference, text_difference
from tools import notebook_files
from tools.notebook_rules import compared_share
from tools.run_notebooks import KERNEL_ENVIRONMENT

PICTURES = ("image/png", "image/jpeg")
_nbval_setup, _nbval_teardown, _nbval_run = IPyNbFile.setup, IPyNbFile.teardown, IPyNbCell.runtest
_nbval_message = RunningKernel.get_message


def outputs_difference(expected: list[NotebookNode], actual: list[NotebookNode]) -> str | None:
    """Return the first difference between a cell's outputs in the notebook and those just computed, else ``None``."""
    expected, actual = ([each for each in outputs if not _is_widget(each)] for outputs in (expected, actual))
    kinds, kinds_now = ([_kind(each) for each in outputs] for outputs in (expected, actual))
    if kinds != kinds_now:
        return (
            "the cell's outputs are of other kinds than in the notebook\n"
            f"    in the notebook: {'; '.join(kinds) or 'nothing'}\n"
            f"    computed now:    {'; '.join(kinds_now) or 'nothing'}"
        )
    for was, is_now in zip(expected, actual, strict=True):
        if difference := _difference(was, is_now):
            return difference
    return None


def _is_widget(output: NotebookNode) -> bool:
    """Say whether an output is a live widget: it exists only beside its kernel and is never committed."""
    return notebook_files.WIDGET_VIEW in output.get("data", {})


def _kind(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return output.name
    if output.output_type == "error":
        return f"error {output.ename}"
    return ", ".join(sorted(output.data))


def _difference(expected: NotebookNode, actual: NotebookNode) -> str | None:
    if expected.output_type == "stream":
        return text_difference(_text(expected.text), _text(actual.text))
    for kind, value in expected.get("data", {}).items():
        was, is_now = _text(value), _text(actual.data[kind])
        if kind in PICTURES:
            difference = picture_difference(base64.b64decode(was), base64.b64decode(is_now))
        elif kind == "text/html":
            difference = html_difference(was, is_now)
        else:
            difference = text_difference(was, is_now)
        if difference:
            return difference
    return None


def _text(value: object) -> str:
    """Return a notebook's text, which may lie there as a list of lines or, for JSON data, as a dictionary."""
    return "".join(value) if isinstance(value, list) else str(value)


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _compare_outputs(
    cell: IPyNbCell, test: list[NotebookNode], ref: list[NotebookNode], skip_compare: object = None
) -> bool:
    """Stand in for nbval's method of that name: say whether the outputs are the same, and keep what differs."""
    difference = outputs_difference(ref, test)
    cell.comparison_traceback = [difference] if difference else []
    return difference is None


def _set_up(file: IPyNbFile) -> None:
    """Start the kernel as the committed outputs were made, cut off from the network, with a learner's own folder."""
    file.course_data, file.course_cut = tempfile.TemporaryDirectory(), tempfile.TemporaryDirectory()
    file.course_cells, file.course_start = [], time.perf_counter()
    cut = lesson_runs.cut_off(Path(file.course_cut.name))
    with _environment(KERNEL_ENVIRONMENT | cut | {"COURSE_DATA": file.course_data.name}):
        _nbval_setup(file)


def _run(cell: IPyNbCell) -> None:
    """Run a cell as nbval does, but as patient with its last output as with the cell; keep what it gave.

    Between a cell's end and its last output nbval waits 5 seconds, which are too few on a busy machine.
    """
    cell.output_timeout = cell.config.option.nbval_cell_timeout
    _nbval_run(cell)
    cell.parent.course_cells.append(NotebookNode(cell.cell, outputs=cell.test_outputs))


def _tear_down(file: IPyNbFile) -> None:
    _nbval_teardown(file)
    file.course_data.cleanup()
    file.course_cut.cleanup()
    if len(file.course_cells) == sum(cell.cell_type == "code" for cell in file.nb.cells):
        lesson_runs.record(Path(file.path), time.perf_counter() - file.course_start, file.course_cells)


def _execute(kernel: RunningKernel, cell_input: str, allow_stdin: bool | None = None) -> str:
    """Run a cell as a reader does, with history: without it a semicolon at a line's end would not hide the result."""
    return kernel.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


def _await_reply(kernel: RunningKernel, message_id: str, timeout: float | None = None) -> None:
    """Wait for a cell's end and read what the cell publishes meanwhile.

    nbval reads nothing until the cell has ended. A kernel keeps only so many messages for a reader who does not come,
    and then drops the rest without a word, the one that says "idle" among them: nbval waited for it in vain.
    """
    shell, published = kernel.kc.shell_channel, kernel.kc.iopub_channel
    poller = zmq.Poller()
    for channel in (shell, published):
        poller.register(channel.socket, zmq.POLLIN)
    end = math.inf if timeout is None else time.monotonic() + timeout
    while (left := end - time.monotonic()) > 0:
        ready = dict(poller.poll(1000 * min(left, 60)))
        if published.socket in ready:
            _unread(kernel).append(published.get_msg(timeout=0))
        if shell.socket in ready:
            reply = shell.get_msg(timeout=0)
            if reply["parent_header"].get("msg_id") == message_id:
                if reply["content"]["status"] == "aborted":
                    raise RuntimeError("the kernel did not run the cell")
                return
    raise queue.Empty


def _get_message(kernel: RunningKernel, stream: str, timeout: float | None = None) -> dict:
    """Return the next message, of those that were read while a cell ran first."""
    if stream == "iopub" and _unread(kernel):
        return _unread(kernel).popleft()
    return _nbval_message(kernel, stream, timeout)


def _unread(kernel: RunningKernel) -> collections.deque[dict]:
    """Return the messages of a kernel that have been read from its socket and not yet been looked at."""
    return kernel.__dict__.setdefault("course_unread", collections.deque())


def pytest_configure(config: pytest.Config) -> None:
    """Put the tolerant comparison and the notebooks' own environment in nbval's place."""
    IPyNbCell.compare_outputs = _compare_outputs
    IPyNbFile.setup, IPyNbFile.teardown = _set_up, _tear_down
    IPyNbCell.runtest = _run
    RunningKernel.execute_cell_input = _execute
    RunningKernel.await_reply, RunningKernel.get_message = _await_reply, _get_message


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much of each notebook's output is compared, whenever notebooks were tested."""
    reports = [report for each in terminalreporter.stats.values() for report in each if hasattr(report, "nodeid")]
    if not any(".ipynb" in report.nodeid or "test_notebooks" in report.nodeid for report in reports):
        return
    terminalreporter.section("notebooks: outputs that are compared, and the time of the run")
    for path in lesson_runs.LESSONS:
        compared, total = compared_share(notebook_files.read(path))
        words = f"{compared:3d} of {total:3d} cells with output ({compared / total:.0%})" if total else "not run yet"
        ran = lesson_runs.recorded(path)
        terminalreporter.line(f"{path.name:<44} {words}" + (f" {ran.seconds:6.0f} s" if ran else ""))
