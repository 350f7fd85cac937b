"""How the tests are shared out among processes: what belongs together stays together, and the longest starts first.

Loaded by the root ``conftest.py``; it does something only under ``pytest -n``, which the pytest-xdist plugin gives.
"""

import os
import re
from collections.abc import Callable

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import parse_tx_spec_config

from utils.course import ROOT

# Modules whose items take minutes each and share nothing that belongs to a module: any process may take any of them.
ITEM_BY_ITEM = ("tests/notebooks/test_browser_lessons.py", "tests/views/test_token_lists.py")
UNKNOWN = 60  # seconds a lesson is taken to need before the README tells
MOST_PROCESSES = 4


class ByScope(LoadScopeScheduling):
    """Give a whole notebook, module or class to one process."""

    def _split_scope(self, nodeid: str) -> str:
        """Return what an item belongs to."""
        return nodeid if nodeid.startswith(ITEM_BY_ITEM) else super()._split_scope(nodeid)


def seconds_of_lessons(readme: str) -> dict[str, int]:
    """Return by file name the seconds that the README's table of notebooks gives, ``UNKNOWN`` where it gives none."""
    rows = re.findall(r"^\|[^|]*\| \[[^\]]*\]\(notebooks/([\w.]+)\) \|.*?\|([^|]*)\|$", readme, re.MULTILINE)
    numbers = {file: re.match(r" (\d+) s ", last) for file, last in rows}
    return {file: int(found.group(1)) if found else UNKNOWN for file, found in numbers.items()}


def by_length(readme: str) -> Callable[[pytest.Item], tuple[int, float, str]]:
    """Return a sort key: lessons, the longest first; what drives a browser; what loads a model or trains; the rest."""
    seconds = seconds_of_lessons(readme)

    def key(item: pytest.Item) -> tuple[int, float, str]:
        if item.path.suffix == ".ipynb":
            return 0, -seconds.get(item.path.name, UNKNOWN), item.path.name
        marks = [item.get_closest_marker(name) is not None for name in ("nightly", "browser", "slow")]
        return (marks.index(True) + 1 if any(marks) else len(marks) + 1), 0, ""

    return key


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Let ``-n auto`` mean a process a core, four at most: each may hold two gigabytes of models."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Share out in the order of ``pytest_collection_modifyitems``, not by the number of items."""
    config.option.loadscopereorder = False
    return ByScope(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start the longest first, so that no process is left alone with it in the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=by_length((ROOT / "README.md").read_text("utf-8")))


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Share the processor's cores out among the processes, which would else fight for them, kernels included."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        processes = len(parse_tx_spec_config(config))
        threads = max(1, (os.cpu_count() or 1) // processes)
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
