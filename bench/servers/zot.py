"""zot without its extensions."""

import json
from collections.abc import Sequence

from bench import issuer, programs
from bench.filling import Filling
from bench.issuer import Issuer
from bench.program import Command, Place, Unsupported
from bench.servers import layout


class Zot:
    """Its minimal configuration, with bearer tokens, and without collecting garbage, which would disturb it."""

    name = "zot"
    title = "zot"
    auth = "bearer token (JWT, ES256) of an outside issuer, here the benchmark; rights come from the token"
    slow_to_fill = False

    def __init__(self, tokens: Issuer) -> None:
        self._issuer = tokens

    def version(self) -> str:
        """Return the version that is installed."""
        return programs.peer_version("zot")

    def configure(self, place: Place) -> Command:
        """Write the configuration."""
        certificate = place.home / "issuer.pem"
        self._issuer.write_certificate(certificate)
        bearer = {"realm": issuer.REALM, "service": issuer.SERVICE, "cert": str(certificate)}
        host, _, port = place.address.partition(":")
        configuration = {
            "distSpecVersion": "1.1.1",
            "storage": {"rootDirectory": str(place.storage), "gc": False},
            "http": {"address": host, "port": port, "auth": {"bearer": bearer}},
            "log": {"level": "error"},
        }
        path = place.home / "configuration.json"
        path.write_text(json.dumps(configuration))
        return Command([programs.peer("zot"), "serve", path])

    def authorization(self, place: Place, scopes: Sequence[str]) -> str:  # noqa: ARG002 - the protocol's
        """Sign a token; the catalog is to zot a repository without a name."""
        wanted = ["repository::pull" if scope == "registry:catalog:*" else scope for scope in scopes]
        return f"Bearer {self._issuer.token(wanted)}"

    def token_request(self, place: Place) -> tuple[str, str]:  # noqa: ARG002 - the protocol's
        """Raise: as configured, it issues none."""
        raise Unsupported("issues no tokens itself")

    def fill(self, place: Place, fillings: Sequence[Filling]) -> None:
        """Write each repository as a layout."""
        for filling in fillings:
            layout.write(place.storage, filling)
