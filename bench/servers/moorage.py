"""Moorage: two workers, durable, bearer tokens that it issues itself."""

import base64
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

import moorage
from bench.filling import ARTIFACT_TYPE, MANIFEST_TYPE, Content, Filling, annotations
from bench.program import HOST, Command, Place, inherited_environment
from moorage.metadata import tables
from moorage.model import new_id

_WORKERS = 2
_EMAIL = "admin@example.test"
_PASSWORD = "correct horse battery staple"  # noqa: S105 - of throw-away installations on the loopback interface
_BATCH = 10_000
_PROGRAM = Path(sys.executable).with_name("moorage")


class Moorage:
    """This project's server, as installed beside the interpreter that runs the benchmark."""

    name = "moorage"
    title = "Moorage"
    auth = (
        "bearer token (JWT, ES256) of its own, got for an API token; "
        "rights come from the database's present rows at each request"
    )
    slow_to_fill = False

    def version(self) -> str:
        """Return the version under work."""
        return f"{moorage.__version__}, {_WORKERS} workers"

    def configure(self, place: Place) -> Command:
        """Return the command; the environment makes the owner of the first start."""
        arguments: list[str | Path] = [
            _PROGRAM,
            "serve",
            "--data",
            place.storage,
            "--listen",
            place.address,
            "--workers",
            str(_WORKERS),
        ]
        owner = {"MOORAGE_ADMIN_EMAIL": _EMAIL, "MOORAGE_ADMIN_PASSWORD": _PASSWORD}
        return Command(arguments, owner | {"MOORAGE_LOG_LEVEL": "error"})

    def authorization(self, place: Place, scopes: Sequence[str]) -> str:
        """Get a bearer token, which holds for five minutes."""
        path, credentials = _token_request(place, scopes)
        connection = http.client.HTTPConnection(HOST, place.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": credentials})
            answer = connection.getresponse()
            document = json.loads(answer.read())
        finally:
            connection.close()
        return f"Bearer {document['token']}"

    def token_request(self, place: Place) -> tuple[str, str]:
        """Ask as docker does before a pull, with an API token for the password."""
        return _token_request(place, ["repository:main/small:pull"])

    def fill(self, place: Place, fillings: Sequence[Filling]) -> None:
        """Insert the rows; the first start has made the database."""
        engine = sa.create_engine(f"sqlite:///{place.storage / 'moorage.db'}")
        with engine.begin() as connection:
            registry_id = connection.execute(sa.select(tables.registry.c.id)).scalar_one()
            for filling in fillings:
                _fill(connection, registry_id, filling)
        engine.dispose()


def _token_request(place: Place, scopes: Sequence[str]) -> tuple[str, str]:
    query = urlencode([("service", "moorage"), *(("scope", scope) for scope in scopes)])
    credentials = base64.b64encode(f"bench:{_api_token(place)}".encode()).decode()
    return f"/auth/token?{query}", f"Basic {credentials}"


def _api_token(place: Place) -> str:
    """Make an API token once; it goes with the installation."""
    kept = place.home / "token"
    if not kept.exists():
        command: list[str | Path] = [_PROGRAM, "token", "create", "--data", place.storage, "--user", _EMAIL]
        done = subprocess.run(command, env=inherited_environment(), stdout=subprocess.PIPE, text=True, check=True)
        kept.write_text(done.stdout.strip())
    return kept.read_text()


def _fill(connection: sa.Connection, registry_id: str, filling: Filling) -> None:
    now = datetime.now(UTC)
    repository = {"id": new_id(), "registry_id": registry_id, "name": filling.repository.partition("/")[2]}
    connection.execute(sa.insert(tables.repository).values(repository | {"public": False, "created_at": now}))
    image, to = filling.image(), {"repository_id": repository["id"]}
    manifests = [_manifest_row(image, now, artifact_type=None, subject=None, annotations={})]
    for number, artifact in enumerate(filling.artifacts()):
        subject = {"artifact_type": ARTIFACT_TYPE, "subject": image.digest, "annotations": annotations(number)}
        manifests.append(_manifest_row(artifact, now, **subject))
    tags = ({"id": new_id(), "name": name, "digest": image.digest, "started_at": now} for name in filling.tag_names())
    for table, rows in ((tables.manifest, iter(manifests)), (tables.tag, tags)):
        for batch in _batches(rows):
            connection.execute(sa.insert(table), [row | to for row in batch])


def _manifest_row(manifest: Content, now: datetime, **fields: object) -> dict[str, Any]:
    row: dict[str, Any] = {"digest": manifest.digest, "media_type": MANIFEST_TYPE, "size": len(manifest.content)}
    return row | {"content": manifest.content, "incomplete": False, "pushed_at": now} | fields


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch
