"""An installation that is inserted in bulk, and served like any other."""

import json
import subprocess
import sys
from asyncio import run
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bench.filling import Filling
from moorage import app
from moorage.app import App
from moorage.config import Settings
from moorage.metadata import tables
from moorage.model import Caller, ReferrerQuery
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName, parse_tag
from moorage.registry import blobs, manifests, referrers, tags

TAGS, REFERRERS, IMAGES = (RepositoryName.parse(f"main/{name}") for name in ("tags", "referrers", "00000"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small one of its kind."""
    folder = tmp_path_factory.mktemp("large")
    sizes = ["--tags", "30", "--referrers", "20", "--manifests", "25"]
    subprocess.run([sys.executable, "-m", "bench.make_database", "--data", folder, *sizes], check=True)
    return folder


@pytest.fixture
def opened(data: Path) -> Iterator[App]:
    """The installation, open."""
    opened = run(app.build(Settings(data=data)))
    yield opened
    run(opened.close())


@pytest.fixture
def owner(opened: App) -> Caller:
    """The user of the first start."""
    query = sa.select(tables.user.c.id, tables.user.c.epoch)
    row = run(opened.installation.database.read(lambda connection, _: connection.execute(query).one()))
    return Caller(user_id=row.id, epoch=row.epoch)


def test_lists_are_as_long_as_was_asked_for(opened: App, owner: Caller) -> None:
    """Tags and referrers are listed as if they had been pushed."""
    image = Digest.parse(Filling(str(REFERRERS), tags=1).image().digest)
    query = ReferrerQuery(image, (), "", 100)
    page = run(referrers.page(opened.installation, owner, REFERRERS, query))

    assert run(tags.page(opened.installation, owner, TAGS, "", 100)).tags == tuple(f"v{n:06d}" for n in range(30))
    assert len(page.descriptors) == 20
    for descriptor in map(json.loads, page.descriptors):
        digest = Digest.parse(descriptor["digest"])
        assert len(run(manifests.find(opened.installation, owner, REFERRERS, digest)).content) == descriptor["size"]


def test_images_are_whole(opened: App, owner: Caller) -> None:
    """A tag leads to a manifest, and that to blobs which are there."""
    row = run(manifests.find(opened.installation, owner, IMAGES, parse_tag("v000002")))
    manifest = json.loads(row.content)

    assert len(manifest["layers"]) == 3
    for descriptor in (manifest["config"], *manifest["layers"]):
        digest = Digest.parse(descriptor["digest"])
        assert run(blobs.find(opened.installation, owner, IMAGES, digest)).size == descriptor["size"]


def test_its_schema_is_whole(opened: App) -> None:
    """The indexes that were dropped are there again, and every row has its parents."""

    def look(connection: sa.Connection, _: object) -> tuple[set[str | None], list[object]]:
        inspector = sa.inspect(connection)
        names = {index["name"] for table in inspector.get_table_names() for index in inspector.get_indexes(table)}
        return names, list(connection.exec_driver_sql("PRAGMA foreign_key_check"))

    names, orphans = run(opened.installation.database.read(look))
    assert names >= {index.name for table in tables.metadata.tables.values() for index in table.indexes}
    assert orphans == []


def test_an_installation_is_left_alone(data: Path) -> None:
    """What lies there already is not added to."""
    again: list[str | Path] = [sys.executable, "-m", "bench.make_database", "--data", data]
    done = subprocess.run(again, stderr=subprocess.PIPE, text=True, check=False)

    assert done.returncode == 1
    assert "name another folder" in done.stderr
