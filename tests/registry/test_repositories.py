"""The catalog: what the caller may read, and nothing else."""

from asyncio import run

import pytest

from moorage.errors import Unauthorized
from moorage.metadata import accounts
from moorage.model import ANONYMOUS, Caller, Role
from moorage.oci.reference import RepositoryName
from moorage.registry import repositories
from moorage.registry.repositories import RepositoryPage
from tests.registry.trial import Trial

OWN = ["main/a", "main/a-b", "main/a/b", "main/public", "main/z"]
FOREIGN_PUBLIC = "elsewhere/public"
CATALOG = "registry:catalog:*"


@pytest.fixture
def stranger(trial: Trial) -> Caller:
    """Somebody with a registry of their own; both accounts have a private and a public repository."""
    stranger = trial.stranger()
    for name in reversed(OWN):
        trial.push_blob(b"some bytes", RepositoryName.parse(name))
    for name in ("elsewhere/private", FOREIGN_PUBLIC):
        trial.push_blob(b"some bytes", RepositoryName.parse(name), stranger)
    for name in ("main/public", FOREIGN_PUBLIC):
        trial.set_public(RepositoryName.parse(name))
    return stranger


def page(trial: Trial, caller: Caller, after: str = "", limit: int = 100) -> RepositoryPage:
    """List a page of the catalog."""
    return run(repositories.page(trial.installation, caller, after, limit))


def test_catalog_has_what_the_caller_may_pull(trial: Trial, stranger: Caller) -> None:
    """The repositories of one's accounts, and all public ones."""
    viewer, robot = trial.member(Role.VIEWER), trial.token(None, read_only=True)

    for caller in (trial.owner, viewer, robot, trial.bearer(trial.owner, CATALOG)):
        assert page(trial, caller).names == [FOREIGN_PUBLIC, *OWN]
    assert page(trial, stranger).names == ["elsewhere/private", FOREIGN_PUBLIC, "main/public"]


def test_token_lists_its_one_account(trial: Trial, stranger: Caller) -> None:
    """A user of two accounts lists both, a token of theirs only its own."""
    user_id = stranger.user_id or ""
    trial.write(lambda connection, now: accounts.add_member(connection, trial.account_id, user_id, Role.VIEWER, now))

    assert page(trial, stranger).names == ["elsewhere/private", FOREIGN_PUBLIC, *OWN]
    assert page(trial, trial.token(stranger)).names == [FOREIGN_PUBLIC, *OWN]


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
def test_pages_join_to_the_whole(trial: Trial, limit: int) -> None:
    """Each page says whether another follows; the order is by registry first."""
    seen: list[str] = []
    more = True
    while more:
        found = page(trial, trial.owner, seen[-1] if seen else "", limit)
        assert 0 < len(found.names) <= limit
        seen, more = seen + found.names, found.more

    assert seen == [FOREIGN_PUBLIC, *OWN]


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize(
    ("after", "first"),
    [("main", "main/a"), ("main/", "main/a"), ("main/b", "main/public"), ("n", None), ("%", FOREIGN_PUBLIC)],
)
def test_page_begins_behind_a_name_that_need_not_exist(trial: Trial, after: str, first: str | None) -> None:
    """`last` is a place in the order, and need be no name."""
    assert next(iter(page(trial, trial.owner, after).names), None) == first


@pytest.mark.usefixtures("stranger")
def test_catalog_has_to_be_asked_for(trial: Trial) -> None:
    """Who shows nothing, or a token for something else, is told which scope it takes."""
    with pytest.raises(Unauthorized) as refused:
        page(trial, ANONYMOUS)
    assert (refused.value.scopes, refused.value.reason) == ((CATALOG,), None)

    for caller in (trial.bearer(trial.owner, "repository:main/a:pull"), trial.bearer(ANONYMOUS)):
        with pytest.raises(Unauthorized) as refused:
            page(trial, caller)
        assert (refused.value.scopes, refused.value.reason) == ((CATALOG,), "insufficient_scope")
