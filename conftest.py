"""What every test run of the course shares: tolerant notebooks, and a learner's folder that is thrown away."""

import os
import tempfile

import pytest
from hypothesis import settings

pytest_plugins = ["tests.nbval_tolerance"]
# No deadline, since a busy machine would miss it; in CI always the same examples, so that a failure is never chance.
settings.register_profile("course", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("course")

_data = tempfile.TemporaryDirectory()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from the progress of whoever runs them."""
    os.environ["COURSE_DATA"] = _data.name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove that folder again."""
    _data.cleanup()
