"""The real encoder under the course's own rules: padding changes nothing, and no text is too long or too short."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from utils import pretrained

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
