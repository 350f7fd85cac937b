"""Checks and quiz of lesson 1."""

import torch
from torch import nn

from utils.exercises import (
    Attempt,
    Option,
    Question,
    exercise,
    expect_close,
    expect_equal,
    expect_shape,
    expect_tensor,
    expect_that,
)


@exercise(lesson=1, title="Tokens to ids", minutes=5, difficulty=1)
def to_ids(attempt: Attempt) -> str:
    """Look tokens up in a vocabulary, unknown ones as ``<unk>``."""
    vocabulary = {"<pad>": 0, "<unk>": 1, "cat": 2, "the": 3, "sat": 4}
    known = attempt(["the", "cat", "sat", "the"], vocabulary)
    expect_equal(
        known,
        [3, 2, 4, 3],
        "the ids of known tokens",
        known_wrong=[
            ([2, 3, 4], "the ids came back sorted and without repeats: keep the order and every repeat"),
            ([3, 2, 4], "a token that occurs twice must give its id twice"),
        ],
    )
    unknown = attempt(["the", "dog", "sat"], vocabulary)
    expect_equal(
        unknown,
        [3, 1, 4],
        "the ids when one token is unknown",
        known_wrong=[
            ([3, 4], "the unknown token vanished: give it the id of '<unk>', so that the length stays the same"),
            ([3, 0, 4], "the unknown token got id 0, which is padding here: look up '<unk>'"),
            ([3, None, 4], "the unknown token got None: give get() a second value to fall back on"),
        ],
    )
    elsewhere = attempt(["dog"], {"cat": 0, "<unk>": 7})
    expect_equal(
        elsewhere,
        [7],
        "the id of an unknown token in another vocabulary",
        known_wrong=[([1], "the id of '<unk>' is written into your code: look it up, since vocabularies differ")],
    )
    return "Nothing a reader types can now fall outside the vocabulary."


@exercise(lesson=1, title="A decoder with a short memory", minutes=10, difficulty=2)
def window_mask(attempt: Attempt) -> str:
    """Keep the band of a causal mask that lies within the window."""
    square = torch.ones(6, 6, dtype=torch.bool)
    expected = square.tril() & square.triu(-2)
    mask = attempt(6, 3)
    expect_tensor(mask, "the mask")
    expect_shape(mask, (6, 6), "(length, length)", what="the mask")
    seen = mask.bool()
    expect_that(
        not torch.equal(seen, expected.T), "rows look forward, at tokens not yet written: i must not be below j"
    )
    expect_that(not torch.equal(seen, square.tril()), "every token before is seen: take away those too far back")
    expect_that(not seen.triu(1).any(), "some token looks ahead, at one not yet written: j may not exceed i")
    expect_that(bool(seen.diagonal().all()), "a token may look at itself too: the diagonal must be True")
    expect_that(
        not torch.equal(seen, square.tril() & square.triu(-3)),
        "one too many: a window of 3 is the token itself and the 2 before it",
    )
    expect_that(
        not torch.equal(seen, square.tril() & square.triu(-1)),
        "one too few: a window of 3 is the token itself and the 2 before it",
    )
    expect_that(mask.dtype == torch.bool, f"the mask must hold True and False, dtype torch.bool, not {mask.dtype}")
    expect_close(mask, expected, "the mask", axes="(this token, may look at)")
    expect_close(attempt(4, 1), torch.eye(4, dtype=torch.bool), "the mask of a decoder that sees only itself")
    expect_close(attempt(3, 9), square[:3, :3].tril(), "the mask when the window is longer than the text")
    return "With a window of the whole length it is the causal mask again."


