"""The sampling explorer: what temperature, top-k and top-p do to a model's next-token distribution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from utils import plots
from utils.decoding import Decodable, sampling_probabilities
from utils.explorers.beam import BeamTree
from utils.explorers.delivery import Explorer, pack, png, shortened, visible

TEMPERATURES = (0.1, 3.0)  # the ends of the slider
STEP = 2.0**-10  # logits are stored to the nearest multiple of this below the highest one
_FARTHEST = 8_000.0  # a logit farther below the highest than this is stored as this far: probability 0 either way
_PICTURED = 8  # bars in the still picture; the live view has ``top``


@dataclass(frozen=True)
class _Settings:
    temperature: float
    top_k: int | None
    top_p: float | None

    def __str__(self) -> str:
        top_k = "off" if self.top_k is None else f"{self.top_k:,}"
        top_p = "off" if self.top_p is None else f"{self.top_p:g}"
        return f"temperature {self.temperature:g}, top-k {top_k}, top-p {top_p}"


class DecodingExplorer(Explorer):
    """Stored next-token logits with sliders for temperature, top-k and top-p that recompute in the browser.

    ``logits`` is (vocabulary,) or (contexts, vocabulary); ``tokens`` holds the vocabulary's strings, or is a function
    from id to string (asked for the named tokens only); ``prompt`` is the text before, one for each context. Minus
    infinity is a token the model may not choose; NaN, plus infinity or a context without any choice is a
    ``ValueError``, as are shapes that do not fit.

    ``top`` tokens get a bar. *Every* logit is stored, to within 0.0005, so that entropy, kept tokens and kept mass
    count the whole vocabulary at any setting and probabilities agree with ``sampling_probabilities`` to within 0.004;
    but only the ``named`` most probable tokens of each context keep their text: the others are called by their rank.
    """

    def __init__(
        self,
        logits: Tensor | np.ndarray | Sequence[float] | Sequence[Sequence[float]],
        tokens: Sequence[str] | Callable[[int], str],
        *,
        prompt: str | Sequence[str] | None = None,
        top: int = 20,
        named: int = 128,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> None:
        scores = _checked_logits(logits)
        if top < 1 or named < top:
            raise ValueError(f"top must be at least 1 and named at least top, not top={top} and named={named}.")
        if not TEMPERATURES[0] <= temperature <= TEMPERATURES[1]:
            raise ValueError(f"temperature must lie within the slider's {TEMPERATURES}, not {temperature}.")
        name_of = _checked_tokens(tokens, vocabulary=scores.size(1))
        prompts = _checked_prompts(prompt, contexts=scores.size(0))
        settings = _Settings(temperature, top_k, top_p)
        before, after = sampling_probabilities(scores), sampling_probabilities(scores, temperature, top_k, top_p)
        order = scores.sort(dim=1, descending=True, stable=True).indices  # (contexts, vocabulary), as in decoding.py

        first = order[0, : min(top, _PICTURED, int(scores[0].isfinite().sum()))]
        labels = [visible(name_of(int(index))) for index in first]
        lines = [
            _sentence(text, [visible(name_of(int(index))) for index in ranked[:3]], start[ranked[:3]], end, settings)
            for text, ranked, start, end in zip(prompts, order, before, after, strict=True)
        ]
        vocabulary = f"a vocabulary of {scores.size(1):,} tokens"
        super().__init__(
            "decoding",
            payload=pack(*_payload(scores, order, prompts, name_of, top=top, named=named, settings=settings)),
            picture=png(_picture(labels, before[0, first].tolist(), after[0, first].tolist(), prompts[0], settings)),
            width=660,
            alt=f"Bar chart: the {len(labels)} most probable next tokens of {vocabulary}, with {settings}. {lines[0]}",
            summary="\n".join([f"Next-token distribution over {vocabulary}, with {settings}", *lines]),
        )

    @classmethod
    def beam(cls, model: Decodable, ids: Tensor, state: Any = None, **settings: Any) -> BeamTree:
        """Return what beam search does from this prompt as a tree; ``settings`` are ``BeamTree``'s own."""
        return BeamTree(model, ids, state, **settings)


def _checked_logits(logits: Any) -> Tensor:
    try:
        scores = torch.as_tensor(logits).detach().to("cpu", torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"logits must be numbers of shape (vocabulary,) or (contexts, vocabulary): {error}.") from None
    scores = scores.unsqueeze(0) if scores.dim() == 1 else scores
    if scores.dim() != 2 or scores.numel() == 0:
        raise ValueError(
            "logits must have shape (vocabulary,) or (contexts, vocabulary), neither of them 0, "
            f"not {tuple(scores.shape)}; of a model's output take the last position, logits[:, -1]."
        )
    for context, row in enumerate(scores):
        if row.isnan().any() or row.isposinf().any():
            raise ValueError(f"the logits of context {context} hold NaN or +infinity; the model's output is damaged.")
        if not row.isfinite().any():
            raise ValueError(f"the logits of context {context} are all -infinity; at least one token must be possible.")
    return scores


