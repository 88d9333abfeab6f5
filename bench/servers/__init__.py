"""The servers that are measured: how each is started, asked for access and filled."""
