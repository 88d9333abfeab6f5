"""Mounts: a blob that is here already is linked instead of uploaded, where the caller may pull it."""

from asyncio import run

import pytest

from moorage.errors import Unauthorized
from moorage.metadata import registries, tables
from moorage.model import ANONYMOUS, Caller, Role
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName
from moorage.registry import mounts
from tests.registry.trial import ABSENT, APP, OTHER, Trial

DATA = b"a layer that others have"
DIGEST = Digest.of(DATA)
SECOND = RepositoryName.parse("second/app")
FOREIGN = RepositoryName.parse("elsewhere/app")
PUSH_APP, PULL_OTHER = "repository:main/app:pull,push", "repository:main/other:pull"


def mount(
    trial: Trial, source: RepositoryName | None = None, caller: Caller | None = None, digest: Digest = DIGEST
) -> bool:
    """Ask for a mount into APP."""
    return run(mounts.mount(trial.installation, caller or trial.owner, APP, digest, source))


def test_blob_is_mounted_from_another_repository(trial: Trial) -> None:
    """One copy is in both repositories, and the repository is born by the mount."""
    trial.push_blob(DATA, OTHER)

    assert mount(trial, OTHER)
    assert trial.pull_blob(DIGEST) == trial.pull_blob(DIGEST, OTHER) == DATA
    assert len(trial.keys()) == 1


def test_mount_without_source_finds_the_blob_anywhere_in_the_account(trial: Trial) -> None:
    """Another repository will do, of another registry of the account too."""
    trial.write(lambda connection, now: registries.create(connection, trial.account_id, "second", now))
    trial.push_blob(DATA, SECOND)

    assert mount(trial)
    assert trial.pull_blob(DIGEST) == DATA


def test_mounting_what_is_there_changes_nothing(trial: Trial) -> None:
    """A blob may be mounted into the repository that has it."""
    trial.push_blob(DATA)
    before = trial.rows(tables.repository_blob)

    assert mount(trial, APP)
    assert mount(trial)
    assert trial.rows(tables.repository_blob) == before


@pytest.mark.parametrize("source", [OTHER, RepositoryName.parse("nowhere/app"), RepositoryName.parse("main"), None])
def test_what_is_not_there_is_not_mounted(trial: Trial, source: RepositoryName | None) -> None:
    """An unknown blob, or a source that does not exist, is no error: clients then upload. No repository is born."""
    assert not mount(trial, source, digest=ABSENT)
    assert trial.repository_id() is None


def test_source_has_to_have_the_blob_itself(trial: Trial) -> None:
    """That the blob is elsewhere does not make it one of the source's."""
    trial.push_blob(b"something else", OTHER)
    trial.push_blob(DATA, RepositoryName.parse("main/third"))

    assert not mount(trial, OTHER)


def test_blob_whose_bytes_are_lost_is_not_mounted(trial: Trial) -> None:
    """It has to be uploaded again, or nothing would ever heal it."""
    trial.push_blob(DATA, OTHER)
    trial.lose(DIGEST)

    assert not mount(trial, OTHER)
    assert not mount(trial)


def test_others_private_blobs_are_not_mounted(trial: Trial) -> None:
    """Nobody gets a blob by knowing its digest: neither by naming its repository nor by leaving it open."""
    trial.push_blob(DATA, FOREIGN, trial.stranger())

    assert not mount(trial, FOREIGN)
    assert not mount(trial)


def test_others_public_blobs_are_mounted_by_name_alone(trial: Trial) -> None:
    """What everybody may pull everybody may mount; without a source only the own account is searched."""
    trial.push_blob(DATA, FOREIGN, trial.stranger())
    trial.set_public(FOREIGN)

    assert not mount(trial)
    assert mount(trial, FOREIGN)


@pytest.mark.parametrize("source", [OTHER, None])
def test_only_who_may_push_mounts(trial: Trial, source: RepositoryName | None) -> None:
    """A mount is a write, whatever may be read."""
    trial.push_blob(DATA, OTHER)
    trial.set_public(OTHER)

    for caller in (ANONYMOUS, trial.stranger(), trial.member(Role.VIEWER), trial.token(trial.owner, read_only=True)):
        with pytest.raises(Unauthorized):
            mount(trial, source, caller)


def test_bearer_token_for_both_mounts(trial: Trial) -> None:
    """Clients ask for push here and pull there."""
    trial.push_blob(DATA, OTHER)

    assert mount(trial, OTHER, trial.bearer(trial.owner, PUSH_APP, PULL_OTHER))


def test_bearer_token_for_here_alone_is_asked_for_both(trial: Trial) -> None:
    """The refusal names both scopes, so that the client can get a token for both; whether the source exists or not."""
    trial.push_blob(DATA, OTHER)
    caller = trial.bearer(trial.owner, PUSH_APP)

    for source in (OTHER, RepositoryName.parse("main/absent")):
        with pytest.raises(Unauthorized) as refused:
            mount(trial, source, caller)
        assert refused.value.reason == "insufficient_scope"
        assert refused.value.scopes == (PUSH_APP, f"repository:{source}:pull")


def test_bearer_token_that_asked_in_vain_is_not_asked_again(trial: Trial) -> None:
    """Who asked for the source and may not pull it goes on without a mount, instead of round in a circle."""
    trial.push_blob(DATA, FOREIGN, trial.stranger())

    assert not mount(trial, FOREIGN, trial.bearer(trial.owner, PUSH_APP, f"repository:{FOREIGN}:pull"))


def test_bearer_token_to_push_alone_does_not_pull_for_a_mount(trial: Trial) -> None:
    """The bound of a token holds for its source as well."""
    trial.push_blob(DATA, OTHER)

    assert not mount(trial, OTHER, trial.bearer(trial.owner, PUSH_APP, "repository:main/other:push"))


def test_bearer_token_for_here_mounts_without_source(trial: Trial) -> None:
    """Its caller may pull from the whole account at this moment, so nothing is given away."""
    trial.push_blob(DATA, OTHER)

    assert mount(trial, caller=trial.bearer(trial.owner, PUSH_APP))
