"""Checks and quiz of lesson 6."""

import torch
from torch import Tensor

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


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@exercise(lesson=6, title="Share out among the heads", minutes=10, difficulty=2)
def split_heads(attempt: Attempt) -> str | None:
    """Give each head its own part of every vector."""
    states = _normal(2, 3, 8, seed=1)
    expect_close(
        attempt(states, 4),
        states.unflatten(-1, (4, 2)).transpose(1, 2),
        "the heads",
        axes="(batch, heads, length, head size)",
        known_wrong=[
            (
                states.reshape(2, 4, 3, 2),
                "a head mixes numbers of different words: a view to (batch, heads, length, …) cuts in the order of "
                "memory; cut the last axis alone, then transpose",
            ),
            (
                states.unflatten(-1, (4, 2)),
                "the heads are still behind the words: transpose axes 1 and 2",
            ),
            (
                states.unflatten(-1, (2, 4)).movedim(-1, 1),
                "a head's numbers stand side by side in the vector: cut it into heads × head size, in that order",
            ),
            (
                states.unflatten(-1, (2, 4)).transpose(1, 2),
                "number of heads and head size are exchanged",
            ),
            (
                states.transpose(1, 2).reshape(2, 4, 3, 2),
                "words and numbers were exchanged before the cut: cut the last axis first",
            ),
            (
                states.unflatten(-1, (4, 2)).permute(0, 2, 3, 1),
                "the words must stay before the numbers: (batch, heads, length, head size)",
            ),
            (
                states.unflatten(-1, (4, 2)).permute(2, 0, 1, 3),
                "the batch stays first: (batch, heads, length, head size)",
            ),
        ],
    )
    expect_shape(attempt(states, 1), (2, 1, 3, 8), "(batch, heads, length, head size)", what="a single head")
    return "Cut the last axis, then move the heads before the words: no number changes its word."


@exercise(lesson=6, title="Both masks at once", minutes=15, difficulty=3)
def decoder_mask(attempt: Attempt) -> str | None:
    """Say who may look at whom in a decoder whose batch is padded on the left."""
    real = torch.tensor([[True, True, True, True], [False, False, True, True]])
    causal, alone = torch.ones(4, 4, dtype=torch.bool).tril(), torch.eye(4, dtype=torch.bool)
    both = causal & real[:, None]
    answer = attempt(real)
    expect_tensor(answer, "the mask")
    expect_that(
        not (answer.shape == both.shape and torch.equal(answer.float(), both.float())),
        "padding at the start of a row may look nowhere, and a row without anything has no softmax: let every position "
        "look at itself",
    )
    expect_close(
        answer.float(),
        (both | alone).float(),
        "the mask",
        axes="(batch, target, source)",
        known_wrong=[
            (causal.float(), "the padding is not hidden, and there is no batch: each text has a mask of its own"),
            (causal.expand(2, 4, 4).float(), "the padding is not hidden: what a query may look at must be real"),
            (
                (real[:, None] | alone).expand(2, 4, 4).float(),
                "a token can see what follows it: the causal mask is missing",
            ),
            (real[:, None].expand(2, 4, 4).float(), "a token can see what follows it: the causal mask is missing"),
            (
                (real[:, None] & real[:, :, None] | alone).float(),
                "padding is hidden from all, but the future from nobody: the causal mask is missing",
            ),
            (both.float() + alone.float(), "a place that both allow must not count twice: join them with |, not +"),
            (
                (causal & real[:, :, None] | alone).float(),
                "the mask is laid on the queries: hide padding from those who look, as real[:, None]",
            ),
            (
                (causal & real[:, :, None]).float(),
                "the mask is laid on the queries: hide padding from those who look, as real[:, None]",
            ),
            ((causal.T & real[:, None] | alone).float(), "tokens look ahead: use tril, the lower triangle"),
            ((causal.T & real[:, None]).float(), "tokens look ahead: use tril, the lower triangle"),
            ((~(both | alone)).float(), "True and False are exchanged: True is where one may look"),
            (
                torch.zeros(2, 4, 4).masked_fill(~(both | alone), -torch.inf),
                "that is a mask to add to the scores; True and False are asked for",
            ),
            ((causal | real[:, None]).float(), "a place must be in the past and real: join the two with &"),
            (
                (causal.tril(-1) & real[:, None] | torch.zeros(4, 4, dtype=torch.bool)).float(),
                "a token may look at itself: tril() keeps the diagonal, tril(-1) does not",
            ),
        ],
    )
    expect_that(answer.dtype == torch.bool, f"the mask is {answer.dtype}: True or False is asked for, torch.bool")
    return "In the past, and real; and everyone may look at themselves, so that no row is empty."


