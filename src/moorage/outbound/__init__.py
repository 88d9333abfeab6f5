"""Adapters to other people's servers."""
