"""The Transformer's benchmarks still run, on a handful of examples, and are fair."""

import functools
import sys
from collections.abc import Callable

import pytest
import torch

from benchmarks import generation, scores, transformer, translators
from utils.beam import beam_search
from utils.data import load_pairs
from utils.decoding import generate
from utils.transformer_layers import TransformerConfig

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def prose_is_prepared_once():
    """Let the contests of the decoders and the encoders share what takes longest, a tokeniser of all the prose."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformer, "prose", functools.cache(transformer.prose))
        yield


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
    limits = [least for size, least in transformer.LEAST.items() if f"width {size}:" in contest.name]
    assert contest.least == (limits[0] if limits else 0.0)


def tiny(dropout: float, count: int, least: float = 0.0) -> transformer.Contest:
    """Return a contest of two tables that are to find each token itself."""
    ids = torch.randint(1, 9, (4, 6))
    tables = torch.nn.Embedding(9, 9), torch.nn.Embedding(9, 9)
    return transformer.Contest(f"tiny, {least:g}", dropout, *tables, [((ids,), ids)] * count, count * 24, least)


def test_both_models_of_a_contest_are_trained_and_timed():
    contest = tiny(0.0, 2)
    before = [model.weight.clone() for model in (contest.ours, contest.theirs)]
    ours, theirs = transformer.speeds(contest, rounds=1, device=CPU)
    assert ours > 0
    assert theirs > 0
    for old, model in zip(before, (contest.ours, contest.theirs), strict=True):
        assert not torch.equal(old, model.weight)


def missed_limits(main: Callable[[], None], capsys) -> tuple[str, list[str]]:
    """Run a script that is to miss limits; return the table it prints and the limits it names."""
    threads = torch.get_num_threads()
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        torch.set_num_threads(threads)
    assert ended.value.code == 1
    said = capsys.readouterr()
    return said.out, [line for line in said.err.splitlines() if "the limit is" in line]


def test_ratios_end_with_the_limits_that_were_missed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["transformer", "--rounds", "1", "--batches", "2"])
    monkeypatch.setattr(transformer, "DROPOUTS", (0.1,))
    monkeypatch.setattr(transformer, "CONTESTS", [functools.partial(tiny, least=least) for least in (1e-6, 1e6)])
    table, missed = missed_limits(transformer.main, capsys)
    assert table.count(" × |") == 2
    assert [line.partition(":")[0] for line in missed] == ["- tiny, 1e+06, dropout 0.1"]


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


def test_savings_end_with_the_limits_that_were_missed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", "generation --rounds 1 --lengths 2 4 --beam 2 2 --size 32 1 50".split())
    for name, value in {"AT": 4, "LEAST": 1e6, "LEAST_ALONE": 0.0}.items():
        monkeypatch.setattr(generation, name, value)
    table, missed = missed_limits(generation.main, capsys)
    assert table.count(" × |") == 2 * 3 * 2 + 3  # two models, three searches, two lengths; and the peer, one length
    assert len(missed) == 4  # one text alone has a limit of its own
    assert all("the limit is 1e+06" in line for line in missed)


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


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        (transformer, "--rounds 1 --batches 1", "keeps its limits"),
        (generation, "--rounds 1 --lengths 2 --alone --size 32 1 50", "saves what it must"),
    ],
)
def test_a_script_that_misses_no_limit_ends_well(script, arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["script", *arguments.split()])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    monkeypatch.setattr(transformer, "CONTESTS", [functools.partial(tiny, least=1e-6)])
    for name, value in {"AT": 2, "LEAST_ALONE": 1e-6}.items():
        monkeypatch.setattr(generation, name, value)
    script.main()
    assert said in capsys.readouterr().out
