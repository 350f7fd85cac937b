"""What every test run of the course shares: tolerant notebooks, many processes, folders that are thrown away."""

import os
import tempfile

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.support")  # before it is imported: a bare assert there says what differs, too

from tests.support import lesson_runs  # noqa: E402

pytest_plugins = ["tests.support.nbval_tolerance", "tests.support.scheduling"]
# No deadline, since a busy machine would miss it, and always the same examples, so that no failure is chance. To look
# for new ones: pytest --hypothesis-profile=explore.
settings.register_profile("course", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1_000)
settings.load_profile("course")

_data = tempfile.TemporaryDirectory()
_runs = tempfile.TemporaryDirectory()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from the progress of whoever runs them; let all processes share what the lessons gave."""
    os.environ["COURSE_DATA"] = _data.name
    if not hasattr(config, "workerinput"):  # else the process that started this one has said it
        os.environ[lesson_runs.SHARED] = _runs.name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove both folders again."""
    _data.cleanup()
    _runs.cleanup()
