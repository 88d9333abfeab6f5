"""Lists of referrers (end-12)."""

import json
from typing import Any

import httpx2
import pytest

from tests.distribution.making import (
    EMPTY,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Content,
    Descriptor,
    artifact,
    blob,
    digest_of,
    image,
    index,
    unknown_digest,
)
from tests.distribution.repository import Repository, assert_error, next_page

SIGNATURE = "application/vnd.example.signature.v1+json"
SBOM = "application/vnd.example.sbom"
PAGE_LIMIT = 4 * 1024 * 1024


@pytest.fixture
def subject(repository: Repository) -> Descriptor:
    """An image in the repository."""
    return repository.push_image().descriptor()


def listed(answer: httpx2.Response) -> list[dict[str, Any]]:
    """Check that an answer is an index, to the letter (trap 18), and return its entries."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == OCI_INDEX
    document = answer.json()
    assert {name: document[name] for name in document if name != "manifests"} == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
    }
    entries: list[dict[str, Any]] = document["manifests"]
    return entries


def digests(answer: httpx2.Response) -> set[str]:
    """Return the digests that are listed, each once."""
    found = [entry["digest"] for entry in listed(answer)]
    assert len(set(found)) == len(found)
    return set(found)


def follow(repository: Repository, answer: httpx2.Response) -> list[list[str]]:
    """Return the digests of each page, following Link."""
    pages = [[entry["digest"] for entry in listed(answer)]]
    while "Link" in answer.headers:
        answer = repository.http.get(next_page(answer))
        pages.append([entry["digest"] for entry in listed(answer)])
    return pages


def test_nothing_there(repository: Repository) -> None:
    """Trap 18: a repository or subject that does not exist has an empty list, not 404."""
    for algorithm in ("sha256", "sha512"):
        assert listed(repository.referrers(unknown_digest(algorithm))) == []
    repository.push_image()
    assert listed(repository.referrers(unknown_digest())) == []


@pytest.mark.parametrize("digest", ["sha256:abc", "v1", "md5:" + "a" * 32])
def test_malformed_digest(repository: Repository, digest: str) -> None:
    """What cannot be a digest is refused, a tag included."""
    assert_error(repository.referrers(digest), 400, "DIGEST_INVALID")


def test_entries(repository: Repository, subject: Descriptor) -> None:
    """An entry is the referrer's descriptor, with its type and all its annotations, and nothing of its platform."""
    annotations = {"org.example.a": "1", "org.example.\u00fc": "\U0001f600", "empty": ""}
    content = repository.push_artifact(artifact(SIGNATURE, subject=subject, annotations=annotations))

    assert listed(repository.referrers(subject["digest"])) == [
        content.descriptor(artifactType=SIGNATURE, annotations=annotations)
    ]


def test_artifact_types(repository: Repository, subject: Descriptor) -> None:
    """The type is the manifest's own, else its config's; an index without one has none."""
    plain_image = image(*repository.push_parts(), subject=subject)
    typed_image = image(*repository.push_parts(), subject=subject, artifactType=SBOM)
    plain_index, typed_index = index(subject=subject), index(subject=subject, artifactType=SBOM)
    for content in (plain_image, typed_image, plain_index, typed_index):
        repository.push_manifest(content)

    entries = {entry["digest"]: entry for entry in listed(repository.referrers(subject["digest"]))}

    assert len(entries) == 4
    assert entries[plain_image.digest]["artifactType"] == OCI_CONFIG
    assert entries[typed_image.digest]["artifactType"] == SBOM
    assert "artifactType" not in entries[plain_index.digest]
    assert entries[typed_index.digest]["artifactType"] == SBOM
    assert {entry["mediaType"] for entry in entries.values()} == {OCI_MANIFEST, OCI_INDEX}
    assert all("annotations" not in entry for entry in entries.values())


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_subject_that_never_came(repository: Repository, algorithm: str) -> None:
    """Referrers are listed whether their subject is there, by the digest that they call it by."""
    about = blob(media_type=OCI_MANIFEST).descriptor(algorithm=algorithm)
    content = repository.push_artifact(artifact(SIGNATURE, subject=about))

    assert digests(repository.referrers(about["digest"])) == {content.digest}


def test_referrer_by_sha512(repository: Repository, subject: Descriptor) -> None:
    """A referrer is listed under the digest that it was pushed under."""
    repository.push_blob(EMPTY)
    content = repository.push_manifest(artifact(SIGNATURE, subject=subject), algorithm="sha512")

    assert digests(repository.referrers(subject["digest"])) == {digest_of(content.data, "sha512")}


def test_other_repositories(repository: Repository, other_repository: Repository, subject: Descriptor) -> None:
    """Only referrers of the same repository are listed."""
    other_repository.push_artifact(artifact(SIGNATURE, subject=subject))

    assert digests(repository.referrers(subject["digest"])) == set()


def test_deletions(repository: Repository, subject: Descriptor) -> None:
    """A deleted referrer is gone at once, and back when pushed again; a deleted subject changes nothing."""
    first, second = (repository.push_artifact(artifact(SIGNATURE, subject=subject)) for _ in range(2))

    repository.manifest(first.digest, "DELETE")
    assert digests(repository.referrers(subject["digest"])) == {second.digest}
    repository.push_manifest(first)
    repository.manifest(subject["digest"], "DELETE")
    assert digests(repository.referrers(subject["digest"])) == {first.digest, second.digest}


