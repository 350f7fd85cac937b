"""Weights in the layouts of BERT and GPT-2: transformers' own outputs, and whatever does not fit named in the error."""

import itertools
import json
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tests.support.every_model import in_pieces
from tests.support.tiny_transformers import (
    END,
    HIDDEN,
    LAYERS,
    LONGEST,
    VOCABULARY,
    assert_near,
    bert_folder,
    decoder,
    excited,
    gpt2_folder,
    padding,
    random_ids,
    their_gpt2,
    their_llama,
)
from utils import layouts
from utils.adapters import CausalLM
from utils.beam import beam_search
from utils.decoding import generate
from utils.errors import CourseError
from utils.layouts import load_bert, load_gpt2, load_masked_language_model
from utils.transformer_layers import token_positions

PARITY = 1e-4
IDS, LENGTHS = random_ids(4, 9), [9, 4, 1, 6]
# Each layout in several settings, and what may be made of its files. A new layout is a line in each of these tables.
FOLDERS = {"bert": bert_folder, "gpt2": gpt2_folder}
SETTINGS = {
    "bert": {
        "plain": {},
        "one layer, ReLU": {"num_hidden_layers": 1, "hidden_act": "relu", "num_attention_heads": 2},
        "untied": {"tie_word_embeddings": False, "hidden_act": "gelu_new"},
        "other sizes": {"hidden_size": 24, "intermediate_size": 7, "num_attention_heads": 1, "type_vocab_size": 3},
        "coarse norm": {"layer_norm_eps": 1e-2, "hidden_act": "gelu_pytorch_tanh", "vocab_size": 40},
    },
    "gpt2": {
        "plain": {},
        "default inner size": {"n_inner": None, "n_layer": 1},
        "untied": {"tie_word_embeddings": False, "activation_function": "gelu"},
        "other sizes": {"n_embd": 24, "n_head": 6, "n_inner": 5, "n_positions": 30, "vocab_size": 40},
        "ReLU, coarse norm": {"activation_function": "relu", "layer_norm_epsilon": 1e-2},
    },
}
LOADERS = {"bert": load_bert, "masked": load_masked_language_model, "gpt2": load_gpt2}
DECODERS = [(kind, name) for kind in ("gpt2",) for name in SETTINGS[kind]]
WRAPPED = {"GPT-2": their_gpt2, "Llama": their_llama}
ENDS = (END, [END, 7, 11])  # as generation_config gives them: one, or several
SEARCHES = [{}, *({"width": width, "length_penalty": penalty} for width in (2, 4) for penalty in (0.0, 1.0))]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return for each layout and setting the folder of a model, and the model of transformers that was saved there."""
    return {
        (kind, name): FOLDERS[kind](tmp_path_factory.mktemp(kind), seed=seed, **changes)
        for kind, named in SETTINGS.items()
        for seed, (name, changes) in enumerate(named.items())
    }


@pytest.fixture(scope="module")
def plain(models):
    """Return for each loader the folder that a fault is planted in."""
    return {kind: models["bert" if kind == "masked" else kind, "plain"][0] for kind in LOADERS}


@cache
def loaded(load, folder):
    return load(folder)


@st.composite
def batches(draw):
    """Draw ids and a mask, the padding on one side; transformers is told the positions that the course counts."""
    rows, longest = draw(st.integers(1, 4)), draw(st.integers(1, 20))
    lengths = [longest, *(draw(st.integers(1, longest)) for _ in range(rows - 1))]
    mask = padding(lengths, draw(st.sampled_from(["left", "right"])))
    return random_ids(*mask.shape, seed=draw(st.integers(0, 99))), mask


# --- parity


@settings(max_examples=60)
@given(name=st.sampled_from(list(SETTINGS["bert"])), batch=batches(), explicit=st.booleans(), data=st.data())
@torch.no_grad()
def test_bert_says_what_transformers_says(models, name, batch, explicit, data):
    """The states of every layer, where each head looked, and the logits."""
    (folder, theirs), (ids, mask) = models["bert", name], batch
    segments = random_ids(*ids.shape, seed=data.draw(st.integers(0, 9))) % 2
    theirs.set_attn_implementation("eager" if explicit else "sdpa")  # weights come from the former alone
    expected = theirs(
        ids,
        attention_mask=mask.long(),
        token_type_ids=segments,
        position_ids=token_positions(ids, mask),
        output_hidden_states=True,
        output_attentions=explicit,
    )
    model = loaded(load_masked_language_model, folder)
    states, layers, *attention = model.encoder(ids, mask, segments, return_layers=True, return_attention=explicit)
    assert len(layers) == len(expected.hidden_states)
    for found, other in zip(layers, expected.hidden_states, strict=True):
        assert_near(found, other, mask, PARITY)
    assert_near(states, expected.hidden_states[-1], mask, PARITY)
    assert_near(model(ids, mask, segments), expected.logits, mask, PARITY)
    if explicit:
        for found, other in zip(attention[0], expected.attentions, strict=True):
            assert_near(found.transpose(1, 2)[mask], other.transpose(1, 2)[mask], atol=PARITY)


@settings(max_examples=60)
@given(which=st.sampled_from(DECODERS), batch=batches(), cuts=st.lists(st.integers(1, 19), max_size=3))
@torch.no_grad()
def test_a_decoder_says_what_transformers_says_with_and_without_a_cache(models, which, batch, cuts):
    (folder, theirs), (ids, mask) = models[which], batch
    model = loaded(LOADERS[which[0]], folder)
    expected = theirs(
        ids, attention_mask=mask.long(), position_ids=token_positions(ids, mask), output_hidden_states=True
    )
    assert_near(model(ids, None, mask)[0], expected.logits, mask, PARITY)
    hidden, state, _ = model.read(ids, None, mask)
    assert_near(hidden, expected.hidden_states[-1], mask, PARITY)
    for found, other in zip(state.past, expected.past_key_values.layers, strict=True):
        assert_near(found.key.transpose(1, 2)[mask], other.keys.transpose(1, 2)[mask], atol=PARITY)
        assert_near(found.value.transpose(1, 2)[mask], other.values.transpose(1, 2)[mask], atol=PARITY)
    assert_near(in_pieces(model, ids, None, mask, tuple(cuts))[0], expected.logits, mask, PARITY)


@pytest.mark.parametrize("name", SETTINGS["bert"])
@torch.no_grad()
def test_the_encoder_alone_is_bert_model(models, name, tmp_path):
    from transformers import BertModel

    folder, _ = models["bert", name]
    theirs = BertModel.from_pretrained(folder).eval()
    mask = padding(LENGTHS)
    expected = theirs(IDS, attention_mask=mask.long()).last_hidden_state
    assert_near(load_bert(folder)(IDS, mask), expected, mask, PARITY)
    theirs.save_pretrained(tmp_path)  # without "bert." before each name, and with a pooler
    assert "embeddings.word_embeddings.weight" in load_file(tmp_path / "model.safetensors")
    assert_near(load_bert(tmp_path)(IDS, mask), expected, mask, PARITY)


@pytest.mark.parametrize("which", [*DECODERS, *WRAPPED], ids=str)
def test_searches_go_on_as_transformers_does(models, which):
    """Greedy search and beams, in ids and in scores; what follows an end is only filled up."""
    if which in WRAPPED:
        theirs = excited(WRAPPED[which]())
        model = CausalLM(theirs)
    else:
        folder, theirs = models[which]
        model = loaded(LOADERS[which[0]], folder)
    mask, written = padding(LENGTHS, "left"), set()
    common = {"attention_mask": mask.long(), "do_sample": False, "return_dict_in_generate": True, "output_scores": True}
    for ends, options in itertools.product(ENDS, SEARCHES):
        common |= {"max_new_tokens": 12, "eos_token_id": ends, "pad_token_id": END}
        width = options.get("width", 1)
        asked = {"num_beams": width, "num_return_sequences": width, "early_stopping": "never"} if options else {}
        asked |= {"length_penalty": options["length_penalty"]} if options else {}
        expected = theirs.generate(IDS, **common, **asked)
        search = beam_search if options else generate
        found = search(model, IDS, mask=mask, max_new_tokens=12, end_id=ends, **options)
        best, length = expected.sequences[::width], found.ids.size(1)
        assert found.ids.tolist() == best[:, :length].tolist(), options
        assert (best[:, length:] == END).all(), options
        written |= {tuple(row) for row in found.ids[:, 9:].tolist()}
        if options:
            scores = [each.score for row in found.hypotheses for each in row]
            assert scores == pytest.approx(expected.sequences_scores.tolist(), abs=1e-4), options
    assert len(written) > 1


def test_models_come_ready_to_be_used(plain):
    for kind, load in LOADERS.items():
        model = load(plain[kind])
        assert not any(part.training for part in model.modules())
        assert all(each.dtype == torch.float32 and each.requires_grad for each in model.parameters())


# --- the same weights under other names, and in other numbers


def rewritten(source, target, weights=None, settings=None):
    """Copy a model's folder, with ``weights(all)`` made of its weights and ``settings`` changed; None removes one."""
    target.mkdir(exist_ok=True)
    kept = json.loads((source / "config.json").read_text()) | (settings or {})
    (target / "config.json").write_text(json.dumps({name: value for name, value in kept.items() if value is not None}))
    made = load_file(source / "model.safetensors")
    save_file(
        {n: w.contiguous().clone() for n, w in (weights(made) if weights else made).items()},
        target / "model.safetensors",
    )
    return target


