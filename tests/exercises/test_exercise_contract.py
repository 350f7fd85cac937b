"""Every exercise of every lesson against its contract; and the contract against exercises broken on purpose."""

from types import SimpleNamespace

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


def test_contract_accepts_a_good_exercise(monkeypatch):
    monkeypatch.setattr(contract, "check", SimpleNamespace(attention_weights=Checker(attention_weights)))
    cells = contract.Cells(notebook(), attention_weights)
    contract.check_cells(cells)
    right = cells.function(cells.solution, "attention_weights_solution", SimpleNamespace())
    contract.check_solution(attention_weights, right)
    contract.check_stub(attention_weights, cells.function(cells.stub, "attention_weights", SimpleNamespace()))
    contract.check_hostile_answers(attention_weights, right)
    wrong = [(lambda s: s.softmax(1), "query axis"), (lambda s: s.exp(), "do not sum to 1"), (torch.sigmoid, "values")]
    contract.check_wrong_answers(attention_weights, wrong)


CHECK = "check.attention_weights(attention_weights)"
BROKEN = {
    "must contain 'difficulty 2 of 5'": {"text": "Attention weights, about 10 minutes"},
    "must contain 'about 10 minute'": {"text": "Attention weights, difficulty 2 of 5"},
    "must contain 'Attention weights'": {"text": "difficulty 2 of 5, about 10 minutes"},
    "needs three hints": {"hints": "<details>one</details>"},
    "is to be folded": {"folded": False},
    "must end with check.attention_weights": {"stub": STUB.replace(CHECK, "x = 1")},
    "0 cells tagged exercise define attention_weights": {"stub": "def other():\n    pass"},
}
POOR = {
    "passes": [(solution, "")],
    "is not in": [(lambda s: s.softmax(1), "no such words")],
    "names 1 misconceptions": [(lambda s: s.softmax(1), "query")],
    "are told the same": [(lambda s: s.softmax(1), "query"), (lambda s: s.softmax(1), "axis")],
    "not attempted": [(stub, "")],
}


def test_contract_rejects_broken_cells_and_poor_wrong_answers(subtests):
    for words, changes in BROKEN.items():
        with subtests.test(words), pytest.raises(AssertionError, match=words):
            contract.check_cells(contract.Cells(notebook(**changes), attention_weights))
    for words, wrong in POOR.items():
        with subtests.test(words), pytest.raises(AssertionError, match=words):
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


def test_every_lesson_has_exercises_and_a_quiz_that_one_letter_does_not_pass(subtests):
    for lesson in LESSONS:
        with subtests.test(lesson=lesson):
            exercises, questions = registry.exercises_of(lesson), quiz.questions_of(lesson)
            assert len(exercises) >= 3
            assert {each.lesson for each in exercises} == {lesson}
            assert set(contract.wrong_answers(lesson)) == {each.name for each in exercises}
            assert len(questions) >= 3
            choices = [choice for question in questions for choice in question.choices().items()]
            assert len({letter for letter, option in choices if option.correct}) > 1


def test_every_name_is_used_once():
    """Two lessons must not use the same name: ``check.name`` could mean only one of them."""
    names = [exercise.name for exercise in registry.all_exercises()]
    assert sorted(name for name in names if names.count(name) > 1) == []
