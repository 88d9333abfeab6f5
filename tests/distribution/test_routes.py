"""Paths: which are served, and what becomes of those that try to be clever."""

from collections.abc import Sequence

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.distribution.making import EMPTY, index
from tests.distribution.raw import Dial, RawAnswer
from tests.distribution.repository import Repository, assert_error, check_error_body
from tests.server import Server

# What tricks paths, as it would stand between two slashes, and the routes' own words.
NASTY = [
    "..",
    ".",
    "%2e%2e",
    "%2E",
    "%2f",
    "%252f",
    "%00",
    "%",
    "%zz",
    "\\",
    "%5c",
    ";",
    "a;b",
    "%0d%0a",
    "%ff",
    "~",
    "ü",
]
WORDS = [
    "v2",
    "main",
    "app",
    "blobs",
    "uploads",
    "manifests",
    "tags",
    "list",
    "referrers",
    "_catalog",
    "_oci",
    "sha256:",
    "v1",
    "auth",
    "token",
]
HEADERS = [
    "Accept",
    "Authorization",
    "Content-Range",
    "Content-Type",
    "Cookie",
    "Expect",
    "Host",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Range",
]


def ask(dial: Dial, token: str, method: str, target: str | bytes, headers: Sequence[tuple[str, str]] = ()) -> RawAnswer:
    """Send one request on a connection of its own, as the owner."""
    with dial() as connection:
        return connection.ask(method, target, [("Authorization", f"Bearer {token}"), *headers])


@pytest.mark.parametrize(
    "name",
    [
        "main/a",
        "main/0",
        "main/a/b/c/d/e/f",
        "main/a.b",
        "main/a_b",
        "main/a__b",
        "main/a-b",
        "main/a-----b",
        "main/a.b_c__d-e/f-0",
        "main/" + "a" * 250,
    ],
)
def test_names(owner: httpx2.Client, name: str) -> None:
    """Every name of the spec's grammar, up to 255 characters, is a repository."""
    repository = Repository(owner, name)

    assert repository.start().status_code == 202
    assert repository.put_manifest(index(), "v1").status_code == 201
    assert repository.tags().json()["name"] == name


@pytest.mark.parametrize(
    "name",
    [
        "main/A",
        "Main/a",
        "main/a..b",
        "main/a___b",
        "main/.a",
        "main/a.",
        "main/-a",
        "main/a-",
        "main/_a",
        "main/a_",
        "main//a",
        "main/a/",
        "/main/a",
        "main/a b",
        "main/a:b",
        "main/a@b",
        "main/a~b",
        "main/\u00e4",
        "main/" + "a" * 251,
    ],
)
def test_malformed_names(owner: httpx2.Client, name: str) -> None:
    """What is no name is refused, with a sentence that says why."""
    for answer in (Repository(owner, name).start(), Repository(owner, name).tags()):
        assert_error(answer, 400, "NAME_INVALID")
        assert len(answer.json()["errors"][0]["message"]) > 30


