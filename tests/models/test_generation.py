import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.support.hand_made import Bound, small_decoder
from utils.decoding import Greedy, Sampling, generate


def test_greedy_search_equals_a_plain_loop():
    decoder = small_decoder()
    prompt = torch.tensor([[1, 4], [2, 2], [9, 0]])
    result = generate(decoder, prompt, max_new_tokens=12)
    ids, scores = prompt, torch.zeros(3)
    for _ in range(12):
        logits, _ = decoder(ids)  # read from the start each time: no state to go wrong
        best = logits[:, -1].log_softmax(-1).max(dim=-1)
        ids, scores = torch.cat([ids, best.indices[:, None]], dim=1), scores + best.values
    assert torch.equal(result.ids, ids)
    torch.testing.assert_close(result.scores, scores)
    assert not result.scores.requires_grad
    assert torch.equal(generate(decoder, prompt, max_new_tokens=12, strategy=Greedy()).ids, ids)


def test_no_token_is_read_twice():
    model = Bound()
    generate(model, torch.tensor([[4, 4, 4]]), max_new_tokens=3)
    assert model.read == [(1, 3), (1, 1), (1, 1)]


def test_it_goes_on_from_the_state_it_is_given():
    decoder = small_decoder()
    whole = torch.tensor([[1, 4, 7]])
    _, state = decoder(whole[:, :2])
    continued = generate(decoder, whole[:, 2:], state, max_new_tokens=8).ids[:, 1:]
    assert torch.equal(continued, generate(decoder, whole, max_new_tokens=8).ids[:, 3:])


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


def test_the_limit_holds_and_may_be_nothing():
    decoder = small_decoder()
    prompt = torch.tensor([[1, 2]])
    assert generate(decoder, prompt, max_new_tokens=5).ids.shape == (1, 7)
    nothing = generate(decoder, prompt, max_new_tokens=0)
    assert torch.equal(nothing.ids, prompt)
    assert nothing.scores.tolist() == [0.0]


@settings(deadline=None, max_examples=25)
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


def test_dropout_is_off_meanwhile_and_on_again_afterwards():
    decoder, prompt = small_decoder(dropout=0.5).train(), torch.tensor([[1, 4]])
    first, second = (generate(decoder, prompt, max_new_tokens=9) for _ in range(2))
    assert torch.equal(first.scores, second.scores)
    assert decoder.training


@pytest.mark.parametrize("shape", [(3,), (2, 0), (1, 2, 3)])
def test_prompts_of_another_shape_are_refused_in_a_sentence(shape):
    with pytest.raises(ValueError, match=r"ids must have shape \(batch, prompt\) with at least one token a row, not"):
        generate(small_decoder(), torch.zeros(shape, dtype=torch.long), max_new_tokens=2)
