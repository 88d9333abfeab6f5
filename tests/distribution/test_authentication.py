"""The challenge, and bearer tokens that are forged, foreign, expired or meant for something else."""

import base64
import re
import time
from collections.abc import Callable

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage.metadata import installations
from tests.distribution.bearer import bearer_for, get_token, post_form
from tests.distribution.forging import Forger, es256, hs256, rs256
from tests.distribution.making import index
from tests.distribution.operators import Operator
from tests.distribution.raw import Dial
from tests.distribution.repository import Connect, Repository, assert_error
from tests.server import Server

CHALLENGE = re.compile(r'Bearer (?:[a-z]+="[^"]+",)*[a-z]+="[^"]+"')
Forge = Callable[[Forger], str]


def challenge_of(answer: httpx2.Response) -> dict[str, str]:
    """Check that there is exactly one challenge, well quoted (traps 6 and 7), and return its parameters."""
    [challenge] = answer.headers.get_list("WWW-Authenticate")
    assert CHALLENGE.fullmatch(challenge), challenge
    return dict(re.findall(r'([a-z]+)="([^"]+)"', challenge))


@pytest.fixture
def pushed(repository: Repository) -> Repository:
    """A repository with one tag."""
    repository.push_image("v1")
    return repository


@pytest.fixture
def full_scope(pushed: Repository) -> str:
    """All that may be done in that repository."""
    return f"repository:{pushed.name}:pull,push,delete"


@pytest.fixture
def forger(server: Server, operator: Operator, connected: Connect, full_scope: str) -> Forger:
    """Somebody with a genuine token of the owner, and the installation's key."""
    genuine = bearer_for(connected(basic=(server.email, server.password)), full_scope)
    [(_, private_key)] = operator.write(lambda connection, _: installations.signing_keys(connection))
    return Forger.of(genuine, private_key)


def test_challenge_of_the_ping(nobody: httpx2.Client, server: Server) -> None:
    """Traps 5 to 7, 9: the ping asks everybody for a token, names realm and service, and leaves the scope out."""
    answer = nobody.get("/v2/")

    assert_error(answer, 401, "UNAUTHORIZED")
    assert challenge_of(answer) == {"realm": f"{server.url}/auth/token", "service": "moorage"}
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert nobody.get(challenge_of(answer)["realm"]).status_code == 200


def test_error_text(repository: Repository, nobody: httpx2.Client) -> None:
    """Trap 30: podman looks for the words `authentication required`."""
    answer = repository.by(nobody).start()

    assert "authentication required" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("method", "path", "actions"),
    [
        ("GET", "manifests/v1", "pull"),
        ("HEAD", "manifests/v1", "pull"),
        ("PUT", "manifests/v1", "pull,push"),
        ("DELETE", "manifests/v1", "delete"),
        ("GET", "blobs/sha256:" + "0" * 64, "pull"),
        ("DELETE", "blobs/sha256:" + "0" * 64, "delete"),
        ("POST", "blobs/uploads/", "pull,push"),
        ("GET", "blobs/uploads/x", "pull,push"),
        ("PATCH", "blobs/uploads/x", "pull,push"),
        ("PUT", "blobs/uploads/x?digest=sha256:" + "0" * 64, "pull,push"),
        ("DELETE", "blobs/uploads/x", "pull,push"),
        ("GET", "tags/list", "pull"),
        ("GET", "referrers/sha256:" + "0" * 64, "pull"),
    ],
)
def test_challenge_of_a_request(
    repository: Repository, nobody: httpx2.Client, method: str, path: str, actions: str
) -> None:
    """Each request is told the scope it needs; trap 28: for DELETE of an upload that is push."""
    content = b'{"schemaVersion":2,"manifests":[]}' if method == "PUT" and "manifests" in path else None

    answer = nobody.request(method, f"/v2/{repository.name}/{path}", content=content)

    assert answer.status_code == 401
    parameters = challenge_of(answer)
    assert parameters["scope"] == f"repository:{repository.name}:{actions}"
    assert "error" not in parameters


