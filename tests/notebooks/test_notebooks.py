"""Every committed notebook as a document, and all of them together."""

import pytest

from tests.support import home_definitions, notebook_rules
from tools import notebook_files
from utils.lessons import LESSONS

NOTEBOOKS = sorted(notebook_files.FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_in_order(path):
    found = notebook_rules.problems(notebook_files.read(path), path.name)
    assert not found, "\n".join(["", *found])


def test_only_the_courses_notebooks_lie_in_the_folder():
    assert {path.name for path in NOTEBOOKS} <= {lesson.file for lesson in LESSONS}


def test_each_definition_has_one_home():
    notebooks = {path.name: notebook_files.read(path) for path in NOTEBOOKS}
    assert list(home_definitions.repeated(notebooks)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_file_is_as_the_tools_would_write_it(path, tmp_path):
    copy = tmp_path / path.name
    notebook_files.write(notebook_files.read(path), copy)
    assert copy.read_text("utf-8") == path.read_text("utf-8")
