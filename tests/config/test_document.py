"""Hostile YAML is refused within time; plain YAML is read as OmegaConf reads it, every line known."""

import io
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from nncli.config.document import Dumper, parse, read
from nncli.errors import ConfigError

# name: (text, code, what the message names); the parser itself may notice deep nesting first
HOSTILE: dict[str, tuple[str, str, str]] = {
    "python tag": ("a: !!python/object/apply:os.system [id]\n", "invalid-yaml", "tag"),
    "own tag": ("a: !mine x\n", "invalid-yaml", "tag"),
    "binary": ("a: !!binary aGVsbG8=\n", "invalid-yaml", "tag"),
    "alias bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "invalid-yaml", "anchors"),
    "merge key": ("a: {x: 1}\nb:\n  <<: {y: 2}\n", "invalid-yaml", "'<<'"),
    "unclosed lists": ("a: " + "[" * 100_000, "too-large invalid-yaml", ""),
    "deep lists": ("a: " + "[" * 100_000 + "]" * 100_000, "too-large invalid-yaml", ""),
    "deep mappings": ("a: " + "{a: " * 100_000, "too-large", "40"),
    "large file": ("a: " + "x" * 2_000_000, "too-large", "1,000,000"),
    "long number": ("a: " + "9" * 900_000, "invalid-yaml", "999"),
    "many items": ("a: [" + "1," * 60_000 + "]\n", "too-large", ""),
    "twice": ("a: 1\na: 2\n", "duplicate", "a"),
    "documents": ("a: 1\n---\nb: 2\n", "invalid-yaml", "document"),
    "list": ("- a\n", "invalid-yaml", "keys"),
    "number as key": ("1: a\n", "invalid-yaml", "quotes"),
    "dotted key": ("a.b: 1\n", "invalid-yaml", "a.b"),
    "control": ("a: \x01\n", "invalid-yaml", ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_is_refused_in_bounded_time(name: str, tmp_path: Path) -> None:
    text, code, named = HOSTILE[name]
    path = tmp_path / "evil.yaml"
    path.write_text(text)
    start = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert time.monotonic() - start < 2
    problem = caught.value.problems[0]
    assert problem.where.startswith("evil.yaml:")
    assert problem.code in code.split()
    assert named in problem.text


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("a: 1\nb: [1\nc: 2\n")
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert caught.value.problems[0].where == "broken.yaml:3"


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match="UTF-8") as caught:
        read(path)
    assert caught.value.problems[0].code == "unreadable-file"


def test_each_key_has_its_line_and_its_comment() -> None:
    text = "# What it is.\na: 1   # one\nb:     # a section\n  c: {d: x # y}\n  }\nlist:\n  - p: 1 # first\n"
    document = parse(text.replace("x # y}\n  }", "'x # y'}  # flow"), Path("x.yaml"))
    assert document.headline == "What it is."
    assert (document.marks["a"].line, document.marks["a"].comment) == (2, "one")
    assert document.marks["b"].comment == "a section"
    assert (document.marks["b.c.d"].line, document.marks["b.c"].comment) == (4, "flow")
    assert (document.marks["list.0.p"].line, document.marks["list.0.p"].comment) == (6, "first")


SAMPLES = [
    "1e-3",
    "1.0e-8",
    "1_000",
    "0x1F",
    "yes",
    "off",
    "null",
    "~",
    "2020-01-01",
    ".5",
    "-.inf",
    "010",
    "1:30",
    "'1'",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_values_are_read_as_omegaconf_reads_them(text: str) -> None:
    ours = parse(f"a: {text}\n", Path("x.yaml")).data
    theirs = OmegaConf.to_container(OmegaConf.load(io.StringIO(f"a: {text}\n")))
    assert ours == theirs


leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
name = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
tree = st.dictionaries(name, st.recursive(leaf, lambda s: st.lists(s) | st.dictionaries(name, s), max_leaves=8))


@given(tree)
def test_what_is_written_is_read_back(values: dict[str, object]) -> None:
    import yaml

    text = yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    assert parse(text, Path("x.yaml")).data == values
