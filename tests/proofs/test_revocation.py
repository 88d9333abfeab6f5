"""What is taken away from somebody is taken away at every worker, without a restart."""

import asyncio
import os
import secrets
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import pytest

from moorage import app, config
from moorage.model import Role
from tests.distribution.operators import Operator, Person
from tests.proofs.client import NO_TLS, Client, connect, expect, worker_of
from tests.proofs.conftest import FIXED_SEED, Report, Scale
from tests.proofs.images import Image, make_image, make_layer
from tests.proofs.servers import WORKERS, watched_server
from tests.proofs.waiting import PATIENCE
from tests.server import MOORAGE, Server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

ROUNDS: Final = 20
REPOSITORY: Final = "main/revoked"
TAG: Final = "1"
# Connections that stay, and as many new ones, that are asked on before an answer counts as that of the whole server.
SWEEP: Final = 8


@dataclass(frozen=True, slots=True)
class Use:
    """A request with some credentials, and the status of its answer while they hold; later it is 401."""

    method: str
    path: str
    accepted: int
    bearer: str | None = None
    basic: tuple[str, str] | None = None
    form: Mapping[str, str] | None = None

    def ask(self, http: httpx2.Client) -> httpx2.Response:
        """Send the request."""
        headers = {} if self.bearer is None else {"Authorization": f"Bearer {self.bearer}"}
        auth = httpx2.BasicAuth(*self.basic) if self.basic else None
        return http.request(self.method, self.path, headers=headers, auth=auth, data=self.form)


def pulls(image: Image, *, bearer: str | None = None, basic: tuple[str, str] | None = None) -> list[Use]:
    """Read an image's manifest and a layer: what workers answer from memory."""
    paths = f"manifests/{TAG}", f"blobs/{image.blobs[-1].digest}"
    return [Use("GET", f"/v2/{REPOSITORY}/{path}", 200, bearer, basic) for path in paths]


def push(*, bearer: str | None = None, basic: tuple[str, str] | None = None) -> Use:
    """Begin an upload."""
    return Use("POST", f"/v2/{REPOSITORY}/blobs/uploads/", 202, bearer, basic)


def refresh(token: str) -> Use:
    """Ask for a new bearer token."""
    form = {"grant_type": "refresh_token", "refresh_token": token, "service": "moorage", "client_id": "proof"}
    return Use("POST", "/auth/token", 200, form=form)


