"""Wrong answers to the exercises of lesson 7, and a piece of what each must be told."""

import math

import torch
import torch.nn.functional as F


def _each(logits, answers):
    return F.cross_entropy(logits.flatten(0, 1), answers.flatten(), reduction="none").view(answers.shape)


def _near(weights, first, stop, step):
    inner = torch.arange(first, weights.size(-1) - stop)
    return weights[..., inner, inner + step]


def _greedy(word, vocabulary):
    count, start = 0, 0
    while start < len(word):
        ends = [end for end in range(start + 1, len(word) + 1) if "##" * (start > 0) + word[start:end] in vocabulary]
        if not ends:
            return math.inf
        count, start = count + 1, max(ends)
    return count


def _from_the_end(word, vocabulary):
    count, end = 0, len(word)
    while end:
        starts = [start for start in range(end) if "##" * (start > 0) + word[start:end] in vocabulary]
        if not starts:
            return math.inf
        count, end = count + 1, min(starts)
    return count


def _table(word, known):
    best = [0]
    for end in range(1, len(word) + 1):
        best.append(min((best[start] + 1 for start in range(end) if known(word, start, end)), default=math.inf))
    return best


def _marked(vocabulary):
    return lambda word, start, end: "##" * (start > 0) + word[start:end] in vocabulary


def _unspellable(answer):
    def fewest(word, vocabulary):
        best = _table(word, _marked(vocabulary))[-1]
        return answer if best == math.inf else best

    return fewest


WRONG = {
    "riddle_loss": [
        (lambda logits, answers, chosen: _each(logits, answers).mean(), "every position counts"),
        (lambda logits, answers, chosen: _each(logits, answers)[~chosen].mean(), "what was not asked for"),
        (lambda logits, answers, chosen: -_each(logits, answers)[chosen].mean(), "the sign is turned"),
        (lambda logits, answers, chosen: _each(logits, answers)[chosen].sum(), "this is the sum"),
        (lambda logits, answers, chosen: (_each(logits, answers) * chosen).mean(), "as zeros"),
        (
            lambda logits, answers, chosen: ((_each(logits, answers) * chosen).sum(1) / chosen.sum(1)).mean(),
            "each text counts alike",
        ),
        (lambda logits, answers, chosen: _each(logits, answers)[chosen], "one number for each gap"),
        (
            lambda logits, answers, chosen: F.cross_entropy(logits[chosen].softmax(-1), answers[chosen]),
            "the softmax is taken twice",
        ),
        (
            lambda logits, answers, chosen: -logits[chosen].gather(1, answers[chosen][:, None]).mean(),
            "no log-probabilities yet",
        ),
    ],
    "share_on_previous": [
        (lambda weights: _near(weights, 1, 1, 1).mean(-1), "the next token's share"),
        (lambda weights: _near(weights, 1, 1, 0).mean(-1), "on the token itself"),
        (lambda weights: weights.diagonal(-1, -2, -1).mean(-1), "the row of [SEP] is counted"),
        (lambda weights: _near(weights, 0, 1, -1).mean(-1), "the row of [CLS] is counted"),
        (lambda weights: _near(weights, 0, 0, -1).mean(-1), "the rows of [CLS] and [SEP] are counted"),
        (lambda weights: _near(weights, 1, 2, -1).mean(-1), "the last token of the text is left out"),
        (lambda weights: _near(weights, 2, 1, -1).mean(-1), "the first token of the text is left out"),
        (lambda weights: _near(weights.transpose(-1, -2), 1, 1, -1).mean(-1), "rows and columns are exchanged"),
        (lambda weights: weights[..., 1:-1, :-2].mean((-2, -1)), "the mean over a whole block"),
        (lambda weights: _near(weights, 1, 1, -1).sum(-1), "these are sums"),
        (lambda weights: _near(weights, 1, 1, -1).sum(-1) / weights.size(-1), "divided by the whole length"),
        (lambda weights: _near(weights, 1, 1, -1), "one share for each token"),
        (lambda weights: _near(weights, 1, 1, -1).mean((0, 1)), "layers and heads are averaged"),
    ],
    "fewest_pieces": [
        (_greedy, "this is the greedy cut"),
        (_from_the_end, "the longest end first"),
        (
            lambda word, vocabulary: _table(
                word, lambda text, start, end: text[start:end] in vocabulary | {"##" + text[start:end]} & vocabulary
            )[-1],
            "no way was found",
        ),
        (
            lambda word, vocabulary: _table(
                word, lambda text, start, end: {text[start:end], "##" + text[start:end]} & vocabulary
            )[-1],
            "cannot start one",
        ),
        (lambda word, vocabulary: _table(word, _marked(vocabulary)), "this is the whole table"),
        (_unspellable(-1), "return math.inf"),
        (_unspellable(0), "0 is for the empty word"),
    ],
}
