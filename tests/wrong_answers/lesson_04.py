"""Wrong answers to the exercises of lesson 4, and a piece of what each must be told."""

import torch


def _by_length(sources, hypotheses, references, *, length=lambda source, reference: len(source.split()), share=True):
    hits = {}
    for source, hypothesis, reference in zip(sources, hypotheses, references, strict=True):
        hits.setdefault(length(source, reference), []).append(hypothesis == reference)
    return {key: sum(values) / len(values) if share else sum(values) for key, values in hits.items()}


def _of_all(sources, hypotheses, references):
    counts = _by_length(sources, hypotheses, references, share=False)
    return {length: count / len(sources) for length, count in counts.items()}


def _overwritten(sources, hypotheses, references):
    return {len(s.split()): float(h == r) for s, h, r in zip(sources, hypotheses, references, strict=True)}


def _mixed(step, state, target, coins, *, carry=True, feed=lambda own, target: own, early=0):
    own, steps = target[:, :1], []
    for place in range(target.size(1)):
        truth = target.roll(-early, dims=1)[:, place : place + 1]
        logits, new = step(torch.where(coins[:, place : place + 1], truth, own), state)
        state = new if carry else state
        own = feed(logits.argmax(dim=-1), target)
        steps.append(logits)
    return torch.cat(steps, dim=1)


def _greedy(step, state, batch, start_id, end_id, limit, *, stop=torch.all, cut=True, carry=True, feed=True, keep=0):
    tokens, columns = torch.full((batch, 1), start_id), []
    ended = torch.zeros(batch, 1, dtype=torch.bool)
    while len(columns) < limit and not stop(ended):
        logits, new = step(tokens, state)
        state = new if carry else state
        chosen = logits.argmax(dim=-1)
        tokens = chosen if feed else tokens
        columns.append(chosen)
        ended |= chosen == end_id
    rows = torch.cat(columns, dim=1).tolist()
    return [row[: row.index(end_id) + keep] if cut and end_id in row else row for row in rows]


def _with_start(step, state, batch, start_id, end_id, limit):
    return [[start_id, *row] for row in _greedy(step, state, batch, start_id, end_id, limit)]


def _without_end(step, state, batch, start_id, end_id, limit):
    rows = _greedy(step, state, batch, start_id, end_id, limit, cut=False)
    return [[token for token in row if token != end_id] for row in rows]


def _no_limit(step, state, batch, start_id, end_id, limit):
    return _greedy(step, state, batch, start_id, end_id, 30)


def _never(ended):
    return False


WRONG = {
    "join_layers": [
        (lambda s: torch.cat([s[: len(s) // 2], s[len(s) // 2 :]], dim=-1), "cut in halves"),
        (lambda s: torch.cat([s[1::2], s[0::2]], dim=-1), "backward came first"),
        (lambda s: s.reshape(len(s) // 2, s.size(1), -1), "mixed different sentences"),
        (lambda s: torch.cat([s[-2], s[-1]], dim=-1), "last layer alone"),
        (lambda s: s[0::2] + s[1::2], "added"),
        (lambda s: (s[0::2] + s[1::2]) / 2, "averaged"),
        (lambda s: torch.cat([s[0::2], s[1::2]], dim=1), "along the batch"),
        (lambda s: torch.cat([s[0::2], s[1::2]]), "along the layers"),
        (lambda s: s[0::2], "forward states alone"),
    ],
    "exact_match_by_length": [
        (lambda *texts: _by_length(*texts, share=False), "these are counts"),
        (lambda *texts: {k: 100 * v for k, v in _by_length(*texts).items()}, "percentages"),
        (lambda *texts: {k: 1 - v for k, v in _by_length(*texts).items()}, "shares of wrong ones"),
        (_of_all, "divided by all"),
        (lambda *texts: _by_length(*texts, length=lambda s, r: len(r.split())), "those of the references"),
        (lambda *texts: _by_length(*texts, length=lambda s, r: len(s)), "in letters"),
        (_overwritten, "overwrote"),
        (lambda s, h, r: sum(a == b for a, b in zip(h, r, strict=True)) / len(r), "one number for all"),
    ],
    "mixed_logits": [
        (lambda step, state, target, coins: _mixed(step, state, target, ~coins), "wrong way round"),
        (lambda step, state, target, coins: _mixed(step, state, target, coins | True), "every step read the true"),
        (lambda step, state, target, coins: _mixed(step, state, target, coins & False), "every step read the model's"),
        (
            lambda step, state, target, coins: _mixed(step, state, target, coins[:1].expand_as(coins)),
            "first sentence's coins",
        ),
        (lambda *given: _mixed(*given, feed=lambda own, target: target[:, :1]), "start token was read again"),
        (lambda *given: _mixed(*given, early=1), "one step early"),
        (lambda *given: _mixed(*given)[:, 1:], "first step are missing"),
        (lambda *given: _mixed(*given)[:, -1:], "only the last step"),
        (lambda *given: _mixed(*given).argmax(dim=-1), "these are tokens"),
        (lambda *given: _mixed(*given, carry=False), "an old state"),
        (lambda step, state, target, coins: step(target, state)[0], "takes tokens (batch, 1)"),
    ],
    "translate_batch": [
        (lambda *given: _greedy(*given, stop=torch.any), "when the first row had ended"),
        (lambda *given: _greedy(*given, cut=False), "after its end is still there"),
        (lambda *given: _greedy(*given, keep=1), "the end token is in the result"),
        (_with_start, "the start token is in the result"),
        (_without_end, "what follows it kept"),
        (lambda *given: _greedy(*given, carry=False), "old state"),
        (lambda *given: _greedy(*given, feed=False), "feed back the word just written"),
        (lambda *given: _greedy(*given, stop=_never), "after 4 every row had ended"),
        (_no_limit, "limit 2 is not kept"),
    ],
}
