"""The benchmarks that train on the corpora still run, on a handful of examples."""

from benchmarks import headlines, translation
from utils.data import load_headlines, load_pairs


def test_the_translator_learns_a_handful_of_pairs_by_heart():
    pairs = load_pairs().train[:16]
    model, english, french, seconds = translation.train(pairs, epochs=60, seed=0)
    translations = translation.translate(model, english, french, [pair.english for pair in pairs])
    assert sum(text == pair.french for text, pair in zip(translations, pairs, strict=True)) >= 12
    assert seconds > 0


def test_the_headline_writer_copies_words_it_does_not_know():
    items = load_headlines().train[:16]
    texts = [text for item in items for text in item]
    words = headlines.Words(texts, [text for item in items[:8] for text in item])
    assert len(words.every) > len(words.own)
    assert words.own.unknown_id in words.known(items[-1].sentence)
    assert words.read(words.numbers(items[-1].sentence)) == items[-1].sentence
    model, _ = headlines.train(words, items, copying=True, epochs=40, seed=0)
    written = headlines.write(model, words, [item.sentence for item in items])
    known = {word for item in items[:8] for word in words.all.tokens(f"{item.sentence} {item.headline}")}
    assert any(word not in known for text in written[8:] for word in words.all.tokens(text))
