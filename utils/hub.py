"""Model files from the Hugging Face Hub at a pinned commit."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from utils import fetch
from utils.errors import CourseError

ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True)
class Hub:
    """Files of a Hub repository, listed by name: configuration, tokeniser and safetensors, never a pickle.

    ``HF_ENDPOINT`` names another server with the same interface, such as a mirror. No access token is sent.
    """

    repository: str
    revision: str
    files: tuple[str, ...]

    @property
    def pin(self) -> str:
        """Return the words that identify this source for good; a cached model with other words is fetched anew."""
        return f"Hugging Face Hub {self.repository}@{self.revision}"

    def fill(self, folder: Path, work: Path, description: str) -> None:
        """Put the files into ``folder``, using ``work`` for what is thrown away afterwards; raise ``CourseError``."""
        from huggingface_hub import hf_hub_download

        endpoint = os.environ.get("HF_ENDPOINT") or ENDPOINT
        for file in self.files:
            try:
                with _quiet("huggingface_hub"):
                    arrived = hf_hub_download(
                        self.repository,
                        file,
                        revision=self.revision,
                        local_dir=work,
                        endpoint=endpoint,
                        token=False,
                        tqdm_class=_passing_bar(),
                    )
            except Exception as error:  # the client lets its transport's exceptions through, other ones in each version
                if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
                    raise  # a matter of the disk, which the caller explains
                raise _explained(error, description, urlsplit(endpoint).netloc) from error
            shutil.move(arrived, folder / file)


def _explained(error: Exception, description: str, server: str) -> CourseError:
    """Turn an exception of the Hub's client into one sentence."""
    from huggingface_hub.errors import (
        FileMetadataError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # it says only that no local copy was found either
    if isinstance(error, HfHubHTTPError):
        return fetch.refused(description, server, error.response.status_code)
    if isinstance(error, OfflineModeIsEnabled):
        return CourseError(
            f"{description} could not be fetched because HF_HUB_OFFLINE is set; "
            "unset it, restart the kernel and run this again."
        )
    if isinstance(error, FileMetadataError):
        return CourseError(
            f"{description} could not be fetched: {server} does not answer as the Hugging Face Hub does; "
            "check HF_ENDPOINT and the network's proxy or sign-in page, and run this again."
        )
    if type(error).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError"):
        return fetch.unreachable(description, server)
    return fetch.broken_off(description, server)


def _passing_bar() -> type:
    """Return a progress bar that leaves no trace once it is closed."""
    from tqdm.auto import tqdm

    class PassingBar(tqdm):
        def __init__(self, *arguments, **settings):
            super().__init__(*arguments, **{**settings, "leave": False})

    return PassingBar


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Hold back a library's notices about retries for as long as the block runs."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
