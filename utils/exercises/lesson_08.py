"""Checks and quiz of lesson 8."""

import math

import torch

from utils.exercises import (
    Attempt,
    Misconception,
    Option,
    Question,
    exercise,
    expect_close,
    expect_equal,
    expect_shape,
    expect_tensor,
)


@exercise(lesson=8, title="Who may look at whom, with a cache", minutes=10, difficulty=3)
def visible_with_cache(attempt: Attempt) -> str | None:
    """Join the causal pattern of a cached step with the padding of its batch."""
    past, new = 3, 2
    mask = torch.tensor([[True] * 5, [False, False, True, True, True], [False, True, True, True, False]])
    columns, rows = torch.arange(past + new), torch.arange(new)[:, None]
    causal = columns <= past + rows
    expected = causal & mask[:, None]
    found = attempt(past, new, mask)
    expect_tensor(found, "the result", dtype=torch.bool)
    if found.shape == causal.shape:
        raise Misconception("the batch axis is missing: the padding differs from text to text")
    if found.dim() == 4:
        raise Misconception("there is an axis too many: (batch, new, past + new) has none for the heads")
    if found.dim() == 3 and found.size(1) == past + new:
        raise Misconception("only the new tokens have a row: the past was read before, so there are not past + new")
    expect_shape(found, expected.shape, "(batch, new, past + new)")
    expect_equal(
        found.tolist(),
        expected.tolist(),
        "the result",
        known_wrong=[
            ((causal & mask.new_ones(3, 1, 5)).tolist(), "padding may be looked at: let the mask forbid it"),
            (
                (causal & torch.cat([mask[:, :past], mask.new_ones(3, new)], dim=1)[:, None]).tolist(),
                "padding among the new tokens may be looked at: mask has a place for them too",
            ),
            ((causal | mask[:, None]).tolist(), "both must hold, not one of them: combine with &"),
            (mask[:, None].expand(3, new, 5).tolist(), "a new token may look at what follows it: the rows must differ"),
            (
                ((columns <= rows) & mask[:, None]).tolist(),
                "the rows are counted from the start of the text: new token j stands at position past + j",
            ),
            (
                ((columns < past + rows) & mask[:, None]).tolist(),
                "no token may look at itself: use <=, as each is part of what it knows",
            ),
            (
                ((columns >= past + rows) & mask[:, None]).tolist(),
                "it looks forwards: what comes after a token is forbidden, what comes before is allowed",
            ),
            ((~expected).tolist(), "True and False are exchanged: True means that one may look"),
        ],
    )
    start = torch.ones(1, 3, dtype=torch.bool)
    expect_equal(
        attempt(0, 3, start).tolist(),
        [torch.ones(3, 3, dtype=torch.bool).tril().tolist()],
        "the result for a text that begins (past = 0)",
    )
    return (
        "With past = 0 this is the plain triangle, with new = 1 a single row: one rule for training and writing. "
        "Padding at the start may look nowhere; a softmax needs one place, so utils.transformer lets it see itself."
    )


