"""Answers: what HEAD shares with GET, the standing headers, warnings, ids."""

import secrets
from collections.abc import AsyncGenerator

import httpx2
import pytest

from moorage.distribution.response import Response, of_json
from tests.distribution.asgi import call_response
from tests.distribution.making import blob, digest_of, index, unknown_digest
from tests.distribution.operators import Operator
from tests.distribution.raw import Dial
from tests.distribution.repository import Repository

VARYING = {"x-request-id", "date"}
MOST_WARNING = 4096

# Paths below a repository that has the tag v1, and a blob and an upload of which the last parts are filled in.
GETS = {
    "ping": "/v2/",
    "manifest by tag": "{repository}/manifests/v1",
    "blob": "{repository}/blobs/{blob}",
    "missing manifest": "{repository}/manifests/v2",
    "missing blob": "{repository}/blobs/" + digest_of(b"nobody's"),
    "malformed digest": "{repository}/blobs/sha256:x",
    "tags": "{repository}/tags/list",
    "referrers": "{repository}/referrers/{blob}",
    "upload": "{repository}/blobs/uploads/{upload}",
    "catalog": "/v2/_catalog",
    "extensions": "/v2/_oci/ext/discover",
    "no route": "/v1/_ping",
    "alive": "/healthz",
    "ready": "/readyz",
}


@pytest.mark.parametrize("form", GETS.values(), ids=GETS.keys())
def test_head_equals_get(repository: Repository, form: str) -> None:
    """Trap 4: wherever GET answers, HEAD answers the same status and headers, its length included, and no body."""
    repository.push_image("v1")
    digest, upload = repository.push_blob(blob()).digest, repository.upload()
    path = form.format(repository=repository.path(), blob=digest, upload=upload.id)

    got, head = repository.http.get(path), repository.http.head(path)

    assert (head.status_code, head.content) == (got.status_code, b"")
    shown = [{name: value for name, value in one.headers.items() if name not in VARYING} for one in (got, head)]
    assert shown[0] == shown[1]


def test_head_sends_nothing(repository: Repository, dial: Dial, owner_token: str) -> None:
    """Behind the headers of a HEAD the next answer follows at once, be it about a large blob or an error."""
    digest, connection = repository.push_blob(blob(300_000)).digest, dial()
    headers = [("Authorization", f"Bearer {owner_token}")]
    for path in (repository.path("blobs", digest), repository.path("blobs", unknown_digest()), "/v2/", "/nowhere"):
        head = connection.ask("HEAD", path, headers)
        assert int(head.header("Content-Length") or "") > 0
    assert connection.ask("GET", "/v2/", headers).json() == {}


def test_standing_headers(owner: httpx2.Client) -> None:
    """What others have pushed is never guessed at, or run, by a browser."""
    answer = owner.get("/v2/")

    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.parametrize("pieces", [[b"one"], [b"one", b"two", b"three"]])
def test_last_piece_of_a_stream(pieces: list[bytes]) -> None:
    """The last piece ends the body, so that a body of one piece is sent in one go."""

    async def stream() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    sent = call_response(Response(200, stream=stream(), length=len(b"".join(pieces))))

    assert sent.bodies == [(piece, piece is not pieces[-1]) for piece in pieces]


def test_one_of_each_header(repository: Repository, dial: Dial, owner_token: str) -> None:
    """No header comes twice."""
    repository.push_image("v1")
    answer = dial().ask("GET", repository.path("manifests", "v1"), [("Authorization", f"Bearer {owner_token}")])

    names = [name.lower() for name, _ in answer.headers]
    assert sorted(names) == sorted(set(names))


def test_locations_are_relative(repository: Repository) -> None:
    """A Location is a path: clients send no credentials to another scheme or host, and some follow none."""
    content = index()
    answers = [
        repository.start(),
        repository.start(b"{}", digest="sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
        repository.put_manifest(content, content.digest),
    ]

    assert all(answer.headers["Location"].startswith(f"/v2/{repository.name}/") for answer in answers)


def test_request_id_is_kept(owner: httpx2.Client) -> None:
    """A sane X-Request-ID comes back, so that a client's log and the server's can be put together."""
    name = secrets.token_hex(8)

    for path in ("/v2/", "/nowhere"):
        assert owner.get(path, headers={"X-Request-ID": name}).headers["X-Request-ID"] == name


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", '"', "<script>", "a\u00e4"])
def test_request_id_is_made(owner: httpx2.Client, name: str) -> None:
    """Any other is replaced by one of the server's."""
    answers = [owner.get("/v2/", headers={b"X-Request-ID": name.encode("latin-1")}) for _ in range(2)]

    ids = [answer.headers["X-Request-ID"] for answer in answers]
    assert name not in ids
    assert ids[0] != ids[1]


def test_no_body_where_none_may_be(repository: Repository, dial: Dial, owner_token: str) -> None:
    """204 and 304 have no body and no Content-Length; the connection goes on behind them."""
    repository.push_image("v1")
    upload, connection = repository.upload(), dial()
    headers = [("Authorization", f"Bearer {owner_token}")]

    status = connection.ask("GET", upload.location, headers)
    unchanged = connection.ask("GET", repository.path("manifests", "v1"), [*headers, ("If-None-Match", "*")])

    for answer, wanted in ((status, 204), (unchanged, 304)):
        assert (answer.status, answer.header("Content-Length"), answer.header("Transfer-Encoding")) == (
            wanted,
            None,
            None,
        )
    assert connection.ask("GET", "/v2/", headers).status == 200


def test_public_blob_in_caches(repository: Repository, operator: Operator, nobody: httpx2.Client) -> None:
    """No shared cache keeps what needs rights to read, and a public repository may turn private."""
    digest = repository.push_blob(blob()).digest
    operator.set_public(repository.name)

    assert repository.by(nobody).blob(digest).headers["Cache-Control"].startswith("private")


@pytest.mark.parametrize("status", [200, 201, 404])
def test_json_type(status: int) -> None:
    """JSON goes out under its bare type (trap 19), in UTF-8."""
    sent = call_response(of_json(status, {"\u00fc": 1}))

    assert (sent.status, sent.headers["content-type"], sent.body) == (status, "application/json", b'{"\xc3\xbc":1}')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Quota is at 80 %.", '299 - "Quota is at 80 %."'),
        ('say "no"', '299 - "say \\"no\\""'),
        ("back\\slash", '299 - "back\\\\slash"'),
        ("line\r\nX-Evil: 1", '299 - "line??X-Evil: 1"'),
        ("\u00fc\u20ac\x00\x7f", '299 - "????"'),
    ],
)
def test_warning(text: str, value: str) -> None:
    """A warning is `299 - "text"`, printable and quoted, whatever it is about (distribution-spec, "Warnings")."""
    assert call_response(Response(200), [text]).headers["warning"] == value


def test_warnings_have_a_limit() -> None:
    """All warnings of an answer have 4096 bytes at most: what does not fit is left out whole."""
    sent = call_response(Response(200), [f"{number}" * 1000 for number in range(9)])

    values = [value for name, value in sent.header_lines if name == "warning"]
    assert 0 < sum(map(len, values)) <= MOST_WARNING
    assert all(value.endswith('"') for value in values)
    assert len(values) == 4
