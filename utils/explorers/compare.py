"""The comparison view: two models, layers or inputs side by side with what differs; measured curves likewise."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from torch import Tensor

from utils.explorers.attention_parts import Attention, checked_attention, checked_tokens
from utils.explorers.compare_curves import checked_curves, curves_picture
from utils.explorers.compare_parts import WIDTH, Place, Side, apart, checked_names, checked_place, labels, sentences
from utils.explorers.compare_picture import maps_picture
from utils.explorers.delivery import Explorer, check_size, pack, script
from utils.explorers.weights import encoded

Mask = Tensor | np.ndarray | Sequence[Any]


class CompareView(Explorer):
    """Two maps of attention and the map of their difference, cell by cell, with curves over the layers and the tokens.

    ``first`` and ``second`` are attention weights as ``checked_weights`` reads them: of two models (their layers and
    heads may differ in number), of two inputs, or, with ``second=None``, of one model, to compare its layers or heads
    or two ``examples`` of its batch. ``tokens`` name the columns (keys), ``target_tokens`` the rows (queries; ``None``:
    the same, self-attention); the second side has the same ones unless ``second_tokens`` or ``second_target_tokens``
    are given. Sides of different size are shown without a difference map.

    ``mask`` and ``second_mask`` (``None``: the same), (tokens,) or (batch, tokens), are True at real tokens; what they
    or causality forbid is hatched. ``names`` are what the sides are called, ``examples`` which of the batch each is,
    ``layers`` which layers to carry, of both. The view starts at ``start``, a (layer, head) for each side, the head
    ``None`` for the mean: by default at the mean of the last layer of both, within one model at the means of its first
    and last layer, or at its first two heads.

    Weights are stored to within 0.004 and differences to within 0.008. For each row the view reads off the
    Jensen–Shannon divergence (Lin 1991) in bits and the total variation. ``ValueError`` for anything that does not fit
    together, and for more than a notebook carries well.
    """

    def __init__(
        self,
        first: Any,
        second: Any,
        tokens: Sequence[str],
        target_tokens: Sequence[str] | None = None,
        *,
        second_tokens: Sequence[str] | None = None,
        second_target_tokens: Sequence[str] | None = None,
        names: Sequence[str] = ("first", "second"),
        examples: tuple[int, int] = (0, 0),
        layers: Sequence[int] | None = None,
        mask: Mask | None = None,
        second_mask: Mask | None = None,
        start: tuple[Place, Place] | None = None,
    ) -> None:
        called = checked_names(names)
        for argument, given in (("names", called), ("examples", examples), ("start", start or (0, 0))):
            if len(given) != 2:
                raise ValueError(f"{argument} has {len(given)} entries; it must have two, one for each side.")
        alone = second is None and examples[0] == examples[1]
        given = (
            ("first", first, (("tokens", tokens), ("target_tokens", target_tokens)), mask),
            (
                "first" if second is None else "second",
                first if second is None else second,
                (
                    ("tokens", tokens) if second_tokens is None else ("second_tokens", second_tokens),
                    ("target_tokens", target_tokens)
                    if second_target_tokens is None
                    else ("second_target_tokens", second_target_tokens),
                ),
                mask if second_mask is None else second_mask,
            ),
        )
        shown = [_attention(*each, example, layers) for each, example in zip(given, examples, strict=True)]
        places = _starts(shown, alone) if start is None else list(start)
        sides = [
            Side(name, each, *checked_place(f"the {which} side", each, place))
            for name, each, which, place in zip(called, shown, ("first", "second"), places, strict=True)
        ]
        same = shown[0].weights.shape == shown[1].weights.shape and np.array_equal(*(each.weights for each in shown))
        # Weights take about 0.7 bytes each, rarely less than a quarter of that: far too many are refused unpacked.
        most = max(len(each.layers) for each in shown)
        check_size("comparison", 0.7 * sum(each.weights.size for each in shown[: 1 if same else 2]), most, leeway=4)
        payload = pack(*_payload(sides, same=same))
        still = maps_picture(*sides)
        check_size("comparison", len(payload) + len(still) * 4 / 3 + len(script("compare").encode()), most)
        said = sentences(*sides)
        super().__init__(
            "compare",
            payload=payload,
            picture=still,
            width=WIDTH,
            alt=f"Heat maps of attention, {called[0]} and {called[1]}"
            f"{'' if apart(*sides) else ', and of their difference'}. {said}",
            summary=f"Comparison of {called[0]} and {called[1]}\n{said}",
        )

    @classmethod
    def curves(
        cls,
        series: Mapping[str, Any],
        x: Any,
        *,
        x_label: str,
        y_label: str,
        baseline: str | None = None,
        intervals: Mapping[str, Any] | None = None,
    ) -> Self:
        """Show measured curves of up to seven models together, and on demand their difference from one of them.

        ``series`` holds for each name one number for each ``x``, NaN where nothing was measured; ``x`` increases.
        ``baseline`` names the curve that the others are compared with, by default the first. ``intervals`` holds for
        some of the names a (low, high), each with one number for each ``x``, drawn as a band; let ``y_label`` say which
        intervals they are. ``ValueError`` for anything that does not fit together.
        """
        shown = checked_curves(series, x, x_label=x_label, y_label=y_label, baseline=baseline, intervals=intervals)
        said = shown.sentences()
        made = cls.__new__(cls)
        Explorer.__init__(
            made,
            "curves",
            payload=pack(
                {"names": shown.names, "baseline": shown.baseline, "x_label": shown.x_label, "y_label": shown.y_label},
                {
                    name: getattr(shown, name).astype("float32")
                    for name in ("x", "values") + ("low", "high") * (intervals is not None)
                },
            ),
            picture=curves_picture(shown),
            width=WIDTH,
            alt=f"Line chart: {said}",
            summary=said,
        )
        return made


def _attention(
    argument: str,
    weights: Any,
    between: tuple[tuple[str, Sequence[str] | None], tuple[str, Sequence[str] | None]],
    mask: Mask | None,
    example: int,
    layers: Sequence[int] | None,
) -> Attention:
    """Return one side's attention, that fits its tokens; ``between`` names and holds the keys and the queries."""
    keys, queries = (
        checked_tokens(name, tokens, None if place else mask, None, (), example)
        for place, (name, tokens) in enumerate(between)
    )
    if keys is None:
        raise ValueError("tokens is None; give one string for each position that the model read.")
    return checked_attention(argument, argument, weights, queries or keys, keys, example=example, layers=layers)


