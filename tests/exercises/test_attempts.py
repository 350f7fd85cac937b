"""What a learner may hand in, right, wrong or broken, and the words each attempt gets."""

import linecache
import sys

import pytest
import torch
from torch import nn

from tests.support.sample_exercise import attention_weights, from_cell, message, solution, stub
from utils.exercises import exercise, expect_shape
from utils.exercises.harness import judge


def test_right_answer_reads_as_one_line_with_a_gradient_or_without():
    for answer in (solution, lambda scores: scores.softmax(-1).requires_grad_()):
        result = judge(attention_weights, answer)
        assert (result.passed, result.attempted) == (True, True)
        assert repr(result) == "✓ attention_weights: well done. Every query shares out exactly 1."


def ellipsis(scores): ...


def docstring_only(scores):
    """Return the weights."""


def returns_none(scores):
    return None


def passes(scores):
    pass


def half_done(scores):
    scores = scores - scores.max()
    raise NotImplementedError


def test_untouched_stub_is_not_attempted(subtests):
    for untouched in (stub, ellipsis, docstring_only, returns_none, passes, half_done, lambda scores: ...):
        with subtests.test(untouched.__name__):
            result = judge(attention_weights, untouched)
            assert (result.passed, result.attempted) == (False, False)
            assert repr(result) == (
                "○ attention_weights: not attempted yet. Replace the body of the function and run this cell again."
            )


def test_stub_of_a_class_is_not_attempted():
    @exercise(lesson=2, title="A layer", minutes=5, difficulty=1)
    def layer(attempt):
        made = attempt(3)
        expect_shape(attempt.call(made, torch.zeros(2, 3)), (2, 3))

    class NoForward(nn.Module):
        def __init__(self, size):
            super().__init__()

    class Stub(NoForward):
        def forward(self, x):
            raise NotImplementedError("your turn")

    assert not judge(layer, Stub).attempted
    assert 'missing the required "forward"' in message(NoForward, layer)
    assert "is to be called, and it is the int 3" in message(lambda size: size, layer)
    assert judge(layer, lambda size: nn.Identity()).passed


def test_an_earlier_exercise_that_is_still_a_stub_is_named():
    earlier = from_cell("def scale(x):\n    raise NotImplementedError('your turn')", "scale", "<cell 3>")
    result = judge(attention_weights, lambda scores: earlier(scores))
    assert not result.attempted
    assert "it needs `scale`, which is still to be written" in result.message


def test_an_error_names_its_line(monkeypatch):
    source = "def attempt(scores):\n    first, second = scores\n    return [first, second][2]\n"
    monkeypatch.setitem(linecache.cache, "<cell 7>", (1, None, source.splitlines(True), "<cell 7>"))
    assert message(from_cell(source, "attempt", "<cell 7>")) == (
        "your code raised IndexError: list index out of range (line 3 of your cell: `return [first, second][2]`); "
        "it was called with shapes scores (2, 3, 4)."
    )


def test_an_error_inside_torch_names_the_learners_line_and_stays_one_sentence():
    said = message(lambda scores: nn.Linear(3, 2)(scores))
    assert said.startswith("your code raised RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert "nn.Linear(3, 2)(scores)" in said
    assert "\n" not in said


def forgets(scores):
    scores.softmax(-1)


def shouts(scores):
    raise ValueError("a" * 5000 + "\nmore")


def recurses(scores):
    return recurses(scores)


def leaves(scores):
    sys.exit(1)


def asserts(scores):
    raise AssertionError


def interrupted(scores):
    raise KeyboardInterrupt


def test_none_after_real_work_is_a_forgotten_return():
    assert message(forgets) == "the weights is None: end your function with a return statement."


def test_a_long_error_is_cut_and_an_interrupt_is_not_swallowed():
    assert len(message(shouts)) < 500
    with pytest.raises(KeyboardInterrupt):
        judge(attention_weights, interrupted)


WORDS = [
    (recurses, "calls itself without end"),
    (leaves, "leave out exit()"),
    (asserts, "raised AssertionError (line"),
    (lambda scores: torch.empty(2, device="meta").cpu(), "raised NotImplementedError"),  # by torch: this is no stub
    (lambda scores: len(3), "raised TypeError"),
    (torch.Tensor.unflatten, "yours takes (self, dim, sizes)"),
    (lambda: None, "calls your function as f(…) and yours takes (): keep its first line"),
    (lambda a, b: a, "yours takes (a, b)"),
    (torch.zeros(2), "got a tensor of shape (2,): write check.attention_weights(attention_weights)"),
    ("attention_weights", "got the str 'attention_weights'"),
    (None, "give the check your function, without calling it"),
    (lambda scores: scores.softmax(-1).numpy(), "is a NumPy array: stay in PyTorch"),
    (lambda scores: scores.softmax(-1).tolist(), "is a list of 2 items, not a tensor"),
    (lambda scores: 0.5, "is the float 0.5, not a tensor"),
    (lambda scores: {1: scores}, "should be a tensor and is a dict of 1 item"),
    (lambda scores: scores.softmax(-1).double(), "should have dtype torch.float32 and has torch.float64"),
    (lambda scores: scores.softmax(-1) * float("nan"), "NaN in 24 of 24 places"),
    (lambda scores: scores.softmax(-1).mT, "(batch, query, key) = (2, 3, 4) and has (2, 4, 3); the axes are in"),
    (lambda scores: scores.softmax(-1).unsqueeze(1), "an axis of size 1 is left over"),
    (lambda scores: scores.softmax(-1)[0], "and has (3, 4)."),
    (lambda scores: -scores.softmax(-1), "every value has the wrong sign"),
    (lambda scores: 2 * scores.softmax(-1), "every value is 2 times what it should be"),
    (lambda scores: scores.softmax(-1) - 3, "every value is 3 too small"),
    (lambda scores: scores.sigmoid(), "right shape, wrong values for the weights: 24 of 24 values are off; at ["),
    (lambda scores: scores.softmax(1), "over the query axis: softmax the last one."),
    (lambda scores: scores.exp(), "the weights do not sum to 1: divide by their sum."),
]


def test_each_wrong_answer_has_its_words(subtests):
    for function, words in WORDS:
        with subtests.test(words):
            assert words in message(function)
