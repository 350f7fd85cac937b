"""How the harness runs an attempt: what it guards, what it leaves alone, how a check is found."""

import dataclasses
import random
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.support.sample_exercise import attention_weights, message, solution
from utils.course import ROOT
from utils.exercises import Attempt, exercise, expect_close, expect_equal, expect_tensor, expect_that, registry
from utils.exercises.harness import Check, judge


def test_changed_arguments_are_noticed_and_do_not_reach_the_check():
    @dataclasses.dataclass(frozen=True)
    class Batch:
        ids: torch.Tensor

    given = {
        "tensor": torch.tensor([1.0, float("nan"), float("-inf")]),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "array": np.ones(3),
        "words": ["a", "b"],
        "table": {"a": torch.ones(2)},
        "batch": Batch(torch.ones(2)),
        "number": 3,
    }

    @exercise(lesson=2, title="Look only", minutes=5, difficulty=1)
    def look_only(attempt):
        expect_equal(attempt(**given), 1)

    changes = {
        "tensor": lambda v: v.nan_to_num_(nan=0.0, neginf=float("-inf")),
        "half": lambda v: v.add_(1),
        "array": lambda v: v.fill(0),
        "words": lambda v: v.append("c"),
        "table": lambda v: v["a"].mul_(2),
        "batch": lambda v: v.ids.mul_(2),
    }
    for spoiled, change in changes.items():

        def spoils(tensor, half, array, words, table, batch, number, spoiled=spoiled, change=change):
            change(locals()[spoiled])
            return 1

        assert f"changes its argument `{spoiled}` in place" in message(spoils, look_only)
    assert judge(look_only, lambda **everything: 1).passed
    assert given["words"] == ["a", "b"]
    assert given["batch"].ids.tolist() == [1, 1]


def test_an_exercise_may_change_its_inputs_and_let_gradients_flow_to_them():
    @exercise(lesson=2, title="A step", minutes=5, difficulty=1, changes_inputs=True)
    def step(attempt):
        weight = torch.ones(2)
        attempt(weight)
        expect_close(weight, torch.zeros(2), "the weight")

    @exercise(lesson=2, title="A loss", minutes=5, difficulty=1)
    def loss(attempt):
        x = torch.ones(2, requires_grad=True)
        value = attempt(x)
        expect_tensor(value, "the loss", requires_grad=True)
        value.backward()
        expect_close(x.grad, 2 * torch.ones(2), "the gradient")

    assert judge(step, lambda weight: weight.zero_()).passed
    with torch.no_grad():
        assert judge(loss, lambda x: (x**2).sum()).passed
    assert "no gradient flows through the loss" in message(lambda x: (x**2).sum().detach(), loss)


def test_what_the_learner_draws_is_the_same_every_time_and_leaves_numbers_and_settings_as_they_were():
    drawn = []

    def careless(scores):
        drawn.append((torch.rand(1).item(), random.random(), np.random.rand(), scores.sum().item()))
        torch.manual_seed(1), random.seed(1), np.random.seed(1)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        return torch.rand(3)

    for seed in (8, 9):
        torch.manual_seed(seed), random.seed(seed), np.random.seed(seed)
        expected = torch.rand(1).item(), random.random(), np.random.rand()
        torch.manual_seed(seed), random.seed(seed), np.random.seed(seed)
        message(careless)
        assert (torch.rand(1).item(), random.random(), np.random.rand()) == expected
        assert torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float32
    assert drawn[0] == drawn[1]


def test_a_result_the_check_cannot_use_is_described_and_a_check_that_never_calls_is_the_authors_mistake():
    @exercise(lesson=2, title="Two values", minutes=5, difficulty=1)
    def two_values(attempt):
        first, _ = attempt()
        expect_that(first == 1, "the first is 1")

    @exercise(lesson=2, title="Nothing", minutes=5, difficulty=1)
    def nothing(attempt):
        return None

    assert message(lambda: 3, two_values).startswith("the check could not use what your function returned, the int 3 (")
    with pytest.raises(RuntimeError, match="never calls"):
        judge(nothing, solution)


def test_an_exercise_with_odd_settings_is_refused():
    for setting, words in (
        ({"lesson": 15}, "lesson is 15: choose one of 1 to 14"),
        ({"difficulty": 6}, "difficulty is 6"),
        ({"minutes": 0}, "minutes is 0"),
    ):
        with pytest.raises(ValueError, match=words):
            exercise(**{"lesson": 1, "title": "T", "minutes": 1, "difficulty": 1} | setting)


def test_check_finds_exercises_by_name_and_remembers_passes(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(registry, "written_lessons", lambda: [2])
    monkeypatch.setattr(registry, "lesson_module", lambda lesson: SimpleNamespace(attention_weights=attention_weights))
    check = Check(registry.all_exercises)
    assert dir(check) == ["attention_weights"]
    assert "about 10 minutes, difficulty 2 of 5" in repr(check.attention_weights)
    unrecorded = check.attention_weights(solution, record=False)
    assert repr(unrecorded).endswith("shares out exactly 1.")
    assert repr(check.attention_weights(solution)).endswith("exactly 1. Lesson 2: 1 of 1 exercises done.")
    assert "give the check your function" in repr(check.attention_weights())
    with pytest.raises(AttributeError, match="no exercise called attention_weight: did you mean attention_weights"):
        _ = check.attention_weight
    with pytest.raises(AttributeError, match="press Tab"):
        _ = check.zzz


def test_no_lesson_is_imported_before_it_is_asked_for():
    def imports():
        raise AssertionError("a lesson was imported")

    check = Check(imports)
    assert not hasattr(check, "_repr_html_"), "IPython asks for it"
    assert repr(check).startswith("check: the exercises of the course")
    code = "import sys, utils.exercises; print([n for n in sys.modules if 'exercises.lesson_' in n])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"


def test_an_unknown_lesson_is_a_plain_sentence():
    with pytest.raises(ValueError, match="no exercises for lesson 99"):
        registry.lesson_module(99)


def test_attempt_names_the_arguments_it_passed():
    attempt = Attempt(lambda query, key: query)
    attempt(1, key=2)
    assert attempt.arguments == {"query": 1, "key": 2}
