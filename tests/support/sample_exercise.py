"""A small exercise, as a lesson would write it, for the tests of the harness."""

import torch

from utils.exercises import exercise, expect_close
from utils.exercises.harness import judge


@exercise(lesson=2, title="Attention weights", minutes=10, difficulty=2)
def attention_weights(attempt):
    scores = torch.randn(2, 3, 4)
    known_wrong = [
        (scores.softmax(1), "weights sum to 1 over the query axis: softmax the last one"),
        (scores.exp(), "the weights do not sum to 1: divide by their sum"),
    ]
    expected = scores.softmax(-1)
    expect_close(attempt(scores), expected, "the weights", axes="(batch, query, key)", known_wrong=known_wrong)
    return "Every query shares out exactly 1"


def solution(scores):
    return scores.softmax(-1)


def message(function, checked=attention_weights):
    result = judge(checked, function)
    assert result.attempted
    assert not result.passed
    return result.message


def from_cell(source, name, filename):
    """Define a function as a notebook cell does: in a file of its own."""
    namespace = {"torch": torch}
    exec(compile(source, filename, "exec"), namespace)
    return namespace[name]


def stub(scores):
    """Return the weights."""
    raise NotImplementedError("your turn")
