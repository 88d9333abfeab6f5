"""Distribution 3, and 2.8 as Debian packages it."""

import json
from collections.abc import Sequence
from pathlib import Path

from bench import issuer, programs
from bench.filling import EMPTY_BLOB, Content, Filling
from bench.issuer import Issuer
from bench.program import Command, Place, Unsupported


class Distribution:
    """One of the two: its example configuration, with bearer tokens and without a log of requests."""

    auth = "bearer token (JWT, ES256) of an outside issuer, here the benchmark; rights come from the token"
    slow_to_fill = True

    def __init__(self, name: str, title: str, program: str, tokens: Issuer) -> None:
        self.name = name
        self.title = title
        self._program = program
        self._issuer = tokens

    def version(self) -> str:
        """Return the version that is installed."""
        return programs.peer_version(self._program)

    def configure(self, place: Place) -> Command:
        """Write the configuration, as JSON, which is YAML too."""
        certificate, keys = place.home / "issuer.pem", place.home / "issuer.json"
        self._issuer.write_certificate(certificate)
        self._issuer.write_key_set(keys)
        token = {"realm": issuer.REALM, "service": issuer.SERVICE, "issuer": issuer.NAME}
        # The one reads the certificate, the other the set of keys too.
        token |= {"rootcertbundle": str(certificate), "jwks": str(keys)}
        configuration = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "cache": {"blobdescriptor": "inmemory"},
                "filesystem": {"rootdirectory": str(place.storage)},
                "delete": {"enabled": True},
            },
            "http": {"addr": place.address, "secret": "bench", "headers": {"X-Content-Type-Options": ["nosniff"]}},
            "auth": {"token": token},
            "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
        }
        path = place.home / "configuration.yml"
        path.write_text(json.dumps(configuration))
        # Distribution 3 would try to send traces to a collector that is not there.
        return Command([programs.peer(self._program), "serve", path], {"OTEL_TRACES_EXPORTER": "none"})

    def authorization(self, place: Place, scopes: Sequence[str]) -> str:  # noqa: ARG002 - the protocol's
        """Sign a token."""
        return f"Bearer {self._issuer.token(scopes)}"

    def token_request(self, place: Place) -> tuple[str, str]:  # noqa: ARG002 - the protocol's
        """Raise: it issues none."""
        raise Unsupported("issues no tokens itself")

    def fill(self, place: Place, fillings: Sequence[Filling]) -> None:
        """Write links and blobs where it keeps them."""
        root = place.storage / "docker" / "registry" / "v2"
        _write_blob(root, Content(EMPTY_BLOB))
        for filling in fillings:
            image = filling.image()
            _write_blob(root, image)
            repository = root / "repositories" / filling.repository
            # By its layers Distribution 2 tells that a folder is a repository, by its manifests Distribution 3.
            _write_link(repository / "_layers" / "sha256" / Content(EMPTY_BLOB).hex, Content(EMPTY_BLOB))
            manifests = repository / "_manifests"
            _write_link(manifests / "revisions" / "sha256" / image.hex, image)
            for tag in filling.tag_names():
                # A list of tags is one of these folders; the link inside, which says what the tag means, is not read.
                (manifests / "tags" / tag).mkdir(parents=True)


def _write_blob(root: Path, blob: Content) -> None:
    folder = root / "blobs" / "sha256" / blob.hex[:2] / blob.hex
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").write_bytes(blob.content)


def _write_link(folder: Path, to: Content) -> None:
    folder.mkdir(parents=True)
    (folder / "link").write_text(to.digest)
