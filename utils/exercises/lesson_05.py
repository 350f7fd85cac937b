"""Checks and quiz of lesson 5."""

import torch
from torch import Tensor

from utils.exercises import (
    Attempt,
    Misconception,
    Option,
    Question,
    exercise,
    expect_close,
    expect_tensor,
    expect_that,
)


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@exercise(lesson=5, title="The context vector", minutes=5, difficulty=1)
def context_vector(attempt: Attempt) -> str | None:
    """Take the weighted mean of the values for every query."""
    weights, values = _normal(2, 3, 4, seed=1).softmax(dim=-1), _normal(2, 4, 5, seed=2)
    context = torch.einsum("bts,bsv->btv", weights, values)
    spread = values[:, None].expand(2, 3, 4, 5)
    expect_close(
        attempt(weights, values),
        context,
        "the context",
        axes="(batch, target, value size)",
        known_wrong=[
            (spread.mean(dim=2), "every source word counts the same: the weights are not used"),
            (context / 4, "the weights sum to 1 already: sum the weighted values, do not average them again"),
            (
                torch.einsum("bts,bsv->bsv", weights, values),
                "the sum runs over the target words: sum over the source, which is what a query looks at",
            ),
            (
                weights[..., None] * spread,
                "the weighted values are not summed yet: one vector for each target word, so sum over the source",
            ),
            (context.transpose(1, 2), "target and size are exchanged: weights @ values has them in the right order"),
            (
                spread.gather(2, weights.argmax(-1)[..., None, None].expand(2, 3, 1, 5)).squeeze(2),
                "only the strongest source word is taken: attention is soft, every word counts by its weight",
            ),
        ],
    )
    sharp = torch.tensor([[[0.0, 1.0, 0.0]]])
    expect_close(
        attempt(sharp, _normal(1, 3, 2, seed=3)),
        _normal(1, 3, 2, seed=3)[:, 1:2],
        "the context of a query that looks at the second word alone",
        axes="(batch, target, value size)",
    )
    return "One matrix product for the whole batch: a weighted mean for every target word."


@exercise(lesson=5, title="Weights from lengths", minutes=10, difficulty=2)
def weights_from_lengths(attempt: Attempt) -> str | None:
    """Turn scores into weights when the sentences of a batch have different lengths."""
    scores, lengths = 2 * _normal(3, 2, 5, seed=4), torch.tensor([4, 2, 3])  # no row without padding
    real = (torch.arange(5) < lengths[:, None])[:, None]  # (batch, 1, source)

    def weights(allowed: Tensor) -> Tensor:
        return scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)

    over_target = scores.masked_fill(~real, -torch.inf).softmax(dim=1)
    shared_over_target = "the weights sum to 1 over the target: take the softmax over the last axis, the source"
    expect_close(
        attempt(scores, lengths),
        weights(real),
        "the weights",
        axes="(batch, target, source)",
        known_wrong=[
            (scores.softmax(dim=-1), "padding gets a share of the attention: mask the scores before the softmax"),
            (
                scores.softmax(dim=-1) * real,
                "the rows no longer sum to 1: the padding took its share before it was masked",
            ),
            (
                scores.masked_fill(~real, 0.0).softmax(dim=-1),
                "a score of 0 is a fair score: padding needs minus infinity, or the lowest number there is",
            ),
            (
                (scores * real).softmax(dim=-1),
                "a score of 0 is a fair score: padding needs minus infinity, or the lowest number there is",
            ),
            (
                weights((torch.arange(5) <= lengths[:, None])[:, None]),
                "one padding token too many may be looked at: positions count from 0, so use <",
            ),
            (over_target, shared_over_target),
            (over_target.nan_to_num(), shared_over_target),
            (weights(~real), "only the padding is looked at: True and False of the mask are exchanged"),
        ],
    )
    empty = attempt(scores[:2], torch.tensor([4, 0]))
    expect_tensor(empty, "the weights of a batch with an empty sentence")
    expect_that(
        not empty.isnan().any(),
        "a sentence of length 0 gives NaN, as there is nothing to share the attention among: make such rows 0",
    )
    allowed = (torch.arange(5) < torch.tensor([4, 0])[:, None])[:, None]
    expect_close(
        empty,
        scores[:2].masked_fill(~allowed, -torch.inf).softmax(dim=-1).nan_to_num(),
        "the weights of a batch with an empty sentence",
        axes="(batch, target, source)",
        known_wrong=[
            (
                torch.stack([scores[0].masked_fill(~allowed[0], -torch.inf).softmax(dim=-1), torch.full((2, 5), 0.2)]),
                "a sentence of length 0 has nothing to look at, and its weights must be 0: mask once more at the end",
            )
        ],
    )
    return "Padding gets exactly 0, real words share out exactly 1, and an empty sentence does no harm."


