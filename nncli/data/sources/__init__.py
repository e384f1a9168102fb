"""Data sets that are chosen by name, and containers that hold data of any kind."""
