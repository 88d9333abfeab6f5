"""Tags as they are set by PUT: several at once (end-7b), and under conditions (RFC 9110 §13)."""

import pytest

from tests.distribution.making import ALGORITHMS, digest_of, image, index, unknown_digest
from tests.distribution.repository import Repository, assert_error


def tags_told(headers: list[str]) -> list[str]:
    """Read OCI-Tag, which may be several lines of lists."""
    return [tag.strip() for line in headers for tag in line.split(",")]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("count", [1, 2, 10, 100])
def test_several_tags(repository: Repository, algorithm: str, count: int) -> None:
    """A manifest pushed by digest takes the tags of the query, at least ten, and OCI-Tag lists them."""
    content, tags = image(*repository.push_parts()), [f"t{number:03}" for number in range(count)]
    digest = digest_of(content.data, algorithm)

    answer = repository.put_manifest(content, digest, params={"tag": tags})

    assert answer.status_code == 201
    assert sorted(tags_told(answer.headers.get_list("OCI-Tag"))) == tags
    assert repository.tags().json()["tags"] == tags
    for tag in tags[:3]:
        assert repository.manifest(tag, "HEAD").headers["Docker-Content-Digest"] == digest


def test_too_many_tags(repository: Repository) -> None:
    """More tags than the registry takes are 414, and none of them is set."""
    content = index()

    answer = repository.put_manifest(content, content.digest, params={"tag": [f"t{number}" for number in range(101)]})

    assert answer.status_code == 414
    assert repository.manifest(content.digest).status_code == 404


@pytest.mark.parametrize("tag", ["", ".hidden", "a b", "a" * 129, "a:b", "a,b", "a\r\nb"])
def test_one_malformed_tag(repository: Repository, tag: str) -> None:
    """One malformed tag refuses all: nothing is stored."""
    content = index()

    assert_error(repository.put_manifest(content, content.digest, params={"tag": ["good", tag]}), 400, "TAG_INVALID")
    assert repository.manifest(content.digest).status_code == 404


def test_repeated_tag(repository: Repository) -> None:
    """A tag that is named twice is set once."""
    content = index()

    answer = repository.put_manifest(content, content.digest, params={"tag": ["a", "b", "a"]})

    assert tags_told(answer.headers.get_list("OCI-Tag")) == ["a", "b"]


def test_no_tags_told(repository: Repository) -> None:
    """A manifest pushed by digest alone has no OCI-Tag."""
    content = index()

    assert "OCI-Tag" not in repository.put_manifest(content, content.digest).headers


def test_several_tags_move_at_once(repository: Repository) -> None:
    """Tags of the query move from where they pointed before."""
    repository.push_image("a", "b")
    content = index()
    repository.put_manifest(content, content.digest, params={"tag": ["b", "c"]})

    assert repository.manifest("a").content != content.data
    assert [repository.manifest(tag).content for tag in ("b", "c")] == [content.data] * 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tag_bound_to_a_digest(repository: Repository, algorithm: str) -> None:
    """A tag's PUT may name the digest in the query, as regclient does: it is checked, and the tag remembers it."""
    content = index()
    digest = digest_of(content.data, algorithm)

    answer = repository.put_manifest(content, "v1", params={"digest": digest})

    assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (201, digest)
    assert repository.manifest("v1", "HEAD").headers["Docker-Content-Digest"] == digest
    wrong = repository.put_manifest(content, "v2", params={"digest": unknown_digest(algorithm)})
    assert_error(wrong, 400, "DIGEST_INVALID")


def test_two_digests(repository: Repository) -> None:
    """A path and a query that name different digests contradict each other."""
    content = index()

    answer = repository.put_manifest(content, content.digest, params={"digest": digest_of(content.data, "sha512")})

    assert_error(answer, 400, "DIGEST_INVALID")


def test_create_only(repository: Repository) -> None:
    """`If-None-Match: *` sets a tag only where there is none."""
    first, second = repository.push_image(), index()

    assert repository.put_manifest(first, "v1", If_None_Match="*").status_code == 201
    assert_error(repository.put_manifest(second, "v1", If_None_Match="*"), 412, "DENIED")
    assert repository.manifest("v1").content == first.data
    assert repository.manifest(second.digest).status_code == 404


@pytest.mark.parametrize("form", ['"{}"', "{}"])
def test_compare_and_set(repository: Repository, form: str) -> None:
    """`If-Match` moves a tag only from where the client believes it to point."""
    old, new = repository.push_image("v1"), index()

    stale = repository.put_manifest(new, "v1", If_Match=form.format(unknown_digest()))

    assert_error(stale, 412, "DENIED")
    assert repository.manifest("v1").content == old.data
    assert repository.put_manifest(new, "v1", If_Match=form.format(old.digest)).status_code == 201
    assert repository.manifest("v1").content == new.data


def test_match_of_nothing(repository: Repository) -> None:
    """`If-Match` never holds for a tag that is not there, be it the first of its repository."""
    assert_error(repository.put_manifest(index(), "v1", If_Match="*"), 412, "DENIED")
    repository.push_image("other")
    assert_error(repository.put_manifest(index(), "v1", If_Match="*"), 412, "DENIED")


def test_create_only_after_delete(repository: Repository) -> None:
    """A deleted tag is none."""
    repository.push_image("v1")
    repository.manifest("v1", "DELETE")

    assert repository.put_manifest(index(), "v1", If_None_Match="*").status_code == 201