def test_name_of_one_part(owner: httpx2.Client, nobody: httpx2.Client) -> None:
    """Images are in a registry: a name of one part gets advice, from those who are known."""
    answer = Repository(owner, "busybox").start()

    assert_error(answer, 400, "NAME_INVALID")
    assert "main/busybox" in answer.json()["errors"][0]["message"]
    assert_error(Repository(nobody, "busybox").start(), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "part",
    [
        "blobs",
        "manifests",
        "tags",
        "uploads",
        "referrers",
        "list",
        "blobs/uploads",
        "tags/list",
        "manifests/v1",
        "blobs/sha256",
        "v2",
        "auth/token",
        "_catalog"[1:],
    ],
)
def test_names_of_keywords(owner: httpx2.Client, part: str) -> None:
    """Trap 29: the words of the paths may be parts of a name, in front, within and at the end."""
    for name in (f"main/{part}", f"main/{part}/app", f"main/app/{part}", f"main/{part}/{part}"):
        repository = Repository(owner, name)
        content = repository.push_image("v1")
        assert repository.manifest("v1").content == content.data
        assert repository.tags().json() == {"name": name, "tags": ["v1"]}
        assert repository.blob(repository.push_blob(EMPTY).digest).content == EMPTY.data
        assert repository.referrers(content.digest).status_code == 200
        upload = repository.upload()
        assert upload.status().status_code == 204
        assert upload.cancel().status_code == 204


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v1/",
        "/v2/main/app",
        "/v2/main/app/",
        "/v2/main/app/blobs",
        "/v2/main/app/blobs/",
        "/v2/main/app/manifests/",
        "/v2/main/app/manifests/v1/",
        "/v2/main/app/manifests/v1/extra",
        "/v2/main/app/tags",
        "/v2/main/app/tags/list/",
        "/v2/main/app/TAGS/list",
        "/v2/tags/list",
        "/v2/main/app/blobs/uploads/x/y",
        "/v3/main/app/tags/list",
        "//v2/",
        "/v2//",
        "/./v2/",
        "/v2/../v2/",
        "/x/../v2/",
        "/%76%32/",
        "/v2%2F",
        "/v2/%2e%2e/healthz",
        "/healthz/",
        "/healthz/..",
        "/auth/token/",
        "/auth//token",
        "/.well-known/x",
        "/favicon.ico",
        "/static/../../etc/passwd",
        "/v2/%5F%63atalog",
    ],
)
def test_paths_that_lead_nowhere(dial: Dial, owner_token: str, target: str) -> None:
    """What is in no route is 404 by the spec's body: no path is tidied up into another one."""
    answer = ask(dial, owner_token, "GET", target)

    assert answer.status == 404
    check_error_body(answer.json())


@pytest.mark.parametrize(
    "target",
    [
        "/v2/main%2Fapp/tags/list",
        "/v2/main%2fapp/tags/list",
        "/v2/main%252Fapp/tags/list",
        "/v2/main/%2e%2e/app/tags/list",
        "/v2/main/../app/tags/list",
        "/v2/main/./app/tags/list",
        "/v2/main//app/tags/list",
        "/v2/main/app//tags/list",
        "/v2/main/app%00/tags/list",
        "/v2/main/app%0d%0a/tags/list",
        "/v2/main/app%5c..%5c/tags/list",
        "/v2/main/app;x=y/tags/list",
        "/v2/main/app%/tags/list",
        "/v2/main/app%zz/tags/list",
        "/v2/main/app%ff/tags/list",
        "/v2/main/app%c0%af/tags/list",
        "/v2/main/app%20/tags/list",
        "/v2/main/%41pp/tags/list",
        "/v2/main/app/manifests/..",
        "/v2/main/app/manifests/%2e%2e",
        "/v2/main/app/manifests/v1%2f..",
        "/v2/main/app/manifests/v1%00",
        "/v2/main/app/blobs/..",
        "/v2/main/app/blobs/%2e%2e%2fuploads",
        "/v2/main/app/blobs/sha256:..%2f..%2fetc",
        "/v2/main/app/referrers/..",
    ],
)
def test_clever_paths(dial: Dial, owner_token: str, target: str) -> None:
    """Dots, escapes, NUL and double slashes in names, tags and digests are refused as such."""
    answer = ask(dial, owner_token, "GET", target)

    assert answer.status == 400
    assert answer.code in {"NAME_INVALID", "TAG_INVALID", "DIGEST_INVALID"}


def test_escaped_letters(repository: Repository, dial: Dial, owner_token: str) -> None:
    """What may be escaped may also be written plainly: each part of a path is decoded once."""
    repository.push_image("v1")
    escaped = "".join(f"%{byte:02x}" if byte != ord("/") else "/" for byte in repository.name.encode())

    assert ask(dial, owner_token, "GET", f"/v2/{escaped}/manifests/%76%31").status == 200


@pytest.mark.parametrize(
    "target",
    [
        b"/v2/main/a\x00b/tags/list",
        b"/v2/main/a b/tags/list",
        b"/v2/\xff\xfe/tags/list",
        b"/v2/main/\xc3\xbc/tags/list",
        b"",
        b"*",
        b"v2/",
    ],
)
def test_targets_that_are_none(dial: Dial, owner_token: str, target: bytes) -> None:
    """A request line that is malformed is answered 400 or so, and never reaches a repository."""
    assert ask(dial, owner_token, "GET", target).status in {400, 404}


