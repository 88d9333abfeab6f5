"""From a body into a stage."""

from asyncio import run
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import BodyInterrupted, StoreFull
from moorage.oci.digest import Digest
from moorage.registry.pouring import pour
from moorage.storage.contract import CHUNK
from moorage.storage.keys import new_key
from moorage.storage.memory import MemoryStage, MemoryStore
from tests.registry.trial import body

MiB = 1024 * 1024


class SmallStore(MemoryStore):
    """A store with room for some bytes; its stages note what they are given."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    async def stage(self, key: str, *, create: bool, wait: float = 5.0) -> MemoryStage:
        """Lock an object."""
        await super().stage(key, create=create, wait=wait)
        return SmallStage(self._objects[key], self.room)


class SmallStage(MemoryStage):
    """An object that can only grow so far."""

    def __init__(self, target: object, room: int) -> None:
        super().__init__(target)  # type: ignore[arg-type] # an object of the store
        self.room = room
        self.pieces: list[int] = []

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes while there is room."""
        self.pieces.append(len(data))
        if self.offset + len(data) > self.room:
            raise StoreFull
        await super().write(data)


async def poured(sent: AsyncGenerator[bytes, None], room: int = 64 * MiB) -> SmallStage:
    """Pour a body into a new stage."""
    stage = await SmallStore(room).stage(new_key(), create=True)
    assert isinstance(stage, SmallStage)
    await stage.resume(0)
    await pour(sent, stage)
    return stage


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_what_is_sent_is_written_in_order(pieces: list[bytes]) -> None:
    """However the bytes are cut on their way, they arrive as they were sent."""

    async def scenario() -> None:
        stage = await poured(body(*pieces))
        assert await stage.digest("sha256") == Digest.of(b"".join(pieces))

    run(scenario())
