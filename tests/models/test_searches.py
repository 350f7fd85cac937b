"""Greedy search, sampling and beam search: what each promises for every decoder of the course."""

import copy
from functools import cache, partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.support.every_model import DECODERS, takes
from tests.support.hand_made import Bound, small_decoder
from tests.support.tiny_transformers import VOCABULARY, excited, random_ids, their_gpt2
from utils.beam import beam_search
from utils.decoding import Generation, Greedy, Sampling, generate
from utils.explorers import BeamTree
from utils.explorers.delivery import payload_of
from utils.text import pad

SEARCHES = {
    "greedy": generate,
    "beam": partial(beam_search, width=3),
    "normalised beam": partial(beam_search, width=2, length_penalty=0.8),
}
EVERYTHING = torch.arange(4)
PROMPTS = [[5, 1, 9, 2], [7], [3, 3], [8, 0, 6]]
GPT2 = DECODERS["decoder, gpt2"].model
prompts = st.lists(st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=7), min_size=1, max_size=4)


def on_the_left(texts: list[list[int]], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return texts as a batch, rubbish before each, and the mask of what is real."""
    ids, mask = pad([text[::-1] for text in texts], pad_id=0)
    ids, mask = ids.flip(1), mask.flip(1)
    return torch.where(mask, ids, random_ids(*ids.shape, seed=seed)), mask


def assert_row_is_that_alone(found: Generation, row: int, alone: Generation, prompt: int, own: int, end_id) -> None:
    """Compare the new tokens of a row, ``prompt`` tokens on, with those of one that was searched for by itself."""
    new, expected = found.ids[row, prompt:].tolist(), alone.ids[0, own:].tolist()
    assert new == expected + [end_id] * (len(new) - len(expected))
    torch.testing.assert_close(found.scores[row : row + 1], alone.scores, atol=1e-3, rtol=1e-4)
    if hasattr(found, "hypotheses"):
        (others,) = alone.hypotheses
        assert [each.ids for each in found.hypotheses[row]] == [each.ids for each in others]
        for one, other in zip(found.hypotheses[row], others, strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
            assert one.score == pytest.approx(other.score, abs=1e-3)


@cache
def ends(name: str) -> list[int]:
    """Return tokens that a decoder writes in some rows earlier than in others; as end they give different lengths."""
    model, start = DECODERS[name]
    free = generate(model, random_ids(4, 2, seed=4), start(EVERYTHING), max_new_tokens=7).ids[:, 2:]
    where = {token: [(row == token).nonzero().flatten().tolist() for row in free] for token in free.unique().tolist()}
    return [token for token, rows in where.items() if len({min(each, default=7) for each in rows}) > 1]


# --- for every decoder


@torch.no_grad()
@pytest.mark.parametrize("name", DECODERS)
def test_greedy_search_is_a_plain_loop(name):
    (model, start), ids = DECODERS[name], random_ids(4, 2, seed=4)
    found = generate(model, ids, start(EVERYTHING), max_new_tokens=8)
    scores = torch.zeros(4)
    for _ in range(8):
        logits = model(ids, start(EVERYTHING))[0]  # read from the start each time: no state to go wrong
        best = logits[:, -1].log_softmax(-1).max(dim=-1)
        ids, scores = torch.cat([ids, best.indices[:, None]], dim=1), scores + best.values
    assert torch.equal(found.ids, ids)
    torch.testing.assert_close(found.scores, scores)
    explicitly = generate(model, ids[:, :2], start(EVERYTHING), max_new_tokens=8, strategy=Greedy())
    assert torch.equal(explicitly.ids, ids)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("name", DECODERS)
def test_each_row_of_a_batch_is_continued_as_if_it_were_alone(name, search):
    (model, start), ids, search = DECODERS[name], random_ids(4, 2, seed=4), SEARCHES[search]
    end_id = next(iter(ends(name)), None)  # so that some rows end and others reach the limit
    options = {"max_new_tokens": 7, "end_id": end_id}
    together = search(model, ids, start(EVERYTHING), **options)
    assert torch.equal(together.ids[:, :2], ids)
    for row in range(4):
        alone = search(model, ids[row : row + 1], start(EVERYTHING[row : row + 1]), **options)
        assert_row_is_that_alone(together, row, alone, 2, 2, end_id)


def test_most_decoders_end_texts_at_different_places_so_that_something_is_filled_up():
    assert sum(bool(ends(name)) for name in DECODERS) > 0.8 * len(DECODERS)


@pytest.mark.parametrize("name", DECODERS)
def test_a_text_may_end_with_any_of_several_tokens(name):
    """They come in any form, and what follows the first that is written is filled up with the first of the list."""
    (model, start), ids, several = DECODERS[name], random_ids(4, 2, seed=4), [*ends(name), 3, 7][:3]
    free = generate(model, ids, start(EVERYTHING), max_new_tokens=7).ids[:, 2:].tolist()
    made = generate(model, ids, start(EVERYTHING), max_new_tokens=7, end_id=several).ids[:, 2:].tolist()
    for row, expected in zip(made, free, strict=True):
        own = next((place + 1 for place, token in enumerate(expected) if token in several), len(row))
        assert row == expected[:own] + several[:1] * (len(row) - own)
    for search in SEARCHES.values():
        found = search(model, ids, start(EVERYTHING), max_new_tokens=7, end_id=several)
        one = search(model, ids, start(EVERYTHING), max_new_tokens=7, end_id=several[0])
        for form in (tuple(several), np.array(several), torch.tensor(several), list(torch.tensor(several))):
            other = search(model, ids, start(EVERYTHING), max_new_tokens=7, end_id=form)
            assert torch.equal(other.ids, found.ids)
        for form in (several[:1], np.int64(several[0]), torch.tensor(several[0])):
            other = search(model, ids, start(EVERYTHING), max_new_tokens=7, end_id=form)
            assert torch.equal(other.ids, one.ids)


@pytest.mark.parametrize("name", [name for name, each in DECODERS.items() if takes(each.model, "mask")])
@settings(max_examples=6)
@given(
    texts=prompts,
    longest=st.integers(0, 9),
    end_id=st.none() | st.integers(0, VOCABULARY - 1),
    width=st.integers(1, 4),
    length_penalty=st.sampled_from([0.0, 1.0]),
)
def test_prompts_of_different_lengths_are_continued_as_if_alone(name, texts, longest, end_id, width, length_penalty):
    """They are padded on the left, with anything."""
    (model, start), (ids, mask) = DECODERS[name], on_the_left(texts)
    rows, options = torch.arange(len(texts)), {"max_new_tokens": longest, "end_id": end_id}
    for search in (generate, partial(beam_search, width=width, length_penalty=length_penalty)):
        together = search(model, ids, start(rows), mask=mask, **options)
        assert torch.equal(together.ids[:, : ids.size(1)], ids)
        for row, text in enumerate(texts):
            alone = search(model, torch.tensor([text]), start(rows[row : row + 1]), **options)
            assert_row_is_that_alone(together, row, alone, ids.size(1), len(text), end_id)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("name", DECODERS)
def test_a_search_goes_on_from_the_state_it_is_given_and_leaves_it_as_it_was(name, search):
    (model, start), ids, search = DECODERS[name], random_ids(1, 3), SEARCHES[search]
    with torch.no_grad():
        _, state = model(ids[:, :2], start(EVERYTHING[:1]))
    whole = search(model, ids, start(EVERYTHING[:1]), max_new_tokens=6, end_id=3)
    for _ in range(2):
        continued = search(model, ids[:, 2:], state, max_new_tokens=6, end_id=3)
        assert_row_is_that_alone(continued, 0, whole, 1, 3, 3)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("name", DECODERS)
def test_dropout_is_off_meanwhile_and_on_again_afterwards(name, search):
    (model, start), ids = DECODERS[name], random_ids(4, 2)
    model = copy.deepcopy(model).train()
    with torch.no_grad():
        state = start(EVERYTHING)
    one, other = (SEARCHES[search](model, ids, state, max_new_tokens=4) for _ in range(2))
    assert torch.equal(one.ids, other.ids)
    assert torch.equal(one.scores, other.scores)
    assert not one.scores.requires_grad
    assert model.training


def test_a_beam_tree_searches_at_every_width_from_the_state_it_is_given():
    ids, options = random_ids(1, 3), {"tokens": str, "width": 3, "max_new_tokens": 5, "end_id": 3}
    with torch.no_grad():
        _, state = GPT2(ids[:, :2])
    again, once, fresh = (BeamTree(GPT2, *arguments, **options) for arguments in ((ids[:, 2:], state),) * 2 + ((ids,),))
    assert payload_of(once.html)[0] == payload_of(again.html)[0] == payload_of(fresh.html)[0]


# --- prompts that are padded


def test_prompts_continue_each_other_so_the_comparison_can_fail():
    ids, mask = on_the_left(PROMPTS)
    masked, unmasked = (generate(GPT2, ids, mask=each, max_new_tokens=6).ids for each in (mask, None))
    assert not torch.equal(masked, unmasked)
    assert len({tuple(row[4:].tolist()) for row in masked}) > 1


def test_the_mask_holds_with_sampling_too():
    ids, mask = on_the_left(PROMPTS)
    rubbish = torch.where(mask, ids, random_ids(*ids.shape, seed=77))
    options = {"mask": mask, "max_new_tokens": 8, "strategy": Sampling(), "seed": 5}
    first, second = (generate(GPT2, each, **options) for each in (ids, rubbish))
    assert torch.equal(first.ids[:, 4:], second.ids[:, 4:])


@pytest.mark.parametrize("search", SEARCHES)
def test_no_token_is_read_twice(search):
    class Counting:
        """A decoder that writes down what it reads."""

        def __init__(self):
            self.read = []

        def __call__(self, ids, state, mask=None):
            self.read.append((ids.size(1), None if mask is None else mask.tolist()))
            return GPT2(ids, state, mask)

        select_state = GPT2.select_state

    ids, real = on_the_left(PROMPTS)
    for mask in (real, None):
        model = Counting()
        SEARCHES[search](model, ids, mask=mask, max_new_tokens=4)
        assert model.read == [(4, None if mask is None else mask.tolist()), (1, None), (1, None), (1, None)]


@pytest.mark.parametrize("search", SEARCHES)
def test_a_wrapped_model_may_know_padding(search):
    class Wrapped(nn.Module):
        select_state = GPT2.select_state

        def forward(self, *arguments):
            return GPT2(*arguments)

    ids, mask = on_the_left(PROMPTS)
    found, expected = (SEARCHES[search](model, ids, mask=mask, max_new_tokens=3) for model in (Wrapped(), GPT2))
    assert torch.equal(found.ids, expected.ids)


# --- limits, ends and chance


@pytest.mark.parametrize("search", SEARCHES)
def test_the_limit_holds_and_may_be_nothing(search):
    search, model, prompt = SEARCHES[search], small_decoder(), torch.tensor([[1, 2]])
    assert search(model, prompt, max_new_tokens=5).ids.shape == (1, 7)
    nothing = search(model, prompt, max_new_tokens=0)
    assert torch.equal(nothing.ids, prompt)
    assert nothing.scores.tolist() == [0.0]
    assert [[each.ids for each in row] for row in getattr(nothing, "hypotheses", [])] in ([], [[()]])


def test_it_stops_at_the_end_and_fills_rows_that_ended_early():
    class Countdown:
        """Row ``r`` of the batch ends after ``r + 1`` tokens."""

        def __call__(self, ids: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
            left = (torch.arange(ids.size(0)) + 1 if state is None else state)[:, None]
            logits = torch.where(torch.arange(4) == torch.where(left > 0, 2, 3), 0.0, -9.0)
            return logits[:, None], left.squeeze(1) - 1

    result = generate(Countdown(), torch.zeros(3, 1, dtype=torch.long), max_new_tokens=50, end_id=3)
    assert result.ids.tolist() == [[0, 2, 3, 3, 3], [0, 2, 2, 3, 3], [0, 2, 2, 2, 3]]
    sure = torch.tensor([0.0, -9.0, -9.0, -9.0]).log_softmax(0)[0]
    torch.testing.assert_close(result.scores, sure * torch.tensor([2.0, 3.0, 4.0]), msg="filling up costs something")


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.floats(0.3, 3.0))
def test_a_seed_repeats_and_leaves_the_global_numbers_alone(seed, temperature):
    decoder, prompt = small_decoder(), torch.tensor([[1, 4], [2, 2]])
    strategy = Sampling(temperature, top_k=6, top_p=0.95)
    torch.manual_seed(0)
    first = generate(decoder, prompt, max_new_tokens=10, strategy=strategy, seed=seed)
    torch.manual_seed(1)
    expected = torch.get_rng_state()
    second = generate(decoder, prompt, max_new_tokens=10, strategy=strategy, seed=seed)
    assert torch.equal(first.ids, second.ids)
    assert torch.equal(torch.get_rng_state(), expected)


def test_other_seeds_give_other_texts_and_the_drawn_shares_are_right():
    model, prompts = Bound(), torch.zeros(4000, 1, dtype=torch.long)
    one, other = (generate(model, prompts, max_new_tokens=1, strategy=Sampling(), seed=seed).ids for seed in (0, 1))
    assert not torch.equal(one, other)
    assert (one[:, 1] == 1).float().mean().item() == pytest.approx(0.55, abs=0.04)
    assert set(one[:, 1].tolist()) == {1, 2}


def test_sampling_with_top_k_of_one_is_greedy_search():
    decoder, prompt = small_decoder(), torch.tensor([[1, 4], [2, 2]])
    drawn = generate(decoder, prompt, max_new_tokens=9, strategy=Sampling(temperature=5.0, top_k=1), seed=7)
    assert torch.equal(drawn.ids, generate(decoder, prompt, max_new_tokens=9).ids)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_state_may_change_in_place(search):
    theirs, ids = excited(their_gpt2()), random_ids(4, 2, seed=4)

    class InPlace:
        """A model of transformers with its own cache."""

        def __call__(self, ids, state):
            made = theirs(ids, past_key_values=state, use_cache=True)
            return made.logits, made.past_key_values

        def select_state(self, state, rows):
            state.reorder_cache(rows)
            return state

    models = (InPlace(), DECODERS["GPT-2 of transformers"].model)
    found, expected = (SEARCHES[search](model, ids, max_new_tokens=7, end_id=3) for model in models)
    assert torch.equal(found.ids, expected.ids)
