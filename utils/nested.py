"""Tensors inside tuples, lists and dicts, as batches and models' states are: to be handled all alike."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def map_tensors(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Return ``value`` with every tensor in it changed, through tuples, lists and dicts; all else stays as it is."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: map_tensors(change, each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        changed = [map_tensors(change, each) for each in value]
        return type(value)(*changed) if hasattr(value, "_fields") else type(value)(changed)  # a named tuple, or another
    return value


def to_device(value: Any, device: torch.device) -> Any:
    """Return ``value`` with every tensor in it on ``device``."""
    return map_tensors(lambda tensor: tensor.to(device), value)


def select_rows(value: Any, rows: Tensor) -> Any:
    """Return ``value`` with the chosen ``rows`` (int64, 1-D) of each tensor in it; its first dimension is the batch."""
    return map_tensors(lambda tensor: tensor.index_select(0, rows), value)
