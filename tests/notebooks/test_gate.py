"""The gate can fail: each kind of fault is planted in a notebook, and seen by the rules of documents or by nbval."""

import base64
import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageOps

from tests.support.lesson_runs import CONNECT
from tests.support.planted_faults import FAULTS, LESSON, code, lesson, long_code, tagged, writes
from tools import home_definitions, notebook_files, notebook_rules
from tools.run_notebooks import run

ROOT = home_definitions.UTILS.parent
# A small notebook with each kind of output; nbval counts its cells from 0.
IMPORTS, WORDS, DECIMAL, WHOLE, FIGURE, MEASURED, CLAIM = range(7)
SOURCES = (
    "import os, sys, time\nimport matplotlib.pyplot as plt\nfrom utils import plots\n'hidden';",
    'print("The cat sat.")',
    "2 / 3",
    "7 * 191",
    "figure, axes = plt.subplots()\n"
    'plots.bars(axes, {"before": 3, "after": 5}, y_label="recall (%)")\n'
    'plots.show(figure, alt="Bar chart of recall: 3 before, 5 after.")',
    "seconds = time.perf_counter()\nprint(seconds)",
    'assert seconds > 0\nprint("✓ time passes", os.environ["TQDM_DISABLE"], os.path.isdir(os.environ["COURSE_DATA"]))',
)


def test_a_lesson_without_a_fault_passes():
    assert notebook_rules.problems(lesson(), LESSON.file) == []


def test_every_fault_is_named_in_one_sentence():
    missed = {}
    for fault, (plant, sentence) in FAULTS.items():
        notebook = lesson()
        plant(notebook)
        found = notebook_rules.problems(notebook, LESSON.file)
        starts = f"{LESSON.file}: "
        if len(found) != 1 or sentence not in found[0] or not found[0].startswith(starts) or "\n" in found[0]:
            missed[fault] = found
    assert missed == {}


def test_too_much_code_is_named():
    notebook = lesson()
    long_code(40, *range(2, 12))(notebook)
    assert any("at most 400 are allowed" in sentence for sentence in notebook_rules.problems(notebook, LESSON.file))


def test_a_file_that_is_no_lesson_is_refused():
    with pytest.raises(ValueError, match="15_more"):
        notebook_rules.problems(lesson(), "15_more.ipynb")


def test_links_to_lessons_and_to_code_are_fine():
    notebook = lesson()
    writes("[before](01_introduction.ipynb#quiz), [code](../utils/course.py), `![](x)`, ![a map](../utils/course.py)")(
        notebook
    )
    assert notebook_rules.problems(notebook, LESSON.file) == []


def test_a_definition_equal_to_utils_passes_but_has_one_home():
    source = (Path(home_definitions.UTILS) / "device.py").read_text("utf-8")
    start = source.index("def by_profile")
    notebook = lesson()
    code(notebook, 2).source = source[start:].split('"""')[0] + source[start:].split('"""')[2].lstrip()
    assert "by_profile" in home_definitions.taught(notebook)
    assert notebook_rules.problems(notebook, LESSON.file) == []
    (sentence,) = home_definitions.repeated({"a.ipynb": notebook, "b.ipynb": notebook, "c.ipynb": lesson()})
    assert sentence.startswith("by_profile is defined in a.ipynb and b.ipynb")


def test_exercises_may_use_names_of_utils():
    notebook = lesson()
    tagged(notebook, "solution").source += "\n\ndef profile():\n    return 1"
    assert notebook_rules.problems(notebook, LESSON.file) == []


def test_check_may_stand_in_a_cell_of_its_own():
    notebook = lesson()
    stub = tagged(notebook, "exercise")
    stub.source, _, call = stub.source.partition("\n\n\n")
    own = new_code_cell(call, metadata={"tags": ["check"], "slideshow": {"slide_type": "-"}})
    notebook.cells.insert(notebook.cells.index(stub) + 1, own)
    assert call.startswith("check.")
    rest = [sentence for sentence in notebook_rules.problems(notebook, LESSON.file) if "was " not in sentence]
    assert rest == []


def test_code_in_text_is_not_a_title():
    notebook = lesson()
    notebook.cells.append(
        new_markdown_cell("```python\n# not a title\n```", id="x", metadata={"slideshow": {"slide_type": "-"}})
    )
    assert notebook_rules.problems(notebook, LESSON.file) == []


def stored_text(cell: int, text: str) -> Callable[[NotebookNode], None]:
    """Return a fault: this stands in the notebook as what the cell gave."""

    def plant(notebook: NotebookNode) -> None:
        output = notebook.cells[cell].outputs[0]
        if output.output_type == "stream":
            output.text = text
        else:
            output.data["text/plain"] = text

    return plant


