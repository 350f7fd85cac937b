"""The training loop: what it does to the weights, what it reports, and how it fails."""

import math

import pytest
import torch
from torch import nn

from utils.errors import CourseError
from utils.training import TrainingConfig, fit, warmup_cosine

CPU = torch.device("cpu")


def regression(seed: int = 0) -> tuple[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]]:
    """A linear model and eight batches of a task it can solve exactly."""
    torch.manual_seed(seed)
    inputs = torch.randn(8, 16, 4)
    targets = inputs @ torch.tensor([1.0, -2.0, 0.5, 3.0])
    return nn.Linear(4, 1), list(zip(inputs, targets, strict=True))


def squared_error(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    inputs, targets = batch
    return (model(inputs).squeeze(-1) - targets).pow(2).mean()


def test_training_solves_a_solvable_task_and_says_what_happened():
    model, data = regression()
    history = fit(model, lambda epoch: data, squared_error, TrainingConfig(epochs=60, learning_rate=0.1), device=CPU)
    assert history.losses[-1] < 0.01 * history.losses[0]
    assert len(history.losses) == len(history.learning_rates) == 60 * len(data)
    assert len(history.epoch_losses) == 60
    assert history.epoch_losses[0] == pytest.approx(sum(history.losses[: len(data)]) / len(data))
    assert history.seconds > 0
    assert history.best_epoch is None
    assert not model.training


def test_the_same_seed_gives_the_same_numbers():
    def run():
        model, data = regression()
        dropped = nn.Sequential(nn.Dropout(0.5), model)
        return fit(dropped, lambda epoch: data, squared_error, TrainingConfig(epochs=2, seed=3), device=CPU).losses

    assert run() == run()


def test_the_best_epoch_is_the_one_kept():
    model, data = regression()
    seen = []

    def validate(model: nn.Module) -> float:
        seen.append(model.weight.detach().clone())
        return [3.0, 1.0, 2.0][len(seen) - 1]

    history = fit(model, lambda epoch: data, squared_error, TrainingConfig(epochs=3), validate=validate, device=CPU)
    assert history.best_epoch == 2
    assert torch.equal(model.weight, seen[1])
    assert not torch.equal(model.weight, seen[2])


def test_the_learning_rate_warms_up_and_falls_to_zero():
    factors = [warmup_cosine(step, 100, 0.1) for step in range(100)]
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert max(factors) == pytest.approx(1.0)
    assert factors[-1] < 0.001
    assert warmup_cosine(0, 1, 0.0) == 1.0


def test_gradients_are_clipped():
    model = nn.Linear(1, 1, bias=False)
    before = model.weight.detach().clone()
    steps = []

    def steep(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        steps.append(model.weight.grad.norm().item() if model.weight.grad is not None else None)
        return 1e6 * model.weight.sum()

    config = TrainingConfig(learning_rate=1e-3, clip_norm=0.5, weight_decay=0.0)
    fit(model, lambda epoch: [torch.zeros(1)] * 3, steep, config, device=CPU)
    assert steps[1] == pytest.approx(0.5, rel=1e-4)
    assert not torch.equal(model.weight, before)


NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("MPS backend out of memory (…)"),
    RuntimeError("DefaultCPUAllocator: not enough memory"),
    RuntimeError("[enforce fail] can't allocate memory"),
]


@pytest.mark.parametrize("where", ["loss", "validation"])
@pytest.mark.parametrize("error", [*NO_MEMORY, RuntimeError("shapes do not match")], ids=str)
def test_out_of_memory_is_one_sentence_that_says_what_to_do_and_nothing_else_is_disguised(error, where):
    model, data = regression()

    def fails(*_) -> torch.Tensor:
        raise error

    kind, words = CourseError, r"ran out of memory .* make the batches smaller"
    if error not in NO_MEMORY:
        kind, words = RuntimeError, "^shapes do not match$"
    loss, validate = (fails, None) if where == "loss" else (squared_error, fails)
    with pytest.raises(kind, match=words):
        fit(model, lambda epoch: data, loss, TrainingConfig(), validate=validate, device=CPU)
    assert not model.training


def test_batches_are_made_epoch_by_epoch():
    model, data = regression()
    asked = []

    def batches(epoch: int):
        asked.append((epoch, model.weight.detach().clone()))
        return data

    fit(model, batches, squared_error, TrainingConfig(epochs=3), device=CPU)
    assert [epoch for epoch, _ in asked] == [0, 1, 2]
    assert not torch.equal(asked[0][1], asked[1][1])


def test_a_loss_that_is_no_number_stops_before_it_ruins_the_weights():
    model, data = regression()
    before = model.weight.detach().clone()
    with pytest.raises(CourseError, match="loss became nan; a smaller learning rate"):
        fit(model, lambda epoch: data, lambda m, b: m.weight.sum() * math.nan, TrainingConfig(), device=CPU)
    assert torch.equal(model.weight, before)


@pytest.mark.gpu
def test_training_runs_in_bfloat16_on_cuda():
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    model, data = regression()
    types = []

    def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        inputs, targets = batch
        predicted = model(inputs).squeeze(-1)
        types.append(predicted.dtype)
        return (predicted.float() - targets).pow(2).mean()

    history = fit(model, lambda epoch: data, loss, TrainingConfig(epochs=60, learning_rate=0.1))
    assert next(model.parameters()).is_cuda
    assert set(types) == {torch.bfloat16}
    assert history.losses[-1] < 0.05 * history.losses[0]
