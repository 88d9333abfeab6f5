"""Settings that hold for every suite."""

import os

from hypothesis import settings

# In CI the same examples in every run, so that a red build is about the change; at home new ones each time.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("home", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "home")
