"""The row of an upload: known to who began it, and consumed once, together with what was staged for it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from moorage.errors import DigestInvalid, UploadUnknown
from moorage.metadata import blobs, doomed_objects, uploads
from moorage.model import Action, Caller, Place, Upload
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import access
from moorage.registry.installation import Installation


@dataclass(frozen=True, slots=True)
class Session:
    """One request at one upload: who asks for it, and where."""

    installation: Installation
    caller: Caller
    name: RepositoryName
    upload_id: str

    async def permit(self) -> Place:
        """Return where the caller may push now. Raises Unauthorized."""
        return await access.permit(self.installation, self.caller, self.name, Action.PUSH)

    async def look(self) -> Upload:
        """Return where the upload stands. Raises Unauthorized and UploadUnknown."""
        place = await self.permit()
        return await self.installation.database.read(
            lambda connection, now: find(connection, now, place, self.upload_id)
        )


def find(connection: Connection, now: datetime, place: Place, upload_id: str) -> Upload:
    """Find an upload of this repository that this caller began; all others are unknown to them."""
    upload = uploads.find(connection, upload_id, now)
    mine = (place.registry_id, place.name, place.actor)
    if upload is None or (upload.registry_id, upload.repository, upload.started_by) != mine:
        raise gone()
    return upload


async def discard(installation: Installation, upload: Upload) -> None:
    """End an upload without a blob. Raises UploadUnknown where it is not as it was seen."""

    def unit(connection: Connection, now: datetime) -> bool:
        is_ours = uploads.consume(connection, upload)
        abandon(connection, now, installation, upload)
        return is_ours

    if not await installation.database.write(unit):
        raise gone()


def abandon(connection: Connection, now: datetime, installation: Installation, upload: Upload) -> None:
    """Doom what was staged for an upload that is over, unless another request has made it a blob's copy."""
    is_over = not uploads.exists(connection, upload.id)
    if is_over and upload.key is not None and not blobs.is_copy(connection, upload.key):
        doom(connection, now, installation, upload)


def doom(connection: Connection, now: datetime, installation: Installation, upload: Upload) -> None:
    """Have the object removed that an upload was staged in, if there is one."""
    if upload.key is not None:
        doomed_objects.doom(connection, installation.store_name, upload.key, now)


def gone() -> UploadUnknown:
    """Say that an upload is not there, and why that may be."""
    return UploadUnknown("blob upload unknown to registry: it was finished, cancelled or has expired; start anew")


def mismatch(actual: Digest, digest: Digest) -> DigestInvalid:
    """Say that the bytes that came are not those of the digest that they were to have."""
    return DigestInvalid(
        f"provided digest did not match uploaded content: it is {actual}, not {digest}; upload it again"
    )
