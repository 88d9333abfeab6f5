"""The data plane: the OCI distribution API under /v2/."""