class Crowd:
    """Many clients of one server: some keep their connections, others come anew each time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._staying = [self._connect() for _ in range(SWEEP)]
        self.refused = 0
        self.slowest = 0.0

    def close(self) -> None:
        """Let all connections go."""
        for http in self._staying:
            http.close()

    def log_in(self, username: str, password: str) -> Mapping[str, str]:
        """Fetch a bearer token to push with, and a refresh token."""
        asked = {"service": "moorage", "scope": f"repository:{REPOSITORY}:pull,push", "offline_token": "true"}
        answer = self._staying[0].get("/auth/token", params=asked, auth=(username, password))
        tokens: dict[str, str] = expect(answer, 200).json()
        return tokens

    def see_accepted(self, uses: Iterable[Use]) -> None:
        """Ask until every worker accepts all uses, by which it has learned whatever it may remember."""
        since = time.monotonic()
        for use in uses:
            self._ask_until(use, use.accepted, since)

    def see_refused(self, uses: Iterable[Use]) -> None:
        """Ask until every worker refuses, then once more: what is refused stays so."""
        since = time.monotonic()
        for use in uses:
            self.slowest = max(self.slowest, self._ask_until(use, 401, since))
        for use in uses:
            assert self._sweep(use) == {401}, use
            self.refused += 1

    def describe(self) -> str:
        """Say what the proof went through; how soon is told, not judged."""
        passed = f"the last one that passed was {self.slowest:.2f} s behind the change" if self.slowest else "at once"
        return f"{self.refused} uses refused by {WORKERS} workers, {passed}"

    def _ask_until(self, use: Use, status: int, since: float) -> float:
        """Ask until every worker answers so; return when one last did not, in seconds behind `since`, 0 for never."""
        last = 0.0
        while self._sweep(use) != {status}:
            last = time.monotonic() - since
            assert last < PATIENCE, f"no {status} from every worker: {use}"
        return last

    def _sweep(self, use: Use) -> set[int]:
        """Ask on all connections, old and new, until every worker has answered; return the statuses."""
        answers = [use.ask(http) for http in self._staying]
        while len(answers) < 2 * SWEEP or len({worker_of(answer) for answer in answers}) < WORKERS:
            assert len(answers) < 20 * SWEEP, "only one worker answers"
            with self._connect() as http:
                answers.append(use.ask(http))
        return {answer.status_code for answer in answers}

    def _connect(self) -> httpx2.Client:
        return httpx2.Client(base_url=self._server.url, timeout=PATIENCE, trust_env=False, verify=NO_TLS)


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


@pytest.fixture(scope="module")
def image(server: Server) -> Image:
    """An image that is there to be pulled."""
    rng = Random(FIXED_SEED)  # noqa: S311 - bytes for a blob
    made = make_image(rng, make_layer(rng))

    async def push_image(token: str) -> None:
        async with connect(server, token) as http:
            client = Client(http, REPOSITORY)
            for blob in made.blobs:
                await client.push_blob(blob)
            expect(await client.put_manifest(made.manifest, TAG), 201)

    asyncio.run(push_image(server.token()))
    return made


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


def test_a_revoked_token(
    crowd: Crowd, operator: Operator, developer: Person, image: Image, scale: Scale, report: Report
) -> None:
    """An API token that is revoked opens nothing any more, nor does what was fetched with it."""
    rounds = scale(ROUNDS)
    for _ in range(rounds):
        token = operator.make_token(developer.email)
        fetched = crowd.log_in("anybody", token)
        uses = [use for shown in (token, fetched["token"]) for use in (*pulls(image, bearer=shown), push(bearer=shown))]
        uses += [*pulls(image, basic=("anybody", token)), refresh(fetched["refresh_token"])]
        crowd.see_accepted(uses)

        operator.revoke_token(token)

        crowd.see_refused(uses)
    report(f"{rounds} tokens revoked: {crowd.describe()}")


def test_a_changed_password(
    crowd: Crowd, server: Server, developer: Person, image: Image, scale: Scale, report: Report
) -> None:
    """A password changed by the command line ends the old one, and all that was fetched with it."""
    rounds, password = scale(ROUNDS), developer.password
    for _ in range(rounds):
        fetched = crowd.log_in(developer.email, password)
        uses = [*pulls(image, bearer=fetched["token"]), push(bearer=fetched["token"])]
        uses += [push(basic=(developer.email, password)), refresh(fetched["refresh_token"])]
        crowd.see_accepted(uses)

        password = secrets.token_urlsafe(16)
        set_password(server, developer.email, password)

        crowd.see_refused(uses)
        crowd.see_accepted([push(basic=(developer.email, password))])
    report(f"{rounds} passwords changed: {crowd.describe()}")


def test_a_lost_role(
    crowd: Crowd, operator: Operator, developer: Person, image: Image, scale: Scale, report: Report
) -> None:
    """Who may only pull from now on pushes no more, by whatever was issued before; made a developer again, they do."""
    rounds, token = scale(ROUNDS), operator.make_token(developer.email)
    fetched = [crowd.log_in(developer.email, developer.password), crowd.log_in("anybody", token)]
    shown = [token, *(one["token"] for one in fetched)]
    pushes = [*(push(bearer=one) for one in shown), push(basic=(developer.email, developer.password))]
    for _ in range(rounds):
        crowd.see_accepted(pushes)

        operator.set_role(developer, Role.VIEWER)

        crowd.see_refused(pushes)
        crowd.see_accepted([use for one in shown for use in pulls(image, bearer=one)])
        operator.set_role(developer, Role.DEVELOPER)
    report(f"{rounds} roles lost: {crowd.describe()}")


def test_a_hidden_repository(crowd: Crowd, operator: Operator, image: Image, scale: Scale, report: Report) -> None:
    """A repository that everybody could read is read by its own people only, once it is made private."""
    rounds = scale(ROUNDS)
    stranger = operator.make_token(operator.add_stranger(f"s{secrets.token_hex(8)}").email)
    uses = [*pulls(image), *pulls(image, bearer=stranger)]
    for _ in range(rounds):
        operator.set_public(REPOSITORY, public=True)
        crowd.see_accepted(uses)

        operator.set_public(REPOSITORY, public=False)

        crowd.see_refused(uses)
    report(f"{rounds} repositories hidden: {crowd.describe()}")


def set_password(server: Server, email: str, password: str) -> None:
    """Set a password as an operator does, beside the running server."""
    command: list[str | Path] = [MOORAGE, "user", "set-password", "--data", server.data, "--user", email]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")}
    subprocess.run(command, input=f"{password}\n", text=True, check=True, capture_output=True, env=environment)
