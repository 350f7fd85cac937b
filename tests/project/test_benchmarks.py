"""The benchmarks still run: those that train, on a handful of examples; that of the views, on weights made up."""

import re
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import bottleneck, explorers, headlines, scores, teacher_forcing, translation
from tests.support.attention_samples import weights
from utils.attention import SCORES
from utils.data import load_headlines, load_pairs

FOLDER = Path(translation.__file__).parent


def test_what_each_script_printed_can_be_read():
    sections = (FOLDER / "RESULTS.md").read_text("utf-8").split("\n## ")
    scripts = [path.stem for path in sorted(FOLDER.glob("*.py")) if "__main__" in path.read_text("utf-8")]
    tables = {name: [each for each in sections if f"`python -m benchmarks.{name}" in each] for name in scripts}
    assert [name for name in scripts if not tables[name]] == [], "RESULTS.md has no table of these"
    assert [name for name in scripts if not all(re.search(r"\n\|(?:---\|)+\n\|", each) for each in tables[name])] == []


def test_the_translator_learns_a_handful_of_pairs_by_heart(monkeypatch):
    monkeypatch.setattr(translation, "LAYERS", 1)
    pairs = load_pairs().train[:16]
    model, english, french, seconds = translation.train(pairs, epochs=30, seed=0, dropout=0.0)
    translations = translation.translate(model, english, french, [pair.english for pair in pairs])
    assert sum(text == pair.french for text, pair in zip(translations, pairs, strict=True)) >= 12
    assert seconds > 0


def test_the_headline_writer_copies_words_it_does_not_know(monkeypatch):
    monkeypatch.setattr(headlines, "LAYERS", 1)
    monkeypatch.setattr(headlines, "DROPOUT", 0.0)
    items = load_headlines().train[:16]
    texts = [text for item in items for text in item]
    words = headlines.Words(texts, [text for item in items[:8] for text in item])
    assert len(words.every) > len(words.own)
    assert words.own.unknown_id in words.known(items[-1].sentence)
    assert words.read(words.numbers(items[-1].sentence)) == items[-1].sentence
    model, _ = headlines.train(words, items, copying=True, epochs=20, seed=0)
    written = headlines.write(model, words, [item.sentence for item in items])
    known = {word for item in items[:8] for word in words.all.tokens(f"{item.sentence} {item.headline}")}
    assert any(word not in known for text in written[8:] for word in words.all.tokens(text))


def test_one_vector_recites_a_handful_of_sentences(monkeypatch):
    monkeypatch.setattr(bottleneck, "GROUPS", {"any": range(40)})
    texts = [(pair.english, pair.french) for pair in load_pairs().train[:16]]
    found = bottleneck.sentences_right(texts, texts[:8], epochs=30, seed=0)
    assert list(found) == ["trained on", "never seen"]
    for ((exact, score),) in found.values():
        assert exact >= 0.75
        assert score > 75


def test_lists_of_numbers_are_scored_by_length(monkeypatch):
    monkeypatch.setattr(bottleneck, "EACH", 5)
    known, fresh = bottleneck.number_lists(16)
    assert [text.count(",") + 1 for text, _ in known] == [*bottleneck.LENGTHS] * 2
    assert all(french.count(",") + 1 == length for length, pairs in fresh.items() for _, french in pairs)
    shares = bottleneck.lists_right(16, epochs=1, seed=0, count=80)
    assert len(shares) == len(bottleneck.LENGTHS)
    assert all(0 <= share < 0.5 for share in shares)


@pytest.mark.parametrize("kind", ["plain", *SCORES])
def test_each_way_of_teacher_forcing_is_the_same_training_step(kind):
    (batch, *_), english, french = teacher_forcing.prepare(load_pairs().train[:64], 2)
    model = teacher_forcing.build(kind, english, french).eval()
    torch.testing.assert_close(teacher_forcing.one_call(model, *batch), teacher_forcing.token_by_token(model, *batch))
    assert teacher_forcing.own_words(model, *batch).shape == (*batch[2].shape, french)
    assert teacher_forcing.tokens_per_second(teacher_forcing.one_call, model, [batch]) > 0


@pytest.mark.parametrize("kind", ["scaled general", scores.SLIDE])
def test_a_score_is_measured_on_a_handful_of_pairs(kind):
    corpus = load_pairs()
    task = scores.Translation(corpus.train[:64], epochs=1)
    bleu, chrf, error, sharpness = scores.measure(task, kind, 0, corpus.train[:4], corpus.test)
    assert 0 <= bleu < 100
    assert 0 <= chrf < 100
    assert 0 < error <= 1
    assert 0.05 < sharpness < 1


