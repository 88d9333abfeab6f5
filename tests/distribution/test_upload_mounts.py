"""Mounting: a blob that is in one repository becomes one of another without being sent (end-11)."""

import secrets

import httpx2
import pytest

from moorage.model import Role
from tests.distribution.making import ALGORITHMS, blob, digest_of, unknown_digest
from tests.distribution.operators import Operator, Person
from tests.distribution.repository import Connect, Repository, Upload, assert_error
from tests.server import Server

algorithms = pytest.mark.parametrize("algorithm", ALGORITHMS)


def assert_upload_instead(repository: Repository, answer: httpx2.Response, digest: str) -> None:
    """Expect an ordinary upload that works, and that the blob was not made visible."""
    assert answer.status_code == 202, answer.text
    assert repository.blob(digest).status_code == 404
    data, upload = blob().data, Upload(repository.http, answer.headers["Location"])
    assert upload.put(digest_of(data), data).status_code == 201


def bearer_for(server: Server, token: str, *scopes: str) -> str:
    """Get a bearer token for these scopes."""
    answer = httpx2.get(
        f"{server.url}/auth/token", params={"scope": list(scopes)}, auth=("any", token), trust_env=False
    )
    bearer: str = answer.json()["token"]
    return bearer


@algorithms
def test_mount(repository: Repository, other_repository: Repository, algorithm: str) -> None:
    """A blob of a repository that the caller may pull is linked; Location is literally its path."""
    content = other_repository.push_blob(blob(), algorithm)
    digest = digest_of(content.data, algorithm)

    answer = repository.mount(digest, other_repository)

    assert answer.status_code == 201
    assert answer.headers["Location"] == repository.path("blobs", digest)
    assert answer.headers["Docker-Content-Digest"] == digest
    assert repository.blob(digest).content == content.data


@algorithms
def test_mount_from_anywhere(repository: Repository, other_repository: Repository, algorithm: str) -> None:
    """Without `from`, any repository of the same account will do."""
    content = other_repository.push_blob(blob(), algorithm)
    digest = digest_of(content.data, algorithm)

    assert repository.mount(digest).status_code == 201
    assert repository.blob(digest).content == content.data


def test_mounted_blob_stays(repository: Repository, other_repository: Repository) -> None:
    """A mounted blob is the repository's own: deleting it at its source changes nothing."""
    content = other_repository.push_blob(blob())
    repository.mount(content.digest, other_repository)

    assert other_repository.blob(content.digest, "DELETE").status_code == 202

    assert other_repository.blob(content.digest).status_code == 404
    assert repository.blob(content.digest).content == content.data


def test_mount_what_is_not_there(repository: Repository, other_repository: Repository) -> None:
    """A blob that the source has not is uploaded instead."""
    other_repository.push_blob(blob())
    digest = unknown_digest()

    answer = repository.mount(digest, other_repository)

    assert_upload_instead(repository, answer, digest)


@pytest.mark.parametrize("source", ["main/absent", "nowhere/at-all", "single", "UPPER/case", "a//b", "../x", "", "%00"])
def test_mount_from_nowhere(repository: Repository, source: str) -> None:
    """A source that does not exist, or cannot, is no error: the blob is uploaded instead."""
    digest = unknown_digest()

    assert_upload_instead(repository, repository.mount(digest, source), digest)


def test_mount_unknown_from_anywhere(repository: Repository) -> None:
    """A blob that is nowhere is uploaded instead."""
    digest = unknown_digest()

    assert_upload_instead(repository, repository.mount(digest), digest)


def test_mount_deleted_blob(repository: Repository, other_repository: Repository) -> None:
    """A blob that was deleted at its only place cannot be mounted any more."""
    content = other_repository.push_blob(blob())
    other_repository.blob(content.digest, "DELETE")

    assert_upload_instead(repository, repository.mount(content.digest), content.digest)


@pytest.mark.parametrize("digest", ["sha256:abc", "nonsense", "md5:" + "a" * 32])
def test_mount_malformed_digest(repository: Repository, digest: str) -> None:
    """A digest that cannot be one is an error."""
    assert_error(repository.mount(digest), 400, "DIGEST_INVALID")


