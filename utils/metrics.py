"""How good is it? Scores used through the course, from the field's own libraries where there is one."""

import math
from collections.abc import Iterable, Sequence

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from torch import Tensor

from utils.data import Link


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Return corpus BLEU (Papineni et al. 2002; sacrebleu's defaults) from 0 to 100, one reference a sentence."""
    _check_pairs(hypotheses, references)
    return sacrebleu.corpus_bleu(list(hypotheses), [list(references)]).score


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Return corpus chrF2 (Popović 2015; sacrebleu's defaults) from 0 to 100, one reference a sentence."""
    _check_pairs(hypotheses, references)
    return sacrebleu.corpus_chrf(list(hypotheses), [list(references)]).score


def rouge(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Return mean ROUGE-1, ROUGE-2 and ROUGE-L F1 (Lin 2004), stemmed, from 0 to 100, by name."""
    _check_pairs(hypotheses, references)
    names = ["rouge1", "rouge2", "rougeL"]
    scorer = RougeScorer(names, use_stemmer=True)
    scores = [scorer.score(reference, hypothesis) for hypothesis, reference in zip(hypotheses, references, strict=True)]
    return {name: 100 * sum(score[name].fmeasure for score in scores) / len(scores) for name in names}


def accuracy(predictions: Tensor, targets: Tensor, mask: Tensor | None = None) -> float:
    """Return the share, from 0 to 1, of ``predictions`` equal to ``targets`` (same shape), where ``mask`` is True."""
    if predictions.shape != targets.shape:
        raise ValueError(f"predictions {tuple(predictions.shape)} and targets {tuple(targets.shape)} differ in shape.")
    correct = predictions == targets
    if mask is not None:
        correct = correct[mask]
    if correct.numel() == 0:
        raise ValueError("there is nothing to score: no prediction, or a mask that is False everywhere.")
    return correct.float().mean().item()


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Return the share, from 0 to 1, of hypotheses equal to their reference, spaces at the ends aside."""
    _check_pairs(hypotheses, references)
    pairs = zip(hypotheses, references, strict=True)
    return sum(hypothesis.strip() == reference.strip() for hypothesis, reference in pairs) / len(hypotheses)


def perplexity(mean_loss: float) -> float:
    """Return e to the mean cross-entropy in nats: as hard as a fair guess among so many tokens."""
    return math.exp(mean_loss)


def alignment_error_rate(predicted: Iterable[Link], sure: Iterable[Link], possible: Iterable[Link] = ()) -> float:
    """Return the alignment error rate of one or more sentences' links, from 0 (best) to 1 (Och & Ney 2003, eq. 14).

    Sure links count as possible too. To score a corpus, give its links as one collection with positions made distinct.
    """
    predicted, sure = set(predicted), set(sure)
    if not predicted and not sure:
        raise ValueError("there is nothing to score: no predicted and no sure link.")
    possible = set(possible) | sure
    return 1 - (len(predicted & sure) + len(predicted & possible)) / (len(predicted) + len(sure))


def _check_pairs(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if isinstance(hypotheses, str) or isinstance(references, str):
        raise ValueError("give lists of sentences; a single sentence goes in a list of one.")
    if len(hypotheses) != len(references) or not hypotheses:
        raise ValueError(
            f"each hypothesis needs one reference and there must be some; got {len(hypotheses)} and {len(references)}."
        )
