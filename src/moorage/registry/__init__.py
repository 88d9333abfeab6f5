"""Use cases: the only code that joins metadata, storage and policy."""
