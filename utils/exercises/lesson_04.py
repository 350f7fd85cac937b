"""Checks and quiz of lesson 4."""

from typing import Any

import torch
from torch import Tensor

from utils.exercises import Attempt, Option, Question, exercise, expect_close, expect_equal, expect_tensor, expect_that
from utils.text import Tokenizer, pad


@exercise(lesson=4, title="Read it backwards", minutes=10, difficulty=2)
def reverse_sources(attempt: Attempt) -> str:
    """Reverse the words of every sentence in a padded batch."""
    end, padding = Tokenizer.end_id, Tokenizer.pad_id
    sentences = [[9, 4, 6], [5, 9, 8, 7, 4, 6], [7], [8, 5]]
    ids, mask = pad([[*words, end] for words in sentences])
    right, _ = pad([[*words[::-1], end] for words in sentences])
    end_first, _ = pad([[end, *words[::-1]] for words in sentences])
    expect_close(
        attempt(ids, mask),
        right,
        "the reversed sources",
        axes="(batch, length)",
        known_wrong=[
            (ids, "they read as before: turn the words of each around"),
            (ids.flip(1), "the padding was turned around too and came first: it belongs behind each sentence"),
            (end_first, "the end token came first: turn around only the words before it"),
            (right.where(right != end, padding), "the end tokens are gone: each belongs behind its last word"),
            (torch.cat([ids[:, :-1].flip(1), ids[:, -1:]], dim=1), "one length served for all: each has its own"),
            (ids.flip(0), "the sentences changed places: turn around the words within each"),
        ],
    )
    return "Sutskever et al. gave their sources to the encoder like this."


@exercise(lesson=4, title="Exact match by length", minutes=10, difficulty=2)
def exact_match_by_length(attempt: Attempt) -> str:
    """Score translations by the number of words in the source."""
    sources = ["ten", "one hundred and ten", "two hundred and three", "six", "one hundred", "four", "two hundred"]
    references = ["dix", "cent dix", "deux cent trois", "six", "cent", "quatre", "deux cents"]
    hypotheses = ["dix", "cent dix", "deux cent treize", "six", "cent", "quarante", "deux cent"]
    lengths = [len(source.split()) for source in sources]
    hits = [hypothesis == reference for hypothesis, reference in zip(hypotheses, references, strict=True)]
    grouped = _grouped(lengths, hits)
    right = _shares(grouped)
    of_all = {length: sum(values) / len(hits) for length, values in grouped.items()}
    by_reference = _grouped([len(reference.split()) for reference in references], hits)
    by_letters = _grouped([len(source) for source in sources], hits)
    last = dict(zip(lengths, map(float, hits), strict=True))
    result = attempt(sources, hypotheses, references)
    expect_that(not isinstance(result, float), "this is one number for all: return a dictionary, a share by length")
    expect_equal(
        result,
        right,
        "the dictionary",
        known_wrong=[
            (grouped, "these are the lists themselves: divide each one's sum by its length"),
            ({length: sum(values) for length, values in grouped.items()}, "these are counts: divide by how many"),
            ({length: 100 * share for length, share in right.items()}, "these are percentages: a share lies in 0 to 1"),
            (of_all, "each count was divided by all the sentences: divide by those of the same length"),
            (_shares(by_reference), "the lengths are those of the translations: count the words of the sources"),
            (_shares(by_letters), "the lengths are in letters: split the source into words first"),
            ({length: 1 - share for length, share in right.items()}, "these are the shares of wrong ones"),
            (last, "each sentence overwrote the one before of its length: collect them in lists"),
        ],
    )
    return "One number for a test set hides what this dictionary shows."


def _grouped(lengths: list[int], hits: list[bool]) -> dict[int, list[bool]]:
    return {length: [hit for own, hit in zip(lengths, hits, strict=True) if own == length] for length in lengths}


def _shares(grouped: dict[int, list[bool]]) -> dict[int, float]:
    return {length: sum(values) / len(values) for length, values in grouped.items()}


