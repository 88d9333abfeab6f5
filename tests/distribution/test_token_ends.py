"""Credentials that stop working: revoked, changed, of a role or a repository that is gone (CVE-2025-23208)."""

import secrets
from datetime import timedelta

import httpx2
import pytest

from moorage.model import Role
from moorage.registry import tokens
from tests.distribution.bearer import bearer_for, get_token, post_form
from tests.distribution.making import blob
from tests.distribution.operators import Operator, Person
from tests.distribution.repository import Connect, Repository, assert_error
from tests.server import Server

INVALID = 'error="invalid_token"'


def reads(repository: Repository, client: httpx2.Client) -> list[httpx2.Response]:
    """Read the tag v1, by the doors that may be answered from a worker's memory, and by one that is not."""
    theirs = repository.by(client)
    return [theirs.manifest("v1"), theirs.manifest("v1", "HEAD"), theirs.tags()]


def assert_remembered(repository: Repository, *clients: httpx2.Client) -> None:
    """Expect the clients' credentials to be good, so often that their workers have all they need to know in memory."""
    for client in clients:
        for _ in range(3):
            assert {answer.status_code for answer in reads(repository, client)} == {200}


def assert_over(repository: Repository, client: httpx2.Client) -> None:
    """Expect that what the client shows is no longer worth anything, and that it is told to get something new."""
    others = [client.get("/v2/"), repository.by(client).start(), client.get("/v2/_catalog")]
    for answer in reads(repository, client) + others:
        assert answer.status_code == 401
        assert INVALID in answer.headers["WWW-Authenticate"]


def assert_refresh_over(nobody: httpx2.Client, refresh: str) -> None:
    """Expect that a refresh token brings nothing any more."""
    answer = post_form(nobody, grant_type="refresh_token", refresh_token=refresh)
    assert_error(answer, 401, "UNAUTHORIZED")


def test_revoked_api_token(
    repository: Repository, operator: Operator, developer: Person, connected: Connect, nobody: httpx2.Client
) -> None:
    """A revoked API token stops at the next request, with the bearer and refresh tokens that it has brought."""
    repository.push_image("v1")
    token = operator.make_token(developer.email)
    direct, by_password = connected(bearer=token), connected(basic=("any", token))
    issued = get_token(
        by_password, f"repository:{repository.name}:pull,push", "registry:catalog:*", offline_token="true"
    )
    short = connected(bearer=issued["token"])
    assert_remembered(repository, direct, by_password, short)

    operator.revoke_token(token)

    for client in (direct, by_password, short):
        assert_over(repository, client)
    assert_refresh_over(nobody, issued["refresh_token"])
    assert_error(by_password.get("/auth/token"), 401, "UNAUTHORIZED")


def test_expired_api_token(repository: Repository, operator: Operator, developer: Person, connected: Connect) -> None:
    """An API token whose time is over is as good as revoked."""
    repository.push_image("v1")
    made = tokens.create(
        operator.installation, email=developer.email, name="t", read_only=False, lifetime=timedelta(microseconds=1)
    )

    assert_over(repository, connected(bearer=operator.run(made)))


def test_revoking_one_token_leaves_others(
    repository: Repository, operator: Operator, developer: Person, connected: Connect
) -> None:
    """Another token of the same user goes on working."""
    repository.push_image("v1")
    kept, revoked = operator.make_token(developer.email), operator.make_token(developer.email)

    operator.revoke_token(revoked)

    assert repository.by(connected(bearer=kept)).tags().status_code == 200


def test_changed_password(
    repository: Repository, operator: Operator, developer: Person, connected: Connect, nobody: httpx2.Client
) -> None:
    """A changed password ends the old one, also where it was remembered, and all that was issued on its strength."""
    repository.push_image("v1")
    old = connected(basic=(developer.email, developer.password))
    issued = get_token(old, f"repository:{repository.name}:pull,push", "registry:catalog:*", offline_token="true")
    short = connected(bearer=issued["token"])
    assert_remembered(repository, old, short)

    operator.set_password(developer.email, "another password")

    for client in (old, short):
        assert_over(repository, client)
    assert_refresh_over(nobody, issued["refresh_token"])
    new = connected(basic=(developer.email, "another password"))
    assert repository.by(new).tags().status_code == 200


