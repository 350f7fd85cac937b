"""The models kept on this machine: a folder each, complete and verified, or not there at all.

A manifest in each folder records where its files came from and their SHA-256. A folder is built beside its final place
under a temporary name and renamed once complete; a lock makes notebooks that start at once do the work once.
"""

import functools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import filelock

from utils import fetch, storage
from utils.errors import CourseError
from utils.hub import Hub
from utils.wheels import Wheel

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Model:
    """A pretrained model that the course knows: its source, and the SHA-256 that its files must have."""

    name: str
    source: Wheel | Hub
    sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Return where the model is kept, whether or not it is there yet."""
        return storage.cache_folder().absolute() / "models" / self.name


def is_present(model: Model) -> bool:
    """Tell whether the model is here by the look of it: right source, every file with its size. Nothing is hashed.

    Raises ``CourseError`` when the cache cannot be read, as ``is_sound`` and ``megabytes`` do.
    """
    return _look_at(model) is not None


def is_sound(model: Model) -> bool:
    """Tell whether the model is here with the SHA-256 recorded of each file; a file is hashed again if it changes."""
    state = _look_at(model)
    try:
        return state is not None and _has_checksums(model.folder, state)
    except FileNotFoundError:  # another process is replacing it
        return False
    except OSError as error:
        raise _unreadable(model, error) from error


def megabytes(model: Model) -> int:
    """Return the size of the files of a model that is here, in megabytes (10⁶ bytes)."""
    return round(sum(size for _, _, size, _ in _look_at(model) or ()) / 1e6)


def ensure(model: Model) -> Path:
    """Return the model's folder; fetch the model first if it is missing, from another source or damaged.

    Raises ``CourseError``. A sound folder is only read: no connection, no lock, no write.
    """
    if is_sound(model):
        return model.folder
    poor_copy = " (its copy on this machine is damaged or outdated)" if model.folder.exists() else ""
    description = f"{model.name}{poor_copy}"
    shelf = model.folder.parent
    with fetch.explaining_disk_errors(description, shelf):
        shelf.mkdir(parents=True, exist_ok=True)
        with _locked(model, description):
            if not is_sound(model):  # another process may have done it while this one waited
                _install(model, description)
    return model.folder


@contextmanager
def _locked(model: Model, description: str) -> Iterator[None]:
    """Keep other notebooks from fetching the same model; raise ``CourseError`` where files cannot be locked."""
    shelf = model.folder.parent
    lock = filelock.FileLock(shelf / f"{model.name}.lock")
    try:
        lock.acquire()
    except NotImplementedError as error:
        raise CourseError(
            f"{description} could not be kept in {shelf}: files cannot be locked there; "
            "set COURSE_CACHE to a folder on another disk, and run this again."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _install(model: Model, description: str) -> None:
    """Build the model's folder under a temporary name, then put it in place of whatever was there."""
    for leftover in model.folder.parent.glob(f".{model.name}.*"):  # of a process that was killed; the lock is ours
        shutil.rmtree(leftover, ignore_errors=True)  # the pip of that process may still be writing there
    stage = Path(tempfile.mkdtemp(prefix=f".{model.name}.", dir=model.folder.parent))
    try:
        built, work = stage / "model", stage / "work"
        built.mkdir()
        work.mkdir()
        model.source.fill(built, work, description)
        for path in built.iterdir():
            storage.set_mode(path, 0o644)  # some writers keep files to their owner; a cache may serve a whole classroom
        checksums = {path.name: fetch.sha256_of(path) for path in sorted(built.iterdir())}
        for file, expected in model.sha256.items():
            fetch.check_sha256(checksums[file], expected, f"{file} of {description}")
        sizes = {path.name: path.stat().st_size for path in built.iterdir()}
        manifest = {"name": model.name, "source": model.source.pin, "sha256": checksums, "bytes": sizes}
        (built / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if model.folder.exists():
            try:
                os.rename(model.folder, stage / "replaced")
            except (
                PermissionError
            ) as error:  # Windows keeps what any program has open; elsewhere it is another's folder
                raise CourseError(
                    f"{description} could not be replaced in {model.folder.parent}: the old copy is in use or belongs "
                    "to someone else; close other notebooks and restart this kernel, or set COURSE_CACHE to a folder "
                    "of your own, and run this again."
                ) from error
        os.rename(built, model.folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _look_at(model: Model) -> tuple[tuple[str, str, int, int], ...] | None:
    """Return (file, recorded SHA-256, size, time of last change) of each file; ``None`` when anything does not fit.

    Raises ``CourseError`` when what is there cannot be read.
    """
    try:
        manifest = json.loads((model.folder / MANIFEST).read_text(encoding="utf-8"))
        checksums, sizes = manifest["sha256"], manifest["bytes"]
        if manifest["source"] != model.source.pin or any(checksums[f] != digest for f, digest in model.sha256.items()):
            return None
        found = {file: (model.folder / file).stat() for file in checksums}
        if any(found[file].st_size != sizes[file] for file in checksums):
            return None
        return tuple((file, checksums[file], found[file].st_size, found[file].st_mtime_ns) for file in checksums)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, RecursionError):
        return None
    except OSError as error:
        raise _unreadable(model, error) from error


def _unreadable(model: Model, error: OSError) -> CourseError:
    """Return the sentence for a cache that this account may not read, or that the system fails to."""
    reason = error.strerror or type(error).__name__
    return CourseError(
        f"{model.name} could not be read from {model.folder} ({reason}); "
        "set COURSE_CACHE to a folder of your own, and run this again."
    )


@functools.lru_cache
def _has_checksums(folder: Path, state: tuple[tuple[str, str, int, int], ...]) -> bool:
    """Hash every file of ``folder``; size and time of change in ``state`` make a changed file be hashed again."""
    return all(fetch.sha256_of(folder / file) == checksum for file, checksum, _, _ in state)
