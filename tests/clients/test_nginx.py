"""nginx before the registry, configured as docs/operating.md says: it ends TLS, and sends the files."""

import hashlib
import os
import re
import secrets
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

import httpx2
import pytest
import trustme

from tests.clients.layouts import Layout
from tests.clients.terminal import Terminal
from tests.server import Server, free_port, running_server

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"
START_LIMIT = 30.0
STOP_LIMIT = 30.0
CONTENT = secrets.token_bytes(300_000)
HEADER = "X-Accel-Redirect"
OFFER = {"X-Sendfile-Type": HEADER}
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"

# What is outside the documented part: nginx as somebody without rights to the machine's own folders.
MAIN = """\
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/registry.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx, and the server behind it."""

    port: int
    behind: Server

    @property
    def url(self) -> str:
        """The root of every route, without a final slash."""
        return f"https://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that leaves its files to nginx."""
    settings = {"MOORAGE_TRUSTED_PROXIES": "127.0.0.1", "MOORAGE_ACCEL_REDIRECT": "/store/"}
    with running_server(tmp_path_factory.mktemp("behind") / "data", **settings) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA, server: Server) -> Iterator[Proxy]:
    """The documented nginx, with other addresses and paths."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    issued = authority.issue_cert("127.0.0.1", "0.0.0.0")  # noqa: S104 - a name in the certificate
    issued.private_key_pem.write_to_path(folder / "registry.key")
    for part in issued.cert_chain_pems:
        part.write_to_path(folder / "registry.crt", append=True)
    documented = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "127.0.0.1:5000": server.host,
        "/etc/nginx/": f"{folder}/",
        "/srv/moorage/": f"{server.data}/",
    }
    (folder / "registry.conf").write_text(_documented(documented))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(user=user, folder=folder))
    with subprocess.Popen(["nginx", "-e", folder / "error.log", "-c", folder / "nginx.conf"]) as process:
        _wait_for_pid(folder / "pid", process)
        yield Proxy(port, server)
        process.terminate()
        process.wait(STOP_LIMIT)


@pytest.fixture(scope="module")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    """What a client that trusts the authority needs."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def client(proxy: Proxy, trust: ssl.SSLContext) -> Iterator[httpx2.Client]:
    """The owner, by way of nginx."""
    headers = {"Authorization": f"Bearer {proxy.behind.token()}"}
    with httpx2.Client(base_url=proxy.url, verify=trust, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def blob(client: httpx2.Client) -> str:
    """The path of a blob that lies in a file."""
    started = client.post("/v2/main/behind/blobs/uploads/")
    taken = client.put(started.headers["Location"], params={"digest": DIGEST}, content=CONTENT)
    assert taken.status_code == 201, taken.text
    return f"/v2/main/behind/blobs/{DIGEST}"


def _documented(replaced: dict[str, str]) -> str:
    """Return the configuration of docs/operating.md, with other addresses and paths."""
    found = re.search(r"```nginx\n(.*?)```", OPERATING.read_text(), re.DOTALL)
    assert found is not None
    text = found[1]
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return text


def _wait_for_pid(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until nginx has bound its port, after which it writes its id."""
    deadline = time.monotonic() + START_LIMIT
    while not (path.exists() and path.read_text().strip()):
        assert process.poll() is None, path.with_name("error.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_blob(client: httpx2.Client, proxy: Proxy, blob: str) -> None:
    """Nginx sends the file, and each header that Moorage's own answer has comes with it."""
    direct = httpx2.get(f"{proxy.behind.url}{blob}", headers=client.headers, trust_env=False)
    answer = client.get(blob)

    assert answer.content == direct.content == CONTENT
    varying = {"server", "date", "connection", "x-request-id", "last-modified"}
    passed = {name: value for name, value in answer.headers.items() if name not in varying}
    assert passed == {name: value for name, value in direct.headers.items() if name not in varying}
    assert answer.headers["X-Request-ID"]
    assert answer.headers["Last-Modified"], "only a file has a time: nginx passed the body on"


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("0-9", 0, 9), ("-5", 299_995, 299_999), ("299990-", 299_990, 299_999)]
)
def test_range(client: httpx2.Client, blob: str, asked: str, start: int, end: int) -> None:
    """Nginx sends a part of the file."""
    answer = client.get(blob, headers={"Range": f"bytes={asked}"})

    assert (answer.status_code, answer.content) == (206, CONTENT[start : end + 1])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end}/{len(CONTENT)}"
    assert answer.headers["Docker-Content-Digest"] == DIGEST
    assert "Last-Modified" in answer.headers


