"""The choices that suit data, from the one table that knows both: conf/suits.yaml, or a person's own in its place."""

from collections.abc import Mapping
from typing import Any

import yaml

from nncli.config.document import Loader, read, refused
from nncli.config.reference import whole
from nncli.config.search_path import find, folders

TRAITS = ("targets", "samples")  # that the table is by


def suits(traits: Mapping[str, Any]) -> dict[str, Any]:
    """The choices (`model`) and values (`model.num_outputs`) for data of these traits; `${name}` is a trait itself."""
    path = find("suits", folders())
    assert path is not None  # one is shipped
    document, found = read(path), {}
    for trait, rows in document.data.items():
        line = document.marks[trait].line
        if trait not in TRAITS:
            raise refused(path, line, "unknown-key", f"{trait} is no such key; the traits are: {', '.join(TRAITS)}")
        words = rows.get(str(traits.get(trait)), []) if isinstance(rows, dict) else None
        if not isinstance(words, list) or not all(isinstance(word, str) and "=" in word for word in words):
            raise refused(path, line, "wrong-value", f"{trait} must be lists such as pictures: [model=cnn]")
        for key, _, value in (word.partition("=") for word in words):
            if whole(value):
                found[key] = traits.get(value[2:-1], value)
                continue
            try:
                plain = yaml.load(value, Loader=Loader) if "." in key else value
            except yaml.YAMLError:
                plain = []
            if isinstance(plain, list | dict | set | tuple):
                raise refused(path, line, "wrong-value", f"{key}={value} must be one number, text, true, false or null")
            found[key] = plain
    return found
