"""A server starts from its settings, tells the operator how to use it, and says in a sentence why it cannot start."""

import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from tests.server import MOORAGE


class Started:
    """`moorage serve` on a port of the system's choice, with what it says at its start."""

    def __init__(self, data: Path, *options: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [MOORAGE, "serve", "--data", data, "--workers", "1", *options],
            env={"MOORAGE_LISTEN": "127.0.0.1:0", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        self.port = int(self.first_line.rpartition(":")[2])

    def stop(self) -> str:
        """End it well; return what it printed after its first line."""
        wait_until(self.answers)
        self.process.terminate()
        rest, _ = self.process.communicate()
        assert self.process.returncode == 0
        return rest

    def answers(self) -> bool:
        """Tell whether connections are taken."""
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True


Start = Callable[..., Started]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does; a hang is the test runner's to end."""
    while not condition():
        time.sleep(0.02)


def refused(data: Path, *options: str, **environment: str) -> str:
    """Start a server that cannot start; return what it says."""
    done = subprocess.run(
        [MOORAGE, "serve", "--data", data, "--listen", "127.0.0.1:0", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers that are gone at the end."""
    started: list[Started] = []

    def begin(*options: str, **environment: str) -> Started:
        started.append(Started(tmp_path / "data", *options, **environment))
        return started[-1]

    yield begin
    for server in started:
        with server.process:
            server.process.kill()


def test_the_first_start_tells_how_to_push(start: Start) -> None:
    """The owner's password, shown once, and the four lines of a first push."""
    server = start()
    said = server.stop()
    host = f"127.0.0.1:{server.port}"
    assert re.search(r"The password of admin@localhost, shown only this once: \S{20,}\n", said)
    assert said.endswith(
        f"  docker login {host} --username admin@localhost\n"
        f"  docker tag busybox {host}/main/busybox:1\n"
        f"  docker push {host}/main/busybox:1\n"
        f"  docker pull {host}/main/busybox:1\n\n"
    )


def test_a_later_start_says_only_where(start: Start, tmp_path: Path) -> None:
    """The password is kept nowhere in clear, so it cannot be shown again."""
    password = start().stop().partition("once: ")[2].split()[0]
    server = start()
    assert server.first_line == f"Moorage serves {tmp_path}/data at http://127.0.0.1:{server.port}\n"
    assert server.stop() == ""
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert password.encode() not in kept


def test_a_given_password_is_not_shown(start: Start) -> None:
    """Whoever gave it knows it."""
    said = start(MOORAGE_ADMIN_PASSWORD="canary", MOORAGE_ADMIN_EMAIL="me@example.test").stop()
    assert "--username me@example.test" in said
    assert "canary" not in said


def test_the_public_url_is_what_people_are_told(start: Start, tmp_path: Path) -> None:
    """Behind a proxy, the address that the server listens on is of no use to them."""
    server = start(MOORAGE_LISTEN="127.0.0.1:0", MOORAGE_PUBLIC_URL="https://registry.example.test:443")
    assert server.first_line == f"Moorage serves {tmp_path}/data at https://registry.example.test:443\n"
    server.process.terminate()
    assert "docker login registry.example.test:443 --username" in server.process.communicate()[0]


def test_one_port_is_for_one_server(start: Start, tmp_path: Path) -> None:
    """The second says so and ends; the first is not disturbed."""
    server = start()
    wait_until(server.answers)
    message = refused(tmp_path / "data", "--listen", f"127.0.0.1:{server.port}")
    assert message.startswith(f"moorage: Cannot listen on 127.0.0.1, port {server.port}: another program listens there")
    server.stop()


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    """Nothing is made before all settings are understood."""
    assert "MOORAGE_WORKERS has a bad value" in refused(tmp_path / "data", MOORAGE_WORKERS="many")
    assert "MOORAGE_NOPE is not a setting" in refused(tmp_path / "data", MOORAGE_NOPE="1")
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """With the reason that the system gives."""
    (tmp_path / "file").touch()
    assert f"The data folder {tmp_path}/file/data cannot be made: " in refused(tmp_path / "file" / "data")


def test_a_bad_certificate_stops_the_start(tmp_path: Path) -> None:
    """A server that was to speak TLS does not speak anything else."""
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("nonsense")
    message = refused(tmp_path / "data", "--tls-cert", f"{tmp_path}/cert.pem", "--tls-key", f"{tmp_path}/key.pem")
    assert "are not a certificate and a key in PEM form" in message


def write_pair(authority: trustme.CA, file: Path) -> tuple[str, ...]:
    """Put a certificate for 127.0.0.1 and its key into one file; return the options that name it."""
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(file)
    return "--tls-cert", str(file), "--tls-key", str(file)


def tls_version(port: int, authority: trustme.CA, most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> str | None:
    """Tell which version is spoken with a client that trusts `authority`; None if it does not trust the server."""
    context = ssl.create_default_context()
    context.maximum_version = most
    authority.configure_trust(context)
    try:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
        ):
            return encrypted.version()
    except ssl.SSLCertVerificationError:
        return None


def test_tls_is_served_and_said(start: Start, tmp_path: Path) -> None:
    """With the certificate given, in TLS 1.2 too, and with the URL to match."""
    authority = trustme.CA()
    server = start(*write_pair(authority, tmp_path / "both.pem"))
    wait_until(server.answers)
    assert server.first_line.endswith(f"at https://127.0.0.1:{server.port}\n")
    assert tls_version(server.port, authority) == "TLSv1.3"
    assert tls_version(server.port, authority, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"


def test_sighup_reads_the_certificate_anew(start: Start, tmp_path: Path) -> None:
    """A renewal needs no restart."""
    old, new = trustme.CA(), trustme.CA()
    server = start(*write_pair(old, tmp_path / "both.pem"))
    wait_until(server.answers)
    write_pair(new, tmp_path / "both.pem")
    assert tls_version(server.port, new) is None
    server.process.send_signal(signal.SIGHUP)

    def is_renewed() -> bool:
        # A worker that leaves cuts the handshakes that it has not finished; the next connection is its successor's.
        with suppress(ssl.SSLEOFError, ConnectionResetError):
            return tls_version(server.port, new) is not None
        return False

    wait_until(is_renewed)


def test_a_server_for_jobs_alone_does_not_listen(tmp_path: Path) -> None:
    """It needs no port, so it says nothing of one, and can run beside a server for the web alone."""
    command: list[str | Path] = [MOORAGE, "serve", "--data", tmp_path / "data", "--role", "jobs"]
    with subprocess.Popen(command, env={}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        wait_until((tmp_path / "data" / "jobs.db").exists)
        server.terminate()
        assert server.communicate()[0] == b""
        assert server.returncode == 0


def test_a_killed_server_leaves_nothing_behind(start: Start) -> None:
    """After kill -9 of the parent the next start has the port and the folder for itself."""
    server = start()
    wait_until(server.answers)
    server.process.send_signal(signal.SIGKILL)
    wait_until(lambda: not server.answers())
    again = start(MOORAGE_LISTEN=f"127.0.0.1:{server.port}")
    assert again.port == server.port
    again.stop()


def test_the_data_folder_is_for_its_owner_alone(start: Start, tmp_path: Path) -> None:
    """Keys lie in it, and everybody's images."""
    start().stop()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
