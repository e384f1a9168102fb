"""From text to token ids and back: characters, words or byte pairs, with the tokenizers library."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nncli.data.numbers import PAD
from nncli.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Kind = Literal["characters", "words", "bpe"]
UNKNOWN = 1
RESERVED = ["[no token]", "[unknown token]"]  # ids 0 and 1; with a blank, so that no text contains one
WORD = r"\w+(?:['’]\w+)*|[^\w\s]"  # don't is one word, a punctuation mark is a word of its own
BYTES = 256
PIECE = 1 << 16  # characters of a long text that are encoded as one
AT_ONCE = 1 << 20  # characters encoded in one call, which needs some hundred bytes per token


class Vocabulary:
    """Tokens and their ids. 0 is padding, 1 an unknown token.

    In the vocabulary of a published model, 0 is swapped with the padding id of the model, and its special tokens are
    added around each text.
    """

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self._text = tokenizer.to_str()
        self.tokenizer = tokenizer
        self.size = tokenizer.get_vocab_size()
        model = json.loads(self._text)
        self.pretrained = model["padding"] is not None
        self._fill: int = model["padding"]["pad_id"] if self.pretrained else PAD
        tokenizer.no_padding()
        characters = (model["pre_tokenizer"] or {}).get("pattern") == {"String": ""} and not self.pretrained
        self._table = _table(tokenizer.get_vocab()) if characters else None

    @classmethod
    def parse(cls, text: str) -> "Vocabulary":
        """The vocabulary from the output of `json`."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_str(text))

    @classmethod
    def learn(
        cls, texts: Sequence[str], kind: Kind, vocab_size: int | None, min_count: int, lowercase: bool
    ) -> "Vocabulary":
        """The `vocab_size` most frequent tokens of some texts, including both reserved ones; None takes all."""
        from tokenizers import normalizers

        if kind == "bpe":
            tokenizer = _learn_pairs(texts, vocab_size, min_count, lowercase)
        else:
            tokenizer = _learn_whole(texts, kind, vocab_size, min_count, lowercase)
        if lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        return cls(tokenizer)

    def json(self) -> str:
        return self._text

    def encode(self, texts: Sequence[str], max_length: int) -> tuple[np.ndarray, np.ndarray]:
        """The concatenated ids, and the number of ids of each text: 1 to `max_length`."""
        if self.pretrained:
            if max_length <= (around := self.tokenizer.num_special_tokens_to_add(False)):
                raise DataError(
                    f"data.tokenizer.max_length is {max_length}, and {around} tokens stand around each text"
                )
            self.tokenizer.enable_truncation(max_length)  # without the special tokens
        lengths, pieces = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
        for some in _batches([text[: max_length * 32] for text in texts]):  # so that a huge line takes no longer
            found = self._ids(some)
            counts = np.fromiter(map(len, found), np.int64, len(found))
            flat = np.concatenate(found)
            place = np.arange(len(flat)) - np.repeat(counts.cumsum() - counts, counts)
            pieces.append(flat[place < max_length])
            lengths.append(counts.clip(max=max_length))
        return np.concatenate(pieces), np.concatenate(lengths)

    def encode_long(self, text: str) -> np.ndarray:
        """The ids of one text of any size; words and byte pairs end at the end of a line."""
        whole = self._table is not None
        pieces = [text] if whole else [line[i : i + PIECE] for line in _lines(text) for i in range(0, len(line), PIECE)]
        self.tokenizer.no_truncation()
        found = [ids for some in _batches(pieces) for ids in self._ids(some, empty=[], around=False)]
        return np.concatenate(found) if found else np.zeros(0, np.int32)

    def decode(self, ids: Iterable[Any]) -> str:
        """The text of some ids. Blanks between words are lost; unknown tokens are �."""
        known = self._swapped(np.array([int(i) for i in ids if int(i) != PAD], dtype=np.int32)).tolist()
        return self.tokenizer.decode(known, skip_special_tokens=False).replace(RESERVED[UNKNOWN], "�")

    def _ids(self, texts: list[str], empty: Sequence[int] = (UNKNOWN,), around: bool = True) -> list[np.ndarray]:
        """The ids of each text; a text without tokens has `empty`."""
        nothing = np.array(empty, dtype=np.int32)
        if self._table is not None:
            table = self._table
            texts = [self.tokenizer.normalizer.normalize_str(t) for t in texts] if self.tokenizer.normalizer else texts
            return [table[_codes(text)] if text else nothing for text in texts]
        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=around)
        return [self._swapped(np.array(one.ids, dtype=np.int32)) if len(one) else nothing for one in encoded]

    def _swapped(self, ids: np.ndarray) -> np.ndarray:
        """Swap 0 and the padding id of the model."""
        return ids if self._fill == PAD else np.where(ids == PAD, self._fill, np.where(ids == self._fill, PAD, ids))


