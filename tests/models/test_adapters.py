"""Models of transformers behind the course's interface; what all decoders promise is in the contracts."""

import pytest
import torch
from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel

from tests.support.tiny_transformers import (
    VOCABULARY,
    assert_near,
    excited,
    padding,
    random_ids,
    their_gpt2,
    their_llama,
)
from utils.adapters import CausalLM
from utils.decoding import Sampling, generate

IDS, MASK = random_ids(3, 5, seed=1), padding([5, 3, 1], "left")


@pytest.fixture(params=[their_gpt2, their_llama])
def theirs(request):
    return excited(request.param())


@torch.no_grad()
def test_its_logits_are_those_of_the_model(theirs):
    logits, state = CausalLM(theirs)(IDS, None, MASK)
    assert logits.shape == (3, 5, VOCABULARY)
    for row, real in enumerate(MASK):
        assert_near(logits[row, real], theirs(IDS[row : row + 1, real]).logits[0], atol=1e-4)
    assert torch.equal(state.mask, MASK)
    assert state.past[0].key.size(2) == 5


@torch.no_grad()
def test_only_the_last_logits_if_asked(theirs):
    model = CausalLM(theirs)
    everything, whole = model(IDS, None, MASK)
    last, state = model(IDS, None, MASK, last_only=True)
    assert last.shape == (3, 1, VOCABULARY)
    assert_near(last[:, 0], everything[:, -1], atol=1e-4)
    assert_near(model(IDS[:, :1], state)[0], model(IDS[:, :1], whole)[0], atol=1e-4)


def test_half_precision_weights_give_single_precision_logits(theirs):
    with torch.no_grad():
        exact, _ = CausalLM(theirs)(IDS, None, MASK)
        logits, state = CausalLM(theirs.bfloat16())(IDS, None, MASK)
    assert logits.dtype == torch.float32
    assert state.past[0].key.dtype == torch.bfloat16
    assert (logits - exact)[MASK].abs().mean() < 0.1 * exact[MASK].std()
    made = generate(CausalLM(theirs), IDS, max_new_tokens=4, strategy=Sampling(0.7), mask=MASK)
    assert made.ids.shape == (3, 9)


def test_it_is_in_evaluation_mode_also_after_a_search():
    model = CausalLM(their_gpt2().train())
    generate(model, IDS, max_new_tokens=1)
    assert not any(module.training for module in model.modules())


def test_a_model_with_an_encoder_is_refused():
    small = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=10)
    model = EncoderDecoderModel(EncoderDecoderConfig.from_encoder_decoder_configs(small, small))
    with pytest.raises(ValueError, match="has an encoder too; give a decoder alone"):
        CausalLM(model)
