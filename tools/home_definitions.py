"""Define once, prove equal: what a lesson teaches stands in its one home notebook and, word for word, in ``utils``."""

import ast
from collections.abc import Iterator
from functools import cache

from nbformat import NotebookNode

from tools.notebook_files import tags_of
from utils.course import ROOT

UTILS = ROOT / "utils"
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def taught(notebook: NotebookNode) -> dict[str, Definition]:
    """Return what a lesson defines at the top level of its cells under a public name of ``utils``, exercises aside."""
    found: dict[str, Definition] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and not {"exercise", "solution"} & set(tags_of(cell)):
            found |= {node.name: node for node in _definitions(cell.source) if node.name in library()}
    return found


def problems(notebook: NotebookNode) -> Iterator[str]:
    """Yield a sentence for each definition that is not what ``utils`` holds under the same name, docstrings aside."""
    for name, node in taught(notebook).items():
        if not any(_bare(node) == _bare(known) for _, known in library()[name]):
            homes = " or ".join(module for module, _ in library()[name])
            yield f"{name} is defined otherwise than in {homes}: make the two equal, or give one another name."


def repeated(notebooks: dict[str, NotebookNode]) -> Iterator[str]:
    """Yield a sentence for each definition that more than one of the named notebooks holds."""
    homes: dict[str, list[str]] = {}
    for file, notebook in notebooks.items():
        for name in taught(notebook):
            homes.setdefault(name, []).append(file)
    for name, files in homes.items():
        if len(files) > 1:
            yield f"{name} is defined in {' and '.join(files)}: import it from utils in all but one."


@cache
def library() -> dict[str, list[tuple[str, Definition]]]:
    """Return the public definitions of ``utils``, the exercises' checks aside: name → (module, definition)."""
    found: dict[str, list[tuple[str, Definition]]] = {}
    for path in sorted(UTILS.rglob("*.py")):
        place = path.relative_to(UTILS.parent).with_suffix("")
        if place.parts[1] == "exercises":
            continue
        for node in _definitions(path.read_text("utf-8")):
            if not node.name.startswith("_"):
                found.setdefault(node.name, []).append((".".join(place.parts), node))
    return found


def _definitions(source: str) -> list[Definition]:
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a cell with a line for the notebook alone, such as %timeit, defines nothing
        return []
    return [node for node in body if isinstance(node, Definition)]


def _bare(definition: Definition) -> str:
    """Return the definition's syntax tree as text, without docstrings."""
    tree = ast.parse(ast.unparse(definition))
    for node in ast.walk(tree):
        if isinstance(node, Definition) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