def _checked_tokens(tokens: Sequence[str] | Callable[[int], str], *, vocabulary: int) -> Callable[[int], str]:
    if not callable(tokens) and len(tokens) != vocabulary:
        raise ValueError(f"there are {len(tokens):,} tokens but {vocabulary:,} logits; give one token for each logit.")

    def name_of(index: int) -> str:
        name = tokens(index) if callable(tokens) else tokens[index]
        if not isinstance(name, str):
            raise ValueError(f"token {index} is {name!r}; tokens must be strings.")
        return name

    return name_of


def _checked_prompts(prompt: str | Sequence[str] | None, *, contexts: int) -> list[str]:
    if prompt is None:
        return [f"context {number}" for number in range(1, contexts + 1)] if contexts > 1 else [""]
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if len(prompts) != contexts:
        raise ValueError(f"there are {len(prompts)} prompts but {contexts} contexts; give one prompt for each context.")
    if not all(isinstance(text, str) for text in prompts):
        raise ValueError("every prompt must be a string: the text that stands before the next token.")
    return [shortened(visible(text, spaces=False) if text else "", 240) for text in prompts]


def _payload(
    scores: Tensor,
    order: Tensor,
    prompts: list[str],
    name_of: Callable[[int], str],
    *,
    top: int,
    named: int,
    settings: _Settings,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and arrays: per context the logits in falling order as steps down, and the names of the first.

    Sorted, neighbours differ by little, so the steps compress to about a byte each; three byte planes, low first.
    """
    contexts, arrays, wanted = [], {}, []
    for number, (row, ranked) in enumerate(zip(scores.double(), order, strict=True)):
        ranked = ranked[row[ranked].isfinite()]
        ordered = row[ranked].numpy()
        depth = np.round(np.minimum(ordered[0] - ordered, _FARTHEST) / STEP).astype("<u4")
        planes = np.diff(depth, prepend=depth[:1]).astype("<u4").view("uint8").reshape(-1, 4)[:, :3]
        arrays[f"steps{number}"] = np.ascontiguousarray(planes.T)
        wanted.append(ranked[:named].tolist())
        contexts.append({"text": prompts[number], "highest": ordered[0], "excluded": len(row) - len(ranked)})
    # Names in the order of the vocabulary, once each: neighbours often share letters, and contexts share names.
    ids = sorted({index for indices in wanted for index in indices})
    place = {index: number for number, index in enumerate(ids)}
    for number, indices in enumerate(wanted):
        arrays[f"names{number}"] = np.array([place[index] for index in indices], dtype="uint32")
    header = {
        "top": top,
        "step": STEP,
        "temperature": settings.temperature,
        "temperatures": TEMPERATURES,
        "top_k": settings.top_k,
        "top_p": settings.top_p,
        "contexts": contexts,
        "names": [visible(name_of(index)) for index in ids],
    }
    return header, arrays


def _sentence(text: str, names: list[str], probabilities: Tensor, after: Tensor, settings: _Settings) -> str:
    entropy = -torch.special.xlogy(after, after).sum().item() / np.log(2)
    listed = ", ".join(f"{name} {p:.1%}" for name, p in zip(names, probabilities.tolist(), strict=True))
    where = f"After “{shortened(text, 60)}”" if text else "Most probable"
    cut = settings.top_k is not None or settings.top_p is not None
    kept = f"kept {int((after > 0).sum()):,} tokens, " if cut else ""
    return f"{where}: {listed}; {kept}entropy {entropy:.2f} bits."


def _picture(labels: list[str], before: list[float], after: list[float], text: str, settings: _Settings) -> Figure:
    rows = range(len(labels))
    figure = Figure(figsize=(6.6, 1.15 + 0.235 * len(labels)), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.barh(rows, after, height=0.72, color=plots.DECODER)
    axes.barh(rows, before, height=0.72, fill=False, edgecolor="#333333", linewidth=0.9)
    for row, lengths in enumerate(zip(before, after, strict=True)):
        share = f"{after[row]:.1%}" if after[row] else "cut"
        place = (max(lengths), row)
        axes.annotate(share, place, (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(rows, [shortened(label, 24) for label in labels])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)  # a token such as $x$ is text, not a formula
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.01)
    axes.set_xlabel("probability")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if value >= 0.05 or value == 0 else f"{value:.1%}")
    axes.spines[["top", "right"]].set_visible(False)
    title = f"next token after “{shortened(text, 48)}”" if text else "next token"
    axes.set_title(f"{title}\n{settings}", size=10, loc="left", parse_math=False)
    keys = [Patch(color=plots.DECODER, label="with these settings"), Patch(fill=False, label="the model's own")]
    axes.legend(handles=keys, loc="lower right", frameon=False, fontsize=9)
    return figure
