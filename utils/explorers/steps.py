"""The steps of attention: QKᵀ ÷ √d, mask, softmax, times V on an example small enough to follow every number."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from utils.explorers import drawing
from utils.explorers.delivery import Explorer, pack, visible

MOST = 8  # tokens or dimensions: more numbers than 8 × 8 nobody follows one by one
_WIDTH, _ROW, _LABELS, _HEADING = 760, 26, 70, 60  # pixels of the still picture: all, a row, its label, room above

Vectors = Tensor | np.ndarray | Sequence[Sequence[float]]


class AttentionSteps(Explorer):
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1), number by number, in four stages.

    ``query`` is (queries, d), ``key`` (keys, d) and ``value`` (keys, value size), none of the lengths above ``MOST``.
    ``mask`` is (keys,) or (queries, keys), True at a key that may be looked at; ``causal=True`` also forbids each query
    the keys after its own position. A query that may look at nothing gets weights and context of zero, as in
    ``torch.nn.functional.scaled_dot_product_attention``, whose numbers these are to within 1e-4.

    ``tokens`` names the queries and ``key_tokens`` the keys and values, for which ``tokens`` serve too when there are
    as many of both. Shapes that do not fit, NaN or infinity and too large an example are a ``ValueError``.
    """

    def __init__(
        self,
        query: Vectors,
        key: Vectors,
        value: Vectors,
        *,
        tokens: Sequence[str] | None = None,
        key_tokens: Sequence[str] | None = None,
        mask: Tensor | np.ndarray | Sequence[bool] | Sequence[Sequence[bool]] | None = None,
        causal: bool = False,
    ) -> None:
        query, key, value = (
            _checked_vectors(name, each) for name, each in (("query", query), ("key", key), ("value", value))
        )
        if query.size(1) != key.size(1):
            raise ValueError(
                f"query vectors have {query.size(1)} dimensions and key vectors {key.size(1)}; a dot product needs as "
                "many of both."
            )
        if len(key) != len(value):
            raise ValueError(f"there are {len(key)} keys but {len(value)} values; each key needs its own value.")
        names = _checked_names(tokens, "tokens", "query", "queries", len(query), "q")
        if key_tokens is None and tokens is not None:
            if len(key) != len(query):
                raise ValueError(
                    f"the {len(names)} tokens name the queries, but there are {len(key)} keys; give key_tokens too."
                )
            key_names = names
        else:
            key_names = _checked_names(key_tokens, "key_tokens", "key", "keys", len(key), "k")
        allowed = _checked_mask(mask, len(query), len(key))
        allowed = allowed.tril() if causal else allowed
        scores, masked, weights, context = _stages(query, key, value, allowed)

        shut = int((~allowed).sum())
        what = f"{len(query)} × {len(key)} tokens, d = {query.size(1)}"
        what += (", causal" if causal else "") + (f", {shut} of {allowed.numel()} scores masked" if shut else "")
        lines = [_sentence(*row) for row in zip(names, weights, context, [key_names] * len(names), strict=True)]
        largest = [
            f"{name} → {key_names[row.argmax()]} {row.max():.2f}" for name, row in zip(names, weights, strict=True)
        ]
        super().__init__(
            "steps",
            payload=pack(
                {
                    "tokens": names,
                    "keys": key_names,
                    "size": query.size(1),
                    "allowed": allowed.tolist(),
                    "causal": causal,
                    "masked": mask is not None,
                },
                {name: each.numpy() for name, each in (("query", query), ("key", key), ("value", value))},
            ),
            picture=_picture(names, key_names, scores, masked, weights, context),
            width=_WIDTH,
            alt=f"Four tables of numbers, the stages of attention for {what}: scaled scores, masked scores, weights, "
            f"contexts. Each query's largest weight: {'; '.join(largest)}.",
            summary="\n".join([f"Attention step by step: {what}", *lines]),
        )


def _checked_vectors(name: str, given: Any) -> Tensor:
    try:
        vectors = torch.as_tensor(given).detach().to("cpu", torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be numbers of shape (tokens, dimensions): {error}.") from None
    if vectors.dim() != 2 or vectors.numel() == 0:
        raise ValueError(
            f"{name} must have shape (tokens, dimensions), neither of them 0, not {tuple(vectors.shape)}; of a batch "
            "with heads take one example and one head."
        )
    if max(vectors.shape) > MOST:
        raise ValueError(
            f"{name} has shape {tuple(vectors.shape)}, too large to follow number by number; the limit is {MOST} "
            f"tokens of {MOST} dimensions, so take {name}[:{MOST}, :{MOST}] or show the weights with AttentionExplorer."
        )
    if not vectors.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity; give finite numbers, and forbid keys with mask.")
    return vectors.contiguous()


def _checked_names(
    given: Sequence[str] | None, argument: str, one: str, many: str, length: int, letter: str
) -> list[str]:
    if given is None:
        return [f"{letter}{number}" for number in range(1, length + 1)]
    names = list(given)
    if len(names) != length:
        raise ValueError(
            f"there are {len(names)} {argument} but {length} {many if length > 1 else one}; give one string for each."
        )
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"one of {argument} is {name!r}; tokens must be strings.")
    return [visible(name) for name in names]


