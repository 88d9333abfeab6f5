"""The data plane as a whole: nothing that goes wrong leaves a request unanswered, on any worker."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from moorage.registry import health as health_use_case
from tests.distribution.asgi import Body, call_plane, scope_of
from tests.distribution.making import blob, digest_of, image
from tests.distribution.repository import Connect, Repository, check_error_body


def fail_with(error: Exception) -> Callable[[object], object]:
    """Make a use case that fails."""

    async def failing(_: object) -> list[str]:
        raise error

    return failing


def test_unexpected_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours is 500 in the spec's form, tells the client nothing of its cause, and the log everything."""
    monkeypatch.setattr(health_use_case, "failing", fail_with(ZeroDivisionError("secret cause")))

    with capture_logs() as logs:
        sent = call_plane(scope_of("GET", "/readyz"), Body())

    assert sent.status == 500
    document = json.loads(sent.body)
    check_error_body(document)
    assert document["errors"][0]["code"] == "UNKNOWN"
    assert b"secret" not in sent.body
    assert [(entry["event"], entry["log_level"], entry["exc_info"]) for entry in logs] == [
        ("request failed", "error", True)
    ]


def test_refusal_reads_a_little() -> None:
    """The sender of a refused body is given the time to see the answer, within limits."""
    body = Body(*[b"x" * 1000] * 10)

    sent = call_plane(scope_of("PUT", "/v2/nowhere"), body)

    assert (sent.status, body.read) == (404, 10_000)


def test_broken_connection() -> None:
    """A connection that is gone is not read from any more."""
    sent = call_plane(scope_of("POST", "/auth/token"), Body(b"grant_type=", breaks=True))

    assert sent.status == 400


def test_workers_agree(owner_token: str, connected: Connect, repository: Repository) -> None:
    """What one connection has written every other one reads at once, whichever worker it reaches."""
    others = [repository.by(connected(bearer=owner_token)) for _ in range(8)]
    for _ in range(5):
        content = repository.push_image("v1")
        assert {other.manifest("v1").content for other in others} == {content.data}
        assert all(other.tags().json()["tags"] == ["v1"] for other in others)
        repository.manifest(content.digest, "DELETE")
        assert {other.manifest("v1").status_code for other in others} == {404}


def test_upload_across_connections(owner_token: str, connected: Connect, repository: Repository) -> None:
    """An upload goes on by whichever worker the next connection reaches."""
    data, upload = blob(80_000).data, repository.upload()
    for start in range(0, len(data), 10_000):
        part = upload.by(connected(bearer=owner_token))
        assert part.patch(data[start : start + 10_000], start).status_code == 202

    assert upload.put(digest_of(data)).status_code == 201
    assert repository.blob(digest_of(data)).content == data


def test_parallel_pushes_and_pulls(owner_token: str, connected: Connect, repository: Repository) -> None:
    """Many clients at once push images into one repository and pull them, and none is told to come again."""
    clients = [repository.by(connected(bearer=owner_token)) for _ in range(16)]

    def push_and_pull(number: int) -> bool:
        content = clients[number].push_image(f"v{number}")
        return clients[-number].manifest(f"v{number}").content == content.data

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(push_and_pull, range(16)))
    assert len(repository.tags().json()["tags"]) == 16


def test_parallel_pushes_of_one_image(owner_token: str, connected: Connect, repository: Repository) -> None:
    """Many clients at once push the very same image to the very same tag: all succeed."""
    base, layers = repository.push_parts()
    content = image(base, layers)
    clients = [repository.by(connected(bearer=owner_token)) for _ in range(8)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda client: client.put_manifest(content, "v1"), clients))

    assert {answer.status_code for answer in answers} == {201}
    assert repository.manifest("v1").content == content.data
