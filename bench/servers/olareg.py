"""olareg, keeping its repositories in a folder."""

import base64
import http.client
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from bench import programs
from bench.filling import Filling
from bench.program import HOST, Command, Place
from bench.servers import layout

_USER = "bench"
_PASSWORD = "bench"  # noqa: S105 - of throw-away servers on the loopback interface
_HASH = "$2b$10$fbj2bdK9WQkLnhgmGTxSguqtiXN6F0iDQILwyVh2UfuOYvijksEY."  # bcrypt, the only kind it knows
_SERVICE = "olareg registry"


class Olareg:
    """Its defaults, with opaque tokens, and without collecting garbage, which would disturb it."""

    name = "olareg"
    title = "olareg"
    auth = "bearer token (opaque) of its own, looked up in memory; rights come from a file that it has read"
    slow_to_fill = False

    def version(self) -> str:
        """Return the version that is installed."""
        return programs.peer_version("olareg")

    def configure(self, place: Place) -> Command:
        """Write the file of users and rights."""
        access = {
            "users": {_USER: {"cred": _HASH}},
            "acls": [{"repo": "*", "access": ["*"], "members": [_USER]}],
        }
        path = place.home / "access.yaml"
        path.write_text(json.dumps(access))
        place.storage.mkdir(exist_ok=True)
        host, _, port = place.address.partition(":")
        arguments: list[str | Path] = [
            programs.peer("olareg"),
            "serve",
            "--addr",
            host,
            "--port",
            port,
            "--dir",
            place.storage,
        ]
        arguments += ["--auth-token-opaque", path, "--external-url", f"http://{place.address}", "--gc-frequency", "-1s"]
        return Command(arguments)

    def authorization(self, place: Place, scopes: Sequence[str]) -> str:  # noqa: ARG002 - its tokens have no scope
        """Get a token."""
        path, credentials = self.token_request(place)
        connection = http.client.HTTPConnection(HOST, place.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": credentials})
            document = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return f"Bearer {document['token']}"

    def token_request(self, place: Place) -> tuple[str, str]:  # noqa: ARG002 - the protocol's
        """Ask with name and password."""
        credentials = base64.b64encode(f"{_USER}:{_PASSWORD}".encode()).decode()
        return f"/token?{urlencode({'service': _SERVICE})}", f"Basic {credentials}"

    def fill(self, place: Place, fillings: Sequence[Filling]) -> None:
        """Write each repository as a layout; referrers are found by a tag, since olareg looks into no manifest."""
        for filling in fillings:
            layout.write(place.storage, filling, referrers_tag=True)
