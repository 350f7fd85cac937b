"""Attention (slides 5 and 6): score every source position, turn the scores into weights, return the weighted mean.

``attention`` is one function for every model of the course; the score functions are small modules with one interface,
``score(query, key)`` from (..., target, query size) and (..., source, key size) to (..., target, source).
``MultiHeadAttention`` is the Transformer's.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AdditiveScore(nn.Module):
    """Score by a small network, v · tanh(W q + U k) (Bahdanau et al. 2015, appendix A.1.2; slide 5)."""

    def __init__(self, query_size: int, key_size: int, hidden_size: int | None = None):
        super().__init__()
        hidden_size = hidden_size or query_size
        self.query = nn.Linear(query_size, hidden_size, bias=False)
        self.key = nn.Linear(key_size, hidden_size)
        self.v = nn.Linear(hidden_size, 1, bias=False)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Return the scores (..., target, source)."""
        every_pair = self.query(query).unsqueeze(-2) + self.key(key).unsqueeze(-3)  # (..., target, source, hidden)
        return self.v(torch.tanh(every_pair)).squeeze(-1)


class DotScore(nn.Module):
    """Score by the dot product q · k (Luong et al. 2015, eq. 8, "dot")."""

    def __init__(self, query_size: int, key_size: int):
        super().__init__()
        if query_size != key_size:
            raise ValueError(
                f"a dot product needs queries and keys of one size, not {query_size} and {key_size}; "
                "use GeneralScore or AdditiveScore."
            )

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Return the scores (..., target, source)."""
        return query @ key.transpose(-2, -1)


class GeneralScore(nn.Module):
    """Score by q · W k: the keys are mapped into the queries' space first (Luong et al. 2015, eq. 8, "general")."""

    def __init__(self, query_size: int, key_size: int):
        super().__init__()
        self.key = nn.Linear(key_size, query_size, bias=False)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Return the scores (..., target, source)."""
        return query @ self.key(key).transpose(-2, -1)


class ScaledDotScore(DotScore):
    """Score by q · k / √d, which keeps the scores' spread the same for every size d (Vaswani et al. 2017, eq. 1)."""

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Return the scores (..., target, source)."""
        return super().forward(query, key) / math.sqrt(query.size(-1))


class ScaledGeneralScore(GeneralScore):
    """Score by q · W k / √d, a scaled dot product with a map before it, as in the heads of a Transformer.

    Unscaled, W soon makes the scores so large that the softmax saturates (``benchmarks/scores.py``). A Transformer maps
    the queries too (Vaswani et al. 2017, section 3.2.2); at full size that is the same: (A q) · (B k) = q · (AᵀB) k.
    """

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Return the scores (..., target, source)."""
        return super().forward(query, key) / math.sqrt(query.size(-1))


SCORES = {
    "additive": AdditiveScore,
    "dot": DotScore,
    "general": GeneralScore,
    "scaled dot": ScaledDotScore,
    "scaled general": ScaledGeneralScore,
}


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, score: nn.Module | None = None
) -> tuple[Tensor, Tensor]:
    """Let every query look at all keys; return the ``context`` and the ``weights``.

    ``query`` is (..., target, query size), ``key`` (..., source, key size), ``value`` (..., source, value size), and
    ``mask``, True where a query may look, broadcasts to (..., target, source): a padding mask (batch, source) enters
    as ``mask[:, None]``. Returns ``context`` (..., target, value size), the mean of the values by the ``weights``
    (..., target, source), which are 0 where the mask is False and sum to 1 over the rest. Without a ``score`` the
    scores are scaled dot products.
    """
    if score is None:
        score = ScaledDotScore(query.size(-1), key.size(-1))
    weights = masked_softmax(score(query, key), mask)
    return weights @ value, weights


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the softmax of ``scores`` (..., target, source) over the source positions where ``mask`` is True.

    A row that may look nowhere is all zeros. Raises ``ValueError`` unless ``mask`` is boolean and has as many
    dimensions as ``scores``: with fewer, the batch could be mistaken for the target.
    """
    if mask is None:
        return scores.softmax(dim=-1)
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be boolean, True where one may look, not {mask.dtype}; use mask.bool().")
    if mask.dim() != scores.dim():
        raise ValueError(
            f"mask has {mask.dim()} dimensions and the scores {scores.dim()}; a padding mask (batch, source) enters "
            "as mask[:, None], the same for every target position."
        )
    # The lowest finite number, where −∞ would make a row without any real token NaN.
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(dim=-1).masked_fill(~mask, 0.0)


class KeysValues(NamedTuple):
    """What a multi-head attention looks at: one key and one value for each head and position."""

    key: Tensor  # (batch, heads, source, head size)
    value: Tensor  # (batch, heads, source, head size)


class MultiHeadAttention(nn.Module):
    """Attention by several heads, each with its own maps of queries, keys and values (Vaswani et al. 2017, 3.2.2)."""

    def __init__(self, hidden_size: int, num_heads: int):
        super().__init__()
        if num_heads < 1 or hidden_size % num_heads:
            raise ValueError(f"{hidden_size} numbers cannot be shared out among {num_heads} heads; choose a divisor.")
        self.num_heads = num_heads
        self.query, self.output = nn.Linear(hidden_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        self.key_value = nn.Linear(hidden_size, 2 * hidden_size)  # two maps in one: one product is faster than two

    def split(self, states: Tensor) -> Tensor:
        """Share out (batch, length, hidden) among the heads: (batch, heads, length, head size)."""
        return states.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def look_at(self, states: Tensor) -> KeysValues:
        """Return the keys and values of ``states`` (batch, source, hidden), to be looked at now or kept for later."""
        return KeysValues(*(self.split(each) for each in self.key_value(states).chunk(2, dim=-1)))

    def forward(
        self, states: Tensor, source: KeysValues, mask: Tensor | None = None, return_attention: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Let each of ``states`` (batch, target, hidden) look at the ``source``; return the update and the weights.

        ``mask``, True where a query may look, broadcasts to (batch, heads, target, source). The update has the shape of
        ``states``. The weights (batch, heads, target, source) are None unless asked for: PyTorch's fused attention,
        which is used otherwise, never holds them all.
        """
        query = self.split(self.query(states))  # (batch, heads, target, head size)
        if return_attention:
            context, weights = attention(query, source.key, source.value, mask)
        else:
            context, weights = F.scaled_dot_product_attention(query, source.key, source.value, mask), None
        joined = context.transpose(1, 2).flatten(2)  # (batch, target, hidden)
        return self.output(joined), weights


def causal_mask(length: int, past: int = 0, device: torch.device | None = None) -> Tensor:
    """Return (length, past + length), True where a token may look: at the past, at itself, at nothing that follows."""
    return torch.ones(length, past + length, dtype=torch.bool, device=device).tril(past)
