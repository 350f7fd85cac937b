"""Convert a GGUF file to the folder that ``from_pretrained`` reads, once, in a process of its own.

The conversion talks (progress bars, notices) and takes about 1.4 GB of memory. A child process keeps both away from the
notebook, and nothing of the notebook's libraries is changed by it: ``python -m utils.gguf_conversion FILE FOLDER``.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from utils import fetch
from utils.errors import CourseError

REQUIRED = ("gguf", "accelerate", "transformers", "torch")


def require_libraries(description: str) -> None:
    """Raise ``CourseError`` naming the libraries that the conversion of ``description`` needs and this Python lacks."""
    missing = [name for name in REQUIRED if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        command = f"{Path(sys.executable).name} -m pip install {' '.join(missing)}"
        raise CourseError(
            f"{description} cannot be prepared without {names}; install what is missing with `{command}`."
        )


def convert_in_child(source: Path, folder: Path, description: str) -> None:
    """Convert the GGUF file ``source`` into ``folder`` in a child process; raise ``CourseError`` when it fails."""
    root = Path(__file__).resolve().parent.parent
    search_path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    # The child needs no network, and a library that thought otherwise must not get one.
    environment = {**os.environ, "PYTHONPATH": search_path, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    command = [sys.executable, "-m", "utils.gguf_conversion", str(source), str(folder)]
    with fetch.notice(f"Converting {description}, once on this machine: 20 to 60 seconds"):
        outcome = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
    if outcome.returncode == 0:
        return
    if fetch.reports_disk_full(outcome.stderr):
        raise fetch.disk_full(description, folder.parent.parent)
    lines = outcome.stderr.strip().splitlines()
    reason = lines[-1].strip().rstrip(".") if lines else f"it ended with code {outcome.returncode}, often out of memory"
    raise CourseError(
        f"{description} could not be converted: {reason}; close other programs, "
        "check that the libraries are those of requirements.txt, and run this again."
    )


def convert(source: Path, folder: Path) -> None:
    """Write weights (bf16 safetensors), configuration, tokeniser and chat template of a GGUF file to ``folder``.

    The file's 4-bit weights are expanded in float32 and rounded once to bfloat16.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast

    where = {"pretrained_model_name_or_path": source.parent, "gguf_file": source.name}
    expanded = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    config = expanded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # the weights are plain numbers now, but save_pretrained goes by this
    config.dtype = torch.bfloat16
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(expanded.state_dict())
    special = {name: getattr(config, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model.generation_config = GenerationConfig(**special)
    model.save_pretrained(folder)
    read = AutoTokenizer.from_pretrained(**where)
    names = {**special, "unk_token_id": config.unk_token_id}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level_tokenizer(json.loads(read.backend_tokenizer.to_str())),
        model_max_length=config.max_position_embeddings,
        clean_up_tokenization_spaces=False,
        chat_template=read.chat_template,
        **{name.removesuffix("_id"): read.convert_ids_to_tokens(number) for name, number in names.items()},
    )
    tokenizer.save_pretrained(folder)


def byte_level_tokenizer(specification: dict):
    """Return SmolLM2's own tokeniser (byte-level BPE, every digit a token) from a tokeniser read from its GGUF file.

    Only vocabulary, merges and special tokens are taken from ``specification``: the rest, and which token ends a text,
    comes out of a GGUF file differently in different versions of transformers, and wrong in some.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    merges = [tuple(merge) for merge in specification["model"]["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=specification["model"]["vocab"], merges=merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    added = [AddedToken(token["content"], special=True, normalized=False) for token in specification["added_tokens"]]
    tokenizer.add_special_tokens(added)
    return tokenizer


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
