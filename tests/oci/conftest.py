"""Settings of the generated tests."""

from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("oci", deadline=None)
settings.load_profile("oci")
