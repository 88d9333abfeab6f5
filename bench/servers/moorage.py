"""Moorage: two workers, durable, bearer tokens that it issues itself."""

import base64
import http.client
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import sqlalchemy as sa

import moorage
from bench import rows
from bench.filling import Filling
from bench.program import HOST, Command, Place, inherited_environment

_WORKERS = 2
_EMAIL = "admin@example.test"
_PASSWORD = "correct horse battery staple"  # noqa: S105 - of throw-away installations on the loopback interface
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
            registry_id = rows.registry_id(connection)
            for filling in fillings:
                rows.insert_filling(connection, registry_id, filling, datetime.now(UTC))
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
