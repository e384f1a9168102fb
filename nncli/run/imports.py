"""Skip slow imports of Lightning's that are not needed."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

WAITS, SPARED = "torchmetrics", ("scipy.signal", "transformers")


def spare_slow_imports() -> None:
    """Spare the imports by torchmetrics, which Lightning imports, of what takes a second or more.

    torchmetrics adds an old name to scipy.signal, for another package, and uses transformers only in a few of its
    metrics. An empty module takes their place for that import, whose names are looked up when they are used.
    """
    if WAITS not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Wraps the loading of torchmetrics, once."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if name != WAITS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            real: Any = spec.loader
            execute = real.exec_module

            def spared(module: ModuleType) -> None:
                with _stand_ins():
                    execute(module)

            real.exec_module = spared
        return spec


@contextmanager
def _stand_ins() -> Iterator[None]:
    empty = {name: _Empty(name) for name in SPARED if name not in sys.modules}
    sys.modules |= empty
    try:
        yield
    finally:
        for name, module in empty.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
            above, _, own = name.rpartition(".")
            if vars(sys.modules.get(above, module)).get(own) is module:
                delattr(sys.modules[above], own)


class _Empty(ModuleType):
    """Stands in for a module."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Later(self.__name__, name)


class _Later:
    """A name of a module that is imported when the name is used."""

    def __init__(self, module: str, name: str) -> None:
        self._place = module, name

    def _real(self) -> Any:
        module, name = self._place
        return getattr(importlib.import_module(module), name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)
