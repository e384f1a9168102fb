"""Texts get the numbers that a published model's own tokenizer gives them, whatever that model fills up with."""

import json
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

from nncli.data.text.text import Text
from nncli.data.text.tokens import Tokenizer
from nncli.data.text.vocabulary import Vocabulary
from nncli.errors import DataError
from tests.data.choices import chosen

WORDS = ["<s>", "<pad>", "</s>", "<unk>", "a", "fine", "dull", "film"]  # as RoBERTa: 0 begins a text, 1 fills up


def write(
    folder: Path, fill: str | None = "<pad>", around: bool = True, words: list[str] = WORDS
) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if around:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": {"content": "</s>"}, "pad_token": fill}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer


def borrow(name: str) -> Vocabulary:
    return Tokenizer(name, None, 1, True, 9).learn({}, [], "auto")


def test_rows_hold_the_models_numbers_with_0_where_it_fills_up(tmp_path: Path) -> None:
    own = write(tmp_path / "m")
    vocabulary = borrow("m")
    flat, lengths = vocabulary.encode(["a fine film", "a b c d e f"], 5)
    theirs = [own.encode("a fine film").ids, [0, 4, 3, 3, 2]]  # cut inside of what stands around
    assert lengths.tolist() == [5, 5]
    assert np.where(flat == 1, 0, flat).tolist() == [*theirs[0], *theirs[1]]
    assert 0 not in flat.tolist()
    assert vocabulary.decode([*flat[:5].tolist(), 0, 0]) == "<s> a fine film </s>"
    assert vocabulary.encode_long("a fine film").tolist() == [4, 5, 7]
    again = Vocabulary.parse(vocabulary.json())
    assert (again.encode(["a fine film"], 9)[0].tolist(), again.size) == (flat[:5].tolist(), 8)


def test_without_a_token_that_fills_up_the_one_that_ends_does(tmp_path: Path) -> None:
    write(tmp_path / "m", fill=None, around=False, words=["<s>", "<bos>", *WORDS[2:]])
    vocabulary = borrow("m")
    assert vocabulary.encode(["a fine film"], 2)[0].tolist() == [4, 5]
    assert vocabulary.decode([4, 2, 0]) == "a <s>"
    assert json.loads(vocabulary.json())["padding"]["pad_id"] == 2


def test_older_models_say_what_fills_up_elsewhere_or_by_its_name_only(tmp_path: Path) -> None:
    write(tmp_path / "named")
    (tmp_path / "named" / "tokenizer_config.json").unlink()
    assert json.loads(borrow("named").json())["padding"]["pad_id"] == 1
    (tmp_path / "named" / "config.json").write_text('{"pad_token_id": 3}')
    assert json.loads(borrow("named").json())["padding"]["pad_id"] == 3


@pytest.mark.parametrize(
    ("model", "fill"),
    [
        ({"eos_token_id": 2}, 2),  # as Qwen: its tokenizer fills up with another, of which the net knows nothing
        ({"eos_token_id": [3, 2]}, 3),
        ({"pad_token_id": -1}, 1),
        ({"pad_token_id": "<pad>"}, 1),
    ],
)
def test_what_the_net_goes_by_comes_first_and_no_number_is_none(
    tmp_path: Path, model: dict[str, object], fill: int
) -> None:
    write(tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text(json.dumps(model))
    assert json.loads(borrow("m").json())["padding"]["pad_id"] == fill


def test_the_numbers_travel_with_the_run_not_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "m")
    (tmp_path / "set").mkdir()
    for name, word in (("good", "fine"), ("bad", "dull")):
        (tmp_path / "set" / f"{name}.txt").write_text(f"a {word} film\n" * 20)
    data = text("m")
    data.setup()
    x, y = data.parts["train"].span(0, 4)
    assert x.tolist() == [[1, 4, 5 if good else 6, 7, 2] for good in y]
    (tmp_path / "m" / "tokenizer.json").unlink()
    later = text("m")
    later.facts = data.facts
    later.setup()
    assert torch.equal(later.parts["train"].span(0, 4)[0], x)


def text(tokens: str, max_length: int = 9) -> Text:
    tokenizer = {"tokens": tokens, "max_length": max_length}
    return chosen("text", path="set", tokenizer=tokenizer, batch_size=4)


def test_what_is_no_tokenizer_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"data\.tokenizer\.tokens is empty, a folder without tokenizer\.json.*save_pretrained"
    ):
        borrow("empty")
    for name in ("wrods", "./gone", "a/b/c"):
        with pytest.raises(
            DataError, match=r"data\.tokenizer\.tokens is .*; it is characters, words, bpe, .*OWNER/NAME"
        ):
            borrow(name)
    (tmp_path / "empty" / "tokenizer.json").write_text("{}")
    (tmp_path / "empty" / "tokenizer_config.json").write_text("{}")
    with pytest.raises(DataError, match=r"data\.tokenizer\.tokens is empty, whose tokenizer cannot be read"):
        borrow("empty")
    write(tmp_path / "odd", words=["a", "b"])
    with pytest.raises(DataError, match=r"does not say what fills up short rows: .*eos_token in tokenizer_config"):
        borrow("odd")
    write(tmp_path / "m")
    with pytest.raises(DataError, match=r"data\.tokenizer\.max_length is 2, and 2 tokens stand around each text"):
        borrow("m").encode(["a"], 2)
