"""Runs: made, trained, resumed, brought back. Lightning is imported by those modules alone that train."""

from nncli.run.imports import spare_scipy_signal

spare_scipy_signal()