# --- the views of attention

SIXTEEN = (tuple(weights(1, 12, 16, 16, seed=layer) for layer in range(6)), ["word"] * 16)


@pytest.fixture
def in_a_browser(chromium, monkeypatch) -> None:
    """Let the benchmark use the browser that is there: Playwright cannot start a second one in this process."""
    monkeypatch.setattr(explorers, "browser", lambda: nullcontext(chromium))


@pytest.mark.browser
@pytest.mark.usefixtures("in_a_browser")
def test_what_a_view_costs_is_measured():
    found = explorers.cost(explorers.OURS, *SIXTEEN, scripts=None, rounds=1, limit=60)
    assert found.build > 0
    assert 0 < found.paint < found.answer
    assert found.size < explorers.LIMITS[16].size
    assert 100 < found.elements < explorers.LIMITS[16].elements


@pytest.mark.browser
@pytest.mark.usefixtures("in_a_browser")
def test_view_that_does_not_come_is_given_up():
    view = replace(explorers.OURS, there="() => false")
    found = explorers.cost(view, *SIXTEEN, scripts=None, rounds=1, limit=1)
    assert found.paint is found.answer is found.elements is None
    assert explorers.row(16, view, found, found, limit=1).endswith(" | over 1 | over 1 | – |")
    assert any("no end of s to the first paint" in said for said in explorers.missed(16, found))


@pytest.mark.browser
@pytest.mark.usefixtures("in_a_browser")
def test_table_ends_with_the_limits_that_were_missed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["explorers", "--sizes", "16", "64", "--rounds", "1"])
    monkeypatch.setattr(explorers, "attention_of_prose", lambda sizes: dict.fromkeys(sizes, SIXTEEN))
    for size, most in {16: 60_000, 64: 1_000}.items():
        monkeypatch.setitem(explorers.LIMITS, size, explorers.Limits(most, build=60, paint=60))
    with pytest.raises(SystemExit) as ended:
        explorers.main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert "only the course's own view is measured" in said.out
    assert "| 16 | AttentionExplorer | 0.0" in said.out
    assert [line.partition(":")[0] for line in said.err.splitlines() if "the limit is" in line] == ["- 64 tokens"]


def test_files_of_another_content_are_refused(tmp_path):
    (tmp_path / "bertviz").mkdir()
    (tmp_path / "require.min.js").write_text("alert(1)", "utf-8")
    with pytest.raises(ValueError, match="is not the file that this benchmark knows"):
        explorers.install(tmp_path)


KEPT = explorers.Cost(size=60_000, build=0.01, paint=0.5, answer=9, elements=1_999)


def test_every_missed_limit_is_named():
    assert explorers.missed(16, KEPT) == explorers.missed(9, KEPT) == []
    for change, said in (
        ({"size": 60_001}, "16 tokens: 60,001 bytes, the limit is 60,000"),
        ({"build": 0.02}, "16 tokens: 0.02 s of Python, the limit is 0.01"),
        ({"paint": 0.75}, "16 tokens: 0.75 s to the first paint, the limit is 0.5"),
        ({"elements": 2_001}, "16 tokens: 2,001 elements, the limit is 2,000"),
    ):
        assert explorers.missed(16, replace(KEPT, **change)) == [said]


def test_table_that_misses_no_limit_ends_well(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["explorers", "--sizes", "16"])
    monkeypatch.setattr(explorers, "attention_of_prose", lambda sizes: dict.fromkeys(sizes, SIXTEEN))
    monkeypatch.setattr(explorers, "executable", lambda: "a browser")
    monkeypatch.setattr(explorers, "cost", lambda *_, **__: KEPT)
    explorers.main()
    assert "keeps all its limits" in capsys.readouterr().out


@pytest.mark.nightly
@pytest.mark.browser
@pytest.mark.usefixtures("in_a_browser")
def test_view_that_does_not_answer_is_given_up():
    view = replace(explorers.OURS, answers="() => null")
    found = explorers.cost(view, *SIXTEEN, scripts=None, rounds=1, limit=5)
    assert found.paint is not None
    assert found.answer is found.elements is None
    assert explorers.row(16, view, found, found, limit=5).endswith(" | over 5 | – |")
