"""Decisions: values in, values and reasons out; pure, with the time passed in."""
