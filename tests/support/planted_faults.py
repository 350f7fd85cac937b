"""A lesson without a fault, and every fault that the rules of documents must see and name."""

import base64
from collections.abc import Callable

from nbformat import NotebookNode
from nbformat.v4 import new_output

from tools import notebook_files
from tools.new_lesson import empty_lesson
from utils.lessons import LESSONS

LESSON = LESSONS[3]
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
    )
).decode()
HINT = "<details><summary>Hint 3</summary>\n\n`2 * numbers`\n\n</details>"


def lesson() -> NotebookNode:
    """Return a lesson without a fault: the empty one, with outputs of the kinds that its cells give."""
    notebook = empty_lesson(LESSON)
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
        if "claim" in notebook_files.tags_of(cell):
            cell.outputs = [new_output("stream", text="✓ recall doubles\n")]
        elif "plots.show" in cell.source:
            cell.outputs = [figure("Bar chart of recall: 0.4 before, 0.8 after.")]
        else:
            cell.outputs = [new_output("stream", text="recall 0.4 → 0.8\n")]
    return notebook


def figure(alt: str) -> NotebookNode:
    data = {"image/png": PIXEL, "text/plain": alt}
    return new_output("display_data", data, metadata={"image/png": {"alt": alt, "width": 1}})


def html(text: str) -> NotebookNode:
    return new_output("display_data", {"text/html": text, "text/plain": "a table"})


