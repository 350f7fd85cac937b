"""The setup cell, run for real: from the folders a learner may stand in, from outside, and on a make-believe Colab."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.lesson_template import launch_links, setup_cell
from utils.course import REPOSITORY, REVISION, ROOT, SMALL_PACKAGES
from utils.lessons import LESSONS

NEVER_TOUCHED = {"torch", "transformers", "numpy", "ipywidgets"}

# A machine where pip only writes down what it is asked for, and some packages are not there, not even for the course's
# own imports. The cell is run once for each step: a folder to stand in, and the packages that are absent.
MACHINE = """
import importlib.abc, importlib.util, json, os, subprocess, sys, types
source, colab, steps = json.loads(sys.argv[1])
sys.path = [place for place in sys.path if place]
absent, asked = set(), []
if colab:
    sys.modules["google.colab"] = types.ModuleType("google.colab")

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

find, run = importlib.util.find_spec, subprocess.run
importlib.util.find_spec = lambda name, package=None: None if name in absent else find(name, package)
sys.meta_path.insert(0, Absent())
subprocess.run = lambda command, **settings: asked.append(command) if "pip" in command else run(command, **settings)

for folder, names in steps:
    os.chdir(folder)
    absent.clear()
    absent.update(names)
    asked.clear()
    variables = {}
    exec(source, variables)
    print(json.dumps({"root": str(variables["root"]), "asked": asked}))
"""


def execute(source: str, *steps: tuple[Path, tuple[str, ...]], colab: bool = False) -> subprocess.CompletedProcess:
    """Run ``source`` for each step as a notebook's kernel would: from a folder that holds no modules."""
    argument = json.dumps([source, colab, [(str(folder), absent) for folder, absent in steps]])
    return subprocess.run([sys.executable, "-P", "-c", MACHINE, argument], capture_output=True, text=True, check=False)


def results(finished: subprocess.CompletedProcess) -> list[dict]:
    """Return what each step found; the lines between are the cell's own."""
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """Return a copy of what the setup cell needs, in a folder that has spaces and an accent in its name."""
    root = tmp_path_factory.mktemp("a course") / "encodeurs et décodeurs"
    shutil.copytree(ROOT / "utils", root / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "notebooks" / "deeper").mkdir(parents=True)
    return root


def test_the_course_is_found_from_inside_and_nothing_installed_at_home(copy):
    places = (".", "notebooks", "notebooks/deeper", "utils/explorers")
    finished = execute(setup_cell(), *((copy / place, ("gguf",)) for place in places))
    assert results(finished) == [{"root": str(copy), "asked": []}] * len(places)
    assert finished.stderr == ""
    own = [line for line in finished.stdout.splitlines() if not line.startswith("{")]
    assert len(own) == len(places)
    assert all("profile" in line and "torch" in line for line in own)


def test_outside_one_sentence_says_what_to_do(tmp_path):
    finished = execute(setup_cell(), (tmp_path, ()))
    assert finished.returncode == 1
    last = finished.stderr.splitlines()[-1]
    assert last.startswith("FileNotFoundError: The course's folder was not found: open this notebook inside it")
    assert last.endswith(".")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def repository(copy, tmp_path_factory) -> str:
    """Return the address of a bare repository that holds the course at the tag v1."""
    work, bare = tmp_path_factory.mktemp("work") / "course", tmp_path_factory.mktemp("server") / "tiny-course.git"
    shutil.copytree(copy, work)
    git = ["git", "-C", str(work), "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "All"], ["tag", "v1"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    return bare.as_uri()


def test_on_colab_the_course_is_fetched_once_and_only_what_is_missing_installed(repository, tmp_path):
    missing = tuple(pin.split("==")[0].replace("-", "_") for pin in SMALL_PACKAGES)
    finished = execute(
        setup_cell(repository, "v1"), (tmp_path, missing), (tmp_path, missing[:1]), (tmp_path, ()), colab=True
    )
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    root = str(tmp_path / "tiny-course")
    assert results(finished) == [
        {"root": root, "asked": [[*pip, *SMALL_PACKAGES]]},
        {"root": root, "asked": [[*pip, SMALL_PACKAGES[0]]]},
        {"root": root, "asked": []},
    ]


def test_on_colab_a_missing_revision_ends_in_the_same_sentence(repository, tmp_path):
    finished = execute(setup_cell(repository, "v2"), (tmp_path, ()), colab=True)
    assert finished.returncode == 1
    assert "FileNotFoundError: The course's folder was not found" in finished.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_on_colab_an_interrupted_download_says_what_to_do(repository, tmp_path):
    (tmp_path / "tiny-course" / ".git").mkdir(parents=True)
    finished = execute(setup_cell(repository, "v1"), (tmp_path, ()), colab=True)
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].endswith("on Colab, start afresh.")


def test_what_colab_installs_never_touches_its_own_packages():
    names = [pin.split("==")[0] for pin in SMALL_PACKAGES]
    assert NEVER_TOUCHED.isdisjoint(names)
    report = subprocess.run(
        [sys.executable, "-c", _REQUIRED, *names], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(names) <= set(report)
    assert {"torch", "transformers", "ipywidgets"}.isdisjoint(report)


# Prints the packages, and those that they require, and so on.
_REQUIRED = """
import re, sys
from importlib.metadata import requires
waiting, seen = list(sys.argv[1:]), []
while waiting:
    name = waiting.pop()
    if name in seen:
        continue
    seen.append(name)
    try:
        needed = requires(name) or []
    except ModuleNotFoundError:
        needed = []
    waiting += [re.match(r"[\\w-]+", each)[0].lower() for each in needed if "extra ==" not in each]
print(*seen)
"""


def test_the_setup_cell_is_short_and_names_no_lesson():
    lines = [line for line in setup_cell().splitlines() if line.strip()]
    assert len(lines) <= 21
    assert max(map(len, lines)) <= 120
    assert "lesson_" not in setup_cell()
    assert REPOSITORY in setup_cell()
    assert REVISION in setup_cell()


def test_launch_links_lead_to_this_lesson_at_the_pinned_revision():
    links = launch_links(LESSONS[1], "https://github.com/ada/course.git", "v9")
    page = "ada/course/blob/v9/notebooks/02_encoders_in_detail.ipynb"
    assert f"(https://colab.research.google.com/github/{page})" in links
    assert f"(https://github.com/{page})" in links
    assert "(https://mybinder.org/v2/gh/ada/course/v9?labpath=notebooks%2F02_encoders_in_detail.ipynb)" in links
