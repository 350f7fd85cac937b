"""Attention weights, vectors and words for the tests of the views."""

import torch
from torch import Tensor


def weights(*shape: int, causal: bool = False, seed: int = 0) -> Tensor:
    """Return rows that sum to 1, some sharp and some not; with ``causal`` nothing above the diagonal."""
    scores = 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    if causal:
        scores = scores.masked_fill(torch.ones(shape[-2:]).triu(1).bool(), -torch.inf)
    return scores.softmax(dim=-1)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def words(count: int, word: str = "w") -> list[str]:
    return [f"{word}{number}" for number in range(count)]
