"""The Transformer in training: it learns, gradients reach everything, bfloat16 runs, a graphics card agrees."""

import math

import pytest
import torch
from torch import Tensor, nn

from tests.support.tiny_transformers import (
    VARIANTS,
    VOCABULARY,
    assert_near,
    config,
    decoder,
    encoder,
    masked_model,
    padding,
    random_ids,
    translator,
)
from utils.training import TrainingConfig, fit
from utils.transformer import Transformer, TransformerDecoder, TransformerEncoder

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and this machine has none")
IDS, MASK = random_ids(3, 7), padding([7, 4, 1])
CHANCE = math.log(VOCABULARY)  # the loss of one who knows nothing: the tokens are drawn evenly


def batches(seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    return [(random_ids(8, 6, seed=seed + number), padding([6, 3, 4, 1, 2, 6, 5, 5])) for number in range(30)]


def cross_entropy(logits: Tensor, answers: Tensor, mask: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits[mask], answers[mask])


def encoder_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Name each token's left neighbour, which takes looking and knowing the place."""
    ids, mask = batch
    return cross_entropy(model(ids, mask)[:, 1:], ids[:, :-1], mask[:, 1:])


def decoder_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Say everything twice."""
    ids = torch.cat([batch[0], batch[0]], dim=1)
    return cross_entropy(model(ids[:, :-1])[0][:, 6:], ids[:, 7:], torch.ones_like(ids[:, 7:], dtype=torch.bool))


def translator_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Copy the source."""
    ids, mask = batch
    target = nn.functional.pad(ids, (1, 0))
    return cross_entropy(model(ids, mask, target[:, :-1]), ids, mask)


class WithHead(nn.Module):
    """An encoder that names tokens."""

    def __init__(self, inner: TransformerEncoder):
        super().__init__()
        self.encoder, self.head = inner, nn.Linear(inner.config.hidden_size, VOCABULARY)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.encoder(ids, mask))


def trained(kind: str, device: torch.device) -> tuple[float, float]:
    """Train a fresh model and return its mean loss over the first steps and over the last."""
    torch.manual_seed(0)
    fresh = config(dropout=0.0, hidden_size=32, num_layers=2, scale_embeddings=True)
    if kind == "encoder":
        model, loss = WithHead(TransformerEncoder(fresh)), encoder_loss
    elif kind == "decoder":
        model, loss = TransformerDecoder(fresh), decoder_loss
    else:
        model = Transformer(TransformerEncoder(fresh), TransformerDecoder(fresh, cross_attention=True))
        loss = translator_loss
    history = fit(model, lambda epoch: batches(), loss, TrainingConfig(epochs=7, learning_rate=1e-2), device=device)
    assert all(each.isfinite().all() for each in model.parameters())
    return sum(history.losses[:5]) / 5, sum(history.losses[-5:]) / 5


@pytest.mark.parametrize("kind", ["encoder", "decoder", "translator"])
def test_it_learns_what_takes_attention(kind):
    first, last = trained(kind, torch.device("cpu"))
    assert first > CHANCE - 0.2
    assert last < 0.8 * CHANCE


@pytest.mark.parametrize("kind", ["encoder", "decoder", "translator", "masked"])
def test_gradients_reach_every_weight(kind):
    model = {"encoder": encoder, "decoder": decoder, "translator": translator, "masked": masked_model}[kind]("bert")
    ids = torch.arange(VOCABULARY).repeat(2, 1)
    arguments = {"ids": ids} if kind != "translator" else {"source": ids, "source_mask": None, "target": ids}
    if kind in ("encoder", "masked"):
        arguments["segments"] = ids % 2
    made = model(**arguments)
    made = made[0] if isinstance(made, tuple) else made
    made.pow(3).mean().backward()
    unreached = [name for name, each in model.named_parameters() if each.grad is None or not each.grad.abs().sum() > 0]
    assert unreached == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_runs_in_bfloat16_and_stays_near(variant):
    target = random_ids(3, 5, seed=1)
    for model, arguments in (
        (encoder(variant), (IDS, MASK)),
        (masked_model(variant), (IDS, MASK)),
        (translator(variant), (IDS, MASK, target)),
    ):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = model(*arguments)
        expected = model(*arguments)
        real = MASK if found.shape[:2] == MASK.shape else torch.ones(found.shape[:2], dtype=torch.bool)
        assert (found.float() - expected)[real].abs().mean() < 0.05 * expected[real].std()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model = decoder(variant)
        _, state = model(IDS, None, MASK)
        for return_attention in (False, True):
            logits, *_ = model(IDS[:, :2], state, None, return_attention)
            assert logits.isfinite().all()


# --- on a graphics card


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("kind", ["encoder", "decoder", "translator"])
def test_it_trains_on_cuda_in_bfloat16(kind):
    _, last = trained(kind, torch.device("cuda"))
    assert last < 0.8 * CHANCE


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("side", ["right", "left"])
def test_cuda_and_cpu_agree(variant, side):
    mask = padding([7, 4, 1], side)
    model, own = translator(variant), decoder(variant)
    expected = model(IDS, mask, IDS), own(IDS, None, mask)[0]
    model, own, ids, on_card = model.cuda(), own.cuda(), IDS.cuda(), mask.cuda()
    for return_attention in (False, True):
        found = model(ids, on_card, ids, return_attention), own(ids, None, on_card, return_attention)[0]
        found = (found[0][0] if return_attention else found[0], found[1])
        assert_near(found[0].cpu(), expected[0], atol=1e-4)
        assert_near(found[1].cpu(), expected[1], mask, atol=1e-4)
    one, state = own(ids[:, :4], None, on_card[:, :4])
    two, _ = own(ids[:, 4:], state, on_card[:, 4:])
    assert_near(torch.cat([one, two], dim=1).cpu(), expected[1], mask, atol=1e-4)