def test_absolute_target(dial: Dial, owner_token: str, server: Server, repository: Repository) -> None:
    """A target in absolute form, as to a proxy, means its path (RFC 9112 §3.2.2)."""
    repository.push_image("v1")

    assert ask(dial, owner_token, "GET", f"{server.url}/v2/{repository.name}/tags/list").status == 200


def test_very_long_path(dial: Dial, owner_token: str) -> None:
    """A path of 60,000 characters is refused, quickly and by a client error."""
    assert 400 <= ask(dial, owner_token, "GET", "/v2/" + "a/" * 30_000 + "tags/list").status < 500


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("/v2/", {"GET", "HEAD"}),
        ("/v2/main/app/tags/list", {"GET", "HEAD"}),
        ("/v2/main/app/manifests/v1", {"GET", "HEAD", "PUT", "DELETE"}),
        ("/v2/main/app/blobs/" + EMPTY.digest, {"GET", "HEAD", "DELETE"}),
        ("/v2/main/app/blobs/uploads/", {"POST"}),
        ("/v2/main/app/blobs/uploads/x", {"GET", "HEAD", "PATCH", "PUT", "DELETE"}),
        ("/v2/main/app/referrers/" + EMPTY.digest, {"GET", "HEAD"}),
        ("/v2/_catalog", {"GET", "HEAD"}),
        ("/auth/token", {"GET", "HEAD", "POST"}),
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PATCH", "TRACE", "get", "BREW", "PUT"])
def test_other_methods(dial: Dial, owner_token: str, target: str, allowed: set[str], method: str) -> None:
    """A method that a path does not have is 405, which names those that it has."""
    answer = ask(dial, owner_token, method, target)

    if method in allowed:
        assert answer.status != 405
    else:
        assert (answer.status, answer.code) == (405, "UNSUPPORTED")
        assert allowed == set((answer.header("Allow") or "").split(", "))


@st.composite
def targets(draw: st.DrawFn) -> bytes:
    """Paths of the routes' own words, of what tricks paths, and of anything."""
    part = st.sampled_from(["", *NASTY, *WORDS]) | st.text(max_size=8)
    parts = draw(st.lists(part, max_size=8))
    root = draw(st.sampled_from(["/", "/v2/", "/v2/main/app/"]))
    query = draw(st.sampled_from(["", "?n=", "?digest=%ff&tag=%00", "?last=\u00fc"]))
    raw = f"{root}{'/'.join(parts)}{query}".encode("utf-8", "surrogatepass")
    # These would end the request's line, or the request.
    return raw.translate(None, b"\r\n \t\x0b\x0c\x00")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]), target=targets())
def test_any_path(dial: Dial, owner_token: str, method: str, target: bytes) -> None:
    """No path makes the server fail, and every refusal of ours is in the spec's form."""
    answer = ask(dial, owner_token, method, target, [("Content-Length", "0")])

    assert answer.status < 500
    if answer.status >= 400 and answer.body:
        check_error_body(answer.json())


@st.composite
def header_lists(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Headers that mean something, with values of any characters that may stand in one."""
    values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
    return draw(st.lists(st.tuples(st.sampled_from(HEADERS), values), max_size=6))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST"]), headers=header_lists())
@pytest.mark.parametrize("path", [f"blobs/{EMPTY.digest}", "manifests/v1"])
def test_any_headers(dial: Dial, owner_token: str, path: str, method: str, headers: list[tuple[str, str]]) -> None:
    """No header makes the server fail."""
    target = f"/v2/main/any-headers/{path}"

    # 417 is the HTTP server's answer to an Expect that it does not know.
    assert ask(dial, owner_token, method, target, [*headers, ("Content-Length", "0")]).status in {*range(200, 500)}


def test_many_headers(dial: Dial, owner_token: str) -> None:
    """Some dozens of headers that mean nothing are no trouble; thousands are refused."""
    many = [("X-Many", "x")] * 5000

    assert ask(dial, owner_token, "GET", "/v2/", many[:50]).status == 200
    assert ask(dial, owner_token, "GET", "/v2/", many).status in {400, 431}
