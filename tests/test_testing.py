"""What tests of others are given: a clock, images, and a server in memory."""

import json
from asyncio import run
from datetime import UTC, datetime, timedelta
from pathlib import Path

from moorage.model import Caller
from moorage.oci.digest import Digest
from moorage.oci.manifest import parse
from moorage.oci.media_types import OCI_MANIFEST
from moorage.oci.reference import RepositoryName, parse_tag
from moorage.registry import credentials, manifests
from moorage.registry.first_start import first_start
from moorage.storage.memory import MemoryStore
from moorage.testing import Clock, make_image, open_app, push_image


def test_clock_stands_until_it_is_moved() -> None:
    """Time is what the test makes it, forwards and backwards."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    clock = Clock(noon)
    assert clock() == clock() == noon

    clock.advance(timedelta(hours=1))
    assert clock() == noon + timedelta(hours=1)

    clock.advance(-timedelta(hours=2))
    assert clock() == noon - timedelta(hours=1)


def test_clock_begins_now() -> None:
    """Without a time of its own the clock shows when it was made."""
    before = datetime.now(UTC)

    assert before <= Clock()() <= datetime.now(UTC)


def test_manifest_of_an_image_names_its_blobs() -> None:
    """An image is whole: what its manifest refers to is there, in digest and size."""
    image = make_image(b"one layer", b"another")
    parsed = parse(image.manifest, OCI_MANIFEST)

    assert [descriptor.digest for descriptor in parsed.blobs] == [Digest.of(blob) for blob in image.blobs]
    assert [descriptor.size for descriptor in parsed.blobs] == [len(blob) for blob in image.blobs]
    assert image.layers == (b"one layer", b"another")
    assert json.loads(image.config)["architecture"] == "amd64"


def test_no_two_images_are_alike() -> None:
    """Images of the same layers differ, and so do the layers that are made up."""
    assert make_image(b"layer").digest != make_image(b"layer").digest
    assert make_image().layers != make_image().layers


def test_server_in_memory_takes_an_image(tmp_path: Path) -> None:
    """An application opened for a test can be pushed to and pulled from, at the time of its clock."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    async def scenario() -> None:
        app = await open_app(tmp_path, clock=Clock(noon))
        await first_start(app.installation, "owner@example.test", "secret")
        owner = await credentials.from_password(app.installation, "owner@example.test", "secret")
        image, name = make_image(), RepositoryName.parse("main/app")

        await push_image(app, owner, "main/app", image, "1", "latest")

        for reference in (parse_tag("1"), parse_tag("latest"), image.digest):
            assert (await manifests.find(app.installation, owner, name, reference)).content == image.manifest
        assert await app.installation.database.read(lambda _connection, now: now) == noon
        assert isinstance(app.installation.store, MemoryStore)
        assert isinstance(owner, Caller)
        await app.close()

    run(scenario())