def test_changed_password_leaves_api_tokens(
    repository: Repository, operator: Operator, developer: Person, connected: Connect
) -> None:
    """API tokens do not hang on the password."""
    repository.push_image("v1")
    client = connected(bearer=operator.make_token(developer.email))

    operator.set_password(developer.email, "another password")

    assert repository.by(client).tags().status_code == 200


@pytest.mark.parametrize("kind", ["password", "API token", "bearer"])
def test_lost_role(
    repository: Repository, operator: Operator, developer: Person, connected: Connect, kind: str
) -> None:
    """A role that was taken away is missed at the next request, whatever the credentials and their promises."""
    repository.push_image("v1")
    basic = (developer.email, developer.password)
    if kind == "password":
        client = connected(basic=basic)
    elif kind == "API token":
        client = connected(bearer=operator.make_token(developer.email))
    else:
        client = connected(bearer=bearer_for(connected(basic=basic), f"repository:{repository.name}:pull,push"))
    theirs = repository.by(client)
    assert theirs.start().status_code == 202

    operator.set_role(developer, Role.VIEWER)

    assert_error(theirs.start(), 401, "UNAUTHORIZED")
    assert theirs.tags().status_code == 200
    operator.set_role(developer, Role.DEVELOPER)
    assert theirs.start().status_code == 202


def test_lost_role_within_an_upload(
    repository: Repository, operator: Operator, developer: Person, connected: Connect
) -> None:
    """An upload that was begun with a role cannot be finished without it."""
    content = blob()
    upload = repository.by(connected(basic=(developer.email, developer.password))).upload()
    upload.patch(content.data)

    operator.set_role(developer, Role.VIEWER)

    assert_error(upload.put(content.digest), 401, "UNAUTHORIZED")
    assert_error(upload.status(), 401, "UNAUTHORIZED")


def test_repository_turned_private(
    repository: Repository, operator: Operator, nobody: httpx2.Client, connected: Connect
) -> None:
    """A repository that is public no longer is closed at once to the bearer tokens of its public time."""
    repository.push_image("v1")
    operator.set_public(repository.name)
    anonymous = connected(bearer=bearer_for(nobody, f"repository:{repository.name}:pull"))
    assert_remembered(repository, anonymous, nobody)

    operator.set_public(repository.name, public=False)

    for client in (anonymous, nobody):
        assert {answer.status_code for answer in reads(repository, client)} == {401}


def test_bearer_from_before_the_repository(server: Server, connected: Connect) -> None:
    """A bearer token issued before its repository existed pushes the first image into it, and pulls it."""
    name = f"main/{secrets.token_hex(8)}"
    basic = connected(basic=(server.email, server.password))
    early = Repository(connected(bearer=bearer_for(basic, f"repository:{name}:pull,push")), name)

    content = early.push_image("v1")

    assert early.manifest("v1").content == content.data


def test_bearer_of_a_replaced_repository(
    repository: Repository, owner: httpx2.Client, operator: Operator, server: Server, connected: Connect
) -> None:
    """A bearer token is for the repository that it was issued for: not for a later one of the same name."""
    repository.push_image("v1")
    basic = connected(basic=(server.email, server.password))
    old = connected(bearer=bearer_for(basic, f"repository:{repository.name}:pull,push"))
    assert_remembered(repository, old)

    operator.replace_repository(repository.name)
    gone = reads(repository, old)
    repository.push_image("v2")
    replaced = [*reads(repository, old), repository.by(old).start()]

    for answer in gone + replaced:
        assert answer.status_code == 401
        assert INVALID in answer.headers["WWW-Authenticate"]
    new = repository.by(connected(bearer=bearer_for(basic, f"repository:{repository.name}:pull")))
    assert new.tags().json()["tags"] == ["v2"]
    assert repository.by(owner).tags().json()["tags"] == ["v2"]
