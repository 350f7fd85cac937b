"""The real encoder under the course's own rules: padding changes nothing, and no text is too long or too short."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from utils import pretrained
from utils.layouts import load_bert
from utils.transformer_layers import token_positions

pytestmark = pytest.mark.slow
SENTENCE = "We sat on the river bank."


@pytest.fixture(scope="module")
def encode():
    """Return a function from texts to one mean vector for each, as lesson 1 computes it."""
    folder = pretrained.path(pretrained.ENCODER)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    @torch.no_grad()
    def vectors(texts: list[str], **padding) -> torch.Tensor:
        batch = tokenizer(texts, truncation=True, return_tensors="pt", **(padding or {"padding": True}))
        mask = batch["attention_mask"].unsqueeze(-1)
        return (model(**batch).last_hidden_state * mask).sum(dim=1) / mask.sum(dim=1)

    return vectors


@settings(max_examples=10)
@given(length=st.integers(min_value=10, max_value=200))
def test_padding_changes_no_vector(encode, length):
    padded = encode([SENTENCE], padding="max_length", max_length=length)
    torch.testing.assert_close(padded, encode([SENTENCE]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("neighbour", ["", "No.", "word " * 3_000, "日本語 🦙 \x00 </s>"])
def test_a_neighbour_in_the_batch_changes_no_vector(encode, neighbour):
    together = encode([SENTENCE, neighbour])
    assert together.isfinite().all()
    torch.testing.assert_close(together[:1], encode([SENTENCE]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("explicit", [False, True])
@torch.no_grad()
def test_the_courses_encoder_with_its_weights_says_the_same(side, explicit):
    """Layer by layer and, where asked for, head by head; the position of a token is its number among the real ones."""
    folder = pretrained.path(pretrained.ENCODER)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side=side)
    theirs = AutoModel.from_pretrained(folder, attn_implementation="eager" if explicit else "sdpa").eval()
    texts = [SENTENCE, "", "No.", "The bank raised its rates again, " * 20]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    ids, mask = batch["input_ids"], batch["attention_mask"].bool()
    assert not mask.all()
    asked = {"output_hidden_states": True, "output_attentions": explicit}
    expected = theirs(**batch, position_ids=token_positions(ids, mask), **asked)
    states, layers, *attention = load_bert(folder)(ids, mask, return_layers=True, return_attention=explicit)
    torch.testing.assert_close(states[mask], expected.last_hidden_state[mask], rtol=0, atol=1e-4)
    for found, other in zip(layers, expected.hidden_states, strict=True):
        torch.testing.assert_close(found[mask], other[mask], rtol=0, atol=1e-4)
    for found, other in zip(attention[0] if explicit else (), expected.attentions or (), strict=True):
        found, other = (each.transpose(1, 2)[mask] for each in (found, other))  # (real tokens, heads, source)
        torch.testing.assert_close(found, other, rtol=0, atol=1e-4)
