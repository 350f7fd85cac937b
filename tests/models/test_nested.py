"""Tensors inside tuples, lists and dicts: all are reached, and nothing else changes."""

from collections import namedtuple

import pytest
import torch

from utils.nested import map_tensors, select_rows, to_device


def test_batches_of_any_shape_move_to_the_device():
    moved = to_device({"a": [torch.zeros(1), (torch.ones(2), "text")], "b": 3}, torch.device("meta"))
    assert moved["a"][0].device.type == moved["a"][1][0].device.type == "meta"
    assert moved["a"][1][1] == "text"
    assert moved["b"] == 3
    Pair = namedtuple("Pair", "ids mask")
    assert to_device(Pair(torch.zeros(1), torch.ones(1)), torch.device("meta")).mask.device.type == "meta"


def test_rows_are_chosen_in_every_tensor_and_in_that_order():
    State = namedtuple("State", "past mask source")
    state = State(((torch.arange(3), torch.arange(6).view(3, 2)),), None, ())
    chosen = select_rows(state, torch.tensor([2, 0, 2]))
    assert isinstance(chosen, State)
    assert chosen.past[0][0].tolist() == [2, 0, 2]
    assert chosen.past[0][1].tolist() == [[4, 5], [0, 1], [4, 5]]
    assert (chosen.mask, chosen.source) == (None, ())


@pytest.mark.parametrize("value", [(), [], {}, None, "text", 3, [("a", {"b": 2})]])
def test_what_holds_no_tensor_stays_as_it_is(value):
    changed = map_tensors(lambda tensor: pytest.fail("there is no tensor"), value)
    assert changed == value
    assert type(changed) is type(value)
