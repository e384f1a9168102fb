"""What `data=NAME` builds, with some of its arguments changed."""

from importlib import import_module
from pathlib import Path
from typing import Any

from nncli.config import search_path
from nncli.config.document import read
from nncli.config.origin import Layers

CONF = Path(__file__).parents[2] / "conf"


def chosen(choice: str, /, **changed: Any) -> Any:
    """The source; a section such as `split` is changed key by key, as is `split.method`."""
    layers = Layers()
    for path in search_path.files("data", choice, [CONF]):
        layers.add(read(path))
    stated = layers.tree
    for key, value in changed.items():
        outer, _, inner = key.partition(".")
        section, value = stated.get(outer), {inner: value} if inner else value
        stated[outer] = section | value if isinstance(section, dict) and isinstance(value, dict) else value
    return _built(stated)


def _built(node: Any) -> Any:
    if not isinstance(node, dict) or "_target_" not in node:
        return node
    module, _, name = node["_target_"].rpartition(".")
    return getattr(import_module(module), name)(**{k: _built(v) for k, v in node.items() if k != "_target_"})