def test_challenge_of_a_known_caller(repository: Repository, strangers: Repository) -> None:
    """Who is known but lacks rights gets 401 too, with `insufficient_scope`, on which clients get a wider token."""
    answer = repository.by(strangers.http).start()

    assert_error(answer, 401, "UNAUTHORIZED")
    assert challenge_of(answer)["error"] == "insufficient_scope"
    assert challenge_of(answer)["scope"] == f"repository:{repository.name}:pull,push"


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("localhost:5000", "http://localhost:5000/auth/token"),
        ("registry.example.test", "http://registry.example.test/auth/token"),
        ("[::1]:5000", "http://[::1]:5000/auth/token"),
    ],
)
def test_realm_is_where_the_client_is(nobody: httpx2.Client, host: str, realm: str) -> None:
    """Trap 9: the realm is at the very host and port that the client has asked."""
    assert challenge_of(nobody.get("/v2/", headers={"Host": host}))["realm"] == realm


@pytest.mark.parametrize("host", ['a"b', "a b", "a/b", "a@b", "a,b", "a" * 300, "x\\y", "<script>", ""])
def test_hostile_host(dial: Dial, host: str) -> None:
    """A Host that is no host never comes into the challenge."""
    connection = dial()
    connection.send(f"GET /v2/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    answer = connection.answer()

    assert answer.status in {400, 401}
    if answer.status == 401:
        [challenge] = answer.values("WWW-Authenticate")
        assert CHALLENGE.fullmatch(challenge)
        assert 'realm="http://127.0.0.1:' in challenge


def test_forwarded_headers_count_for_nothing(nobody: httpx2.Client, server: Server) -> None:
    """Whoever is not a trusted proxy cannot move the realm (CVE-2026-20896)."""
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}

    assert challenge_of(nobody.get("/v2/", headers=headers))["realm"] == f"{server.url}/auth/token"


def test_two_authorizations(dial: Dial, owner_token: str) -> None:
    """Two Authorization headers are no credentials, whichever of them is good."""
    for first, second in ((owner_token, "x"), ("x", owner_token)):
        headers = [("Authorization", f"Bearer {first}"), ("Authorization", f"Bearer {second}")]
        assert dial().ask("GET", "/v2/", headers).status in {400, 401}


def test_bearer_is_an_upper_bound(
    pushed: Repository, server: Server, connected: Connect, other_repository: Repository
) -> None:
    """A bearer token does what it was asked for: nothing else, and nowhere else."""
    other_repository.push_image("v1")
    narrow = connected(
        bearer=bearer_for(connected(basic=(server.email, server.password)), f"repository:{pushed.name}:pull")
    )
    theirs = pushed.by(narrow)

    assert theirs.manifest("v1").status_code == 200
    for answer in (
        theirs.start(),
        theirs.manifest("v1", "DELETE"),
        other_repository.by(narrow).manifest("v1"),
        narrow.get("/v2/_catalog"),
    ):
        assert_error(answer, 401, "UNAUTHORIZED")
        assert challenge_of(answer)["error"] == "insufficient_scope"


def test_forger_can_sign(pushed: Repository, connected: Connect, forger: Forger) -> None:
    """A token that is written by hand, yet as it should be, is taken: what follows fails for its own reason."""
    assert pushed.by(connected(bearer=forger.token())).tags().status_code == 200


