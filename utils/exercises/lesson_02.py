"""Checks and quiz of lesson 2."""

import torch
from torch import Tensor

from utils.exercises import Attempt, Option, Question, exercise, expect_close, expect_tensor, expect_that


def _mask(lengths: Tensor, longest: int) -> Tensor:
    return torch.arange(longest) < lengths[:, None]


@exercise(lesson=2, title="The padding mask", minutes=5, difficulty=1)
def padding_mask(attempt: Attempt) -> str:
    """Mark the real tokens of each row, from the lengths."""
    lengths = torch.tensor([3, 5, 1, 2])
    mask = attempt(lengths, 5)
    expect_tensor(mask, "the mask")
    positions = torch.arange(5)
    if mask.shape == (4, 5) and mask.dtype != torch.bool:
        expect_that(
            not torch.equal(mask.double(), _mask(lengths, 5).double()),
            f"ones and zeros are right but have dtype {mask.dtype}: a mask is boolean, as a comparison gives it",
        )
    expect_close(
        mask,
        _mask(lengths, 5),
        "the mask",
        axes="(batch, longest)",
        known_wrong=[
            (positions <= lengths[:, None], "one token too many is real in each row: positions count from 0, so use <"),
            (
                positions + 1 < lengths[:, None],
                "one real token of each row is lost: positions count from 0, not from 1",
            ),
            (positions >= lengths[:, None], "True stands at the padding: in this course it marks the real tokens"),
            (
                positions.flip(0) < lengths[:, None],
                "the real tokens stand at the right end of each row: padding comes after them, not before",
            ),
            ((positions[:, None] < lengths), "rows and columns are exchanged: one row for each sentence of the batch"),
        ],
    )
    wide = attempt(torch.tensor([2, 0]), 4)
    expect_close(
        wide,
        _mask(torch.tensor([2, 0]), 4),
        "the mask of a rectangle wider than its longest sentence",
        axes="(batch, longest)",
        known_wrong=[
            (_mask(torch.tensor([2, 0]), 2), "the width is `longest`, which may be more than the largest length")
        ],
    )
    return "An empty sentence gets a row of False, with no special case."


@exercise(lesson=2, title="The last real output", minutes=10, difficulty=3)
def last_real_output(attempt: Attempt) -> str:
    """Pick each sentence's output at its own last real token."""
    lengths = torch.tensor([3, 1, 4, 2, 3])
    mask = _mask(lengths, 5)  # as many sentences as positions, so that a sum over the wrong axis goes unnoticed
    outputs = torch.randn(5, 5, 4)
    rows = torch.arange(5)
    last = attempt(outputs, mask)
    expect_close(
        last,
        outputs[rows, lengths - 1],
        "the last real outputs",
        axes="(batch, hidden)",
        known_wrong=[
            (
                outputs[:, -1],
                "this is the output at the end of the rectangle, which is padding here: find each sentence's own end",
            ),
            (outputs[rows, lengths], "off by one: a sentence of 3 tokens has its last one at position 2"),
            (outputs[rows, lengths - 2], "off by one: this is the token before the last"),
            (
                outputs[rows, mask.sum(dim=0) - 1],
                "the lengths were summed over the batch: sum the mask over its second axis, dim=1",
            ),
            (
                outputs[:, int(lengths.max()) - 1],
                "every sentence is read off at the longest one's end: use each sentence's own length",
            ),
            (outputs[:, 0], "this is the first output of each sentence: you want its last real one"),
            ((outputs * mask[:, :, None])[:, -1], "zeroed padding was read off: find each sentence's own end"),
            (
                outputs[:, lengths - 1],
                "every row gave all five positions: index the rows too, with torch.arange(batch)",
            ),
        ],
    )
    lengths = torch.tensor([2, 6, 1])  # a row without padding; fewer sentences than positions
    outputs = torch.randn(3, 6, 2)
    expect_close(
        attempt(outputs, _mask(lengths, 6)),
        outputs[torch.arange(3), lengths - 1],
        "the last real outputs of three sentences, one of them without padding",
        axes="(batch, hidden)",
    )
    return "For a one-way encoder this equals the state that packing returns."


