"""Every exercise of every lesson against its contract; and the contract against exercises broken on purpose."""

from types import SimpleNamespace

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.support import exercise_contract as contract
from tests.support.sample_exercise import attention_weights, solution, stub
from utils.exercises import exercise, quiz, registry
from utils.exercises.harness import Checker

LESSONS = registry.written_lessons()
EXERCISES = [(lesson, each) for lesson in LESSONS for each in registry.exercises_of(lesson)]


# The contract must be able to fail: one sample exercise, right, then broken in each way.

STUB = '''def attention_weights(scores):
    """Return the weights."""
    raise NotImplementedError("your turn")

check.attention_weights(attention_weights)'''
SOLUTION = """def attention_weights_solution(scores):
    return scores.softmax(-1)

check.attention_weights(attention_weights_solution, record=False)"""
HINTS = "<details><summary>Hint</summary>Look.</details>\n" * 3


def notebook(text="Attention weights, difficulty 2 of 5, about 10 minutes", stub=STUB, hints=HINTS, folded=True):
    metadata = {"tags": ["solution"], "jupyter": {"source_hidden": folded}}
    return new_notebook(
        cells=[
            new_code_cell("import torch"),
            new_markdown_cell(text),
            new_code_cell(stub, metadata={"tags": ["exercise"]}),
            new_markdown_cell(hints),
            new_code_cell(SOLUTION, metadata=metadata),
        ]
    )


@pytest.fixture
def quiet_check(monkeypatch):
    monkeypatch.setattr(contract, "check", SimpleNamespace(attention_weights=Checker(attention_weights)))


def test_contract_accepts_a_good_exercise(quiet_check, tmp_path):
    nbformat.write(notebook(), tmp_path / "sample.ipynb")
    cells = contract.Cells(nbformat.read(tmp_path / "sample.ipynb", as_version=4), attention_weights)
    contract.check_cells(cells)
    right = cells.function(cells.solution, "attention_weights_solution", SimpleNamespace())
    contract.check_solution(attention_weights, right)
    contract.check_stub(attention_weights, cells.function(cells.stub, "attention_weights", SimpleNamespace()))
    contract.check_hostile_answers(attention_weights, right)
    wrong = [(lambda s: s.softmax(1), "query axis"), (lambda s: s.exp(), "do not sum to 1"), (torch.sigmoid, "values")]
    contract.check_wrong_answers(attention_weights, wrong)


@pytest.mark.parametrize(
    "broken",
    [
        notebook(text="Attention weights, about 10 minutes"),
        notebook(text="Attention weights, difficulty 2 of 5"),
        notebook(text="difficulty 2 of 5, about 10 minutes"),
        notebook(hints="<details>one</details>"),
        notebook(folded=False),
        notebook(stub=STUB.replace("check.attention_weights(attention_weights)", "x = 1")),
    ],
)
def test_contract_rejects_broken_cells(broken):
    with pytest.raises(AssertionError):
        contract.check_cells(contract.Cells(broken, attention_weights))


def test_contract_rejects_a_missing_cell():
    with pytest.raises(AssertionError, match="0 cells tagged exercise define attention_weights"):
        contract.Cells(notebook(stub="def other():\n    pass"), attention_weights)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([(solution, "")], "passes"),
        ([(lambda s: s.softmax(1), "no such words")], "is not in"),
        ([(lambda s: s.softmax(1), "query")], "names 1 misconceptions"),
        ([(lambda s: s.softmax(1), "query"), (lambda s: s.softmax(1), "axis")], "are told the same"),
        ([(stub, "")], "not attempted"),
    ],
)
def test_contract_rejects_poor_wrong_answers(wrong, words):
    with pytest.raises(AssertionError, match=words):
        contract.check_wrong_answers(attention_weights, wrong)


def test_contract_rejects_bad_solutions_stubs_and_lax_checks():
    @exercise(lesson=2, title="Anything", minutes=5, difficulty=1)
    def anything(attempt):
        attempt(torch.zeros(2))

    with pytest.raises(AssertionError):
        contract.check_solution(attention_weights, torch.sigmoid)
    with pytest.raises(AssertionError):
        contract.check_stub(attention_weights, solution)
    with pytest.raises(AssertionError, match="passes with nothing"):
        contract.check_hostile_answers(anything, lambda x: x)


# The lessons.


@pytest.mark.parametrize(("lesson", "each"), EXERCISES, ids=[each.name for _, each in EXERCISES])
def test_exercise_holds_its_contract(lesson, each):
    cells = contract.cells_of(lesson, each)
    module = registry.lesson_module(lesson)
    right = cells.function(cells.solution, f"{each.name}_solution", module)
    contract.check_cells(cells)
    contract.check_solution(each, right)
    contract.check_stub(each, cells.function(cells.stub, each.name, module))
    contract.check_wrong_answers(each, contract.wrong_answers(lesson)[each.name])
    contract.check_hostile_answers(each, right)


@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_has_its_exercises(lesson):
    exercises = registry.exercises_of(lesson)
    assert len(exercises) >= 3
    assert all(each.lesson == lesson for each in exercises)
    assert set(contract.wrong_answers(lesson)) == {each.name for each in exercises}


@pytest.mark.parametrize("lesson", LESSONS)
def test_quiz_cannot_be_passed_with_one_letter(lesson):
    questions = quiz.questions_of(lesson)
    right = {letter for question in questions for letter, option in question.choices().items() if option.correct}
    assert len(questions) >= 3
    assert len(right) > 1


def test_every_name_is_used_once():
    contract.check_names_are_unique()