def _starts(shown: Sequence[Attention], alone: bool) -> list[Place]:
    layers, heads = shown[0].layers, shown[0].weights.shape[1]
    if not alone:
        return [(each.layers[-1], None) for each in shown]
    if len(layers) > 1:
        return [(layers[0], None), (layers[-1], None)]
    if heads == 1:
        raise ValueError("first has one layer and one head, so there is nothing to compare in it; give second.")
    return [(layers[0], 0), (layers[0], 1)]


def _payload(sides: Sequence[Side], *, same: bool) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and arrays that compare.js reads; weights that both sides have are stored once.

    The heads are counted from 1, their mean is 0. The upper triangle of causal attention is kept: it compresses away.
    """
    reason, counts = apart(*sides), [side.attention.weights.shape[:2] for side in sides]
    starts = [
        [side.layer, 0 if side.head is None or heads == 1 else side.head + 1]
        for side, (_, heads) in zip(sides, counts, strict=True)
    ]
    layers = max((side.attention.layers for side in sides), key=len)
    rows = max((side.attention.queries.labels for side in sides), key=len) if reason else labels(*sides, "queries")
    maps = [
        {
            "name": side.name,
            "heads": heads,
            "choices": [
                [f"layer {layer}" for layer in side.attention.layers],
                [f"mean of {heads} heads"] * (heads > 1) + [f"head {head}" for head in range(heads)],
            ],
            "from": side.attention.queries.labels,
            "to": side.attention.keys.labels,
            "start": start,
            "stored": f"weights{0 if same else number}",
        }
        for number, (side, start, (_, heads)) in enumerate(zip(sides, starts, counts, strict=True))
    ]
    if reason is None:
        maps.append({"name": "difference", "from": rows, "to": labels(*sides, "keys")})
    header = {
        "maps": maps,
        "apart": reason,
        "most": [max(len(each[which]) for each in maps) for which in ("from", "to")],
        "longest": max(len(label) for each in maps for label in each["from"] + each["to"]),
        "equal": [one == other for one, other in zip(*counts, strict=True)],
        "together": counts[0] == counts[1] and starts[0] == starts[1],
        "over": len(layers) > 1,  # the curves: over the layers, else over the rows
        "along": "layer, mean of its rows" if len(layers) > 1 else "row",
        "places": [str(layer) for layer in layers] if len(layers) > 1 else [row[:8] for row in rows],
    }
    arrays = {f"shut{number}": side.attention.forbidden.astype("uint8") for number, side in enumerate(sides)}
    for number, side in enumerate(sides[:1] if same else sides):
        arrays[f"weights{number}"] = encoded(side.attention.weights)
    return header, arrays