@exercise(lesson=2, title="The mean over real tokens", minutes=10, difficulty=2)
def masked_mean(attempt: Attempt) -> str:
    """Average the outputs of each sentence, padding left out."""
    lengths = torch.tensor([3, 1, 4, 2])
    mask = _mask(lengths, 4)
    outputs = torch.randn(4, 4, 3)
    kept = outputs * mask[:, :, None]
    expect_close(
        attempt(outputs, mask),
        kept.sum(dim=1) / lengths[:, None],
        "the means",
        axes="(batch, hidden)",
        known_wrong=[
            (outputs.mean(dim=1), "padding is averaged in: set it to zero, and count the real tokens only"),
            (
                kept.mean(dim=1),
                "divided by the width of the rectangle: divide by each sentence's number of real tokens",
            ),
            (kept.sum(dim=1), "this is the sum: divide it by each sentence's number of real tokens"),
            (
                outputs.sum(dim=1) / lengths[:, None],
                "padding is still in the sum: multiply the outputs by the mask before you add up",
            ),
            (kept.sum(dim=0) / mask.sum(dim=0)[:, None], "averaged over the sentences of the batch: sum over dim=1"),
            (
                kept.sum(dim=1) / mask.sum(dim=0)[:, None],
                "the real tokens were counted over the batch: sum the mask over its second axis, dim=1",
            ),
            (
                kept.sum(dim=1) / (lengths[:, None] + 1),
                "divided by one too many: a sentence of 3 real tokens is divided by 3",
            ),
            (kept.sum(dim=1) / mask.sum(), "divided by the real tokens of the whole batch: count each sentence's own"),
            (outputs[mask].mean(dim=0), "one mean for the whole batch: each sentence gets its own"),
            (outputs[mask].mean(), "one number for the whole batch: each sentence gets a vector of its own"),
        ],
    )
    mask = _mask(torch.tensor([2, 5]), 5)
    outputs = torch.randn(2, 5, 3)
    changed = torch.where(mask[:, :, None], outputs, torch.full_like(outputs, 1e6))
    expect_that(
        torch.allclose(attempt(outputs, mask), attempt(changed, mask)),
        "the result depends on what stands at padding: multiply by the mask before you add up",
    )
    return "Whatever stands at padding, the mean stays the same."


@exercise(lesson=2, title="Join the two directions", minutes=10, difficulty=3)
def join_directions(attempt: Attempt) -> str:
    """Put the last layer's forward and backward states side by side."""
    for layers in (2, 1, 3):
        state = torch.randn(2 * layers, 3, 4)
        known_wrong = [
            (state[-2:].transpose(0, 1).flip(1).flatten(1), "backward came first: forward is state[-2], so it leads"),
            (
                state[-2:].reshape(3, 8),
                "the reshape mixed different sentences into one row: put the two matrices side by side with torch.cat",
            ),
            (
                state[-2] + state[-1],
                "the two directions were added: join them with torch.cat, so that nothing is mixed",
            ),
            (
                state[-2:].mean(0),
                "the two directions were averaged: join them with torch.cat, so that nothing is mixed",
            ),
            (torch.cat([state[-2], state[-1]]), "joined one below the other: put them side by side, dim=-1"),
            (state[-2:], "the two states still lie one behind the other: join them into one row for each sentence"),
            (state.transpose(0, 1).flatten(1), "all layers were joined: take the last layer's two states only"),
        ]
        if layers > 1:
            known_wrong += [
                (
                    torch.cat([state[0], state[1]], dim=-1),
                    "these are the first layer's states: the last layer's are the last two",
                ),
                (
                    torch.cat([state[layers - 1], state[-1]], dim=-1),
                    "the order is layer by layer, forward and backward in turn: the last layer's are the last two",
                ),
                (
                    torch.cat([state[0], state[-1]], dim=-1),
                    "first and last entry come from different layers: take the last two",
                ),
            ]
        expect_close(
            attempt(state),
            torch.cat([state[-2], state[-1]], dim=-1),
            f"the joined state ({layers} layer{'s' * (layers > 1)})",
            axes="(batch, 2 × hidden)",
            known_wrong=known_wrong,
        )
    return "It is what a decoder can be started from, after a linear layer that halves it."


QUIZ = (
    Question(
        "An embedding of 10,000 tokens and 256 numbers each looks up one token. What is this equal to?",
        (
            Option("Multiplying the id by a row of 256 weights", "Then token 20 would be twice token 10."),
            Option(
                "Multiplying a one-hot vector by a 10,000 × 256 matrix",
                "The single 1 picks one row; the look-up does it without the 9,999 zeros.",
                correct=True,
            ),
            Option(
                "A GRU step without a state",
                "A GRU mixes and bends its inputs; a look-up returns a stored row unchanged.",
            ),
        ),
    ),
    Question(
        "In `nn.GRU`, one unit's update gate stands at 1 until the end of the sentence. What becomes of its state?",
        (
            Option("It is overwritten by the newest word", "That is a gate of 0: the new state is then all candidate."),
            Option("It is reset to zero", "Nothing sets it to zero; the reset gate only hides it from the candidate."),
            Option("It stays exactly as it is", "The blend is then all old state and no candidate.", correct=True),
            Option("It grows with every word", "A blend of two numbers between -1 and 1 stays between -1 and 1."),
        ),
    ),
    Question(
        "A batch holds a sentence of 5 tokens and one of 20; the encoder gets no mask. Whose final state is wrong?",
        (
            Option(
                "Nobody's: padding has id 0 and adds nothing", "Id 0 is row 0 of a table; the GRU reads it as a word."
            ),
            Option("The short one's", "It read 15 padding tokens after its own last word.", correct=True),
            Option("Both", "The long sentence fills its row: there is no padding for it to read."),
            Option("The long one's", "It has no padding; the short one reads 15 tokens that are not there."),
        ),
    ),
    Question(
        "Bag of words scores exactly 50 % on real against scrambled sentences. Why exactly?",
        (
            Option(
                "The two forms have the same counts, so one of each pair is judged right",
                "Same counts, same verdict, opposite truth: one right and one wrong, pair by pair.",
                correct=True,
            ),
            Option(
                "It was trained on too few sentences", "More would not help: the counts of both forms are always equal."
            ),
            Option("It guesses at random", "It always gives the same verdict; chance would not hit 50 % exactly."),
        ),
    ),
)
