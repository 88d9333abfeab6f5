"""A client of the registry on asyncio, as docker is one: a repository at a time, on connections of its own."""

import ssl
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Any, Self

import httpx2

from tests.distribution.making import Content, digest_of
from tests.proofs.waiting import PATIENCE
from tests.server import Server

# What a client sees of a server that dies; a request without an end is another thing, and fails the proof.
BROKEN = (httpx2.NetworkError, httpx2.RemoteProtocolError)

Body = bytes | AsyncIterable[bytes]

# Loading the system's certificates takes longer than a whole pull; there is no TLS here.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def connect(server: Server, bearer: str | None = None, *, connections: int | None = None) -> httpx2.AsyncClient:
    """Make a client that shows a token and keeps its connections, at most so many at once."""
    return httpx2.AsyncClient(
        base_url=server.url,
        headers={} if bearer is None else {"Authorization": f"Bearer {bearer}"},
        limits=httpx2.Limits(max_connections=connections, keepalive_expiry=None),
        timeout=PATIENCE,
        trust_env=False,
        verify=NO_TLS,
    )


def worker_of(answer: httpx2.Response) -> str:
    """Name the process that answered: the ids that it gives to requests begin alike."""
    return answer.headers["X-Request-ID"].partition("-")[0]


@dataclass(frozen=True, slots=True)
class Client:
    """One repository, by its full name. Methods that say what they expect fail on every other answer."""

    http: httpx2.AsyncClient
    repository: str

    async def log_in(self, server: Server, token: str, *more: str) -> Self:
        """Fetch a bearer token for this repository, as clients do that were given an API token, and go on with it.

        `more` are further scopes.
        """
        scopes = [f"repository:{self.repository}:pull,push", *more]
        asked = {"service": "moorage", "scope": scopes}
        answer = await self.http.get("/auth/token", params=asked, auth=(server.email, token))
        expect(answer, 200)
        self.http.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return self

    def path(self, *parts: str) -> str:
        """Return the path of something in the repository."""
        return "/".join(("/v2", self.repository, *parts))

    async def start(self, **params: str) -> str:
        """Begin an upload; return its location."""
        answer = await self.http.post(self.path("blobs", "uploads", ""), params=params)
        return str(expect(answer, 202).headers["Location"])

    async def patch(self, location: str, data: Body, start: int | None = None) -> httpx2.Response:
        """Send bytes for an upload: a chunk that begins at `start`, or whatever there is."""
        headers = {}
        if start is not None:
            assert isinstance(data, bytes)
            headers["Content-Range"] = f"{start}-{start + len(data) - 1}"
        return await self.http.patch(location, content=data, headers=headers)

    async def put(self, location: str, digest: str, data: Body = b"", length: int | None = None) -> httpx2.Response:
        """Finish an upload, with the last bytes or without; of a stream, `length` is what is told beforehand."""
        headers = {} if length is None else {"Content-Length": str(length)}
        return await self.http.put(location, params={"digest": digest}, content=data, headers=headers)

    async def put_whole(self, content: Content) -> httpx2.Response:
        """Send a blob in a single request."""
        return await self.http.post(
            self.path("blobs", "uploads", ""), params={"digest": content.digest}, content=content.data
        )

    async def push_blob(self, content: Content) -> None:
        """Push a blob as docker does: an upload, then all bytes."""
        location = await self.start()
        expect(await self.put(location, content.digest, content.data), 201)

    async def has_blob(self, digest: str) -> bool:
        """Ask whether a blob is there."""
        return (await self.http.head(self.path("blobs", digest))).status_code == 200

    async def read_blob(self, digest: str) -> str | None:
        """Read a whole blob; return the digest of what came, None where it is not there."""
        return _digest_of_body(await self.http.get(self.path("blobs", digest)), digest)

    async def put_manifest(self, content: Content, reference: str) -> httpx2.Response:
        """Push a manifest by tag or digest."""
        headers = {"Content-Type": content.media_type}
        return await self.http.put(self.path("manifests", reference), content=content.data, headers=headers)

    async def read_manifest(self, reference: str) -> str | None:
        """Read a manifest by tag or digest; return the digest of what came, None where it is not there."""
        return _digest_of_body(await self.http.get(self.path("manifests", reference)), reference)

    async def delete(self, *parts: str) -> httpx2.Response:
        """Delete something in the repository."""
        return await self.http.delete(self.path(*parts))

    async def tags(self) -> list[str]:
        """List all tags; none where nothing was ever pushed."""
        answer = await self.http.get(self.path("tags", "list"))
        if answer.status_code == 404:
            return []
        assert "Link" not in answer.headers, "a second page is not read here"
        document: dict[str, Any] = expect(answer, 200).json()
        return list(document["tags"])


def expect(answer: httpx2.Response, status: int) -> httpx2.Response:
    """Fail on another status than the one expected, with what was answered."""
    request = answer.request
    assert answer.status_code == status, f"{request.method} {request.url}: {answer.status_code} {answer.text}"
    return answer


def range_end(answer: httpx2.Response) -> int:
    """Return how many bytes of an upload the server has; `0-0` stands for none, as no proof sends a single one."""
    first, _, last = answer.headers["Range"].partition("-")
    assert first == "0"
    return int(last) + 1 if int(last) else 0


def _digest_of_body(answer: httpx2.Response, asked: str) -> str | None:
    if answer.status_code == 404:
        return None
    expect(answer, 200)
    algorithm = asked.partition(":")[0] if ":" in asked else "sha256"
    actual = digest_of(answer.content, algorithm)
    assert answer.headers["Docker-Content-Digest"] == actual, f"{actual} is served as {asked}"
    return actual
