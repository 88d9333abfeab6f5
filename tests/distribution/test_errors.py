"""Errors as answers: the spec's body, one status an error, and what else an answer has to tell."""

import inspect
import json

import httpx2
import pytest

from moorage import errors
from moorage.distribution.errors import STATUS, to_response
from moorage.errors import MoorageError
from tests.distribution.asgi import call_response
from tests.distribution.making import EMPTY, index, unknown_digest
from tests.distribution.repository import Repository, assert_error, check_error_body

# What no request can bring about: it ends the start, the command, or is handled where it is raised.
NOT_ANSWERED = {"ObjectMissing", "StageBusy", "StoreForeign", "ConfigInvalid", "TokenUnknown", "UserUnknown"}
# distribution-spec, "Error Codes", and what its reference implementation has beside them.
CODES = {
    "BLOB_UNKNOWN": {404},
    "BLOB_UPLOAD_INVALID": {400, 408},
    "BLOB_UPLOAD_UNKNOWN": {404},
    "DIGEST_INVALID": {400},
    "MANIFEST_BLOB_UNKNOWN": {400},
    "MANIFEST_INVALID": {400},
    "MANIFEST_UNKNOWN": {404},
    "NAME_INVALID": {400},
    "NAME_UNKNOWN": {404},
    "SIZE_INVALID": {400, 413},
    "UNAUTHORIZED": {401},
    "DENIED": {403, 412, 507},
    "UNSUPPORTED": {404, 405, 400},
    "TOOMANYREQUESTS": {429},
    "RANGE_INVALID": {416},
    "TAG_INVALID": {400, 414},
    "PAGINATION_NUMBER_INVALID": {400},
    "UNAVAILABLE": {503},
    "UNKNOWN": {500},
}


def made(kind: type[MoorageError]) -> MoorageError:
    """Make an error as it is raised."""
    return kind(size=5) if kind is errors.RangeNotSatisfiable else kind()


def kinds() -> list[type[MoorageError]]:
    """Return all errors that there are."""
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MoorageError)]
    return [kind for kind in found if kind is not MoorageError and kind.__name__ not in NOT_ANSWERED]


@pytest.mark.parametrize("kind", kinds())
def test_every_error_has_an_answer(kind: type[MoorageError]) -> None:
    """Each error has a status that goes with its code, the spec's body and JSON's bare type."""
    sent = call_response(to_response(made(kind)))

    assert any(ancestor in STATUS for ancestor in kind.__mro__)
    assert sent.status in CODES[kind.code]
    assert sent.headers["content-type"] == "application/json"
    document = json.loads(sent.body)
    check_error_body(document)
    assert document["errors"][0]["code"] == kind.code


def test_a_foreign_error_is_our_fault() -> None:
    """What is in no table is 500, and says nothing of its cause."""
    assert call_response(to_response(errors.ObjectMissing())).status == 500


def test_a_special_case_is_answered_like_its_kind() -> None:
    """An error that is a case of another one has that one's status."""

    class Special(errors.BlobUnknown):
        """A special case."""

    assert to_response(Special()).status == 404


@pytest.mark.parametrize("kind", [errors.TooManyRequests, errors.Unavailable])
def test_try_again(kind: type[MoorageError]) -> None:
    """Who should try again is told when."""
    assert int(call_response(to_response(kind())).headers["retry-after"]) > 0


def test_unsatisfiable_range() -> None:
    """A range beyond a blob is told the blob's size."""
    assert to_response(errors.RangeNotSatisfiable(size=77)).headers["Content-Range"] == "bytes */77"


def test_message_and_detail() -> None:
    """An error's own words and detail reach the client, whatever characters they have."""
    sent = call_response(to_response(errors.Denied("No: \u00fc\u20ac\U0001f600.", detail={"limit": [1, None]})))

    [error] = json.loads(sent.body)["errors"]
    assert error == {"code": "DENIED", "message": "No: \u00fc\u20ac\U0001f600.", "detail": {"limit": [1, None]}}


def test_wire(repository: Repository, nobody: httpx2.Client) -> None:
    """Over the wire as well: the codes that clients decide by."""
    repository.push_image("v1")

    assert_error(repository.blob(unknown_digest()), 404, "BLOB_UNKNOWN")
    assert_error(repository.manifest("v2"), 404, "MANIFEST_UNKNOWN")
    assert_error(repository.blob("sha256:x"), 400, "DIGEST_INVALID")
    assert_error(repository.put_manifest(index(), ".x"), 400, "TAG_INVALID")
    assert_error(repository.by(nobody).tags(), 401, "UNAUTHORIZED")
    assert_error(repository.http.patch(repository.path("tags", "list")), 405, "UNSUPPORTED")
    assert_error(repository.http.get(f"/v2/main/UPPER/blobs/{EMPTY.digest}"), 400, "NAME_INVALID")


def test_details(repository: Repository, nobody: httpx2.Client) -> None:
    """An error says in its detail, for programs, what it is about."""
    repository.push_image("v1")
    digest = unknown_digest()

    def detail(answer: httpx2.Response) -> object:
        return answer.json()["errors"][0]["detail"]

    assert detail(repository.blob(digest)) == {"digest": digest}
    assert detail(repository.manifest("v2")) == {"tag": "v2"}
    assert detail(repository.by(nobody).tags()) == {"scopes": [f"repository:{repository.name}:pull"]}


def test_no_echo_of_markup(repository: Repository) -> None:
    """What is echoed from a request is JSON that no browser takes for a page."""
    answer = repository.manifest("<script>")

    assert_error(answer, 400, "TAG_INVALID")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
