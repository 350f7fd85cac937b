"""One training loop for every model of the course."""

import copy
import math
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from utils.device import autocast, evaluating, pick_device, seed_everything
from utils.errors import CourseError
from utils.nested import to_device

Loss = Callable[[nn.Module, object], Tensor]


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast to train. ``warmup`` is the share of the steps over which the learning rate rises."""

    epochs: int = 1
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip_norm: float = 1.0
    seed: int = 0

    def __post_init__(self):
        if self.epochs < 1 or not self.learning_rate > 0 or not 0 <= self.warmup < 1 or not self.clip_norm > 0:
            raise ValueError(
                "a training run needs epochs ≥ 1, learning_rate > 0, 0 ≤ warmup < 1 and clip_norm > 0; "
                f"got epochs={self.epochs}, learning_rate={self.learning_rate}, warmup={self.warmup}, "
                f"clip_norm={self.clip_norm}."
            )


@dataclass
class History:
    """What happened: loss and learning rate of each step, mean and validation loss of each epoch, seconds in all."""

    losses: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    epoch_losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def best_epoch(self) -> int | None:
        """The epoch, counted from 1, with the lowest validation loss; None if there was no validation."""
        return 1 + self.validation.index(min(self.validation)) if self.validation else None


def fit(
    model: nn.Module,
    batches: Callable[[int], Iterable],
    loss: Loss,
    config: TrainingConfig,
    *,
    validate: Callable[[nn.Module], float] | None = None,
    device: torch.device | None = None,
) -> History:
    """Train ``model`` in place and return its history.

    ``batches(epoch)`` gives the batches of that epoch, as many in each (tuples, lists or dicts of tensors, which are
    moved to the device); ``loss(model, batch)`` gives a scalar to minimise. The optimiser is AdamW (Loshchilov &
    Hutter 2019) with warm-up and cosine decay, gradients clipped to ``clip_norm``, and on CUDA
    ``utils.device.autocast``. With ``validate(model)``, a loss measured after each epoch, the weights of the best
    epoch are the ones kept. Raises ``CourseError`` when memory runs out or the loss stops being a number.
    """
    device = device or pick_device(model)
    seed_everything(config.seed)
    history, best = History(), None
    started = time.perf_counter()
    first = list(batches(0))
    steps = config.epochs * len(first)
    if steps == 0:
        raise ValueError("batches(epoch) gave no batch at all: there is nothing to train on.")
    try:
        with _explaining_memory(device), tqdm(total=steps, desc="training", unit="step", leave=False) as bar:
            model.to(device).train()
            settings = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
            optimizer = torch.optim.AdamW(model.parameters(), **settings, fused=True)  # fused: one pass over a weight
            schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: warmup_cosine(s, steps, config.warmup))
            for epoch in range(config.epochs):
                before = len(history.losses)
                for batch in batches(epoch) if epoch else first:
                    history.learning_rates.append(schedule.get_last_lr()[0])
                    value = _step(model, to_device(batch, device), loss, optimizer, config.clip_norm, device)
                    schedule.step()
                    history.losses.append(value)
                    bar.update()
                    bar.set_postfix(loss=f"{value:.3f}", refresh=False)
                history.epoch_losses.append(statistics.fmean(history.losses[before:]))
                if validate is not None:
                    with evaluating(model), torch.no_grad():
                        history.validation.append(float(validate(model)))
                    if history.best_epoch == len(history.validation):
                        best = copy.deepcopy(model.state_dict())
        if best is not None:
            model.load_state_dict(best)
    finally:
        model.eval()
    history.seconds = time.perf_counter() - started
    return history


def warmup_cosine(step: int, steps: int, warmup: float) -> float:
    """Return the factor on the learning rate at ``step``: it rises over the share ``warmup``, then falls to zero."""
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1.0, steps - rising))))


def _step(
    model: nn.Module,
    batch: object,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    clip_norm: float,
    device: torch.device,
) -> float:
    """Take one optimisation step and return the loss before it."""
    with autocast(device, model):
        loss_tensor = loss(model, batch)
    value = loss_tensor.item()
    if not math.isfinite(value):
        raise CourseError(f"The loss became {value}; a smaller learning rate usually mends that.")
    optimizer.zero_grad()
    loss_tensor.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    return value


@contextmanager
def _explaining_memory(device: torch.device) -> Iterator[None]:
    """Turn a lack of memory, which each kind of device words in its own way, into one sentence."""
    try:
        yield
    except RuntimeError as error:
        if not re.search("out of memory|not enough memory|can't allocate memory", str(error), re.IGNORECASE):
            raise
        raise CourseError(
            f"The {device.type.upper()} ran out of memory in training; make the batches smaller (half the size is a "
            "good try), or restart the kernel to free what earlier cells hold."
        ) from error
