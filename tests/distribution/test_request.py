"""Requests: bodies that break, stall or are too much; what becomes of the connection; headers and query."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from moorage.errors import BodyInterrupted, BodyStalled, SizeInvalid
from tests.distribution.asgi import Body, request_of, scope_of
from tests.distribution.making import blob, digest_of, index, unknown_digest
from tests.distribution.raw import Dial, RawAnswer, RawConnection, chunked
from tests.distribution.repository import Repository

LARGE = 50 * 1024 * 1024
# What the kernel's buffers of both ends take although nobody reads, beside what the server reads to be polite.
BUFFERED = 20 * 1024 * 1024
SHORT = 0.01


async def gather(body: AsyncIterator[bytes]) -> list[bytes]:
    """Read a body to its end."""
    return [piece async for piece in body]


def test_body() -> None:
    """A body is read piece by piece, without empty ones, and only once."""
    request = request_of(scope_of("PUT"), Body(b"a", b"", b"bc"))

    assert asyncio.run(gather(request.body())) == [b"a", b"bc"]
    assert asyncio.run(gather(request.body())) == []


def test_broken_body() -> None:
    """A connection that breaks is told apart from the body's end."""
    request = request_of(scope_of("PUT"), Body(b"a", breaks=True))

    with pytest.raises(BodyInterrupted):
        asyncio.run(gather(request.body()))


def test_stalled_body() -> None:
    """A body that stops arriving is given up."""
    request = request_of(scope_of("PUT"), Body(b"a", stalls=True), SHORT)

    with pytest.raises(BodyStalled):
        asyncio.run(gather(request.body()))


@pytest.mark.parametrize("pieces", [[b"12345"], [b"123", b"45"], [b"1"] * 5, []])
def test_read(pieces: list[bytes]) -> None:
    """A body within the limit is read whole."""
    assert asyncio.run(request_of(scope_of("PUT"), Body(*pieces)).read(5)) == b"".join(pieces)


def test_read_too_much() -> None:
    """A body beyond the limit is given up at the piece that exceeds it."""
    body = Body(*[b"x" * 10] * 100)

    with pytest.raises(SizeInvalid):
        asyncio.run(request_of(scope_of("PUT"), body).read(25))
    assert body.read == 30


def test_read_of_too_much_announced() -> None:
    """A body that announces too much is not read at all."""
    body = Body(b"x")

    with pytest.raises(SizeInvalid):
        asyncio.run(request_of(scope_of("PUT", headers=[("Content-Length", "26")]), body).read(25))
    assert body.read == 0


def test_drain_is_bounded() -> None:
    """Of a refused body only about a megabyte is read."""
    body = Body(*[b"x" * 100_000] * 1000)

    asyncio.run(request_of(scope_of("PUT"), body).drain())

    assert 1_000_000 < body.read < 1_300_000


@pytest.mark.parametrize(
    ("method", "headers"),
    [("PUT", [("Expect", "100-continue")]), ("PUT", [("Content-Length", "0")]), ("GET", []), ("HEAD", [])],
)
def test_nothing_to_drain(method: str, headers: list[tuple[str, str]]) -> None:
    """A client that waits for leave to send, or has nothing to send, is not waited for."""
    body = Body(b"x")

    asyncio.run(request_of(scope_of(method, headers=headers), body).drain())

    assert body.read == 0


@pytest.mark.parametrize(
    ("lines", "value"),
    [([], None), (["a"], "a"), (["a", "b"], "a, b"), (["", "b"], ", b"), (["\u00fc"], "\u00fc")],
)
def test_header(lines: list[str], value: str | None) -> None:
    """A header of several lines is one list (RFC 9110 §5.3), whatever the case of its name."""
    request = request_of(scope_of("GET", headers=[("X-Some", line) for line in lines]), Body())

    assert request.header("x-some") == value


@pytest.mark.parametrize(
    ("text", "length"), [(None, None), ("0", 0), ("12", 12), ("-1", None), ("x", None), ("\xb2", None), ("1, 1", None)]
)
def test_content_length(text: str | None, length: int | None) -> None:
    """Only a whole number is a length."""
    headers = [] if text is None else [("Content-Length", text)]

    assert request_of(scope_of("PUT", headers=headers), Body()).content_length == length


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", []),
        ("a", [""]),
        ("a=", [""]),
        ("a=1&a=2", ["1", "2"]),
        ("a=%C3%BC", ["\u00fc"]),
        ("a=%FF", ["\ufffd"]),
        ("b=1", []),
    ],
)
def test_query(query: str, values: list[str]) -> None:
    """A query's values come in order, and those without a value are empty; what is no UTF-8 is replaced."""
    request = request_of(scope_of("GET", query=query), Body())

    assert request.query.get("a", []) == values
    assert request.parameter("a") == (values[0] if values else None)


