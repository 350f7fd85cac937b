"""The comparisons of the checks, and the words they find."""

import numpy as np
import pytest
import torch

from utils.exercises import Misconception, expect_close, expect_equal, expect_shape, expect_tensor, expect_tuple

TWO = torch.zeros(2)
PAIR = ("context", "weights")
ENDLESS = {"known_wrong": [(["a", "</s>"], "stop before the end token")]}
REFUSED = [
    (r"should return 2 values \(context, weights\) and returns a tensor", lambda: expect_tuple(TWO, PAIR)),
    ("returns None: end it with return context, weights", lambda: expect_tuple(None, PAIR)),
    ("keepdim=True", lambda: expect_shape(TWO, (2, 1))),
    ("stands in the wrong place", lambda: expect_shape(torch.zeros(1, 2), (2, 1))),
    (r"under torch.no_grad\(\)", lambda: expect_tensor(torch.zeros(2, requires_grad=True), requires_grad=False)),
    (
        "True and False are exchanged",
        lambda: expect_close(torch.tensor([True, False]), torch.tensor([False, True]), "the mask"),
    ),
    (
        r"wrong value for the perplexity: it should be 2.0000 and is 3.0000",
        lambda: expect_close(3.0, 2.0, "the perplexity"),
    ),
    ("bits", lambda: expect_close(3.0, 2.0, "the perplexity", known_wrong=[(3.0, "bits are not nats")])),
    ("the bool True, not a tensor", lambda: expect_close(True, 1.0, "the loss")),
    (
        r"1 of 3 values are off; at \[1\] it should be 5 and is 6",
        lambda: expect_close(torch.tensor([4, 6, 7]), torch.tensor([4, 5, 7])),
    ),
    ("is None", lambda: expect_equal(None, ["a"], **ENDLESS)),
    ("should be a list of 1 item and is a tuple of 1 item", lambda: expect_equal(("a",), ["a"], **ENDLESS)),
    ("makes Python values of a tensor", lambda: expect_equal(torch.zeros(1), ["a"], **ENDLESS)),
    (r"should be \['a'\] and is \['b'\]", lambda: expect_equal(["b"], ["a"], **ENDLESS)),
    ("stop before the end token", lambda: expect_equal(["a", "</s>"], ["a"], **ENDLESS)),
    ("the int 1 and is the bool True", lambda: expect_equal(True, 1)),
]


def test_what_is_wrong_is_refused_in_words(subtests):
    for words, expectation in REFUSED:
        with subtests.test(words), pytest.raises(Misconception, match=words):
            expectation()


def test_what_is_right_is_accepted():
    assert expect_tuple([1, 2], ("a", "b")) == (1, 2)
    for number in (2, 2.0, np.float32(2), torch.tensor(2.0), torch.tensor([[2.0]]), torch.tensor(2)):
        expect_close(number, 2.0, "the perplexity")
    for tensor in (torch.tensor([1.0, -torch.inf]), torch.zeros(0), torch.tensor([torch.nan, 1.0])):
        expect_close(tensor.clone(), tensor)
    expect_equal(["a"], ["a"])
