"""The OCI specifications as values: pure, standard library only."""