def test_other_ranges(client: httpx2.Client, blob: str) -> None:
    """Several ranges, If-Range and what lies beyond the end are answered as without nginx."""
    several = client.get(blob, headers={"Range": "bytes=0-1,4-5"})
    unchanged = client.get(blob, headers={"Range": "bytes=0-9", "If-Range": f'"{DIGEST}"'})
    beyond = client.get(blob, headers={"Range": "bytes=300000-"})

    assert several.headers["Content-Type"].startswith("multipart/byteranges")
    assert (unchanged.status_code, unchanged.content) == (206, CONTENT[:10])
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */300000")


def test_conditions(client: httpx2.Client, blob: str) -> None:
    """The entity tag that came by way of nginx saves the next transfer."""
    tag = client.get(blob).headers["ETag"]

    assert client.get(blob, headers={"If-None-Match": tag}).status_code == 304


def test_head(client: httpx2.Client, blob: str) -> None:
    """HEAD tells length and digest."""
    answer = client.head(blob)

    assert (answer.status_code, answer.headers["Content-Length"]) == (200, "300000")
    assert answer.headers["Docker-Content-Digest"] == DIGEST


def test_without_credentials(proxy: Proxy, trust: ssl.SSLContext, blob: str) -> None:
    """Rights are decided before any file is named; the challenge leads to nginx, over TLS."""
    answer = httpx2.get(f"{proxy.url}{blob}", verify=trust, trust_env=False)

    assert answer.status_code == 401
    assert f'realm="{proxy.url}/auth/token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "path",
    [
        "/store/installation",
        "/store/{key}",
        "/v2/../store/{key}",
        "/v2/%2e%2e/store/{key}",
        "//store/{key}",
        "/store/../moorage.db",
        "/store/%2e%2e/moorage.db",
        "/store/..%2fmoorage.db",
        "/store../moorage.db",
    ],
)
def test_store_is_closed(proxy: Proxy, trust: ssl.SSLContext, client: httpx2.Client, blob: str, path: str) -> None:
    """However it is spelled, nobody asks for a file of the store, or for one beside it, by name."""
    location = httpx2.get(f"{proxy.behind.url}{blob}", headers={**client.headers, **OFFER}, trust_env=False).headers[
        HEADER
    ]
    connection = HTTPSConnection("127.0.0.1", proxy.port, context=trust)
    connection.request("GET", path.format(key=location.removeprefix("/store/")), headers={HEADER: location})

    answer = connection.getresponse()

    assert answer.status in {400, 404}
    assert CONTENT not in answer.read()
    connection.close()


def test_image(terminal: Terminal, proxy: Proxy, authority: trustme.CA, layout: Layout) -> None:
    """A whole image goes in and out: uploads are streamed, their locations lead through nginx."""
    authority.cert_pem.write_to_path(terminal.home / "ca.crt")
    trusting = terminal.with_variables(SSL_CERT_FILE=str(terminal.home / "ca.crt"))
    # Connects to this machine, and is a name that crane does not take for a loopback address.
    host, server = f"0.0.0.0:{proxy.port}", proxy.behind
    log_in = ("crane", "auth", "login", host, "-u", server.email, "--password-stdin")
    trusting.run(*log_in, stdin=server.password)
    trusting.run("crane", "push", layout.path, f"{host}/main/whole:1")
    trusting.run("crane", "validate", "--remote", f"{host}/main/whole:1")
