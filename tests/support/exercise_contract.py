"""What every exercise of a lesson must hold: solution, stub, wrong answers, hostile answers, and its cells."""

import ast
import importlib.util
import linecache
import math
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import numpy as np
import torch
from nbformat import NotebookNode
from torch import nn

from utils.course import ROOT
from utils.exercises import check
from utils.exercises.harness import judge
from utils.exercises.registry import Exercise

GENERIC = ("right shape, wrong values", "wrong value for", "should have shape", "should have dtype", "your code raised")


def notebook_of(lesson: int) -> Path:
    """Return the notebook of a lesson, which must be the only one with its number."""
    found = sorted((ROOT / "notebooks").glob(f"{lesson:02d}_*.ipynb"))
    assert len(found) == 1, f"lesson {lesson} has exercises and {len(found)} notebooks"
    return found[0]


def wrong_answers(lesson: int) -> dict[str, list[tuple[Callable, str]]]:
    """Load WRONG of a lesson: for each exercise, wrong functions and the words each must be told."""
    path = ROOT / "tests" / "exercises" / "wrong_answers" / f"lesson_{lesson:02d}.py"
    assert path.exists(), f"{path.name} is missing from tests/exercises/wrong_answers"
    spec = importlib.util.spec_from_file_location(f"wrong_answers_of_lesson_{lesson:02d}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG


class Cells:
    """The cells of one exercise in a notebook, and the functions that they define."""

    def __init__(self, notebook: NotebookNode, exercise: Exercise) -> None:
        self.exercise = exercise
        self.cells = notebook.cells
        self.stub = self._find("exercise", exercise.name)
        self.solution = self._find("solution", f"{exercise.name}_solution")

    def _find(self, tag: str, name: str) -> int:
        """Return the place of the only cell with this tag that defines this name."""
        found = []
        for place, cell in enumerate(self.cells):
            if cell.cell_type == "code" and tag in cell.metadata.get("tags", []):
                defined = [node.name for node in ast.parse(cell.source).body if hasattr(node, "name")]
                found += [place] * (name in defined)
        assert len(found) == 1, f"{len(found)} cells tagged {tag} define {name}: exactly one must"
        return found[0]

    def text_before(self) -> str:
        """Return the markdown right before the stub."""
        start = self.stub
        while start and self.cells[start - 1].cell_type == "markdown":
            start -= 1
        return "\n".join(cell.source for cell in self.cells[start : self.stub])

    def hints(self) -> str:
        """Return the markdown between the stub and the solution."""
        between = self.cells[self.stub + 1 : self.solution]
        return "\n".join(cell.source for cell in between if cell.cell_type == "markdown")

    def last_line(self, place: int) -> str:
        """Return the last statement of a cell, in one spelling."""
        return ast.unparse(ast.parse(self.cells[place].source).body[-1])

    def function(self, place: int, name: str, module: ModuleType) -> Callable:
        """Run a cell as the notebook would, with the names a lesson may count on, and return what it defines."""
        source = self.cells[place].source
        filename = f"<cell {place} of lesson {self.exercise.lesson}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        known = {"torch": torch, "nn": nn, "F": nn.functional, "math": math, "np": np, "check": check}
        namespace = {**known, **getattr(module, "GIVEN", {})}
        exec(compile(source, filename, "exec"), namespace)
        return namespace[name]


def cells_of(lesson: int, exercise: Exercise) -> Cells:
    """Read the cells of an exercise from the lesson's notebook."""
    return Cells(nbformat.read(notebook_of(lesson), as_version=4), exercise)


def check_cells(cells: Cells) -> None:
    """The notebook says how long and how hard, checks in place, gives three hints and folds its solution."""
    exercise, text = cells.exercise, cells.text_before()
    for words in (exercise.title, f"difficulty {exercise.difficulty} of 5", f"about {exercise.minutes} minute"):
        assert words in text, f"the text before the stub of {exercise.name} must contain {words!r}"
    name = exercise.name
    for place, call in (
        (cells.stub, f"check.{name}({name})"),
        (cells.solution, f"check.{name}({name}_solution, record=False)"),
    ):
        assert cells.last_line(place) == call, f"the cell must end with {call}"
    assert cells.stub < cells.solution, f"{name}: the stub comes before the solution"
    assert cells.hints().count("<details>") >= 3, f"{name} needs three hints between stub and solution"
    folded = cells.cells[cells.solution].metadata.get("jupyter", {}).get("source_hidden")
    assert folded is True, f"{name}: the source of the solution is to be folded"


def check_solution(exercise: Exercise, solution: Callable) -> None:
    """The solution passes, twice with the same words, and leaves the reader's random numbers alone."""
    torch.manual_seed(5), random.seed(5), np.random.seed(5)
    expected = (torch.rand(1).item(), random.random(), np.random.rand())
    torch.manual_seed(5), random.seed(5), np.random.seed(5)
    first, second = judge(exercise, solution), judge(exercise, solution)
    assert first.passed, first.message
    assert first == second, f"{first.message} and then {second.message}"
    found = (torch.rand(1).item(), random.random(), np.random.rand())
    assert found == expected, f"{exercise.name} changes the reader's random numbers"


def check_stub(exercise: Exercise, stub: Callable) -> None:
    """The untouched stub is not attempted, which is no failure."""
    result = judge(exercise, stub)
    assert not result.attempted, result.message
    assert not result.passed
    assert "not attempted yet" in result.message


def check_wrong_answers(exercise: Exercise, wrong: list[tuple[Callable, str]]) -> None:
    """Each wrong answer is told what it must be told, in words of its own; at least two are told a misconception."""
    messages = []
    for number, (function, fragment) in enumerate(wrong):
        result = judge(exercise, function)
        assert result.attempted, f"wrong answer {number}: {result.message}"
        assert not result.passed, f"wrong answer {number} of {exercise.name} passes"
        assert fragment in result.message, f"wrong answer {number}: {fragment!r} is not in {result.message!r}"
        messages.append(result.message)
    assert len(set(messages)) == len(messages), f"two wrong answers of {exercise.name} are told the same: {messages}"
    named = [message for message in messages if not any(words in message for words in GENERIC)]
    assert len(named) >= 2, f"{exercise.name} names {len(named)} misconceptions: write at least two, not {messages}"


def hostile_answers(solution: Callable) -> dict[str, Callable]:
    """Return functions that fail in the ways code fails, whatever the exercise asks."""

    def changed(change: Callable[[Any], Any]) -> Callable:
        def function(*arguments: Any, **named: Any) -> Any:
            return change(solution(*arguments, **named))

        return function

    def raises(*arguments: Any, **named: Any) -> Any:
        raise ZeroDivisionError

    def recurses(*arguments: Any, **named: Any) -> Any:
        return recurses(*arguments, **named)

    def leaves(*arguments: Any, **named: Any) -> Any:
        raise SystemExit

    return {
        "nothing": changed(lambda result: None),
        "a list around it": changed(lambda result: [result]),
        "another tuple": changed(lambda result: (result, result, result, result, result)),
        "a string": changed(lambda result: "42"),
        "a function": changed(lambda result: print),
        "a type of its own": changed(lambda result: object()),
        "a complex number": changed(lambda result: 1j),
        "an error": raises,
        "no end": recurses,
        "an exit": leaves,
        "no arguments": lambda: None,
    }


def check_hostile_answers(exercise: Exercise, solution: Callable) -> None:
    """No hostile answer passes, none raises, and each is told one sentence; None is no function either."""
    for kind, function in hostile_answers(solution).items():
        result = judge(exercise, function)
        assert not result.passed, f"{exercise.name} passes with {kind}"
        assert result.attempted, f"{exercise.name} with {kind}: {result.message}"
        assert result.message.endswith((".", "…", "!", "?")), result.message
        assert "\n" not in result.message, result.message
    for thing in (None, 3, "solution", torch.zeros(2)):
        assert "write check." in (message := judge(exercise, thing).message) or "give the check" in message
    if not exercise.changes_inputs:
        check_in_place(exercise, solution)


def check_in_place(exercise: Exercise, solution: Callable) -> None:
    """A solution that spoils the tensors it is given is told so."""
    spoiled = []

    def spoils(*arguments: Any, **named: Any) -> Any:
        result = solution(*arguments, **named)
        for value in (*arguments, *named.values()):
            if isinstance(value, torch.Tensor) and value.numel() and not value.requires_grad:
                value.copy_(~value if value.dtype == torch.bool else value + 1)
                spoiled.append(value)
        return result

    result = judge(exercise, spoils)
    assert not spoiled or "in place" in result.message, result.message
