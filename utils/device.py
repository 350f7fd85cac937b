"""Where the course computes, how large it computes, and from which random numbers."""

import os
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

Size = TypeVar("Size")
PROFILES = ("standard", "full")


def pick_device(model: nn.Module | None = None) -> torch.device:
    """Return CUDA if there is one, else Apple's MPS, else the CPU; ``COURSE_DEVICE`` (say ``cpu``) overrides.

    A recurrent ``model`` is kept from MPS, where PyTorch's recurrent layers are slower than on the CPU and not yet
    reliable. Raises ``ValueError`` if ``COURSE_DEVICE`` names a device that this machine does not have.
    """
    wanted = os.environ.get("COURSE_DEVICE")
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if not wanted:
        available["mps"] = available["mps"] and not is_recurrent(model)
        return torch.device(next(name for name, there in available.items() if there))
    if not available.get(wanted.split(":")[0], False):
        raise ValueError(
            f"COURSE_DEVICE is {wanted!r}, which this machine does not have; "
            f"it has {', '.join(name for name, there in available.items() if there)}."
        )
    return torch.device(wanted)


def is_recurrent(model: nn.Module | None) -> bool:
    """Say whether there is a recurrent layer in ``model``."""
    return model is not None and any(isinstance(module, nn.RNNBase) for module in model.modules())


def device_name(device: torch.device) -> str:
    """Return a short name a reader recognises, such as ``NVIDIA A100`` or ``CPU, 2 threads``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple GPU (MPS)" if device.type == "mps" else f"CPU, {torch.get_num_threads()} threads"


def autocast(device: torch.device, model: nn.Module) -> AbstractContextManager:
    """Return bfloat16 autocast on CUDA, where it pays, and a context that changes nothing elsewhere.

    Recurrent models keep float32: under any autocast cuDNN's recurrent layers compute in float16 (PyTorch's
    ``AutocastRNN.cpp``), whose small range loses gradients.
    """
    if device.type == "cuda" and not is_recurrent(model):
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Put a module in evaluation mode (dropout off) for the block, and back as it was afterwards."""
    was_training = getattr(model, "training", False)
    if was_training:
        model.eval()
    try:
        yield
    finally:
        if was_training:
            model.train()


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and every PyTorch device, so that the same machine gives the same numbers again."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def profile() -> str:
    """Return ``standard`` (sized for two CPU cores) or ``full`` (on CUDA, or with ``COURSE_PROFILE=full``).

    Raises ``ValueError`` if ``COURSE_PROFILE`` holds any other word.
    """
    wanted = os.environ.get("COURSE_PROFILE")
    if not wanted:
        return "full" if pick_device().type == "cuda" else "standard"
    if wanted not in PROFILES:
        raise ValueError(f"COURSE_PROFILE is {wanted!r}; set it to 'standard' or 'full', or leave it unset.")
    return wanted


def by_profile(standard: Size, full: Size) -> Size:
    """Return the size that fits the profile. Only sizes may depend on it, never the code path."""
    return full if profile() == "full" else standard
