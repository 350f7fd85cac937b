"""The beam tree: what beam search kept, pruned and finished at each width, one word after the other."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from utils.beam import BeamGeneration, Hypothesis, Node, beam_search, check_beam_settings
from utils.decoding import Decodable, check_prompt, end_tokens
from utils.explorers.beam_picture import stored_picture
from utils.explorers.delivery import Explorer, pack, shortened, visible

FATES = ("kept", "pruned", "finished", "unfinished", "abandoned")  # stored as 1 to 5; 0: not looked at
MOST_NODES = 320  # of one tree; width 5 and 20 steps have at most 280
_SAID = 24  # tokens of a text that the plain summary shows

Tree = dict[tuple[int, ...], Node]  # the new tokens up to a node → the node


class BeamTree(Explorer):
    """Beam search from one prompt, at several widths, as a tree that grows word by word.

    Runs ``beam_search`` on ``model``, ``ids`` (1, prompt) and ``state`` at each of ``widths`` (None: every width from 1
    to ``width``) and stores all that the searches looked at; the reader changes the width, the step and the length
    penalty, which re-ranks the texts that ended but searches no further. Width 1 without a penalty is greedy search.
    ``tokens`` holds the vocabulary's strings, or is a function from id to string, and ``prompt`` is the text before,
    or the source sentence.

    ``ValueError`` for what ``beam_search`` refuses, more than one sentence, tokens that are no strings, and trees that
    a page could not show: more than 320 nodes, which 5 hypotheses and 20 steps never reach.
    """

    def __init__(
        self,
        model: Decodable,
        ids: Tensor,
        state: Any = None,
        *,
        tokens: Sequence[str] | Callable[[int], str],
        width: int = 3,
        widths: Sequence[int] | None = None,
        max_new_tokens: int,
        end_id: int | Iterable[int] | None = None,
        length_penalty: float = 0.0,
        prompt: str = "",
    ) -> None:
        widths = _checked_widths(width, widths, max_new_tokens, length_penalty)
        check_prompt(model, ids)
        if ids.size(0) != 1:
            raise ValueError(f"ids holds {ids.size(0)} sentences but a tree shows one; give ids[:1] and its state.")
        if not isinstance(prompt, str):
            raise ValueError(f"prompt is {prompt!r}; it must be a string, the text that stands before the tree.")
        found = {}
        for each in widths:
            options = {"max_new_tokens": max_new_tokens, "end_id": end_id, "length_penalty": length_penalty}
            found[each] = beam_search(model, ids, state, width=each, trace=True, **options)
            if len(found[each].trees[0]) > MOST_NODES:
                raise ValueError(
                    f"at width {each} the tree has {len(found[each].trees[0])} nodes, and a page shows {MOST_NODES} at "
                    "most; make the width or max_new_tokens smaller."
                )
        name_of = _Names(tokens)
        before = shortened(visible(prompt, spaces=False), 60) if prompt else "start"
        lines = [_sentence(each, made.hypotheses[0][0], name_of, length_penalty) for each, made in found.items()]
        ends = end_tokens(end_id)
        end = list(ends) if len(ends) > 1 else next(iter(ends), None)
        header = {"prompt": before, "widths": widths, "limit": max_new_tokens, "end": end, "penalty": length_penalty}
        widest = found[widths[-1]]
        greedy = found[1].hypotheses[0][0].ids if widths[0] == 1 and not length_penalty else ()
        steps = max(node.length for node in widest.trees[0])
        penalty = f", length penalty {length_penalty:g}" if length_penalty else ""
        picture, across = stored_picture(widest, greedy, before, name_of, lines)
        super().__init__(
            "beam",
            payload=_payload(header, found, name_of),
            picture=picture,
            width=across,
            alt=f"Tree of beam search at width {widths[-1]}, {steps} steps{penalty}, the best text highlighted. "
            + " ".join(lines),
            summary="\n".join([f"Beam search after “{before}”, at most {max_new_tokens} tokens{penalty}", *lines]),
        )


def _checked_widths(width: int, widths: Sequence[int] | None, longest: int, length_penalty: float) -> list[int]:
    wanted = sorted(set(range(1, width + 1) if widths is None else widths))
    for each in wanted or [width]:
        check_beam_settings(each, longest, length_penalty)
    if not wanted:
        raise ValueError("widths is empty; give at least one width, or None for all from 1 to width.")
    if longest == 0:
        raise ValueError("max_new_tokens is 0, which leaves no tree to show; give at least 1.")
    return wanted


class _Names:
    """The visible string of each id."""

    def __init__(self, tokens: Sequence[str] | Callable[[int], str]):
        self.tokens = tokens

    def __call__(self, token: int) -> str:
        if not callable(self.tokens) and token >= len(self.tokens):
            raise ValueError(
                f"the model chose token {token}, but there are {len(self.tokens)} tokens; give its whole vocabulary."
            )
        name = self.tokens(token) if callable(self.tokens) else self.tokens[token]
        if not isinstance(name, str):
            raise ValueError(f"token {token} is {name!r}; tokens must be strings.")
        return visible(name)


def _sentence(width: int, best: Hypothesis, name_of: Callable[[int], str], length_penalty: float) -> str:
    text = " ".join(name_of(token) for token in best.ids[:_SAID]) + " …" * (len(best.ids) > _SAID)
    greedy = " (greedy search)" if width == 1 and not length_penalty else ""
    length = f"{len(best.ids)} token{'s' * (len(best.ids) > 1)}{'' if best.finished else ', not finished'}"
    score = f", score {_signed(best.score)}" if length_penalty else ""
    return f"Width {width}{greedy}: “{text}”, {length}, log-probability {_signed(best.log_probability)}{score}."


def _signed(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")


def _payload(header: dict[str, Any], found: dict[int, BeamGeneration], name_of: Callable[[int], str]) -> str:
    """Merge the trees into one, in which a node is known by its tokens, and pack it; the prompt is its first node."""
    trees: list[Tree] = [{node.ids: node for node in made.trees[0]} for made in found.values()]
    # In the order of the tokens, which does not change when two texts that are all but equally probable trade places.
    paths = [(), *sorted(set().union(*trees))]
    place = {path: number for number, path in enumerate(paths)}
    first = [next(tree[path] for tree in trees if path in tree) for path in paths[1:]]
    ids = sorted({node.token for node in first})
    fates = np.zeros((len(trees), len(paths)), dtype="uint16")
    for tree, row in zip(trees, fates, strict=True):
        for path, node in tree.items():
            row[place[path]] = 1 + FATES.index(node.fate)
    return pack(
        {**header, "names": [name_of(token) for token in ids]},
        {
            "parents": np.array([0, *(place[path[:-1]] for path in paths[1:])], dtype="uint32"),
            "tokens": np.array([0, *(ids.index(node.token) for node in first)], dtype="uint32"),
            "own": np.array([0, *(node.log_probability for node in first)], dtype="float32"),
            "totals": np.array([0, *(node.total for node in first)], dtype="float32"),
            "fates": fates,
        },
    )
