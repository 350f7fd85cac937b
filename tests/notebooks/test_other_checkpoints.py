"""Lessons 06 to 08 with one constant changed: their cells use bert-base-uncased and gpt2, as the Hub would serve them.

A server on this machine stands in for the Hub. It serves small models with random weights, laid out as those two are
there: the files, the names of the weights, the numbers of layers and heads. In a copy of the course the registry pins
their checksums instead of the real ones; nothing else differs from what a reader has.
"""

import ast
import hashlib
import json
import os
import re
import symtable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers.implementations import BertWordPieceTokenizer, ByteLevelBPETokenizer

from tests.support.lesson_runs import cut_off
from tests.support.loopback import Loopback
from tests.support.tiny_transformers import bert_folder, gpt2_folder
from tools import notebook_files
from tools.course_copy import REPOSITORY, copy_of_the_course
from tools.run_notebooks import run
from utils import data, pretrained, storage

HIDDEN, LAYERS, HEADS = 48, 12, 12  # as many layers and heads as in bert-base-uncased and in gpt2
LESSONS = {  # the lesson, and the model it is to run with
    "06_transformer_architecture": "bert-base-uncased",
    "07_bert": "bert-base-uncased",
    "08_gpt": "gpt2",
}
CONSTANT = re.compile(r"^CHECKPOINT = \S+", re.MULTILINE)


def english() -> list[str]:
    """Return sentences to make vocabularies of."""
    return [pair.english for pair in data.load_pairs().train] + [each.text for each in data.load_reviews().train]


