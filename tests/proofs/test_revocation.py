"""What is taken away from somebody is taken away at every worker, without a restart."""

import asyncio
import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import pytest

from moorage import app, config
from moorage.model import Role
from tests.distribution.operators import Operator, Person
from tests.proofs.client import worker_of
from tests.proofs.conftest import Report, Scale
from tests.proofs.servers import WORKERS, watched_server
from tests.proofs.waiting import PATIENCE
from tests.server import MOORAGE, Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

ROUNDS: Final = 20
REPOSITORY: Final = "main/revoked"
# Connections that are asked on before an answer counts as that of the whole server.
SWEEP: Final = 12
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

# A way to use some credentials: what is sent, on a client given.
Use = Callable[[httpx2.Client], httpx2.Response]


@dataclass
class Slowest:
    """How long the slowest worker went on serving what was taken away, in seconds; told, not judged."""

    seconds: float = 0.0
    uses: int = 0


def push_with(**shown: str) -> Use:
    """Begin an upload, showing a header."""
    return lambda http: http.post(f"/v2/{REPOSITORY}/blobs/uploads/", headers=shown)


def push_as(username: str, password: str) -> Use:
    """Begin an upload, showing a user name and password."""
    return lambda http: http.post(f"/v2/{REPOSITORY}/blobs/uploads/", auth=(username, password))


def refresh_with(token: str) -> Use:
    """Ask for a new bearer token."""
    form = {"grant_type": "refresh_token", "refresh_token": token, "service": "moorage", "client_id": "proof"}
    return lambda http: http.post("/auth/token", data=form)


class Crowd:
    """Many clients of one server: some keep their connections, others come anew each time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._staying = [self._connect() for _ in range(SWEEP)]

    def close(self) -> None:
        """Let all connections go."""
        for http in self._staying:
            http.close()

    def log_in(self, username: str, password: str) -> Mapping[str, str]:
        """Fetch a bearer token to push with, and a refresh token."""
        asked = {"service": "moorage", "scope": f"repository:{REPOSITORY}:pull,push", "offline_token": "true"}
        answer = self._staying[0].get("/auth/token", params=asked, auth=(username, password))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, str] = answer.json()
        return tokens

    def sweep(self, use: Use) -> list[int]:
        """Ask on all connections and on as many new ones; return the statuses. Every worker has answered."""
        answers = [use(http) for http in self._staying]
        workers = {worker_of(answer) for answer in answers}
        for _ in range(20 * SWEEP):
            with self._connect() as http:
                answers.append(use(http))
            workers.add(worker_of(answers[-1]))
            if len(workers) == WORKERS and len(answers) >= 2 * SWEEP:
                return [answer.status_code for answer in answers]
        raise AssertionError(f"{len(workers)} of {WORKERS} workers answered")

    def see_refused(self, uses: list[Use], slowest: Slowest) -> None:
        """Ask until every worker refuses, then once more: what is refused stays so."""
        began = time.monotonic()
        for use in uses:
            while set(self.sweep(use)) != {401}:
                slowest.seconds = max(slowest.seconds, time.monotonic() - began)
                assert time.monotonic() - began < PATIENCE, "a worker goes on serving what was taken away"
        for use in uses:
            assert set(self.sweep(use)) == {401}
        slowest.uses += len(uses)

    def _connect(self) -> httpx2.Client:
        return httpx2.Client(base_url=self._server.url, timeout=PATIENCE, trust_env=False, verify=_NO_TLS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of two workers."""
    with watched_server(tmp_path_factory.mktemp("revocation") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def operator(server: Server) -> Iterator[Operator]:
    """Somebody at the server's data folder, in a process that is none of the server's."""
    opened = asyncio.run(app.build(config.load({}, {"data": str(server.data)})))
    yield Operator(opened.installation)
    asyncio.run(opened.close())


@pytest.fixture
def crowd(server: Server) -> Iterator[Crowd]:
    """Clients on many connections."""
    crowd = Crowd(server)
    yield crowd
    crowd.close()


@pytest.fixture
def developer(operator: Operator, server: Server) -> Person:
    """A user who may push."""
    return operator.add_member(operator.owner(server.email).account_id, Role.DEVELOPER)


def see_accepted(crowd: Crowd, uses: list[Use], status: int = 202) -> None:
    """See each worker accept all uses, by which it has filled whatever it may remember."""
    for use in uses:
        assert set(crowd.sweep(use)) == {status}


def test_a_revoked_token(crowd: Crowd, operator: Operator, developer: Person, scale: Scale, report: Report) -> None:
    """An API token that is revoked opens nothing any more, nor does what was fetched with it."""
    slowest, rounds = Slowest(), scale(ROUNDS)
    for _ in range(rounds):
        token = operator.make_token(developer.email)
        fetched = crowd.log_in("anybody", token)
        pushes = [push_with(Authorization=f"Bearer {shown}") for shown in (token, fetched["token"])]
        pushes.append(push_as("anybody", token))
        see_accepted(crowd, pushes)

        operator.revoke_token(token)

        crowd.see_refused([*pushes, refresh_with(fetched["refresh_token"])], slowest)
    report(f"{rounds} tokens revoked, {describe(slowest)}")


def test_a_changed_role(crowd: Crowd, operator: Operator, developer: Person, scale: Scale, report: Report) -> None:
    """Who may only pull from now on pushes no more, by whatever was issued before; made a developer again, they do."""
    slowest, rounds = Slowest(), scale(ROUNDS)
    token = operator.make_token(developer.email)
    fetched = [crowd.log_in(developer.email, developer.password), crowd.log_in("anybody", token)]
    pushes = [push_with(Authorization=f"Bearer {shown}") for shown in (token, *(one["token"] for one in fetched))]
    pushes.append(push_as(developer.email, developer.password))
    for _ in range(rounds):
        see_accepted(crowd, pushes)

        operator.set_role(developer, Role.VIEWER)

        crowd.see_refused(pushes, slowest)
        operator.set_role(developer, Role.DEVELOPER)
    report(f"{rounds} roles lost, {describe(slowest)}")


def test_a_changed_password(crowd: Crowd, server: Server, developer: Person, scale: Scale, report: Report) -> None:
    """A password changed by the command line ends the old one, and all that was fetched with it."""
    slowest, rounds, password = Slowest(), scale(ROUNDS), developer.password
    for _ in range(rounds):
        fetched = crowd.log_in(developer.email, password)
        pushes = [push_with(Authorization=f"Bearer {fetched['token']}"), push_as(developer.email, password)]
        see_accepted(crowd, pushes)

        password = secrets.token_urlsafe(16)
        set_password(server, developer.email, password)

        crowd.see_refused([*pushes, refresh_with(fetched["refresh_token"])], slowest)
        see_accepted(crowd, [push_as(developer.email, password)])
    report(f"{rounds} passwords changed, {describe(slowest)}")


def set_password(server: Server, email: str, password: str) -> None:
    """Set a password as an operator does, beside the running server."""
    command: list[str | Path] = [MOORAGE, "user", "set-password", "--data", server.data, "--user", email]
    subprocess.run(command, input=f"{password}\n", text=True, check=True, capture_output=True, env={})


def describe(slowest: Slowest) -> str:
    """Say what the proof went through."""
    return (
        f"{slowest.uses} credentials refused by {WORKERS} workers; "
        f"the last one that still passed was {slowest.seconds:.2f} s behind the change"
    )
