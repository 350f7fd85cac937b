"""The Transformer's benchmarks still run, on a handful of examples, and are fair."""

import sys

import pytest
import torch

from benchmarks import generation, scores, transformer, translators
from utils.beam import beam_search
from utils.data import load_pairs
from utils.decoding import generate
from utils.transformer_layers import TransformerConfig

CPU = torch.device("cpu")


@pytest.mark.parametrize("make", transformer.CONTESTS, ids=["width 128", "width 256", "decoder", "encoder"])
def test_contests_are_fair(make):
    contest = make(0.1, 2)
    sizes = [transformer.numbers(model) for model in (contest.ours, contest.theirs)]
    assert max(sizes) / min(sizes) < 1.005
    inputs, wanted = contest.batches[0]
    for model in (contest.ours, contest.theirs):
        assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.1}
        with torch.no_grad():
            output = model.eval()(*inputs)
        logits = output if isinstance(output, torch.Tensor) else output[0]
        assert logits.shape == (*wanted.shape, logits.size(-1))
    assert 0 < contest.tokens <= sum(wanted.numel() for _, wanted in contest.batches)


def test_both_models_of_a_contest_are_trained_and_timed():
    contest = transformer.translators(128, 0.0, 1)
    before = [next(model.parameters()).clone() for model in (contest.ours, contest.theirs)]
    ours, theirs = transformer.speeds(contest, rounds=1, device=CPU)
    assert ours > 0
    assert theirs > 0
    for old, model in zip(before, (contest.ours, contest.theirs), strict=True):
        assert not torch.equal(old, next(model.parameters()))


@pytest.mark.parametrize("least", [1e-6, 1e6])
def test_ratios_end_with_a_verdict(least, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["transformer", "--rounds", "1", "--batches", "1"])
    monkeypatch.setattr(transformer, "DROPOUTS", (0.1,))
    monkeypatch.setitem(transformer.LEAST, 128, least)
    monkeypatch.setattr(transformer, "CONTESTS", transformer.CONTESTS[:1])
    assert_verdict(
        transformer.main, missed=least > 1, capsys=capsys, kept="keeps its limits", said="the limit is 1e+06"
    )


@pytest.mark.parametrize("kind", ["language model", "encoder–decoder"])
def test_texts_are_the_same_with_the_cache_and_without(kind):
    decoder, whole = generation.build(kind, TransformerConfig(50, 32, max_length=12, dropout=0.0), CPU)
    state = None if whole is None else whole.encode(torch.arange(10).view(2, 5))
    ids = torch.tensor([[1], [2]])
    for write in (generate, beam_search):
        found = [write(model, ids, state, max_new_tokens=11) for model in (decoder, generation.WithoutCache(decoder))]
        assert torch.equal(found[0].ids, found[1].ids)
        torch.testing.assert_close(found[0].scores, found[1].scores)
    logits, read = generation.WithoutCache(decoder)(ids, state)
    logits, read = generation.WithoutCache(decoder)(ids, read)
    assert logits.shape == (2, 1, 50)
    assert read.ids.shape == (2, 2)


@pytest.mark.parametrize("least", [0.0, 1e6])
def test_savings_end_with_a_verdict(least, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", "generation --rounds 1 --lengths 2 4 --beam 2 2 --size 32 1 50".split())
    for name, value in {"AT": 4, "LEAST": least, "LEAST_ALONE": 0.0}.items():
        monkeypatch.setattr(generation, name, value)
    said = assert_verdict(
        generation.main, missed=least > 1, capsys=capsys, kept="saves what it", said="the limit is 1e+06"
    )
    assert said.out.count(" × |") == 2 * 3 * 2 + 3  # two models, three searches, two lengths; and the peer, one length
    assert said.err.count("the limit is") == (4 if least else 0)  # one text alone has a limit of its own


def assert_verdict(main, *, missed, capsys, kept, said):
    threads = torch.get_num_threads()
    try:
        if missed:
            with pytest.raises(SystemExit) as ended:
                main()
            assert ended.value.code == 1
        else:
            main()
    finally:
        torch.set_num_threads(threads)
    found = capsys.readouterr()
    assert (kept in found.out) == (not missed)
    assert (said in found.err) == missed
    return found


def test_seconds_grow_with_the_text():
    config = TransformerConfig(50, 32, max_length=8, dropout=0.0)
    found = generation.seconds("language model", config, 1, 1, (2, 6), 1, CPU)
    assert found.shape == (1, 2, 2)
    assert (found[..., 0] < found[..., 1]).all()


@pytest.mark.parametrize("kind", translators.KINDS)
def test_translators_learn_and_are_scored(kind):
    pairs = load_pairs().train[:64]
    task = scores.Translation(pairs, epochs=1)
    found = translators.measure(kind, task, pairs, pairs[:4], seed=0)
    assert 0 <= found.bleu < 100
    assert 0 <= found.chrf < 100
    assert found.seconds > 0
    assert found.speed == pytest.approx(sum(len(target) - 1 for target in task.targets) / found.seconds)
    line = translators.row(kind, 1, [found, found._replace(bleu=found.bleu + 2)])
    assert line.startswith(f"| {kind} | 1 | {found.bleu + 1:.1f} ({found.bleu:.1f} to {found.bleu + 2:.1f}) | ")
