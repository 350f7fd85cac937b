"""Plausible wrong answers to lesson 2's exercises, and what each is told."""

import torch


def _rows(outputs):
    return torch.arange(len(outputs))


WRONG = {
    "padding_mask": [
        (lambda lengths, longest: torch.arange(longest) <= lengths[:, None], "one token too many"),
        (lambda lengths, longest: torch.arange(longest) >= lengths[:, None], "True stands at the padding"),
        (lambda lengths, longest: torch.arange(longest)[:, None] < lengths, "rows and columns are exchanged"),
        (lambda lengths, longest: (torch.arange(longest) < lengths[:, None]).float(), "a mask is boolean"),
        (
            lambda lengths, longest: torch.arange(1, longest + 1) < lengths[:, None],
            "one real token of each row is lost",
        ),
        (lambda lengths, longest: torch.arange(longest).flip(0) < lengths[:, None], "at the right end"),
        (lambda lengths, longest: torch.arange(int(lengths.max())) < lengths[:, None], "may be more than the largest"),
    ],
    "last_real_output": [
        (lambda outputs, mask: outputs[:, -1], "end of the rectangle"),
        (lambda outputs, mask: outputs[_rows(outputs), mask.sum(1)], "a sentence of 3 tokens"),
        (lambda outputs, mask: outputs[_rows(outputs), mask.sum(0) - 1], "summed over the batch"),
        (lambda outputs, mask: outputs[:, mask.sum(1).max() - 1], "the longest one's end"),
        (lambda outputs, mask: outputs[:, mask.sum(1) - 1], "index the rows too"),
        (lambda outputs, mask: outputs[:, 0], "the first output"),
        (lambda outputs, mask: (outputs * mask[:, :, None])[:, -1], "zeroed padding"),
    ],
    "masked_mean": [
        (lambda outputs, mask: outputs.mean(1), "padding is averaged in"),
        (lambda outputs, mask: (outputs * mask[:, :, None]).mean(1), "width of the rectangle"),
        (lambda outputs, mask: (outputs * mask[:, :, None]).sum(1), "this is the sum"),
        (lambda outputs, mask: outputs.sum(1) / mask.sum(1)[:, None], "still in the sum"),
        (lambda outputs, mask: (outputs * mask[:, :, None]).sum(0) / mask.sum(0)[:, None], "sentences of the batch"),
        (lambda outputs, mask: (outputs * mask[:, :, None]).sum(1) / mask.sum(0)[:, None], "counted over the batch"),
        (lambda outputs, mask: (outputs * mask[:, :, None]).sum(1) / mask.sum(), "real tokens of the whole batch"),
        (lambda outputs, mask: outputs[mask].mean(0), "one mean for the whole batch"),
    ],
    "join_directions": [
        (lambda state: torch.cat([state[-1], state[-2]], -1), "backward came first"),
        (lambda state: torch.cat([state[0], state[1]], -1), "first layer's states"),
        (lambda state: state[-2] + state[-1], "were added"),
        (lambda state: state[-2:].reshape(state.size(1), -1), "mixed different sentences"),
        (lambda state: torch.cat([state[-2], state[-1]]), "one below the other"),
        (lambda state: torch.cat([state[len(state) // 2 - 1], state[-1]], -1), "layer by layer"),
        (lambda state: state[-2:], "one behind the other"),
    ],
}
