"""Manifests: what is taken, what it changes, and how it is found and deleted."""

import asyncio
import json
from asyncio import run

import pytest

from moorage.errors import (
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestTooLarge,
    ManifestUnknown,
    NameUnknown,
    PreconditionFailed,
    Unauthorized,
)
from moorage.metadata import tables
from moorage.metadata.manifests import ManifestRow
from moorage.model import ANONYMOUS, Caller, Role
from moorage.oci.digest import Digest
from moorage.oci.manifest import MAX_SIZE
from moorage.oci.reference import RepositoryName, Tag, parse_reference
from moorage.registry import manifests
from moorage.registry.manifests import Push, Pushed
from tests.distribution import making
from tests.distribution.making import Content
from tests.registry.trial import ABSENT, APP, OTHER, Trial


def find(trial: Trial, reference: str, name: RepositoryName = APP, caller: Caller | None = None) -> ManifestRow:
    """Find a manifest by tag or digest."""
    return run(manifests.find(trial.installation, caller or trial.owner, name, parse_reference(reference)))


def delete(trial: Trial, reference: str, caller: Caller | None = None) -> None:
    """Delete a tag, or a manifest by its digest."""
    run(manifests.delete(trial.installation, caller or trial.owner, APP, parse_reference(reference)))


def image(trial: Trial, name: RepositoryName = APP, **more: object) -> Content:
    """Write the manifest of an image whose blobs are pushed."""
    config, layer = making.config(), making.blob()
    for content in (config, layer):
        trial.push_blob(content.data, name)
    return making.image(config.descriptor(), [layer.descriptor()], **more)  # type: ignore[arg-type]


def history(trial: Trial) -> list[tuple[object, ...]]:
    """Return name, digest, and whether it is open, of every row of every tag, the oldest first."""
    rows = sorted(trial.rows(tables.tag), key=lambda row: row.started_at)
    return [(row.name, row.digest, row.ended_at is None) for row in rows]


def target(trial: Trial, name: str) -> str | None:
    """Return the digest that a tag points to; None where it is closed or never was."""
    return next((str(digest) for tag, digest, is_open in history(trial) if is_open and tag == name), None)


def assert_nothing_stored(trial: Trial) -> None:
    """Check that a refused push left neither manifest nor tag."""
    assert trial.rows(tables.manifest) == trial.rows(tables.tag) == trial.rows(tables.manifest_reference) == []


def test_manifest_comes_back_byte_for_byte(trial: Trial) -> None:
    """By tag and by digest the very bytes and type that were pushed are found, however they are written."""
    pretty = image(trial)
    spaced = Content(json.dumps(json.loads(pretty.data), indent=7).encode() + b"\n\n", pretty.media_type)
    pushed = trial.push(spaced, "latest", "1.0")

    assert str(pushed.digest) == spaced.digest
    for reference in ("latest", "1.0", spaced.digest):
        row = find(trial, reference)
        assert (row.content, row.media_type, str(row.digest)) == (spaced.data, spaced.media_type, spaced.digest)


@pytest.mark.parametrize("algorithm", making.ALGORITHMS)
def test_tag_keeps_the_algorithm_of_the_push(trial: Trial, algorithm: str) -> None:
    """A manifest pushed by sha512 is that digest's, under its tag too."""
    pushed = image(trial)
    digest = Digest.of(pushed.data, algorithm)
    push = Push(pushed.data, pushed.media_type, digest, (Tag("latest"),))
    assert run(manifests.put(trial.installation, trial.owner, APP, push)).digest == digest

    assert find(trial, "latest").digest == digest
    assert find(trial, str(digest)).content == pushed.data


def test_manifest_of_another_digest_is_refused(trial: Trial) -> None:
    """What arrives has to be what was named."""
    pushed = image(trial)
    push = Push(pushed.data, pushed.media_type, ABSENT, ())

    with pytest.raises(DigestInvalid, match=f"it is {pushed.digest}, not {ABSENT}"):
        run(manifests.put(trial.installation, trial.owner, APP, push))
    assert_nothing_stored(trial)


