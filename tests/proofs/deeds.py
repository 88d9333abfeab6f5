"""Everything that ends in the store or the database, in pieces: what has to be there before, and then the deed itself.

A deed is a generator. It stops once, in between; what comes then is one request or one turn of a job, all of whose
steps the server may not survive.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.distribution.making import Content, unknown_digest
from tests.proofs import failpoints
from tests.proofs.client import Client, expect
from tests.proofs.failpoints import do_job
from tests.proofs.images import Image, make_image, make_layer
from tests.proofs.inspection import let_expire
from tests.proofs.journal import Thing
from tests.proofs.pusher import Pusher, Upload

# Bytes: three pieces as the server writes them; enough to be no row; and few.
LARGE: Final = 1_300_000
MEDIUM: Final = 70_000
SMALL: Final = 700
# Uploads that a job ends, and objects that it removes.
SEVERAL: Final = 3
# Blobs in rows that fill the database's log, and more.
MANY: Final = 200
ROW: Final = 60_000

FAILPOINTS: Final = (sys.executable, failpoints.__file__)


class JobKilled(Exception):
    """A job was killed."""


@dataclass(slots=True, kw_only=True)
class Doer(Pusher):
    """A client that does one deed, with the same content each time, in a repository of its own."""

    data: Path
    order: Path

    def begin(self, deed: "Deed") -> AsyncGenerator[None, None]:
        """Begin a deed, or begin it anew."""
        self.rng.seed(self.repository)
        return deed(self)

    async def start_upload(self) -> AsyncGenerator[None, None]:
        """POST an upload."""
        yield
        await self._start(self._layer())

    async def send_chunk(self) -> AsyncGenerator[None, None]:
        """PATCH an upload that has bytes."""
        upload = await self._start(self._layer())
        await self._send(upload, MEDIUM, chunked=True)
        yield
        await self._send(upload, LARGE, chunked=False)

    async def send_small_chunk(self) -> AsyncGenerator[None, None]:
        """PATCH an upload that fits into its row."""
        upload = await self._start(self._layer(SMALL))
        yield
        await self._send(upload, SMALL, chunked=False)

    async def outgrow_row(self) -> AsyncGenerator[None, None]:
        """PATCH an upload that fitted into its row."""
        upload = await self._start(self._layer())
        await self._send(upload, SMALL, chunked=False)
        yield
        await self._send(upload, LARGE, chunked=True)

    async def finish_upload(self) -> AsyncGenerator[None, None]:
        """PUT the rest of an upload."""
        upload = await self._start(self._layer())
        await self._send(upload, MEDIUM, chunked=False)
        yield
        await self._finish(upload)

    async def finish_small_upload(self) -> AsyncGenerator[None, None]:
        """PUT a blob that fits into a row."""
        upload = await self._start(self._layer(SMALL))
        yield
        await self._finish(upload)

    async def finish_known_blob(self) -> AsyncGenerator[None, None]:
        """PUT bytes that another repository has already."""
        blob = self._layer()
        await self._twin().push_blob(blob)
        upload = await self._start(blob)
        yield
        await self._finish(upload)

    async def put_whole(self) -> AsyncGenerator[None, None]:
        """POST a whole blob."""
        blob = self._layer()
        yield
        await self._put_whole(blob)

    async def end_in_vain(self) -> AsyncGenerator[None, None]:
        """PUT another digest than the bytes have."""
        upload = await self._filled_upload()
        yield
        upload.ending = "cancel"
        expect(await self.client.put(upload.location, unknown_digest()), 400)
        self.uploads.remove(upload)

    async def cancel_upload(self) -> AsyncGenerator[None, None]:
        """DELETE an upload."""
        upload = await self._filled_upload()
        yield
        await self._cancel(upload)

    async def cancel_small_upload(self) -> AsyncGenerator[None, None]:
        """DELETE an upload that fits into its row."""
        upload = await self._start(self._layer(SMALL))
        await self._send(upload, SMALL, chunked=False)
        yield
        await self._cancel(upload)

    async def mount(self) -> AsyncGenerator[None, None]:
        """POST a mount."""
        blob, twin = self._layer(MEDIUM), self._twin()
        await twin.push_blob(blob)
        yield
        asked = {"mount": blob.digest, "from": twin.repository}
        with self.journal.changing({Thing("blob", blob.digest): blob.digest}):
            expect(await self.client.http.post(self.client.path("blobs", "uploads", ""), params=asked), 201)

    async def push_manifest(self) -> AsyncGenerator[None, None]:
        """PUT a manifest under a new tag."""
        image = await self._pushed_blobs()
        yield
        await self._tag_image(image)

    async def move_tag(self) -> AsyncGenerator[None, None]:
        """PUT a manifest under a tag that another one has."""
        first, second = await self._pushed_blobs(), await self._pushed_blobs()
        await self._tag_image(first)
        yield
        await self._tag_image(second)

    async def delete_tag(self) -> AsyncGenerator[None, None]:
        """DELETE a tag."""
        await self._tag_image(await self._pushed_blobs())
        yield
        with self.journal.changing({Thing("tag", "latest"): None}):
            expect(await self.client.delete("manifests", "latest"), 202)

    async def delete_manifest(self) -> AsyncGenerator[None, None]:
        """DELETE a manifest that has a tag."""
        image = await self._pushed_blobs()
        await self._tag_image(image)
        digest = image.manifest.digest
        yield
        with self.journal.changing({Thing("manifest", digest): None, Thing("tag", "latest"): None}):
            expect(await self.client.delete("manifests", digest), 202)

    async def delete_blob(self) -> AsyncGenerator[None, None]:
        """DELETE a blob."""
        upload = await self._filled_upload()
        await self._finish(upload)
        yield
        with self.journal.changing({upload.blob: None}):
            expect(await self.client.delete("blobs", upload.content.digest), 202)

    async def fill_log(self) -> AsyncGenerator[None, None]:
        """Commit until the database's log is copied back."""
        yield
        for _ in range(MANY):
            await self._put_whole(self._layer(ROW))

    async def expire_uploads(self) -> AsyncGenerator[None, None]:
        """End uploads whose time is over."""
        expiring = [await self._filled_upload() for _ in range(SEVERAL)]
        for upload in expiring:
            self.uploads.remove(upload)
        await let_expire(self.data, [upload.location for upload in expiring])
        yield
        await self._do_job("expire_uploads")

    async def remove_objects(self) -> AsyncGenerator[None, None]:
        """Remove the bytes of uploads that are over."""
        for _ in range(SEVERAL):
            await self._cancel(await self._filled_upload())
        yield
        await self._do_job("remove_doomed_objects")

    async def _do_job(self, name: str) -> None:
        """Do a job: with an order to die in a process of its own, which raises JobKilled."""
        if not self.order.exists():
            await do_job(name, self.data)
            return
        command = (*FAILPOINTS, self.order, "job", name, self.data)
        process = await asyncio.create_subprocess_exec(*command, start_new_session=True, stderr=subprocess.PIPE)
        _, said = await process.communicate()
        assert process.returncode == -signal.SIGKILL, said.decode()
        raise JobKilled

    async def _pushed_blobs(self) -> Image:
        """Push what a new image needs."""
        image = make_image(self.rng, self._layer(SMALL))
        for blob in image.blobs:
            await self._put_whole(blob)
        return image

    async def _tag_image(self, image: Image) -> None:
        digest = image.manifest.digest
        changed = {Thing("manifest", digest): digest, Thing("tag", "latest"): digest}
        await self._put_manifest(image.manifest, "latest", changed)

    async def _filled_upload(self) -> Upload:
        upload = await self._start(self._layer(MEDIUM))
        await self._send(upload, MEDIUM, chunked=False)
        return upload

    def _layer(self, size: int = LARGE) -> Content:
        return make_layer(self.rng, size)

    def _twin(self) -> Client:
        """Return another repository of the same registry."""
        return Client(self.client.http, f"{self.repository}-twin")


