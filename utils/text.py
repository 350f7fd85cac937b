"""From text to ids and back, and from ids to batches."""

import random
import re
from collections.abc import Callable, Iterable, Sequence

import tokenizers
import torch
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

PAD, UNKNOWN, START, END = "<pad>", "<unk>", "<s>", "</s>"
SPECIAL_TOKENS = (PAD, UNKNOWN, START, END)  # ids 0, 1, 2, 3 in every tokeniser the course trains
# English clitics stand alone, as in the Penn Treebank (don't → do + n't, Anna's → Anna + 's); otherwise a word keeps
# the apostrophe or hyphen that ties it to the next (l'ami → l' + ami, vingt-deux → vingt- + deux); other marks stand
# alone. Decoding closes up just those places, so a sentence comes back as it was.
_CLITIC = r"(?:n['’]t|(?<=\w)['’](?:s|m|re|ve|ll|d))\b"
_WORD = rf"(?i)\w+?(?=n['’]t\b)|{_CLITIC}|\w+(?={_CLITIC})|\w+['’-](?=\w)|\w+|[^\w\s]"
_WORDS = pre_tokenizers.Sequence(
    [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(tokenizers.Regex(_WORD), behavior="isolated")]
)
_CLOSED = r"(?<=\w['’-]) (?=\w)|(?<=\w) (?=(?:n['’]t|['’](?:s|m|re|ve|ll|d))\b)|(?<=[(\[{]) "
_ENGLISH_SPACE = re.compile(rf"(?i){_CLOSED}| (?=[.,;:!?…)\]}}%])|(?<=s) (?=['’](?: |$))")
_FRENCH_SPACE = re.compile(rf"(?i){_CLOSED}| (?=[.,…)\]}}])")


