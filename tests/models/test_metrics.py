import math

import pytest
import torch

from utils import metrics


def test_identical_sentences_score_full_marks_and_unrelated_ones_none():
    sentences = ["the cat sat on the mat today", "a dog barked at the moon tonight"]
    assert metrics.bleu(sentences, sentences) == pytest.approx(100)
    assert metrics.chrf(sentences, sentences) == pytest.approx(100)
    assert metrics.rouge(sentences, sentences) == pytest.approx({"rouge1": 100, "rouge2": 100, "rougeL": 100})
    assert metrics.exact_match(sentences, sentences) == 1
    unrelated = ["xyzzy plugh frobozz quux wibble", "zork grue lamp sword troll"]
    assert metrics.bleu(unrelated, sentences) < 5
    assert metrics.rouge(unrelated, sentences)["rouge1"] == 0
    assert metrics.exact_match(unrelated, sentences) == 0


def test_rouge_counts_overlap_as_written_in_its_definition():
    score = metrics.rouge(["the cat"], ["the cat sat down"])  # precision 2/2, recall 2/4, F1 2/3
    assert score["rouge1"] == pytest.approx(100 * 2 / 3)
    assert score["rouge2"] == pytest.approx(100 * 2 * 1 * (1 / 3) / (1 + 1 / 3))


def test_exact_match_ignores_only_spaces_at_the_ends():
    assert metrics.exact_match([" oui ", "Oui", "non"], ["oui", "oui", "non"]) == pytest.approx(2 / 3)


def test_accuracy_counts_only_where_the_mask_is_true():
    predictions, targets = torch.tensor([[1, 2, 3], [4, 9, 9]]), torch.tensor([[1, 2, 0], [4, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    assert metrics.accuracy(predictions, targets) == pytest.approx(0.5)
    assert metrics.accuracy(predictions, targets, mask) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="nothing to score"):
        metrics.accuracy(predictions, targets, torch.zeros_like(mask))
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.accuracy(predictions, targets[:1])


def test_perplexity_of_a_uniform_guess_is_the_number_of_choices():
    assert metrics.perplexity(math.log(50)) == pytest.approx(50)


def test_alignment_error_rate_follows_och_and_ney():
    sure, possible = {(0, 0), (1, 1)}, {(2, 1)}
    assert metrics.alignment_error_rate(sure, sure, possible) == 0
    assert metrics.alignment_error_rate({(5, 5)}, sure, possible) == 1
    # |A∩S| = 1, |A∩P| = 2, |A| = 3, |S| = 2
    assert metrics.alignment_error_rate({(0, 0), (2, 1), (7, 7)}, sure, possible) == pytest.approx(1 - 3 / 5)
    with pytest.raises(ValueError, match="nothing to score"):
        metrics.alignment_error_rate([], [])


@pytest.mark.parametrize("score", [metrics.bleu, metrics.chrf, metrics.rouge, metrics.exact_match])
def test_unpaired_sentences_are_refused(score):
    with pytest.raises(ValueError, match="needs one reference"):
        score(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="needs one reference"):
        score([], [])
    with pytest.raises(ValueError, match="a list of one"):
        score("a b", "a b")
