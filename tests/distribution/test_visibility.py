"""Every route, every kind of thing, every kind of caller: what is private looks like what is not there."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import httpx2
import pytest

from moorage.distribution.routes import ROUTES
from tests.distribution.bearer import bearer_for
from tests.distribution.making import EMPTY, artifact, blob, index, unknown_digest
from tests.distribution.operators import Operator, Person
from tests.distribution.repository import Connect, Repository

# What differs from one answer to the next by itself.
VARYING = {"x-request-id", "date"}


@dataclass(frozen=True, slots=True)
class Things:
    """What there is in a repository: a digest of a blob and of a manifest, and the id of an upload."""

    blob: str
    manifest: str
    upload: str


Ask = Callable[[Repository, Things], httpx2.Response]


def _put_manifest(repository: Repository, reference: str) -> httpx2.Response:
    return repository.put_manifest(index(), reference)


def _upload(repository: Repository, things: Things, method: str, **params: str) -> httpx2.Response:
    return repository.http.request(method, repository.path("blobs", "uploads", things.upload), params=params)


READS: dict[str, Ask] = {
    "GET blob": lambda repository, things: repository.blob(things.blob),
    "HEAD blob": lambda repository, things: repository.blob(things.blob, "HEAD"),
    "GET part of a blob": lambda repository, things: repository.blob(things.blob, Range="bytes=0-1"),
    "GET blob by condition": lambda repository, things: repository.blob(things.blob, If_None_Match="*"),
    "GET manifest by tag": lambda repository, _: repository.manifest("v1"),
    "HEAD manifest by tag": lambda repository, _: repository.manifest("v1", "HEAD"),
    "GET manifest by digest": lambda repository, things: repository.manifest(things.manifest),
    "GET manifest by condition": lambda repository, _: repository.manifest("v1", If_None_Match="*"),
    "GET tags": lambda repository, _: repository.tags(),
    "GET referrers": lambda repository, things: repository.referrers(things.manifest),
}
PUSHES: dict[str, Ask] = {
    "POST upload": lambda repository, _: repository.start(),
    "POST blob": lambda repository, _: repository.start(b"{}", digest=EMPTY.digest),
    "POST mount": lambda repository, things: repository.mount(things.blob),
    "POST mount from itself": lambda repository, things: repository.mount(things.blob, repository),
    "GET upload": lambda repository, things: _upload(repository, things, "GET"),
    "PATCH upload": lambda repository, things: _upload(repository, things, "PATCH"),
    "PUT upload": lambda repository, things: _upload(repository, things, "PUT", digest=things.blob),
    "DELETE upload": lambda repository, things: _upload(repository, things, "DELETE"),
    "PUT manifest by tag": lambda repository, _: _put_manifest(repository, "v1"),
    "PUT manifest by digest": lambda repository, _: _put_manifest(repository, index().digest),
    "PUT manifest by condition": lambda repository, _: repository.put_manifest(index(), "v1", If_None_Match="*"),
}
DELETIONS: dict[str, Ask] = {
    "DELETE tag": lambda repository, _: repository.manifest("v1", "DELETE"),
    "DELETE manifest": lambda repository, things: repository.manifest(things.manifest, "DELETE"),
    "DELETE blob": lambda repository, things: repository.blob(things.blob, "DELETE"),
}
WRITES = PUSHES | DELETIONS
ROWS = READS | WRITES
CALLERS = ["nobody", "anonymous token", "API token", "password", "bearer token", "bearer token for it"]


@pytest.fixture
def things(repository: Repository) -> Things:
    """One thing of each kind in the repository."""
    manifest = repository.push_image("v1")
    repository.push_artifact(artifact("application/x.a", subject=manifest.descriptor()))
    return Things(repository.push_blob(blob()).digest, manifest.digest, repository.upload().id)


@pytest.fixture
def as_stranger(
    strangers: Repository,
    repository: Repository,
    operator: Operator,
    connected: Connect,
    nobody: httpx2.Client,
) -> Callable[[str], httpx2.Client]:
    """Connects a caller of one of CALLERS, who has no rights on the repository."""

    def connect(kind: str) -> httpx2.Client:
        person = operator.add_stranger(f"s{secrets.token_hex(8)}")
        basic = connected(basic=(person.email, person.password))
        scope = f"repository:{repository.name}:pull,push,delete"
        callers: dict[str, Callable[[], httpx2.Client]] = {
            "nobody": lambda: nobody,
            "anonymous token": lambda: connected(bearer=bearer_for(nobody, scope)),
            "API token": lambda: strangers.http,
            "password": lambda: basic,
            "bearer token": lambda: connected(bearer=bearer_for(basic)),
            "bearer token for it": lambda: connected(bearer=bearer_for(basic, scope)),
        }
        return callers[kind]()

    return connect


def seen(answer: httpx2.Response, name: str) -> tuple[int, str, dict[str, str]]:
    """Return all that can be seen of an answer, without the repository's name."""
    headers = {key: value.replace(name, "NAME") for key, value in answer.headers.items() if key not in VARYING}
    return answer.status_code, answer.text.replace(name, "NAME"), headers


