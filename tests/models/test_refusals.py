"""Bad input gets a ``ValueError`` of one plain sentence that names the value and, where there is one, the remedy."""

import math
import re
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch

from tests.support.every_model import DECODERS, TRANSLATORS, gru_decoder
from tests.support.hand_made import small_decoder
from tests.support.tiny_transformers import LONGEST, VOCABULARY, decoder, encoder, masked_model, padding, random_ids
from utils.attention import DotScore, MultiHeadAttention, attention, masked_softmax
from utils.beam import beam_search
from utils.decoding import generate, sampling_probabilities
from utils.masked import mask_tokens
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, DecoderRNN, EncoderDecoder, EncoderRNN
from utils.text import length_buckets, pad, train_bpe_tokenizer, train_word_tokenizer
from utils.training import TrainingConfig, fit
from utils.transformer import Transformer

Cases = Iterator[tuple[str, Callable]]  # a regular expression for what is said, and the call that is refused
IDS, MASK = random_ids(3, 7), padding([7, 4, 1])
SHORT = [make(max_length=8) for make in (encoder, decoder, masked_model)]


def settings_of_models() -> Cases:
    for size, wrong in {"vocabulary": 0, "hidden": 0, "inner": -4}.items():
        yield "every size of a Transformer must be at least 1", partial(encoder, **{f"{size}_size": wrong})
    for size in ("num_layers", "max_length"):
        yield "every size of a Transformer must be at least 1", partial(encoder, **{size: 0})
    for share in (1.0, math.nan):
        yield f"dropout must lie from 0 to below 1, not {share}", partial(encoder, dropout=share)
    yield "activation must be one of relu, gelu, gelu tanh, not 'swish'", partial(encoder, activation="swish")
    yield "positions must be one of learned, sinusoidal, none, not 'rotary'", partial(encoder, positions="rotary")
    for heads in (0, -2, 5, 48):
        said = f"numbers cannot be shared out among {heads} heads; choose a divisor"
        yield f"16 {said}", partial(encoder, num_heads=heads)
        yield f"24 {said}", partial(MultiHeadAttention, 24, heads)
    for wrong in ({"epochs": 0}, {"learning_rate": 0.0}, {"warmup": 1.0}, {"clip_norm": -1.0}):
        yield "a training run needs", partial(TrainingConfig, **wrong)
    said = "gave no batch at all: there is nothing to train on"
    yield said, partial(fit, decoder(), lambda epoch: [], None, TrainingConfig(), device=torch.device("cpu"))


def parts_that_do_not_fit() -> Cases:
    said = "this decoder cannot look at a source; build it with cross_attention=True"
    yield said, partial(Transformer, encoder(), decoder())
    said = "the encoder's vectors have 16 numbers and the decoder's 32"
    yield said, partial(Transformer, encoder(), decoder(cross_attention=True, hidden_size=32))
    gru, looking = partial(EncoderRNN, VOCABULARY), AttentionDecoderRNN(8, 9)
    yield "encoder has 2 layers and the decoder 1", partial(EncoderDecoder, gru(8, 2), gru_decoder())
    said = "state has 5 numbers and the decoder's 8; make .* bidirectional"
    yield said, partial(EncoderDecoder, gru(5), gru_decoder())
    said = "outputs have 16 numbers .* of 8; build the decoder with key_size=16"
    yield said, partial(AttentionEncoderDecoder, gru(8, 1, True), looking)
    yield "use GeneralScore or AdditiveScore", partial(AttentionDecoderRNN, 8, 9, key_size=10, score=DotScore)
    said = "{}at a source: give it the state that the model's encode returns"
    yield said.format("looks "), partial(decoder(cross_attention=True), IDS)
    yield said.format("looks back "), partial(generate, looking, IDS % 9, max_new_tokens=2)
    yield "one size, not 6 and 4; use GeneralScore or AdditiveScore", partial(DotScore, 6, 4)
    yield "one size", partial(attention, torch.zeros(2, 3, 6), torch.zeros(2, 5, 4), torch.zeros(2, 5, 4))


