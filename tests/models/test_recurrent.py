"""GRU encoders, decoders and the two together: the equations, padding, the bridge, and teacher forcing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.support.every_model import GRU_SIZE, SOURCE, SOURCE_MASK, TRANSLATORS, gru_decoder
from tests.support.tiny_transformers import random_ids
from utils.attention import SCORES
from utils.decoding import generate
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, EncoderDecoder, EncoderRNN
from utils.text import Tokenizer, pad

VOCABULARY, HIDDEN = 11, 6
CONFIGURATIONS = [(layers, bidirectional) for layers in (1, 2, 3) for bidirectional in (False, True)]
GRUS = {name: model for name, model in TRANSLATORS.items() if isinstance(model, EncoderDecoder)}
TARGET = random_ids(4, 6, seed=1)


def make_encoder(num_layers: int = 1, bidirectional: bool = False) -> EncoderRNN:
    torch.manual_seed(0)
    return EncoderRNN(VOCABULARY, HIDDEN, num_layers, bidirectional).requires_grad_(False)


# --- the encoder


def read_by_hand(gru: nn.GRU, inputs: Tensor, suffix: str) -> tuple[Tensor, Tensor]:
    """Run the GRU's equations over ``inputs`` (length, input) of one sentence, one gate and one step at a time."""
    weight_x, weight_h = getattr(gru, f"weight_ih_{suffix}"), getattr(gru, f"weight_hh_{suffix}")
    bias_x, bias_h = getattr(gru, f"bias_ih_{suffix}"), getattr(gru, f"bias_hh_{suffix}")
    reset, update, candidate = (slice(gate * HIDDEN, (gate + 1) * HIDDEN) for gate in range(3))
    state, outputs = torch.zeros(HIDDEN), []
    for x in inputs:
        r = torch.sigmoid(weight_x[reset] @ x + bias_x[reset] + weight_h[reset] @ state + bias_h[reset])
        z = torch.sigmoid(weight_x[update] @ x + bias_x[update] + weight_h[update] @ state + bias_h[update])
        proposal = weight_h[candidate] @ state + bias_h[candidate]
        n = torch.tanh(weight_x[candidate] @ x + bias_x[candidate] + r * proposal)
        state = (1 - z) * n + z * state
        outputs.append(state)
    return torch.stack(outputs), state


@pytest.mark.parametrize(("num_layers", "bidirectional"), CONFIGURATIONS)
def test_the_encoder_computes_the_gru_equations(num_layers, bidirectional):
    encoder = make_encoder(num_layers, bidirectional)
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2]])
    outputs, state = encoder(ids, ids > 0)
    layer, finals = encoder.embedding.weight[ids[0]], []
    for index in range(num_layers):
        joined, final = read_by_hand(encoder.gru, layer, f"l{index}")
        finals.append(final)
        if bidirectional:
            backward, final = read_by_hand(encoder.gru, layer.flip(0), f"l{index}_reverse")
            finals.append(final)
            joined = torch.cat([joined, backward.flip(0)], dim=-1)
        layer = joined
    torch.testing.assert_close(outputs[0], layer, atol=1e-6, rtol=0)
    torch.testing.assert_close(state[:, 0], torch.stack(finals), atol=1e-6, rtol=0)


def test_the_slides_shapes():
    encoder = EncoderRNN(10_000, 256)
    outputs, state = encoder(torch.randint(0, 10_000, (3, 5)))
    assert outputs.shape == (3, 5, 256)
    assert state.shape == (1, 3, 256)
    assert torch.equal(outputs[:, -1], state[-1])


sentence = st.lists(st.integers(1, VOCABULARY - 1), max_size=12)