def without(*dropped):
    """Return what leaves out the weights of these names."""
    return lambda weights: {name: each for name, each in weights.items() if name not in dropped}


def test_berts_first_files_say_gamma_and_beta(plain, tmp_path):
    def old(weights):
        names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        weights = {n.replace(*next((p for p in names.items() if p[0] in n), ("", ""))): w for n, w in weights.items()}
        rubbish = {"cls.seq_relationship.weight": (2, HIDDEN), "cls.seq_relationship.bias": (2,)}
        rubbish |= {"bert.pooler.dense.weight": (HIDDEN, HIDDEN), "bert.pooler.dense.bias": (HIDDEN,)}
        rubbish |= {"cls.predictions.decoder.weight": (VOCABULARY, HIDDEN)}  # of which a tied model makes no use
        weights |= {name: torch.ones(shape) for name, shape in rubbish.items()}
        return weights | {"bert.embeddings.position_ids": torch.arange(LONGEST)[None]}

    folder = rewritten(plain["bert"], tmp_path / "old", old)
    assert any(name.endswith("gamma") for name in load_file(folder / "model.safetensors"))
    ids, mask = IDS, padding(LENGTHS)
    assert torch.equal(load_bert(folder)(ids, mask), load_bert(plain["bert"])(ids, mask))
    new, other = (load_masked_language_model(each) for each in (folder, plain["bert"]))
    assert torch.equal(new(ids, mask), other(ids, mask))