def code(notebook: NotebookNode, place: int) -> NotebookNode:
    """Return a code cell by its place; 2 prints, 3 shows a figure, 4 claims."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"][place]


def tagged(notebook: NotebookNode, tag: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if tag in notebook_files.tags_of(cell))


def containing(notebook: NotebookNode, words: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if cell.cell_type == "markdown" and words in cell.source)


def says(text: str, name: str = "stdout") -> Callable[[NotebookNode], None]:
    """Return a fault: the printing cell printed this instead."""
    return lambda notebook: code(notebook, 2).update(outputs=[new_output("stream", name=name, text=text)])


def shows(*outputs: NotebookNode) -> Callable[[NotebookNode], None]:
    """Return a fault: the printing cell showed these outputs instead."""
    return lambda notebook: code(notebook, 2).update(outputs=list(outputs))


def writes(text: str) -> Callable[[NotebookNode], None]:
    """Return a fault: this stands in the text of the last cell."""
    return lambda notebook: notebook.cells[-1].update(source=notebook.cells[-1].source + "\n\n" + text)


def add_tags(place: int, *tags: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: code(notebook, place).metadata.update(tags=list(tags))


def replace(words: str, by: str) -> Callable[[NotebookNode], None]:
    def fault(notebook: NotebookNode) -> None:
        cell = containing(notebook, words)
        cell.source = cell.source.replace(words, by)

    return fault


def remove(words: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells.remove(containing(notebook, words))


def drop_exercise(notebook: NotebookNode) -> None:
    drop_solution(notebook)
    code(notebook, -5).metadata.pop("tags")


def drop_solution(notebook: NotebookNode) -> None:
    code(notebook, -4).metadata.pop("tags")
    code(notebook, -4).metadata.pop("jupyter")


def few_code_cells(notebook: NotebookNode) -> None:
    for place in (2, 4, 6):
        notebook.cells.remove(code(notebook, place))
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count


def long_code(most: int, *places: int) -> Callable[[NotebookNode], None]:
    def fault(notebook: NotebookNode) -> None:
        for place in places:
            code(notebook, place).source = "\n".join(["x = 1"] * (most - 1) + ["x = claim(1), check.x"])

    return fault


def no_output_compared(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if "plots.show" in cell.source:
            cell.metadata.tags = ["nbval-ignore-output", "picture"]
        elif cell.cell_type == "code" and not notebook_files.tags_of(cell):
            cell.metadata.tags = ["nbval-ignore-output", "play"]


def redefine(notebook: NotebookNode) -> None:
    code(notebook, 2).source = "def profile() -> str:\n    return 'full'"


def slide_types(kind: str, only: str = "") -> Callable[[NotebookNode], None]:
    def fault(notebook: NotebookNode) -> None:
        for cell in notebook.cells[1:]:
            if cell.metadata.slideshow.slide_type == only:
                cell.metadata.slideshow.slide_type = kind

    return fault


def drop_notes(notebook: NotebookNode) -> None:
    notebook.cells = [cell for cell in notebook.cells if cell.metadata.slideshow.slide_type != "notes"]


FAULTS: dict[str, tuple[Callable[[NotebookNode], object], str]] = {
    "unrun cell": (lambda nb: code(nb, 2).update(execution_count=None, outputs=[]), "was never run"),
    "run out of order": (lambda nb: code(nb, 2).update(execution_count=9), "was run as number 9"),
    "empty cell": (lambda nb: code(nb, 2).update(source=" "), "is empty"),
    "stored error": (shows(new_output("error", ename="KeyError", evalue="a")), "ended in an error: KeyError"),
    "stderr": (says("UserWarning: careful\n", "stderr"), "wrote to stderr: UserWarning"),
    "home folder": (says("saved to /home/ada/x.png\n"), "an absolute path: '/home/a"),
    "root's folder": (says("File /root/a.py\n"), "an absolute path"),
    "folder of a Mac": (says("'/Users/ada'\n"), "an absolute path"),
    "Windows folder": (says("C:\\Users\\ada\n"), "an absolute path"),
    "temporary folder": (shows(html('<a href="/tmp/x">x</a>')), "an absolute path"),
    "address of a server": (says("http://localhost:8888/lab\n"), "the address of a machine"),
    "address in memory": (says("<Model object at 0x7f2a91c04d60>\n"), "an address in memory"),
    "progress bar": (says(" 50%|█████     | 5/10\n"), "the remains of a progress bar"),
    "pip": (says("Requirement already satisfied: numpy\n"), "the output of pip"),
    "colours": (says("\x1b[31mred\x1b[0m\n"), "terminal colours"),
    "live widget": (
        shows(new_output("display_data", {notebook_files.WIDGET_VIEW: {}, "text/plain": "IntSlider(value=3)"})),
        "holds a live widget",
    ),
    "widget state": (lambda nb: nb.metadata.update(widgets={}), "metadata must be"),
    "version of this machine": (lambda nb: nb.metadata.language_info.update(version="3.11.9"), "metadata must be"),
    "wrong lesson": (lambda nb: nb.metadata.course.update(lesson=5), "metadata must be"),
    "timestamps": (lambda nb: code(nb, 2).metadata.update(execution={}), "carries metadata of a machine"),
    "same id": (lambda nb: code(nb, 2).update(id="cell-001"), "needs an id of its own"),
    "old format": (lambda nb: nb.update(nbformat_minor=4), "must be 4.5"),
    "figure without alt": (lambda nb: code(nb, 3).outputs[0].update(metadata={}), "a figure without alt text"),
    "alt and text differ": (lambda nb: code(nb, 3).outputs[0].data.update({"text/plain": "x"}), "is not its alt text"),
    "HTML image without alt": (shows(html("<div><img src='x.png'></div>")), "HTML with an image that has no alt text"),
    "changed setup cell": (lambda nb: tagged(nb, "setup").update(source="import torch"), "is not the course's"),
    "no setup cell": (add_tags(0, "nbval-ignore-output", "play"), "there must be one setup cell, and there are 0"),
    "changed launch links": (
        lambda nb: tagged(nb, "launch").update(source="[Colab](https://x.org)"),
        "launch links are not",
    ),
    "unknown tag": (add_tags(2, "hide-input"), "has the tag 'hide-input'"),
    "skipped by tag": (add_tags(2, "nbval-skip"), "has the tag 'nbval-skip'"),
    "skipped by comment": (lambda nb: code(nb, 2).update(source="# NBVAL_SKIP\n1"), "speaks to nbval in a comment"),
    "unfolded solution": (lambda nb: tagged(nb, "solution").metadata.pop("jupyter"), "a solution is folded"),
    "folded code": (lambda nb: code(nb, 2).metadata.update(jupyter={"source_hidden": True}), "nothing else is"),
    "too large": (shows(html("x" * 1_600_000)), "at most 1,500,000 are allowed"),
    "too few code cells": (few_code_cells, "there are 24 code cells"),
    "too long a cell": (long_code(41, 2), "the longest may have 40 lines and has 41"),
    "several long cells": (long_code(23, 2, 3, 5), "nine cells of ten may have 22 lines and has 23"),
    "long cells throughout": (long_code(9, *range(2, 15)), "the median may have 8 lines and has 9"),
    "too little compared": (no_output_compared, "cells with output are compared; at least 70%"),
    "definition unlike utils": (redefine, "profile is defined otherwise than in utils.device"),
    "measured without a claim": (add_tags(-2, "nbval-ignore-output", "quiz"), "nor followed by a claim"),
    "two measured, one claim": (
        lambda nb: (add_tags(2, "nbval-ignore-output")(nb), add_tags(3, "nbval-ignore-output")(nb)),
        "nor followed by a claim before the next such cell",
    ),
    "picture that prints": (add_tags(2, "nbval-ignore-output", "picture"), "shows more than pictures"),
    "claim that is not compared": (add_tags(4, "claim", "nbval-ignore-output", "play"), "is always compared"),
    "claim without a claim": (lambda nb: code(nb, 4).update(source="assert True"), "claims nothing"),
    "claim without its tag": (lambda nb: code(nb, 4).metadata.pop("tags"), "makes a claim and is not tagged claim"),
    "claim that failed": (lambda nb: code(nb, 4).outputs[0].update(text="✗ no\n"), "starts with ✓"),
    "two exercises": (drop_exercise, "there are 2 exercises"),
    "solution without an exercise": (
        lambda nb: code(nb, 2).metadata.update(tags=["solution"], jupyter={"source_hidden": True}),
        "3 exercises but 4 solutions",
    ),
    "no solution": (drop_solution, "has no solution"),
    "two hints": (
        replace("<details><summary>Hint 3</summary>\n\n`2 * numbers`\n\n</details>", ""),
        "needs three hints",
    ),
    "no difficulty": (replace("difficulty 1 of 5", "easy"), "its difficulty and minutes"),
    "no check": (
        lambda nb: tagged(nb, "exercise").update(source=tagged(nb, "exercise").source.replace("check.", "")),
        "is not checked",
    ),
    "no slide type": (lambda nb: code(nb, 2).metadata.pop("slideshow"), "needs a slide type"),
    "too many slides": (slide_types("subslide", "-"), "slides; 12 to 25 are right"),
    "too few slides": (slide_types("-", "subslide"), "slides; 12 to 25 are right"),
    "no notes": (drop_notes, "speaker notes in 0 places"),
    "notes on a slide": (
        lambda nb: containing(nb, "Speaker notes").metadata.slideshow.update(slide_type="slide"),
        "speaker notes are of slide type notes",
    ),
    "second title": (writes("# Another title"), "there must be one title"),
    "no Slide notes": (remove("**Slide notes."), "there is no Slide notes box"),
    "no quiz": (lambda nb: [code(nb, place).metadata.pop("tags") for place in (-2, -3)], "there is no quiz"),
    "link to a lesson to come": (
        writes("[end](14_resources.ipynb)"),
        "links to 14_resources.ipynb, which does not exist",
    ),
    "dead link": (writes("[next](15_more.ipynb)"), "links to 15_more.ipynb, which does not exist"),
    "absolute link": (writes("[next](/home/ada/x.ipynb)"), "which does not exist"),
    "image without alt": (writes("![](../README.md)"), "has an image without alt text"),
    "HTML image in text without alt": (writes('<img src="x.png">'), "has an image without alt text"),
    "image from elsewhere": (writes("![a map](https://example.org/map.png)"), "fetches an image from elsewhere"),
}
