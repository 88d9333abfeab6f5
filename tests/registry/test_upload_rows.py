"""The row of an upload ends once, and takes along what was staged."""

from asyncio import run
from dataclasses import replace

import pytest

from moorage.errors import UploadUnknown
from moorage.metadata import tables
from moorage.model import Upload
from moorage.registry import uploads
from moorage.registry.upload_rows import abandon, discard
from tests.registry.trial import APP, Trial, chunk

DATA = b"some bytes"


@pytest.fixture
def staged(trial: Trial) -> Upload:
    """An upload that has an object."""
    return trial.append(trial.start(), chunk(DATA))


def doomed(trial: Trial) -> list[str | None]:
    """List the keys whose objects are to go."""
    return [row.key for row in trial.rows(tables.doomed_object)]


def test_discarded_upload_is_gone(trial: Trial, staged: Upload) -> None:
    """And its object doomed."""
    run(discard(trial.installation, staged))
    with pytest.raises(UploadUnknown):
        run(uploads.status(trial.installation, trial.owner, APP, staged.id))
    assert doomed(trial) == [staged.key]


def test_upload_that_went_on_is_not_discarded(trial: Trial, staged: Upload) -> None:
    """Who saw an older state of it gets nothing, and harms nothing."""
    advanced = trial.append(staged, chunk(DATA))
    with pytest.raises(UploadUnknown):
        run(discard(trial.installation, staged))
    assert trial.rows(tables.upload)[0].offset == advanced.offset
    assert doomed(trial) == []


def test_upload_without_an_object_dooms_none(trial: Trial) -> None:
    """One of which nothing was staged."""
    run(discard(trial.installation, trial.start()))
    assert trial.rows(tables.upload) == []
    assert doomed(trial) == []


def test_what_became_a_blob_is_not_abandoned(trial: Trial) -> None:
    """Whoever comes late to an upload that was finished does not take its bytes away."""
    digest = trial.push_blob(DATA)
    key = trial.copy_key(digest)
    ended = replace(trial.start(), id="ended", key=key)
    trial.write(lambda connection, now: abandon(connection, now, trial.installation, ended))
    assert doomed(trial) == []
    assert trial.pull_blob(digest) == DATA
