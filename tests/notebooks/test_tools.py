"""The commands around notebooks: run in place, stamp the address, start a new lesson."""

import ast
import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import check_lessons, new_lesson, notebook_files, notebook_rules, run_notebooks, stamp
from utils.lessons import LESSONS

LESSON = LESSONS[3]


def write(path, *cells):
    notebook_files.write(new_notebook(cells=list(cells), metadata={"course": {"lesson": 4}}), path)
    return path


def only_the_run_is_missing(path):
    sentences = notebook_rules.problems(notebook_files.read(path), LESSON.file)
    return sentences and all("was never run" in each or "starts with ✓" in each for each in sentences)


def test_run_writes_outputs_in_order(tmp_path, capsys):
    path = write(
        tmp_path / "a.ipynb",
        new_markdown_cell("# A"),
        new_code_cell("import os, sys\nprint('one'); sys.stdout.flush(); print('two')", execution_count=7),
        new_code_cell("os.getcwd() == os.path.dirname(os.path.realpath('a.ipynb'))"),
        new_code_cell("os.environ['TQDM_DISABLE'], os.listdir(os.environ['COURSE_DATA'])"),
    )
    assert run_notebooks.main([str(path)]) == 0
    line = capsys.readouterr().out
    assert line.startswith("a.ipynb ")
    assert line.endswith(" s\n")
    notebook = nbformat.read(path, as_version=4)
    assert [cell.get("execution_count") for cell in notebook.cells] == [None, 1, 2, 3]
    assert [output.text for output in notebook.cells[1].outputs] == ["one\ntwo\n"]
    assert notebook.cells[2].outputs[0].data == {"text/plain": "True"}
    assert notebook.cells[3].outputs[0].data == {"text/plain": "('1', [])"}
    assert all(set(cell.metadata) == set() for cell in notebook.cells)
    assert notebook.metadata.language_info == {"name": "python"}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import time\ntime.sleep(60)", "timed out"),
        ("import os\nos._exit(1)", "died"),
    ],
    ids=["an error", "too long", "a dead kernel"],
)
def test_a_failing_run_names_the_cell_and_leaves_the_file(tmp_path, capsys, source, words):
    path = write(tmp_path / "a.ipynb", new_markdown_cell("# A"), new_code_cell("1"), new_code_cell(source))
    before = path.read_bytes()
    assert run_notebooks.main([str(path), "--timeout", "2"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("a.ipynb stopped in cell 3; the file is as it was.\n")
    assert words in said.err
    assert "\x1b" not in said.err
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert run_notebooks.main([str(tmp_path / "none.ipynb")]) == 1
    assert "none.ipynb" in capsys.readouterr().err


def test_tidy_leaves_what_a_lesson_is_made_of():
    widget = new_output("display_data", {notebook_files.WIDGET_VIEW: {"model_id": "x"}, "text/plain": "IntSlider()"})
    pieces = [
        new_output("stream", text="a"),
        new_output("stream", text="b"),
        new_output("stream", name="stderr", text="c"),
    ]
    notebook = new_notebook(
        cells=[
            new_markdown_cell("x", id="cell-002", metadata={"editable": True, "tags": ["launch"]}),
            new_code_cell("y", metadata={"tags": ["solution"], "execution": {"a": "b"}}, outputs=[widget, *pieces]),
            new_code_cell("z", metadata={"jupyter": {"source_hidden": True}, "slideshow": {"slide_type": "-"}}),
        ],
        metadata={"widgets": {}, "language_info": {"name": "python", "version": "3.11.9"}, "course": {"lesson": 4}},
    )
    notebook.cells[1].pop("id")
    notebook.cells[2]["id"] = "cell-002"
    notebook_files.tidy(notebook)
    assert [cell.id for cell in notebook.cells] == ["cell-002", "cell-001", "cell-003"]
    assert [dict(cell.metadata) for cell in notebook.cells] == [
        {"tags": ["launch"]},
        {"tags": ["solution"], "jupyter": {"source_hidden": True}},
        {"slideshow": {"slide_type": "-"}},
    ]
    assert [output.get("text") for output in notebook.cells[1].outputs] == ["ab", "c"]
    assert set(notebook.metadata) == {"course", "kernelspec", "language_info"}
    again = json.dumps(notebook)
    notebook_files.tidy(notebook)
    assert json.dumps(notebook) == again


def test_stamp_renews_setup_cell_and_links_once(tmp_path, capsys):
    notebook = new_lesson.empty_lesson(LESSON)
    path = tmp_path / LESSON.file
    for cell in notebook.cells:
        if {"setup", "launch"} & set(notebook_files.tags_of(cell)):
            cell.source = "of another address"
            cell.metadata.tags = [notebook_files.tags_of(cell)[0]]
    notebook_files.write(notebook, path)
    assert stamp.main(tmp_path) == 0
    assert capsys.readouterr().out.split() == [LESSON.file, "renewed"]
    assert only_the_run_is_missing(path)
    stamped = path.read_bytes()
    assert stamp.main(tmp_path) == 0
    assert capsys.readouterr().out.split() == [LESSON.file, "as", "it", "was"]
    assert path.read_bytes() == stamped


def test_a_new_lesson_lacks_nothing_but_its_run(tmp_path):
    paths = new_lesson.create(4, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        f"notebooks/{LESSON.file}",
        "utils/exercises/lesson_04.py",
        "tests/exercises/wrong_answers/lesson_04.py",
    ]
    assert only_the_run_is_missing(paths[0])
    assert {node.name for node in ast.parse(paths[1].read_text("utf-8")).body if isinstance(node, ast.FunctionDef)} == {
        "first_of_lesson_4",
        "second_of_lesson_4",
        "third_of_lesson_4",
    }


def test_every_lesson_can_be_started():
    for lesson in LESSONS:
        notebook = new_lesson.empty_lesson(lesson)
        nbformat.validate(notebook)
        assert notebook.cells[0].source.startswith(f"# Lesson {lesson.number} · {lesson.title}\n")


def test_check_says_what_a_lesson_lacks(tmp_path, capsys):
    path = tmp_path / LESSON.file
    notebook_files.write(new_lesson.empty_lesson(LESSON), path)
    assert check_lessons.main([str(path)]) == 1
    assert f"{LESSON.file}: cell 5 was never run." in capsys.readouterr().err.splitlines()
    assert check_lessons.main([str(tmp_path / "none.ipynb")]) == 1
    assert "none.ipynb" in capsys.readouterr().err
    assert check_lessons.main([]) == 0
    assert capsys.readouterr().out.endswith(" in order\n")


@pytest.mark.parametrize("existing", [f"notebooks/{LESSON.file}", "tests/exercises/wrong_answers/lesson_04.py"])
def test_a_new_lesson_overwrites_nothing(tmp_path, existing):
    path = tmp_path / existing
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(ValueError, match="is not overwritten"):
        new_lesson.create(4, tmp_path)
    assert path.read_text() == "mine"
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]


def test_there_is_no_fifteenth_lesson(capsys):
    assert new_lesson.main(["15"]) == 1
    assert capsys.readouterr().err == "There is no lesson 15: the course has lessons 1 to 14.\n"
