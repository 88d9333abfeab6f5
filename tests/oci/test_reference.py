"""Which texts name a repository, a tag, or a manifest."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import DigestInvalid, NameInvalid, TagInvalid
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName, parse_reference, parse_tag

COMPONENT = r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}"


@pytest.mark.parametrize(
    ("text", "registry", "repository"),
    [
        ("app", "app", ""),
        ("main/busybox", "main", "busybox"),
        ("main/team/app/blobs/uploads", "main", "team/app/blobs/uploads"),
        ("0/a.b_c__d-e--f---g", "0", "a.b_c__d-e--f---g"),
        ("a/" + "b" * 253, "a", "b" * 253),
    ],
)
def test_name_splits_at_the_first_slash(text: str, registry: str, repository: str) -> None:
    """The first component is the registry, the rest the repository; there may be no rest."""
    name = RepositoryName.parse(text)
    assert (name.registry, name.repository, str(name)) == (registry, repository, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not a repository name"),
        ("/", "is not a repository name"),
        ("/app", "is not a repository name"),
        ("main/", "is not a repository name"),
        ("main//app", "is not a repository name"),
        ("main/app\n", "is not a repository name"),
        ("main/.", "is not a repository name"),
        ("main/../app", "is not a repository name"),
        ("main/a..b", "is not a repository name"),
        ("main/a___b", "is not a repository name"),
        ("main/a._b", "is not a repository name"),
        ("main/-a", "is not a repository name"),
        ("main/a-", "is not a repository name"),
        ("main/a%2fb", "is not a repository name"),
        ("main/a\0b", "is not a repository name"),
        ("main/caf\u00e9", "is not a repository name"),
        ("main/\u0663", "is not a repository name"),
        ("Main/App", "must be in lower case: use 'main/app'"),
        ("a/" + "b" * 254, "has 256 characters: shorten it to at most 255"),
    ],
)
def test_refused_name_is_told_why(text: str, told: str) -> None:
    """What would be a name in lower case, or shorter, is told so."""
    with pytest.raises(NameInvalid) as refused:
        RepositoryName.parse(text)
    assert told in refused.value.message


@pytest.mark.parametrize("text", ["v1", "_", "0", "a.b-c_D", "latest", "sha256-abc.sig", "a" * 128, "list"])
def test_tag_is_taken(text: str) -> None:
    """Letters, digits, underscores, dots and hyphens make a tag."""
    assert parse_tag(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not a tag"),
        (".a", "is not a tag"),
        ("-a", "is not a tag"),
        ("a/b", "is not a tag"),
        ("a+b", "is not a tag"),
        ("a\n", "is not a tag"),
        ("\u00e9", "is not a tag"),
        ("a" * 129, "has 129 characters: shorten it to at most 128"),
    ],
)
def test_refused_tag_is_told_why(text: str, told: str) -> None:
    """Too long and malformed are told apart."""
    with pytest.raises(TagInvalid) as refused:
        parse_tag(text)
    assert told in refused.value.message


def test_colon_makes_a_reference_a_digest() -> None:
    """With a colon only a digest is meant, even a broken one; without, only a tag."""
    assert parse_reference("latest") == "latest"
    assert parse_reference(str(Digest.of(b""))) == Digest.of(b"")
    with pytest.raises(DigestInvalid):
        parse_reference("latest:1")
    with pytest.raises(TagInvalid):
        parse_reference("sha256%3Aabc")


@pytest.mark.parametrize("text", ["a" * 100_000, "a-" * 50_000, "-" * 100_000, "a" + "-" * 99_999, "a/" * 50_000])
def test_hostile_text_is_refused_briefly(text: str) -> None:
    """Long texts neither slow the grammars down nor fill the message."""
    with pytest.raises(NameInvalid) as name_refused:
        RepositoryName.parse(text)
    with pytest.raises(TagInvalid) as tag_refused:
        parse_tag(text)
    assert len(name_refused.value.message) < 300
    assert len(tag_refused.value.message) < 300


@given(st.from_regex(rf"{COMPONENT}(/{COMPONENT}){{0,3}}", fullmatch=True))
def test_every_name_of_the_grammar_round_trips(text: str) -> None:
    """What the spec's grammar yields is taken and written as it was read."""
    assert str(RepositoryName.parse(text)) == text


@given(st.text() | st.text(alphabet="aA0._-/:\n"))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """No text raises anything but NameInvalid, and none that is taken breaks the spec's grammar."""
    try:
        name = RepositoryName.parse(text)
    except NameInvalid:
        return
    assert str(name) == text
    assert re.fullmatch(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*", text)


@given(st.text() | st.text(alphabet="aA0._-/:\n"))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    """No text raises anything but the two errors, and what is taken is written as it was read."""
    with contextlib.suppress(DigestInvalid, TagInvalid):
        assert str(parse_reference(text)) == text
