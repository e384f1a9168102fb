"""Skip a slow import of Lightning that is not needed."""

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

WAITS, SPARED = "torchmetrics", "scipy.signal"


def spare_scipy_signal() -> None:
    """Spare the import of scipy.signal by torchmetrics, which Lightning imports; it takes a second or more.

    torchmetrics only adds an old name to it, for another package, so an empty module takes its place for that import.
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
                with _stand_in():
                    execute(module)

            real.exec_module = spared
        return spec


@contextmanager
def _stand_in() -> Iterator[None]:
    if SPARED in sys.modules:
        yield
        return
    empty: Any = ModuleType(SPARED)
    empty.hamming = None
    sys.modules[SPARED] = empty
    try:
        yield
    finally:
        if sys.modules.get(SPARED) is empty:
            del sys.modules[SPARED]
        vars(sys.modules.get("scipy", empty)).pop("signal", None)
