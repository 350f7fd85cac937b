"""Wrong answers to the exercises of lesson 3, and a piece of what each must be told."""

import torch
import torch.nn.functional as F


def _losses(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def _pooled(logits, targets, **options):
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten(), **options)


def _masked(logits, k, *, dim=-1, largest=True, rest=-torch.inf):
    chosen = torch.zeros_like(logits, dtype=torch.bool)
    chosen.scatter_(dim, logits.topk(min(k, logits.size(dim)), dim=dim, largest=largest).indices, True)
    return torch.where(chosen, logits, torch.tensor(rest))


def _loop(
    step, first_id, end_id, limit, *, keep_state=True, feed_back=True, stop=True, with_end=False, with_first=False
):
    token, state, tokens = first_id, None, [first_id] if with_first else []
    for _ in range(limit):
        logits, new_state = step(token, state)
        chosen = int(logits.argmax())
        state = new_state if keep_state else None
        token = chosen if feed_back else first_id
        if stop and chosen == end_id:
            return tokens + [chosen] * with_end
        tokens.append(chosen)
    return tokens


def _endless(step, first_id, end_id, limit):
    token, state, tokens = first_id, None, []
    while True:
        logits, state = step(token, state)
        token = int(logits.argmax())
        tokens.append(token)


def _no_limit(step, first_id, end_id, limit):
    return _loop(step, first_id, end_id, 1000)


WRONG = {
    "next_token_pairs": [
        (lambda ids: (ids, ids), "needs as many targets"),
        (lambda ids: (ids[:, :-1], ids[:, :-1]), "not shifted"),
        (lambda ids: (ids[:, 1:], ids[:, :-1]), "exchanged"),
        (lambda ids: (ids[:, :-1], ids), "still begin with the start token"),
        (lambda ids: (ids[:-1], ids[1:]), "batch axis"),
        (lambda ids: ids[:, 1:], "2 values"),
    ],
    "masked_perplexity": [
        (lambda logits, targets, mask: _pooled(logits, targets, ignore_index=0).exp(), "padding is counted"),
        (lambda logits, targets, mask: _pooled(logits[mask].softmax(-1), targets[mask]).exp(), "the softmax itself"),
        (lambda logits, targets, mask: (_losses(logits, targets) * mask).mean().exp(), "division is by all"),
        (lambda logits, targets, mask: _losses(logits, targets)[mask].sum().exp(), "e to the sum"),
        (lambda logits, targets, mask: 2 ** _losses(logits, targets)[mask].mean(), "in nats"),
        (lambda logits, targets, mask: _losses(logits, targets)[mask].mean(), "mean loss"),
        (lambda logits, targets, mask: _losses(logits, targets)[mask].exp().mean(), "single tokens"),
        (lambda logits, targets, mask: _losses(logits, targets), "should have shape"),
    ],
    "keep_top_k": [
        (lambda logits, k: _masked(logits, k, largest=False), "least probable"),
        (lambda logits, k: _masked(logits, k, rest=0.0), "fair score"),
        (lambda logits, k: _masked(logits, k, dim=0), "best rows"),
        (lambda logits, k: _masked(logits, k).softmax(-1), "probabilities already"),
        (lambda logits, k: logits.topk(k).values, "lost their positions"),
        (lambda logits, k: logits.topk(k).indices, "ids of the k best"),
        (lambda logits, k: logits.masked_fill(logits <= logits.topk(k).values[..., -1:], -torch.inf), "one too few"),
    ],
    "greedy_continuation": [
        (lambda *given: _loop(*given, keep_state=False), "from the first state again"),
        (lambda *given: _loop(*given, stop=False), "runs on past end_id"),
        (lambda *given: _loop(*given, with_end=True), "the end token is in the result"),
        (lambda *given: _loop(*given, with_first=True), "the first token is in the result"),
        (lambda *given: _loop(*given, feed_back=False), "feed back the token just chosen"),
        (_endless, "does not end"),
        (_no_limit, "limit 3 is not kept"),
    ],
}
