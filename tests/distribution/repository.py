"""A repository as a client sees it: every request of the protocol is one method, and every answer is looked over."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx2

from tests.distribution.making import EMPTY, OCI_LAYER, Content, Descriptor, blob, config, digest_of, image

# A body of which the length is not told: it goes out in chunked transfer coding.
Body = bytes | Iterable[bytes]
# Makes a client that shows what it is given, as `connect` has it.
Connect = Callable[..., httpx2.Client]


def connect(url: str, *, bearer: str | None = None, basic: tuple[str, str] | None = None) -> httpx2.Client:
    """Make a client that shows a token, a user name and password, or nothing; it checks every answer's manners."""
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    hooks = {"response": [_check_manners]}
    return httpx2.Client(
        base_url=url,
        headers=headers,
        auth=basic,
        event_hooks=hooks,
        timeout=60,
        trust_env=False,
        follow_redirects=False,
    )


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way, at the place that the registry gave it."""

    http: httpx2.Client
    location: str

    @property
    def id(self) -> str:
        """The last part of the location."""
        return self.location.rpartition("/")[2]

    def patch(self, data: Body, start: int | None = None) -> httpx2.Response:
        """Send bytes: a chunk that begins at `start`, or whatever there is."""
        return self.http.patch(self.location, content=data, headers=_chunk_headers(data, start))

    def put(self, digest: str | None, data: Body = b"", start: int | None = None) -> httpx2.Response:
        """Finish, with the last bytes or without."""
        params = {} if digest is None else {"digest": digest}
        return self.http.put(self.location, params=params, content=data, headers=_chunk_headers(data, start))

    def status(self) -> httpx2.Response:
        """Ask how far it is."""
        return self.http.get(self.location)

    def cancel(self) -> httpx2.Response:
        """End it without a blob."""
        return self.http.delete(self.location)

    def by(self, http: httpx2.Client) -> Self:
        """Return the same upload in somebody else's hands."""
        return type(self)(http, self.location)


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository, by its full name, in one client's hands."""

    http: httpx2.Client
    name: str

    def by(self, http: httpx2.Client) -> Self:
        """Return the same repository in somebody else's hands."""
        return type(self)(http, self.name)

    def path(self, *parts: str) -> str:
        """Return the path of something in the repository."""
        return "/".join(("/v2", self.name, *parts))

    def blob(self, digest: str, method: str = "GET", **headers: str) -> httpx2.Response:
        """Ask for a blob; headers are written with underscores."""
        return self.http.request(method, self.path("blobs", digest), headers=_with_hyphens(headers))

    def manifest(self, reference: str, method: str = "GET", **headers: str) -> httpx2.Response:
        """Ask for a manifest by tag or digest; headers are written with underscores."""
        return self.http.request(method, self.path("manifests", reference), headers=_with_hyphens(headers))

    def start(self, data: Body = b"", /, **params: str) -> httpx2.Response:
        """Begin an upload; parameters are written with underscores."""
        return self.http.post(self.path("blobs", "uploads", ""), params=_with_hyphens(params), content=data)

    def mount(self, digest: str, source: Self | str | None = None) -> httpx2.Response:
        """Ask for a blob of another repository, or of whichever has it."""
        name = source.name if isinstance(source, Repository) else source
        return self.start(mount=digest, **({} if name is None else {"from": name}))

    def upload(self, **params: str) -> Upload:
        """Begin an upload that is expected to begin."""
        answer = self.start(**params)
        assert answer.status_code == 202, answer.text
        return Upload(self.http, answer.headers["Location"])

    def push_blob(self, content: Content, algorithm: str = "sha256") -> Content:
        """Push a blob that is expected to be taken; return it."""
        answer = self.upload().put(digest_of(content.data, algorithm), content.data)
        assert answer.status_code == 201, answer.text
        return content

    def put_manifest(
        self, content: Content, reference: str, *, params: Mapping[str, Any] | None = None, **headers: str
    ) -> httpx2.Response:
        """Send a manifest with its media type, unless a Content_Type is given; headers are written with underscores."""
        sent = {"Content-Type": content.media_type} | _with_hyphens(headers)
        return self.http.put(self.path("manifests", reference), content=content.data, params=params, headers=sent)

    def push_manifest(self, content: Content, *tags: str, algorithm: str = "sha256") -> Content:
        """Push a manifest that is expected to be taken, by its tags or, without any, by digest; return it."""
        for reference in tags or (digest_of(content.data, algorithm),):
            answer = self.put_manifest(content, reference)
            assert answer.status_code == 201, answer.text
        return content

    def push_image(self, *tags: str, **more: Any) -> Content:  # noqa: ANN401 - any JSON
        """Push an image with a config and a layer of its own; `more` are further members of its manifest."""
        return self.push_manifest(image(*self.push_parts(), **more), *tags)

    def push_parts(self) -> tuple[Descriptor, list[Descriptor]]:
        """Push a config and a layer; return their descriptors as an image holds them."""
        return self.push_blob(config()).descriptor(), [self.push_blob(blob(media_type=OCI_LAYER)).descriptor()]

    def push_artifact(self, content: Content) -> Content:
        """Push an artifact's manifest and the empty blob that it refers to."""
        self.push_blob(EMPTY)
        return self.push_manifest(content)

    def tags(self, **params: str | int) -> httpx2.Response:
        """List tags."""
        return self.http.get(self.path("tags", "list"), params=params)

    def referrers(self, digest: str, **params: Any) -> httpx2.Response:  # noqa: ANN401 - as httpx has it
        """List referrers."""
        return self.http.get(self.path("referrers", digest), params=params)


def location_of(answer: httpx2.Response, http: httpx2.Client) -> httpx2.Response:
    """Get what an answer's Location leads to."""
    return http.get(answer.headers["Location"])


def assert_error(answer: httpx2.Response, status: int, code: str) -> None:
    """Expect an error of the spec; its shape was looked at when it came in."""
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code), answer.text


def next_page(answer: httpx2.Response) -> str:
    """Return the target of the one Link header (trap 26)."""
    [link] = answer.headers.get_list("Link")
    target, _, parameters = link.partition(">")
    assert parameters == '; rel="next"'
    assert target.startswith("</v2/")
    return str(target[1:])


def _check_manners(answer: httpx2.Response) -> None:
    """Check what holds for each answer: no fault of the server, its standing headers, the spec's error body."""
    assert answer.headers["X-Request-ID"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.status_code < 500, answer.read()
        if answer.request.method != "HEAD":
            answer.read()
            check_error_body(answer.json())


def check_error_body(document: Any) -> None:  # noqa: ANN401 - whatever was answered
    """Check the shape of an error (distribution-spec, "Error Codes")."""
    assert list(document) == ["errors"]
    assert document["errors"]
    for error in document["errors"]:
        assert set(error) == {"code", "message", "detail"}
        assert error["code"] == error["code"].upper()
        assert error["message"]


def _chunk_headers(data: Body, start: int | None) -> dict[str, str]:
    headers = {"Content-Type": "application/octet-stream"}
    if start is not None:
        assert isinstance(data, bytes)
        headers["Content-Range"] = f"{start}-{start + len(data) - 1}"
    return headers


def _with_hyphens(names: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in names.items()}
