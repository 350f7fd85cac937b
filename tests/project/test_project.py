"""What holds over the whole project: its pins, its table of notebooks, the order of its rooms, its commands."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import missing_browser, scheduling
from tools import browser
from utils.course import ROOT
from utils.lessons import LESSONS

# A module of utils imports only from those before it; a package's own modules may import one another.
ORDER = (
    *(
        "errors",
        "lessons",
        "storage",
        "device",
        "fetch",
        "gguf_conversion",
        "hub",
        "wheels",
        "model_cache",
        "pretrained",
        "number_words",
        "downloads",
    ),
    *("nested", "data", "text", "attention", "seq2seq", "recurrent", "transformer_layers", "transformer"),
    *("masked", "layouts", "adapters", "decoding", "beam", "training", "metrics", "plots"),
    *("explorers", "exercises", "course"),
)
MOST_LINES = 250
MOST_LINES_OF_TESTS = 14_750
MODULES = sorted((ROOT / "utils").rglob("*.py"))
FOLDERS = ("utils", "tests", "tools", "benchmarks", "notebooks", ".ci", ".github")
TEXTS = sorted(
    path
    for place in (ROOT.glob("*.*"), (ROOT / "Makefile",), *((ROOT / folder).rglob("*") for folder in FOLDERS))
    for path in place
    if path.is_file() and "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts
)
# These hold the faults that the rules must find.
PLANTED = {"planted_faults.py", "test_project.py"}
FORBIDDEN = {
    "a path of somebody's machine": r"(?<![\w.}])/(?:home|root|Users|tmp|work)/\w|\b[A-Z]:\\\\?Users\b",
    "work that is not done": r"\b(?:TODO|FIXME|XXX)\b",
    "a pickle": r"\bimport pickle\b|\bpickle\.\w|\btorch\.(?:load|save)\(|allow_pickle=True",
    "code from elsewhere": r"trust_remote_code\s*=\s*True",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(module: str) -> str | None:
    """Return the room of utils that a dotted module name belongs to, ``None`` for other modules."""
    first, _, rest = module.partition(".")
    return rest.split(".")[0] if first == "utils" and rest else None


def imported_rooms(source: str) -> set[str]:
    """Return the rooms of utils that a module imports, at the top or within a function."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {room(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "utils":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(room(node.module))
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError("utils imports by full name, never by dots")
    return found - {None}


def test_imports_are_read():
    source = "import utils.text\nfrom utils import data, plots\ndef f():\n    from utils.exercises.quiz import show"
    assert imported_rooms(source) == {"text", "data", "plots", "exercises"}


def test_data_flows_one_way():
    faults = []
    for path in MODULES:
        parts = path.relative_to(ROOT / "utils").parts
        here = parts[0].removesuffix(".py")
        if here == "__init__":
            allowed = set()
        elif here in ORDER:
            allowed = set(ORDER[: ORDER.index(here)]) | ({here} if len(parts) > 1 else set())
        else:
            faults.append(f"{here} has no place in the order of utils")
            continue
        if wrong := imported_rooms(path.read_text("utf-8")) - allowed:
            faults.append(f"{relative(path)} imports {', '.join(sorted(wrong))}, which comes after it")
    assert faults == []


def test_no_file_needs_scrolling_twice():
    long = []
    for path in TEXTS:
        limit = MOST_LINES if relative(path).startswith(("utils/", "tools/")) else 2 * MOST_LINES
        lines = len(path.read_text("utf-8").splitlines()) if path.suffix in (".py", ".js", ".css") else 0
        if lines > limit:
            long.append(f"{relative(path)} has {lines} lines; at most {limit} are right")
    assert long == []


def test_the_tests_have_no_more_lines_than_they_need():
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in (ROOT / "tests").rglob("*.py"))
    assert lines <= MOST_LINES_OF_TESTS, f"the tests have {lines:,} lines: make clones a contract before you add more"


def test_nothing_forbidden_is_written():
    found = []
    for path in TEXTS:
        if path.name not in PLANTED:
            found += [f"{relative(path)} holds {what}" for what in forbidden_in(path.read_text("utf-8"))]
    assert found == []


def test_what_is_forbidden_is_found():
    samples = ("x = '/home/ada/x'", r"C:\Users\ada", "# TODO later", "import pickle", "f(trust_remote_code=True)")
    assert [text for text in samples if not forbidden_in(text)] == []


def forbidden_in(text: str) -> list[str]:
    """Return what a text holds of the forbidden, each thing with the place that gives it away."""
    places = {what: re.search(pattern, text) for what, pattern in FORBIDDEN.items()}
    return [f"{what}: {found.group()}" for what, found in places.items() if found]


def test_tests_import_in_one_way_and_not_from_one_another():
    faults = []
    for path in (ROOT / "tests").rglob("*.py"):
        for line in re.findall(r"^ *(?:from|import) +(\S+).*$", path.read_text("utf-8"), re.MULTILINE):
            if line.startswith(".") or re.match(r"tests(?!\.support\b)", line):
                faults.append(f"{relative(path)}: {line}")
    assert faults == []