def _checked_mask(mask: Any, queries: int, keys: int) -> Tensor:
    """Return who may look at whom, boolean (queries, keys)."""
    if mask is None:
        return torch.ones(queries, keys, dtype=torch.bool)
    try:
        allowed = torch.as_tensor(mask).detach().to("cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"mask must be True or False of shape (keys,) or (queries, keys): {error}.") from None
    if tuple(allowed.shape) not in ((keys,), (queries, keys)):
        raise ValueError(f"mask must have shape ({keys},) or ({queries}, {keys}), not {tuple(allowed.shape)}.")
    if allowed.dtype != torch.bool and not ((allowed == 0) | (allowed == 1)).all():
        raise ValueError("mask must be True (or 1) where a key may be looked at and False (or 0) elsewhere.")
    return allowed.bool().expand(queries, keys)


def _stages(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return scaled scores, masked scores and weights, each (queries, keys), and contexts (queries, value size)."""
    query, key, value = query.double(), key.double(), value.double()
    scores = query @ key.T / query.size(1) ** 0.5
    masked = scores.masked_fill(~allowed, -float("inf"))
    weights = masked.softmax(dim=1).masked_fill(~allowed, 0.0)
    return scores, masked, weights, weights @ value


def _number(value: float) -> str:
    """Return ``value`` in at most six characters, as steps.js writes it too."""
    if value == -float("inf"):
        return "−∞"
    size = abs(value)
    digits = "z.2f" if size < 9.995 else "z.1f" if size < 99.95 else "z.0f" if size < 999.5 else ".1e"
    return f"{value:{digits}}".replace("-", "−").replace("e+0", "e").replace("e+", "e")


def _sentence(name: str, weights: Tensor, context: Tensor, key_names: list[str]) -> str:
    shares = [(share, key) for share, key in zip(weights.tolist(), key_names, strict=True) if share > 0]
    total = " + ".join(f"{share:.2f} × value of {key}" for share, key in shares) or "nothing, since all is masked"
    return f"Context of {name} = {total} = ({', '.join(map(_number, context.tolist()))})."


def _picture(
    names: list[str], key_names: list[str], scores: Tensor, masked: Tensor, weights: Tensor, context: Tensor
) -> bytes:
    """Draw the four stages as tables, two above two."""
    height = _HEADING + _ROW * len(names)
    image = Image.new("RGB", (_WIDTH, 2 * height + 8), "white")
    dimensions = [f"d{number}" for number in range(1, context.size(1) + 1)]
    panels = (
        ("1  scores QKᵀ ÷ √d", scores, key_names),
        ("2  masked scores", masked, key_names),
        ("3  weights: softmax of each row", weights, key_names),
        ("4  contexts: weights × V", context, dimensions),
    )
    for place, (title, values, columns) in enumerate(panels):
        left, top = _LABELS + place % 2 * _WIDTH // 2, _HEADING + place // 2 * height
        width = min(64, (_WIDTH // 2 - _LABELS - 10) // len(columns))
        pen = ImageDraw.Draw(image)
        pen.text((left, top - 50), title, "black", font=drawing.font(14, bold=True))
        _write(pen, columns, lambda at, left=left, top=top, width=width: (left + width * (at + 0.5), top - 12), width)
        _write(pen, names, lambda at, left=left, top=top: (left - 6, top + _ROW * (at + 0.5)), _LABELS - 8, "rm")
        for (row, column), value in np.ndenumerate(values.numpy()):
            box = (left + width * column, top + _ROW * row, left + width * (column + 1), top + _ROW * (row + 1))
            shut = place in (1, 2) and masked[row, column] == -float("inf")
            fill, ink = (drawing.rgb(value), drawing.ink_on(value)) if place == 2 and not shut else (None, "black")
            if shut:
                drawing.hatch(image, box)
            pen.rectangle(box, fill, "#D9D9D9")
            middle = (box[0] + width / 2, box[1] + _ROW / 2)
            pen.text(middle, _number(value), ink, font=drawing.font(13 if width > 44 else 11), anchor="mm")
    return drawing.stored(image)


def _write(
    pen: ImageDraw.ImageDraw,
    names: list[str],
    place: Callable[[int], tuple[float, float]],
    width: float,
    anchor: str = "mm",
) -> None:
    face = drawing.font(12)
    for number, name in enumerate(names):
        pen.text(place(number), drawing.fitted(name, face, width - 2), drawing.SOFT, font=face, anchor=anchor)
