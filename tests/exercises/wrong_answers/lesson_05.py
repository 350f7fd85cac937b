"""Wrong answers to the exercises of lesson 5, and a piece of what each must be told."""

import torch


def _real(scores, lengths):
    return (torch.arange(scores.size(-1)) < lengths[:, None])[:, None]


def _masked(scores, lengths, *, low=-torch.inf, dim=-1, shift=0):
    return scores.masked_fill(~_real(scores, lengths + shift), low).softmax(dim=dim)


def _pairs(query, key, from_query, from_key):
    return (query @ from_query.T)[:, :, None] + (key @ from_key.T)[:, None]


def _rate(numerator, denominator):
    return 1 - numerator / denominator


WRONG = {
    "context_vector": [
        (lambda weights, values: values.mean(1, keepdim=True).expand(-1, weights.size(1), -1), "weights are not used"),
        (lambda weights, values: weights @ values / values.size(1), "do not average them again"),
        (lambda weights, values: (weights[..., None] * values[:, None]).sum(1), "sum runs over the target"),
        (lambda weights, values: weights[..., None] * values[:, None], "not summed yet"),
        (lambda weights, values: (weights @ values).transpose(1, 2), "target and size are exchanged"),
        (
            lambda weights, values: torch.stack(
                [value[rows.argmax(-1)] for rows, value in zip(weights, values, strict=True)]
            ),
            "attention is soft",
        ),
    ],
    "weights_from_lengths": [
        (lambda scores, lengths: scores.softmax(-1), "padding gets a share"),
        (lambda scores, lengths: scores.softmax(-1) * _real(scores, lengths), "no longer sum to 1"),
        (lambda scores, lengths: _masked(scores, lengths, low=0.0), "a score of 0 is a fair score"),
        (lambda scores, lengths: _masked(scores, lengths, shift=1), "one padding token too many"),
        (lambda scores, lengths: _masked(scores, lengths, dim=1), "over the target"),
        (lambda scores, lengths: scores.masked_fill(_real(scores, lengths), -torch.inf).softmax(-1), "exchanged"),
        (_masked, "gives NaN, as there is nothing to share"),
        (lambda scores, lengths: _masked(scores, lengths, low=-1e9), "has nothing to look at"),
    ],
    "additive_scores": [
        (lambda *given: (_pairs(*given[:4]).tanh() @ given[4]).transpose(1, 2), "target and source are exchanged"),
        (lambda *given: _pairs(*given[:4]) @ given[4], "there is no tanh"),
        (lambda *given: (_pairs(*given[:4]) @ given[4]).tanh(), "not after"),
        (lambda *given: (_pairs(*given[:4]).tanh() @ given[4]).softmax(-1), "the weights already"),
        (lambda query, key, w, u, v: _pairs(query, key, u, w).tanh() @ v, "the two matrices are exchanged"),
        (lambda *given: _pairs(*given[:4]).tanh(), "one number for each hidden unit"),
        (lambda *given: _pairs(*given[:4]).tanh().sum(-1), "v is not used"),
        (lambda query, key, w, u, v: (query @ w.T) @ (key @ u.T).transpose(1, 2), "dot product"),
    ],
    "error_rate": [
        (
            lambda predicted, sure, possible: (
                (len(predicted & sure) + len(predicted & (sure | possible))) / (len(predicted) + len(sure))
            ),
            "1 minus it",
        ),
        (
            lambda predicted, sure, possible: _rate(
                len(predicted & sure) + len(predicted & possible), len(predicted) + len(sure)
            ),
            "sure links are possible too",
        ),
        (lambda predicted, sure, possible: _rate(len(predicted & (sure | possible)), len(predicted)), "the precision"),
        (
            lambda predicted, sure, possible: (
                100 * _rate(len(predicted & sure) + len(predicted & (sure | possible)), len(predicted) + len(sure))
            ),
            "not percent",
        ),
        (
            lambda predicted, sure, possible: _rate(
                len(predicted & sure) + len(predicted & (sure | possible)), len(predicted | sure)
            ),
            "not the sets joined",
        ),
        (lambda predicted, sure, possible: _rate(len(predicted & sure), len(sure)), "the recall"),
        (
            lambda predicted, sure, possible: _rate(
                len(predicted & sure) + len(predicted & (sure | possible)), len(predicted) + len(sure | possible)
            ),
            "need not be found",
        ),
        (
            lambda predicted, sure, possible: _rate(2 * len(predicted & sure), len(predicted) + len(sure)),
            "possible links are not used",
        ),
        (lambda predicted, sure, possible: predicted & sure, "made of counts"),
        (lambda predicted, sure, possible: (len(predicted & sure), len(sure)), "these are 2 values"),
    ],
}