REFUSED = {
    "no JSON": Content(b"{", making.OCI_MANIFEST),
    "a list": Content(b"[]", making.OCI_MANIFEST),
    "a key twice": Content(b'{"schemaVersion":2,"schemaVersion":2,"config":{}}', making.OCI_MANIFEST),
    "too deep": Content(b'{"a":' * 10_000 + b"0" + b"}" * 10_000, making.OCI_MANIFEST),
    "another type inside": Content(making.index().data, making.OCI_MANIFEST),
    "layers and manifests": making.image(making.EMPTY.descriptor(), manifests=[]),
    "no config": making.manifest({"layers": []}),
    "schema 1": Content(b'{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+json"),
    "no manifest's type": Content(making.image(making.EMPTY.descriptor()).data, "text/plain"),
    "a digest of a wrong length": making.image({**making.EMPTY.descriptor(), "digest": "sha256:abc"}),
    "a negative size": making.image({**making.EMPTY.descriptor(), "size": -1}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_malformed_manifest_is_refused(trial: Trial, what: str) -> None:
    """A refused manifest leaves nothing behind, no tag either."""
    trial.push_blob(making.EMPTY.data)

    with pytest.raises(ManifestInvalid):
        trial.push(REFUSED[what], "latest")
    assert_nothing_stored(trial)


def test_manifest_that_no_client_would_pull_is_refused(trial: Trial) -> None:
    """Beyond 4 MiB nothing is taken; exactly 4 MiB is."""
    trial.push_blob(making.EMPTY.data)
    room = MAX_SIZE - len(making.image(making.EMPTY.descriptor(), annotations={"a": ""}).data)
    largest = making.image(making.EMPTY.descriptor(), annotations={"a": "x" * room})

    with pytest.raises(ManifestTooLarge):
        trial.push(Content(largest.data + b" ", largest.media_type))
    assert_nothing_stored(trial)
    trial.push(largest, "latest")
    assert find(trial, "latest").content == largest.data


def test_blobs_have_to_be_there_first(trial: Trial) -> None:
    """All that are missing are named; that another repository has them is no help."""
    config, layer, foreign = making.config(), making.blob(), making.blob()
    trial.push_blob(config.data)
    trial.push_blob(foreign.data, OTHER)
    manifest = making.image(config.descriptor(), [layer.descriptor(), foreign.descriptor()])

    with pytest.raises(ManifestBlobUnknown) as refused:
        trial.push(manifest, "latest")
    assert refused.value.detail == [{"digest": digest} for digest in sorted([layer.digest, foreign.digest])]
    assert_nothing_stored(trial)


def test_refused_manifest_makes_no_repository(trial: Trial) -> None:
    """A repository is born by what is committed to it."""
    with pytest.raises(ManifestBlobUnknown):
        trial.push(making.image(making.config().descriptor()), "latest")
    assert trial.repository_id() is None


def test_manifest_with_a_subject_may_come_first(trial: Trial) -> None:
    """Signing tools push manifest, then blobs: it is marked incomplete until it is pushed again with all there."""
    subject, config = making.blob(), making.config()
    signature = making.image(config.descriptor(), subject=subject.descriptor())

    assert str(trial.push(signature, "signature").subject) == subject.digest
    assert [row.incomplete for row in trial.rows(tables.manifest)] == [True]

    trial.push_blob(config.data)
    trial.push(signature)
    assert [row.incomplete for row in trial.rows(tables.manifest)] == [False]


def test_nondistributable_layers_need_not_be_there(trial: Trial) -> None:
    """They stay at their origin, with or without the URLs that say where."""
    config, layer = making.config(), making.blob(media_type=making.FOREIGN_LAYER)
    trial.push_blob(config.data)

    trial.push(making.image(config.descriptor(), [layer.descriptor(urls=["https://example.test/layer"])]), "a")
    trial.push(making.image(config.descriptor(), [layer.descriptor()]), "b")
    assert [row.incomplete for row in trial.rows(tables.manifest)] == [False, False]


def test_children_of_an_index_may_be_missing(trial: Trial) -> None:
    """An index is taken, and what it names in vain is told; manifests and blobs count alike."""
    here, layer, missing = image(trial), making.blob(), [making.blob(), making.blob()]
    trial.push(here)
    trial.push_blob(layer.data)
    index = making.index([child.descriptor() for child in (here, layer, *missing)])

    pushed = trial.push(index, "latest")
    assert pushed.missing == tuple(sorted(child.digest for child in missing))
    assert find(trial, "latest").content == index.data


def test_deleted_child_is_missing(trial: Trial) -> None:
    """What can no longer be pulled is not there."""
    child = image(trial)
    trial.push(child)
    delete(trial, child.digest)

    assert trial.push(making.index([child.descriptor()])).missing == (child.digest,)


def test_moved_tag_keeps_its_history(trial: Trial) -> None:
    """Each push under a tag is a row with its beginning, its end and who did it."""
    first, second, developer = image(trial), image(trial), trial.member(Role.DEVELOPER)
    trial.push(first, "latest")
    trial.clock.advance(trial.installation.upload_lifetime)
    trial.push(second, "latest", caller=developer)

    assert history(trial) == [("latest", first.digest, False), ("latest", second.digest, True)]
    old, new = sorted(trial.rows(tables.tag), key=lambda row: row.started_at)
    assert (old.started_by, old.ended_by) == (trial.owner.user_id, developer.user_id)
    assert (old.ended_at, new.started_at, new.started_by) == (trial.clock(), trial.clock(), developer.user_id)
    assert find(trial, first.digest).content == first.data


def test_same_push_again_is_no_news(trial: Trial) -> None:
    """A build that changed nothing leaves one row."""
    pushed = image(trial)
    for _ in range(3):
        trial.push(pushed, "latest")

    assert history(trial) == [("latest", pushed.digest, True)]


def test_several_tags_move_together(trial: Trial) -> None:
    """One request may point many tags to a manifest."""
    first, second = image(trial), image(trial)
    trial.push(first, "latest", "1")
    trial.push(second, "latest", "2")

    assert {tag: str(find(trial, tag).digest) for tag in ("latest", "1", "2")} == {
        "latest": second.digest,
        "1": first.digest,
        "2": second.digest,
    }


def test_deleted_tag_leaves_its_manifest(trial: Trial) -> None:
    """Other tags and the digest still lead there."""
    pushed = image(trial)
    trial.push(pushed, "latest", "1.0")
    delete(trial, "latest")

    with pytest.raises(ManifestUnknown) as refused:
        find(trial, "latest")
    assert refused.value.detail == {"tag": "latest"}
    with pytest.raises(ManifestUnknown):
        delete(trial, "latest")
    assert find(trial, "1.0").content == find(trial, pushed.digest).content == pushed.data


def test_deleted_manifest_takes_its_tags_along(trial: Trial) -> None:
    """Tags that pointed to it end, by whom is remembered, and tags of other manifests stay."""
    gone, kept = image(trial), image(trial)
    trial.push(gone, "latest", "1.0")
    trial.push(kept, "2.0")
    delete(trial, gone.digest)

    for reference in ("latest", "1.0", gone.digest):
        with pytest.raises(ManifestUnknown):
            find(trial, reference)
    with pytest.raises(ManifestUnknown) as refused:
        delete(trial, gone.digest)
    assert refused.value.detail == {"digest": gone.digest}
    ended = [(row.name, row.ended_by) for row in trial.rows(tables.tag) if row.ended_at is not None]
    assert sorted(ended) == [("1.0", trial.owner.user_id), ("latest", trial.owner.user_id)]
    assert find(trial, "2.0").content == kept.data


def test_deleted_manifest_may_be_pushed_again(trial: Trial) -> None:
    """The push clears the deletion; tags have to be named anew."""
    pushed = image(trial)
    trial.push(pushed, "latest")
    assert find(trial, "latest").content == pushed.data
    delete(trial, pushed.digest)
    trial.push(pushed, "again")

    assert find(trial, pushed.digest).content == find(trial, "again").content == pushed.data
    with pytest.raises(ManifestUnknown):
        find(trial, "latest")


def test_manifest_pushed_again_needs_its_blobs_again(trial: Trial) -> None:
    """Clearing a deletion is a push like any other: what is gone meanwhile has to be pushed first."""
    config = making.config()
    trial.push_blob(config.data)
    pushed = making.image(config.descriptor())
    trial.push(pushed)
    delete(trial, pushed.digest)
    trial.write(lambda connection, _: connection.execute(tables.repository_blob.delete()).rowcount)

    with pytest.raises(ManifestBlobUnknown):
        trial.push(pushed)


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "holds_for_first", "holds_for_none"),
    [
        ('"{first}"', None, True, False),
        ('"{second}"', None, False, False),
        ('"{second}", "{first}"', None, True, False),
        ("*", None, True, False),
        (None, "*", False, True),
        (None, '"{first}"', False, True),
        (None, '"{second}"', True, True),
        ('"{first}"', '"{second}"', True, False),
        ('"{first}"', "*", False, False),
        (None, None, True, True),
    ],
)
def test_conditions_guard_the_tag(
    trial: Trial, if_match: str | None, if_none_match: str | None, holds_for_first: bool, holds_for_none: bool
) -> None:
    """A tag moves only if it points where the client thinks: a tag that is there, and one that is not."""
    first, second = image(trial), image(trial)
    trial.push(first, "latest")
    headers = [text and text.format(first=first.digest, second=second.digest) for text in (if_match, if_none_match)]

    for tag, holds, before in (("latest", holds_for_first, first.digest), ("new", holds_for_none, None)):
        push = manifests.put(
            trial.installation,
            trial.owner,
            APP,
            Push(second.data, second.media_type, None, (Tag(tag),), *headers),
        )
        if holds:
            run(push)
        else:
            with pytest.raises(PreconditionFailed):
                run(push)
        assert target(trial, tag) == (second.digest if holds else before)


def test_of_two_that_create_a_tag_one_succeeds(trial: Trial) -> None:
    """`If-None-Match: *` is checked in the transaction that makes the tag."""
    pushes = [
        Push(pushed.data, pushed.media_type, None, (Tag("latest"),), if_none_match="*")
        for pushed in (image(trial), image(trial))
    ]

    async def scenario() -> list[Pushed | BaseException]:
        puts = (manifests.put(trial.installation, trial.owner, APP, push) for push in pushes)
        return await asyncio.gather(*puts, return_exceptions=True)

    outcomes = run(scenario())

    (refused,) = (outcome for outcome in outcomes if isinstance(outcome, BaseException))
    assert isinstance(refused, PreconditionFailed)
    assert len(history(trial)) == 1


def test_nothing_is_found_where_nothing_was_pushed(trial: Trial) -> None:
    """Neither by tag nor by digest, to find or to delete."""
    for reference in ("latest", str(ABSENT)):
        with pytest.raises(NameUnknown):
            find(trial, reference)
        with pytest.raises(NameUnknown):
            delete(trial, reference)


def test_manifest_is_of_one_repository(trial: Trial) -> None:
    """In another one of the same registry it is unknown, until it is pushed there."""
    pushed = image(trial)
    trial.push(pushed, "latest")
    trial.push_blob(b"the first commit", OTHER)

    for reference in ("latest", pushed.digest):
        with pytest.raises(ManifestUnknown):
            find(trial, reference, OTHER)


def test_rights_are_asked_for_each_verb(trial: Trial) -> None:
    """Pull to find, push to put, delete to delete; in a public repository everybody finds."""
    pushed = image(trial)
    trial.push(pushed, "latest")
    pusher = trial.bearer(trial.owner, "repository:main/app:push")
    viewer, stranger = trial.member(Role.VIEWER), trial.stranger()

    for caller in (ANONYMOUS, stranger, pusher):
        with pytest.raises(Unauthorized):
            find(trial, "latest", caller=caller)
    assert find(trial, "latest", caller=viewer).content == pushed.data
    for caller in (ANONYMOUS, stranger, viewer):
        with pytest.raises(Unauthorized):
            trial.push(pushed, "mine", caller=caller)
    for caller in (ANONYMOUS, stranger, viewer, pusher):
        with pytest.raises(Unauthorized):
            delete(trial, "latest", caller)

    trial.set_public()
    assert find(trial, "latest", caller=ANONYMOUS).content == pushed.data
