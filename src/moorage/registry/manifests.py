"""Manifests: checked, stored with their references and tags in one transaction, found by tag or digest."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from moorage.errors import DigestInvalid, ManifestBlobUnknown, ManifestUnknown, PreconditionFailed
from moorage.metadata import blobs, manifests, repositories, tags
from moorage.metadata.manifests import ManifestRow, NewManifest
from moorage.metadata.repositories import RepositoryRow
from moorage.model import Action, Caller
from moorage.oci.conditions import etag_matches
from moorage.oci.digest import Digest
from moorage.oci.manifest import Manifest, parse
from moorage.oci.reference import RepositoryName, Tag
from moorage.registry import access
from moorage.registry.blobs import existing
from moorage.registry.facts import Facts, recall
from moorage.registry.installation import Installation


@dataclass(frozen=True, slots=True)
class Push:
    """A manifest as it was sent. `digest` None means to take the bytes' own; `tags` are to point to it.

    `if_match` and `if_none_match` are the request's headers, and hold for the first tag, or for the manifest itself.
    """

    content: bytes
    content_type: str | None
    digest: Digest | None
    tags: tuple[Tag, ...]
    if_match: str | None = None
    if_none_match: str | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """A manifest that is stored. `missing` are the children of an index that are not in its repository (yet)."""

    digest: Digest
    subject: Digest | None
    missing: tuple[str, ...]


async def find(
    installation: Installation, caller: Caller, name: RepositoryName, reference: Digest | Tag
) -> ManifestRow:
    """Find a manifest by tag or digest. Raises NameUnknown or ManifestUnknown."""

    def look(facts: Facts, now: datetime) -> ManifestRow:
        repository_id = existing(access.require(facts, now, caller, name, Action.PULL))
        digest = facts.ask(tags.find, repository_id, reference) if isinstance(reference, str) else reference
        row = None if digest is None else facts.ask(manifests.find, repository_id, digest)
        if row is None:
            raise _unknown(name, reference)
        return row

    return await recall(installation, look)


async def put(installation: Installation, caller: Caller, name: RepositoryName, push: Push) -> Pushed:
    """Store a manifest, byte for byte, and point its tags to it.

    Config and layers have to be in the repository, unless they are nondistributable, or the manifest has a subject:
    then it is taken as it is, since signing tools write such manifests first. Children of an index may be missing.
    Raises ManifestInvalid, DigestInvalid, ManifestBlobUnknown, PreconditionFailed.
    """
    parsed = parse(push.content, push.content_type)
    digest = _checked_digest(push)

    place = await access.permit(installation, caller, name, Action.PUSH)
    installation.database.check_room()

    def store(connection: Connection, now: datetime) -> tuple[str, ...]:
        repository = repositories.find(connection, place.registry_id, place.name)
        _check_condition(connection, repository, push, digest)
        absent = _absent_blobs(connection, repository, parsed)
        if absent and parsed.subject is None:
            raise ManifestBlobUnknown(
                f"references a manifest or blob unknown to registry: push {', '.join(absent)} to {name} first",
                detail=[{"digest": one} for one in absent],
            )
        repository_id = repositories.ensure(connection, place, now)
        new = NewManifest(digest, push.content, parsed, incomplete=bool(absent), pushed_by=place.actor)
        manifests.put(connection, repository_id, new, now)
        for tag in push.tags:
            tags.point(connection, repository_id, tag, digest, now, place.actor)
        return _absent_children(connection, repository_id, parsed)

    missing = await installation.database.write(store)
    return Pushed(digest, parsed.subject.digest if parsed.subject else None, missing)


async def delete(installation: Installation, caller: Caller, name: RepositoryName, reference: Digest | Tag) -> None:
    """Delete a tag, which leaves its manifest, or a manifest, which takes its tags along. Raises ManifestUnknown."""
    place = await access.permit(installation, caller, name, Action.DELETE)

    def end(connection: Connection, now: datetime) -> None:
        repository_id = existing(place)
        if isinstance(reference, str):
            gone = tags.close(connection, repository_id, reference, now, place.actor)
        else:
            gone = manifests.delete(connection, repository_id, reference, now)
            tags.close_all(connection, repository_id, reference, now, place.actor)
        if not gone:
            raise _unknown(name, reference)

    await installation.database.write(end)


def _checked_digest(push: Push) -> Digest:
    actual = Digest.of(push.content, push.digest.algorithm if push.digest else "sha256")
    if push.digest is not None and push.digest != actual:
        raise DigestInvalid(f"provided digest did not match uploaded content: it is {actual}, not {push.digest}")
    return actual


def _check_condition(connection: Connection, repository: RepositoryRow | None, push: Push, digest: Digest) -> None:
    """Hold what is there against If-Match and If-None-Match (RFC 9110 §13.1), in the transaction that changes it."""
    if push.if_match is None and push.if_none_match is None:
        return
    present = _present(connection, repository.id, push, digest) if repository else None
    there = f"{push.tags[0] if push.tags else digest} is at {present or 'nothing'}"
    if push.if_match is not None and not etag_matches(push.if_match, present):
        raise PreconditionFailed(f"If-Match does not hold: {there}.")
    if push.if_none_match is not None and etag_matches(push.if_none_match, present):
        raise PreconditionFailed(f"If-None-Match does not hold: {there}.")


def _present(connection: Connection, repository_id: str, push: Push, digest: Digest) -> Digest | None:
    """Return what the first tag points to, or, without tags, the manifest itself if it is there."""
    if push.tags:
        return tags.find(connection, repository_id, push.tags[0])
    return digest if manifests.find(connection, repository_id, digest) else None


def _absent_blobs(connection: Connection, repository: RepositoryRow | None, parsed: Manifest) -> list[str]:
    wanted = {str(descriptor.digest) for descriptor in parsed.required_blobs}
    if not wanted or repository is None:
        return sorted(wanted)
    return sorted(wanted - blobs.available(connection, repository.id, wanted))


def _absent_children(connection: Connection, repository_id: str, parsed: Manifest) -> tuple[str, ...]:
    """Return what an index lists in vain; BuildKit's cache indexes list blobs, so those count as well."""
    wanted = {str(descriptor.digest) for descriptor in parsed.children}
    if not wanted:
        return ()
    found = manifests.existing(connection, repository_id, wanted)
    return tuple(sorted(wanted - found - blobs.available(connection, repository_id, wanted)))


def _unknown(name: RepositoryName, reference: Digest | Tag) -> ManifestUnknown:
    kind = "tag" if isinstance(reference, str) else "digest"
    return ManifestUnknown(f"manifest unknown: {name} has no {kind} {reference}", detail={kind: str(reference)})