def _learn_whole(
    texts: Sequence[str], kind: Kind, vocab_size: int | None, min_count: int, lowercase: bool
) -> "Tokenizer":
    """Tokens are words or characters."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    if kind == "characters":
        joined = "".join(texts)
        codes = _codes(normalizers.Lowercase().normalize_str(joined) if lowercase else joined)
        which, counts = np.unique(codes, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        tokens = [chr(which[i]) for i in order if counts[i] >= min_count]
    else:
        scratch = Tokenizer(models.WordLevel())
        if lowercase:
            scratch.normalizer = normalizers.Lowercase()
        scratch.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), "removed", invert=True)
        trainer: Any = trainers.WordLevelTrainer(
            vocab_size=1 << 31, min_frequency=min_count, show_progress=False, special_tokens=[]
        )
        scratch.train_from_iterator(texts, trainer)
        vocab = scratch.get_vocab()
        tokens = sorted(vocab, key=vocab.__getitem__)
    every = [*RESERVED, *tokens][:vocab_size]
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(every)}, unk_token=RESERVED[UNKNOWN]))
    if kind == "characters":
        tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        tokenizer.decoder = decoders.Fuse()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), "removed", invert=True)
    return tokenizer


def _learn_pairs(texts: Sequence[str], vocab_size: int | None, min_count: int, lowercase: bool) -> "Tokenizer":
    """Byte-pair encoding (Sennrich et al. 2016), over bytes, so that nothing is unknown."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    least = BYTES + len(RESERVED)
    if vocab_size is None or vocab_size < least:
        raise DataError(
            f"data.tokenizer.vocab_size is {vocab_size}; byte pairs (data.tokenizer.tokens=bpe) need a number, "
            f"{least} or more"
        )
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False)
    scratch = Tokenizer(models.BPE())
    scratch.pre_tokenizer = bytewise
    if lowercase:
        scratch.normalizer = normalizers.Lowercase()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=vocab_size - len(RESERVED),
        min_frequency=min_count,
        show_progress=False,
        special_tokens=[],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    scratch.train_from_iterator(
        [line[i : i + PIECE] for t in texts for line in _lines(t) for i in range(0, len(line), PIECE)], trainer
    )
    model = json.loads(scratch.to_str())["model"]
    vocab = {token: number + len(RESERVED) for token, number in model["vocab"].items()}
    vocab |= {token: number for number, token in enumerate(RESERVED)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(pair) for pair in model["merges"]]))
    tokenizer.pre_tokenizer = bytewise
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _table(vocab: dict[str, int]) -> np.ndarray:
    """The id of each code point."""
    table = np.full(0x110000, UNKNOWN, dtype=np.int32)
    for token, number in vocab.items():
        if len(token) == 1:
            table[ord(token)] = number
    return table


def _lines(text: str) -> list[str]:
    """The lines, including their ends."""
    pieces = text.split("\n")
    return [f"{piece}\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Batches of texts that fit into memory."""
    some: list[str] = []
    size = 0
    for text in texts:
        some.append(text)
        size += len(text)
        if size >= AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some