def test_every_route_has_a_row() -> None:
    """Whoever adds a route, or a method, to what is in a repository adds a row to this matrix."""
    asked: list[tuple[str, bytes]] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.method, request.url.raw_path.partition(b"?")[0]))
        return httpx2.Response(401)

    with httpx2.Client(transport=httpx2.MockTransport(note), base_url="http://registry.test") as http:
        for ask in ROWS.values():
            ask(Repository(http, "main/app"), Things(EMPTY.digest, EMPTY.digest, "some-id"))

    for route in ROUTES:
        if "name" in route.pattern.groupindex:
            methods = {method for method, path in asked if route.pattern.fullmatch(path)}
            # HEAD is as safe as the GET that it shares a handler with.
            assert set(route.handlers) - {"HEAD"} <= methods, route.pattern


@pytest.mark.parametrize("kind", CALLERS)
def test_private_and_absent_look_alike(
    repository: Repository, things: Things, as_stranger: Callable[[str], httpx2.Client], kind: str
) -> None:
    """By no route can a caller without rights tell a private repository from one that is not there."""
    client = as_stranger(kind)
    absent = Repository(client, repository.name[:-4] + secrets.token_hex(2))
    nowhere = Repository(client, "n" + repository.name[1:])

    for route, ask in ROWS.items():
        private = seen(ask(repository.by(client), things), repository.name)
        assert private[0] == 401, route
        assert private == seen(ask(absent, things), absent.name), route
        assert private == seen(ask(nowhere, things), nowhere.name), route
    assert repository.manifest("v1").status_code == 200


def test_absent_things_look_like_private_ones(
    repository: Repository, things: Things, as_stranger: Callable[[str], httpx2.Client]
) -> None:
    """Nor can they tell what is in a private repository."""
    theirs = repository.by(as_stranger("password"))
    absent = Things(unknown_digest(), unknown_digest(), "01a20d00-0000-7000-8000-000000000000")

    for route, ask in ROWS.items():
        assert seen(ask(theirs, things), "") == seen(ask(theirs, absent), ""), route


def assert_may_only_read(repository: Repository, things: Things) -> None:
    """Expect every read to succeed and every write to be refused."""
    for route, ask in READS.items():
        assert ask(repository, things).status_code < 400, route
    for route, ask in WRITES.items():
        assert ask(repository, things).status_code == 401, route


@pytest.mark.parametrize("kind", CALLERS)
def test_public_repository(
    repository: Repository,
    things: Things,
    as_stranger: Callable[[str], httpx2.Client],
    operator: Operator,
    kind: str,
) -> None:
    """Everybody can read a public repository by every route, and write to it by none."""
    operator.set_public(repository.name)
    theirs = repository.by(as_stranger(kind))

    if kind == "bearer token":
        # A token that was asked for nothing is good for nothing, even where nobody needs one.
        assert theirs.manifest("v1").status_code == 401
    else:
        assert_may_only_read(theirs, things)


@pytest.mark.parametrize("kind", ["viewer", "viewer's token", "read-only token"])
def test_who_may_only_pull(
    repository: Repository,
    things: Things,
    operator: Operator,
    viewer: Person,
    developer: Person,
    connected: Connect,
    kind: str,
) -> None:
    """A viewer, and whoever has a read-only token, can read by every route, and write by none."""
    shown: dict[str, dict[str, object]] = {
        "viewer": {"basic": (viewer.email, viewer.password)},
        "viewer's token": {"bearer": operator.make_token(viewer.email)},
        "read-only token": {"bearer": operator.make_token(developer.email, read_only=True)},
    }

    assert_may_only_read(repository.by(connected(**shown[kind])), things)


def test_who_may_push(repository: Repository, things: Things, developer: Person, connected: Connect) -> None:
    """A developer may read, push and delete; but another user's upload is unknown to them."""
    theirs = repository.by(connected(basic=(developer.email, developer.password)))

    statuses = {route: ask(theirs, things).status_code for route, ask in ROWS.items()}

    foreign = {"GET upload", "PATCH upload", "PUT upload", "DELETE upload"}
    assert {statuses[route] for route in foreign} == {404}
    # The last of the deletions by tag and digest finds that the one before has taken its object along.
    allowed = {200, 201, 202, 206, 304, 412, 404}
    assert {statuses[route] for route in ROWS if route not in foreign} <= allowed


def test_bearer_without_delete(
    repository: Repository, things: Things, owner: httpx2.Client, connected: Connect
) -> None:
    """A bearer token for pull and push deletes nothing but uploads (trap 28)."""
    basic = connected(basic=("any", owner.headers["Authorization"].removeprefix("Bearer ")))
    theirs = repository.by(connected(bearer=bearer_for(basic, f"repository:{repository.name}:pull,push")))

    for route, ask in DELETIONS.items():
        assert ask(theirs, things).status_code == 401, route
    assert theirs.upload().cancel().status_code == 204