@settings(max_examples=60)
@given(
    configuration=st.sampled_from(CONFIGURATIONS),
    sentences=st.lists(sentence, min_size=1, max_size=5),
    padding=st.integers(0, 40),
    pad_id=st.integers(0, VOCABULARY - 1),
)
def test_padding_and_company_change_nothing(configuration, sentences, padding, pad_id):
    encoder = make_encoder(*configuration)
    ids, mask = pad(sentences, pad_id=pad_id)
    ids = nn.functional.pad(ids, (0, padding), value=pad_id)
    mask = nn.functional.pad(mask, (0, padding), value=False)
    outputs, state = encoder(ids, mask)
    directions = 1 + configuration[1]
    assert outputs.shape == (*ids.shape, directions * HIDDEN)
    assert state.shape == (configuration[0] * directions, len(sentences), HIDDEN)
    for row, words in enumerate(sentences):
        length = max(1, len(words))  # an empty sentence is read as one padding token
        alone, alone_state = encoder(torch.tensor([words or [pad_id]]))
        torch.testing.assert_close(outputs[row, :length], alone[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(state[:, row], alone_state[:, 0], atol=1e-5, rtol=0)
        assert not outputs[row, length:].any()


@pytest.mark.parametrize(("num_layers", "bidirectional"), CONFIGURATIONS)
def test_more_padding_gives_the_same_bits_and_no_sentence_is_too_long_or_too_short(num_layers, bidirectional):
    encoder = make_encoder(num_layers, bidirectional)
    ids, mask = pad([[1, 2, 3, 4], [5], [6, 7]])
    outputs, state = encoder(ids, mask)
    wide, wide_state = encoder(nn.functional.pad(ids, (0, 50)), nn.functional.pad(mask, (0, 50)))
    assert torch.equal(state, wide_state)
    assert torch.equal(outputs, wide[:, :4])
    long = torch.randint(1, VOCABULARY, (1_000,), generator=torch.Generator().manual_seed(0)).tolist()
    outputs, state = encoder(*pad([[], [7], long]))
    assert outputs.isfinite().all()
    for row, words in enumerate(([0], [7], long)):
        torch.testing.assert_close(state[:, row], encoder(torch.tensor([words]))[1][:, 0], atol=1e-5, rtol=0)
    assert encoder(*pad([[], []]))[0].isfinite().all()


def test_gradients_reach_real_words_and_not_padding():
    encoder = make_encoder(2, True).requires_grad_(True)
    ids, mask = pad([[1, 2, 3], [4]])
    outputs, state = encoder(ids, mask)
    (outputs.sum() + state.sum()).backward()
    touched = encoder.embedding.weight.grad.abs().sum(1) > 0
    assert touched.nonzero().flatten().tolist() == [1, 2, 3, 4]


# --- from encoder to decoder


def test_a_decoder_alone_starts_from_zeros():
    decoder, ids = gru_decoder(2), torch.tensor([[1, 2, 3, 4]])
    assert torch.equal(decoder(ids)[0], decoder(ids, torch.zeros(2, 1, GRU_SIZE))[0])


def test_the_bridge_joins_the_two_directions_of_each_layer():
    model = TRANSLATORS["GRU both ways, one vector"]
    _, final = model.encoder(SOURCE, SOURCE_MASK)  # (2 layers × 2 directions, batch, 4)
    state = model.encode(SOURCE, SOURCE_MASK)
    for layer in range(2):
        joined = torch.cat([final[2 * layer], final[2 * layer + 1]], dim=-1)
        torch.testing.assert_close(state[layer], torch.tanh(model.bridge.map(joined)), atol=1e-6, rtol=0)
    one_way = TRANSLATORS["GRU, one vector"]
    assert torch.equal(one_way.encode(SOURCE, SOURCE_MASK), one_way.encoder(SOURCE, SOURCE_MASK)[1])


def test_the_encoders_vectors_may_have_another_size_than_the_decoders():
    encoder = EncoderRNN(23, 5, bidirectional=True)
    for name in ("additive", "general"):
        decoder = AttentionDecoderRNN(8, 23, key_size=10, score=SCORES[name])
        assert AttentionEncoderDecoder(encoder, decoder)(SOURCE, SOURCE_MASK, TARGET).shape == (4, 6, 23)


def test_only_attention_reaches_past_the_first_state():
    short = SOURCE_MASK & (torch.arange(7) < 1)
    model = TRANSLATORS["GRU, additive"]
    state = model.encode(SOURCE, SOURCE_MASK)
    other = model.encode(SOURCE, short)._replace(hidden=state.hidden)
    assert not torch.allclose(model.decoder(TARGET, other)[0], model.decoder(TARGET, state)[0], atol=1e-4)
    assert TRANSLATORS["GRU, one vector"].encode(SOURCE, SOURCE_MASK).shape == (1, 4, GRU_SIZE)


# --- teacher forcing


@pytest.mark.parametrize("name", GRUS)
def test_ratio_0_reads_its_own_words_as_greedy_search_does(name):
    model = GRUS[name]
    written = generate(model.decoder, TARGET[:, :1], model.encode(SOURCE, SOURCE_MASK), max_new_tokens=6).ids[:, 1:]
    logits = model(SOURCE, SOURCE_MASK, TARGET, teacher_forcing_ratio=0.0)
    assert torch.equal(logits.argmax(dim=-1), written)
    assert not torch.equal(written[:, :-1], TARGET[:, 1:])
    other = TARGET.clone()
    other[:, 1:] = 4  # whatever the true words are
    assert torch.equal(model(SOURCE, SOURCE_MASK, other, teacher_forcing_ratio=0.0), logits)


@pytest.mark.parametrize("name", ["GRU, one vector", "GRU, additive"])
def test_between_0_and_1_each_sentence_draws_for_itself_and_the_seed_decides(name):
    model, rows = GRUS[name], 200
    source = torch.full((rows, 3), 5)
    own = model(source[:1], None, torch.tensor([[Tokenizer.start_id]])).argmax().item()
    # The true second word is not the model's own, so which of them was read shows in the second row of logits.
    target = torch.tensor([[Tokenizer.start_id, 5 if own == 4 else 4, 4]]).repeat(rows, 1)
    forced = model(source, None, target, 1.0)[0, 1]
    free = model(source, None, target, 0.0)[0, 1]
    assert (forced - free).abs().max() > 1e-2
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        logits = model(source, None, target, 0.25)[:, 1]
        read_truth, read_own = (torch.isclose(logits, one, atol=1e-4).all(dim=-1) for one in (forced, free))
        assert (read_truth ^ read_own).all()
        drawn.append(read_truth)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert 0.15 < drawn[0].float().mean() < 0.35
