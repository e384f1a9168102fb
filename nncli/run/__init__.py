"""Runs: made, trained, resumed, brought back. Lightning is imported by those modules alone that train."""

from nncli.run.imports import spare_slow_imports

spare_slow_imports()
