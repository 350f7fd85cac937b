"""Encoder–decoders without and with attention: padding, teacher forcing, decoding, and what they refuse."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from utils.attention import SCORES
from utils.decoding import generate
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, DecoderRNN, EncoderDecoder, EncoderRNN
from utils.text import Tokenizer, pad
from utils.training import TrainingConfig, fit

SOURCES, TARGETS, HIDDEN = 11, 13, 8
START, END = Tokenizer.start_id, Tokenizer.end_id
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and this machine has none")
# kind, layers, does the encoder read both ways?
MODELS = [(kind, layers, both) for kind in ("plain", *SCORES) for layers, both in ((1, False), (2, True))]


def build(
    kind: str, layers: int = 1, both: bool = False, *, hidden: int = HIDDEN, dropout: float = 0.0
) -> EncoderDecoder:
    """Make a model with weights large enough that what it reads matters; ``kind`` is "plain" or a score's name."""
    torch.manual_seed(0)
    encoder = EncoderRNN(SOURCES, hidden // 2 if both else hidden, layers, both)  # its outputs have ``hidden`` numbers
    if kind == "plain":
        model = EncoderDecoder(encoder, DecoderRNN(hidden, TARGETS, layers, dropout))
    else:
        decoder = AttentionDecoderRNN(hidden, TARGETS, layers, dropout, score=SCORES[kind])
        model = AttentionEncoderDecoder(encoder, decoder)
    return model.eval()


def sharpened(model: EncoderDecoder) -> EncoderDecoder:
    """Scale every weight up, so that a token read or not read shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model


def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Return three sources of unequal length with their mask, and targets that begin with the start token."""
    source, mask = pad([[4, 5, 6, 7, 8], [9], [10, 4, 5]])
    target = torch.randint(4, TARGETS, (3, 6), generator=torch.Generator().manual_seed(0))
    target[:, 0] = START
    return source, mask, target


def per_token(model: EncoderDecoder, source: Tensor, mask: Tensor, target: Tensor) -> Tensor:
    """Teacher-force as the slide does: one token a call."""
    state, steps = model.encode(source, mask), []
    for step in range(target.size(1)):
        logits, state = model.decoder(target[:, step : step + 1], state)
        steps.append(logits[:, 0])
    return torch.stack(steps, dim=1)


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), target[:, 1:].flatten())


@pytest.mark.parametrize("configuration", MODELS)
def test_shapes(configuration):
    model, (source, mask, target) = build(*configuration), batch()
    for ratio in (0.0, 0.5, 1.0):
        assert model(source, mask, target, ratio).shape == (3, 6, TARGETS)
    if configuration[0] != "plain":
        logits, state, weights = model.decoder(target, model.encode(source, mask), return_attention=True)
        assert (logits.shape, weights.shape) == ((3, 6, TARGETS), (3, 6, 5))
        assert state.hidden.shape == (configuration[1], 3, HIDDEN)
        assert len(model.decoder(target, state)) == 2


@pytest.mark.parametrize("configuration", MODELS)
def test_all_steps_in_one_call_equal_a_loop_over_tokens(configuration):
    model, (source, mask, target) = build(*configuration), batch()
    found = {}
    for name, logits in {
        "one call": model(source, mask, target),
        "loop": per_token(model, source, mask, target),
    }.items():
        loss = loss_of(logits, target)
        found[name] = (loss, *torch.autograd.grad(loss, list(model.parameters())))
    for once, looped in zip(found["one call"], found["loop"], strict=True):
        torch.testing.assert_close(once, looped, atol=1e-5, rtol=0)
    assert all(gradient.any() for gradient in found["one call"])  # every parameter takes part


