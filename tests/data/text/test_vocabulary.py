"""Texts become numbers and texts again."""

import pytest

from nncli.data.text.vocabulary import UNKNOWN, Kind, Vocabulary
from nncli.errors import DataError

TEXT = "To be, or not to be: that is the question.\nWhether 'tis nobler\tin the mind — Größe 中文 🙂\n"


def learn(text: str, kind: Kind, vocab_size: int | None = None, min_count: int = 1, low: bool = False) -> Vocabulary:
    return Vocabulary.learn([text], kind, vocab_size, min_count, low)


@pytest.mark.parametrize(("kind", "size"), [("characters", None), ("bpe", 300)])
def test_a_text_comes_back_as_it_was(kind: Kind, size: int | None) -> None:
    vocabulary = learn(TEXT, kind, size)
    ids = vocabulary.encode_long(TEXT)
    assert vocabulary.decode(ids.tolist()) == TEXT
    assert int(ids.min()) > UNKNOWN
    assert int(ids.max()) < vocabulary.size


def test_words_come_back_with_one_blank_between() -> None:
    vocabulary = learn("It's  a dog, don't!", "words")
    assert vocabulary.decode(vocabulary.encode_long("a dog,\n it's It's").tolist()) == "a dog , � It's"


@pytest.mark.parametrize(("kind", "size"), [("characters", None), ("words", None), ("bpe", 300)])
@pytest.mark.parametrize("low", [False, True])
def test_a_saved_vocabulary_gives_the_same_numbers_as_its_library_does(kind: Kind, size: int | None, low: bool) -> None:
    vocabulary = learn(TEXT, kind, size, low=low)
    again = Vocabulary.parse(vocabulary.json())
    probe = "İs THAT the ΣΊΣΥΦΟΣ mind?"
    ids = vocabulary.encode_long(probe).tolist()
    assert again.encode_long(probe).tolist() == ids
    assert again.tokenizer.encode(probe).ids == ids


def test_bytes_leave_nothing_unknown() -> None:
    assert UNKNOWN not in learn("abc", "bpe", 258).encode_long("völlig neu 🙂").tolist()


def test_no_text_can_spell_the_reserved_tokens() -> None:
    texts = "[no token] [unknown token] " * 50
    for kind, size in (("characters", None), ("words", None), ("bpe", 400)):
        vocabulary = learn(texts, kind, size)  # pyright: ignore[reportArgumentType]
        assert int(vocabulary.encode_long(texts).min()) > UNKNOWN


def test_the_most_frequent_tokens_are_kept() -> None:
    vocabulary = learn("a a a b b c", "words", vocab_size=4)
    assert vocabulary.size == 4
    assert vocabulary.encode(["a b c d"], 9)[0].tolist() == [2, 3, UNKNOWN, UNKNOWN]
    assert learn("a a a b b c", "words", min_count=2).size == 4
    assert learn("aabc", "characters", min_count=2).size == 3


def test_rows_are_cut_and_none_is_empty() -> None:
    vocabulary = learn("one two three", "words")
    flat, lengths = vocabulary.encode(["one two three", "", " \t", "three"], 2)
    assert lengths.tolist() == [2, 1, 1, 1]
    assert vocabulary.decode(flat.tolist()) == "one two � � three"


def test_a_line_of_ten_million_characters_costs_no_more_than_its_part() -> None:
    vocabulary = learn("word", "words")
    assert vocabulary.encode(["word " * 2_000_000], 8)[1].tolist() == [8]


def test_too_few_byte_pairs_are_refused() -> None:
    with pytest.raises(DataError, match=r"data\.tokenizer\.vocab_size is 100; .*258 or more"):
        learn("abc", "bpe", 100)