def refusals(repository: Repository) -> dict[str, tuple[str, str, int]]:
    """Return requests with a body that are refused for one reason each: method, target and status."""
    upload = repository.upload().location
    return {
        "no route": ("PUT", "/v2/nowhere", 404),
        "no such method": ("PUT", repository.path("tags", "list"), 405),
        "malformed name": ("POST", "/v2/main/UPPER/blobs/uploads/", 400),
        "unknown upload": ("PATCH", repository.path("blobs", "uploads", "unknown"), 404),
        "no digest": ("PUT", upload, 400),
        "malformed digest": ("PUT", f"{upload}?digest=sha256:x", 400),
        "malformed tag": ("PUT", repository.path("manifests", ".x"), 400),
        "manifest too large": ("PUT", repository.path("manifests", "v1"), 413),
        "too many tags": ("PUT", repository.path("manifests", index().digest) + "?" + "tag=a&" * 101, 414),
    }


REFUSALS = [
    "no route",
    "no such method",
    "malformed name",
    "unknown upload",
    "no digest",
    "malformed digest",
    "malformed tag",
    "manifest too large",
    "too many tags",
]
reasons = pytest.mark.parametrize("reason", REFUSALS)


def assert_usable_or_closed(connection: RawConnection, answer: RawAnswer) -> None:
    """Expect that the next request on a connection is answered, or that the server has said that it hangs up."""
    if answer.header("Connection") == "close":
        assert connection.is_closed()
    else:
        assert connection.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("reason", [reason for reason in REFUSALS if reason != "manifest too large"])
@pytest.mark.parametrize("size", [10, 100_000])
def test_connection_after_a_refusal(
    repository: Repository, dial: Dial, owner_token: str, reason: str, size: int
) -> None:
    """After a refused request whose body was not large the connection takes the next one."""
    method, target, status = refusals(repository)[reason]
    connection = dial()

    answer = connection.ask(method, target, [("Authorization", f"Bearer {owner_token}")], b"x" * size)

    assert (answer.status, answer.header("Connection")) == (status, None)
    assert connection.ask("GET", "/healthz").status == 200


@reasons
def test_chunked_refusal(repository: Repository, dial: Dial, owner_token: str, reason: str) -> None:
    """A refused body in chunked coding is no longer in the way of the next request either."""
    method, target, status = refusals(repository)[reason]
    connection = dial()
    size = 5 * 1024 * 1024 if reason == "manifest too large" else 1000
    headers = [("Authorization", f"Bearer {owner_token}"), ("Transfer-Encoding", "chunked")]

    connection.send_head(method, target, headers)
    connection.send_some(chunked(b"x" * size), patience=3)
    answer = connection.answer()

    assert answer.status == status
    assert_usable_or_closed(connection, answer)


def test_chunked_refusal_without_credentials(repository: Repository, dial: Dial) -> None:
    """The first request of many clients is one with a body and without credentials: the second uses the connection."""
    connection = dial()
    target = repository.path("blobs", "uploads", "") + f"?digest={unknown_digest()}"

    connection.send_head("POST", target, [("Transfer-Encoding", "chunked")])
    connection.send(chunked(b"x" * 1000))

    assert connection.answer().status == 401
    assert connection.ask("GET", "/healthz").status == 200


@reasons
def test_large_body_is_not_read(repository: Repository, dial: Dial, owner_token: str, reason: str) -> None:
    """A refused request is answered while its body is still coming, and most of that is never taken in."""
    method, target, status = refusals(repository)[reason]
    connection = dial()
    headers = [("Authorization", f"Bearer {owner_token}"), ("Content-Length", str(LARGE))]

    connection.send_head(method, target, headers)
    taken = connection.send_some(bytes(LARGE), patience=3)

    assert taken < BUFFERED
    assert connection.answer().status == status
    assert connection.is_closed()


@pytest.mark.parametrize("shown", [None, "Bearer x", "Basic eDp5"])
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_large_body_without_rights(repository: Repository, dial: Dial, shown: str | None, coding: str) -> None:
    """Nobody fills the server's network, or its disk, with a body that they may not send."""
    connection = dial()
    headers = [("Content-Length", str(LARGE)) if coding == "length" else ("Transfer-Encoding", "chunked")]
    credentials = [] if shown is None else [("Authorization", shown)]

    target = repository.path("blobs", "uploads", "") + f"?digest={unknown_digest()}"
    connection.send_head("POST", target, [*credentials, *headers])
    taken = connection.send_some(bytes(LARGE) if coding == "length" else chunked(bytes(LARGE)), patience=3)

    assert taken < BUFFERED
    assert connection.answer().status == 401
    assert connection.is_closed()


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_large_chunk_out_of_order(repository: Repository, dial: Dial, owner_token: str, coding: str) -> None:
    """A chunk that does not fit is refused before it is read."""
    upload, connection = repository.upload(), dial()
    length = ("Content-Length", str(LARGE)) if coding == "length" else ("Transfer-Encoding", "chunked")
    headers = [("Authorization", f"Bearer {owner_token}"), ("Content-Range", f"5-{LARGE + 4}"), length]

    connection.send_head("PATCH", upload.location, headers)
    taken = connection.send_some(bytes(LARGE) if coding == "length" else chunked(bytes(LARGE)), patience=3)

    assert taken < BUFFERED
    assert connection.answer().status == 416
    assert upload.status().headers["Range"] == "0-0"


