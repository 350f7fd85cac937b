import pytest
import torch
from transformers import (
    BertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from utils.adapters import CausalLM
from utils.beam import beam_search
from utils.decoding import Sampling, generate
from utils.explorers import BeamTree
from utils.explorers.delivery import payload_of

END, PAD, VOCABULARY = 3, 0, 40
WIDE = 0.3  # weights drawn as wide as this, so that the next tokens differ clearly


def gpt2():
    sizes = {"n_embd": 24, "n_head": 4, "n_layer": 2, "n_positions": 64}
    settings = {"bos_token_id": 1, "eos_token_id": END, "pad_token_id": PAD}
    return GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, initializer_range=WIDE, **sizes, **settings))


def llama():
    """Rotary positions, and three query heads to each of two key–value heads, as in SmolLM2."""
    sizes = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "max_position_embeddings": 64}
    heads = {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4}
    settings = {"bos_token_id": 1, "eos_token_id": END, "pad_token_id": PAD, "initializer_range": WIDE}
    return LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, **sizes, **heads, **settings))


@pytest.fixture(params=[gpt2, llama], ids=["gpt2", "llama"])
def theirs(request):
    torch.manual_seed(0)
    return request.param().eval()


@pytest.fixture
def prompts():
    """Return prompts of 5, 3 and 1 tokens, padded on the left, and their mask."""
    ids = torch.randint(4, VOCABULARY, (3, 5), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(5) >= torch.tensor([0, 2, 4])[:, None]
    return ids.masked_fill(~mask, PAD), mask


def flat(state):
    """Return all the tensors that a state holds of the past."""
    return [each for layer in state.past for each in layer]


def stored(tree):
    """Return what a view shows."""
    return payload_of(tree.html)[0]


def close(first, second):
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_its_logits_are_those_of_the_model(theirs, prompts):
    ids, mask = prompts
    logits, state = CausalLM(theirs)(ids, None, mask)
    assert logits.shape == (3, 5, VOCABULARY)
    for row in range(3):
        alone = ids[row : row + 1, mask[row]]
        close(logits[row, mask[row]], theirs(alone).logits[0])
    assert torch.equal(state.mask, mask)
    assert state.past[0].key.size(2) == 5


@torch.no_grad()
@pytest.mark.parametrize("padded", [False, True])
def test_token_by_token_is_the_same_as_at_once(theirs, prompts, padded):
    ids, mask = prompts
    model, mask = CausalLM(theirs), mask if padded else None
    at_once, _ = model(ids, None, mask)
    state, steps = None, []
    for place in range(ids.size(1)):
        logits, state = model(ids[:, place : place + 1], state, None if mask is None else mask[:, place : place + 1])
        steps.append(logits)
    real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
    close(torch.cat(steps, dim=1)[real], at_once[real])


@torch.no_grad()
def test_only_the_last_logits_if_asked(theirs, prompts):
    ids, mask = prompts
    model = CausalLM(theirs)
    everything, _ = model(ids, None, mask)
    last, state = model(ids, None, mask, last_only=True)
    assert last.shape == (3, 1, VOCABULARY)
    close(last[:, 0], everything[:, -1])
    close(model(ids[:, :1], state)[0], model(ids[:, :1], model(ids, None, mask)[1])[0])


@torch.no_grad()
def test_reading_on_leaves_a_state_as_it_was(theirs, prompts):
    ids, mask = prompts
    model = CausalLM(theirs)
    _, state = model(ids, None, mask)
    before = [each.clone() for each in flat(state)]
    first, after = model(ids[:, :2], state)
    model(ids[:, 2:4], after)
    model.select_state(state, torch.tensor([1]))
    assert all(torch.equal(old, new) for old, new in zip(before, flat(state), strict=True))
    assert torch.equal(state.mask, mask)
    close(model(ids[:, :2], state)[0], first)


@torch.no_grad()
def test_rows_are_chosen_repeated_and_reordered(theirs, prompts):
    ids, mask = prompts
    model, rows = CausalLM(theirs), torch.tensor([2, 0, 0])
    _, state = model(ids, None, mask)
    chosen, _ = model(ids[rows, :2], model.select_state(state, rows))
    close(chosen, model(ids[:, :2], state)[0][rows])


def test_greedy_search_writes_what_transformers_writes(theirs, prompts):
    ids, mask = prompts
    found = generate(CausalLM(theirs), ids, max_new_tokens=12, end_id=END, mask=mask).ids
    expected = theirs.generate(ids, attention_mask=mask.long(), max_new_tokens=12, do_sample=False)
    for row, other in zip(found[:, 5:].tolist(), expected[:, 5:].tolist(), strict=True):
        length = row.index(END) + 1 if END in row else len(row)
        assert row[:length] == other[:length]
    assert found[:, 5:].unique().numel() > 3  # and not one token for ever


def test_beam_search_finds_what_transformers_finds(theirs, prompts):
    ids, mask = prompts
    found = beam_search(CausalLM(theirs), ids, width=3, max_new_tokens=8, end_id=END, length_penalty=1.0, mask=mask)
    options = {"num_beams": 3, "num_return_sequences": 3, "do_sample": False, "early_stopping": "never"}
    expected = theirs.generate(
        ids, attention_mask=mask.long(), max_new_tokens=8, length_penalty=1.0, return_dict_in_generate=True,
        output_scores=True, **options
    )  # fmt: skip
    scores = expected.sequences_scores.view(3, 3)
    for row, hypotheses in enumerate(found.hypotheses):
        assert [each.score for each in hypotheses] == pytest.approx(scores[row].tolist(), abs=1e-4)
        best = expected.sequences[3 * row, 5:].tolist()
        assert tuple(best[: len(hypotheses[0].ids)]) == hypotheses[0].ids


def test_one_state_serves_several_searches(theirs, prompts):
    """A beam tree searches at each width from the same prompt's state."""
    model, ids = CausalLM(theirs), prompts[0][:1]
    with torch.no_grad():
        _, state = model(ids[:, :-1])
    tree = BeamTree(model, ids[:, -1:], state, tokens=str, width=3, max_new_tokens=5, end_id=END)
    again = BeamTree(model, ids[:, -1:], state, tokens=str, width=3, max_new_tokens=5, end_id=END)
    fresh = BeamTree(model, ids, tokens=str, width=3, max_new_tokens=5, end_id=END)
    assert stored(tree) == stored(again) == stored(fresh)


def test_half_precision_weights_give_single_precision_logits(theirs, prompts):
    ids, mask = prompts
    with torch.no_grad():
        exact, _ = CausalLM(theirs)(ids, None, mask)
        logits, state = CausalLM(theirs.bfloat16())(ids, None, mask)
    assert logits.dtype == torch.float32
    assert state.past[0].key.dtype == torch.bfloat16
    assert (logits - exact)[mask].abs().mean() < 0.1 * exact[mask].std()
    made = generate(CausalLM(theirs), ids, max_new_tokens=4, strategy=Sampling(0.7), mask=mask)
    assert made.ids.shape == (3, 9)


def test_it_is_in_evaluation_mode_also_after_a_search(prompts):
    model = CausalLM(gpt2().train())
    generate(model, prompts[0], max_new_tokens=1)
    assert not any(module.training for module in model.modules())


def test_a_model_with_an_encoder_is_refused():
    small = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=10)
    model = EncoderDecoderModel(EncoderDecoderConfig.from_encoder_decoder_configs(small, small))
    with pytest.raises(ValueError, match="has an encoder too; give a decoder alone"):
        CausalLM(model)
