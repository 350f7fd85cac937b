"""Plausible wrong answers to the exercises of lesson 1, each with a piece of the message it must get."""

import torch
from torch import nn


def band(length, nearest, window):
    position = torch.arange(length)
    distance = position[:, None] - position[None, :]
    return (distance >= nearest) & (distance < window)


def looks_past_the_source(source_length, target_length):
    length = source_length + target_length
    return torch.ones(length, length, dtype=torch.bool).tril()


def forgets_to_look_across(source_length, target_length):
    mask = torch.zeros(source_length + target_length, source_length + target_length, dtype=torch.bool)
    mask[:source_length, :source_length] = True
    mask[source_length:, source_length:] = torch.ones(target_length, target_length, dtype=torch.bool).tril()
    return mask


def looks_ahead_in_the_target(source_length, target_length):
    mask = torch.ones(source_length + target_length, source_length + target_length, dtype=torch.bool)
    mask[:source_length, source_length:] = False
    return mask


def turns_the_target_round(source_length, target_length):
    mask = looks_ahead_in_the_target(source_length, target_length)
    mask[source_length:, source_length:] = torch.ones(target_length, target_length, dtype=torch.bool).triu()
    return mask


def hides_each_target_from_itself(source_length, target_length):
    mask = looks_ahead_in_the_target(source_length, target_length)
    mask[source_length:, source_length:] = torch.ones(target_length, target_length, dtype=torch.bool).tril(-1)
    return mask


WRONG = {
    "to_ids": [
        (lambda tokens, vocabulary: [vocabulary[token] for token in tokens if token in vocabulary], "vanished"),
        (lambda tokens, vocabulary: [vocabulary.get(token) for token in tokens], "got None"),
        (lambda tokens, vocabulary: [vocabulary.get(token, 0) for token in tokens], "which is padding"),
        (lambda tokens, vocabulary: [vocabulary.get(token, 1) for token in tokens], "written into your code"),
    ],
    "window_mask": [
        (lambda length, window: torch.ones(length, length, dtype=torch.bool).tril(), "too far back"),
        (lambda length, window: band(length, 0, window).T, "look forward"),
        (lambda length, window: band(length, 0, window + 1), "one too many"),
        (lambda length, window: band(length, 0, window - 1), "one too few"),
        (lambda length, window: band(length, 1, window), "look at itself"),
        (lambda length, window: band(length, 1 - window, window), "looks ahead"),
        (lambda length, window: band(length, 0, window).float(), "dtype torch.bool"),
    ],
    "cosine_similarity": [
        (lambda a, b: a @ b.T, "plain dot products"),
        (lambda a, b: nn.functional.normalize(b, dim=-1) @ nn.functional.normalize(a, dim=-1).T, "on its side"),
        (lambda a, b: a @ b.T / (a.norm() * b.norm()), "over the whole matrix"),
        (lambda a, b: nn.functional.normalize(a, dim=0) @ nn.functional.normalize(b, dim=0).T, "over the last axis"),
    ],
    "encoder_decoder_mask": [
        (looks_past_the_source, "that block is an encoder"),
        (forgets_to_look_across, "must be all True"),
        (looks_ahead_in_the_target, "must be a causal mask"),
        (turns_the_target_round, "points the wrong way"),
        (hides_each_target_from_itself, "look at itself"),
    ],
}