def test_chunk_larger_than_it_says(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A body of unknown length that exceeds its Content-Range is given up there, not read to its end."""
    upload, connection = repository.upload(), dial()
    headers = [("Authorization", f"Bearer {owner_token}"), ("Content-Range", "0-9"), ("Transfer-Encoding", "chunked")]

    connection.send_head("PATCH", upload.location, headers)
    taken = connection.send_some(chunked(*[bytes(1024 * 1024)] * 50), patience=3)

    assert taken < BUFFERED
    assert connection.answer().status == 400
    assert upload.status().headers["Range"] == "0-0"


def test_expect_continue(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A client that asks first is told to go on when its body is wanted."""
    data, connection = blob(1000).data, dial()
    headers = [("Authorization", f"Bearer {owner_token}"), ("Content-Length", "1000"), ("Expect", "100-continue")]

    connection.send_head("PUT", f"{repository.upload().location}?digest={digest_of(data)}", headers)
    assert connection.answer().status == 100
    connection.send(data)

    assert connection.answer().status == 201


@reasons
def test_expect_final_status(repository: Repository, dial: Dial, owner_token: str, reason: str) -> None:
    """A client that asks first is refused without having sent anything."""
    method, target, status = refusals(repository)[reason]
    connection = dial()
    headers = [("Authorization", f"Bearer {owner_token}"), ("Content-Length", str(LARGE)), ("Expect", "100-continue")]

    connection.send_head(method, target, headers)
    answer = connection.answer()

    assert answer.status == status
    assert_usable_or_closed(connection, answer)


def test_pipelining(repository: Repository, dial: Dial, owner_token: str) -> None:
    """Requests sent without waiting are answered in order, errors among them."""
    repository.push_image("v1")
    connection = dial()
    headers = [("Authorization", f"Bearer {owner_token}")]
    references = ["v1", "none", "v1", ".bad", "v1"]
    for reference in references:
        connection.send_head("GET", repository.path("manifests", reference), headers)

    assert [connection.answer().status for _ in references] == [200, 404, 200, 400, 200]


def test_many_requests_on_a_connection(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A connection lasts, through successes and errors of all kinds."""
    digest, connection = repository.push_blob(blob(100_000)).digest, dial()
    headers = [("Authorization", f"Bearer {owner_token}")]
    for _ in range(10):
        assert connection.ask("GET", repository.path("blobs", digest), headers).status == 200
        assert connection.ask("GET", repository.path("blobs", unknown_digest()), headers).status == 404
        assert connection.ask("GET", repository.path("blobs", digest), [*headers, ("Range", "bytes=9-5")]).status == 416
        assert connection.ask("GET", repository.path("tags", "list"), headers).status == 200
        assert connection.ask("POST", repository.path("blobs", "uploads", ""), headers).status == 202
        assert connection.ask("GET", "/v2/").status == 401


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Length", "5"), ("Content-Length", "6")],
        [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
        [("Content-Length", "-1")],
        [("Content-Length", "5x")],
        [("Content-Length", "9" * 30)],
        [("Transfer-Encoding", "chunked, identity")],
        [("Transfer-Encoding", "xchunked")],
    ],
)
def test_ambiguous_length(repository: Repository, dial: Dial, owner_token: str, headers: list[tuple[str, str]]) -> None:
    """A body whose length can be read in two ways smuggles no second request past anybody (RFC 9112 §6.3)."""
    connection = dial()
    smuggled = b"0\r\n\r\nDELETE " + repository.path("manifests", "v1").encode() + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    repository.push_image("v1")

    connection.send_head(
        "POST", repository.path("blobs", "uploads", ""), [("Authorization", f"Bearer {owner_token}"), *headers]
    )
    connection.send(smuggled)
    answer = connection.answer()

    assert answer.status < 500
    assert repository.manifest("v1").status_code == 200


def test_no_host(dial: Dial) -> None:
    """A request without Host, as of HTTP/1.0, is answered, with a realm at the server's own address."""
    connection = dial()
    connection.send(b"GET /v2/ HTTP/1.1\r\n\r\n")

    answer = connection.answer()

    assert answer.status in {400, 401}


def test_hang_up_within_an_answer(repository: Repository, dial: Dial, owner_token: str) -> None:
    """Containerd hangs up within an answer that it has seen enough of: nobody minds."""
    digest = repository.push_blob(blob(8 * 1024 * 1024)).digest
    headers = [("Authorization", f"Bearer {owner_token}")]
    for more in ([], [("Range", "bytes=1-")], [("Range", "bytes=0-4000000,1-4000000")]):
        with dial() as connection:
            connection.send_head("GET", repository.path("blobs", digest), [*headers, *more])

    assert repository.blob(digest, "HEAD").status_code == 200
