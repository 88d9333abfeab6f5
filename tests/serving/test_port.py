"""A port belongs to one server, whose workers share it."""

import socket
from contextlib import closing

import pytest

from moorage.errors import ConfigInvalid
from moorage.serving.port import reserve


def worker_socket(host: str, port: int) -> socket.socket:
    """Bind as a worker does."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    made.listen()
    return made


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request: pytest.FixtureRequest) -> str:
    """An address of each family."""
    return str(request.param)


def test_a_second_server_is_refused(host: str) -> None:
    """From the moment of the reservation on, before and after the workers listen."""
    with reserve(host, 0) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(ConfigInvalid, match=f"^Cannot listen on {host}, port {port}: another program listens"):
            reserve(host, port)
        with closing(worker_socket(host, port)), pytest.raises(ConfigInvalid, match="another program listens"):
            reserve(host, port)


def test_workers_share_the_port_and_the_reservation_takes_no_connection(host: str) -> None:
    """Every connection reaches somebody who accepts it."""
    with reserve(host, 0) as holder:
        port = holder.getsockname()[1]
        with closing(worker_socket(host, port)) as first, closing(worker_socket(host, port)) as second:
            clients = [socket.create_connection((host, port)) for _ in range(32)]
            accepted = 0
            for listener in (first, second):
                listener.settimeout(0)
                while True:
                    try:
                        listener.accept()[0].close()
                    except BlockingIOError:
                        break
                    accepted += 1
            for client in clients:
                client.close()
    assert accepted == 32


def test_a_port_is_free_again_at_once(host: str) -> None:
    """A restart does not wait for the connections of the server before."""
    with reserve(host, 0) as holder:
        port = holder.getsockname()[1]
        with closing(worker_socket(host, port)) as worker, socket.create_connection((host, port)) as client:
            worker.accept()[0].close()  # the side that closes first keeps the port in TIME_WAIT
            client.recv(1)
    reserve(host, port).close()


def test_another_program_s_port_is_refused() -> None:
    """Whoever listens there is not pushed aside."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigInvalid, match="another program listens"):
        reserve("127.0.0.1", other.getsockname()[1])


def test_an_address_of_another_machine_is_refused() -> None:
    """The message says so, instead of an error number."""
    with pytest.raises(ConfigInvalid, match="this machine does not have that address"):
        reserve("192.0.2.1", 0)
