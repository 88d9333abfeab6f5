"""What a registry may be called."""

import re

from moorage.errors import NameInvalid

_REGISTRY = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


def check_registry_name(text: str) -> str:
    """Return a name that is fit for a registry, or raise NameInvalid with advice."""
    if _REGISTRY.fullmatch(text):
        return text
    if _REGISTRY.fullmatch(text.lower()):
        raise NameInvalid(f"A registry's name is in lower case: use {text.lower()!r}.")
    raise NameInvalid(
        f"{text!r} is not a registry's name: it takes 1 to 63 lower-case letters, digits and hyphens, "
        "begins with a letter and ends with no hyphen."
    )
