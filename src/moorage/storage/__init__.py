"""Blob bytes under keys that are never used twice."""