def test_conda_and_pip_have_the_same_pins():
    pins = re.findall(r"^([\w-]+==\S+)$", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    lines = [line for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines() if line[:1] not in ("", "#")]
    assert pins == lines, "every line of requirements.txt pins one package exactly"
    environment = (ROOT / "environment.yml").read_text("utf-8")
    assert re.findall(r"^ +- ([\w-]+==\S+)$", environment, re.MULTILINE) == pins


def test_what_is_imported_is_pinned():
    names = {"sklearn": "scikit-learn", "rouge_score": "rouge-score", "PIL": "pillow", "IPython": "ipykernel"}
    names |= {"traitlets": "ipykernel", "jupyter_client": "ipykernel", "httpx": "huggingface_hub"}
    names |= {"xdist": "pytest-xdist", "zmq": "ipykernel"}
    pinned = {line.split("==")[0] for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()}
    own = {"utils", "tests", "tools", "benchmarks"}
    missing = set()
    for path in TEXTS:
        if path.suffix == ".py":
            for name in imported_packages(path.read_text("utf-8")) - own:
                if names.get(name, name) not in pinned:
                    missing.add(f"{name} in {relative(path)}")
    assert missing == set()


def imported_packages(source: str) -> set[str]:
    """Return the packages that a source imports, Python's own aside."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names)


def test_the_table_of_the_readme_lists_the_notebooks_that_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| *(\d+) *\| \[([^\]]+)\]\(notebooks/([\w.]+)\)", text, re.MULTILINE)
    existing = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    expected = [(str(each.number), each.title, each.file) for each in LESSONS if each.file in existing]
    assert listed == expected


def test_the_readme_is_filled_in():
    assert re.findall(r"@\w+@", (ROOT / "README.md").read_text("utf-8")) == []


def test_links_in_the_papers_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md"):
        targets = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", (ROOT / name).read_text("utf-8"))
        assert [target for target in targets if not (ROOT / target).exists()] == [], name


def test_every_target_of_the_makefile_is_explained():
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY:(.*)$", text, re.MULTILINE).group(1).split()
    assert set(re.findall(r"^([a-z][\w-]*):(?!=)", text, re.MULTILINE)) == set(phony)
    assert {"lab", "test", "test-fast", "run", "help"} <= set(phony)
    if shutil.which("make"):
        said = subprocess.run(
            ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert {line.split()[1] for line in said.splitlines()} == set(phony)
        assert all(len(line.split()) > 4 for line in said.splitlines())


def test_ci_runs_the_readmes_own_commands():
    commands = {".ci/run": "make test", ".github/workflows/ci.yml": r"bash \.ci/run"}
    commands[".github/workflows/nightly.yml"] = "make test-all"
    for name, command in commands.items():
        assert re.search(rf"^\s*(?:- run: )?{command}$", (ROOT / name).read_text("utf-8"), re.MULTILINE), name


def test_ci_tries_the_pythons_that_make_accepts():
    accepted = re.search(r"\((\d+), (\d+)\) <= .* <= \((\d+), (\d+)\)", (ROOT / "Makefile").read_text("utf-8"))
    first, last = (".".join(accepted.group(*places)) for places in ((1, 2), (3, 4)))
    tried = re.findall(r'"(3\.\d+)"', (ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    assert {first, last} <= set(tried)


@pytest.mark.skipif(os.name != "posix", reason="it is a shell script")
def test_ci_fails_without_a_browser(tmp_path):
    """With nothing but a shell to find, ``.ci/run`` says what is missing and does not come to the tests."""
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name))
    finished = subprocess.run(
        ["bash", ROOT / ".ci/run"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    assert "CI needs Chromium or Chrome" in finished.stderr
    assert "make" not in finished.stderr


def test_a_missing_browser_is_a_failure_on_ci_and_a_skip_elsewhere(monkeypatch):
    monkeypatch.setattr(browser, "executable", lambda: None)
    for ci, outcome in (("true", pytest.fail.Exception), ("", pytest.skip.Exception)):
        monkeypatch.setenv("CI", ci)
        with pytest.raises(outcome, match="no browser on this machine"):
            missing_browser.end_without_one()
    monkeypatch.setattr(browser, "executable", lambda: "/bin/chromium")
    missing_browser.end_without_one()


def test_what_the_sharing_out_of_the_tests_relies_on_is_there():
    seconds = scheduling.seconds_of_lessons((ROOT / "README.md").read_text("utf-8"))
    assert set(seconds) == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert set(seconds.values()) != {scheduling.UNKNOWN}, "the README's column of seconds is not read"
    assert [name for name in scheduling.ITEM_BY_ITEM if not (ROOT / name).exists()] == []
