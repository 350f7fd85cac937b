"""Wrong answers to the exercises of lesson 6, and a piece of what each must be told."""

import torch


def _causal(real):
    return torch.ones(real.size(1), real.size(1), dtype=torch.bool).tril()


def _self(real):
    return torch.eye(real.size(1), dtype=torch.bool)


def _whole(hidden, inner):
    return 4 * hidden**2 + 4 * hidden + 2 * hidden * inner + inner + hidden + 4 * hidden


WRONG = {
    "split_heads": [
        (lambda states, heads: states.reshape(states.size(0), heads, states.size(1), -1), "order of memory"),
        (lambda states, heads: states.unflatten(-1, (heads, -1)), "still behind the words"),
        (lambda states, heads: states.unflatten(-1, (-1, heads)).movedim(-1, 1), "side by side"),
        (lambda states, heads: states.unflatten(-1, (-1, heads)).transpose(1, 2), "head size are exchanged"),
        (lambda states, heads: states.unflatten(-1, (heads, -1)).permute(0, 2, 3, 1), "words must stay before"),
        (
            lambda states, heads: states.transpose(1, 2).reshape(states.size(0), heads, states.size(1), -1),
            "exchanged before the cut",
        ),
        (lambda states, heads: states.unflatten(-1, (heads, -1)).permute(2, 0, 1, 3), "batch stays first"),
    ],
    "decoder_mask": [
        (lambda real: _causal(real).float() * real[:, None], "has no softmax"),
        (
            lambda real: torch.zeros(real.size(0), 1, 1).masked_fill(
                ~(_causal(real) & real[:, None] | _self(real)), -torch.inf
            ),
            "mask to add to the scores",
        ),
        (_causal, "there is no batch"),
        (lambda real: _causal(real).expand(real.size(0), -1, -1), "the padding is not hidden: what"),
        (lambda real: (real[:, None] | _self(real)).expand(-1, real.size(1), -1), "can see what follows"),
        (lambda real: real[:, None] & real[:, :, None] | _self(real), "the future from nobody"),
        (lambda real: (_causal(real) & real[:, None]).float() + _self(real), "must not count twice"),
        (lambda real: _causal(real) & real[:, :, None] | _self(real), "laid on the queries"),
        (lambda real: _causal(real).T & real[:, None] | _self(real), "tokens look ahead"),
        (lambda real: ~(_causal(real) & real[:, None] | _self(real)), "True and False are exchanged"),
        (lambda real: _causal(real) | real[:, None], "join the two with &"),
        (lambda real: _causal(real).tril(-1) & real[:, None], "may look at itself"),
        (lambda real: (_causal(real) & real[:, None] | _self(real)).float(), "torch.bool"),
    ],
    "layer_numbers": [
        (lambda hidden, inner: _whole(hidden, inner) - 4 * hidden, "the two norms (a weight"),
        (lambda hidden, inner: _whole(hidden, inner) - 2 * hidden, "a weight and a bias: count both"),
        (lambda hidden, inner: 4 * hidden**2 + 2 * hidden * inner, "only the matrices"),
        (lambda hidden, inner: 4 * hidden**2 + 2 * hidden * inner + 4 * hidden, "has a bias as well"),
        (lambda hidden, inner: _whole(hidden, inner) - hidden**2 - hidden, "four maps: queries"),
        (lambda hidden, inner: _whole(hidden, inner) - hidden * inner - hidden, "has two maps"),
        (lambda hidden, inner: 4 * hidden**2 + 8 * hidden, "feed-forward network is missing"),
        (lambda hidden, inner: 2 * hidden * inner + inner + 5 * hidden, "the attention is missing"),
        (lambda hidden, inner: _whole(hidden, inner) - hidden, "has two biases"),
        (lambda hidden, inner: _whole(hidden, inner) - inner - hidden, "biases are missing: inner"),
        (lambda hidden, inner: _whole(hidden, inner) - 4 * hidden + 4, "not one for all"),
        (lambda hidden, inner: _whole(hidden, inner) + 2 * hidden, "a layer has two norms"),
    ],
}
