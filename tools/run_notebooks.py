"""Runs notebooks in place, each in a fresh kernel: ``python -m tools.run_notebooks [files] [--timeout seconds]``."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, CellTimeoutError, DeadKernelError

from tools import notebook_files
from utils.errors import CourseError

# What the committed outputs are made with: the sizes every machine can afford, computed where every machine can.
KERNEL_ENVIRONMENT = {"COURSE_DEVICE": "cpu", "COURSE_PROFILE": "standard", "TQDM_DISABLE": "1"}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class ThisPython(AsyncKernelManager):
    """Starts no kernel but this Python's own, whatever else the user has registered under the same name."""

    def __init__(self, **settings):
        super().__init__(**settings, kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))


def run(path: Path, timeout: int = 600, environment: dict[str, str] | None = None) -> float:
    """Execute the notebook at ``path`` from its own folder, write it back in order, and return the seconds it took.

    The kernel computes as ``KERNEL_ENVIRONMENT`` and then ``environment`` say, shows no progress bars and keeps a
    learner's progress in a folder that is thrown away. Raises ``CourseError`` with the cell and its error, and leaves
    the file as it was, if a cell fails or takes longer than ``timeout`` seconds.
    """
    notebook = notebook_files.read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    started = []  # the positions of the cells that were started
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as data:
        client = NotebookClient(
            notebook,
            kernel_manager_class=ThisPython,
            kernel_name="python3",
            timeout=timeout,
            record_timing=False,
            on_cell_execute=lambda cell, cell_index: started.append(cell_index),
            resources={"metadata": {"path": str(path.resolve().parent)}},
        )
        variables = os.environ | KERNEL_ENVIRONMENT | (environment or {}) | {"COURSE_DATA": data}
        try:
            client.execute(env=variables, stderr=subprocess.DEVNULL)  # the kernel's own log, not the cells' stderr
        except (CellControlSignal, CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            where = f"in cell {started[-1] + 1}" if started else "before its first cell"
            what = _COLOURS.sub("", str(error)).strip()
            raise CourseError(f"{path.name} stopped {where}; the file is as it was.\n{what}") from error
    seconds = time.perf_counter() - start
    notebook_files.write(notebook, path)
    return seconds


def main(arguments: list[str] | None = None) -> int:
    """Run the notebooks named on the command line, all of the course's if none is, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.run_notebooks", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="notebooks to run (default: all in notebooks/)")
    parser.add_argument("--timeout", type=int, default=600, help="seconds one cell may take (default: 600)")
    options = parser.parse_args(arguments)
    for path in options.files or sorted(notebook_files.FOLDER.glob("*.ipynb")):
        try:
            seconds = run(path, options.timeout)
        except (CourseError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{path.name:<44} {seconds:6.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