@exercise(lesson=5, title="Additive scores without a loop", minutes=15, difficulty=3)
def additive_scores(attempt: Attempt) -> str | None:
    """Score every query with every key at once."""
    query, key = _normal(2, 3, 4, seed=5), _normal(2, 5, 4, seed=6)
    from_query, from_key, v = _normal(6, 4, seed=7), _normal(6, 4, seed=8), _normal(6, seed=9)
    one, other = query @ from_query.T, key @ from_key.T
    pairs = one[:, :, None] + other[:, None]  # (batch, target, source, hidden)
    right = pairs.tanh() @ v
    expect_close(
        attempt(query, key, from_query, from_key, v),
        right,
        "the scores",
        axes="(batch, target, source)",
        known_wrong=[
            (right.transpose(1, 2), "target and source are exchanged: unsqueeze the queries after the target axis"),
            (pairs @ v, "there is no tanh: without it the query adds the same to all keys, and the softmax drops it"),
            ((pairs @ v).tanh(), "tanh comes before v weighs the hidden units, not after"),
            (right.softmax(dim=-1), "these are the weights already: return the scores, the softmax comes later"),
            (
                (one.tanh()[:, :, None] + other.tanh()[:, None]) @ v,
                "tanh is taken of query and key apart: add first, so that a unit can react to the pair",
            ),
            (
                (query @ from_key.T)[:, :, None].add((key @ from_query.T)[:, None]).tanh() @ v,
                "the two matrices are exchanged: W maps the query, U the key",
            ),
            (pairs.tanh(), "there is one number for each hidden unit: weigh them by v and sum"),
            (pairs.tanh().sum(dim=-1), "v is not used: it says how much each hidden unit counts"),
            (one @ other.transpose(1, 2), "this is a dot product of the two: add them, then tanh, then v"),
        ],
        tolerance=1e-4,
    )
    return "One broadcast addition makes all pairs, (batch, target, source, hidden)."


@exercise(lesson=5, title="Alignment error rate", minutes=10, difficulty=2)
def error_rate(attempt: Attempt) -> str | None:
    """Score predicted links against sure and possible ones."""
    predicted = {(0, 0), (1, 1), (2, 3), (3, 2), (4, 4), (5, 5)}
    sure, possible = {(0, 0), (1, 1), (2, 3), (4, 5)}, {(4, 4), (5, 4), (5, 6)}
    hits, allowed = len(predicted & sure), len(predicted & (sure | possible))
    agreed, size = hits + allowed, len(predicted) + len(sure)
    answer = attempt(predicted, sure, possible)
    if isinstance(answer, set | frozenset):
        raise Misconception("this is a set of links: the error rate is one number, made of counts")
    if isinstance(answer, tuple | list):
        raise Misconception(f"these are {len(answer)} values: the error rate is one number, made of the counts")
    expect_close(
        answer,
        1 - agreed / size,
        "the error rate",
        known_wrong=[
            (agreed / size, "this is the agreement: the error rate is 1 minus it"),
            (100 * (1 - agreed / size), "a rate from 0 to 1 is asked for, not percent"),
            (
                1 - (hits + len(predicted & possible)) / size,
                "sure links are possible too: count the predicted ones among both together",
            ),
            (1 - allowed / len(predicted), "this is 1 minus the precision: the sure links that were missed count too"),
            (1 - hits / len(sure), "this is 1 minus the recall: links that are not even possible count too"),
            (1 - agreed / len(predicted | sure), "below the line the two counts are added, not the sets joined"),
            (
                1 - agreed / (len(predicted) + len(sure | possible)),
                "a possible link need not be found: divide by the predicted and the sure ones alone",
            ),
            (1 - 2 * hits / size, "possible links are not used: they are allowed, so finding one is no error"),
        ],
    )
    expect_close(attempt(sure, sure, possible), 0.0, "the error rate of exactly the sure links")
    expect_close(attempt({(9, 9)}, sure, possible), 1.0, "the error rate of one link that is nowhere")
    return "Every sure link should be found, and no link that is not even possible."


QUIZ = (
    Question(
        "A decoder with attention writes its fifth word. What does it know of the source?",
        (
            Option("The encoder's final state alone", "That is lesson 4's decoder."),
            Option("The one source word with the highest score", "Every word counts, by its weight."),
            Option(
                "All the encoder's outputs, weighted anew for this step, and what its own state has kept",
                "The weights change from word to word.",
                correct=True,
            ),
        ),
    ),
    Question(
        "Why are dot products divided by `√d` before the softmax?",
        (
            Option(
                "Their spread grows like `√d`, and large scores make the softmax all or nothing",
                "Then hardly any gradient reaches the other words.",
                correct=True,
            ),
            Option("So that the weights sum to 1", "The softmax sees to that, whatever the scores."),
            Option("To save computing", "It costs a division more."),
            Option("Because there are d source words", "d is the size of the vectors; the words may be any number."),
        ),
    ),
    Question(
        "In a batch, short sentences are padded. What must attention do?",
        (
            Option(
                "Nothing: the encoder's outputs are zero there", "Score 0 is a fair score, and padding gets weight."
            ),
            Option("Set the weights of the padding to 0 after the softmax", "Then the row no longer sums to 1."),
            Option("Keep the padding from the softmax", "With the lowest score there is.", correct=True),
        ),
    ),
    Question(
        "Writing a word, a model gives weight 0.9 to one source word. What may you conclude?",
        (
            Option(
                "That word is why the model chose what it wrote", "Other paths lead there too: the decoder's state."
            ),
            Option(
                "That the context is nearly that word's encoder output",
                "That much is arithmetic. What the rest of the network makes of it is another question.",
                correct=True,
            ),
            Option("The model is 90 % sure of the word", "Its certainty is in the next-word probabilities."),
            Option("The two words are translations", "Often, not always: that is what the error rate measures."),
        ),
    ),
)
