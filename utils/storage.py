"""Where the course keeps files of its own, and how it writes them so that a half-written file is never seen."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

APPLICATION = "encoders-decoders"


def cache_folder() -> Path:
    """Return the folder for what can be fetched again (models, corpora). ``COURSE_CACHE`` overrides it."""
    return Path(os.environ.get("COURSE_CACHE") or platformdirs.user_cache_dir(APPLICATION))


def data_folder() -> Path:
    """Return the folder for what must not be lost (the learner's progress). ``COURSE_DATA`` overrides it."""
    return Path(os.environ.get("COURSE_DATA") or platformdirs.user_data_dir(APPLICATION))


@contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it onto ``path`` on success, remove it on failure.

    Readers see the old file or the new one, never a part of either, with the permissions ``mode``: by default everyone
    may read it, as where a classroom shares one folder. Raises ``OSError`` as the file system does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        set_mode(temporary, mode)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def set_mode(path: Path, mode: int) -> None:
    """Give ``path`` the permissions ``mode`` where the file system keeps any: some mounted drives refuse to."""
    with suppress(OSError):
        path.chmod(mode)