class Tokenizer:
    """A ``tokenizers.Tokenizer`` with the course's four special tokens and the names its lessons use."""

    pad_id, unknown_id, start_id, end_id = range(len(SPECIAL_TOKENS))

    def __init__(self, backend: tokenizers.Tokenizer, join: Callable[[list[str]], str]):
        self.backend = backend
        self.backend.encode_special_tokens = True  # a "</s>" that someone types is text, and ends nothing
        self._join = join

    def __len__(self) -> int:
        return self.backend.get_vocab_size()

    def tokens(self, text: str) -> list[str]:
        """Return the pieces that ``text`` is cut into; a piece outside the vocabulary reads ``<unk>``."""
        return [self.token(token_id) for token_id in self.encode(text)]

    def encode(self, text: str, *, start: bool = False, end: bool = False) -> list[int]:
        """Return the ids of ``text``, with the start and end ids if asked for; empty text has no ids of its own.

        Raises ``ValueError`` if ``text`` is not a string.
        """
        if not isinstance(text, str):
            raise ValueError(f"encode takes one string, not {type(text).__name__}; encode the items of a list in turn.")
        ids = self.backend.encode(_valid_unicode(text), add_special_tokens=False).ids
        return [self.start_id] * start + ids + [self.end_id] * end

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ``ids`` (a list or a 1-D tensor); padding, start and end are left out."""
        silent = (self.pad_id, self.start_id, self.end_id)
        return self._join([self.token(token_id) for token_id in ids if token_id not in silent])

    def token(self, token_id: int) -> str:
        """Return the piece with this id. Raises ``ValueError`` if there is none."""
        piece = self.backend.id_to_token(int(token_id)) if token_id >= 0 else None
        if piece is None:
            raise ValueError(f"there is no token {int(token_id)}; ids run from 0 to {len(self) - 1}.")
        return piece


def word_tokens(text: str) -> list[str]:
    """Return the words and marks of ``text``, cut as by word-level tokenisers: ``I'm here.`` gives ``I 'm here .``."""
    return [piece for piece, _ in _WORDS.pre_tokenize_str(_valid_unicode(text))]


def train_word_tokenizer(
    texts: Iterable[str],
    *,
    max_vocabulary: int = 10_000,
    min_count: int = 1,
    lowercase: bool = False,
    french_spacing: bool = False,
) -> Tokenizer:
    """Build a word-level tokeniser: the most frequent words and marks get ids, all others become ``<unk>``.

    ``max_vocabulary`` counts the four special tokens; ``min_count`` is how often a word must be seen to get an id.
    With ``french_spacing`` decoding leaves the space that French puts before ``? ! : ; %``.
    """
    backend = tokenizers.Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    backend.normalizer = normalizers.Sequence([normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])])
    backend.pre_tokenizer = _WORDS
    trainer = trainers.WordLevelTrainer(
        vocab_size=max_vocabulary, min_frequency=min_count, special_tokens=list(SPECIAL_TOKENS), show_progress=False
    )
    backend.train_from_iterator((_valid_unicode(text) for text in texts), trainer)
    closed = _FRENCH_SPACE if french_spacing else _ENGLISH_SPACE
    return Tokenizer(backend, join=lambda pieces: closed.sub("", " ".join(pieces)))


def train_bpe_tokenizer(texts: Iterable[str], *, vocabulary: int = 2_000) -> Tokenizer:
    """Build a byte-level BPE tokeniser (Sennrich et al. 2016; bytes as in GPT-2): any text at all has ids.

    ``vocabulary`` counts the four special tokens and the 256 bytes, so it must be at least 260.
    """
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    smallest = len(SPECIAL_TOKENS) + len(alphabet)
    if vocabulary < smallest:
        raise ValueError(f"a byte-level vocabulary needs at least {smallest} entries; {vocabulary} were asked for.")
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL_TOKENS), initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator((_valid_unicode(text) for text in texts), trainer)
    return Tokenizer(backend, join=decoders.ByteLevel().decode)


def pad(sequences: Sequence[Sequence[int]], *, pad_id: int = Tokenizer.pad_id) -> tuple[Tensor, Tensor]:
    """Stack id lists of unequal length into one rectangle, padded on the right.

    Returns ``ids`` (batch, longest), int64, and ``mask`` of the same shape, ``True`` where there is a real token. The
    rectangle is at least one column wide, so that a batch of empty sequences is still a batch.
    """
    if len(sequences) == 0:
        raise ValueError("there is nothing to pad: give at least one sequence of ids.")
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    ids = torch.full((len(sequences), max(1, int(lengths.max()))), pad_id, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.as_tensor(sequence, dtype=torch.long)
    return ids, torch.arange(ids.size(1)) < lengths[:, None]


def length_buckets(lengths: Sequence[int], batch_size: int, *, seed: int) -> list[list[int]]:
    """Group the indices of ``lengths`` into batches of similar length, in shuffled order.

    Every index occurs exactly once. Sequences of one batch are neighbours in length, so little of the rectangle is
    padding; ties and the order of the batches are shuffled by ``seed``, so that epochs differ.
    """
    if batch_size < 1:
        raise ValueError(f"a batch holds at least one sequence; batch_size is {batch_size}.")
    generator = random.Random(seed)
    order = list(range(len(lengths)))
    generator.shuffle(order)
    order.sort(key=lambda index: lengths[index])  # stable: equal lengths keep their shuffled order
    batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    generator.shuffle(batches)
    return batches


class Task:
    """Sentence pairs to translate, as ids, and the word tokenisers that cut them."""

    def __init__(self, pairs: list[tuple[str, str]]):
        english, french = zip(*pairs, strict=True)
        self.english = train_word_tokenizer(english, lowercase=True)
        self.french = train_word_tokenizer(french, french_spacing=True)
        self.source = [self.english.encode(text, end=True) for text in english]
        self.target = [self.french.encode(text, start=True, end=True) for text in french]

    def batches(self, seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return batches of source, mask and target, sentences of similar length together."""
        buckets = length_buckets([len(row) for row in self.target], batch_size=32, seed=seed)
        return [(*pad([self.source[i] for i in rows]), pad([self.target[i] for i in rows])[0]) for rows in buckets]


def _valid_unicode(text: str) -> str:
    """Replace lone surrogates, which no encoder accepts, by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
