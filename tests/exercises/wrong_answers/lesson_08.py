"""Wrong answers to the exercises of lesson 8, and a piece of what each must be told."""

import math

import torch


def _visible(past, new, mask, *, offset=None, strict=False):
    columns, rows = torch.arange(past + new), (past if offset is None else offset) + torch.arange(new)[:, None]
    return ((columns < rows) if strict else (columns <= rows)) & mask[:, None]


def _bytes(layers, heads, head_size, batch, tokens, width, *, both=2):
    return both * layers * heads * head_size * batch * tokens * width


def _blocks(examples):
    return [f"Review: {text}\nSentiment: {answer}" for text, answer in examples]


def _question(review):
    return f"Review: {review}\nSentiment:"


def _sizes(texts):
    return sum(len(text.encode("utf-8")) for text in texts)


WRONG = {
    "visible_with_cache": [
        (lambda past, new, mask: _visible(past, new, torch.ones_like(mask)), "padding may be looked at"),
        (
            lambda past, new, mask: _visible(past, new, torch.cat([mask[:, :past], mask.new_ones(len(mask), new)], 1)),
            "padding among the new tokens",
        ),
        (
            lambda past, new, mask: (torch.arange(past + new) <= past + torch.arange(new)[:, None]) | mask[:, None],
            "both must hold",
        ),
        (lambda past, new, mask: mask[:, None].expand(-1, new, -1), "look at what follows it"),
        (lambda past, new, mask: _visible(past, new, mask, offset=0), "stands at position past + j"),
        (lambda past, new, mask: _visible(past, new, mask, strict=True), "no token may look at itself"),
        (
            lambda past, new, mask: (torch.arange(past + new) >= past + torch.arange(new)[:, None]) & mask[:, None],
            "it looks forwards",
        ),
        (lambda past, new, mask: ~_visible(past, new, mask), "True and False are exchanged"),
        (
            lambda past, new, mask: torch.arange(past + new) <= past + torch.arange(new)[:, None],
            "the batch axis is missing",
        ),
        (lambda past, new, mask: _visible(past, new, mask)[:, None], "none for the heads"),
        (lambda past, new, mask: _visible(0, past + new, mask), "only the new tokens have a row"),
    ],
    "cache_bytes": [
        (lambda n, q, k, h, b, t, w: _bytes(n, k, h // q, b, t, w, both=1), "keys or values are missing"),
        (lambda n, q, k, h, b, t, w: _bytes(n, q, h // q, b, t, w), "count the key–value heads"),
        (lambda n, q, k, h, b, t, w: _bytes(n, k, h // q, 1, t, w), "this is one text"),
        (lambda n, q, k, h, b, t, w: _bytes(1, k, h // q, b, t, w), "this is one layer"),
        (lambda n, q, k, h, b, t, w: _bytes(n, k, h // q, b, t, 1), "numbers, not bytes"),
        (lambda n, q, k, h, b, t, w: _bytes(n, k, h // q, b, t * t, w), "each token is kept once"),
        (lambda n, q, k, h, b, t, w: _bytes(n, k, h, b, t, w), "does not have all the hidden numbers"),
        (lambda n, q, k, h, b, t, w: n * k * (h // q) * b * t, "two factors are missing"),
    ],
    "few_shot_prompt": [
        (lambda examples, review: "\n\n".join([*_blocks(examples), _question(review) + " "]), "after the last colon"),
        (lambda examples, review: "\n\n".join([*_blocks(examples), _question(review) + "\n"]), "no line end either"),
        (
            lambda examples, review: "\n\n".join([*_blocks(examples), _question(review)]).replace("ew: ", "ew:"),
            "between Review: and the text",
        ),
        (
            lambda examples, review: "\n\n".join([*_blocks([pair[::-1] for pair in examples]), _question(review)]),
            "review and answer are exchanged",
        ),
        (
            lambda examples, review: "\n\n".join(_blocks(examples)) + "\n\n" + _question(review),
            "nothing stands before the question",
        ),
        (lambda examples, review: "\n".join([*_blocks(examples), _question(review)]), "an empty line must separate"),
        (
            lambda examples, review: "\n\n".join(_blocks(examples)) + _question(review),
            "separated from the last example",
        ),
        (lambda examples, review: "\n".join([*_blocks(examples), _question(review)]) + " ", "two faults"),
        (
            lambda examples, review: "\n\n".join([*_blocks(examples), f"Review: {review}"]),
            "must end with Sentiment:",
        ),
        (lambda examples, review: "\n\n".join(_blocks(examples)), "review to be judged is missing"),
        (lambda examples, review: "\n\n".join([_question(review), *_blocks(examples)]), "the question comes first"),
        (lambda examples, review: "\n\n".join([*_blocks(examples)[::-1], _question(review)]), "turned round"),
        (lambda examples, review: _question(review), "the examples are missing"),
        (
            lambda examples, review: "\n\n".join([*_blocks(examples), _question(review)]).replace("nt: ", "nt:"),
            "a space is missing",
        ),
    ],
    "bits_per_byte": [
        (lambda scores, mask, texts: -scores[mask].sum() / _sizes(texts), "nats per byte"),
        (lambda scores, mask, texts: -scores[mask].sum() * math.log(2) / _sizes(texts), "a bit is smaller"),
        (lambda scores, mask, texts: -scores.sum() / math.log(2) / _sizes(texts), "padding is counted"),
        (lambda scores, mask, texts: -scores[mask].sum() / math.log(2) / sum(map(len, texts)), "these are letters"),
        (lambda scores, mask, texts: -scores[mask].mean() / math.log(2), "this is per token"),
        (lambda scores, mask, texts: -scores[mask].mean() / math.log(2) / _sizes(texts), "the mean of the tokens"),
        (lambda scores, mask, texts: -scores[mask].sum() / math.log(2) / len(texts), "this is per text"),
        (lambda scores, mask, texts: scores[mask].sum() / math.log(2) / _sizes(texts), "surprise is positive"),
        (lambda scores, mask, texts: -scores[mask].sum() / math.log(2), "divide by the bytes"),
    ],
}
