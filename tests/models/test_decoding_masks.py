"""Prompts of different lengths in one batch: padded on the left, each is continued as if it were alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.support.tiny_transformers import VARIANTS, VOCABULARY, decoder, random_ids, translator
from utils.beam import beam_search
from utils.decoding import Sampling, generate
from utils.recurrent import AttentionDecoderRNN, DecoderRNN
from utils.text import pad

PROMPTS = [[5, 1, 9, 2], [7], [3, 3], [8, 0, 6]]
DECODERS = {variant: decoder(variant) for variant in VARIANTS}
prompts = st.lists(st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=7), min_size=1, max_size=4)


def on_the_left(texts: list[list[int]], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return texts as a batch, rubbish before each, and the mask of what is real."""
    ids, mask = pad([text[::-1] for text in texts], pad_id=0)
    ids, mask = ids.flip(1), mask.flip(1)
    return torch.where(mask, ids, random_ids(*ids.shape, seed=seed)), mask


@settings(max_examples=60)
@given(st.sampled_from(list(VARIANTS)), prompts, st.integers(0, 9), st.none() | st.integers(0, VOCABULARY - 1))
def test_greedy_search_continues_each_prompt_as_if_it_were_alone(variant, texts, longest, end_id):
    model, (ids, mask) = DECODERS[variant], on_the_left(texts)
    options = {"max_new_tokens": longest, "end_id": end_id}
    together = generate(model, ids, mask=mask, **options)
    assert torch.equal(together.ids[:, : ids.size(1)], ids)
    for row, text in enumerate(texts):
        alone = generate(model, torch.tensor([text]), **options)
        found, expected = together.ids[row, ids.size(1) :].tolist(), alone.ids[0, len(text) :].tolist()
        assert found == expected + [end_id] * (len(found) - len(expected))
        torch.testing.assert_close(together.scores[row : row + 1], alone.scores, atol=1e-3, rtol=1e-4)


@settings(max_examples=40)
@given(st.sampled_from(list(VARIANTS)), prompts, st.integers(1, 4), st.sampled_from([0.0, 1.0]), st.integers(0, 22))
def test_beam_search_continues_each_prompt_as_if_it_were_alone(variant, texts, width, length_penalty, end_id):
    model, (ids, mask) = DECODERS[variant], on_the_left(texts)
    options = {"width": width, "max_new_tokens": 6, "end_id": end_id, "length_penalty": length_penalty}
    together = beam_search(model, ids, mask=mask, **options)
    for row, text in enumerate(texts):
        alone = beam_search(model, torch.tensor([text]), **options)
        assert [each.ids for each in together.hypotheses[row]] == [each.ids for each in alone.hypotheses[0]]
        for found, expected in zip(together.hypotheses[row], alone.hypotheses[0], strict=True):
            assert found.log_probability == pytest.approx(expected.log_probability, abs=1e-3)


def test_prompts_continue_each_other_so_the_comparison_can_fail():
    model, (ids, mask) = DECODERS["gpt2"], on_the_left(PROMPTS)
    masked, unmasked = (generate(model, ids, mask=each, max_new_tokens=6).ids for each in (mask, None))
    assert not torch.equal(masked, unmasked)
    assert len({tuple(row[4:].tolist()) for row in masked}) > 1


def test_a_full_mask_is_no_mask():
    model, ids = DECODERS["vaswani"], random_ids(3, 4)
    real = torch.ones_like(ids, dtype=torch.bool)
    for search in (generate, beam_search):
        found, expected = (search(model, ids, mask=mask, max_new_tokens=6) for mask in (real, None))
        assert torch.equal(found.ids, expected.ids)


def test_the_mask_holds_with_sampling_too():
    model, (ids, mask) = DECODERS["gpt2"], on_the_left(PROMPTS)
    rubbish = torch.where(mask, ids, random_ids(*ids.shape, seed=77))
    options = {"mask": mask, "max_new_tokens": 8, "strategy": Sampling(), "seed": 5}
    first, second = (generate(model, each, **options) for each in (ids, rubbish))
    assert torch.equal(first.ids[:, 4:], second.ids[:, 4:])


def test_a_translators_prompts_may_be_padded_as_well_as_its_sources():
    model, (ids, mask) = translator("bert"), on_the_left(PROMPTS)
    sources, real = pad([[1, 2, 3], [4], [5, 6, 7, 8], [9]], pad_id=0)
    state = model.encode(sources, real)
    for search in (generate, beam_search):
        together = search(model.decoder, ids, state, mask=mask, max_new_tokens=5)
        for row, text in enumerate(PROMPTS):
            own = model.encode(sources[row : row + 1], real[row : row + 1])
            alone = search(model.decoder, torch.tensor([text]), own, max_new_tokens=5)
            assert together.ids[row, 4:].tolist() == alone.ids[0, len(text) :].tolist()


def test_no_token_is_read_twice():
    class Counting:
        """A decoder that writes down what it reads."""

        def __init__(self):
            self.read = []

        def __call__(self, ids, state, mask=None):
            self.read.append((ids.size(1), None if mask is None else mask.tolist()))
            return DECODERS["gpt2"](ids, state, mask)

        def select_state(self, state, rows):
            return DECODERS["gpt2"].select_state(state, rows)

    ids, mask = on_the_left(PROMPTS)
    for search in (generate, beam_search):
        model = Counting()
        search(model, ids, mask=mask, max_new_tokens=4)
        assert model.read == [(4, mask.tolist()), (1, None), (1, None), (1, None)]


@pytest.mark.parametrize("search", [generate, beam_search])
@pytest.mark.parametrize(
    "mask",
    [
        [[True, True, False], [True, True, True]],  # padding on the right
        [[True, False, True], [True, True, True]],  # a hole
        [[False, False, False], [True, True, True]],  # nothing at all
        [[True, True], [True, True]],
        [[True, True, True]],
        [True, True, True],
    ],
)
def test_masks_of_another_kind_are_refused_in_a_sentence(search, mask):
    with pytest.raises(ValueError, match="be True at the end of each row: pad prompts on the left") as caught:
        search(DECODERS["gpt2"], random_ids(2, 3), mask=torch.tensor(mask), max_new_tokens=2)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("search", [generate, beam_search])
@pytest.mark.parametrize("model", [DecoderRNN(4, 9), AttentionDecoderRNN(4, 9)])
def test_a_model_that_knows_no_padding_says_so(search, model):
    with pytest.raises(
        ValueError, match=f"{type(model).__name__} does not know padding; give it prompts of one"
    ) as caught:
        search(model, random_ids(2, 3), mask=torch.ones(2, 3, dtype=torch.bool), max_new_tokens=2)
    assert str(caught.value).endswith(".")


def test_a_wrapped_model_may_know_padding():
    ids, mask = on_the_left(PROMPTS)
    whole = DECODERS["gpt2"]

    class Wrapped(nn.Module):
        select_state = whole.select_state

        def forward(self, *arguments):
            return whole(*arguments)

    for search in (generate, beam_search):
        found, expected = (search(model, ids, mask=mask, max_new_tokens=3) for model in (Wrapped(), whole))
        assert torch.equal(found.ids, expected.ids)