Deed = Callable[[Doer], AsyncGenerator[None, None]]

_WRITE: Final = ("queue", "transaction", "unit", "after commit")
_STAGE: Final = ("stage", "lock", "resume")
_BYTES: Final = ("write", "write 2", "pwrite", "pwrite 2")
_DURABLE: Final = ("digest", "sync", "fsync", "fsync 2")

# The steps of each deed, in about the order in which they come; of what happens more than once, the so-manieth time.
DEEDS: Final[Mapping[Deed, tuple[str, ...]]] = {
    Doer.start_upload: (*_WRITE, "create upload", "answer"),
    Doer.send_chunk: (*_STAGE, *_BYTES, *_WRITE, "advance upload", "close", "answer"),
    Doer.send_small_chunk: (*_WRITE, "keep upload", "answer"),
    Doer.outgrow_row: ("give key", *_STAGE, "write", "write 2", "queue 2", "advance upload", "answer"),
    Doer.finish_upload: (
        *(*_STAGE, *_BYTES, *_DURABLE, *_WRITE),
        *("consume upload", "add blob", "add copy", "ensure repository", "link", "record change", "close", "answer"),
    ),
    Doer.finish_small_upload: (*_WRITE, "consume upload", "add blob", "ensure repository", "link", "answer"),
    Doer.finish_known_blob: ("give key", *_DURABLE, "queue 2", "queue 3", "consume upload", "doom", "link", "answer"),
    Doer.put_whole: (
        "create upload",
        "give key",
        *_STAGE,
        *_DURABLE,
        "queue 3",
        "consume upload",
        "add copy",
        "answer",
    ),
    Doer.end_in_vain: (*_STAGE, "digest", *_WRITE, "consume upload", "doom", "close", "answer"),
    Doer.cancel_upload: (*_STAGE, *_WRITE, "consume upload", "doom", "close", "answer"),
    Doer.cancel_small_upload: (*_WRITE, "consume upload", "answer"),
    Doer.mount: (*_WRITE, "ensure repository", "link", "record change", "answer"),
    Doer.push_manifest: (*_WRITE, "ensure repository", "put manifest", "point tag", "close tag", "answer"),
    Doer.move_tag: (*_WRITE, "put manifest", "point tag", "close tag", "record change", "record change 2", "answer"),
    Doer.delete_tag: (*_WRITE, "close tag", "record change", "answer"),
    Doer.delete_manifest: (*_WRITE, "delete manifest", "close tags", "record change", "record change 2", "answer"),
    Doer.delete_blob: (*_WRITE, "unlink blob", "record change", "answer"),
    Doer.fill_log: ("checkpoint",),
    Doer.expire_uploads: (*_WRITE, "consume upload", "doom", "consume upload 2", "doom 2"),
    Doer.remove_objects: ("remove object", "unlink", "remove object 2", "unlink 2", *_WRITE, "forget"),
}
# Those that no request does, but a process of its own.
JOBS: Final = frozenset({Doer.expire_uploads, Doer.remove_objects})
