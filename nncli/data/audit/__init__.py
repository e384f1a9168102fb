"""Errors and suspicious properties of a data set."""
