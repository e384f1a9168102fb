"""Data files: downloading, unpacking, checking and reading."""