FORGERIES: dict[str, Forge] = {
    "no algorithm": lambda forger: forger.token({"alg": "none"}, sign=lambda _: b""),
    "no algorithm, in capitals": lambda forger: forger.token({"alg": "NONE"}, sign=lambda _: b""),
    "no algorithm, yet signed": lambda forger: forger.token({"alg": "none"}),
    "algorithm missing": lambda forger: forger.token({"alg": None}),
    "algorithm is a number": lambda forger: forger.token({"alg": 256}),
    "algorithm is a list": lambda forger: forger.token({"alg": ["ES256"]}),
    "HMAC with the public key": lambda forger: forger.token({"alg": "HS256"}, sign=hs256(forger.public_pem())),
    "HMAC with the public key, trimmed": lambda forger: forger.token(
        {"alg": "HS256"}, sign=hs256(forger.public_pem().strip())
    ),
    "HMAC with nothing": lambda forger: forger.token({"alg": "HS256"}, sign=hs256(b"")),
    "HMAC with the key's id": lambda forger: forger.token(
        {"alg": "HS256"}, sign=hs256(str(forger.header["kid"]).encode())
    ),
    "RSA": lambda forger: forger.token({"alg": "RS256"}, sign=rs256()),
    "foreign key under our id": lambda forger: forger.token(sign=es256(forger.foreign_key)),
    "foreign key under no id": lambda forger: forger.token({"kid": None}, sign=es256(forger.foreign_key)),
    "foreign key that comes along (CVE-2025-24976)": lambda forger: forger.token(
        {"kid": None, "jwk": forger.foreign_jwk()}, sign=es256(forger.foreign_key)
    ),
    "foreign key that comes along under our id": lambda forger: forger.token(
        {"jwk": forger.foreign_jwk()}, sign=es256(forger.foreign_key)
    ),
    "foreign key at an address": lambda forger: forger.token(
        {"jku": "http://127.0.0.1:1/keys"}, sign=es256(forger.foreign_key)
    ),
    "foreign certificates": lambda forger: forger.token(
        {"x5c": ["MIIB"], "x5t": "AAAA"}, sign=es256(forger.foreign_key)
    ),
    "unknown key id": lambda forger: forger.token({"kid": "nobody"}),
    "key id as a path": lambda forger: forger.token({"kid": "../../../dev/null"}, sign=hs256(b"")),
    "key id as SQL": lambda forger: forger.token({"kid": "' OR 1=1 --"}),
    "key id is a number": lambda forger: forger.token({"kid": 1}),
    "key id is an object": lambda forger: forger.token({"kid": {"a": 1}}),
    "unknown critical member (CVE-2025-59420)": lambda forger: forger.token({"crit": ["bork"], "bork": True}),
    "critical member missing": lambda forger: forger.token({"crit": ["exp2"]}),
    "critical members are no list": lambda forger: forger.token({"crit": "exp"}),
    "unencoded payload": lambda forger: forger.token({"b64": False, "crit": ["b64"]}),
    "signature of another message": lambda forger: forger.token(sign=lambda _: es256(forger.key)(b"other")),
    "signature of zeros": lambda forger: forger.token(sign=lambda _: bytes(64)),
    "signature too short": lambda forger: forger.token(sign=lambda message: es256(forger.key)(message)[:-1]),
    "no signature": lambda forger: forger.token(sign=lambda _: b""),
    "expired": lambda forger: forger.token(claims={"exp": int(time.time()) - 1}),
    "expires never": lambda forger: forger.token(claims={"exp": None}),
    "expires in words": lambda forger: forger.token(claims={"exp": "tomorrow"}),
    "not valid yet": lambda forger: forger.token(claims={"nbf": int(time.time()) + 3600}),
    "another audience": lambda forger: forger.token(claims={"aud": "another"}),
    "no audience": lambda forger: forger.token(claims={"aud": None}),
    "audience of refresh tokens": lambda forger: forger.token(claims={"aud": "moorage-refresh"}),
    "another issuer": lambda forger: forger.token(claims={"iss": "another"}),
    "no issuer": lambda forger: forger.token(claims={"iss": None}),
}
forgeries = pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())


@forgeries
def test_forged_token(pushed: Repository, connected: Connect, forger: Forger, forge: Forge) -> None:
    """A token that is not as we would have written it opens nothing, and is called invalid."""
    forged = connected(bearer=forge(forger))

    for answer in (pushed.by(forged).tags(), pushed.by(forged).start(), forged.get("/v2/")):
        assert_error(answer, 401, "UNAUTHORIZED")
        assert challenge_of(answer)["error"] == "invalid_token"


