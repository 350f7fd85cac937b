from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.support.attention_samples import weights, words
from tests.support.view_outputs import image_of, refusal_faults, stored
from utils.explorers import delivery
from utils.explorers.attention import AttentionExplorer
from utils.explorers.weights import decoded


def shown(explorer, number=0):
    """Return one kind of attention as the browser reads it: its header and its weights."""
    header, arrays = stored(explorer)
    each = header["attentions"][number]
    return each, decoded(arrays[f"weights{number}"], causal=each["causal"])


def test_stored_weights_are_the_given_ones():
    given_weights = weights(6, 2, 12, 16, 16)
    for attention in (given_weights, tuple(given_weights)):
        each, found = shown(AttentionExplorer(attention, words(16), example=1))
        assert not each["causal"]
        assert (each["layers"], each["heads"]) == ([0, 1, 2, 3, 4, 5], 12)
        assert np.abs(found - given_weights[:, 1].numpy()).max() <= 0.004


def test_causal_weights_take_half_the_room():
    given_weights = weights(4, 1, 4, 30, 30, causal=True)
    each, found = shown(AttentionExplorer(given_weights, words(30)))
    assert each["causal"]
    assert each["kind"] == "causal self-attention"
    assert np.abs(found - given_weights[:, 0].numpy()).max() <= 0.004
    _, arrays = stored(AttentionExplorer(given_weights, words(30)))
    assert arrays["weights0"].shape == (4, 4, 465)


def test_encoder_decoder_and_cross_attention_may_have_other_numbers_of_layers_and_heads():
    given_weights = {
        "attentions": weights(3, 1, 4, 5, 5),
        "decoder_attentions": weights(2, 1, 2, 7, 7, causal=True),
        "cross_attentions": weights(1, 1, 8, 7, 5),
    }
    made = AttentionExplorer(tokens=words(5), target_tokens=list("abcdefg"), **given_weights)
    kinds = ["encoder self-attention", "decoder self-attention", "cross-attention"]
    for number, (kind, array) in enumerate(zip(kinds, given_weights.values(), strict=True)):
        each, found = shown(made, number)
        assert each["kind"] == kind
        assert np.abs(found - array[:, 0].numpy()).max() <= 0.004
    header, _ = stored(made)
    assert [(each["queries"], each["keys"]) for each in header["attentions"]] == [(0, 0), (1, 1), (1, 0)]
    assert len({each["colour"] for each in header["attentions"]}) == 3
    assert len(made.summary.splitlines()) == 3
    alone = AttentionExplorer(decoder_attentions=given_weights["decoder_attentions"], target_tokens=words(7))
    assert stored(alone)[0]["attentions"][0]["queries"] == 0


def test_output_of_a_model_is_read():
    own, decoder, cross = weights(2, 1, 2, 3, 3), weights(2, 1, 2, 4, 4, causal=True), weights(2, 1, 2, 4, 3)
    single = AttentionExplorer.from_output(SimpleNamespace(attentions=tuple(own)), words(3), head=1)
    assert shown(single)[0]["start"][1] == 1
    both = SimpleNamespace(
        encoder_attentions=tuple(own), decoder_attentions=tuple(decoder), cross_attentions=tuple(cross)
    )
    header, _ = stored(AttentionExplorer.from_output(both, words(3), words(4)))
    assert len(header["attentions"]) == 3
    for nothing in (SimpleNamespace(), SimpleNamespace(attentions=None), SimpleNamespace(attentions=())):
        with pytest.raises(ValueError, match='attn_implementation="eager"'):
            AttentionExplorer.from_output(nothing, words(3))


def test_special_tokens_padding_and_sentences_are_marked():
    tokens = ["[CLS]", "a", "[SEP]", "b", "[SEP]", "[PAD]"]
    array = weights(1, 2, 6, 6)
    array[..., 5] = 0
    array /= array.sum(dim=-1, keepdim=True)
    mask = torch.tensor([[1, 1, 1, 1, 1, 0]])
    made = AttentionExplorer(array, tokens, mask=mask, segments=[0, 0, 0, 1, 1, 0])
    [sequence] = stored(made)[0]["sequences"]
    assert sequence["tokens"] == tokens
    assert sequence["special"] == [1, 0, 1, 0, 1, 1]
    assert sequence["padding"] == [0, 0, 0, 0, 0, 1]
    assert sequence["segments"] == list("AAABBA")
    assert "“a” → “b”" in made.summary or "“b” → “a”" in made.summary  # the only link between two plain tokens
    other = AttentionExplorer(array, tokens, special_tokens={"a"})
    assert stored(other)[0]["sequences"][0]["special"] == [0, 1, 0, 0, 0, 0]


