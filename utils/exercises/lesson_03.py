"""Checks and quiz of lesson 3."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from utils.exercises import (
    Attempt,
    Misconception,
    Option,
    Question,
    exercise,
    expect_close,
    expect_equal,
    expect_that,
    expect_tuple,
)


@exercise(lesson=3, title="Inputs and targets", minutes=5, difficulty=1)
def next_token_pairs(attempt: Attempt) -> str | None:
    """Shift a batch of sentences by one position."""
    ids = torch.tensor([[2, 15, 11, 18, 3], [2, 27, 14, 21, 3], [2, 12, 19, 30, 3], [2, 25, 16, 22, 3]])
    inputs, targets = expect_tuple(attempt(ids), ("inputs", "targets"))
    right_inputs, right_targets = ids[:, :-1], ids[:, 1:]
    uneven = "an input of length {} needs as many targets: the last token has no successor and the first is no target"
    expect_close(
        inputs,
        right_inputs,
        "the inputs",
        axes="(batch, length - 1)",
        known_wrong=[
            (right_targets, "inputs and targets are exchanged: the decoder would learn to name the token before"),
            (ids[:-1], "this shifts the batch axis, which pairs one sentence with the next: shift the last axis"),
            (ids, uneven.format(ids.size(1)) + ", so drop the last token from the inputs"),
        ],
    )
    expect_close(
        targets,
        right_targets,
        "the targets",
        axes="(batch, length - 1)",
        known_wrong=[
            (right_inputs, "the targets are not shifted: each token would only have to repeat itself"),
            (ids, "the targets still begin with the start token, which nothing comes before: drop it"),
            (ids.roll(-1, 1)[:, :-1], "the targets are rolled round: slice instead"),
        ],
    )
    return "Every token is now asked for its successor, and only for that."


@exercise(lesson=3, title="Perplexity without the padding", minutes=10, difficulty=2)
def masked_perplexity(attempt: Attempt) -> str | None:
    """Turn logits into one perplexity over the real tokens of a batch."""
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(3, 6, 8, generator=generator)
    targets = torch.randint(1, 8, (3, 6), generator=generator)
    mask = torch.arange(6) < torch.tensor([[6], [2], [4]])
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")  # (batch, length)
    mean = losses[mask].mean()
    by_row = (losses * mask).sum(dim=1) / mask.sum(dim=1)
    expect_close(
        attempt(logits, targets, mask),
        mean.exp().item(),
        "the perplexity",
        known_wrong=[
            (losses.mean().exp(), "padding is counted as if it were text: average where the mask is True only"),
            (
                (losses * mask).mean().exp(),
                "the sum is over the real tokens but the division is by all: use mask.sum()",
            ),
            (losses[mask].sum().exp(), "this is e to the sum of the losses: take their mean first"),
            (
                F.cross_entropy(logits.softmax(-1)[mask], targets[mask]).exp(),
                "cross_entropy takes logits and does the softmax itself",
            ),
            (2**mean, "cross_entropy speaks in nats, base e, so 2 to its power is too small: use exp"),
            (mean, "this is the mean loss in nats: perplexity is e to that"),
            ((-mean).exp(), "this is the typical probability of a token: perplexity is one over that"),
            (losses[mask].exp().mean(), "this averages perplexities of single tokens: average the losses, then exp"),
            (by_row.exp().mean(), "this averages one perplexity a sentence: pool all real tokens first"),
            (by_row.mean().exp(), "a short sentence weighs as much as a long one: pool all real tokens first"),
        ],
        tolerance=1e-4,
    )
    return "Padding costs nothing now, and long sentences count for their length."


@exercise(lesson=3, title="Top-k on the logits", minutes=10, difficulty=3)
def keep_top_k(attempt: Attempt) -> str | None:
    """Exclude all but the k best tokens of each row, before the softmax."""
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(5)) - 1.0
    nothing = torch.tensor(-torch.inf)

    def kept(source: Tensor, k: int, dim: int = -1, *, largest: bool = True, rest: Tensor = nothing) -> Tensor:
        chosen = torch.zeros_like(source, dtype=torch.bool)
        chosen.scatter_(dim, source.topk(k, dim=dim, largest=largest).indices, True)
        return torch.where(chosen, source, rest.to(source))

    right = kept(logits, 3)
    top = logits.topk(3)
    expect_close(
        attempt(logits, 3),
        right,
        "the logits",
        axes="(batch, vocabulary)",
        known_wrong=[
            (kept(logits, 3, largest=False), "these are the k least probable tokens: keep the largest logits"),
            (torch.where(right.isfinite(), nothing, logits), "kept and excluded are exchanged: -inf goes to the rest"),
            (kept(logits, 3, rest=torch.tensor(0.0)), "a logit of 0 is a fair score, not an exclusion: use -inf"),
            (kept(logits, 3, dim=0), "this keeps the best rows for each token: choose along the last axis"),
            (right.softmax(-1), "these are probabilities already: return the logits, the softmax comes later"),
            (kept(logits.softmax(-1), 3, rest=torch.tensor(0.0)), "these are probabilities: return logits"),
            (top.values, "the k best logits have lost their positions in the vocabulary: keep the shape of the input"),
            (top.indices, "these are the ids of the k best: keep their logits, in position, and -inf elsewhere"),
            (torch.where(logits > top.values[:, -1:], logits, nothing), "one too few: the k-th best stays too (>=)"),
        ],
    )
    single = logits[0]
    expect_close(attempt(single, 2), kept(single, 2), "the logits of a single position", axes="(vocabulary,)")
    expect_close(attempt(logits, 7), logits, "the logits with k equal to the vocabulary", axes="(batch, vocabulary)")
    return "After a softmax the excluded tokens have probability 0 and the rest share out 1."


class _Script:
    """A decoder that knows one sentence by heart and finds its position in it by the state alone."""

    script = (7, 5, 7, 9, 5, 2, 8)
    end_id = 2

    def __init__(self) -> None:
        self.calls = 0
        self.states: list[Any] = []

    def __call__(self, token: Any, state: Any) -> tuple[Tensor, Any]:
        """Return logits (vocabulary,) for what follows ``token``, and the next state."""
        self.calls += 1
        expect_that(self.calls <= 60, "your loop does not end: stop at end_id, and after limit tokens in any case")
        if isinstance(token, Tensor) and token.numel() == 1:
            token = token.item()
        expect_that(
            isinstance(token, int) and not isinstance(token, bool),
            "the step takes one token id: argmax().item() is one",
        )
        position = 0 if state is None else state
        expect_that(
            isinstance(position, int), "the step was given something that is no state: pass back what it returned"
        )
        expected = 4 if position == 0 else self.script[(position - 1) % len(self.script)]
        self.states.append((position, token, expected))
        logits = torch.linspace(-1.0, -2.0, 12)
        logits[self.script[position % len(self.script)]] = 3.0
        return logits, position + 1


@exercise(lesson=3, title="Write the greedy loop", minutes=15, difficulty=3)
def greedy_continuation(attempt: Attempt) -> str | None:
    """Generate with a step function: thread the state, feed the choice back, stop at the end."""
    right = [7, 5, 7, 9, 5]
    model = _Script()
    result = attempt(model, 4, model.end_id, 20)
    if isinstance(result, list) and result and all(isinstance(token, Tensor) for token in result):
        raise Misconception("the list holds tensors: .item() makes a whole number of each")
    stuck = [7] * 20
    expect_equal(
        result,
        right,
        "the continuation",
        known_wrong=[
            (stuck, "every step began from the first state again: pass on the state that the step returned"),
            ([*right, 2], "the end token is in the result: it says stop, and is not part of the text"),
            ([4, *right], "the first token is in the result: return only what was generated"),
            ([4, *right, 2], "the first and the end token are in the result: return only what stands between"),
            (([*right, 2, 8] * 3)[:20], "the loop runs on past end_id: stop there"),
            ([right[0]], "one token is not a continuation: loop until end_id or limit"),
        ],
    )
    for position, token, expected in model.states:
        message = f"step {position + 1} was given token {token}: feed back the token just chosen, which was {expected}"
        expect_that(token == expected, message)
    expect_that(model.calls == 6, f"the step was called {model.calls} times for 6 choices: call it once a token")
    short = attempt(_Script(), 4, _Script.end_id, 3)
    expect_equal(
        short,
        right[:3],
        "the continuation with limit 3",
        known_wrong=[
            (right, "limit 3 is not kept: return at most limit tokens"),
            (right[:2], "one token too few: limit counts the tokens returned, not the first one"),
            (right[:4], "one token too many: limit counts the tokens returned"),
        ],
    )
    return "The state and the choice go round the loop; that is all generation is."


QUIZ = (
    Question(
        "The decoder's output for one token is a row of 10,000 numbers between about -1.5 and 1.6. What are they?",
        (
            Option("Probabilities of the next token", "Some are negative and they do not sum to 1."),
            Option("Logits: scores that a softmax turns into probabilities", "Only differences count.", correct=True),
            Option("The embedding of the next token", "That would have the hidden size, not the vocabulary's."),
        ),
    ),
    Question(
        "During training with teacher forcing, what does the decoder read at step 5?",
        (
            Option("Its own prediction of step 4", "That is free running, as in generation."),
            Option(
                "The real token just before it, and the state the real tokens left",
                "Whatever it predicted.",
                correct=True,
            ),
            Option("The token it is to predict", "Then there would be nothing to predict: targets are shifted by one."),
            Option("Nothing but the state", "Each step reads a token and the state."),
        ),
    ),
    Question(
        "A model's validation perplexity is 30. What does that say?",
        (
            Option(
                "It is right once in 30 tokens", "Accuracy is another thing: its best guess is right far more often."
            ),
            Option("30 % of the tokens surprise it", "Perplexity is no percentage."),
            Option("It is as uncertain, on average, as a fair choice among 30 tokens", "That is it.", correct=True),
        ),
    ),
    Question(
        "You lower the temperature from 1 to 0.5. Which token does greedy search choose now?",
        (
            Option("The same one", "Dividing all logits by one number keeps their order.", correct=True),
            Option("A more probable one", "It chose the most probable one already."),
            Option("That depends on the seed", "Greedy search draws nothing."),
        ),
    ),
)
