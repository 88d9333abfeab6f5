"""Whose an upload is, and what becomes of it when two write at once or one breaks off."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.distribution.making import blob, digest_of
from tests.distribution.operators import Operator, Person
from tests.distribution.raw import Dial, RawConnection, chunked
from tests.distribution.repository import Connect, Repository, Upload, assert_error

# Bytes: too many for the row of an upload.
LARGE = 200_000

UNKNOWN = "01a20d00-0000-7000-8000-000000000000"


def assert_unknown(upload: Upload) -> None:
    """Expect that the upload is unknown to whoever holds it, by each method."""
    assert_error(upload.status(), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_error(upload.patch(b"stolen"), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_error(upload.put(digest_of(b"mine"), b"mine"), 404, "BLOB_UPLOAD_UNKNOWN")
    assert_error(upload.cancel(), 404, "BLOB_UPLOAD_UNKNOWN")


def assert_unharmed(upload: Upload, data: bytes) -> None:
    """Expect the upload to stand behind `data`, and to become its blob."""
    assert upload.status().headers["Range"] == f"0-{len(data) - 1}"
    assert upload.put(digest_of(data)).status_code == 201


def send_part(connection: RawConnection, upload: Upload, token: str, size: int, part: bytes, query: str = "") -> None:
    """Announce a body of `size` bytes, and send only a part of it, once the server says that it reads."""
    headers = [("Authorization", f"Bearer {token}"), ("Content-Length", str(size)), ("Expect", "100-continue")]
    connection.send_head("PUT" if query else "PATCH", upload.location + query, headers)
    assert connection.answer().status == 100
    connection.send(part)


def wait_for(upload: Upload, received: int) -> None:
    """Wait until the upload stands behind so many bytes."""
    while upload.status().headers["Range"] != f"0-{received - 1}":
        pass


def test_another_repositorys_upload(repository: Repository, other_repository: Repository) -> None:
    """An upload of one repository does not exist in another, although the caller may push to both."""
    upload = repository.upload()
    upload.patch(b"mine")

    assert_unknown(Upload(repository.http, other_repository.path("blobs", "uploads", upload.id)))
    assert_unharmed(upload, b"mine")


def test_another_users_upload(repository: Repository, developer: Person, connected: Connect) -> None:
    """An upload belongs to the user who began it: to their colleagues it does not exist (CVE-2026-32589)."""
    upload = repository.upload()
    upload.patch(b"mine")

    assert_unknown(upload.by(connected(basic=(developer.email, developer.password))))
    assert_unharmed(upload, b"mine")


def test_another_accounts_upload(repository: Repository, strangers: Repository) -> None:
    """To somebody who may not push at all, an upload looks like one that is not there."""
    upload = repository.upload()
    absent = Upload(repository.http, repository.path("blobs", "uploads", UNKNOWN))

    seen, unseen = upload.by(strangers.http).status(), absent.by(strangers.http).status()

    assert_error(seen, 401, "UNAUTHORIZED")
    assert seen.json() == unseen.json()


def test_same_user_by_other_credentials(
    repository: Repository, operator: Operator, developer: Person, connected: Connect
) -> None:
    """A user goes on with their upload whichever way they log in."""
    upload = repository.by(connected(basic=(developer.email, developer.password))).upload()
    upload.patch(b"first, ")

    again = upload.by(connected(bearer=operator.make_token(developer.email)))

    assert again.patch(b"second").headers["Range"] == "0-12"


@pytest.mark.parametrize(
    "upload_id", [UNKNOWN, "x", "..", "a=b", "0" * 200, "%00", "01A20D00-0000-7000-8000-000000000000"]
)
def test_unknown_upload(repository: Repository, upload_id: str) -> None:
    """An id that nothing has, or could have, is unknown."""
    answer = repository.http.patch(repository.path("blobs", "uploads") + f"/{upload_id}", content=b"data")

    assert answer.status_code in {400, 404}


def test_upload_in_an_unknown_registry(owner: httpx2.Client) -> None:
    """An upload to a registry that does not exist is refused like one to somebody else's."""
    assert_error(Repository(owner, f"r{secrets.token_hex(8)}/app").start(), 401, "UNAUTHORIZED")


