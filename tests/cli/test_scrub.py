"""`moorage scrub` names what is damaged, has it served no more, and says by its exit code that there is something."""

import re
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Moorage
from tests.damage import flip_in_file, object_of
from tests.distribution import making
from tests.distribution.repository import Repository, connect
from tests.server import Server

# Larger than what is kept in a row.
SIZE = 100_000


@pytest.fixture
def repository(server: Server) -> Iterator[Repository]:
    """A repository in the owner's hands."""
    with connect(server.url, bearer=server.token()) as client:
        yield Repository(client, "main/scrubbed")


def damage(server: Server, content: making.Content) -> None:
    """Flip a byte of an object."""
    flip_in_file(object_of(server.data, content.digest))


def heal(repository: Repository, content: making.Content) -> None:
    """Push a blob in the way docker does: ask for it, then send it in a stream and end with its digest."""
    assert repository.blob(content.digest, "HEAD").status_code == 404
    upload = repository.upload()
    assert upload.patch(iter([content.data])).status_code == 202
    assert upload.put(content.digest).status_code == 201


def test_nothing_to_say_of_what_is_whole(repository: Repository, moorage: Moorage) -> None:
    """One line, and exit code 0."""
    repository.push_image("latest")
    done = moorage("scrub")

    assert done.returncode == 0
    assert re.fullmatch(r"Checked \d+ blobs and \d+ manifests, [\d,]+ bytes: all whole\.\n", done.stdout)


@pytest.mark.parametrize("is_running", [True, False])
def test_flipped_byte_is_found_and_healed(
    server: Server, repository: Repository, moorage: Moorage, is_running: bool
) -> None:
    """It is named with the image to push again; then its clients meet 404, until the push of its digest."""
    layer = repository.push_blob(making.blob(SIZE))
    config = repository.push_blob(making.config())
    repository.push_manifest(making.image(config.descriptor(), [layer.descriptor()]), "damaged")
    damage(server, layer)
    if not is_running:
        server.stop()
    done = moorage("scrub")
    if not is_running:
        server.start()

    assert done.returncode == 3
    found, account = done.stdout.splitlines()
    assert re.fullmatch(f"damaged blob {layer.digest} at objects/[0-9a-f/-]+: needed by main/scrubbed:damaged", found)
    assert "1 damaged or missing" in account
    heal(repository, layer)
    assert repository.blob(layer.digest).content == layer.data
    assert moorage("scrub").returncode == 0


def test_missing_object_is_named(server: Server, repository: Repository, moorage: Moorage) -> None:
    """Also where no manifest needs it: then by the repository."""
    blob = repository.push_blob(making.blob(SIZE))
    object_of(server.data, blob.digest).unlink()
    done = moorage("scrub")

    assert done.returncode == 3
    assert f"missing blob {blob.digest}" in done.stdout
    assert "needed by main/scrubbed\n" in done.stdout
    heal(repository, blob)
    assert moorage("scrub").returncode == 0


def test_budget_ends_a_scrub(repository: Repository, moorage: Moorage) -> None:
    """It says that there is more; the next one, without a budget, reads all that there is."""
    for _ in range(3):
        repository.push_blob(making.blob(SIZE))
    done = moorage("scrub", "--budget", "1KiB")

    assert done.returncode == 0
    assert "the budget is spent, and the next run goes on from here" in done.stdout
    assert "budget" not in moorage("scrub").stdout


def test_budget_that_is_no_size_is_wrong_usage(moorage: Moorage) -> None:
    """Nothing is begun."""
    done = moorage("scrub", "--budget", "much")
    assert (done.returncode, done.stdout) == (2, "")
