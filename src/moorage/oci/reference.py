"""Names of repositories, tags, and what may stand in the place of either a tag or a digest."""

import re
from dataclasses import dataclass
from typing import NewType, Self

from moorage.errors import NameInvalid, TagInvalid
from moorage.oci.digest import Digest

# Characters. The spec gives no number; clients and other registries agree on this one.
MAX_NAME_LENGTH = 255
MAX_TAG_LENGTH = 128

Tag = NewType("Tag", str)

# distribution-spec, "Pulling manifests". A separator and what follows it share no character: matching is linear.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(rf"[a-zA-Z0-9_][a-zA-Z0-9._-]{{0,{MAX_TAG_LENGTH - 1}}}")


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """An OCI `<name>`, `registry/repository[/more]`; `repository` is empty where there is only one component."""

    registry: str
    repository: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name; raises NameInvalid saying what is wrong with it."""
        if len(text) > MAX_NAME_LENGTH or _NAME.fullmatch(text) is None:
            raise NameInvalid(_what_is_wrong_with_name(text))
        registry, _, repository = text.partition("/")
        return cls(registry, repository)

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}" if self.repository else self.registry


def parse_tag(text: str) -> Tag:
    """Check a tag; raises TagInvalid saying what is wrong with it."""
    if _TAG.fullmatch(text) is None:
        raise TagInvalid(_what_is_wrong_with_tag(text))
    return Tag(text)


def parse_reference(text: str) -> Digest | Tag:
    """Read what stands for a manifest in a path: with a colon a digest, otherwise a tag.

    Raises DigestInvalid or TagInvalid accordingly.
    """
    return Digest.parse(text) if ":" in text else parse_tag(text)


def _what_is_wrong_with_name(text: str) -> str:
    if len(text) > MAX_NAME_LENGTH:
        return f"The repository name has {len(text)} characters: shorten it to at most {MAX_NAME_LENGTH}."
    if _NAME.fullmatch(text.lower()):
        return f"The repository name {text!r} must be in lower case: use {text.lower()!r}."
    return (
        f"{text!r} is not a repository name: between slashes it takes lower-case letters and digits, "
        "separated by single dots, one or two underscores, or hyphens."
    )


def _what_is_wrong_with_tag(text: str) -> str:
    if len(text) > MAX_TAG_LENGTH:
        return f"The tag has {len(text)} characters: shorten it to at most {MAX_TAG_LENGTH}."
    return (
        f"{text!r} is not a tag: it takes letters, digits, underscores, dots and hyphens, "
        "and begins with none of the last two."
    )
