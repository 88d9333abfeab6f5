"""Referrers, listed in pages that clients can read."""

import json
from asyncio import run
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from moorage.errors import Unauthorized
from moorage.model import ANONYMOUS, Caller, ReferrerPage, ReferrerQuery
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import manifests, referrers
from tests.distribution import making
from tests.distribution.making import Content
from tests.registry.trial import APP, OTHER, Trial

SUBJECT = making.blob()
SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"
# What containerd reads of an index, in bytes.
MOST = 4 * 1024 * 1024


def page(
    trial: Trial,
    *types: str,
    after: str = "",
    limit: int = 1000,
    name: RepositoryName = APP,
    caller: Caller | None = None,
) -> ReferrerPage:
    """List a page of what refers to the subject."""
    query = ReferrerQuery(Digest.parse(SUBJECT.digest), types, after, limit)
    return run(referrers.page(trial.installation, caller or trial.owner, name, query))


def every_page(trial: Trial, limit: int = 1000) -> list[ReferrerPage]:
    """Follow the pages to their end."""
    pages = [page(trial, limit=limit)]
    while pages[-1].last is not None:
        pages.append(page(trial, after=pages[-1].last, limit=limit))
    return pages


def digests(*pages: ReferrerPage) -> list[Digest]:
    """Return what is listed, in the order of the pages."""
    return [Digest.parse(json.loads(descriptor)["digest"]) for one in pages for descriptor in one.descriptors]


def refer(
    trial: Trial,
    number: int = 0,
    artifact_type: str = SBOM,
    name: RepositoryName = APP,
    annotations: Mapping[str, str] = MappingProxyType({}),
) -> Digest:
    """Push an artifact about the subject; each number makes another one."""
    document = {
        "schemaVersion": 2,
        "config": making.EMPTY.descriptor(),
        "artifactType": artifact_type,
        "subject": SUBJECT.descriptor(),
        "annotations": {"number": str(number), **annotations},
    }
    manifest = Content(json.dumps(document, ensure_ascii=False).encode(), making.OCI_MANIFEST)
    return trial.push(manifest, name=name).digest


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
def test_pages_join_to_the_whole_in_order(trial: Trial, limit: int) -> None:
    """Each referrer is listed once, by digest."""
    every = sorted(refer(trial, number) for number in range(5))
    pages = every_page(trial, limit)

    assert digests(*pages) == every
    assert all(0 < len(one.descriptors) <= limit for one in pages)


def test_subject_need_not_be_there(trial: Trial) -> None:
    """Neither the subject nor the repository: what nobody refers to has an empty list."""
    assert page(trial) == ReferrerPage((), None)

    trial.push_blob(b"the first commit")
    assert page(trial) == ReferrerPage((), None)


def test_types_filter_within_the_repository(trial: Trial) -> None:
    """Only what was asked for, and only what was pushed here."""
    sbom = refer(trial, 1, SBOM)
    signature = refer(trial, 2, SIGNATURE)
    refer(trial, 3, SBOM, OTHER)

    assert digests(page(trial, SBOM)) == [sbom]
    assert set(digests(page(trial))) == {sbom, signature}
    assert digests(page(trial, "application/vnd.example.other")) == []


@pytest.mark.parametrize(
    ("count", "annotations"),
    [
        (6, {"text": "x" * (1024 * 1024)}),
        (6, {"text": "漢" * (350 * 1024)}),
        (6, {"text": '"' * (512 * 1024)}),
        (6, {f"k{number:05}": "" for number in range(60_000)}),
    ],
    ids=["long", "of many bytes a character", "escaped", "many"],
)
def test_page_is_small_enough_to_be_read(trial: Trial, count: int, annotations: dict[str, str]) -> None:
    """However much its referrers say, a page stays below what clients read; the rest follows."""
    every = {refer(trial, number, annotations=annotations) for number in range(count)}
    pages = every_page(trial)

    assert len(pages) > 1
    assert max(len(b",".join(one.descriptors)) for one in pages) <= MOST
    assert set(digests(*pages)) == every


def test_referrer_larger_than_a_page_has_one_of_its_own(trial: Trial) -> None:
    """No referrer is so large that the list would end before it."""
    large = {"text": "x" * (3 * 1024 * 1024 + 1000)}
    every = sorted(refer(trial, number, annotations=large) for number in range(3))

    assert [digests(one) for one in every_page(trial)] == [[one] for one in every]


def test_only_who_may_pull_lists(trial: Trial) -> None:
    """Signatures are as private as what they sign; an absent repository is refused alike."""
    refer(trial)
    for name in (APP, OTHER):
        for caller in (ANONYMOUS, trial.stranger(f"of-{name.repository}")):
            with pytest.raises(Unauthorized):
                page(trial, name=name, caller=caller)

    trial.set_public()
    assert len(page(trial, caller=ANONYMOUS).descriptors) == 1


def test_list_is_true_when_it_is_given(trial: Trial) -> None:
    """Whatever was remembered, a new referrer is listed at once, and a deleted one is not."""
    assert digests(page(trial, name=APP)) == []
    first = refer(trial, 1)
    assert [digests(page(trial)) for _ in range(2)] == [[first]] * 2
    second = refer(trial, 2)
    assert set(digests(page(trial))) == {first, second}
    run(manifests.delete(trial.installation, trial.owner, APP, first))
    assert digests(page(trial)) == [second]
