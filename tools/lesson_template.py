"""What every lesson shares to the letter: the setup cell and the line of launch links."""

from utils.course import REPOSITORY, REVISION
from utils.lessons import LESSONS, Lesson

_SETUP = """\
# The same cell in every lesson: it finds the course's folder (on Colab it fetches it first) and says what it runs on.
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

REPOSITORY, REVISION = "{repository}", "{revision}"
ON_COLAB = "google.colab" in sys.modules
places = [Path.cwd(), *Path.cwd().parents, Path.cwd() / "{folder}"]
root = next((place for place in places if (place / "utils" / "course.py").is_file()), None)
if root is None and ON_COLAB:
    root = places[-1]
    subprocess.run(["git", "clone", "--quiet", "--depth=1", "--branch", REVISION, REPOSITORY, str(root)])
if root is None or not (root / "utils" / "course.py").is_file():
    raise FileNotFoundError("The course's folder was not found: open this notebook inside it; on Colab, start afresh.")
sys.path.insert(0, str(root))
from utils import course

packages = course.SMALL_PACKAGES if ON_COLAB else ()
missing = [pin for pin in packages if find_spec(pin.split("==")[0].replace("-", "_")) is None]
if missing:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=True)
print(course.setup())"""

SETUP_TAGS = ("setup", "nbval-ignore-output")
LAUNCH_TAG = "launch"


def setup_cell(repository: str = REPOSITORY, revision: str = REVISION) -> str:
    """Return the source of the setup cell, the same in every lesson.

    ``repository`` is the address Colab clones (its last part names the folder), ``revision`` a branch or tag there.
    """
    folder = repository.rstrip("/").split("/")[-1].removesuffix(".git")
    return _SETUP.format(repository=repository, revision=revision, folder=folder)


def launch_links(lesson: Lesson, repository: str = REPOSITORY, revision: str = REVISION) -> str:
    """Return the Markdown line that opens this lesson elsewhere: words, so that no picture is fetched to show them."""
    owner_and_name = "/".join(repository.rstrip("/").removesuffix(".git").split("/")[-2:])
    page = f"{owner_and_name}/blob/{revision}/notebooks/{lesson.file}"
    return (
        f"Open this lesson in [Colab](https://colab.research.google.com/github/{page}) · "
        f"[Binder](https://mybinder.org/v2/gh/{owner_and_name}/{revision}?labpath=notebooks%2F{lesson.file}) · "
        f"[GitHub](https://github.com/{page})"
    )


def lesson_of(file: str) -> Lesson:
    """Return the lesson that a notebook's file name belongs to; ``ValueError`` if it is not one of the fourteen."""
    for lesson in LESSONS:
        if lesson.file == file:
            return lesson
    raise ValueError(f"{file} is not one of the course's notebooks; utils/course.py lists their names.")
