"""The schema's history: one revision a file, forward only, run by moorage.metadata.schema."""
