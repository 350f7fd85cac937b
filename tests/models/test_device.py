from contextlib import nullcontext

import pytest
import torch
from torch import nn

from utils import device


def test_the_override_is_obeyed_and_checked(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert device.pick_device() == torch.device("cpu")
    monkeypatch.setenv("COURSE_DEVICE", "abacus")
    with pytest.raises(ValueError, match=r"does not have; it has .*cpu"):
        device.pick_device()


@pytest.mark.parametrize(
    ("cuda", "mps", "model", "asked", "expected"),
    [
        (True, True, None, "", "cuda"),
        (False, True, None, "", "mps"),
        (False, False, None, "", "cpu"),
        (False, True, nn.Linear(2, 2), "", "mps"),
        (False, True, nn.Sequential(nn.GRU(2, 2)), "", "cpu"),  # recurrent models are kept from MPS
        (False, True, nn.GRU(2, 2), "mps", "mps"),  # unless it is asked for
    ],
)
def test_the_best_device_is_picked(monkeypatch, cuda, mps, model, asked, expected):
    monkeypatch.setenv("COURSE_DEVICE", asked)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device.pick_device(model).type == expected


def test_profile_sets_sizes_from_two_words_and_else_from_the_device(monkeypatch):
    monkeypatch.delenv("COURSE_DEVICE", raising=False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for word, cuda, expected in (("full", False, 2), ("standard", True, 1), ("", False, 1), ("", True, 2)):
        monkeypatch.setenv("COURSE_PROFILE", word)
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        assert device.by_profile(standard=1, full=2) == expected, (word, cuda)
    monkeypatch.setenv("COURSE_PROFILE", "huge")
    with pytest.raises(ValueError, match="'standard' or 'full'"):
        device.profile()


def test_seeds_repeat():
    def draw():
        device.seed_everything(7)
        return torch.rand(3).tolist()

    assert draw() == draw()


def test_evaluating_restores_the_mode_even_after_an_error():
    model = nn.Dropout()

    def fail_inside() -> None:
        with device.evaluating(model):
            assert not model.training
            raise KeyError("on purpose")

    with pytest.raises(KeyError, match="on purpose"):
        fail_inside()
    assert model.training
    model.eval()
    with device.evaluating(model):
        pass
    assert not model.training


def test_autocast_changes_nothing_on_a_cpu():
    with device.autocast(torch.device("cpu"), nn.Linear(2, 2)):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_on_cuda_all_but_recurrent_models_get_bfloat16():
    cuda = torch.device("cuda")  # only named: no kernel runs
    plain, recurrent = nn.Linear(2, 2), nn.Sequential(nn.Embedding(3, 4), nn.GRU(4, 4))
    assert isinstance(device.autocast(cuda, recurrent), nullcontext)
    allowed = device.autocast(cuda, plain)
    assert isinstance(allowed, torch.autocast)
    assert allowed.fast_dtype == torch.bfloat16
