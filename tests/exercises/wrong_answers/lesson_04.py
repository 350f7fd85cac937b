"""Wrong answers to the exercises of lesson 4, and a piece of what each must be told."""

import torch


def _lists(sources, hypotheses, references, length=lambda source, reference: len(source.split())):
    hits = {}
    for source, hypothesis, reference in zip(sources, hypotheses, references, strict=True):
        hits.setdefault(length(source, reference), []).append(hypothesis == reference)
    return hits


def _by_length(sources, hypotheses, references, *, share=True, **by):
    hits = _lists(sources, hypotheses, references, **by)
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


def _until_all_end_at_one_step(step, state, batch, start_id, end_id, limit):
    tokens, columns = torch.full((batch, 1), start_id), []
    while len(columns) < limit and not (tokens == end_id).all():
        logits, state = step(tokens, state)
        tokens = logits.argmax(dim=-1)
        columns.append(tokens)
    rows = torch.cat(columns, dim=1).tolist()
    return [row[: row.index(end_id)] if end_id in row else row for row in rows]


def _choosing_after_the_step(step, state, target, coins):
    """Choose as the slide's loop does: the next input by this step's coin, from this step's column."""
    read, steps = target[:, :1], []
    for place in range(target.size(1)):
        logits, state = step(read, state)
        read = torch.where(coins[:, place : place + 1], target[:, place : place + 1], logits.argmax(dim=-1))
        steps.append(logits)
    return torch.cat(steps, dim=1)


def _from_the_second_step(step, state, target, coins):
    return _mixed(step, state, target[:, 1:], coins[:, 1:])


def _reversed(ids, mask, last):
    turned = ids.clone()
    for row, length in enumerate((mask.sum(dim=1) - last).tolist()):
        turned[row, :length] = ids[row, :length].flip(0)
    return turned


WRONG = {
    "reverse_sources": [
        (lambda ids, mask: ids.flip(1), "padding was turned around"),
        (lambda ids, mask: _reversed(ids, mask, 0), "end token came first"),
        (lambda ids, mask: _reversed(ids, mask, 1).masked_fill(_reversed(ids, mask, 1) == 3, 0), "end tokens are gone"),
        (lambda ids, mask: torch.cat([ids[:, :-1].flip(1), ids[:, -1:]], dim=1), "one length served for all"),
        (lambda ids, mask: ids.flip(0), "changed places"),
        (lambda ids, mask: ids.clone(), "read as before"),
    ],
    "exact_match_by_length": [
        (lambda *texts: _by_length(*texts, share=False), "these are counts"),
        (lambda *texts: {k: 100 * v for k, v in _by_length(*texts).items()}, "percentages"),
        (lambda *texts: {k: 1 - v for k, v in _by_length(*texts).items()}, "shares of wrong ones"),
        (_of_all, "divided by all"),
        (_lists, "lists themselves"),
        (lambda *texts: _by_length(*texts, length=lambda s, r: len(r.split())), "those of the translations"),
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
        (_from_the_second_step, "one step is missing"),
        (_choosing_after_the_step, "used at the next"),
        (
            lambda step, state, target, coins: _mixed(step, state, target, coins.any(dim=0).expand_as(coins)),
            "one coin decided",
        ),
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
        (_until_all_end_at_one_step, "at the same step"),
        (_no_limit, "limit 2 is not kept"),
    ],
}