def texts_and_masks() -> Cases:
    for model in SHORT:
        yield "a text of 9 tokens is too long for a model of 8 positions", partial(model, random_ids(2, 9))
        for arguments in ({}, {"mask": MASK[0]}):
            yield r"ids must have shape \(batch, length\), not \(7,\)", partial(model, IDS[0], **arguments)
        for mask in (MASK.long(), MASK.float(), MASK[:, :6], MASK.int()):
            yield "mask must be boolean with one entry for each token", partial(model, IDS, mask=mask)
    for name in ("Transformer, gpt2", "GRU, one vector", "GRU, additive"):
        for target in (IDS[:2], IDS[0], IDS[:, :0]):
            yield r"target must be \(3, target\)", partial(TRANSLATORS[name], IDS, MASK, target)
    for ratio in (-0.1, 1.5, math.nan):
        call = partial(TRANSLATORS["GRU, one vector"], IDS, MASK, IDS, ratio)
        yield f"teacher_forcing_ratio is a share from 0 to 1, not {ratio}", call
    yes = torch.ones(3, 3, dtype=torch.bool)
    said = r"must be boolean.*torch.int64; use mask.bool\(\)"
    yield said, partial(masked_softmax, torch.zeros(3, 3, 4), yes[:, None].long())
    said = r"2 dimensions and the scores 3; .* mask\[:, None\]"
    yield said, partial(masked_softmax, torch.zeros(3, 3, 3), yes)
    heads, states = MultiHeadAttention(24, 4), torch.zeros(3, 3, 24)
    yield "mask has 2 dimensions", partial(heads, states, heads.look_at(states), yes, True)
    yield "mask must be boolean", partial(heads, states, heads.look_at(states), torch.ones(3, 1, 1, 3), True)


def damaged_decoder() -> DecoderRNN:
    model = small_decoder()
    torch.nn.init.constant_(model.out.bias, math.nan)
    return model


def searches() -> Cases:
    for search in (partial(generate, max_new_tokens=2), partial(beam_search, max_new_tokens=2)):
        for shape in ((3,), (2, 0), (1, 2, 3)):
            said = r"ids must have shape \(batch, prompt\) with at least one token a row, not"
            yield said, partial(search, small_decoder(), torch.zeros(shape, dtype=torch.long))
        right, hole, nothing = [True, True, False], [True, False, True], [False, False, False]
        masks = [[row, [True] * 3] for row in (right, hole, nothing)]
        for mask in (*masks, [[True] * 2] * 2, [[True] * 3], [True] * 3):
            said = "be True at the end of each row: pad prompts on the left"
            yield said, partial(search, decoder(), random_ids(2, 3), mask=torch.tensor(mask))
        for model in (DecoderRNN(4, 9), AttentionDecoderRNN(4, 9)):
            said = f"{type(model).__name__} does not know padding; give it prompts of one"
            yield said, partial(search, model, random_ids(2, 3), mask=torch.ones(2, 3, dtype=torch.bool))
        for model in (decoder(), gru_decoder(), DECODERS["GPT-2 of transformers"].model):
            go_on, known = partial(search, model), f"the model knows the tokens 0 to {VOCABULARY - 1}"
            for wrong in (-1, 2.0, "2", True, [2, "3"]):
                said = "end_id must be the id of a token, a whole number from 0, or several; .* is none"
                yield said, partial(go_on, random_ids(2, 3), end_id=wrong)
            yield "end_id holds no token; use None", partial(go_on, random_ids(2, 3), end_id=[])
            yield f"end_id is 99, and {known}", partial(go_on, random_ids(2, 3), end_id=99)
            yield f"end_id is {VOCABULARY}, and {known}", partial(go_on, random_ids(2, 3), end_id=[3, VOCABULARY])
            yield "ids holds -1, which is no token", partial(go_on, torch.tensor([[4, -1]]))
            yield (
                f"{VOCABULARY}.*(knows the tokens|outside its vocabulary)",
                partial(go_on, torch.tensor([[VOCABULARY]])),
            )
        for model in (SHORT[1], DECODERS["GPT-2 of transformers"].model):
            yield "positions", partial(search, model, random_ids(1, LONGEST + 1))
            yield "positions", partial(search, model, random_ids(1, LONGEST - 1), max_new_tokens=5)
    beams, prompt = partial(beam_search, small_decoder()), torch.tensor([[4]])
    yield "width must be at least 1, not 0", partial(beams, prompt, max_new_tokens=2, width=0)
    yield "max_new_tokens must be at least 0, not -1", partial(beams, prompt, max_new_tokens=-1)
    for penalty in (-0.5, math.nan):
        said = f"length_penalty must lie from 0 to 10, not {penalty}"
        yield said, partial(beams, prompt, max_new_tokens=2, length_penalty=penalty)
    yield "logits hold NaN", partial(beam_search, damaged_decoder(), prompt, max_new_tokens=2)
    sample = partial(sampling_probabilities, torch.zeros(3))
    for temperature in (0, -1.0, math.nan):
        said = f"temperature must be above 0, not {temperature}; for the most probable token use Greedy"
        yield said, partial(sample, temperature=temperature)
    yield "top_k must be at least 1, not 0; use None to keep every token", partial(sample, top_k=0)
    for share in (0.0, 1.5, math.nan):
        yield f"top_p must lie above 0 and at most at 1, not {share}", partial(sample, top_p=share)