def test_tampered_claims(connected: Connect, forger: Forger, other_repository: Repository) -> None:
    """Claims that were changed after signing are no longer signed."""
    other_repository.push_image("v1")
    header, claims, signature = forger.token().split(".")
    wider = forger.token(claims={"access": [{**forger.claims["access"][0], "name": other_repository.name}]})

    for parts in ((header, wider.split(".")[1], signature), (header, claims, signature[:-2] + "AA")):
        answer = other_repository.by(connected(bearer=".".join(parts))).tags()
        assert_error(answer, 401, "UNAUTHORIZED")
        assert challenge_of(answer)["error"] == "invalid_token"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    token=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1) | st.text(".eyJhbGciOi0", min_size=1)
)
def test_any_text_as_a_token(nobody: httpx2.Client, token: str) -> None:
    """No text, however odd, is more than a wrong token."""
    assert_error(nobody.get("/v2/", headers={"Authorization": f"Bearer {token}"}), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "header", ['"x"', "[]", "null", "5", '{"alg":"ES256"', "{}", '{"alg":"ES256","alg":"none"}', "[" * 5000]
)
def test_header_that_is_no_header(nobody: httpx2.Client, header: str) -> None:
    """A token whose header is some other JSON, or none, is a wrong token."""
    token = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=") + ".e30.AAAA"

    assert_error(nobody.get("/v2/", headers={"Authorization": f"Bearer {token}"}), 401, "UNAUTHORIZED")


def test_refresh_token_is_no_bearer_token(pushed: Repository, server: Server, connected: Connect) -> None:
    """A refresh token opens nothing by itself."""
    basic = connected(basic=(server.email, server.password))
    refresh = get_token(basic, offline_token="true")["refresh_token"]
    misused = connected(bearer=refresh)

    for answer in (misused.get("/v2/"), pushed.by(misused).tags(), misused.get("/auth/token")):
        assert_error(answer, 401, "UNAUTHORIZED")


def test_bearer_token_is_no_refresh_token(
    server: Server, connected: Connect, nobody: httpx2.Client, full_scope: str
) -> None:
    """A bearer token, and an API token, bring no new ones."""
    bearer = bearer_for(connected(basic=(server.email, server.password)), full_scope)

    assert_error(post_form(nobody, grant_type="refresh_token", refresh_token=bearer), 401, "UNAUTHORIZED")


def test_api_token_is_no_refresh_token(nobody: httpx2.Client, owner_token: str) -> None:
    """An API token is a password, and no refresh token."""
    assert_error(post_form(nobody, grant_type="refresh_token", refresh_token=owner_token), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("place", range(5, 64, 7))
def test_mistyped_api_token(nobody: httpx2.Client, owner_token: str, place: int) -> None:
    """An API token with one wrong character is wrong."""
    other = "a" if owner_token[place] != "a" else "b"
    mistyped = owner_token[:place] + other + owner_token[place + 1 :]

    assert_error(nobody.get("/v2/", headers={"Authorization": f"Bearer {mistyped}"}), 401, "UNAUTHORIZED")


def test_same_rights_by_every_door(pushed: Repository, connected: Connect, server: Server, operator: Operator) -> None:
    """A read-only API token pulls, and may neither push nor delete, as Bearer, as a password and as what it brings."""
    token = operator.make_token(server.email, read_only=True)
    basic = connected(basic=("any", token))
    scope = f"repository:{pushed.name}:pull,push,delete"
    doors = [connected(bearer=token), basic, connected(bearer=bearer_for(basic, scope))]
    refresh = get_token(basic, offline_token="true")["refresh_token"]
    renewed = post_form(basic, grant_type="refresh_token", refresh_token=refresh, scope=scope).json()["token"]

    for client in (*doors, connected(bearer=renewed)):
        theirs = pushed.by(client)
        assert theirs.manifest("v1").status_code == 200
        for answer in (theirs.start(), theirs.put_manifest(index(), "v2"), theirs.manifest("v1", "DELETE")):
            assert_error(answer, 401, "UNAUTHORIZED")
