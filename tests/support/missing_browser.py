"""The only place that decides what a missing browser means for the tests that need one."""

import os

import pytest

from tools import browser


def end_without_one() -> None:
    """End the test where there is no browser: on CI it fails, elsewhere it is skipped with the reason."""
    if browser.executable() is None:
        reason = f"no browser on this machine: install one of {', '.join(browser.NAMES)}"
        if os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail(f"{reason}; on CI these tests must run", pytrace=False)
        pytest.skip(reason)
