"""Real weights for the course's Transformer: files in the layouts of BERT and GPT-2, as ``transformers`` saves them.

The numbers are the same as here; their names differ, and what shares a matrix: key and value here, the query too in
GPT-2's files (where all are transposed), none in BERT's. Every weight must find its place, or an error names it.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from utils.errors import CourseError
from utils.masked import MaskedLanguageModel
from utils.transformer import TransformerDecoder, TransformerEncoder
from utils.transformer_layers import TransformerConfig

ACTIVATION_NAMES = {
    "gelu": "gelu",
    "relu": "relu",
    "gelu_new": "gelu tanh",
    "gelu_pytorch_tanh": "gelu tanh",
}

# What a weight is called in the file → what it is called here; ``#`` is the number of a layer.
BERT_ENCODER = {
    "embeddings.word_embeddings": "embedding.token",
    "embeddings.position_embeddings": "embedding.position",
    "embeddings.token_type_embeddings": "embedding.segment",
    "embeddings.LayerNorm": "embedding.norm",
    "encoder.layer.#.attention.self.query": "layers.#.self_attention.query",
    "encoder.layer.#.attention.self.key": "layers.#.self_attention.key",
    "encoder.layer.#.attention.self.value": "layers.#.self_attention.value",
    "encoder.layer.#.attention.output.dense": "layers.#.self_attention.output",
    "encoder.layer.#.attention.output.LayerNorm": "layers.#.around_self_attention.norm",
    "encoder.layer.#.intermediate.dense": "layers.#.feed_forward.inner",
    "encoder.layer.#.output.dense": "layers.#.feed_forward.output",
    "encoder.layer.#.output.LayerNorm": "layers.#.around_feed_forward.norm",
}
BERT_HEAD = {
    "cls.predictions.transform.dense": "transform",
    "cls.predictions.transform.LayerNorm": "norm",
    "cls.predictions.decoder": "out",
    "cls.predictions.bias": "out.bias",  # older than the other, and the one that counts where both are tied
}
GPT2_DECODER = {
    "wte": "embedding.token",
    "wpe": "embedding.position",
    "h.#.ln_1": "layers.#.around_self_attention.norm",
    "h.#.attn.c_attn/query": "layers.#.self_attention.query",
    "h.#.attn.c_attn/key": "layers.#.self_attention.key",
    "h.#.attn.c_attn/value": "layers.#.self_attention.value",
    "h.#.attn.c_proj": "layers.#.self_attention.output",
    "h.#.ln_2": "layers.#.around_feed_forward.norm",
    "h.#.mlp.c_fc": "layers.#.feed_forward.inner",
    "h.#.mlp.c_proj": "layers.#.feed_forward.output",
    "ln_f": "norm",
    "lm_head": "out",
}
PARTS = ("c_attn/query", "c_attn/key", "c_attn/value")  # what c_attn holds, in this order
# Weights of the file that nothing here needs: the pooler and next-sentence head of BERT's pre-training, and the counts
# and masks that older versions stored.
UNUSED = re.compile(r"pooler\..*|cls\.seq_relationship\..*|embeddings\.position_ids|h\.\d+\.attn\.(?:masked_)?bias")
# Where the token vectors are tied, the same numbers under a second name.
SECOND_COPIES = re.compile(r"cls\.predictions\.decoder\.(?:weight|bias)|lm_head\.weight")


def load_bert(folder: str | Path) -> TransformerEncoder:
    """Return the encoder of a BERT-layout ``folder`` (``config.json`` and ``model.safetensors``), ready to be used.

    Its states are those of ``transformers``' ``BertModel``. Raises ``CourseError`` if the folder does not hold such a
    model, naming the setting or the weight that does not fit.
    """
    settings, weights = _read(folder, "bert")
    weights = {name: weight for name, weight in weights.items() if not name.startswith("cls.")}
    with _explaining_settings(folder):
        model = TransformerEncoder(bert_config(settings))
    return _filled(model, weights, BERT_ENCODER, folder)


def load_masked_language_model(folder: str | Path) -> MaskedLanguageModel:
    """Return a BERT-layout ``folder``'s encoder with its masked-language-model head; errors as ``load_bert``.

    Its logits are those of ``transformers``' ``BertForMaskedLM``.
    """
    settings, weights = _read(folder, "bert")
    names = {name: f"encoder.{place}" for name, place in BERT_ENCODER.items()} | BERT_HEAD
    with _explaining_settings(folder):
        config = bert_config(settings)
        model = MaskedLanguageModel(config)
    if not config.tied and "cls.predictions.decoder.bias" in weights:
        weights.pop("cls.predictions.bias", None)  # which is read no more, then
    return _filled(model, weights, names, folder)


def load_gpt2(folder: str | Path) -> TransformerDecoder:
    """Return the decoder of a GPT-2-layout ``folder``; errors as ``load_bert``.

    Its logits are those of ``transformers``' ``GPT2LMHeadModel``.
    """
    settings, weights = _read(folder, "gpt2")
    parts = {}
    for name, weight in weights.items():
        weight = weight.T if re.search(r"\.c_\w+\.weight$", name) else weight  # GPT-2 keeps these (input, output)
        if "c_attn" in name:  # the maps of queries, keys and values, side by side
            pieces = zip(PARTS, weight.tensor_split(3), strict=True)
            parts |= {name.replace("c_attn", part): piece for part, piece in pieces}
        else:
            parts[name] = weight
    with _explaining_settings(folder):
        model = TransformerDecoder(gpt2_config(settings))
    return _filled(model, parts, GPT2_DECODER, folder)


def bert_config(settings: dict) -> TransformerConfig:
    """Return the settings of a BERT-layout ``config.json`` in the course's words; ``CourseError`` if it has none."""
    _expect(settings, is_decoder=False, add_cross_attention=False, position_embedding_type="absolute")
    return TransformerConfig(
        vocabulary_size=settings["vocab_size"],
        hidden_size=settings["hidden_size"],
        num_heads=settings["num_attention_heads"],
        num_layers=settings["num_hidden_layers"],
        inner_size=settings["intermediate_size"],
        max_length=settings["max_position_embeddings"],
        dropout=settings.get("hidden_dropout_prob", 0.1),
        norm_first=False,
        activation=_activation(settings.get("hidden_act", "gelu")),
        segments=settings["type_vocab_size"],
        norm_embeddings=True,
        norm_epsilon=settings.get("layer_norm_eps", 1e-12),
        tied=settings.get("tie_word_embeddings", True),
    )


