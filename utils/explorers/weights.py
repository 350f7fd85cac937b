"""Attention weights on their way to a view: every model's shape made one, checked, and stored in one byte each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

EAGER = 'load the model with attn_implementation="eager" and call it with output_attentions=True'
ROW_TOLERANCE = 0.01  # a row of bfloat16 weights sums to 1 within 0.004


def checked_weights(
    attention: Any, *, name: str, example: int = 0, queries: int | None = None, keys: int | None = None
) -> np.ndarray:
    """Return the attention weights of one example as float32 (layers, heads, query, key), or say what is wrong.

    ``attention`` is an array or tensor, read by its number of dimensions: 2 is (query, key); 3 is (batch, query, key),
    one head; 4 is (batch, heads, query, key), one layer; 5 is (layers, batch, heads, query, key). It may also be a
    sequence of layers, each of them 2- to 4-dimensional in the same way (transformers' ``attentions``,
    ``decoder_attentions`` and ``cross_attentions``), or a sequence of such sequences, one for each step of
    ``model.generate``, which are joined one below the other. ``example`` chooses from the batch.

    ``ValueError``, naming ``name``, for ``None``; a shape that is none of these; another number of rows than
    ``queries`` or of columns than ``keys``; an ``example`` that the batch does not have; layers that differ in shape;
    and for NaN, infinity, negative weights and rows that do not sum to 1. A row that may attend to nothing is all zero.
    """
    stacked = np.stack(_layers(attention, name, example))  # (layers, heads, query, key)
    if 0 in stacked.shape:
        raise ValueError(f"{name} has shape {stacked.shape}; there must be at least one layer, head, query and key.")
    for count, wanted, what in ((stacked.shape[2], queries, "rows"), (stacked.shape[3], keys, "columns")):
        if wanted is not None and count != wanted:
            raise ValueError(
                f"{name} has {count} {what} but there {'is' if wanted == 1 else 'are'} {wanted} "
                f"token{'s' * (wanted != 1)} for them; give the tokens as the model read them, special tokens included."
            )
    _check_rows(stacked, name)
    return stacked


def is_causal(weights: np.ndarray) -> bool:
    """Return whether no query of ``weights`` (layers, heads, query, key) attends to a later position, in any head."""
    queries, keys = weights.shape[2:]
    return queries == keys > 1 and not (weights[..., *np.triu_indices(keys, 1)] > 1e-6).any()


def encoded(weights: np.ndarray, *, causal: bool = False) -> np.ndarray:
    """Return ``weights`` (layers, heads, query, key) as uint8, round(255·√weight): off by at most 0.004.

    With ``causal`` only the lower triangle is kept, row by row: (layers, heads, query · (query + 1) / 2).
    """
    stored = np.rint(255 * np.sqrt(np.minimum(weights, 1))).astype("uint8")
    return stored[..., *np.tril_indices(weights.shape[-1])] if causal else stored


def decoded(stored: np.ndarray, *, causal: bool = False) -> np.ndarray:
    """Return the float32 weights (layers, heads, query, key) that ``encoded`` stored."""
    values = np.square(stored.astype("float32") / 255)
    if not causal:
        return values
    size = int((np.sqrt(8 * stored.shape[-1] + 1) - 1) / 2)
    whole = np.zeros((*stored.shape[:-1], size, size), dtype="float32")
    whole[..., *np.tril_indices(size)] = values
    return whole


def _layers(attention: Any, name: str, example: int) -> list[np.ndarray]:
    """Return one (heads, query, key) array for each layer, all of one shape."""
    if attention is None:
        raise ValueError(f"{name} is None: this model gave no attention weights; {EAGER}.")
    layered = isinstance(attention, Sequence) and not isinstance(attention, str)
    if layered and len(attention) == 0:
        raise ValueError(f"{name} is empty: this model gave no attention weights; {EAGER}.")
    if layered and any(layer is None for layer in attention):
        raise ValueError(f"{name} holds None: this model gave no attention weights for some layer; {EAGER}.")
    if layered and all(isinstance(step, tuple | list) and _holds_arrays(step) for step in attention):
        return _joined([_layers(step, f"step {number} of {name}", example) for number, step in enumerate(attention)])
    if layered and _holds_arrays(attention):
        layers = [_layer(layer, f"layer {number} of {name}", example) for number, layer in enumerate(attention)]
    elif (array := _array(attention, name)).ndim == 5:
        layers = [_layer(layer, f"layer {number} of {name}", example) for number, layer in enumerate(array)]
    else:
        layers = [_layer(array, name, example)]
    shapes = sorted({layer.shape for layer in layers})
    if len(shapes) > 1:
        raise ValueError(
            f"the layers of {name} have different shapes (heads, query, key): {', '.join(map(str, shapes))}; "
            "show the layers of each shape in a view of their own."
        )
    return layers


def _joined(steps: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Join the steps of a generation: each reads new queries and, in self-attention, has more keys than the last."""
    keys = max(layer.shape[-1] for step in steps for layer in step)
    wide = [[np.pad(each, ((0, 0), (0, 0), (0, keys - each.shape[-1]))) for each in step] for step in steps]
    return [np.concatenate(layer, axis=1) for layer in zip(*wide, strict=True)]


def _holds_arrays(values: Sequence[Any]) -> bool:
    return any(isinstance(value, Tensor | np.ndarray) for value in values)


def _array(values: Any, name: str) -> np.ndarray:
    try:
        return torch.as_tensor(values).detach().to("cpu", torch.float32).numpy()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must hold numbers, as an array, a tensor, or one of these for each layer.") from None


def _layer(values: Any, name: str, example: int) -> np.ndarray:
    """Return one layer's weights as (heads, query, key)."""
    if values is None:
        raise ValueError(f"{name} is None: this model gave no attention weights for it; {EAGER}.")
    array = _array(values, name)
    if array.ndim not in (2, 3, 4):
        raise ValueError(
            f"{name} has shape {array.shape}; attention weights are (query, key), (batch, query, key) or "
            "(batch, heads, query, key), with layers before the batch as a fifth dimension or a sequence of these."
        )
    if array.ndim == 2:
        return array[None]
    if not 0 <= example < array.shape[0]:
        raise ValueError(f"example is {example}, but the batch of {name} has {array.shape[0]}, counted from 0.")
    return array[example] if array.ndim == 4 else array[example][None]


def _check_rows(weights: np.ndarray, name: str) -> None:
    sums = weights.sum(axis=-1, dtype="float64")
    if not np.isfinite(sums).all():
        raise ValueError(f"{name} holds NaN or infinity; a row that may attend to nothing must be all zero.")
    if (lowest := weights.min()) < 0:
        raise ValueError(f"{name} holds {lowest:.3g}; weights are never negative, take them after the softmax.")
    wrong = (np.abs(sums - 1) > ROW_TOLERANCE) & (sums != 0)
    if wrong.any():
        layer, head, row = np.argwhere(wrong)[0]
        raise ValueError(
            f"row {row} of layer {layer}, head {head} in {name} sums to {sums[layer, head, row]:.3g}, not to 1; "
            "take the weights after the softmax, over all keys, with dropout off (model.eval())."
        )