def stored_figure(change: Callable[[Image.Image], Image.Image]) -> Callable[[NotebookNode], None]:
    def plant(notebook: NotebookNode) -> None:
        data = notebook.cells[FIGURE].outputs[0].data
        image = change(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB"))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        data["image/png"] = base64.b64encode(buffer.getvalue()).decode()

    return plant


def source(cell: int, text: str) -> Callable[[NotebookNode], object]:
    return lambda notebook: notebook.cells[cell].update(source=text)


def add_output(cell: int, output: NotebookNode) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[cell].outputs.append(output)


def talkative(notebook: NotebookNode) -> None:
    """Let a cell publish so much, message by message, that its kernel would drop some if nobody read meanwhile."""
    line, count = "x" * 5_000, 4_000
    notebook.cells[WORDS].source = f"for _ in range({count}):\n    print('{line}', flush=True)"
    notebook.cells[WORDS].outputs[0].text = f"{line}\n" * count


# What is planted → the cell it is planted in, and how.
ACCEPTED: dict[str, tuple[int, Callable[[NotebookNode], object]]] = {
    "nothing": (WORDS, lambda notebook: None),
    "a drift of a millionth": (DECIMAL, stored_text(DECIMAL, "0.6666673")),
    "more messages than a kernel keeps for a late reader": (WORDS, talkative),
    "another measured number": (MEASURED, stored_text(MEASURED, "0.25\n")),
}
REFUSED: dict[str, tuple[int, Callable[[NotebookNode], object]]] = {
    "other words": (WORDS, stored_text(WORDS, "The cat sits.\n")),
    "a drift of a hundredth": (DECIMAL, stored_text(DECIMAL, "0.6733333")),
    "another whole number": (WHOLE, stored_text(WHOLE, "1338")),
    "other alt text": (FIGURE, stored_text(FIGURE, "Bar chart of recall: 3 before, 6 after.")),
    "an inverted figure": (FIGURE, stored_figure(ImageOps.invert)),
    "a changed bar": (FIGURE, source(FIGURE, SOURCES[FIGURE].replace('"before": 3', '"before": 4'))),
    "no output": (WORDS, lambda notebook: notebook.cells[WORDS].update(outputs=[])),
    "one output more": (DECIMAL, add_output(DECIMAL, new_output("stream", text="more\n"))),
    "a stored error": (WHOLE, add_output(WHOLE, new_output("error", ename="KeyError", evalue="a", traceback=[]))),
    "a stored warning": (WORDS, add_output(WORDS, new_output("stream", name="stderr", text="careful\n"))),
    "a new warning": (WORDS, source(WORDS, SOURCES[WORDS] + '\nprint("careful", file=sys.stderr)')),
    "a new error": (MEASURED, source(MEASURED, "seconds = 1\n1 / 0")),
    "a call to another machine": (IMPORTS, source(IMPORTS, f"{SOURCES[IMPORTS][:-1]}\n{CONNECT}")),
    "a broken claim": (CLAIM, source(CLAIM, SOURCES[CLAIM].replace("> 0", "< 0"))),
}


def in_few_notebooks() -> list[dict[str, int]]:
    """Share the faults out among few notebooks, so that no two of a notebook are planted in the same cell."""
    notebooks: list[dict[str, int]] = []
    for name, (cell, _) in (ACCEPTED | REFUSED).items():
        place = next((each for each in notebooks if cell not in each.values()), None)
        if place is None:
            notebooks.append(place := {})
        place[name] = cell
    return notebooks


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Run pytest --nbval once over notebooks with the planted faults; return what it said of each fault's cell."""
    folder = tmp_path_factory.mktemp("gate")
    cells = [new_code_cell(text, id=f"cell-{number:03d}") for number, text in enumerate(SOURCES, 1)]
    cells[MEASURED].metadata["tags"] = ["nbval-ignore-output"]
    good = folder / "good.ipynb"
    notebook_files.write(new_notebook(cells=cells), good)
    shutil.copy(ROOT / "conftest.py", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        run(good)
        for number, names in enumerate(in_few_notebooks()):
            notebook = notebook_files.read(good)
            for name in names:
                (ACCEPTED | REFUSED)[name][1](notebook)
            notebook_files.write(notebook, folder / f"fault_{number}.ipynb")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--nbval",
            "--nbval-current-env",
            "--junitxml=report.xml",
            "--color=no",
        ]
        finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said: dict[tuple[str, int], str] = {}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        failure = case.find("failure")
        notebook_name = case.get("classname").split(".")[-2]
        said[notebook_name, int(case.get("name").removeprefix("Cell "))] = "" if failure is None else failure.text
    assert len(said) == len(SOURCES) * (1 + len(in_few_notebooks())), finished.stdout
    found = {}
    for number, names in enumerate(in_few_notebooks()):
        for name, cell in names.items():
            found[name] = said.pop((f"fault_{number}", cell))
    assert not any(said.values()), f"cells without a fault were refused: {said}"
    return found


@pytest.mark.nightly
def test_nbval_accepts_what_is_right_and_refuses_every_fault(verdicts):
    assert {name: verdicts[name] for name in ACCEPTED if verdicts[name]} == {}
    assert [name for name in REFUSED if "Notebook cell execution failed" not in verdicts[name]] == []


@pytest.mark.nightly
def test_nbval_says_what_differs(verdicts):
    assert "0.6733333 became 0.6666666" in verdicts["a drift of a hundredth"]
    assert "in the notebook: The cat sits." in verdicts["other words"]
    assert "the picture looks different" in verdicts["an inverted figure"]
    assert "the network is cut" in verdicts["a call to another machine"]
    assert "AssertionError" in verdicts["a broken claim"]