class _Decoder:
    """A small decoder for three sentences, with a state of its own kind, which checks how it is called."""

    def __init__(self) -> None:
        self.table = torch.randn(11, 10, generator=torch.Generator().manual_seed(4))
        self.calls, self.batch = 0, 3

    def start(self) -> Tensor:
        """Return the state before the first step, (1, batch, 1)."""
        return torch.arange(self.batch, dtype=torch.float32).view(1, self.batch, 1)

    def __call__(self, tokens: Any, state: Any) -> tuple[Tensor, Tensor]:
        """Return logits (batch, 1, vocabulary) of what follows ``tokens`` (batch, 1), and the next state."""
        expect_that(self.calls < 40, "your loop does not end: count the steps")
        expect_tensor(tokens, "what the step was given")
        expect_that(
            tuple(tokens.shape) == (self.batch, 1),
            f"the step takes tokens (batch, 1) = ({self.batch}, 1) and was given {tuple(tokens.shape)}",
        )
        expect_that(not tokens.is_floating_point(), "the step was given numbers with a fraction: it takes token ids")
        expect_that(
            isinstance(state, Tensor) and state.shape == (1, self.batch, 1),
            "the step was given something that is no state: pass back what it returned",
        )
        passed_on = torch.allclose(state, self.start() + 1.7 * self.calls)
        expect_that(passed_on, "a step began from an old state: pass on the state that the step before returned")
        self.calls += 1
        return self.score(tokens, state), state + 1.7

    def score(self, tokens: Tensor, state: Tensor) -> Tensor:
        """Return the logits (batch, 1, vocabulary), which differ from step to step and row to row."""
        return self.table[tokens] + (3 * torch.sin(2.3 * state[0] + 0.7) * self.table[-1])[:, None]


def _mixed(target: Tensor, coins: Tensor, truth: Tensor | None = None) -> Tensor:
    """Return the logits when ``coins`` choose between ``truth`` (None: the target) and the decoder's own words."""
    decoder, own, steps = _Decoder(), target[:, :1], []
    state, truth = decoder.start(), target if truth is None else truth
    for place in range(target.size(1)):
        logits, state = decoder(torch.where(coins[:, [place]], truth[:, [place]], own), state)
        own = logits.argmax(dim=-1)
        steps.append(logits)
    return torch.cat(steps, dim=1)


@exercise(lesson=4, title="A coin for each sentence", minutes=15, difficulty=3)
def mixed_logits(attempt: Attempt) -> str:
    """Mix true and own words as inputs, sentence by sentence."""
    target = torch.tensor([[2, 5, 9, 7, 4, 8], [2, 8, 4, 6, 5, 9], [2, 7, 7, 5, 9, 6]])
    # The first coin of two rows is False: they read the start token all the same. One step has no True at all.
    coins = torch.tensor([[0, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 1], [0, 0, 1, 0, 1, 0]], dtype=torch.bool)
    right, always, one = _mixed(target, coins), torch.ones_like(coins), coins.any(dim=0).expand(3, -1)
    started, early = torch.where(coins, target, 2), target.roll(-1, dims=1)
    late = _mixed(target, coins.roll(1, dims=1), torch.where(torch.arange(6) > 0, target.roll(1, dims=1), 2))
    decoder = _Decoder()
    found = attempt(decoder, decoder.start(), target, coins)
    too_few = isinstance(found, Tensor) and found.shape == right[:, 1:].shape
    expect_that(not too_few, "one step is missing: there are as many steps as target has columns, the first included")
    expect_close(
        found,
        right,
        "the logits",
        axes="(batch, length, vocabulary)",
        known_wrong=[
            (_mixed(target, ~coins), "the coins are read the wrong way round: True means that the true token is read"),
            (_mixed(target, always), "every step read the true token: where a coin is False, read the model's own"),
            (_mixed(target, ~always), "every step read the model's own token: where a coin is True, read the true one"),
            (_mixed(target, coins[:1].expand(3, -1)), "the first sentence's coins decided for all: each has its own"),
            (_mixed(target, one), "one coin decided for all the sentences of a step: each has its own"),
            (_mixed(started, always), "the start token was read again where the coin is False: read the model's own"),
            (_mixed(target, coins, early), "the true token was read one step early, at the step that is to predict it"),
            (late, "the coin and the token of one step were used at the next: choose the input before the step"),
            (right[:, -1:], "only the last step's logits came back: collect them and join them, dim=1"),
            (right.argmax(dim=-1), "these are tokens: return the logits, which the loss needs"),
        ],
    )
    return "With all coins True one call does the same, without a loop."