@exercise(lesson=6, title="How many numbers in a layer?", minutes=10, difficulty=2)
def layer_numbers(attempt: Attempt) -> str | None:
    """Count what an encoder layer learns."""
    for hidden, inner in ((96, 250), (512, 2048)):
        attention, feed_forward, norms = 4 * hidden**2 + 4 * hidden, 2 * hidden * inner + inner + hidden, 4 * hidden
        right = attention + feed_forward + norms
        expect_equal(
            attempt(hidden, inner),
            right,
            f"the count for {hidden} and {inner}",
            known_wrong=[
                (
                    right - norms,
                    "4 · hidden numbers are missing: the two norms (a weight and a bias for each number), or the "
                    "biases of attention's four maps",
                ),
                (right - norms // 2, "a layer norm learns a weight and a bias: count both, for two norms"),
                (4 * hidden**2 + 2 * hidden * inner, "only the matrices are counted: add the biases and the norms"),
                (4 * hidden**2 + 2 * hidden * inner + norms, "every linear map has a bias as well"),
                (right - hidden**2 - hidden, "attention has four maps: queries, keys, values and the output"),
                (right - hidden * inner, "the feed-forward network has two maps, hidden to inner and back"),
                (right - hidden * inner - hidden, "the feed-forward network has two maps, hidden to inner and back"),
                (right - feed_forward, "the feed-forward network is missing: it holds most of the numbers"),
                (right - attention, "the attention is missing: four maps of hidden by hidden"),
                (
                    right + hidden - inner,
                    "the biases of the feed-forward network are one per output: inner, then hidden",
                ),
                (right - hidden, "the feed-forward network has two biases: one of size inner, one of size hidden"),
                (right - inner, "the feed-forward network has two biases: one of size inner, one of size hidden"),
                (right - inner - hidden, "the feed-forward network's biases are missing: inner, then hidden"),
                (right - norms + 4, "a norm has a scale and a shift for each of the hidden numbers, not one for all"),
                (right + norms // 2, "a layer has two norms: around attention, around the feed-forward network"),
            ],
        )
    return "With inner = 4 · hidden the feed-forward network holds two thirds of the layer."


QUIZ = (
    Question(
        "A Transformer encoder gets no position vectors. You shuffle the words of a text. What happens?",
        (
            Option("Every vector changes", "Who stands next to whom is nowhere in the sum."),
            Option(
                "Only the vectors' order changes",
                "Attention is a weighted mean over a set, so each word keeps its vector.",
                correct=True,
            ),
            Option("The words at the ends change most", "There are no ends without positions."),
        ),
    ),
    Question(
        "Eight heads instead of one, at the same hidden size. What grows?",
        (
            Option("The number of parameters, eight times", "Each head's maps are an eighth as wide."),
            Option("The length of text that fits", "That is set by the positions."),
            Option(
                "The places a word can look at separately",
                "Each head takes a mean of its own.",
                correct=True,
            ),
            Option("Nothing at all", "The parameters do not, but the means do."),
        ),
    ),
    Question(
        "A decoder's training loss is almost zero at once, but it writes nonsense. What do you check first?",
        (
            Option("The learning rate", "A poor one would show in the loss."),
            Option(
                "The causal mask",
                "If each position can see the next token, there is nothing to learn but copying.",
                correct=True,
            ),
            Option("The number of heads", "It could not make the loss so low."),
            Option("The vocabulary", "It could not make the loss so low."),
        ),
    ),
    Question(
        "Where does a pre-norm layer normalise?",
        (
            Option(
                "What a sublayer reads",
                "The sum of input and update is left as it is, so that nothing touches the path from end to end.",
                correct=True,
            ),
            Option("The sum of input and update", "That is post-norm, the paper's own."),
            Option("The weights of the attention", "The softmax does that, in both."),
        ),
    ),
)
