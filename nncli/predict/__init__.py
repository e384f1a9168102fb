"""Predict with a run or an exported file: from inputs in any form to a table of answers."""
