"""Says in words what lessons lack as documents, without running them: ``python -m tools.check_lessons [files]``."""

import argparse
import sys
from pathlib import Path

from tools import home_definitions, notebook_files, notebook_rules


def faults(paths: list[Path]) -> list[str]:
    """Return a plain sentence for everything wrong with the notebooks, each by itself and beside the others."""
    notebooks = {path.name: notebook_files.read(path) for path in paths}
    found = [sentence for name, notebook in notebooks.items() for sentence in notebook_rules.problems(notebook, name)]
    return found + list(home_definitions.repeated(notebooks))


def main(arguments: list[str] | None = None) -> int:
    """Check the notebooks named on the command line, all of the course's if none is, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.check_lessons", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="notebooks to check (default: all in notebooks/)")
    paths = parser.parse_args(arguments).files or sorted(notebook_files.FOLDER.glob("*.ipynb"))
    try:
        found = faults(paths)
    except (OSError, ValueError) as error:
        found = [str(error)]
    print("\n".join(found) if found else f"{len(paths)} in order", file=sys.stderr if found else sys.stdout)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