def gpt2_config(settings: dict) -> TransformerConfig:
    """Return the settings of a GPT-2-layout ``config.json`` in the course's words; ``CourseError`` if it has none."""
    _expect(settings, scale_attn_weights=True, scale_attn_by_inverse_layer_idx=False, add_cross_attention=False)
    return TransformerConfig(
        vocabulary_size=settings["vocab_size"],
        hidden_size=settings["n_embd"],
        num_heads=settings["n_head"],
        num_layers=settings["n_layer"],
        inner_size=settings.get("n_inner") or 4 * settings["n_embd"],
        max_length=settings["n_positions"],
        dropout=settings.get("resid_pdrop", 0.1),
        activation=_activation(settings.get("activation_function", "gelu_new")),
        norm_epsilon=settings.get("layer_norm_epsilon", 1e-5),
        tied=settings.get("tie_word_embeddings", True),
    )


def _read(folder: str | Path, kind: str) -> tuple[dict, dict[str, Tensor]]:
    """Return a folder's settings and its weights by name, as the bare model names them."""
    folder = Path(folder)
    try:
        settings = json.loads((folder / "config.json").read_text("utf-8"))
        weights = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise CourseError(
            f"{folder.name} cannot be read as a model: {error}. It must hold a sound config.json and model.safetensors."
        ) from error
    said = settings.get("model_type") if isinstance(settings, dict) else None
    if said != kind:
        raise CourseError(f"{folder.name} is a model of the kind {said!r}, not {kind!r}.")
    prefix = {"bert": "bert.", "gpt2": "transformer."}[kind]
    return settings, {name.removeprefix(prefix): weight for name, weight in weights.items()}


@contextmanager
def _explaining_settings(folder: str | Path) -> Iterator[None]:
    """Turn what a ``config.json`` lacks, or says that cannot be, into one sentence."""
    try:
        yield
    except KeyError as error:
        raise CourseError(f"{Path(folder).name}: its config.json lacks {error}; fetch the model's own file.") from error
    except (TypeError, ValueError) as error:
        reason = str(error).rstrip(".")
        raise CourseError(f"{Path(folder).name}: its config.json describes no model that can be ({reason}).") from error


def _expect(settings: dict, **wanted: object) -> None:
    """Raise ``CourseError`` unless each setting has the value ``wanted`` or is absent."""
    for name, value in wanted.items():
        if settings.get(name, value) != value:
            raise CourseError(
                f"the model's config.json says {name} = {settings[name]!r}; the course's Transformer can only be "
                f"{value!r} there."
            )


def _activation(name: str) -> str:
    try:
        return ACTIVATION_NAMES[name]
    except KeyError:
        raise CourseError(
            f"the model's activation is {name!r}; the course's Transformer knows {', '.join(ACTIVATION_NAMES)}."
        ) from None


def _filled(model: nn.Module, weights: dict[str, Tensor], names: dict[str, str], folder: str | Path) -> nn.Module:
    """Put the file's ``weights`` into ``model`` by ``names``, every one of them, and return it in evaluation mode."""
    where = Path(folder).name
    own, filled = _places(model), set()
    tied = "out.weight" not in own
    for name, weight in weights.items():
        if UNUSED.fullmatch(name) or (tied and SECOND_COPIES.fullmatch(name)):
            continue
        place = _place(name, names)
        if place not in own:
            raise CourseError(f"{where} holds a weight {name!r}, for which this layout has no place.")
        if weight.shape != own[place].shape:
            raise CourseError(
                f"{where}: the weight {name!r} has shape {tuple(weight.shape)}, not {tuple(own[place].shape)} as its "
                "config.json says."
            )
        with torch.no_grad():
            own[place].copy_(weight)
        filled.add(place)
    if missing := [place for place in own if place not in filled]:
        lacking = _place(missing[0], {place: name for name, place in reversed(names.items())})
        raise CourseError(f"{where} lacks the weight {lacking!r}; in all {len(missing)} are missing.")
    return model.eval()


def _places(model: nn.Module) -> dict[str, Tensor]:
    """Return a model's weights by name, shared ones once, and the maps of key and value, one matrix here, apart."""
    places = {}
    for name, weight in model.named_parameters():
        if ".key_value." in name:
            key, value = weight.detach().chunk(2)  # views: what is copied into them is in the model
            places |= {name.replace("key_value", "key"): key, name.replace("key_value", "value"): value}
        else:
            places[name] = weight
    return places


def _place(name: str, names: dict[str, str]) -> str | None:
    """Return what the file's weight ``name`` is called here, or None."""
    stem, _, kind = name.rpartition(".")
    kind = {"gamma": "weight", "beta": "bias"}.get(kind, kind)  # as BERT's first files called them
    if name in names:
        return names[name]
    number = re.search(r"\.(\d+)\.", stem)
    place = names.get(stem.replace(number[0], ".#.", 1) if number else stem)
    return place and f"{place.replace('#', number[1]) if number else place}.{kind}"
