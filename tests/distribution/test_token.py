"""The token endpoint: what is asked in which form, and what comes back (traps 8 to 11)."""

import base64
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from tests.distribution.bearer import get_token, post_form
from tests.distribution.forging import read_part
from tests.distribution.making import blob
from tests.distribution.operators import Operator, Person
from tests.distribution.raw import Dial
from tests.distribution.repository import Connect, Repository, assert_error
from tests.server import Server

PULL, PUSH = "repository:main/app:pull", "repository:main/app:pull,push"


@pytest.fixture
def owner_basic(server: Server, connected: Connect) -> httpx2.Client:
    """The owner, who shows e-mail address and password."""
    return connected(basic=(server.email, server.password))


def access_of(document: dict[str, Any]) -> dict[str, list[str]]:
    """Return what a token may be used for at most: actions by repository; and check that both names hold it."""
    assert document["token"] == document["access_token"]
    claims = read_part(document["token"], 1)
    return {f"{one['type']}:{one['name']}": one["actions"] for one in claims["access"] if one["actions"]}


def test_answer(owner_basic: httpx2.Client, server: Server) -> None:
    """A token comes with both of its names, when it was issued and for how long, and no cache keeps it."""
    answer = owner_basic.get("/auth/token", params={"service": "moorage", "scope": PUSH})

    document = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert document["token"] == document["access_token"]
    assert document["scope"] == PUSH
    assert document["expires_in"] >= 60
    assert datetime.strptime(document["issued_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) <= datetime.now(UTC)
    assert "refresh_token" not in document
    claims = read_part(document["token"], 1)
    assert claims["exp"] - claims["iat"] == document["expires_in"]
    assert claims["aud"] == "moorage"
    assert server.email not in str(claims)
    assert len(document["token"]) < 2048


def test_scopes_in_get(owner_basic: httpx2.Client) -> None:
    """Trap 8: GET takes several `scope` parameters, or one with several scopes in it."""
    scopes = ["repository:main/a:pull", "repository:main/b:push,pull"]
    wanted = {"repository:main/a": ["pull"], "repository:main/b": ["pull", "push"]}

    assert access_of(get_token(owner_basic, *scopes)) == wanted
    assert access_of(get_token(owner_basic, " ".join(scopes))) == wanted


@pytest.mark.parametrize(
    "scopes",
    [["repository:main/a:pull", "repository:main/b:push,pull"], ["repository:main/a:pull repository:main/b:push,pull"]],
)
@pytest.mark.parametrize("charset", ["", "; charset=utf-8"])
def test_scopes_in_post(nobody: httpx2.Client, server: Server, scopes: list[str], charset: str) -> None:
    """Trap 8: POST takes `scope` repeated, or once with several scopes in it."""
    form = {"grant_type": "password", "username": server.email, "password": server.password, "scope": scopes}
    headers = {"Content-Type": f"application/x-www-form-urlencoded{charset}"}

    answer = nobody.post("/auth/token", data=form, headers=headers)

    assert answer.status_code == 200
    assert access_of(answer.json()) == {"repository:main/a": ["pull"], "repository:main/b": ["pull", "push"]}
    assert set(answer.json()["scope"].split(" ")) == {"repository:main/a:pull", "repository:main/b:pull,push"}


def test_no_scope(owner_basic: httpx2.Client, connected: Connect) -> None:
    """Trap 8: a log-in asks for no scope, and its token answers the ping."""
    document = get_token(owner_basic)

    assert access_of(document) == {}
    assert connected(bearer=document["token"]).get("/v2/").status_code == 200


def test_nobody(nobody: httpx2.Client, dial: Dial, connected: Connect) -> None:
    """Traps 5 and 8: no credentials, or `Basic Og==`, an empty pair, get an anonymous token that answers the ping."""
    empty = dial().ask("GET", f"/auth/token?scope={PULL}", [("Authorization", "Basic Og==")])

    assert empty.status == 200
    for document in (get_token(nobody, PULL), empty.json()):
        assert access_of(document) == {}
        assert read_part(document["token"], 1)["sub"] == ""
        assert connected(bearer=document["token"]).get("/v2/").status_code == 200


def test_nobody_at_a_public_repository(
    nobody: httpx2.Client, repository: Repository, operator: Operator, connected: Connect
) -> None:
    """An anonymous token pulls what is public, and pushes nothing."""
    content = repository.push_blob(blob())
    operator.set_public(repository.name)
    document = get_token(nobody, f"repository:{repository.name}:pull,push,delete")
    anonymous = repository.by(connected(bearer=document["token"]))

    assert access_of(document) == {f"repository:{repository.name}": ["pull"]}
    assert anonymous.blob(content.digest).content == content.data
    assert_error(anonymous.start(), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("username", ["any", "", "admin@example.test", "$DO_USERNAME", "<token>", "moor_x"])
def test_api_token_as_password(connected: Connect, owner_token: str, username: str) -> None:
    """An API token is a password for any user name."""
    client = connected(basic=(username, owner_token))

    assert access_of(get_token(client, PUSH)) == {"repository:main/app": ["pull", "push"]}
    form = post_form(client, grant_type="password", username=username, password=owner_token, scope=PUSH)
    assert access_of(form.json()) == {"repository:main/app": ["pull", "push"]}


def test_star(owner_basic: httpx2.Client, connected: Connect, repository: Repository) -> None:
    """`*`, which skopeo asks for before it deletes, stands for every action."""
    digest = repository.push_blob(blob()).digest

    document = get_token(owner_basic, f"repository:{repository.name}:*")

    assert {"pull", "push", "delete"} <= set(access_of(document)[f"repository:{repository.name}"])
    assert repository.by(connected(bearer=document["token"])).blob(digest, "DELETE").status_code == 202


@pytest.mark.parametrize(
    "scope",
    [
        "",
        ":",
        "::",
        "repository",
        "repository:main/app",
        "repository::pull",
        "repository:main/app:",
        "repository:main/app:fly",
        "repository:UPPER/app:pull",
        "repository:main//app:pull",
        "repository:../app:pull",
        "repository:single:pull",
        "repository:nowhere/app:pull",
        "repository:host:5000/main/app:pull",
        "repository:main/app\x00:pull",
        "galaxy:main/app:pull",
        "registry:catalog:fly",
        "registry:other:*",
        "(x):y:z",
        "repository:" + "a" * 4000 + "/b:pull",
        "\u00fc:\u00fc:\u00fc",
    ],
)  # fmt: skip
def test_unknown_scopes(owner_basic: httpx2.Client, scope: str) -> None:
    """What is malformed, unknown or not allowed is dropped, beside what is granted; it is never an error."""
    granted = access_of(get_token(owner_basic, scope, PULL))

    assert {key: value for key, value in granted.items() if not key.startswith("registry:")} == {
        "repository:main/app": ["pull"]
    }


def test_old_resource_class(owner_basic: httpx2.Client) -> None:
    """`repository(plugin)` is a repository."""
    assert access_of(get_token(owner_basic, "repository(plugin):main/app:pull")) == {"repository:main/app": ["pull"]}


def test_very_many_scopes(owner_basic: httpx2.Client) -> None:
    """A thousand scopes bring a token that still fits a header."""
    document = get_token(owner_basic, " ".join(f"repository:main/r{number}:pull" for number in range(1000)))

    assert len(document["token"]) < 60_000


def test_rights_limit_the_grant(viewer: Person, connected: Connect, strangers: Repository) -> None:
    """A token is for what was asked and is allowed: a viewer's is for pull, and for nothing of another account."""
    client = connected(basic=(viewer.email, viewer.password))

    document = get_token(client, "repository:main/app:pull,push,delete", f"repository:{strangers.name}:pull")

    assert access_of(document) == {"repository:main/app": ["pull"]}
    assert document["scope"] == "repository:main/app:pull"


def test_wrong_credentials(server: Server, nobody: httpx2.Client, connected: Connect) -> None:
    """An unknown user and a wrong password get the same answer, by GET and by POST, and no token."""
    pairs = [(server.email, "wrong"), ("unknown@example.test", "wrong"), ("unknown@example.test", server.password)]
    gets = [connected(basic=pair).get("/auth/token", params={"scope": PULL}) for pair in pairs]
    posts = [post_form(nobody, grant_type="password", username=name, password=word) for name, word in pairs]

    for answers in (gets, posts):
        for answer in answers:
            assert_error(answer, 401, "UNAUTHORIZED")
            assert "authentication required" in answer.json()["errors"][0]["message"]
        assert len({answer.content for answer in answers}) == 1
        assert len({tuple(sorted(answer.headers.keys())) for answer in answers}) == 1


@pytest.mark.parametrize(
    "credentials",
    [
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff:\xfe").decode(),
        "Basic " + base64.b64encode(b"admin@example.test:").decode(),
        "Basic " + base64.b64encode(b":moor_").decode(),
        "Basic " + base64.b64encode(b"a:moor_" + b"0" * 59).decode(),
        "Basic " + base64.b64encode("a:moor_\u00fc".encode() + b"0" * 57).decode(),
        "Basic " + base64.b64encode(b"a\x00b:c\x00d").decode(),
        "Basic " + base64.b64encode(b"a" * 5000 + b":b").decode(),
        "Digest username=x",
        "Bearer x",
        "Bearer",
        "nonsense",
        "",
    ],
)
def test_malformed_credentials(nobody: httpx2.Client, credentials: str) -> None:
    """Credentials that cannot be any are wrong credentials, and no reason to be anonymous."""
    for path in ("/auth/token", "/v2/", "/v2/main/app/tags/list"):
        assert_error(nobody.get(path, headers={"Authorization": credentials}), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("scheme", ["basic", "BASIC"])
def test_case_of_the_scheme(nobody: httpx2.Client, server: Server, scheme: str) -> None:
    """The scheme of credentials has no case."""
    pair = base64.b64encode(f"{server.email}:{server.password}".encode()).decode()

    answer = nobody.get("/auth/token", headers={"Authorization": f"{scheme} {pair}"})

    assert answer.status_code == 200
    assert read_part(answer.json()["token"], 1)["sub"]


def test_case_of_the_address(server: Server, connected: Connect) -> None:
    """An e-mail address has no case."""
    get_token(connected(basic=(server.email.upper(), server.password)))


@pytest.mark.parametrize("offline", ["true", "false", "1", ""])
def test_refresh_token_by_get(owner_basic: httpx2.Client, offline: str) -> None:
    """Trap 11: `offline_token=true` brings a refresh token, and nothing else does."""
    assert ("refresh_token" in get_token(owner_basic, offline_token=offline)) == (offline == "true")


def test_no_refresh_token_for_nobody(nobody: httpx2.Client) -> None:
    """Who is nobody has nothing to refresh."""
    assert "refresh_token" not in get_token(nobody, offline_token="true")


@pytest.mark.parametrize("how", ["password", "API token"])
def test_refresh(
    owner_basic: httpx2.Client, nobody: httpx2.Client, connected: Connect, owner_token: str, how: str
) -> None:
    """Trap 11: a refresh token, of a password or of an API token, really brings bearer tokens, again and again."""
    client = owner_basic if how == "password" else connected(basic=("any", owner_token))
    refresh = get_token(client, offline_token="true", client_id="docker")["refresh_token"]

    for _ in range(2):
        answer = post_form(nobody, grant_type="refresh_token", refresh_token=refresh, scope=PUSH)
        assert answer.status_code == 200
        assert access_of(answer.json()) == {"repository:main/app": ["pull", "push"]}
        assert {"access_token", "scope", "expires_in", "issued_at"} <= set(answer.json())
    renewed = post_form(nobody, grant_type="refresh_token", refresh_token=refresh, access_type="offline").json()
    again = post_form(nobody, grant_type="refresh_token", refresh_token=renewed["refresh_token"], scope=PUSH)
    assert access_of(again.json()) == {"repository:main/app": ["pull", "push"]}


def test_refresh_token_by_post(nobody: httpx2.Client, server: Server) -> None:
    """`access_type=offline` brings a refresh token by POST, and only then."""
    form = {"grant_type": "password", "username": server.email, "password": server.password}

    assert "refresh_token" in post_form(nobody, **form, access_type="offline").json()
    assert "refresh_token" not in post_form(nobody, **form).json()
    assert "refresh_token" not in post_form(nobody, **form, access_type="online").json()


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "moor_" + "0" * 59, "\u00fc.\u00fc.\u00fc"])
def test_malformed_refresh_token(nobody: httpx2.Client, token: str) -> None:
    """A refresh token that cannot be one is a wrong credential."""
    assert_error(post_form(nobody, grant_type="refresh_token", refresh_token=token), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "form", [{}, {"grant_type": "magic"}, {"grant_type": ""}, {"grant_type": "client_credentials"}]
)
def test_unknown_grant(nobody: httpx2.Client, form: dict[str, str]) -> None:
    """A grant that does not exist is an error of the request, and no matter of sizes."""
    assert_error(post_form(nobody, **form), 400, "UNSUPPORTED")


def test_grant_without_fields(nobody: httpx2.Client) -> None:
    """A password grant without user and password is nobody's, and is refused."""
    assert_error(post_form(nobody, grant_type="password"), 401, "UNAUTHORIZED")


def test_huge_form(nobody: httpx2.Client) -> None:
    """A form of megabytes is refused."""
    answer = post_form(nobody, grant_type="password", username="a" * 3_000_000, password="b")

    assert answer.status_code in {400, 413}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods(nobody: httpx2.Client, method: str) -> None:
    """Trap 10: other methods are 405, which tells clients to go another way."""
    assert_error(nobody.request(method, "/auth/token"), 405, "UNSUPPORTED")


def test_bearer_token_brings_no_other(owner_basic: httpx2.Client, connected: Connect, repository: Repository) -> None:
    """A bearer token is no credential here: it cannot become one that may do more, or one that lasts longer."""
    repository.push_image("v1")
    scope = f"repository:{repository.name}:pull"
    narrow = connected(bearer=get_token(owner_basic, scope)["token"])

    for wanted in (scope, f"repository:{repository.name}:pull,push", "registry:catalog:*"):
        for offline in ("true", "false"):
            answer = narrow.get("/auth/token", params={"scope": wanted, "offline_token": offline})
            assert_error(answer, 401, "UNAUTHORIZED")