def test_expired_upload(repository: Repository, operator: Operator) -> None:
    """An upload whose time is over is unknown, even before it is cleared away."""
    upload = repository.upload()
    upload.patch(b"late")
    operator.expire_upload(upload.id)

    assert_unknown(upload)


def test_body_cut_off(repository: Repository, dial: Dial, owner_token: str) -> None:
    """After a connection broke within a PATCH, status tells what arrived, and the upload goes on from there."""
    data, upload = blob(5000).data, repository.upload()
    with dial() as connection:
        send_part(connection, upload, owner_token, len(data), data[:3000])
    wait_for(upload, 3000)

    assert_unfinished(repository, data)
    assert upload.patch(data[3000:], 3000).headers["Range"] == "0-4999"
    assert_unharmed(upload, data)
    assert repository.blob(digest_of(data)).content == data


def test_chunk_cut_off(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A broken chunk counts as far as it came; the next one begins behind it, or is told so."""
    data, upload = blob(5000).data, repository.upload()
    with dial() as connection:
        headers = [("Authorization", f"Bearer {owner_token}"), ("Content-Range", "0-4999"), ("Content-Length", "5000")]
        connection.send_head("PATCH", upload.location, headers)
        connection.send(data[:1234])
    wait_for(upload, 1234)

    assert_error(upload.patch(data, 0), 416, "RANGE_INVALID")
    assert upload.patch(data[1234:], 1234).status_code == 202
    assert_unharmed(upload, data)


def test_chunked_body_cut_off(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A chunked body that ends without its last chunk was cut off, and is no end of a blob."""
    data, upload = blob(5000).data, repository.upload()
    with dial() as connection:
        headers = [("Authorization", f"Bearer {owner_token}"), ("Transfer-Encoding", "chunked")]
        connection.send_head("PUT", f"{upload.location}?digest={digest_of(data[:2000])}", headers)
        connection.send(chunked(data[:2000]).removesuffix(b"0\r\n\r\n"))
    wait_for(upload, 2000)

    assert repository.blob(digest_of(data[:2000])).status_code == 404
    assert upload.put(digest_of(data), data[2000:]).status_code == 201


def test_put_cut_off(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A PUT that breaks off, even right behind a whole blob, makes no blob, and the upload goes on."""
    data, upload = blob(5000).data, repository.upload()
    with dial() as connection:
        send_part(connection, upload, owner_token, len(data) + 1, data, f"?digest={digest_of(data)}")
    wait_for(upload, 5000)

    assert_unfinished(repository, data)
    assert_unharmed(upload, data)


def test_stalled_body(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A body that stops arriving is given up with 408; what came is kept, and the connection is not reused."""
    upload, connection = repository.upload(), dial()

    send_part(connection, upload, owner_token, 5000, b"x" * 100)
    answer = connection.answer()

    assert (answer.status, answer.code) == (408, "BLOB_UPLOAD_INVALID")
    assert connection.is_closed()
    assert_unharmed(upload, b"x" * 100)


def test_second_writer_gives_up(repository: Repository, dial: Dial, owner_token: str) -> None:
    """While one request writes, a second one waits, then gets 416 with where the upload stands; the first goes on."""
    upload, first = repository.upload(), dial()
    upload.patch(b"x" * 100)
    send_part(first, upload, owner_token, LARGE, b"y" * 50)

    second = upload.patch(b"z" * 10, 100)
    first.send(b"y" * (LARGE - 50))

    assert_error(second, 416, "RANGE_INVALID")
    assert (second.headers["Location"], second.headers["Range"]) == (upload.location, "0-99")
    assert first.answer().header("Range") == f"0-{LARGE + 99}"
    assert_unharmed(upload, b"x" * 100 + b"y" * LARGE)


@pytest.mark.parametrize("query", ["", f"?digest={digest_of(b'y' * 100)}"], ids=["part", "end"])
def test_small_body_that_is_overtaken(repository: Repository, dial: Dial, owner_token: str, query: str) -> None:
    """Of two small requests the first to have its bytes is taken; the other gets 416 with where the upload stands."""
    upload, slow = repository.upload(), dial()
    send_part(slow, upload, owner_token, 100, b"y" * 50, query)

    assert upload.patch(b"z" * 10, 0).headers["Range"] == "0-9"
    slow.send(b"y" * 50)

    answer = slow.answer()
    assert (answer.status, answer.code, answer.header("Range")) == (416, "RANGE_INVALID", "0-9")
    assert_unharmed(upload, b"z" * 10)


def test_second_writer_waits(repository: Repository, dial: Dial, owner_token: str) -> None:
    """A second request that comes while the first is about to end goes on where that one ends."""
    upload, first = repository.upload(), dial()
    send_part(first, upload, owner_token, LARGE, b"x" * 50)
    with ThreadPoolExecutor(1) as threads:
        second = threads.submit(upload.patch, b"y" * 10, LARGE)
        first.send(b"x" * (LARGE - 50))

        assert second.result().headers["Range"] == f"0-{LARGE + 9}"
    assert_unharmed(upload, b"x" * LARGE + b"y" * 10)


@pytest.mark.parametrize("size", [1000, 300_000], ids=["small", "large"])
def test_writers_race(repository: Repository, size: int) -> None:
    """Of two that finish one upload with different bytes, whoever got 201 has exactly their blob; nobody a mixture."""
    for _ in range(5):
        upload, contents = repository.upload(), [blob(size), blob(size)]
        line = threading.Barrier(2)

        def finish(data: bytes, upload: Upload = upload, line: threading.Barrier = line) -> int:
            line.wait()
            return upload.put(digest_of(data), data).status_code

        with ThreadPoolExecutor(2) as threads:
            statuses = list(threads.map(finish, [content.data for content in contents]))

        assert sorted(statuses) == [201, 404]
        for content, status in zip(contents, statuses, strict=True):
            answer = repository.blob(content.digest)
            assert (answer.content == content.data) if status == 201 else (answer.status_code == 404)


@pytest.mark.parametrize("size", [1000, 300_000], ids=["small", "large"])
def test_finish_and_append_race(repository: Repository, size: int) -> None:
    """Of a PUT and a PATCH at once, a PUT that is answered 201 has made a blob of its own bytes alone."""
    for _ in range(5):
        upload, content = repository.upload(), blob(size)
        with ThreadPoolExecutor(2) as threads:
            put = threads.submit(upload.put, content.digest, content.data)
            patch = threads.submit(upload.patch, b"x" * 100)

        statuses = put.result().status_code, patch.result().status_code
        assert statuses in {(201, 404), (201, 416), (400, 202), (404, 202), (416, 202)}
        answer = repository.blob(content.digest)
        assert (answer.content == content.data) if statuses[0] == 201 else (answer.status_code == 404)


def test_cancelled_while_writing(repository: Repository, dial: Dial, owner_token: str) -> None:
    """An upload that is being written to is not cancelled under the writer's hands."""
    upload, writer = repository.upload(), dial()
    send_part(writer, upload, owner_token, LARGE, b"x" * 50)

    refused = upload.cancel()
    writer.send(b"x" * (LARGE - 50))

    assert_error(refused, 416, "RANGE_INVALID")
    assert writer.answer().status == 202
    assert_unharmed(upload, b"x" * LARGE)


def test_cancelled_before_a_small_body_is_there(repository: Repository, dial: Dial, owner_token: str) -> None:
    """What has not come is nobody's yet: the upload ends, and the request that brings more is told so."""
    upload, writer = repository.upload(), dial()
    send_part(writer, upload, owner_token, 100, b"x" * 50)

    assert upload.cancel().status_code == 204
    writer.send(b"x" * 50)

    assert writer.answer().code == "BLOB_UPLOAD_UNKNOWN"


def test_expired_while_writing(repository: Repository, operator: Operator, dial: Dial, owner_token: str) -> None:
    """An upload that expires while its last bytes arrive makes no blob."""
    data, upload, writer = blob(100).data, repository.upload(), dial()
    send_part(writer, upload, owner_token, 100, data[:50], f"?digest={digest_of(data)}")
    operator.expire_upload(upload.id)
    writer.send(data[50:])

    assert writer.answer().status in {201, 404}


def assert_unfinished(repository: Repository, data: bytes) -> None:
    """Expect that these bytes are no blob."""
    assert repository.blob(digest_of(data)).status_code == 404