@settings(deadline=None, max_examples=80)
@given(
    configuration=st.sampled_from(MODELS),
    sentences=st.lists(st.lists(st.integers(4, SOURCES - 1), max_size=8), min_size=1, max_size=4),
    padding=st.integers(0, 20),
    pad_id=st.integers(0, SOURCES - 1),
)
def test_padding_and_company_change_nothing(configuration, sentences, padding, pad_id):
    model = sharpened(build(*configuration))
    source, mask = pad(sentences, pad_id=pad_id)
    source = nn.functional.pad(source, (0, padding), value=pad_id)
    mask = nn.functional.pad(mask, (0, padding), value=False)
    target = torch.randint(4, TARGETS, (len(sentences), 5), generator=torch.Generator().manual_seed(0))
    for ratio in (1.0, 0.0):
        together = model(source, mask, target, ratio)
        assert together.isfinite().all()
        for row, words in enumerate(sentences):
            alone = torch.tensor([words or [pad_id]])  # an empty sentence is read as one padding token
            real = torch.full_like(alone, bool(words), dtype=torch.bool)
            expected = model(alone, real, target[row : row + 1], ratio)
            torch.testing.assert_close(together[row], expected[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["plain", "additive"])
def test_without_the_mask_padding_does_change_the_result(kind):
    model, (source, mask, target) = sharpened(build(kind)), batch()
    changed = (model(source, mask, target) - model(source, None, target)).abs().amax(dim=(1, 2))
    assert changed[0] < 1e-5  # the longest sentence has no padding
    assert (changed[1:] > 1e-2).all()


@pytest.mark.parametrize("score", SCORES)
def test_weights_are_0_on_padding_and_sum_to_1_over_real_tokens(score):
    model, (source, mask, target) = build(score, 2, True), batch()
    _, _, weights = model.decoder(target, model.encode(source, mask), return_attention=True)
    assert not weights.masked_select(~mask[:, None]).any()
    assert (weights.masked_select(mask[:, None]) > 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 6), atol=1e-6, rtol=0)


@pytest.mark.parametrize("configuration", MODELS)
def test_ratio_0_reads_its_own_words_as_greedy_search_does(configuration):
    model, (source, mask, target) = sharpened(build(*configuration)), batch()
    written = generate(model.decoder, target[:, :1], model.encode(source, mask), max_new_tokens=6).ids[:, 1:]
    logits = model(source, mask, target, teacher_forcing_ratio=0.0)
    assert torch.equal(logits.argmax(dim=-1), written)
    assert not torch.equal(written[:, :-1], target[:, 1:])
    other = target.clone()
    other[:, 1:] = 4  # whatever the true words are
    assert torch.equal(model(source, mask, other, teacher_forcing_ratio=0.0), logits)


@pytest.mark.parametrize("kind", ["plain", "additive"])
def test_between_0_and_1_each_sentence_draws_for_itself_and_the_seed_decides(kind):
    model = sharpened(build(kind))
    rows = 200
    source = torch.full((rows, 3), 5)
    own = model(source[:1], None, torch.tensor([[START]])).argmax().item()
    # The true second word is not the model's own, so which of them was read shows in the second row of logits.
    target = torch.tensor([[START, 5 if own == 4 else 4, 4]]).repeat(rows, 1)
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


@pytest.mark.parametrize("configuration", MODELS)
def test_select_state_keeps_repeats_and_reorders_rows(configuration):
    model, (source, mask, target) = build(*configuration), batch()
    rows = torch.tensor([2, 0, 0, 1])
    for given_mask in (mask, None):
        _, state = model.decoder(target[:, :3], model.encode(source, given_mask))
        found, _ = model.decoder(target[rows, 3:], model.decoder.select_state(state, rows))
        chosen_mask = None if given_mask is None else given_mask[rows]
        expected = model(source[rows], chosen_mask, target[rows])[:, 3:]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_generation_ends_each_sentence_by_itself():
    model, (source, mask, target) = sharpened(build("additive")), batch()
    made = generate(model.decoder, target[:, :1], model.encode(source, mask), max_new_tokens=30, end_id=END)
    for row in range(3):
        only = slice(row, row + 1)
        length = int(mask[row].sum())
        state = model.encode(source[only, :length], mask[only, :length])
        alone = generate(model.decoder, target[only, :1], state, max_new_tokens=30, end_id=END).ids[0]
        assert torch.equal(made.ids[row, : len(alone)], alone)
        assert (made.ids[row, len(alone) :] == END).all()


@pytest.mark.parametrize(("kind", "looks_back"), [("plain", False), ("additive", True)])
def test_only_attention_reaches_past_the_first_state(kind, looks_back):
    model, (source, mask, target) = build(kind), batch()
    state = model.encode(source, mask)
    other = model.encode(source + 0, mask & (torch.arange(5) < 1))
    if looks_back:
        other = other._replace(hidden=state.hidden)
        assert not torch.allclose(model.decoder(target, other)[0], model.decoder(target, state)[0], atol=1e-4)
    else:
        assert state.shape == (1, 3, HIDDEN)


def test_the_bridge_joins_the_two_directions_of_each_layer():
    model, (source, mask, _) = build("plain", 2, True), batch()
    _, final = model.encoder(source, mask)  # (2 layers × 2 directions, batch, 4)
    first = model.encode(source, mask)
    for layer in range(2):
        joined = torch.cat([final[2 * layer], final[2 * layer + 1]], dim=-1)
        torch.testing.assert_close(first[layer], torch.tanh(model.bridge.map(joined)), atol=1e-6, rtol=0)
    one_way = build("plain", 2, False)
    assert torch.equal(one_way.encode(source, mask), one_way.encoder(source, mask)[1])


