"""The comparisons of the checks, and the words they find."""

import numpy as np
import pytest
import torch

from utils.exercises import Misconception, expect_close, expect_equal, expect_shape, expect_tensor, expect_tuple


def test_expectations():
    with pytest.raises(Misconception, match=r"should return 2 values \(context, weights\) and returns a tensor"):
        expect_tuple(torch.zeros(2), ("context", "weights"))
    with pytest.raises(Misconception, match="returns None: end it with return context, weights"):
        expect_tuple(None, ("context", "weights"))
    assert expect_tuple([1, 2], ("a", "b")) == (1, 2)
    with pytest.raises(Misconception, match="keepdim=True"):
        expect_shape(torch.zeros(2), (2, 1))
    with pytest.raises(Misconception, match="stands in the wrong place"):
        expect_shape(torch.zeros(1, 2), (2, 1))
    with pytest.raises(Misconception, match=r"under torch.no_grad\(\)"):
        expect_tensor(torch.zeros(2, requires_grad=True), requires_grad=False)
    with pytest.raises(Misconception, match="True and False are exchanged"):
        expect_close(torch.tensor([True, False]), torch.tensor([False, True]), "the mask")
    with pytest.raises(Misconception, match=r"wrong value for the perplexity: it should be 2.0000 and is 3.0000"):
        expect_close(3.0, 2.0, "the perplexity")
    with pytest.raises(Misconception, match="bits"):
        expect_close(3.0, 2.0, "the perplexity", known_wrong=[(3.0, "bits are not nats")])
    for number in (2, 2.0, np.float32(2), torch.tensor(2.0), torch.tensor([[2.0]]), torch.tensor(2)):
        expect_close(number, 2.0, "the perplexity")
    with pytest.raises(Misconception, match="the bool True, not a tensor"):
        expect_close(True, 1.0, "the loss")
    expect_close(torch.tensor([1.0, -torch.inf]), torch.tensor([1.0, -torch.inf]))
    expect_close(torch.zeros(0), torch.zeros(0))
    expect_close(torch.tensor([torch.nan, 1.0]), torch.tensor([torch.nan, 1.0]))
    with pytest.raises(Misconception, match=r"1 of 3 values are off; at \[1\] it should be 5 and is 6"):
        expect_close(torch.tensor([4, 6, 7]), torch.tensor([4, 5, 7]))


def test_equal_compares_type_and_value():
    expect_equal(["a"], ["a"])
    for actual, words in [
        (None, "is None"),
        (("a",), "should be a list of 1 item and is a tuple of 1 item"),
        (torch.zeros(1), "makes Python values of a tensor"),
        (["b"], r"should be \['a'\] and is \['b'\]"),
        (["a", "</s>"], "stop before the end token"),
    ]:
        with pytest.raises(Misconception, match=words):
            expect_equal(actual, ["a"], known_wrong=[(["a", "</s>"], "stop before the end token")])
    with pytest.raises(Misconception, match="the int 1 and is the bool True"):
        expect_equal(True, 1)
