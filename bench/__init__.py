"""Moorage and its peers under the same load, in one run: `python -m bench --help`."""
