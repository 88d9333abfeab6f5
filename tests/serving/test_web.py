"""Workers serve, stop and are renewed without cutting a transfer; TLS certificates change under way."""

import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

SCRIPT = Path(__file__).with_name("served.py")


class Served:
    """A server under test."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, SCRIPT, folder], stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def log(self) -> str:
        """Give what has been logged so far."""
        return self._log.read_text()

    def connect(self, trust: trustme.CA | None = None) -> http.client.HTTPConnection:
        """Open a connection, over TLS where a certificate authority is given."""
        if trust is None:
            return http.client.HTTPConnection("127.0.0.1", self.port)
        context = ssl.create_default_context()
        trust.configure_trust(context)
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context)

    def get_pid(self, trust: trustme.CA | None = None) -> int:
        """Ask, on a connection of its own, which process answers."""
        with closing(self.connect(trust)) as connection:
            connection.request("GET", "/pid")
            return int(connection.getresponse().read())

    def answers(self, trust: trustme.CA | None = None) -> bool:
        """Tell whether a new connection is served, and with a certificate that `trust` issued."""
        try:
            return self.get_pid(trust) > 0
        except OSError:
            return False

    def begin_download(self, trust: trustme.CA | None = None) -> http.client.HTTPResponse:
        """Begin a transfer that lasts as long as the file `hold`; its first byte is read."""
        connection = self.connect(trust)
        connection.request("GET", "/slow", headers={"Connection": "close"})
        response = connection.getresponse()
        assert response.read(1) == b"1"
        return response


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does; a hang is the test runner's to end."""
    while not condition():
        time.sleep(0.02)


def write_certificate(authority: trustme.CA, folder: Path) -> None:
    """Put a new certificate for 127.0.0.1 and its key where the server looks."""
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Served]]:
    """Start a server and wait until it answers; at the end it is gone."""
    started: list[Served] = []

    def begin() -> Served:
        started.append(Served(tmp_path))
        return started[-1]

    yield begin
    for served in started:
        served.process.kill()
        served.process.communicate()


def test_stopping_finishes_what_is_under_way(start: Callable[[], Served], tmp_path: Path) -> None:
    """SIGTERM takes no more connections, ends the transfer well, closes the application, and exits with 0."""
    served = start()
    wait_until(served.answers)
    (tmp_path / "hold").touch()
    download = served.begin_download()
    with closing(served.connect()) as idle:
        idle.request("GET", "/pid")
        idle.getresponse().read()  # an open connection without a request does not hold up the stop
        served.process.terminate()
        wait_until(lambda: not served.answers())
        (tmp_path / "hold").unlink()
        assert download.read() == b"2"
        assert served.process.wait() == 0
    assert len(list(tmp_path.glob("closed-*"))) == 2


def test_reload_serves_a_new_certificate_and_keeps_old_transfers(start: Callable[[], Served], tmp_path: Path) -> None:
    """After SIGHUP new connections meet the new certificate while a download begun before goes on to its end."""
    old, new = trustme.CA(), trustme.CA()
    write_certificate(old, tmp_path)
    served = start()
    wait_until(lambda: served.answers(old))
    (tmp_path / "hold").touch()
    download = served.begin_download(old)
    write_certificate(new, tmp_path)
    served.process.send_signal(signal.SIGHUP)
    # The kernel gives a connection to either worker: so many in a row do not miss one that is not renewed.
    wait_until(lambda: all(served.answers(new) for _ in range(30)))
    assert not served.answers(old)
    (tmp_path / "hold").unlink()
    assert download.read() == b"2"


def test_reload_with_a_bad_certificate_keeps_the_good_one(start: Callable[[], Served], tmp_path: Path) -> None:
    """A key that does not fit is refused with a sentence, and the server goes on as before."""
    authority = trustme.CA()
    write_certificate(authority, tmp_path)
    served = start()
    wait_until(lambda: served.answers(authority))
    authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(tmp_path / "key.pem")
    served.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload refused" in served.log())
    assert "is not the key of the certificate" in served.log()
    assert served.answers(authority)


def test_a_crashed_worker_is_replaced(start: Callable[[], Served]) -> None:
    """One worker less after kill -9 becomes as many as before."""
    served = start()
    wait_until(served.answers)
    victim = served.get_pid()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: served.log().count("process started") == 3)
    wait_until(served.answers)
    assert served.get_pid() != victim


def test_a_killed_server_frees_its_port(start: Callable[[], Served]) -> None:
    """After kill -9 of the parent nobody answers any more."""
    served = start()
    wait_until(served.answers)
    served.process.kill()
    wait_until(lambda: not served.answers())
