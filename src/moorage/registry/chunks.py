"""Chunks: the bytes that one request brings for an upload, and where they belong."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace

from moorage.errors import BodyInterrupted, RangeInvalid, SizeInvalid
from moorage.model import Upload
from moorage.oci.ranges import ByteRange


class ChunkRefused(RangeInvalid):
    """A chunk that does not begin where the upload stands; the upload itself is unharmed and goes on."""

    def __init__(self, message: str, upload: Upload) -> None:
        """`upload` tells where the next chunk has to begin."""
        super().__init__(message)
        self.upload = upload


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that arrive for an upload.

    `place` says where they belong, None behind what is there; `size` how many come, None where that was not told.
    """

    body: AsyncIterator[bytes]
    place: ByteRange | None = None
    size: int | None = None

    async def limited(self) -> AsyncGenerator[bytes, None]:
        """Iterate over the body; raise SizeInvalid as soon as it exceeds its place, rather than read on."""
        came = 0
        async for data in self.body:
            came += len(data)
            if self.place is not None and came > self.place.length:
                raise SizeInvalid(
                    f"provided length did not match content length: Content-Range tells {self.place.length} bytes, "
                    "but more came; send the chunk again"
                )
            yield data

    def check_start(self, upload: Upload) -> None:
        """Raise ChunkRefused where the bytes do not belong where the upload stands."""
        if self.place is not None and self.place.start != upload.offset:
            raise ChunkRefused(
                f"chunk is out of order: it begins at {self.place.start}, the upload stands at {upload.offset}", upload
            )

    def check_length(self, came: int) -> None:
        """Raise SizeInvalid where another number of bytes came than was told."""
        if self.place is not None and came != self.place.length:
            raise SizeInvalid(
                f"provided length did not match content length: Content-Range tells {self.place.length} bytes, "
                f"but {came} came; send the chunk again"
            )


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first bytes of a chunk; all of them where `is_all`. `broken` is the error that its body ended with."""

    chunk: Chunk
    data: bytes
    is_all: bool
    broken: BodyInterrupted | None = None

    def whole(self) -> Chunk:
        """Return the chunk as if nothing had been read of it yet."""
        return replace(self.chunk, body=self._again())

    async def _again(self) -> AsyncGenerator[bytes, None]:
        if self.data:
            yield self.data
        if self.broken is not None:
            raise self.broken
        async for data in self.chunk.body:
            yield data


async def begin(chunk: Chunk, limit: int) -> Beginning:
    """Read a chunk if it has at most `limit` bytes, and of a larger one little more than that.

    Nothing is read of one that is known to be larger. Raises SizeInvalid like `Chunk.limited`.
    """
    if chunk.size is not None and chunk.size > limit:
        return Beginning(chunk, b"", is_all=False)
    gathered = bytearray()
    try:
        async for data in chunk.limited():
            gathered += data
            if len(gathered) > limit:
                return Beginning(chunk, bytes(gathered), is_all=False)
    except BodyInterrupted as error:
        return Beginning(chunk, bytes(gathered), is_all=True, broken=error)
    return Beginning(chunk, bytes(gathered), is_all=True)
