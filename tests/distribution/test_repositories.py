"""What is about the registry as a whole: the ping (end-1), the catalog, the extensions."""

import httpx2
import pytest

from tests.distribution.bearer import bearer_for
from tests.distribution.making import index
from tests.distribution.operators import Operator, Person
from tests.distribution.repository import Connect, Repository, assert_error, next_page


@pytest.fixture
def strangers_own(strangers: Repository) -> list[str]:
    """The names of three repositories, all that the stranger has, in the order of the catalog."""
    registry = strangers.name.partition("/")[0]
    names = [f"{registry}/{rest}" for rest in ("a", "a-b", "a/b")]
    for name in names:
        push(Repository(strangers.http, name))
    return names


def push(repository: Repository) -> None:
    """Bring a repository into being."""
    content = index()
    repository.put_manifest(content, content.digest)


def listed(client: httpx2.Client, **params: str | int) -> list[str]:
    """Return one page of the catalog."""
    answer = client.get("/v2/_catalog", params=params)
    assert answer.status_code == 200, answer.text
    names: list[str] = answer.json()["repositories"]
    return names


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ping(owner: httpx2.Client, path: str, method: str) -> None:
    """Whoever shows credentials learns that this is a registry."""
    answer = owner.request(method, path)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.content == (b"{}" if method == "GET" else b"")


def test_ping_by_nobody(nobody: httpx2.Client, operator: Operator, repository: Repository) -> None:
    """Trap 5: nobody is challenged, although there are public repositories."""
    push(repository)
    operator.set_public(repository.name)

    assert_error(nobody.get("/v2/"), 401, "UNAUTHORIZED")
    assert_error(nobody.get("/v2"), 401, "UNAUTHORIZED")


def test_catalog_is_ones_own(
    strangers: Repository, strangers_own: list[str], repository: Repository, owner: httpx2.Client
) -> None:
    """The catalog lists the repositories of one's own account, and nothing that one may not read."""
    push(repository)

    assert not {repository.name} & set(listed(strangers.http))
    assert set(strangers_own) <= set(listed(strangers.http))
    assert not set(strangers_own) & set(listed(owner, n=1000))


def test_catalog_lists_public_ones(strangers: Repository, repository: Repository, operator: Operator) -> None:
    """What everybody may pull, everybody who logs in sees."""
    push(repository)
    operator.set_public(repository.name)

    assert repository.name in listed(strangers.http)


def test_catalog_of_a_viewer(viewer: Person, repository: Repository, connected: Connect) -> None:
    """Who may only pull sees what they may pull."""
    push(repository)

    assert repository.name in listed(connected(basic=(viewer.email, viewer.password)), last=repository.name[:-1])


def test_catalog_has_no_unborn_repositories(strangers: Repository) -> None:
    """A repository to which nothing was committed is not listed, even with an upload under way."""
    strangers.upload().patch(b"some bytes")

    assert strangers.name not in listed(strangers.http)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_catalog_pages(strangers: Repository, strangers_own: list[str], size: int) -> None:
    """Link leads through all names, each once and in the same order, with `n` on a page."""
    everything = listed(strangers.http)
    answer = strangers.http.get("/v2/_catalog", params={"n": size})
    pages = [answer.json()["repositories"]]
    while "Link" in answer.headers:
        answer = strangers.http.get(next_page(answer))
        pages.append(answer.json()["repositories"])

    assert [name for page in pages for name in page] == everything
    assert all(len(page) == size for page in pages[:-1])
    assert [name for name in everything if name in strangers_own] == strangers_own


def test_catalog_position(strangers: Repository, strangers_own: list[str]) -> None:
    """`last` is exclusive, and need not exist."""
    first, second, third = strangers_own

    assert listed(strangers.http, last=first, n=1) == [second]
    assert listed(strangers.http, last=f"{second}0", n=1) == [third]
    assert listed(strangers.http, n=0) == []


@pytest.mark.parametrize("number", ["-1", "x", ""])
def test_catalog_malformed_number(owner: httpx2.Client, number: str) -> None:
    """An `n` that is no whole number is refused."""
    assert_error(owner.get("/v2/_catalog", params={"n": number}), 400, "PAGINATION_NUMBER_INVALID")


def test_catalog_needs_its_scope(nobody: httpx2.Client, owner: httpx2.Client, connected: Connect) -> None:
    """The challenge names the catalog's scope; a bearer token needs to have been asked for it."""
    answer = nobody.get("/v2/_catalog")
    assert_error(answer, 401, "UNAUTHORIZED")
    assert 'scope="registry:catalog:*"' in answer.headers["WWW-Authenticate"]
    basic = connected(basic=("any", owner.headers["Authorization"].removeprefix("Bearer ")))

    assert connected(bearer=bearer_for(basic, "registry:catalog:*")).get("/v2/_catalog").status_code == 200
    assert_error(connected(bearer=bearer_for(basic)).get("/v2/_catalog"), 401, "UNAUTHORIZED")


def test_catalog_of_an_anonymous_token(
    nobody: httpx2.Client, connected: Connect, repository: Repository, operator: Operator
) -> None:
    """Who does not say who they are is told no names, not even public ones: `podman search` expects to fail then."""
    push(repository)
    operator.set_public(repository.name)
    anonymous = connected(bearer=bearer_for(nobody, "registry:catalog:*"))

    assert_error(anonymous.get("/v2/_catalog"), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "path",
    [
        "//v2/_catalog",
        "/v2//_catalog",
        "/v2/./_catalog",
        "/v2/_catalog/",
        "/v2/%5Fcatalog",
        "/V2/_catalog",
        "/v2/_catalog%00",
    ],
)
def test_no_second_door_to_the_catalog(nobody: httpx2.Client, path: str) -> None:
    """Other spellings of the catalog's path lead nowhere (CVE-2020-29662)."""
    answer = nobody.get(httpx2.URL(str(nobody.base_url), raw_path=path.encode()))

    assert answer.status_code in {400, 401, 404}


def test_extensions(owner: httpx2.Client, nobody: httpx2.Client) -> None:
    """The list of extensions has each with name, address, description and endpoints."""
    assert_error(nobody.get("/v2/_oci/ext/discover"), 401, "UNAUTHORIZED")

    extensions = owner.get("/v2/_oci/ext/discover").json()["extensions"]

    assert extensions
    assert all({"name", "url", "description", "endpoints"} <= set(extension) for extension in extensions)


def test_search_of_old_clients(nobody: httpx2.Client) -> None:
    """`docker search` tries `/v1/search` first, without credentials, and goes on after 404."""
    assert nobody.get("/v1/search", params={"q": "x", "n": "1"}).status_code == 404
