"""What every test run of the course shares: tolerant notebooks, and a learner's folder that is thrown away."""

import os
import tempfile

import pytest
from hypothesis import settings

pytest_plugins = ["tests.support.nbval_tolerance"]
# No deadline, since a busy machine would miss it, and always the same examples, so that no failure is chance. To look
# for new ones: pytest --hypothesis-profile=explore.
settings.register_profile("course", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1_000)
settings.load_profile("course")

_data = tempfile.TemporaryDirectory()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from the progress of whoever runs them."""
    os.environ["COURSE_DATA"] = _data.name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove that folder again."""
    _data.cleanup()
