"""Devices, pipes, sockets and names that no file can have, given as data: one message at once, and nothing is read."""

import os
import signal
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from nncli import fit
from nncli.config.compose import Config, compose
from nncli.errors import ConfigError, DataError, NnError
from nncli.insight.source import source
from nncli.run import folder

PATHS = {  # what a person could give, and what they are told
    "device": ("/dev/zero", r"/dev/zero is a device, not a file"),
    "pipe": ("pipe", r"pipe is a pipe, not a file"),
    "socket": ("socket", r"socket is a socket, not a file"),
    "link to a device": ("link", r"link is a device, not a file"),
    "long": ("x" * 5000, r"x+…x+ cannot be read: file name too long"),
    "NUL": ("a\0b", r"a�b contains a null character"),
    "surrogate": ("a\ud800b", r"a�b contains characters that are not allowed"),
}
KEYS = {"idx": "root", "cifar10": "root", "cifar100": "root", "mnist": "root", "shakespeare": "root"}
SOURCES = ["csv", "parquet", "text", "series", "etth1", "arrays", "folder", "huggingface", *KEYS]


@pytest.fixture(autouse=True)
def _odd(tmp_path: Path) -> Iterator[None]:
    """The odd files, and an end to whatever waits for one of them."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("socket")
    signal.alarm(20)
    yield
    signal.alarm(0)
    listening.close()


@cache
def composed(name: str) -> Config:
    return compose([f"data={name}"])


def read(name: str, key: str, text: str) -> None:
    """Read a set as `nn train` would, its path set past the words, which refuse such characters themselves."""
    config = composed(name)
    config.tree.data[key] = text
    data = source(config)
    data.prepare_data()
    data.setup()


@pytest.mark.parametrize("odd", PATHS)
@pytest.mark.parametrize("name", SOURCES)
def test_every_source_names_it(name: str, odd: str) -> None:
    text, message = PATHS[odd]
    key = KEYS.get(name, "path")
    with pytest.raises(DataError, match=rf"^data\.{key}: {message}") as told:
        read(name, key, text)
    assert len(str(told.value)) < 300
    assert "did you mean" not in str(told.value)


@pytest.mark.parametrize("name", [*KEYS])
def test_a_file_where_a_folder_is_due(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"^data\.root: file is a file; name the folder that it is in"):
        read(name, "root", "file")


@pytest.mark.parametrize("name", ["csv", "parquet", "series"])
def test_a_folder_where_a_file_is_due(name: str, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(DataError, match=r"set is a folder; name the file in it"):
        read(name, "path", "set")


@pytest.mark.parametrize("name", ["csv", "text", "folder", "arrays"])
def test_the_test_part_is_looked_at_too(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na,x\nb,y\n")
    np.savez(tmp_path / "a.npz", x=np.zeros((9, 2), np.float32), y=np.arange(9) % 2)
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "1.txt").write_text("text")
    given = {"csv": "t.csv", "arrays": "a.npz"}.get(name, "set")
    config = compose([f"data={name}", f"data.path={given}", "data.test_path=pipe", "data.batch_size=1"])
    if name == "csv":
        config.tree.data.target = "label"
    with pytest.raises(DataError, match=r"^data\.test_path: pipe is a pipe, not a file"):
        source(config).setup()


FILES = {
    "idx": ("root", "train-images-idx3-ubyte", {}),
    "cifar10": ("root", "test_batch.bin", {}),
    "arrays": ("path", "x.npy", {}),
    "etth1": ("path", "ETTh1.csv", {}),
}


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_inside_a_folder_is_not_waited_for(name: str, tmp_path: Path) -> None:
    key, file, _ = FILES[name]
    (tmp_path / "set").mkdir()
    os.mkfifo(tmp_path / "set" / file)
    if name == "idx":
        (tmp_path / "set" / "train-labels-idx1-ubyte").write_bytes(b"")
    if name == "cifar10":
        os.mkfifo(tmp_path / "set" / "data_batch_1.bin")
    with pytest.raises(DataError, match=r"(is a pipe, not a file)"):
        read(name, key, "set")


@pytest.mark.parametrize("odd", [name for name in PATHS if name not in ("NUL", "surrogate")])
@pytest.mark.parametrize("ending", ["", ".safetensors"])
def test_first_weights_from_it(odd: str, ending: str, tmp_path: Path) -> None:
    text = PATHS[odd][0] + ending
    if ending and odd in ("pipe", "socket", "device", "link to a device"):
        (tmp_path / "odd.safetensors").symlink_to(Path(PATHS[odd][0]).absolute())
        text = "odd.safetensors"
    with pytest.raises(ConfigError) as caught:
        fit([f"model.init_from={text}", "trainer=fast"])
    (problem,) = caught.value.problems
    assert (problem.key, problem.code) == ("model.init_from", "unusable-weights")
    what = {"device": "device", "link to a device": "device", "long": "too long"}.get(odd, odd)
    assert (what if ending else "nn runs ls") in problem.text
    assert len(problem.text) < 400


@pytest.mark.parametrize("word", ["recipe=./{}.yaml", "model={}", "model=../{}", "recipe={}"])
def test_a_recipe_or_choice_with_a_name_too_long(word: str) -> None:
    for length in (300, 5000):
        with pytest.raises(ConfigError):
            fit([word.format("x" * length)])


def test_a_recipe_that_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.yaml")
    with pytest.raises(ConfigError, match=r"recipe = \./r\.yaml .*is a pipe, not a file"):
        fit(["recipe=./r.yaml"])


@pytest.mark.parametrize("odd", PATHS)
def test_a_run_by_such_a_name(odd: str) -> None:
    with pytest.raises(NnError, match=r"no such run: "):
        folder.find(PATHS[odd][0])


@pytest.mark.parametrize("odd", PATHS)
def test_tokens_from_it(odd: str, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    from nncli.data.text.pretrained_tokenizer import pretrained_tokenizer

    text, message = PATHS[odd]
    with pytest.raises(DataError, match=rf"^data\.tokenizer\.tokens: {message}"):
        pretrained_tokenizer(text)


@pytest.mark.parametrize("odd", PATHS)
def test_a_published_model_from_it(odd: str, tmp_path: Path) -> None:
    from nncli.models.hub import place

    text, message = PATHS[odd]
    with pytest.raises(NnError, match=rf"^model\.name={message}"):
        place(text)


def test_a_home_that_nobody_has() -> None:
    for name in ("csv", "series", "folder", "huggingface", "idx"):
        with pytest.raises(DataError, match="nobody-here"):
            read(name, KEYS.get(name, "path"), "~nobody-here/x")