def test_the_hubs_gpt2_has_no_prefix_and_keeps_masks(plain, tmp_path):
    def hubs(weights):
        buffers = {f"h.{layer}.attn.bias": torch.ones(1, 1, 4, 4) for layer in range(LAYERS)}
        buffers |= {f"h.{layer}.attn.masked_bias": torch.tensor(-1e4) for layer in range(LAYERS)}
        return {name.removeprefix("transformer."): each for name, each in weights.items()} | buffers

    folder = rewritten(plain["gpt2"], tmp_path / "hub", hubs)
    assert torch.equal(load_gpt2(folder)(IDS)[0], load_gpt2(plain["gpt2"])(IDS)[0])


@pytest.mark.parametrize("order", [iter, reversed])
@pytest.mark.parametrize("present", ["both", "first", "second"])
@torch.no_grad()
def test_an_untied_head_has_a_bias_of_its_own_under_either_name(models, tmp_path, monkeypatch, present, order):
    """transformers computes with the second where there is one, in whatever order the file holds them."""
    from transformers import BertForMaskedLM

    monkeypatch.setattr(layouts, "load_file", lambda path: dict(order(load_file(path).items())))

    first, second = "cls.predictions.bias", "cls.predictions.decoder.bias"
    drop = {"both": (), "first": (second,), "second": (first,)}[present]
    source, theirs = models["bert", "untied"]
    weights = load_file(source / "model.safetensors")
    assert (weights[first] - weights[second]).abs().max() > 0.1
    folder = rewritten(source, tmp_path / "head", without(*drop))
    logits = load_masked_language_model(folder)(IDS)
    if present == "both":
        assert_near(logits, BertForMaskedLM.from_pretrained(folder).eval()(IDS).logits, atol=PARITY)
    else:
        assert_near(
            logits,
            theirs(IDS).logits - weights[second] + weights[{"first": first, "second": second}[present]],
            atol=PARITY,
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_become_single(plain, tmp_path, dtype):
    def converted(weights):
        return {name: each.to(dtype) for name, each in weights.items()}

    for kind, load in LOADERS.items():
        model, exact = load(rewritten(plain[kind], tmp_path / kind, converted)), load(plain[kind])
        for name, weight in exact.state_dict().items():
            assert torch.equal(model.state_dict()[name], weight.to(dtype).float()), name


# --- what does not fit


def fails(load, folder, *words: str) -> str:
    """Check that loading ends in one sentence that holds these words and says which model it is about."""
    with pytest.raises(CourseError) as caught:
        load(folder)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert folder.name in message or message.startswith("the model's ")
    assert message.endswith(".")
    assert "\n" not in message
    return message


def named(name: str) -> str:
    """Return what an error is to call a weight: as the file does, without the prefix; c_attn holds three in one."""
    bare = name.removeprefix("bert.").removeprefix("transformer.")
    return bare.rpartition(".")[0] if "c_attn" in bare else bare


@pytest.mark.parametrize("kind", LOADERS)
def test_every_weight_that_is_missing_or_of_a_wrong_shape_is_named(plain, tmp_path, kind):
    names = list(load_file(plain[kind] / "model.safetensors"))
    head = [name for name in names if name.startswith("cls.")]
    body = [name for name in names if name not in head]
    assert len(body) >= 38
    needed = [*body[::4], *head] if kind == "masked" else body  # whose body is that of "bert"
    for name in needed:
        folder = rewritten(plain[kind], tmp_path / "odd", without(name))
        number = "3" if "c_attn" in name else "1"
        fails(LOADERS[kind], folder, "lacks the weight", named(name), f"in all {number} are missing")

        def longer(weights, name=name):
            return weights | {name: torch.cat([weights[name], weights[name][:1]])}

        folder = rewritten(plain[kind], tmp_path / "odd", longer)
        fails(LOADERS[kind], folder, named(name), "has shape", "its config.json says")


@pytest.mark.parametrize("kind", LOADERS)
def test_a_surplus_or_wrongly_named_weight_is_named(plain, tmp_path, kind):
    for surplus in ("encoder.layer.7.output.dense.weight", "h.7.ln_1.bias", "classifier.weight", "oddity"):
        folder = rewritten(plain[kind], tmp_path / "odd", lambda made, name=surplus: made | {name: torch.zeros(2)})
        fails(LOADERS[kind], folder, f"holds a weight {surplus!r}, for which this layout has no place")

    def renamed(weights):
        return {name.replace("self.query", "self.question"): each for name, each in weights.items()}

    fails(load_bert, rewritten(plain["bert"], tmp_path / "odd", renamed), "attention.self.question")


def test_an_untied_models_own_matrix_may_not_be_missing(models, tmp_path):
    for kind, load, name in (
        ("bert", load_masked_language_model, "cls.predictions.decoder.weight"),
        ("gpt2", load_gpt2, "lm_head.weight"),
    ):
        folder = rewritten(models[kind, "untied"][0], tmp_path / kind, without(name))
        fails(load, folder, f"lacks the weight '{name}'")


def test_an_encoder_without_its_head_is_no_masked_language_model(plain, tmp_path):
    head = [name for name in load_file(plain["bert"] / "model.safetensors") if name.startswith("cls.")]
    folder = rewritten(plain["bert"], tmp_path / "odd", without(*head))
    load_bert(folder)
    fails(load_masked_language_model, folder, "cls.predictions.transform.dense.weight", "in all 5 are missing")


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("bert", {"model_type": "gpt2"}, ["is a model of the kind 'gpt2', not 'bert'"]),
        ("gpt2", {"model_type": "bert"}, ["is a model of the kind 'bert', not 'gpt2'"]),
        ("bert", {"model_type": None}, ["is a model of the kind None, not 'bert'"]),
        ("bert", {"hidden_act": "silu"}, ["the model's activation is 'silu'", "gelu_new"]),
        ("gpt2", {"activation_function": "quick_gelu"}, ["the model's activation is 'quick_gelu'"]),
        (
            "bert",
            {"position_embedding_type": "relative_key"},
            ["position_embedding_type = 'relative_key'", "'absolute'"],
        ),
        ("bert", {"is_decoder": True}, ["is_decoder = True"]),
        ("masked", {"add_cross_attention": True}, ["add_cross_attention = True"]),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, ["scale_attn_by_inverse_layer_idx = True"]),
        ("gpt2", {"scale_attn_weights": False}, ["scale_attn_weights = False"]),
        ("gpt2", {"add_cross_attention": True}, ["add_cross_attention = True"]),
        ("bert", {"vocab_size": None}, ["its config.json lacks 'vocab_size'"]),
        ("masked", {"hidden_size": None}, ["its config.json lacks 'hidden_size'"]),
        ("gpt2", {"n_head": None}, ["its config.json lacks 'n_head'"]),
        ("bert", {"num_attention_heads": 3}, ["16 numbers cannot be shared out among 3 heads"]),
        ("bert", {"hidden_size": 0}, ["every size of a Transformer must be at least 1"]),
        ("gpt2", {"n_embd": "wide"}, ["its config.json describes no model that can be"]),
        ("gpt2", {"n_layer": 2.5}, ["its config.json describes no model that can be"]),
        ("masked", {"type_vocab_size": [2]}, ["its config.json describes no model that can be"]),
        ("bert", {"hidden_dropout_prob": 7}, ["dropout must lie from 0 to below 1, not 7"]),
    ],
)
def test_settings_that_do_not_fit_are_named(plain, tmp_path, kind, change, words):
    fails(LOADERS[kind], rewritten(plain[kind], tmp_path / "odd", settings=change), *words)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_files_that_are_missing_or_none_are_explained(plain, tmp_path, file):
    for kind, load in LOADERS.items():
        fails(load, tmp_path / "nowhere", "cannot be read as a model")
        whole = (plain[kind] / file).read_bytes()
        cuts = [whole[: len(whole) // 100], whole[: len(whole) // 2], whole[:-2]]
        for body in (None, b"", b"{", b"[]", b"\xff\xfe rubbish", b"\0" * 100, *cuts):
            folder = rewritten(plain[kind], tmp_path / kind)
            (folder / file).unlink()
            if body is not None:
                (folder / file).write_bytes(body)
            message = fails(load, folder)
            said = "cannot be read as a model", "sound config.json and model.safetensors"
            assert body == b"[]" or all(words in message for words in said), (kind, body)


def test_a_loaded_model_is_one_of_ours(plain):
    """Its weights go into a decoder that was built by hand, and give the same."""
    loaded = load_gpt2(plain["gpt2"])
    own = decoder("gpt2")
    own.load_state_dict(loaded.state_dict())
    assert torch.equal(own(IDS)[0], loaded(IDS)[0])