@exercise(lesson=1, title="Cosine similarity", minutes=10, difficulty=2)
def cosine_similarity(attempt: Attempt) -> str:
    """Compare every row of one matrix with every row of another."""
    a, b = torch.randn(3, 8) * 3, torch.randn(4, 8) * 2
    unit_a, unit_b = nn.functional.normalize(a, dim=-1), nn.functional.normalize(b, dim=-1)
    expect_close(
        attempt(a, b),
        unit_a @ unit_b.T,
        "the similarities",
        axes="(m, n)",
        known_wrong=[
            (a @ b.T, "these are plain dot products: divide by the norms, or long vectors win"),
            (a @ unit_b.T, "only the rows of b were given norm 1: do the same to a"),
            (unit_a @ b.T, "only the rows of a were given norm 1: do the same to b"),
            (unit_b @ unit_a.T, "the table lies on its side: rows are a's, columns are b's"),
            (
                nn.functional.normalize(a, dim=0) @ nn.functional.normalize(b, dim=0).T,
                "the columns were given norm 1: the norm goes over the last axis, hidden",
            ),
            (a @ b.T / (a.norm() * b.norm()), "the norm was taken over the whole matrix: give it dim=-1"),
        ],
    )
    return "One matrix product compares everything with everything."


@exercise(lesson=1, title="The encoder–decoder's mask", minutes=10, difficulty=3)
def encoder_decoder_mask(attempt: Attempt) -> str:
    """Put the encoder's block, the cross block and the causal block together."""
    source, target = 2, 4
    length = source + target
    expected = torch.zeros(length, length, dtype=torch.bool)
    expected[:, :source] = True
    expected[source:, source:] = torch.ones(target, target, dtype=torch.bool).tril()
    mask = attempt(source, target)
    expect_tensor(mask, "the mask")
    expect_shape(mask, (length, length), "(source + target, source + target)", what="the mask")
    seen = mask.bool()
    expect_that(not seen[:source, source:].any(), "source tokens look at target tokens, which are not written yet")
    expect_that(
        bool(seen[:source, :source].all()),
        "source tokens must see the whole source, left and right: that block is an encoder, not a triangle",
    )
    expect_that(
        bool(seen[source:, :source].all()),
        "target tokens cannot see all of the source: the block that looks across must be all True",
    )
    own = seen[source:, source:]
    expect_that(
        not torch.equal(own, torch.ones_like(own).triu()),
        "the target's triangle points the wrong way: a token looks back, at what is already written",
    )
    expect_that(not own.triu(1).any(), "target tokens look ahead: their own block must be a causal mask")
    expect_that(bool(own.diagonal().all()), "a target token may look at itself too: the diagonal of its block is True")
    expect_that(mask.dtype == torch.bool, f"the mask must hold True and False, dtype torch.bool, not {mask.dtype}")
    expect_close(mask, expected, "the mask", axes="(this token, may look at)")
    return "Two patterns you knew and one new block: that is the whole encoder–decoder."


QUIZ = (
    Question(
        "A decoder has read 5 tokens. What does it give out?",
        (
            Option("A probability for every token of the vocabulary", "And then one of them is chosen.", correct=True),
            Option("The next sentence", "It goes one token at a time; a sentence is many turns of the same question."),
            Option("A vector for the meaning of the text", "That is what an encoder is for."),
        ),
    ),
    Question(
        "Why does the slide's encoder fail on two tokens?",
        (
            Option("A GRU can only read one token", "It reads any number of them, if you let it."),
            Option("The view glues both vectors into one of double size", "So the GRU gets 40 numbers.", correct=True),
            Option("Its vocabulary has only ten tokens", "Ids 5 and 7 are both below ten; that part is fine."),
        ),
    ),
    Question(
        "In an encoder–decoder, which tokens may a target token look at?",
        (
            Option("Every source token, and every target token", "Then it could copy the answer it is to write."),
            Option("Only the target tokens before it", "That is a decoder alone, and it would ignore the source."),
            Option("Every source token, itself, and the target tokens before it", "Across and back.", correct=True),
            Option("Only the source tokens", "Then it would not know what it has written already."),
        ),
    ),
    Question(
        "You want to find the question in a help forum that means the same as a new one. Which family fits best?",
        (
            Option("An encoder", "One vector for each question, then compare by cosine.", correct=True),
            Option("A decoder", "It could be talked into it, one pair of questions at a time, slowly."),
            Option("An encoder–decoder", "Nothing has to be written here, so half of it would lie idle."),
        ),
    ),
)