def test_the_encoders_vectors_may_have_another_size_than_the_decoders():
    encoder = EncoderRNN(SOURCES, 5, bidirectional=True)
    for name in ("additive", "general"):
        decoder = AttentionDecoderRNN(HIDDEN, TARGETS, key_size=10, score=SCORES[name])
        assert AttentionEncoderDecoder(encoder, decoder)(*batch()).shape == (3, 6, TARGETS)
    with pytest.raises(ValueError, match="use GeneralScore or AdditiveScore"):
        AttentionDecoderRNN(HIDDEN, TARGETS, key_size=10, score=SCORES["dot"])


def test_dropout_is_off_in_evaluation_and_on_in_training():
    for kind in ("plain", "additive"):
        model = build(kind, dropout=0.5)
        assert torch.equal(model(*batch()), model(*batch()))
        model.train()
        assert not torch.equal(model(*batch()), model(*batch()))


def test_what_does_not_fit_is_explained():
    encoder, decoder = EncoderRNN(SOURCES, HIDDEN), DecoderRNN(HIDDEN, TARGETS)
    with pytest.raises(ValueError, match="encoder has 2 layers and the decoder 1"):
        EncoderDecoder(EncoderRNN(SOURCES, HIDDEN, 2), decoder)
    with pytest.raises(ValueError, match=r"state has 5 numbers and the decoder's 8; make .* bidirectional"):
        EncoderDecoder(EncoderRNN(SOURCES, 5), decoder)
    with pytest.raises(ValueError, match=r"outputs have 16 numbers .* of 8; build the decoder with key_size=16"):
        AttentionEncoderDecoder(EncoderRNN(SOURCES, HIDDEN, bidirectional=True), AttentionDecoderRNN(HIDDEN, TARGETS))
    model, (source, mask, target) = EncoderDecoder(encoder, decoder), batch()
    for ratio in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="share from 0 to 1"):
            model(source, mask, target, ratio)
    with pytest.raises(ValueError, match="looks back at a source: give it the state"):
        generate(AttentionDecoderRNN(HIDDEN, TARGETS), target[:, :1], max_new_tokens=2)
    for wrong in (target[:2], target[:, :0], target[0]):
        with pytest.raises(ValueError, match=r"target must be \(3, target\)"):
            model(source, mask, wrong)


def learn_to_turn_around(kind: str, device: torch.device) -> float:
    """Train on writing random sources backwards; return the share of others written without a mistake."""
    generator = torch.Generator().manual_seed(0)

    def turned() -> tuple[Tensor, Tensor, Tensor]:
        lengths = torch.randint(2, 7, (64,), generator=generator).tolist()
        words = [torch.randint(4, SOURCES, (length,), generator=generator).tolist() for length in lengths]
        source, mask = pad([[*row, END] for row in words])
        return source, mask, pad([[START, *row[::-1], END] for row in words])[0]

    def loss(model: EncoderDecoder, triple: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        source, mask, target = triple
        logits = model(source, mask, target[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=Tokenizer.pad_id)

    model = build(kind, 1, True, hidden=48)
    batches = [turned() for _ in range(300)]
    fit(model, lambda epoch: batches, loss, TrainingConfig(learning_rate=1e-2), device=device)
    source, mask, target = (tensor.to(device) for tensor in turned())
    state = model.encode(source, mask)
    made = generate(model.decoder, target[:, :1], state, max_new_tokens=target.size(1) - 1, end_id=END).ids
    return ((made == target) | (target == Tokenizer.pad_id)).all(dim=1).float().mean().item()


@pytest.mark.slow
def test_attention_learns_to_turn_sentences_around_and_beats_one_vector():
    device = torch.device("cpu")
    with_attention = learn_to_turn_around("additive", device)
    assert with_attention > 0.9
    assert with_attention > learn_to_turn_around("plain", device)


@pytest.mark.gpu
@needs_cuda
def test_a_model_with_attention_trains_on_cuda():
    assert learn_to_turn_around("additive", torch.device("cuda")) > 0.9


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("configuration", MODELS)
def test_cuda_and_cpu_agree(configuration):
    model, tensors = build(*configuration), batch()
    for ratio in (0.0, 0.5, 1.0):
        torch.manual_seed(0)
        expected = model.cpu()(*tensors, ratio)
        torch.manual_seed(0)
        found = model.cuda()(*(tensor.cuda() for tensor in tensors), ratio)
        torch.testing.assert_close(found.cpu(), expected, atol=1e-4, rtol=0)