class _Scripts(_Decoder):
    """A decoder that knows one sentence for each row by heart, goes on after its end, and at step 6 ends all again."""

    end_id, start_id = 3, 2
    scripts = ((5, 3, 7, 7, 3, 3, 6, 6), (4, 5, 6, 3, 8, 3, 8, 8), (3, 9, 9, 9, 9, 3, 9, 9))

    def score(self, tokens: Tensor, state: Tensor) -> Tensor:
        """Return logits that put the next word of each row's script first."""
        place = min(self.calls, len(self.scripts[0])) - 1
        logits = torch.linspace(-1.0, -2.0, 10).expand(self.batch, 1, 10).clone()
        for row, script in enumerate(self.scripts):
            expected = script[place - 1] if place else self.start_id
            what = "feed back the word just written" if place else "the first step reads the start token"
            known = int(tokens[row]) == expected or self.end_id in script[:place]  # what an ended row reads is free
            expect_that(known, f"step {place + 1} was given token {int(tokens[row])} for row {row + 1}: {what}")
            logits[row, 0, script[place]] = 3.0
        return logits


@exercise(lesson=4, title="Greedy search for a whole batch", minutes=15, difficulty=4)
def translate_batch(attempt: Attempt) -> str:
    """Translate several sentences at once, each to its own end."""
    right = [[5], [4, 5, 6], []]
    model = _Scripts()
    found = attempt(model, model.start(), 3, model.start_id, model.end_id, 8)
    if isinstance(found, list) and found and all(isinstance(row, list) for row in found):
        no_tensors = not any(isinstance(token, Tensor) for row in found for token in row)
        expect_that(no_tensors, "the lists hold tensors: .tolist() makes whole numbers of them")
    uncut = [list(script[:4]) for script in _Scripts.scripts]
    expect_equal(
        found,
        right,
        "the translations",
        known_wrong=[
            (uncut, "what a row wrote after its end is still there: cut each row at its first end_id"),
            ([[5, 3], [4, 5, 6, 3], [3]], "the end token is in the result: it says stop, and is no word"),
            ([[2, 5], [2, 4, 5, 6], [2]], "the start token is in the result: return only what was written"),
            ([[5], [4], []], "it stopped when the first row had ended: go on until every row has"),
            ([[5, 7, 7], [4, 5, 6], [9, 9, 9]], "end_id was dropped and what follows it kept: cut each row there"),
        ],
    )
    expect_that(model.calls != 6, "it stopped when all rows wrote end_id at the same step: remember which have ended")
    expect_that(model.calls == 4, f"the step was called {model.calls} times; after 4 every row had ended: stop there")
    model = _Scripts()
    expect_equal(
        attempt(model, model.start(), 3, model.start_id, model.end_id, 2),
        [[5], [4, 5], []],
        "the translations with limit 2",
        known_wrong=[
            (right, "limit 2 is not kept: write at most limit tokens in a row"),
            ([[5], [4], []], "one token too few: limit counts what is written, not the start token"),
        ],
    )
    return "Rows that have ended wait for the longest: that is the price of a batch."


QUIZ = (
    Question(
        "An encoder with 64 hidden units (one layer, one way) reads a sentence of 40 words. What does the decoder get?",
        (
            Option("40 vectors of 64 numbers", "Those are the encoder's outputs; here the decoder never sees them."),
            Option("64 numbers", "The final state, however long the sentence.", correct=True),
            Option("The 40 words, and 64 numbers", "It reads its own words only, never those of the source."),
        ),
    ),
    Question(
        "In the slide's code `outputs[:, 0]` stays zero. What happens if it goes into the loss as it is?",
        (
            Option("Nothing: zeros add nothing to a loss", "Zeros are logits: after a softmax, a uniform bet."),
            Option("An error", "None: that is what makes it dangerous."),
            Option("Every sentence is charged for a word nobody predicted", "The log of the vocabulary.", correct=True),
            Option("The decoder learns to begin with padding", "No gradient flows through a constant."),
        ),
    ),
    Question(
        "Greedy search and teacher forcing on the same model: which gets more sentences entirely right?",
        (
            Option("Exactly as many", "Until the first mistake both have read the same.", correct=True),
            Option("Teacher forcing", "It helps only after a mistake, and then the sentence is lost already."),
            Option("Greedy search", "It reads what it wrote; if that was right, it is the truth."),
        ),
    ),
    Question(
        "The model fails on short sentences it has never seen, but recites many of those it was trained on. Why?",
        (
            Option(
                "It was not trained long enough", "Longer, it recites nearly all of them, and no new one comes out."
            ),
            Option("The decoder forgets the start token", "It writes fluent French: decoding works."),
            Option("It has learned sentences, not how to translate", "More data, or lesson 5.", correct=True),
        ),
    ),
)
