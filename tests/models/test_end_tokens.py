"""What ends a text: one token or several, as the ecosystem gives them; ids that cannot be are refused."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from utils.adapters import CausalLM
from utils.beam import beam_search
from utils.decoding import end_tokens, generate
from utils.recurrent import DecoderRNN
from utils.transformer import TransformerDecoder
from utils.transformer_layers import TransformerConfig

VOCABULARY, LONGEST = 20, 16
ENDS = [3, 7, 11]
PROMPTS = torch.randint(4, VOCABULARY, (24, 2), generator=torch.Generator().manual_seed(1))


def excited(model: torch.nn.Module) -> torch.nn.Module:
    """Return the model with larger weights, so that what it writes varies and ends now and then."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.6)
    return model.eval()


def their_gpt2() -> GPT2LMHeadModel:
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": LONGEST, "vocab_size": VOCABULARY}
    return excited(GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=ENDS, pad_token_id=ENDS[0])))


def their_llama() -> LlamaForCausalLM:
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"bos_token_id": 0, "eos_token_id": ENDS, "pad_token_id": ENDS[0]}
    return excited(LlamaForCausalLM(LlamaConfig(**sizes, **ids, vocab_size=VOCABULARY)))


def our_gpt() -> TransformerDecoder:
    return excited(TransformerDecoder(TransformerConfig(VOCABULARY, 16, 2, inner_size=32, max_length=LONGEST)))


def our_gru() -> DecoderRNN:
    return excited(DecoderRNN(16, VOCABULARY))


MODELS = {
    "the course's GPT": our_gpt,
    "the course's GRU": our_gru,
    "GPT-2 of transformers": lambda: CausalLM(their_gpt2()),
    "Llama of transformers": lambda: CausalLM(their_llama()),
}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def greedy(model: torch.nn.Module, ids: torch.Tensor, **options: object) -> list[list[int]]:
    return generate(model, ids, **options).ids.tolist()


def beam(model: torch.nn.Module, ids: torch.Tensor, **options: object) -> list[list[int]]:
    return beam_search(model, ids, width=3, **options).ids.tolist()


both_searches = pytest.mark.parametrize("decode", [greedy, beam])


def cut(row: list[int]) -> list[int]:
    """Return what a row says up to the first end token, with it."""
    stops = [place for place, token in enumerate(row) if token in ENDS]
    return row[: stops[0] + 1] if stops else row


@pytest.mark.parametrize("make", [their_gpt2, their_llama])
@pytest.mark.parametrize("beams", [1, 2, 4])
def test_texts_end_as_transformers_ends_them(make, beams):
    theirs, ends = make(), make().generation_config.eos_token_id
    assert ends == ENDS
    options = {"do_sample": False, "num_beams": beams, "length_penalty": 1.0, "early_stopping": "never"}
    expected = theirs.generate(PROMPTS, attention_mask=torch.ones_like(PROMPTS), max_new_tokens=10, **options)
    if beams == 1:
        found = generate(CausalLM(theirs), PROMPTS, max_new_tokens=10, end_id=ends).ids
    else:
        settings = {"width": beams, "max_new_tokens": 10, "length_penalty": 1.0}
        found = beam_search(CausalLM(theirs), PROMPTS, end_id=ends, **settings).ids
    ours, others = ([cut(row) for row in ids[:, 2:].tolist()] for ids in (found, expected))
    assert ours == others
    assert len({row[-1] for row in ours} & set(ENDS)) > 1, "more than one of the ends is met"


@every_model
@both_searches
def test_end_tokens_may_come_in_every_form(make, decode):
    model, several = make(), torch.tensor(ENDS)
    for forms in ([ENDS, tuple(ENDS), np.array(ENDS), several, list(several)], [3, [3], np.int64(3), several[0]]):
        first, *others = (decode(model, PROMPTS, max_new_tokens=8, end_id=form) for form in forms)
        assert all(other == first for other in others)


def test_a_row_that_ended_is_filled_with_the_first_end_token():
    for model in (our_gpt(), our_gru()):
        rows = generate(model, PROMPTS, max_new_tokens=10, end_id=ENDS).ids[:, 2:].tolist()
        for row in rows:
            said = cut(row)
            assert row == said + [ENDS[0]] * (len(row) - len(said))


@every_model
@both_searches
@pytest.mark.parametrize(
    ("end_id", "said"),
    [
        (-1, "a whole number from 0, or several; -1 is none"),
        (2.0, "2.0 is none"),
        ("2", "'2' is none"),
        (True, "True is none"),
        ([2, "3"], "'3' is none"),
        ([], "holds no token; use None"),
        (99, "end_id is 99, and the model knows the tokens 0 to 19"),
        ([3, 20], "end_id is 20, and the model knows the tokens 0 to 19"),
    ],
)
def test_end_tokens_that_cannot_be_are_refused_in_one_sentence(make, decode, end_id, said):
    with pytest.raises(ValueError, match=said) as refused:
        decode(make(), PROMPTS, max_new_tokens=3, end_id=end_id)
    assert "\n" not in str(refused.value)


@every_model
@both_searches
def test_ids_outside_the_vocabulary_are_refused_in_one_sentence(make, decode):
    for wrong, said in (([[4, -1]], "ids holds -1"), ([[4, 20]], "20"), ([[4, 5], [6, 99]], "99")):
        with pytest.raises(ValueError, match=said) as refused:
            decode(make(), torch.tensor(wrong), max_new_tokens=3)
        assert "\n" not in str(refused.value)
        assert "tokenizer" in str(refused.value) or "counted from 0" in str(refused.value)


@both_searches
@pytest.mark.parametrize("make", [our_gpt, lambda: CausalLM(their_gpt2())], ids=["ours", "theirs"])
def test_a_text_beyond_the_positions_is_refused_in_one_sentence(make, decode):
    ids = torch.ones(1, LONGEST + 1, dtype=torch.long)
    for prompt, more in ((ids, 1), (ids[:, :-3], 5)):
        with pytest.raises(ValueError, match="positions") as refused:
            decode(make(), prompt, max_new_tokens=more)
        assert "\n" not in str(refused.value)


def test_nothing_ends_a_text_without_an_end_token():
    assert end_tokens(None) == ()
    assert generate(our_gpt(), PROMPTS, max_new_tokens=12).ids.shape == (24, 14)
