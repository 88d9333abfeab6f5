"""Tags, manifests and links are never stale, on any worker, however fast they change."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.distribution.making import Content
from tests.proofs.client import Client, connect
from tests.proofs.conftest import Report, Scale
from tests.proofs.faults import FORGETFUL, Fault, copy_project, first_in_path
from tests.proofs.images import Image, make_image, make_layer
from tests.proofs.servers import WORKERS
from tests.proofs.timeline import State, Timeline
from tests.proofs.waiting import PATIENCE
from tests.proofs.wire import Wire
from tests.server import Server, running_server

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

# How much is done, not how fast.
SECONDS: Final = 60
READERS: Final = 3  # at each worker, beside a writer
TAGS: Final = 2  # in each writer's repository
IMAGES: Final = 2
SOURCE: Final = "main/source"
# Enough to see what is wrong.
MOST_SHOWN: Final = 5


@dataclass
class Findings:
    """What the readers saw: `reads` by worker, and what these said of single things; a list tells of several.

    `sharp`: of what had one true state, since nobody wrote there meanwhile. `windows`: of what had changed since the
    same worker last told of it: had it kept that answer, it would have been found out.
    """

    reads: Counter[str] = field(default_factory=Counter)
    sharp: int = 0
    windows: int = 0
    stale: list[str] = field(default_factory=list)
    _last: dict[tuple[str, str], State] = field(default_factory=dict)

    def note(self, worker: str, path: str, state: State, true: frozenset[State]) -> None:
        """Judge an answer by those that are true, and see what the worker's last one would be by now."""
        self.sharp += len(true) == 1
        self.windows += self._last.get((worker, path), state) not in true
        self._last[worker, path] = state
        if state not in true:
            self.stale.append(f"{path} is {state}, said {worker}, and not one of {sorted(map(str, true))}")


@dataclass(frozen=True)
class Repository:
    """A repository with one writer: its tags, the images that these point to, and a blob that comes and goes."""

    name: str
    images: Sequence[Image]
    loose: Content

    @property
    def tags(self) -> list[str]:
        """The paths of the tags."""
        return [self.path("manifests", f"tag-{number}") for number in range(TAGS)]

    @property
    def contents(self) -> Mapping[str, Content]:
        """What is read by digest, by its path."""
        manifests = {self.path("manifests", one.manifest.digest): one.manifest for one in self.images}
        return {**manifests, self.path("blobs", self.loose.digest): self.loose}

    def path(self, kind: str, reference: str) -> str:
        """Return a path in the repository."""
        return f"/v2/{self.name}/{kind}/{reference}"


@dataclass(frozen=True)
class Writer:
    """Changes all that a repository has, one thing after the other, without a pause."""

    wire: Wire
    rng: Random
    timeline: Timeline
    repository: Repository
    findings: Findings

    async def act(self) -> None:
        """Change something."""
        weights = {self._retag: 8, self._delete_tag: 3, self._delete_manifest: 1, self._push: 2, self._toggle_blob: 2}
        [action] = self.rng.choices(list(weights), list(weights.values()))
        await action()

    async def _retag(self) -> None:
        """Point a tag to a manifest, which comes back if it was deleted."""
        tag, manifest = self.rng.choice(self.repository.tags), self._manifest()
        with self.timeline.changing({tag: manifest.digest, self._path(manifest): manifest.digest}):
            await self._expect(201, "PUT", tag, manifest)

    async def _delete_tag(self) -> None:
        tag = self.rng.choice(self.repository.tags)
        if self.timeline.state(tag):
            with self.timeline.changing({tag: None}):
                await self._expect(202, "DELETE", tag)

    async def _delete_manifest(self) -> None:
        """Delete a manifest, which takes its tags along."""
        manifest = self._manifest()
        path = self._path(manifest)
        if self.timeline.state(path):
            tags = [tag for tag in self.repository.tags if self.timeline.state(tag) == manifest.digest]
            with self.timeline.changing(dict.fromkeys([path, *tags])):
                await self._expect(202, "DELETE", path)

    async def _push(self) -> None:
        manifest = self._manifest()
        path = self._path(manifest)
        with self.timeline.changing({path: manifest.digest}):
            await self._expect(201, "PUT", path, manifest)

    async def _toggle_blob(self) -> None:
        """Delete the blob, or mount it again."""
        digest = self.repository.loose.digest
        path = self.repository.path("blobs", digest)
        if self.timeline.state(path):
            with self.timeline.changing({path: None}):
                await self._expect(202, "DELETE", path)
        else:
            with self.timeline.changing({path: digest}):
                uploads = self.repository.path("blobs", f"uploads/?mount={digest}&from={SOURCE}")
                await self._expect(201, "POST", uploads)

    def _manifest(self) -> Content:
        return self.rng.choice(self.repository.images).manifest

    def _path(self, manifest: Content) -> str:
        return self.repository.path("manifests", manifest.digest)

    async def _expect(self, status: int, method: str, path: str, content: Content | None = None) -> None:
        body, media_type = (content.data, content.media_type) if content else (b"", "")
        answer = await self.wire.ask(method, path, body, media_type)
        if answer.status == 404:
            self.findings.stale.append(f"{method} {path} finds nothing there, said {answer.worker}")
        else:
            assert answer.status == status, f"{method} {path}: {answer}"


