"""Fetch a file from the internet, whole and verified, or say in one sentence why not."""

import errno
import hashlib
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import certifi

from utils import storage
from utils.errors import CourseError

CHUNK_BYTES = 1 << 18
SILENCE_SECONDS = 30  # a server that sends nothing for this long is taken for dead


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(url: str, destination: Path, sha256: str, *, description: str) -> Path:
    """Download ``url`` to ``destination`` and return it; nothing is left behind unless all of it arrived intact.

    ``sha256`` is the file's pinned checksum; a destination that already has it is kept and no connection is made.
    ``description`` names the file in the progress bar and in messages. An interrupted download starts afresh.
    Raises ``CourseError`` when the file cannot be fetched, fails its checksum or cannot be written.
    """
    if urlsplit(url).scheme not in ("https", "http"):
        raise ValueError(f"The address {url!r} must begin with https:// or http://.")
    with explaining_disk_errors(description, destination.parent):
        if destination.is_file() and sha256_of(destination) == sha256:
            return destination
        with storage.replacing(destination) as temporary:
            digest = hashlib.sha256()
            with temporary.open("wb") as file:
                for chunk in _chunks(url, description):
                    digest.update(chunk)
                    file.write(chunk)
            check_sha256(digest.hexdigest(), sha256, description)
    return destination


def check_sha256(found: str, expected: str, description: str) -> None:
    """Raise ``CourseError`` unless the checksum found is the one that the course expects."""
    if found != expected:
        raise CourseError(
            f"{description} arrived with the wrong checksum ({found[:12]}… where {expected[:12]}… is expected) and was "
            "thrown away; run this again, and if that does not help, try another network."
        )


@contextmanager
def explaining_disk_errors(description: str, folder: Path) -> Iterator[None]:
    """Turn an ``OSError`` from writing ``description`` into ``folder`` into a ``CourseError`` of one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(description, folder) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            reason = "the folder cannot be written; set COURSE_CACHE to a folder that can"
        else:
            problem = (error.strerror or str(error) or type(error).__name__).splitlines()[0]
            reason = f"the system reports “{problem}”; set COURSE_CACHE to another folder"
        raise CourseError(f"{description} could not be kept in {folder}: {reason}, and run this again.") from error


def disk_full(description: str, folder: Path) -> CourseError:
    """Return the sentence for a disk without room."""
    return CourseError(
        f"{description} could not be kept in {folder}: the disk is full; free some space, "
        "or set COURSE_CACHE to a folder on another disk, and run this again."
    )


def reports_disk_full(output: str) -> bool:
    """Tell whether what another program wrote says that the disk is full."""
    return any(words in output for words in ("No space left", "not enough space", "Disk quota exceeded"))


def progress_bar(description: str, total: int | None):
    """Return a progress bar over bytes that leaves no trace once it is closed (``TQDM_DISABLE=1`` silences it)."""
    from tqdm.auto import tqdm  # here, because it looks for a notebook when it is imported

    return tqdm(desc=description, total=total, unit="B", unit_scale=True, unit_divisor=1000, leave=False)


def notice(description: str):
    """Return a bar without numbers, for work that cannot be measured, with the same manners as ``progress_bar``."""
    from tqdm.auto import tqdm

    return tqdm(desc=description, bar_format="{desc}", leave=False)


def _chunks(url: str, description: str) -> Iterator[bytes]:
    """Yield the body of ``url`` piece by piece; raise ``CourseError`` when it cannot be had in full."""
    server = urlsplit(url).netloc
    request = urllib.request.Request(url, headers={"User-Agent": storage.APPLICATION})
    certificates = ssl.create_default_context()
    certificates.load_verify_locations(certifi.where())  # some Pythons for macOS come without any of their own
    try:
        with urllib.request.urlopen(request, timeout=SILENCE_SECONDS, context=certificates) as response:
            length = response.headers.get("Content-Length")
            total = int(length) if length else None
            received = 0
            with progress_bar(description, total) as bar:
                while chunk := response.read(CHUNK_BYTES):
                    received += len(chunk)
                    bar.update(len(chunk))
                    yield chunk
            if total is not None and received < total:  # read() ends early without a word when the connection is cut
                raise ConnectionResetError
    except urllib.error.HTTPError as error:
        raise refused(description, server, error.code) from error
    except urllib.error.URLError as error:
        raise unreachable(description, server) from error
    except (OSError, http.client.HTTPException) as error:
        raise broken_off(description, server) from error


def refused(description: str, server: str, code: int) -> CourseError:
    """Return the sentence for an answer such as 404 or 500."""
    if code in (404, 410):
        reason = f"{server} no longer has it (error {code}); update the course, which may know where it is now"
    else:
        reason = f"{server} answered with error {code}; wait a little and run this again"
    return CourseError(f"{description} could not be fetched: {reason}.")


def unreachable(description: str, server: str) -> CourseError:
    """Return the sentence for a server that cannot be reached at all."""
    return CourseError(
        f"{description} could not be fetched: {server} cannot be reached; "
        "check the internet connection and run this again."
    )


def broken_off(description: str, server: str) -> CourseError:
    """Return the sentence for a connection that was lost halfway."""
    return CourseError(
        f"{description} could not be fetched: the connection to {server} broke off halfway; run this again."
    )