def test_tagged_referrer(repository: Repository, subject: Descriptor) -> None:
    """A referrer counts with a tag and without."""
    repository.push_blob(EMPTY)
    content = repository.push_manifest(artifact(SIGNATURE, subject=subject), "sha256-fallback.sig")
    repository.manifest("sha256-fallback.sig", "DELETE")

    assert digests(repository.referrers(subject["digest"])) == {content.digest}


def test_filter(repository: Repository, subject: Descriptor) -> None:
    """`artifactType` keeps exactly the referrers of that type, and the answer says that it did."""
    signature, sbom = (repository.push_artifact(artifact(kind, subject=subject)) for kind in (SIGNATURE, SBOM))
    digest = subject["digest"]

    assert "OCI-Filters-Applied" not in repository.referrers(digest).headers
    for kind, wanted in ((SIGNATURE, {signature.digest}), (SBOM, {sbom.digest}), (f"{SBOM}x", set()), ("sbom", set())):
        answer = repository.referrers(digest, artifactType=kind)
        assert answer.headers["OCI-Filters-Applied"] == "artifactType"
        assert digests(answer) == wanted
    both = repository.referrers(digest, artifactType=[SIGNATURE, SBOM])
    assert digests(both) == {signature.digest, sbom.digest}


def test_filter_with_raw_plus(repository: Repository, subject: Descriptor) -> None:
    """A `+` that the client did not escape is not a space."""
    content = repository.push_artifact(artifact(SIGNATURE, subject=subject))

    raw = repository.http.get(repository.path("referrers", subject["digest"]) + f"?artifactType={SIGNATURE}")
    escaped = repository.http.get(
        repository.path("referrers", subject["digest"]) + f"?artifactType={SIGNATURE.replace('+', '%2B')}"
    )

    assert digests(raw) == digests(escaped) == {content.digest}


def test_filter_by_config_type(repository: Repository, subject: Descriptor) -> None:
    """An image without a type of its own is found by its config's."""
    content = repository.push_manifest(image(*repository.push_parts(), subject=subject))

    assert digests(repository.referrers(subject["digest"], artifactType=OCI_CONFIG)) == {content.digest}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 1000])
def test_pages(repository: Repository, subject: Descriptor, size: int) -> None:
    """`n` is the size of a page; Link leads through all of them, each once (trap 26)."""
    wanted = {repository.push_artifact(artifact(SIGNATURE, subject=subject)).digest for _ in range(6)}

    pages = follow(repository, repository.referrers(subject["digest"], n=size))

    assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert len(pages) == -(-6 // size)
    assert {digest for page in pages for digest in page} == wanted


def test_pages_keep_the_filter(repository: Repository, subject: Descriptor) -> None:
    """The filter holds on every page."""
    wanted = {repository.push_artifact(artifact(SIGNATURE, subject=subject)).digest for _ in range(3)}
    for _ in range(3):
        repository.push_artifact(artifact(SBOM, subject=subject))

    pages = follow(repository, repository.referrers(subject["digest"], artifactType=SIGNATURE, n=1))

    assert [len(page) for page in pages] == [1, 1, 1]
    assert {digest for page in pages for digest in page} == wanted


@pytest.mark.parametrize(
    ("character", "count"), [("x", 1_900_000), ("\U0001f600", 900_000), ("\u20ac", 1_000_000), ("\x01", 500_000)],
    ids=["ASCII", "four bytes", "three bytes", "escaped"],
)  # fmt: skip
def test_pages_by_bytes(repository: Repository, subject: Descriptor, character: str, count: int) -> None:
    """No page is larger than 4 MiB, which is what containerd reads, however wide the annotations' characters are."""
    about = {"subject": subject, "artifactType": SIGNATURE, "config": EMPTY.descriptor(), "layers": []}
    repository.push_blob(EMPTY)
    contents = []
    for number in range(3):
        document = {"schemaVersion": 2, **about, "annotations": {"a": character * count, "number": str(number)}}
        contents.append(Content(json.dumps(document, ensure_ascii=False).encode(), OCI_MANIFEST))
        repository.push_manifest(contents[-1])

    found, answer = [], repository.referrers(subject["digest"])
    while True:
        assert len(answer.content) <= PAGE_LIMIT
        found += [entry["digest"] for entry in listed(answer)]
        if "Link" not in answer.headers:
            break
        answer = repository.http.get(next_page(answer))

    assert sorted(found) == sorted(content.digest for content in contents)


def test_unknown_parameters(repository: Repository, subject: Descriptor) -> None:
    """Parameters that mean nothing here are ignored, and so is an empty filter."""
    content = repository.push_artifact(artifact(SIGNATURE, subject=subject))

    assert digests(repository.referrers(subject["digest"], artifactType="", whatever="x")) == {content.digest}


@pytest.mark.parametrize("number", ["-1", "x"])
def test_malformed_number(repository: Repository, number: str) -> None:
    """An `n` that is no whole number is refused."""
    assert_error(repository.referrers(unknown_digest(), n=number), 400, "PAGINATION_NUMBER_INVALID")