@dataclass(frozen=True)
class Reader:
    """Reads by chance what may just have changed, always from the same worker."""

    wire: Wire
    rng: Random
    timeline: Timeline
    repositories: Sequence[Repository]
    findings: Findings

    async def act(self) -> None:
        """Read something."""
        repository = self.rng.choice(self.repositories)
        read = self._list if self.rng.random() < 0.1 else self._look
        await read(repository)

    async def _look(self, repository: Repository) -> None:
        path = self.rng.choice([*repository.tags, *repository.contents])
        method = self.rng.choice(["GET", "HEAD"])
        moment = self.timeline.moment(path)
        answer = await self.wire.ask(method, path)
        self.findings.reads[answer.worker] += 1
        state = answer.headers[b"docker-content-digest"].decode() if answer.status == 200 else None
        assert answer.status in {200, 404}, f"{method} {path}: {answer}"
        if state and method == "GET":
            assert Content(answer.body).digest == state, f"{path} has other bytes than it says"
        self.findings.note(answer.worker, path, state, self.timeline.since(path, moment))

    async def _list(self, repository: Repository) -> None:
        """List the tags, of which this says only whether they are there."""
        moments = {tag: self.timeline.moment(tag) for tag in repository.tags}
        answer = await self.wire.ask("GET", repository.path("tags", "list"))
        assert answer.status in {200, 404}, answer
        self.findings.reads[answer.worker] += 1
        names = json.loads(answer.body)["tags"] if answer.status == 200 else ()
        listed = {repository.path("manifests", name) for name in names}
        for tag, moment in moments.items():
            true = frozenset("there" if state else None for state in self.timeline.since(tag, moment))
            self.findings.note(answer.worker, f"{tag}, listed,", "there" if tag in listed else None, true)


@dataclass
class Race:
    """A writer and some readers at each worker, all at work side by side."""

    server: Server
    rng: Random
    timeline: Timeline = field(default_factory=Timeline)
    findings: Findings = field(default_factory=Findings)

    async def run(self, seconds: float, *, until_stale: bool = False) -> None:
        """Let all act until the time is up, or, with `until_stale`, only until an answer is."""
        token = self.server.token()
        repositories = [self._make_repository(number) for number in range(WORKERS)]
        await self._push_blobs(token, repositories)
        end = time.monotonic() + seconds

        async def keep_acting(client: Writer | Reader) -> None:
            while time.monotonic() < end and not (until_stale and self.findings.stale):
                await client.act()

        async with connections(self.server, token) as wires, asyncio.TaskGroup() as clients:
            for (first, *others), repository in zip(wires, repositories, strict=True):
                writer = Writer(first, self._chance(), self.timeline, repository, self.findings)
                clients.create_task(keep_acting(writer))
                for wire in others:
                    reader = Reader(wire, self._chance(), self.timeline, repositories, self.findings)
                    clients.create_task(keep_acting(reader))

    def describe(self) -> str:
        """Say what was done."""
        found = self.findings
        by_worker = " and ".join(map(str, found.reads.values()))
        return (
            f"{self.timeline.writes} writes beside {by_worker} reads of the {WORKERS} workers; {found.sharp} things "
            f"had one true state, {found.windows} one that the worker had not told last; {len(found.stale)} were stale"
        )

    def _make_repository(self, number: int) -> Repository:
        images = [make_image(self.rng, make_layer(self.rng)) for _ in range(IMAGES)]
        return Repository(f"main/stale-{number}", images, make_layer(self.rng))

    async def _push_blobs(self, token: str, repositories: Sequence[Repository]) -> None:
        async with connect(self.server, token) as http:
            for repository in repositories:
                await Client(http, SOURCE).push_blob(repository.loose)
                for image in repository.images:
                    for blob in image.blobs:
                        await Client(http, repository.name).push_blob(blob)

    def _chance(self) -> Random:
        return Random(self.rng.random())  # noqa: S311 - each client has its own, whatever the others do meanwhile


@asynccontextmanager
async def connections(server: Server, token: str) -> AsyncIterator[list[list[Wire]]]:
    """Connect until every worker has a writer and its readers; return the connections of each."""
    by_worker: defaultdict[str, list[Wire]] = defaultdict(list)
    async with AsyncExitStack() as opened:
        while len(by_worker) < WORKERS or min(map(len, by_worker.values())) <= READERS:
            wire = await opened.enter_async_context(Wire.open(server, token))
            by_worker[(await wire.ask("GET", "/v2/")).worker].append(wire)
        yield [wires[: READERS + 1] for wires in by_worker.values()]


def test_no_answer_is_stale(rng: Random, scale: Scale, report: Report, tmp_path: Path) -> None:
    """While tags, manifests and links change without a pause, every worker answers what was true during the request."""
    with running_server(tmp_path / "data", MOORAGE_WORKERS=str(WORKERS)) as server:
        race = Race(server, rng)
        asyncio.run(race.run(scale(SECONDS)))
    report(f"in {scale(SECONDS)} s {race.describe()}")
    assert race.findings.stale[:MOST_SHOWN] == []
    assert len(race.findings.reads) == WORKERS
    assert race.findings.windows > 0


@pytest.mark.parametrize("fault", FORGETFUL, ids=lambda fault: fault.name)
def test_it_sees_stale_answers(fault: Fault, new_rng: Random, report: Report, tmp_path: Path) -> None:
    """The same race finds out workers that do not forget what has changed."""
    tree = copy_project(tmp_path / "tree")
    fault.put_into(tree)
    with running_server(tmp_path / "data", MOORAGE_WORKERS=str(WORKERS), **first_in_path(tree)) as server:
        race = Race(server, new_rng)
        asyncio.run(race.run(PATIENCE, until_stale=True))
    report(race.describe())
    assert race.findings.stale, f"{fault.name} was not noticed"