def test_view_starts_where_it_is_told_else_at_the_sharpest_head():
    array = torch.full((4, 1, 3, 5, 5), 0.2)
    array[2, 0, 1] = torch.eye(5)
    array[3, 0, 2] = 0.5 * torch.eye(5) + 0.1
    for options, start in (
        ({}, [2, 1]),
        ({"layer": 3}, [3, 2]),
        ({"head": 2}, [3, 2]),
        ({"layer": 0, "head": 1}, [0, 1]),
        ({"layers": [1, 3]}, [1, 2]),
        ({"layers": range(2)}, [0, 0]),
    ):
        each, _ = shown(AttentionExplorer(array, words(5), **options))
        assert each["start"] == start, options
    each, found = shown(AttentionExplorer(array, words(5), layers=[2, 0]))
    assert each["layers"] == [2, 0]
    assert np.abs(found - array[[2, 0], 0].numpy()).max() <= 0.004


def test_description_tells_the_sharpest_head_and_the_strongest_link():
    given_weights = torch.full((1, 2, 3, 4, 4), 0.25)
    given_weights[0, 1, 2, 1] = torch.tensor([0, 0, 1.0, 0])
    made = AttentionExplorer(given_weights[0], ["the", "<b>cat", "sat", "."], example=1)
    alt = image_of(made)["alt"]
    assert alt.startswith("Heat map of layer 0, head 2")
    for said in (alt, made.summary):
        assert "1 × 3 (layers × heads), 4 × 4 tokens" in said
        assert "Mean entropy 1.8333 bits, least in layer 0, head 2 (1.5000)" in said
        assert "Strongest link “<b>cat” → “sat”, 1.0000, in layer 0, head 2" in said
    long = AttentionExplorer(weights(1, 1, 2, 300, 300), words(300))
    assert len(image_of(long)["src"]) < 40_000


def test_bad_input_gets_one_plain_sentence(monkeypatch):
    cases = [
        ({}, 'no attention weights to show; .* attn_implementation="eager"'),
        ({"attentions": weights(3, 3)}, "attentions needs tokens"),
        ({"decoder_attentions": weights(3, 3), "tokens": words(3)}, "decoder_attentions needs target_tokens"),
        ({"cross_attentions": weights(3, 3), "tokens": words(3)}, "cross_attentions needs target_tokens"),
        ({"cross_attentions": weights(3, 3), "target_tokens": words(3)}, "cross_attentions needs tokens"),
        ({"attentions": weights(3, 3), "tokens": "abc"}, "tokens is one string; give a list of strings"),
        ({"attentions": weights(2, 2), "tokens": ["a", b"b"]}, "tokens holds b'b' at place 1"),
        ({"attentions": weights(3, 3), "tokens": words(4)}, "attentions has 3 rows but there are 4 tokens"),
        ({"attentions": weights(2, 2), "tokens": words(2), "mask": [1]}, r"mask of tokens has shape \(1,\)"),
        ({"attentions": weights(2, 2), "tokens": words(2), "mask": [0, 0]}, "marks no token as real"),
        ({"attentions": weights(3, 3), "tokens": words(3), "mask": [0, 1, 1]}, "calls some tokens padding, yet"),
        ({"attentions": weights(2, 2), "tokens": words(2), "segments": [0]}, r"segments has shape \(1,\)"),
        ({"attentions": weights(27, 27), "tokens": words(27), "segments": range(27)}, "27 sentences apart"),
        ({"attentions": weights(2, 2), "tokens": words(2), "layer": 1}, "layer is 1, but .* shows the layers 0"),
        ({"attentions": weights(2, 2), "tokens": words(2), "head": 1}, "head is 1, but .* has 1 heads"),
        ({"attentions": weights(2, 2), "tokens": words(2), "layers": [1]}, "names layer 1, but attentions has 1"),
        ({"attentions": weights(2, 2), "tokens": words(2), "layers": []}, "name at least one layer, each once"),
        ({"attentions": weights(2, 2), "tokens": words(2), "layers": [0, 0]}, "name at least one layer, each once"),
        (
            {"attentions": [np.full((1, 6, 1000, 1000), 0.001, "float32")] * 7, "tokens": words(1000)},
            r"about 29\.4 MB, more than the 4 MB .* layers=\[0\], or a shorter text",
        ),
    ]
    assert refusal_faults(AttentionExplorer, cases) == []
    monkeypatch.setattr(delivery, "OUTPUT_LIMIT", 100_000)
    too_large = {"attentions": weights(6, 1, 12, 48, 48), "tokens": words(48)}
    fewer = r"show fewer layers at a time, for example layers=range\([1-5]\)"
    assert refusal_faults(AttentionExplorer, [(too_large, fewer)]) == []
