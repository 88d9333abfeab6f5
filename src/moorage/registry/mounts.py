"""Mounts: a blob linked from another repository instead of uploaded."""

from datetime import datetime

from sqlalchemy import Connection

from moorage.metadata import blobs, repositories
from moorage.metadata.blobs import BlobRow
from moorage.model import Action, Caller
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.blobs import is_whole
from moorage.registry.facts import Stored
from moorage.registry.installation import Installation


async def mount(
    installation: Installation, caller: Caller, name: RepositoryName, digest: Digest, source: RepositoryName | None
) -> bool:
    """Link a blob from another repository, or, without `source`, from any of the same account; False if there is none.

    What the caller may not pull is not there for them. Raises Unauthorized, asking for both scopes, where the bearer
    token was never meant for `source`: clients then get one that is, or go on without a mount.
    """
    place = await access.permit(installation, caller, name, Action.PUSH)

    def find(connection: Connection, now: datetime) -> BlobRow | None:
        facts = Stored(connection)
        if source is None:
            readable = access.holder_of(facts, now, caller).accounts.get(place.account_id, frozenset())
            is_there = Action.PULL in readable and blobs.account_has(connection, place.account_id, digest)
        else:
            _check_was_asked_for(caller, name, source)
            there = access.look(facts, now, caller, source)
            may_pull = Action.PULL in there.actions and there.repository_id is not None
            is_there = may_pull and blobs.is_linked(connection, there.repository_id or "", digest)
        return blobs.find(connection, digest, installation.store_name) if is_there else None

    row = await installation.database.read(find)
    # Lost bytes are not passed on: the upload that follows heals them.
    if row is None or not await is_whole(installation.store, row):
        return False

    def link(connection: Connection, now: datetime) -> bool:
        if find(connection, now) != row:
            return False
        blobs.link(connection, repositories.ensure(connection, place, now), digest, now)
        return True

    return await installation.database.write(link)


def _check_was_asked_for(caller: Caller, name: RepositoryName, source: RepositoryName) -> None:
    if caller.bounds is not None and str(source) not in {bound.name for bound in caller.bounds}:
        scopes = (access.needed_scope(name, Action.PUSH), access.needed_scope(source, Action.PULL))
        raise access.refusal(caller, scopes, f"pull is not allowed in {source}")
