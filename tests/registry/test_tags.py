"""Tags, listed in pages."""

from asyncio import run

import pytest

from moorage.errors import NameUnknown, Unauthorized
from moorage.model import ANONYMOUS, Caller
from moorage.oci.reference import RepositoryName, parse_reference
from moorage.registry import manifests, tags
from moorage.registry.tags import TagPage
from moorage.testing import make_image, push_image
from tests.distribution.making import index
from tests.registry.trial import APP, OTHER, Trial

NAMES = ["0.9", "1.10", "1.9", "Latest", "_", "a.b", "latest"]


@pytest.fixture
def trial(trial: Trial) -> Trial:
    """An installation with one image under several tags."""
    run(push_image(trial.app, trial.owner, str(APP), make_image(), *reversed(NAMES)))
    return trial


def page(trial: Trial, after: str, limit: int, name: RepositoryName = APP, caller: Caller | None = None) -> TagPage:
    """List a page of tags."""
    return run(tags.page(trial.installation, caller or trial.owner, name, after, limit))


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_pages_join_to_all_tags_in_ascii_order(trial: Trial, limit: int) -> None:
    """Each page says whether another follows, and the last one says that none does, however the limit fits."""
    seen: tuple[str, ...] = ()
    more = True
    while more:
        found = page(trial, seen[-1] if seen else "", limit)
        assert 0 < len(found.tags) <= limit
        seen, more = seen + found.tags, found.more

    assert list(seen) == sorted(NAMES) == NAMES


def test_page_of_no_entries_tells_whether_there_are_any(trial: Trial) -> None:
    """Clients may ask for none at all."""
    assert page(trial, "", 0) == TagPage((), more=True)
    assert page(trial, NAMES[-1], 0) == TagPage((), more=False)


def test_list_is_true_when_it_is_given(trial: Trial) -> None:
    """Whatever was remembered, a deleted tag is gone at once and a new one is there; so with the manifest's end."""
    assert [page(trial, "", 100).tags for _ in range(2)] == [tuple(NAMES)] * 2
    run(manifests.delete(trial.installation, trial.owner, APP, parse_reference("Latest")))
    assert "Latest" not in page(trial, "", 100).tags
    other = trial.push(index(), "new").digest
    assert "new" in page(trial, "", 100).tags
    run(manifests.delete(trial.installation, trial.owner, APP, other))
    assert "new" not in page(trial, "", 100).tags


def test_repository_without_tags_has_an_empty_list(trial: Trial) -> None:
    """A repository that is there but has no tags is told from one that is not."""
    trial.push_blob(b"only a blob", OTHER)

    assert page(trial, "", 100, OTHER) == TagPage((), more=False)
    with pytest.raises(NameUnknown):
        page(trial, "", 100, RepositoryName.parse("main/absent"))


def test_only_who_may_pull_lists(trial: Trial) -> None:
    """Tags are as private as what they point to."""
    for caller in (ANONYMOUS, trial.stranger(), trial.bearer(trial.owner, "repository:main/app:push")):
        with pytest.raises(Unauthorized):
            page(trial, "", 100, caller=caller)

    trial.set_public()
    assert page(trial, "", 100, caller=ANONYMOUS).tags == tuple(NAMES)
