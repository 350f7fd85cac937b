"""How a lesson lies on disk: read, put in order, written whole."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from utils.storage import replacing

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_CELL_METADATA = ("tags", "slideshow", "jupyter")


def tags_of(cell: NotebookNode) -> list[str]:
    """Return the cell's tags, an empty list if it has none."""
    return cell.metadata.get("tags", [])


def read(path: Path) -> NotebookNode:
    """Return the notebook at ``path`` in the current format."""
    return nbformat.read(path, as_version=4)


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook, in order, to ``path``: the old file or the new one is there at any time, never a part."""
    tidy(notebook)
    nbformat.validate(notebook)
    with replacing(path) as temporary:
        nbformat.write(notebook, temporary)


def tidy(notebook: NotebookNode) -> None:
    """Leave only what a lesson is made of, in place: no timestamps, no versions of this machine, no widget state.

    A cell without an id of its own gets the first free one of ``cell-001``, ``cell-002``, ...; solutions are folded.
    """
    course = notebook.metadata.get("course", {})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = NotebookNode(
        course=course,
        kernelspec=NotebookNode(display_name="Python 3", language="python", name="python3"),
        language_info=NotebookNode(name="python"),
    )
    _name_cells(notebook.cells)
    for cell in notebook.cells:
        cell.metadata = NotebookNode({key: cell.metadata[key] for key in _CELL_METADATA if key in cell.metadata})
        cell.pop("attachments", None)
        if cell.cell_type != "code":
            continue
        if "solution" in tags_of(cell):
            cell.metadata["jupyter"] = NotebookNode(source_hidden=True)
        else:
            cell.metadata.pop("jupyter", None)
        cell.outputs = _join_streams([output for output in cell.outputs if WIDGET_VIEW not in output.get("data", {})])
        for output in cell.outputs:
            output.pop("transient", None)


def _name_cells(cells: list[NotebookNode]) -> None:
    taken: set[str] = set()
    nameless = []
    for cell in cells:
        if cell.get("id") and cell.id not in taken:
            taken.add(cell.id)
        else:
            nameless.append(cell)
    names = (name for number in range(1, 1000) if (name := f"cell-{number:03d}") not in taken)
    for cell in nameless:
        cell["id"] = next(names)


def _join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of the same stream: where the kernel cut them is chance."""
    joined: list[NotebookNode] = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined
