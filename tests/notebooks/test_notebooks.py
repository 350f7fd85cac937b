"""Every committed notebook as a document, and all of them together."""

from tools import check_lessons, notebook_files
from utils.lessons import LESSONS

NOTEBOOKS = sorted(notebook_files.FOLDER.glob("*.ipynb"))


def test_notebooks_are_in_order_and_each_definition_has_one_home():
    found = check_lessons.faults(NOTEBOOKS)
    assert not found, "\n".join(["", *found])


def test_only_the_courses_notebooks_lie_in_the_folder():
    assert {path.name for path in NOTEBOOKS} <= {lesson.file for lesson in LESSONS}


def test_files_are_as_the_tools_would_write_them(tmp_path):
    other = []
    for path in NOTEBOOKS:
        notebook_files.write(notebook_files.read(path), tmp_path / path.name)
        if (tmp_path / path.name).read_text("utf-8") != path.read_text("utf-8"):
            other.append(path.name)
    assert other == [], "save them with tools.run_notebooks"
