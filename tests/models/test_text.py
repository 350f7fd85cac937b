"""Tokenisers: any text has ids, BPE gives every text back, words are cut as they are read; and batches of ids."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.data import load_prose
from utils.text import (
    END,
    PAD,
    SPECIAL_TOKENS,
    START,
    UNKNOWN,
    Task,
    Tokenizer,
    length_buckets,
    pad,
    train_bpe_tokenizer,
    train_word_tokenizer,
    word_tokens,
)

ANY_CHARACTER = st.integers(0, 0x10FFFF).map(chr)  # lone surrogates too
ANY_TEXT = st.text(ANY_CHARACTER)
VALID_TEXT = st.text(ANY_CHARACTER.filter(lambda character: not 0xD800 <= ord(character) <= 0xDFFF))
ID_LISTS = st.lists(st.lists(st.integers(1, 99), max_size=12), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def prose() -> list[str]:
    return load_prose()[:300]


@pytest.fixture(scope="module")
def by_word(prose) -> Tokenizer:
    return train_word_tokenizer(prose)


@pytest.fixture(scope="module")
def bpe(prose) -> Tokenizer:
    return train_bpe_tokenizer(prose, vocabulary=500)


@pytest.fixture(params=["by_word", "bpe"])
def tokenizer(request) -> Tokenizer:
    return request.getfixturevalue(request.param)


@settings(max_examples=300)
@given(ANY_TEXT)
def test_any_text_at_all_has_ids_in_range(by_word, bpe, text):
    for tokenizer in (by_word, bpe):
        ids = tokenizer.encode(text)
        assert all(0 <= token_id < len(tokenizer) for token_id in ids)
        assert not {tokenizer.pad_id, tokenizer.start_id, tokenizer.end_id} & set(ids)
        assert len(tokenizer.tokens(text)) == len(ids)
        assert isinstance(tokenizer.decode(ids), str)


@settings(max_examples=300)
@given(VALID_TEXT)
def test_bpe_gives_every_text_back(bpe, text):
    assert bpe.decode(bpe.encode(text, start=True, end=True)) == text
    assert bpe.unknown_id not in bpe.encode(text)


@pytest.mark.parametrize(
    "text", ["</s>", "a <pad> b", "<unk><s>", " \t\n ", "naïve 🦜 e\u0301 \u202eabc\u0000", "x" * 20_000]
)
def test_bpe_gives_hard_texts_back(bpe, text):
    assert bpe.decode(bpe.encode(text)) == text


def test_special_tokens_have_the_first_ids_and_names(tokenizer):
    assert [tokenizer.token(token_id) for token_id in range(4)] == [PAD, UNKNOWN, START, END] == list(SPECIAL_TOKENS)
    ids = (tokenizer.pad_id, tokenizer.unknown_id, tokenizer.start_id, tokenizer.end_id)
    assert ids == (0, 1, 2, 3)


def test_a_special_token_that_someone_types_is_only_text(tokenizer):
    ids = tokenizer.encode("the </s> end", start=True, end=True)
    assert ids[0] == tokenizer.start_id
    assert ids[-1] == tokenizer.end_id
    assert not {0, 2, 3} & set(ids[1:-1])


def test_empty_one_token_very_long_and_damaged_texts(tokenizer):
    assert tokenizer.encode("") == []
    assert tokenizer.encode("", start=True, end=True) == [tokenizer.start_id, tokenizer.end_id]
    assert tokenizer.decode([]) == ""
    assert len(tokenizer.encode(".")) == 1
    assert len(tokenizer.encode("the value is . " * 10_000)) >= 40_000
    assert tokenizer.encode("a \ud800") == tokenizer.encode("a ?")


def test_ids_come_as_a_list_or_a_tensor(tokenizer):
    ids = tokenizer.encode("The value is", start=True, end=True)
    assert tokenizer.decode(torch.tensor([*ids, tokenizer.pad_id])) == tokenizer.decode(ids) == "The value is"
    assert tokenizer.token(torch.tensor(ids[1])) == tokenizer.token(ids[1])


@pytest.mark.parametrize("train", [train_word_tokenizer, train_bpe_tokenizer])
def test_training_takes_any_text(train):
    tokenizer = train(["a \ud800 b", "", "</s> 🦜"])
    assert len(tokenizer) >= 4
    assert tokenizer.token(tokenizer.end_id) == END


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop (now), l'ami: 3.5!", "Do n't stop ( now ) , l' ami : 3 . 5 !"),
        ("I'm at Anna's, we'll see", "I 'm at Anna 's , we 'll see"),
        ("She CAN'T; it’s late", "She CA N'T ; it ’s late"),
        ("Qu'est-ce qu'il n'a pas ?", "Qu' est- ce qu' il n' a pas ?"),
        ("vingt-deux o'clock aujourd'hui", "vingt- deux o' clock aujourd' hui"),
        ("'s 'll don' -a", "' s ' ll don ' - a"),
    ],
)
def test_words_are_cut_as_they_are_read(text, words):
    assert word_tokens(text) == words.split(" ")
    assert train_word_tokenizer([text]).tokens(text) == words.split(" ")


def test_decoding_closes_up_what_was_cut():
    text = "I don't know Anna's (old) friend: it's ten o'clock, the boys' bus will be late!"
    tokenizer = train_word_tokenizer([text])
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.tokens("know croissant") == ["know", UNKNOWN]


def test_french_keeps_its_spaces():
    text = "Qu'est-ce que l'ami dit : vingt-deux ; non, attends ! Où vas-tu ?"
    french, english = (train_word_tokenizer([text], french_spacing=spacing) for spacing in (True, False))
    assert french.decode(french.encode(text)) == text
    assert english.decode(english.encode(text)) == "Qu'est-ce que l'ami dit: vingt-deux; non, attends! Où vas-tu?"


def test_the_settings_of_the_word_tokeniser():
    texts = ["a a a B b b c", "a c"]
    assert len(train_word_tokenizer(texts)) == 4 + 4
    assert len(train_word_tokenizer(texts, lowercase=True)) == 4 + 3
    assert len(train_word_tokenizer(texts, max_vocabulary=6)) == 6
    often = train_word_tokenizer(texts, min_count=2)
    assert often.tokens("a b c B") == ["a", "b", "c", UNKNOWN]
    assert train_word_tokenizer(["caf\u00e9"]).tokens("cafe\u0301") == ["caf\u00e9"]  # one spelling of é


def test_more_vocabulary_gives_fewer_tokens(prose):
    small, large = (train_bpe_tokenizer(prose, vocabulary=size) for size in (300, 1_000))
    assert len(small) == 300
    assert len(large) == 1_000
    assert sum(len(large.encode(text)) for text in prose) < 0.7 * sum(len(small.encode(text)) for text in prose)


# Batches


@given(ID_LISTS, st.integers(-5, 0))
def test_padding_keeps_every_sequence_and_marks_it(sequences, pad_id):
    ids, mask = pad(sequences, pad_id=pad_id)
    longest = max(1, *map(len, sequences), 1)
    assert ids.shape == mask.shape == (len(sequences), longest)
    assert ids.dtype == torch.long
    assert mask.dtype == torch.bool
    assert [row[real].tolist() for row, real in zip(ids, mask, strict=True)] == sequences
    assert mask.sum(dim=1).tolist() == list(map(len, sequences))
    assert bool((ids[~mask] == pad_id).all())
    assert bool((mask[:, 1:] <= mask[:, :-1]).all()), "real tokens come first"


def test_padding_takes_tensors_and_empty_sequences():
    ids, mask = pad([torch.tensor([5, 6]), []])
    assert ids.tolist() == [[5, 6], [0, 0]]
    assert mask.tolist() == [[True, True], [False, False]]
    assert pad([[], []])[0].shape == (2, 1)


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 9), st.integers(0, 99))
def test_every_index_is_in_one_bucket(lengths, batch_size, seed):
    batches = length_buckets(lengths, batch_size, seed=seed)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    assert len(batches) == -(-len(lengths) // batch_size)
    assert batches == length_buckets(lengths, batch_size, seed=seed)


@given(st.data(), st.integers(1, 6), st.integers(1, 6))
def test_no_other_full_batches_need_less_padding(data, batch_size, count):
    size = batch_size * count
    lengths = data.draw(st.lists(st.integers(0, 50), min_size=size, max_size=size))
    order = data.draw(st.permutations(range(size)))
    others = [order[first : first + batch_size] for first in range(0, size, batch_size)]

    def area(batches: list[list[int]]) -> int:
        return sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)

    assert area(length_buckets(lengths, batch_size, seed=0)) <= area(others)


def test_buckets_save_padding_on_real_text_and_epochs_differ(prose, bpe):
    lengths = [len(bpe.encode(text)) for text in prose]

    def padding(batches: list[list[int]]) -> int:
        return sum(max(lengths[i] for i in batch) - lengths[j] for batch in batches for j in batch)

    shuffled = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(0)).tolist()
    unsorted = [shuffled[first : first + 32] for first in range(0, len(shuffled), 32)]
    assert padding(length_buckets(lengths, 32, seed=0)) < 0.25 * padding(unsorted)
    assert length_buckets(lengths, 32, seed=0) != length_buckets(lengths, 32, seed=1)


def test_a_task_holds_its_pairs_as_ids_and_gives_each_once_an_epoch():
    pairs = [(f"I have {'very ' * count}old dogs.", f"J'ai {'de ' * count}vieux chiens !") for count in range(40)]
    task = Task(pairs)
    assert [task.english.decode(ids) for ids in task.source] == [english.lower() for english, _ in pairs]
    assert [task.french.decode(ids) for ids in task.target] == [french for _, french in pairs]
    first, again, other = (task.batches(seed) for seed in (0, 0, 1))
    assert all(torch.equal(*each) for batch in zip(first, again, strict=True) for each in zip(*batch, strict=True))
    for batches in (first, other):
        rows = [row[real].tolist() for source, mask, _ in batches for row, real in zip(source, mask, strict=True)]
        assert sorted(rows) == sorted(task.source)
        assert all(len(source) == len(target) <= 32 for source, _, target in batches)
    assert all(row[0] == task.french.start_id and row[-1] == task.french.end_id for row in task.target)