def small_bert(folder: Path) -> dict[str, bytes]:
    """Return the files of a small ``bert-base-uncased``: the norms' old names, a pooler, a second head."""
    tokenizer = BertWordPieceTokenizer()
    tokenizer.train_from_iterator(english(), vocab_size=2_000, show_progress=False)
    sizes = {"hidden_size": HIDDEN, "intermediate_size": 64, "max_position_embeddings": 512}
    sizes |= {"num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "vocab_size": tokenizer.get_vocab_size()}
    bert_folder(folder, "BertForPreTraining", **sizes)
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    pattern = re.compile("|".join(map(re.escape, old)))
    weights = load_file(folder / "model.safetensors")
    weights = {pattern.sub(lambda found: old[found[0]], name): weight for name, weight in weights.items()}
    assert any(name.endswith("gamma") for name in weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.save_model(str(folder))
    settings = {"do_lower_case": True, "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return contents(folder)


def small_gpt2(folder: Path) -> dict[str, bytes]:
    """Return the files of a small ``gpt2``: no prefix before the names, and the causal masks among the weights."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(english(), vocab_size=1_000, special_tokens=["<|endoftext|>"], show_progress=False)
    end = tokenizer.token_to_id("<|endoftext|>")
    sizes = {"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": HEADS, "n_inner": None, "n_positions": 1024}
    sizes |= {"vocab_size": tokenizer.get_vocab_size(), "bos_token_id": end, "eos_token_id": end, "pad_token_id": None}
    gpt2_folder(folder, **sizes)
    weights = load_file(folder / "model.safetensors")
    weights = {name.removeprefix("transformer."): weight for name, weight in weights.items()}
    weights |= {f"h.{layer}.attn.bias": torch.ones(64, 64).tril()[None, None] for layer in range(LAYERS)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 1024}))
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def serve(server: Loopback, folder: Path) -> dict[str, str]:
    """Let ``server`` stand in for the Hub; return by name the checksum of each small model's weights."""
    checksums = {}
    for name, make in {"bert-base-uncased": small_bert, "gpt2": small_gpt2}.items():
        files, source = make(folder / name), pretrained.MODELS[name].source
        assert set(source.files) <= set(files)
        for file in source.files:
            server.serve_hub_file(source.repository, source.revision, file, files[file])
        checksums[name] = hashlib.sha256(files["model.safetensors"]).hexdigest()
    return checksums


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Return the server in the Hub's place, and the checksums."""
    with Loopback() as server:
        yield server, serve(server, tmp_path_factory.mktemp("hub"))


def changed_course(folder: Path, lesson: Path, name: str, checksum: str) -> Path:
    """Copy the course; change the constant and the registry's checksum; keep the cells that this concerns."""
    path = copy_of_the_course(folder, lesson) / lesson.name
    registry, real = folder / "utils" / "pretrained.py", pretrained.MODELS[name].sha256["model.safetensors"]
    source = registry.read_text("utf-8")
    assert source.count(real) == 1
    registry.write_text(source.replace(real, checksum), "utf-8")
    notebook = notebook_files.read(path)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert sum(len(CONSTANT.findall(cell.source)) for cell in cells) == 1, "one line, one cell: CHECKPOINT = …"
    for cell in cells:
        cell.source = CONSTANT.sub(f'CHECKPOINT = "{name}"', cell.source)
    wanted = concerned([cell.source for cell in cells])
    setup = {number for number, cell in enumerate(cells) if "setup" in notebook_files.tags_of(cell)}
    notebook.cells = [cell for number, cell in enumerate(cells) if number in wanted | setup]
    notebook_files.write(notebook, path)
    return path


def concerned(sources: list[str]) -> set[int]:
    """Return the numbers of the cells that depend on the constant, and of those that they in turn need."""
    made, read = zip(*(names_of(source) for source in sources), strict=True)
    wanted, tainted = set(), set()
    for number in range(len(sources)):
        if CONSTANT.search(sources[number]) or read[number] & tainted:
            wanted.add(number)
            tainted |= made[number]
        else:
            tainted -= made[number]
    pending = sorted(wanted)
    while pending:
        number = pending.pop()
        for name in read[number]:
            homes = [other for other in range(number) if name in made[other]]
            if homes and homes[-1] not in wanted:
                wanted.add(homes[-1])
                pending.append(homes[-1])
    return wanted


def names_of(source: str) -> tuple[set[str], set[str]]:
    """Return the names that a cell makes, and those that it reads and has not made by then."""
    made, read = set(), set()
    for statement in ast.parse(source).body:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        asked = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()} | inner_globals(table)
        target = ast.walk(statement.target) if isinstance(statement, ast.For) else ()
        read |= asked - made - {node.id for node in target if isinstance(node, ast.Name)}
        made |= own
    return made, read


def inner_globals(table: symtable.SymbolTable) -> set[str]:
    """Return the names that functions, classes and comprehensions take from the notebook."""
    found: set[str] = set()
    for child in table.get_children():
        found |= {symbol.get_name() for symbol in child.get_symbols() if symbol.is_global()} | inner_globals(child)
    return found


def test_cells_are_told_apart():
    sources = ["import a\nx = 1", "y = a.b(x)", 'CHECKPOINT = "m"\nmodel = y(CHECKPOINT)', "z = 3"]
    sources += [
        "def f(n): return model",
        "print(f(2))",
        "n = 5",
        "model = z\nprint(model)",
        "print(model, [n for n in x])",
    ]
    assert concerned(sources) == {0, 1, 2, 4, 5}
    source = "for i in a:\n    b = i + c\nprint(b, [d for d in e], lambda f: f + g)"
    assert names_of(source) == ({"i", "b"}, {"a", "c", "e", "g", "print"})


def run_changed(folder: Path, lesson: Path, name: str, server: Loopback, checksum: str) -> str:
    """Run those cells of ``lesson`` in an empty cache that knows the course's own models; return what they said."""
    path = changed_course(folder, lesson, name, checksum)
    shelf = folder / "cache" / "models"
    shelf.mkdir(parents=True)
    for default in pretrained.DEFAULTS:  # where they are already, there they are read
        if (here := storage.cache_folder() / "models" / default).is_dir():
            os.symlink(here, shelf / default, target_is_directory=True)
    environment = {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    run(path, environment={**environment, **cut_off(folder), "COURSE_CACHE": str(folder / "cache")})
    assert (shelf / name / "model.safetensors").stat().st_size < 5e6, "the small model, not the real one"
    outputs = [output for cell in notebook_files.read(path).cells for output in cell.get("outputs", ())]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.mark.nightly
@pytest.mark.parametrize("lesson", LESSONS)
def test_the_cells_run_with_the_model_from_the_hub(lesson, hub, tmp_path):
    """No cell fails: what was claimed of the course's own model alone is reported, and the sizes are this one's."""
    (server, checksums), name = hub, LESSONS[lesson]
    path = REPOSITORY / "notebooks" / f"{lesson}.ipynb"
    said = run_changed(tmp_path, path, name, server, checksums[name])
    assert f"(not so with {name})" in said, "random weights bear out no claim about the real ones"
    assert lesson.startswith("06") or re.search(rf"\b{HIDDEN}\b", said), "no shape is shown"
