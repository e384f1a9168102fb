"""Data sets that are chosen by name, and containers for data of any kind."""