def tokenisers_and_batches() -> Cases:
    for tokenizer in (train_word_tokenizer(["a b"]), train_bpe_tokenizer(["a b"], vocabulary=300)):
        for wrong in (None, 3, ["a", "list"], b"bytes"):
            said = f"encode takes one string, not {type(wrong).__name__}; encode the items of a list in turn"
            yield said, partial(tokenizer.encode, wrong)
        for token in (-1, 100_000):
            said = f"there is no token {token}; ids run from 0 to {len(tokenizer) - 1}"
            yield said, partial(tokenizer.token, token)
            yield said, partial(tokenizer.decode, [1, token])
    yield "needs at least 260 entries; 259 were asked for", partial(train_bpe_tokenizer, ["a"], vocabulary=259)
    yield "there is nothing to pad: give at least one sequence of ids", partial(pad, [])
    yield "a batch holds at least one sequence; batch_size is 0", partial(length_buckets, [1, 2], 0, seed=0)
    hide = partial(mask_tokens, mask_id=2, vocabulary_size=VOCABULARY)
    for share in (0, -0.1, 1.01, math.nan):
        said = f"share must lie above 0 and at most at 1, not {share}"
        yield said, partial(hide, IDS, torch.ones_like(IDS, dtype=torch.bool), share=share)
    for ids in (IDS, IDS[:0]):
        said = "no token may be masked; maskable must be True at least once"
        yield said, partial(hide, ids, torch.zeros_like(ids, dtype=torch.bool))


@pytest.mark.parametrize(
    "topic", [settings_of_models, parts_that_do_not_fit, texts_and_masks, searches, tokenisers_and_batches]
)
def test_bad_input_gets_one_sentence_that_names_it(topic):
    faults = []
    for said, call in topic():
        try:
            faults.append(f"nothing is refused where this belongs: {said} (it gave {call()})")
        except ValueError as error:
            message = str(error)
            if not re.search(said, message) or not message.endswith(".") or "\n" in message:
                faults.append(f"{said}: but the message is {message!r}")
    assert faults == []


def test_what_lies_just_inside_is_taken():
    for model in SHORT:
        model(random_ids(2, 8))
        with pytest.raises(IndexError):
            model(random_ids(2, 8) + VOCABULARY)
    everything = torch.ones_like(IDS, dtype=torch.bool)
    assert mask_tokens(IDS, everything, mask_id=2, vocabulary_size=9, share=1.0).chosen.all()
    assert len(train_bpe_tokenizer(["a"], vocabulary=260)) == 260
    assert length_buckets([], 4, seed=0) == []
