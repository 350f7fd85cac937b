"""GRU encoder and decoder: the equations, what padding may not do, and reading word by word."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from utils.recurrent import DecoderRNN, EncoderRNN
from utils.text import pad
from utils.training import TrainingConfig, fit

VOCABULARY, HIDDEN = 11, 6
CONFIGURATIONS = [(layers, bidirectional) for layers in (1, 2, 3) for bidirectional in (False, True)]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and this machine has none")


def make_encoder(num_layers: int = 1, bidirectional: bool = False) -> EncoderRNN:
    torch.manual_seed(0)
    return EncoderRNN(VOCABULARY, HIDDEN, num_layers, bidirectional).requires_grad_(False)


def make_decoder(num_layers: int = 1) -> DecoderRNN:
    torch.manual_seed(0)
    return DecoderRNN(HIDDEN, VOCABULARY, num_layers, dropout=0.5).requires_grad_(False).eval()


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


@pytest.mark.parametrize(("num_layers", "bidirectional"), CONFIGURATIONS)
def test_without_padding_the_mask_changes_nothing(num_layers, bidirectional):
    encoder = make_encoder(num_layers, bidirectional)
    ids = torch.randint(1, VOCABULARY, (4, 7))
    for with_mask, without in zip(encoder(ids, torch.ones_like(ids, dtype=torch.bool)), encoder(ids), strict=True):
        torch.testing.assert_close(with_mask, without, atol=1e-6, rtol=0)


sentence = st.lists(st.integers(1, VOCABULARY - 1), max_size=12)


@settings(deadline=None, max_examples=60)
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
def test_more_padding_gives_the_same_bits(num_layers, bidirectional):
    encoder = make_encoder(num_layers, bidirectional)
    ids, mask = pad([[1, 2, 3, 4], [5], [6, 7]])
    outputs, state = encoder(ids, mask)
    wide, wide_state = encoder(nn.functional.pad(ids, (0, 50)), nn.functional.pad(mask, (0, 50)))
    assert torch.equal(state, wide_state)
    assert torch.equal(outputs, wide[:, :4])


def test_without_a_mask_padding_does_change_the_state():
    encoder = make_encoder()
    _, alone = encoder(torch.tensor([[1, 2, 3]]))
    _, padded = encoder(torch.tensor([[1, 2, 3, 0, 0, 0]]))
    assert (alone - padded).abs().max() > 0.01


@pytest.mark.parametrize(("num_layers", "bidirectional"), CONFIGURATIONS)
def test_empty_one_token_and_very_long_sentences(num_layers, bidirectional):
    encoder = make_encoder(num_layers, bidirectional)
    long = torch.randint(1, VOCABULARY, (3_000,), generator=torch.Generator().manual_seed(0)).tolist()
    ids, mask = pad([[], [7], long])
    outputs, state = encoder(ids, mask)
    assert outputs.isfinite().all()
    assert state.isfinite().all()
    for row, words in enumerate(([0], [7], long)):
        _, alone = encoder(torch.tensor([words]))
        torch.testing.assert_close(state[:, row], alone[:, 0], atol=1e-5, rtol=0)
    only_empty, _ = encoder(*pad([[], []]))
    assert only_empty.isfinite().all()


def test_gradients_reach_real_words_and_not_padding():
    encoder = make_encoder(2, True).requires_grad_(True)
    ids, mask = pad([[1, 2, 3], [4]])
    outputs, state = encoder(ids, mask)
    (outputs.sum() + state.sum()).backward()
    touched = encoder.embedding.weight.grad.abs().sum(1) > 0
    assert touched.nonzero().flatten().tolist() == [1, 2, 3, 4]


@settings(deadline=None, max_examples=30)
@given(
    num_layers=st.integers(1, 3),
    ids=st.lists(st.lists(st.integers(0, VOCABULARY - 1), min_size=9, max_size=9), min_size=1, max_size=4),
    cut=st.integers(1, 8),
)
def test_decoding_step_by_step_equals_one_call(num_layers, ids, cut):
    decoder = make_decoder(num_layers)
    ids = torch.tensor(ids)
    first = torch.randn(num_layers, len(ids), HIDDEN, generator=torch.Generator().manual_seed(1))
    logits, last = decoder(ids, first)
    assert logits.shape == (*ids.shape, VOCABULARY)

    state, steps = first, []
    for step in range(ids.size(1)):
        one, state = decoder(ids[:, step : step + 1], state)
        steps.append(one)
    torch.testing.assert_close(torch.cat(steps, dim=1), logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(state, last, atol=1e-5, rtol=0)

    head, middle = decoder(ids[:, :cut], first)
    tail, end = decoder(ids[:, cut:], middle)
    torch.testing.assert_close(torch.cat([head, tail], dim=1), logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(end, last, atol=1e-5, rtol=0)


def test_the_decoder_starts_from_zeros_and_sees_no_later_token():
    decoder = make_decoder(2)
    ids = torch.tensor([[1, 2, 3, 4]])
    logits, _ = decoder(ids)
    from_zeros, _ = decoder(ids, torch.zeros(2, 1, HIDDEN))
    assert torch.equal(logits, from_zeros)
    changed, _ = decoder(torch.tensor([[1, 2, 3, 9]]))
    assert torch.equal(changed[:, :3], logits[:, :3])
    assert not torch.equal(changed[:, 3], logits[:, 3])


def test_select_state_keeps_repeats_and_reorders_rows():
    decoder = make_decoder(2)
    ids = torch.tensor([[1, 2], [3, 4], [5, 6]])
    _, state = decoder(ids)
    rows = torch.tensor([2, 0, 0, 1])
    selected = decoder.select_state(state, rows)
    assert selected.shape == (2, 4, HIDDEN)
    _, expected = decoder(ids[rows])
    torch.testing.assert_close(selected, expected, atol=1e-6, rtol=0)


def test_dropout_is_off_in_evaluation_and_on_in_training():
    decoder = make_decoder()
    ids = torch.tensor([[1, 2, 3]])
    assert torch.equal(decoder(ids)[0], decoder(ids)[0])
    decoder.train()
    assert not torch.equal(decoder(ids)[0], decoder(ids)[0])


class FirstToken(nn.Module):
    """Name a sentence's first token from the encoder's final state."""

    def __init__(self):
        super().__init__()
        self.encoder = EncoderRNN(VOCABULARY, 32)
        self.head = nn.Linear(32, VOCABULARY)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.encoder(ids, mask)[1][-1])


def learn_the_first_token(device: torch.device) -> float:
    """Train on random sentences of 1 to 6 tokens and return the accuracy on others."""
    generator = torch.Generator().manual_seed(0)

    def batch() -> tuple[Tensor, Tensor]:
        ids = torch.randint(1, VOCABULARY, (64, 6), generator=generator)
        mask = torch.arange(6) < torch.randint(1, 7, (64, 1), generator=generator)
        return ids * mask, mask

    def loss(model: nn.Module, pair: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.cross_entropy(model(*pair), pair[0][:, 0])

    torch.manual_seed(0)
    model = FirstToken()
    batches = [batch() for _ in range(200)]
    fit(model, lambda epoch: batches, loss, TrainingConfig(learning_rate=1e-2), device=device)
    ids, mask = batch()
    with torch.no_grad():
        guesses = model(ids.to(device), mask.to(device)).argmax(-1).cpu()
    return (guesses == ids[:, 0]).float().mean().item()


@pytest.mark.slow
def test_an_encoder_learns_to_remember_past_padding():
    assert learn_the_first_token(torch.device("cpu")) > 0.9


@pytest.mark.gpu
@needs_cuda
def test_an_encoder_trains_on_cuda():
    assert learn_the_first_token(torch.device("cuda")) > 0.9


@pytest.mark.gpu
@needs_cuda
def test_cuda_and_cpu_agree_on_a_padded_batch():
    encoder = make_encoder(2, True)
    ids, mask = pad([[1, 2, 3, 4], [], [5]])
    expected = encoder(ids, mask)
    found = encoder.cuda()(ids.cuda(), mask.cuda())
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.cpu(), other, atol=1e-4, rtol=0)