@pytest.mark.parametrize("named", [True, False], ids=["from", "no from"])
def test_mount_from_strangers(repository: Repository, strangers: Repository, named: bool) -> None:
    """A private blob of another account is not there: not by name, and not without (CVE-2024-39897)."""
    content = strangers.push_blob(blob())
    source = strangers if named else None

    hidden = repository.mount(content.digest, source)
    absent = repository.mount(unknown_digest(), source)

    assert set(hidden.headers) == set(absent.headers)
    assert_upload_instead(repository, hidden, content.digest)


def test_mount_from_a_public_repository(repository: Repository, strangers: Repository, operator: Operator) -> None:
    """What everybody may pull, anybody may mount by its name, but it is not looked for without."""
    content = strangers.push_blob(blob())
    operator.set_public(strangers.name)

    assert_upload_instead(repository, repository.mount(content.digest), content.digest)
    assert repository.mount(content.digest, strangers).status_code == 201


def test_mount_needs_push(
    repository: Repository, other_repository: Repository, viewer: Person, connected: Connect
) -> None:
    """Who may not push may not mount."""
    content = other_repository.push_blob(blob())
    theirs = repository.by(connected(basic=(viewer.email, viewer.password)))

    assert_error(theirs.mount(content.digest, other_repository), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("present", [True, False], ids=["present", "absent"])
def test_bearer_without_the_source(
    repository: Repository,
    other_repository: Repository,
    server: Server,
    owner_token: str,
    connected: Connect,
    present: bool,
) -> None:
    """A bearer token that was not asked for the source gets a challenge that names both, whether the blob is there."""
    digest = other_repository.push_blob(blob()).digest if present else unknown_digest()
    narrow = repository.by(connected(bearer=bearer_for(server, owner_token, f"repository:{repository.name}:pull,push")))

    answer = narrow.mount(digest, other_repository)

    assert_error(answer, 401, "UNAUTHORIZED")
    challenge = answer.headers["WWW-Authenticate"]
    assert f'scope="repository:{repository.name}:pull,push repository:{other_repository.name}:pull"' in challenge
    assert 'error="insufficient_scope"' in challenge


def test_bearer_with_both(
    repository: Repository, other_repository: Repository, server: Server, owner_token: str, connected: Connect
) -> None:
    """A bearer token for both repositories mounts."""
    content = other_repository.push_blob(blob())
    scopes = (f"repository:{repository.name}:pull,push", f"repository:{other_repository.name}:pull")
    both = repository.by(connected(bearer=bearer_for(server, owner_token, *scopes)))

    assert both.mount(content.digest, other_repository).status_code == 201


def test_bearer_asked_in_vain(
    repository: Repository, strangers: Repository, server: Server, owner_token: str, connected: Connect
) -> None:
    """A bearer token that was asked for the source in vain is told to upload, as asking again would bring nothing."""
    content = strangers.push_blob(blob())
    scopes = (f"repository:{repository.name}:pull,push", f"repository:{strangers.name}:pull")
    both = repository.by(connected(bearer=bearer_for(server, owner_token, *scopes)))

    answer = both.mount(content.digest, strangers)

    assert_upload_instead(both, answer, content.digest)


def test_mount_from_itself(repository: Repository) -> None:
    """A blob that the repository has already may be mounted from itself."""
    content = repository.push_blob(blob())

    assert repository.mount(content.digest, repository).status_code == 201


def test_mount_after_losing_the_source(
    operator: Operator, server: Server, strangers: Repository, connected: Connect
) -> None:
    """Pull on the source is asked for now: a member whose account it is no longer gets an upload."""
    owner = operator.owner(server.email)
    member = operator.add_member(owner.account_id, Role.DEVELOPER)
    mine = Repository(connected(bearer=operator.make_token(member.email)), f"main/{secrets.token_hex(8)}")
    content = strangers.push_blob(blob())
    operator.set_public(strangers.name)
    operator.set_public(strangers.name, public=False)

    assert_upload_instead(mine, mine.mount(content.digest, strangers), content.digest)
