"""Blobs that are left to nginx to send (X-Accel-Redirect): which, to whom, and what else stays as it is."""

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from moorage.storage.keys import is_key
from tests.distribution.making import OCTETS, Content, blob, unknown_digest
from tests.distribution.repository import Repository, connect
from tests.server import Server, running_server

SIZE = 100_000
# What nginx is told to add to the requests that it passes on.
OFFER = {"X-Sendfile-Type": "X-Accel-Redirect"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes everybody on this machine for its proxy."""
    data = tmp_path_factory.mktemp("proxied") / "data"
    settings = {"MOORAGE_TRUSTED_PROXIES": "127.0.0.1", "MOORAGE_ACCEL_REDIRECT": "/store/", "MOORAGE_WORKERS": "1"}
    with running_server(data, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def repository(server: Server) -> Iterator[Repository]:
    """A repository, by way of a proxy that offers to send files."""
    with connect(server.url, bearer=server.token()) as http:
        http.headers.update(OFFER)
        yield Repository(http, f"main/{secrets.token_hex(8)}")


@pytest.fixture(scope="module")
def content(repository: Repository) -> Content:
    """A blob that lies in a file."""
    return repository.push_blob(blob(SIZE))


@pytest.fixture
def file_of(server: Server) -> Callable[[httpx2.Response], Path]:
    """Find the file that an answer leads the proxy to."""

    def find(answer: httpx2.Response) -> Path:
        prefix, _, key = answer.headers["X-Accel-Redirect"].partition("/store/")
        assert prefix == ""
        assert is_key(key)
        return server.data / "store" / key

    return find


def test_whole_blob(repository: Repository, content: Content, file_of: Callable[[httpx2.Response], Path]) -> None:
    """The proxy is told the file, and gets every header that it has to pass on."""
    answer = repository.blob(content.digest)

    assert (answer.status_code, answer.content) == (200, b"")
    assert file_of(answer).read_bytes() == content.data
    assert answer.headers["Content-Type"] == OCTETS
    assert answer.headers["Docker-Content-Digest"] == content.digest
    assert answer.headers["ETag"] == f'"{content.digest}"'


def test_range(repository: Repository, content: Content, file_of: Callable[[httpx2.Response], Path]) -> None:
    """A range is read by the proxy itself, so the answer is that of the whole blob."""
    answer = repository.blob(content.digest, Range="bytes=10-19")

    assert (answer.status_code, answer.content) == (200, b"")
    assert "Content-Range" not in answer.headers
    assert file_of(answer).read_bytes() == content.data


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-4,10-14"},
        {"Range": "bytes=x"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=0-4", "If_Range": '"other"'},
        {"Range": "bytes=0-4", "If_Range": '"{digest}"'},
    ],
)
def test_what_a_proxy_reads_otherwise(repository: Repository, content: Content, headers: dict[str, str]) -> None:
    """Where the proxy would take Range or If-Range for something else, the bytes come from here."""
    asked = {name: value.format(digest=content.digest) for name, value in headers.items()}

    answer = repository.blob(content.digest, **asked)

    assert "X-Accel-Redirect" not in answer.headers
    assert content.data[0:5] in answer.content


def test_range_beyond_the_end(repository: Repository, content: Content) -> None:
    """What nobody can send is refused here, as always."""
    answer = repository.blob(content.digest, Range=f"bytes={SIZE}-")

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{SIZE}")


def test_head(repository: Repository, content: Content) -> None:
    """HEAD has no bytes for a proxy to send, and tells the blob's own length."""
    answer = repository.blob(content.digest, "HEAD")

    assert "X-Accel-Redirect" not in answer.headers
    assert answer.headers["Content-Length"] == str(SIZE)


def test_small_blob(repository: Repository) -> None:
    """A blob that has no file comes from here."""
    content = repository.push_blob(blob())

    answer = repository.blob(content.digest)

    assert "X-Accel-Redirect" not in answer.headers
    assert answer.content == content.data


def test_refusals(repository: Repository, content: Content, server: Server) -> None:
    """Who may not have the blob, has it already, or asks for none that is there, is led to no file."""
    with connect(server.url) as nobody:
        nobody.headers.update(OFFER)
        refused = repository.by(nobody).blob(content.digest)
    known = repository.blob(content.digest, If_None_Match=f'"{content.digest}"')
    missing = repository.blob(unknown_digest())

    assert [answer.status_code for answer in (refused, known, missing)] == [401, 304, 404]
    assert all("X-Accel-Redirect" not in answer.headers for answer in (refused, known, missing))


@pytest.mark.parametrize("offer", ["", "X-Sendfile"])
def test_without_an_offer(repository: Repository, content: Content, offer: str) -> None:
    """A client that comes straight to the port gets the bytes, even from the proxy's own address."""
    answer = repository.blob(content.digest, X_Sendfile_Type=offer)

    assert "X-Accel-Redirect" not in answer.headers
    assert answer.content == content.data


def test_offer_of_a_stranger(server: Server, repository: Repository, content: Content) -> None:
    """An offer counts from a trusted proxy only: others get the bytes, and learn of no key."""
    settings = {"MOORAGE_TRUSTED_PROXIES": "192.0.2.1", "MOORAGE_ACCEL_REDIRECT": "/store/", "MOORAGE_WORKERS": "1"}
    with running_server(server.data, **settings) as other, connect(other.url, bearer=other.token()) as http:
        http.headers.update(OFFER)
        answer = repository.by(http).blob(content.digest)

        assert answer.content == content.data
    assert not re.search("accel", str(answer.headers), re.IGNORECASE)