def _whole(value: object) -> object:
    """Return a float that is a whole number as an int: the operator ``/`` is no misconception here."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@exercise(lesson=8, title="How large is the cache?", minutes=5, difficulty=2)
def cache_bytes(attempt: Attempt) -> str | None:
    """Count what a decoder keeps, with key–value heads that several query heads share."""
    layers, query_heads, shared, hidden, batch, tokens, width = 5, 6, 2, 48, 3, 7, 4
    right = 2 * layers * shared * (hidden // query_heads) * batch * tokens * width
    expect_equal(
        _whole(attempt(layers, query_heads, shared, hidden, batch, tokens, width)),
        right,
        "the size",
        known_wrong=[
            (right // 2, "keys or values are missing: both are kept"),
            (
                right * 3,
                "this is the whole hidden size: count the key–value heads, each of hidden_size // query_heads numbers",
            ),
            (right // (2 * width), "keys and values, and bytes: two factors are missing"),
            (right // batch, "this is one text: the batch has several"),
            (right // layers, "this is one layer: each has keys and values of its own"),
            (right // width, "these are numbers, not bytes: multiply by the bytes of each"),
            (
                right * tokens,
                "each token is kept once: it is the weights that are tokens × tokens, and they are not kept",
            ),
            (
                2 * layers * hidden * shared * batch * tokens * width,
                "a head does not have all the hidden numbers: its size is hidden_size // query_heads",
            ),
        ],
    )
    expect_equal(_whole(attempt(1, 4, 4, 8, 1, 1, 4)), 64, "the size where each query head has its own keys and values")
    return "The query heads do not count: queries are used once and forgotten."


@exercise(lesson=8, title="A few-shot prompt", minutes=10, difficulty=2)
def few_shot_prompt(attempt: Attempt) -> str | None:
    """Write solved examples and a question in one form."""
    examples, review = [("A joy.", "positive"), ("I left early.", "negative")], "Not bad at all."
    blocks = [f"Review: {text}\nSentiment: {answer}" for text, answer in examples]
    question = f"Review: {review}\nSentiment:"
    right = "\n\n".join([*blocks, question])
    exchanged = [f"Review: {answer}\nSentiment: {text}" for text, answer in examples]
    expect_equal(
        attempt(examples, review),
        right,
        "the prompt",
        known_wrong=[
            (right + " ", "a space stands after the last colon: the answer's token brings its own"),
            (right + "\n", "nothing may stand after the last colon, no line end either"),
            (right.replace("Review: ", "Review:"), "a space is missing between Review: and the text"),
            ("\n\n".join([*exchanged, question]), "review and answer are exchanged in the examples"),
            ("\n".join([*blocks, question]), "an empty line must separate the examples: end each with two line ends"),
            (
                "\n\n".join(blocks) + question,
                "the question must be separated from the last example, by an empty line too",
            ),
            (
                "\n\n".join(blocks) + "\n" + question,
                "the question must be separated from the last example, by an empty line too",
            ),
            (
                "\n".join([*blocks, question]) + " ",
                "two faults: end each example with two line ends, and let nothing follow the last colon",
            ),
            (right.removesuffix("\nSentiment:"), "the prompt must end with Sentiment:, as the answer comes next"),
            ("\n\n".join(blocks), "the review to be judged is missing: it comes last, without an answer"),
            ("\n\n".join([question, *blocks]), "the question comes first: the model continues what stands last"),
            ("\n\n".join([*blocks[::-1], question]), "the order of the examples is turned round, and order matters"),
            (question, "the examples are missing: this is zero-shot"),
            (
                right.replace("Sentiment: ", "Sentiment:"),
                "a space is missing between the colon and an example's answer",
            ),
        ],
    )
    expect_equal(
        attempt([], review),
        question,
        "the prompt without any example",
        known_wrong=[("\n\n" + question, "without examples nothing stands before the question")],
    )
    return "Without examples it is the zero-shot prompt: one function for both."


@exercise(lesson=8, title="Bits per byte", minutes=10, difficulty=3)
def bits_per_byte(attempt: Attempt) -> str | None:
    """Measure surprise by the byte, so that tokenisers can be compared."""
    log_probabilities = -4 * torch.rand(2, 4, generator=torch.Generator().manual_seed(8)) - 0.5
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    texts = ["Le café ferme.", "Été !"]
    nats, every = -log_probabilities[mask].sum(), -log_probabilities.sum()
    size = sum(len(text.encode("utf-8")) for text in texts)
    letters = sum(map(len, texts))
    by_text = (-log_probabilities * mask).sum(dim=1) / math.log(2)
    sizes = torch.tensor([len(text.encode("utf-8")) for text in texts])
    found = attempt(log_probabilities, mask, texts)
    found = torch.tensor(found) if isinstance(found, float) else found
    expect_close(
        found,
        nats / math.log(2) / size,
        "the bits per byte",
        known_wrong=[
            (nats / size, "these are nats per byte: divide by the logarithm of 2"),
            (nats * math.log(2) / size, "a bit is smaller than a nat, so there are more of them: divide by ln 2"),
            (every / math.log(2) / size, "padding is counted: only tokens where the mask is True are real"),
            (nats / math.log(2) / letters, "these are letters: encode each text as UTF-8 and count its bytes"),
            (nats / math.log(2) / int(mask.sum()), "this is per token: divide by the bytes of the texts"),
            (nats / math.log(2) / int(mask.sum()) / size, "this is the mean of the tokens: add them up"),
            (nats / math.log(2) / len(texts), "this is per text: divide by the bytes of all texts"),
            (-nats / math.log(2) / size, "surprise is positive: change the sign"),
            (nats / math.log(2), "this is the surprise of all: divide by the bytes"),
            (
                (by_text / sizes).mean(),
                "this is a mean of the texts' means: add up all bits, all bytes, and divide once",
            ),
            ((by_text / sizes), "one number is asked for: add up over the texts"),
        ],
    )
    if not torch.is_tensor(found) or found.dim() != 0:
        raise Misconception("one number is asked for, not a list of them")
    return "By this measure, a model of words and a model of bytes can be compared on the same text."


QUIZ = (
    Question(
        "Why does a decoder need the causal mask in training?",
        (
            Option("To save computing time", "The masked scores are computed all the same in a plain implementation."),
            Option(
                "Because otherwise each position could see its target",
                "The answer stands one column to the right; with the mask every position is an honest question.",
                correct=True,
            ),
            Option("To ignore the padding", "That is the padding mask, another one."),
        ),
    ),
    Question(
        "What does the key–value cache change about the text that is written?",
        (
            Option("It becomes a little worse: the cache is an approximation", "It is exact: past keys never change."),
            Option("It becomes longer", "Only the writing becomes faster."),
            Option("Nothing", "The same numbers, kept instead of computed again.", correct=True),
        ),
    ),
    Question(
        "A model of words has perplexity 80, a model of bytes 3. Which is better?",
        (
            Option(
                "One cannot say from this",
                "They count different things; bits per byte of the same text can be compared.",
                correct=True,
            ),
            Option("The model of bytes", "A byte is far easier to guess than a word."),
            Option("The model of words", "It may be; these two numbers do not say so."),
        ),
    ),
    Question(
        "Four examples in a prompt made the answers worse. What should you do first?",
        (
            Option("Give up on the model", "The margins may still rank the reviews well."),
            Option("Train on the examples", "That is another method; look at what went wrong first."),
            Option("Keep the best of fifty prompts by the test", "That is choosing by luck, on the test."),
            Option(
                "Look at the margins, and at another order of the examples",
                "Often all margins are pushed to one side: the ranking is good, only the cut is wrong.",
                correct=True,
            ),
        ),
    ),
)
