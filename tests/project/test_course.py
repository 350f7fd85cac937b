import warnings

import matplotlib.pyplot as plt
import pytest
import torch

from utils import course, plots, pretrained
from utils.lessons import LESSONS


@pytest.fixture
def untouched_settings():
    """Undo what a notebook's setup changes for the whole process."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    with plt.rc_context(), warnings.catch_warnings():
        yield
    logging.set_verbosity(verbosity)


@pytest.mark.usefixtures("untouched_settings")
def test_setup_reports_in_one_line_what_the_lesson_runs_on_and_seeds_it(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    monkeypatch.setenv("COURSE_PROFILE", "standard")
    line = course.setup()
    drawn = torch.rand(2)
    assert "\n" not in line
    versions = f"Python 3., torch {torch.__version__.split('+')[0]}, transformers 5.".split(", ")
    for part in ("CPU, ", "standard profile", *versions, pretrained.status()):
        assert part in line
    assert plt.rcParams["axes.titlelocation"] == "left"
    monkeypatch.delenv("COURSE_DEVICE")
    monkeypatch.delenv("COURSE_PROFILE")
    course.setup()
    assert torch.equal(drawn, torch.rand(2))


@pytest.mark.parametrize("holds", [True, torch.tensor(True), plots.np.bool_(True)])
def test_a_claim_that_holds_is_ticked(capsys, holds):
    course.claim("two and two make four", holds)
    assert capsys.readouterr().out == "✓ two and two make four\n"


def test_a_claim_that_does_not_hold_stops_the_lesson_unless_it_is_about_another_model(capsys):
    with pytest.raises(AssertionError, match="two and two make five"):
        course.claim("two and two make five", 2 + 2 == 5)
    with pytest.raises(AssertionError, match="it continues with Paris"):
        course.claim("it continues with Paris", False, model=pretrained.DECODER)
    assert capsys.readouterr().out == ""
    course.claim("it continues with Paris", False, model="gpt2")
    assert capsys.readouterr().out == "✗ it continues with Paris (not so with gpt2)\n"


def test_there_are_fourteen_lessons_in_order():
    assert [lesson.number for lesson in LESSONS] == list(range(1, 15))
    assert LESSONS[0].file == "01_introduction.ipynb"
    assert LESSONS[-1].file == "14_resources.ipynb"
    assert len({lesson.title for lesson in LESSONS}) == 14


def test_what_colab_is_asked_to_install_leaves_its_own_packages_alone():
    pins = (course.ROOT / "requirements.txt").read_text("utf-8").splitlines()
    assert set(course.SMALL_PACKAGES) <= set(pins)
    names = {package.split("==")[0] for package in course.SMALL_PACKAGES}
    assert not names & {"torch", "transformers", "numpy", "ipywidgets"}
