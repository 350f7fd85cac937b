"""Checks and quiz of lesson 7."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from utils.exercises import (
    Attempt,
    Option,
    Question,
    exercise,
    expect_close,
    expect_equal,
    expect_that,
)

TITLE = "BERT"


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@exercise(lesson=7, title="The loss of a riddle", minutes=10, difficulty=2)
def riddle_loss(attempt: Attempt) -> str | None:
    """Score the chosen positions alone."""
    logits = 2 * _normal(2, 4, 6, seed=1)
    answers = torch.tensor([[3, 1, 5, 2], [0, 4, 4, 1]])
    chosen = torch.tensor([[False, True, False, True], [True, False, False, False]])
    each = F.cross_entropy(logits.flatten(0, 1), answers.flatten(), reduction="none").view(2, 4)
    asked = each[chosen]
    by_text = (each * chosen).sum(dim=1) / chosen.sum(dim=1)
    expect_close(
        attempt(logits, answers, chosen),
        asked.mean().item(),
        "the loss",
        known_wrong=[
            (each.mean(), "every position counts: only the chosen ones were asked for, so pick them by the mask"),
            (each[~chosen].mean(), "this is the loss of what was not asked for: chosen is True at the gaps"),
            (-asked.mean(), "the sign is turned: the loss is minus the log-probability, and never below 0"),
            (asked.sum(), "this is the sum: the mean does not grow with the number of gaps"),
            (
                (each * chosen).mean(),
                "the positions that were not asked still count in the mean, as zeros: divide by the number of gaps",
            ),
            (by_text.mean(), "each text counts alike: each gap should, so take one mean over all of them"),
            (asked, "there is one number for each gap: their mean is asked for"),
            (
                F.cross_entropy(logits[chosen].softmax(dim=-1), answers[chosen]),
                "the softmax is taken twice: F.cross_entropy wants raw scores",
            ),
            (
                -logits[chosen].gather(1, answers[chosen][:, None]).mean(),
                "the scores are no log-probabilities yet: a log_softmax is missing, or use F.cross_entropy",
            ),
        ],
    )
    return "Only the gaps are asked, and each gap counts alike, whichever text it is in."


@exercise(lesson=7, title="What does a head look back at?", minutes=10, difficulty=2)
def share_on_previous(attempt: Attempt) -> str | None:
    """Measure how much of its attention each head gives to the token before."""
    weights = (2 * _normal(3, 2, 6, 6, seed=2)).softmax(dim=-1)
    own = torch.arange(1, 5)
    below = weights[..., own, own - 1]
    everyone = torch.arange(1, 6)
    expect_close(
        attempt(weights),
        below.mean(dim=-1),
        "the shares",
        axes="(layers, heads)",
        known_wrong=[
            (weights[..., own, own + 1].mean(dim=-1), "this is the next token's share: the previous one is at i - 1"),
            (weights[..., own, own].mean(dim=-1), "this is the share on the token itself: step one to the left"),
            (
                weights[..., everyone, everyone - 1].mean(dim=-1),
                "the row of [SEP] is counted: it is no token of the text, so stop before it",
            ),
            (
                weights[..., torch.arange(5), torch.arange(5) - 1].mean(dim=-1),
                "the row of [CLS] is counted: it has no token before it, and index -1 is the last column",
            ),
            (
                weights[..., torch.arange(6), torch.arange(6) - 1].mean(dim=-1),
                "the rows of [CLS] and [SEP] are counted: they do not look here, and index -1 is the last column",
            ),
            (
                weights[..., own[:-1], own[:-1] - 1].mean(dim=-1),
                "the last token of the text is left out: stop before [SEP], and no sooner",
            ),
            (
                weights[..., own[1:], own[1:] - 1].mean(dim=-1),
                "the first token of the text is left out: what it gives to [CLS], right before it, counts",
            ),
            (
                weights[..., own - 1, own].mean(dim=-1),
                "rows and columns are exchanged: the row is the token that looks, the column what it looks at",
            ),
            (
                weights[..., 1:-1, :-2].mean(dim=(-2, -1)),
                "this is the mean over a whole block: of each row only the cell just left of the diagonal is asked for",
            ),
            (below.sum(dim=-1), "these are sums: the mean over the tokens does not grow with the length of the text"),
            (
                below.sum(dim=-1) / 6,
                "the sum is divided by the whole length: only the text's own tokens look here, so divide by those",
            ),
            (below, "there is one share for each token: take the mean over them"),
            (below.mean(dim=(0, 1)), "layers and heads are averaged: each head should keep a number of its own"),
        ],
    )
    return "One number for each head, and the head that looks back cannot hide."


@exercise(lesson=7, title="Is greedy best?", minutes=20, difficulty=4)
def fewest_pieces(attempt: Attempt) -> str | None:
    """Find the smallest number of pieces that a word can be cut into."""
    vocabulary = {"un", "una", "a", "b", "##a", "##b", "##l", "##e", "##r", "##able", "##bler", "bl", "table"}
    expect_equal(
        attempt("unable", vocabulary),
        2,
        "the number of pieces of “unable” (un ##able)",
        known_wrong=[
            (4, "this is the greedy cut, una ##b ##l ##e: a shorter start, un, leaves ##able for the rest"),
            (1, "a piece inside a word must be in the vocabulary with its ##: look up '##able', not 'able'"),
            (math.inf, "no way was found, but there is one: inside a word the pieces begin with ##"),
            ([0, math.inf, 1, 1, 2, 3, 2], "this is the whole table: the last entry alone is the answer"),
            (["un", "##able"], "these are the pieces: how many they are is asked for"),
        ],
    )
    expect_equal(attempt("table", vocabulary), 1, "the number of pieces of a word that is in the vocabulary")
    expect_equal(
        attempt("tabled", vocabulary),
        math.inf,
        "the number of pieces of a word that cannot be spelt",
        known_wrong=[
            (1, "a beginning of the word was cut, not all of it: the pieces must reach its end"),
            (0, "0 is for the empty word: where there is no way at all, return math.inf"),
            (-1, "where there is no way at all, return math.inf"),
        ],
    )
    expect_equal(
        attempt("able", {"a", "##b", "##l", "##e", "##able", "##ble"}),
        2,
        "the number of pieces of “able” (a ##ble)",
        known_wrong=[
            (1, "'##able' continues a word and cannot start one: at the start look up the bare piece"),
            (4, "this is more than it takes: ##ble is one piece"),
        ],
    )
    expect_equal(
        attempt("abcd", {"ab", "##cd", "##bcd"}),
        2,
        "the number of pieces of “abcd” (ab ##cd)",
        known_wrong=[
            (math.inf, "the longest end first is greedy, too: ##bcd leaves a, which is no piece; ab ##cd is a way"),
        ],
    )
    expect_equal(attempt("", vocabulary), 0, "the number of pieces of an empty word")
    long = attempt("a" + "b" * 22, {"a", "##b", "##bb"})
    expect_that(long == 12, f"a word of 23 letters takes 12 pieces of at most 2 letters here, not {long}")
    return (
        "With a table, every beginning of the word is solved once; recursion without one solves them again and again."
    )


QUIZ = (
    Question(
        "What can BERT not be trained to do, and why?",
        (
            Option("To fill gaps: it needs labels for that", "The hidden word is the label."),
            Option(
                "To predict the next token of a text that it reads",
                "Every token sees the next one, so there is nothing to predict.",
                correct=True,
            ),
            Option("To read two texts at once", "Segments are made for that."),
        ),
    ),
    Question(
        "Of the tokens that are chosen, 10 % are left as they are. What for?",
        (
            Option("To make the task easier at first", "The share is the same all through training."),
            Option("To save computing", "They are scored like all other chosen ones."),
            Option("By mistake: they are wasted", "They teach something that the masks do not."),
            Option(
                "So that the model thinks about words that it can see, too",
                "Later no text will have any masks in it.",
                correct=True,
            ),
        ),
    ),
    Question(
        "A word is not in BERT's vocabulary. What happens?",
        (
            Option(
                "It is cut into pieces that are, and only if that fails is it `[UNK]`",
                "Ordinary words always have a way, letter by letter if need be.",
                correct=True,
            ),
            Option("It becomes `[MASK]`", "That is for what is to be guessed."),
            Option("It gets a new id", "The vocabulary is fixed before training."),
        ),
    ),
    Question(
        "A probe reads the previous token off a layer's vectors with 87 % success. What do you know?",
        (
            Option(
                "That the model uses it",
                "It may be there and never be looked at: see whether the model's own output suffers without it.",
            ),
            Option(
                "That it is there, if other depths or a control task do clearly worse",
                "Alone, the number says as much about the probe.",
                correct=True,
            ),
            Option("That one head put it there", "That is a hypothesis: silence the head and measure again."),
        ),
    ),
)
