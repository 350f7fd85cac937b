"""Every kind of model learns, in seconds, what it has to look for; the same on a graphics card, in bfloat16."""

import math

import pytest
import torch
from torch import Tensor, nn

from tests.support.tiny_transformers import VOCABULARY, config, padding, random_ids
from utils.decoding import generate
from utils.masked import MaskedLanguageModel, mask_tokens
from utils.recurrent import AttentionDecoderRNN, AttentionEncoderDecoder, DecoderRNN, EncoderDecoder, EncoderRNN
from utils.text import Tokenizer, pad
from utils.training import TrainingConfig, fit
from utils.transformer import Transformer, TransformerDecoder, TransformerEncoder

CHANCE = math.log(VOCABULARY)  # the loss of one who knows nothing: the tokens are drawn evenly
PAD, START, END = Tokenizer.pad_id, Tokenizer.start_id, Tokenizer.end_id
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and this machine has none")
on_every_device = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, needs_cuda])])
SETTINGS = config(dropout=0.0, hidden_size=32, num_layers=2, scale_embeddings=True)


@on_every_device
def test_a_masked_language_model_learns_to_fill_gaps(device):
    """Of padded texts that count upwards: what stood in a gap follows from either neighbour."""
    torch.manual_seed(0)
    model, draws = MaskedLanguageModel(SETTINGS), torch.Generator().manual_seed(0)
    real = padding([8, 6, 3, 8, 5, 8, 7, 8, 8, 4, 8, 8, 8, 2, 8, 8])
    texts = (torch.randint(0, VOCABULARY - 1, (60, 16, 1), generator=draws) + torch.arange(8)) % (VOCABULARY - 1)

    def batches(epoch):
        draws.manual_seed(epoch)
        hide = {"mask_id": VOCABULARY - 1, "vocabulary_size": VOCABULARY, "generator": draws}
        return [(real, mask_tokens(ids, real, **hide)) for ids in texts]

    def loss(model, batch):
        mask, (ids, chosen, answers) = batch
        return nn.functional.cross_entropy(model(ids, mask, chosen=chosen), answers)

    history = fit(model, batches, loss, TrainingConfig(epochs=6, learning_rate=1e-2), device=torch.device(device))
    assert history.epoch_losses[0] > 2, history.epoch_losses
    assert history.epoch_losses[-1] < 1.4, history.epoch_losses


@on_every_device
def test_a_decoder_learns_to_say_everything_twice(device):
    torch.manual_seed(0)
    texts = [random_ids(8, 6, seed=number) for number in range(30)]

    def loss(model, batch):
        ids = torch.cat([batch, batch], dim=1)
        return nn.functional.cross_entropy(model(ids[:, :-1])[0][:, 6:].flatten(0, 1), ids[:, 7:].flatten())

    model, settings = TransformerDecoder(SETTINGS), TrainingConfig(epochs=7, learning_rate=1e-2)
    history = fit(model, lambda epoch: texts, loss, settings, device=torch.device(device))
    assert sum(history.losses[:5]) / 5 > CHANCE - 0.2
    assert sum(history.losses[-5:]) / 5 < 0.8 * CHANCE


def one_vector() -> EncoderDecoder:
    return EncoderDecoder(EncoderRNN(VOCABULARY, 24, bidirectional=True), DecoderRNN(48, VOCABULARY))


def with_attention() -> EncoderDecoder:
    encoder = EncoderRNN(VOCABULARY, 24, bidirectional=True)
    return AttentionEncoderDecoder(encoder, AttentionDecoderRNN(48, VOCABULARY))


def transformer() -> Transformer:
    return Transformer(TransformerEncoder(SETTINGS), TransformerDecoder(SETTINGS, cross_attention=True))


def learn_to_turn_around(make, device: str) -> float:
    """Train on writing random sources backwards; return the share of others written without a mistake."""
    draws = torch.Generator().manual_seed(0)

    def turned() -> tuple[Tensor, Tensor, Tensor]:
        lengths = torch.randint(2, 6, (64,), generator=draws).tolist()
        words = [torch.randint(4, 11, (length,), generator=draws).tolist() for length in lengths]
        source, mask = pad([[*row, END] for row in words])
        return source, mask, pad([[START, *row[::-1], END] for row in words])[0]

    def loss(model: nn.Module, triple: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        source, mask, target = triple
        logits = model(source, mask, target[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD)

    torch.manual_seed(0)
    model, batches = make(), [turned() for _ in range(140)]
    fit(model, lambda epoch: batches, loss, TrainingConfig(learning_rate=1e-2), device=torch.device(device))
    assert all(each.isfinite().all() for each in model.parameters())
    source, mask, target = (tensor.to(device) for tensor in turned())
    state = model.encode(source, mask)
    made = generate(model.decoder, target[:, :1], state, max_new_tokens=target.size(1) - 1, end_id=END).ids
    return ((made == target) | (target == PAD)).all(dim=1).float().mean().item()


@pytest.mark.slow
@on_every_device
def test_attention_learns_to_turn_sentences_around_and_beats_one_vector(device):
    shares = {make.__name__: learn_to_turn_around(make, device) for make in (one_vector, with_attention, transformer)}
    assert shares["with_attention"] > 0.9, shares
    assert shares["transformer"] > 0.5, shares  # chance writes no sentence without a mistake
    assert 0.5 < shares["one_vector"] < shares["with_attention"], shares
