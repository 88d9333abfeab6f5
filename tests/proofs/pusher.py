"""A client that writes to one repository all that can be written, and notes what it was promised."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal

from tests.distribution.making import Content
from tests.proofs.client import BROKEN, Client, connect, expect, range_end
from tests.proofs.images import make_image, make_layer
from tests.proofs.journal import Journal, State, Thing
from tests.proofs.waiting import PATIENCE
from tests.server import Server

# Bytes: below, at and above the sizes at which the server changes its ways.
_SIZES: Final = (16, 700, 4096, 65_536, 65_537, 300_000, (1 << 20) + 1, 2_500_000)
_WEIGHTS: Final = (4, 4, 8, 2, 2, 2, 1, 1)
_MOST_UPLOADS: Final = 3
_MOST_TAGS: Final = 8


@dataclass(slots=True)
class Upload:
    """An upload under way: the server has at least and at most so many bytes, and perhaps its end."""

    location: str
    content: Content
    least: int = 0
    most: int = 0
    ending: Literal["finish", "cancel"] | None = None

    @property
    def blob(self) -> Thing:
        """What it is to become."""
        return Thing("blob", self.content.digest)


@dataclass(slots=True)
class Pusher:
    """Writes by chance, blobs of at most `largest` bytes.

    A broken connection ends `act`; `settle` then finds out what became of the write.
    `client` writes; `reader` has connections of its own, so that it often reads from another worker. `cut_off` counts
    the actions that ended so, `survivors` the times that an upload outlived its server, `unheard` the uploads that may
    have begun without the client being told where.
    """

    repository: str
    rng: Random
    largest: int = max(_SIZES)
    client: Client = field(init=False)
    reader: Client = field(init=False)
    journal: Journal = field(default_factory=Journal)
    uploads: list[Upload] = field(default_factory=list)
    cut_off: Counter[str] = field(default_factory=Counter)
    survivors: int = 0
    unheard: int = 0
    _images: dict[str, list[str]] = field(default_factory=dict)

    async def act(self) -> None:
        """Write or read one thing; every answer has to be the one that the protocol has for it."""
        actions: Mapping[Callable[[], Coroutine[Any, Any, None]], int] = {
            self._push_blob: 6,
            self._push_blob_at_once: 3,
            self._push_chunk: 8,
            self._push_image: 5,
            self._move_tag: 2,
            self._cancel_upload: 1,
            self._delete_tag: 1,
            self._delete_manifest: 1,
            self._delete_blob: 2,
            self._look: 8,
        }
        [action] = self.rng.choices(list(actions), list(actions.values()))
        try:
            await action()
        except BROKEN:
            self.cut_off[action.__name__.removeprefix("_")] += 1
            raise

    async def settle(self) -> None:
        """Find out what became of the write that was cut off; everything has to be as it may be."""
        for thing in self.journal.in_doubt():
            self.journal.settle(thing, await self._read(thing))
        for upload in list(self.uploads):
            await self._settle_upload(upload)

    async def check_all(self) -> None:
        """Read and hash all that was ever written, and look for what never was."""
        for thing in self.journal.things():
            self.journal.settle(thing, await self._read(thing))
        assert await self.client.tags() == self.journal.present("tag")

    async def finish_uploads(self) -> None:
        """End what is under way."""
        for upload in list(self.uploads):
            await self._finish(upload)

    async def _read(self, thing: Thing) -> State:
        if thing.kind == "blob":
            return await self.reader.read_blob(thing.name)
        return await self.reader.read_manifest(thing.name)

    async def _look(self) -> None:
        """Read something that was written just now or long ago, or that is gone."""
        things = self.journal.things()
        if things:
            thing = self.rng.choice(things)
            self.journal.settle(thing, await self._read(thing))

    async def _settle_upload(self, upload: Upload) -> None:
        """See where an upload stands; it may be gone only if its end was sent, and with the outcome that this has."""
        answer = await self.client.http.get(upload.location)
        self.journal.settle(upload.blob, await self._read(upload.blob))
        became_blob = self.journal.state(upload.blob) is not None
        if answer.status_code == 404:
            assert upload.ending is not None, f"an upload is gone that had {upload.least} bytes and no end"
            assert became_blob == (upload.ending == "finish"), f"{upload} is gone, its blob there: {became_blob}"
            self.uploads.remove(upload)
            return
        offset = range_end(expect(answer, 204))
        assert not became_blob, f"{upload} is still under way although its blob is there"
        assert upload.least <= offset <= upload.most, f"{upload} has {offset} bytes"
        upload.least = upload.most = offset
        upload.ending = None
        self.survivors += 1
        if self.rng.random() < 0.5:
            await self._finish(upload)

    async def _push_blob(self) -> None:
        await self._finish(await self._start(self._make_blob()))

    async def _push_blob_at_once(self) -> None:
        await self._put_whole(self._make_blob())

    async def _put_whole(self, blob: Content) -> None:
        self.unheard += 1
        with self.journal.changing({Thing("blob", blob.digest): blob.digest}):
            expect(await self.client.put_whole(blob), 201)
        self.unheard -= 1

    async def _push_chunk(self) -> None:
        """Send the next piece of an upload, or begin one; some pieces tell where they belong, as chunks do."""
        unfinished = [upload for upload in self.uploads if upload.least < len(upload.content.data)]
        if len(self.uploads) < _MOST_UPLOADS:
            upload = await self._start(self._make_blob())
        elif unfinished:
            upload = self.rng.choice(unfinished)
        else:
            await self._finish(self.rng.choice(self.uploads))
            return
        # Two bytes at least, since one alone could not be told from none.
        end = self.rng.randint(min(upload.least + 2, len(upload.content.data)), len(upload.content.data))
        await self._send(upload, end, chunked=self.rng.choice((True, False)))

    async def _send(self, upload: Upload, end: int, *, chunked: bool) -> None:
        """Send an upload's bytes up to `end`; chunks tell where they belong."""
        piece = upload.content.data[upload.least : end]
        upload.most = end
        answer = await self.client.patch(upload.location, piece, upload.least if chunked else None)
        assert range_end(expect(answer, 202)) == end
        upload.least = end
        self.journal.answers += 1

    async def _start(self, content: Content) -> Upload:
        self.unheard += 1
        upload = Upload(await self.client.start(), content)
        self.unheard -= 1
        self.uploads.append(upload)
        self.journal.answers += 1
        return upload

    async def _finish(self, upload: Upload) -> None:
        upload.ending, upload.most = "finish", len(upload.content.data)
        with self.journal.changing({upload.blob: upload.content.digest}):
            rest = upload.content.data[upload.least :]
            expect(await self.client.put(upload.location, upload.content.digest, rest), 201)
        self.uploads.remove(upload)

    async def _cancel_upload(self) -> None:
        if self.uploads:
            await self._cancel(self.rng.choice(self.uploads))

    async def _cancel(self, upload: Upload) -> None:
        upload.ending = "cancel"
        expect(await self.client.http.delete(upload.location), 204)
        self.uploads.remove(upload)

    async def _push_image(self) -> None:
        layers = [make_layer(self.rng, self._size()) for _ in range(self.rng.randint(1, 2))]
        image = make_image(self.rng, *layers)
        for blob in image.blobs:
            await self._finish(await self._start(blob))
        digest = image.manifest.digest
        self._images[digest] = [blob.digest for blob in image.blobs]
        reference, changed = digest, {Thing("manifest", digest): digest}
        if self.rng.random() < 0.8:
            reference = self._tag()
            changed[Thing("tag", reference)] = digest
        await self._put_manifest(image.manifest, reference, changed)

    async def _put_manifest(self, manifest: Content, reference: str, changed: Mapping[Thing, State]) -> None:
        with self.journal.changing(changed):
            expect(await self.client.put_manifest(manifest, reference), 201)

    async def _move_tag(self) -> None:
        """Point a tag to a manifest that is there, by pushing it once more."""
        manifests = self.journal.present("manifest")
        if manifests:
            digest, tag = self.rng.choice(manifests), self._tag()
            there = await self.client.http.get(self.client.path("manifests", digest))
            manifest = Content(expect(there, 200).content, there.headers["Content-Type"])
            assert manifest.digest == digest
            await self._put_manifest(manifest, tag, {Thing("tag", tag): digest})

    async def _delete_tag(self) -> None:
        tags = self.journal.present("tag")
        if tags:
            tag = self.rng.choice(tags)
            with self.journal.changing({Thing("tag", tag): None}):
                expect(await self.client.delete("manifests", tag), 202)

    async def _delete_manifest(self) -> None:
        """Delete a manifest, which takes its tags along."""
        manifests = self.journal.present("manifest")
        if manifests:
            digest = self.rng.choice(manifests)
            tags = [Thing("tag", tag) for tag in self.journal.present("tag")]
            gone = [Thing("manifest", digest), *(tag for tag in tags if self.journal.state(tag) == digest)]
            with self.journal.changing(dict.fromkeys(gone)):
                expect(await self.client.delete("manifests", digest), 202)

    async def _delete_blob(self) -> None:
        """Delete a blob that no manifest needs."""
        needed = {blob for manifest in self.journal.present("manifest") for blob in self._images[manifest]}
        free = [blob for blob in self.journal.present("blob") if blob not in needed]
        if free:
            blob = self.rng.choice(free)
            with self.journal.changing({Thing("blob", blob): None}):
                expect(await self.client.delete("blobs", blob), 202)

    def _make_blob(self) -> Content:
        return make_layer(self.rng, self._size())

    def _size(self) -> int:
        [size] = self.rng.choices(_SIZES, _WEIGHTS)
        return min(size, self.largest)

    def _tag(self) -> str:
        return f"tag-{self.rng.randrange(_MOST_TAGS)}"


@asynccontextmanager
async def connected(server: Server, token: str, pushers: Sequence[Pusher]) -> AsyncIterator[None]:
    """Give each pusher connections to the server as it runs now."""
    async with AsyncExitStack() as connections:
        for pusher in pushers:
            pusher.client, pusher.reader = [
                Client(await connections.enter_async_context(connect(server, token)), pusher.repository)
                for _ in range(2)
            ]
        yield


async def settle(pusher: Pusher) -> None:
    """Find out what became of a write although the next worker may die as well meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await pusher.settle()
            except BROKEN:
                await asyncio.sleep(0.05)
