"""Several workers on one database: what one of them does, the others know at once."""

import asyncio
import secrets
import threading
from asyncio import run
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from moorage.errors import BlobUnknown, ManifestUnknown, MoorageError, NameUnknown, Unauthorized
from moorage.metadata import accounts, repositories, tags, tokens, users
from moorage.model import ANONYMOUS, Caller, Role
from moorage.oci.digest import Digest
from moorage.oci.reference import RepositoryName, Tag
from moorage.registry import blobs, manifests, sessions
from moorage.registry.facts import Facts, Stored, recall
from moorage.storage.filesystem import FilesystemStore
from moorage.testing import Clock, open_app
from tests.distribution import making
from tests.registry.trial import APP, Trial, enter

TAGS = (Tag("one"), Tag("two"))


@pytest.fixture
def workers(folder: Path, clock: Clock) -> Iterator[list[Trial]]:
    """Two workers, each with a memory of its own."""

    def make_store(installation: str) -> FilesystemStore:
        return FilesystemStore(folder / "store", installation, reserve=0)

    apps = [run(open_app(folder, clock=clock, make_store=make_store)) for _ in range(2)]
    first = enter(apps[0], clock)
    yield [first, Trial(apps[1], clock, first.account_id, first.owner)]
    for app in apps:
        run(app.close())


@dataclass
class World:
    """A repository of its own, people of its own, and what is true of them."""

    workers: list[Trial]
    name: RepositoryName
    user: Caller
    token: Caller
    images: list[making.Content]
    tags: dict[Tag, int] = field(default_factory=dict)
    live: set[int] = field(default_factory=set)
    has_blob: bool = False
    born: bool = False
    public: bool = False
    role: Role = Role.DEVELOPER
    logged_in: bool = True
    revoked: bool = False

    def push(self, worker: Trial, tag: Tag, number: int) -> None:
        """Push an image under a tag."""
        worker.push(self.images[number], tag, name=self.name)
        self.tags[tag] = number
        self.live.add(number)
        self.born = True

    def delete_tag(self, worker: Trial, tag: Tag, number: int) -> None:
        """Delete a tag, if it is there."""
        del number
        if self.tags.pop(tag, None) is not None:
            run(manifests.delete(worker.installation, worker.owner, self.name, tag))

    def delete_image(self, worker: Trial, tag: Tag, number: int) -> None:
        """Delete an image with its tags, if it is there."""
        del tag
        if number in self.live:
            self.live.remove(number)
            self.tags = {tag: target for tag, target in self.tags.items() if target != number}
            run(manifests.delete(worker.installation, worker.owner, self.name, self.digest(number)))

    def push_blob(self, worker: Trial, *_: object) -> None:
        """Push a blob."""
        worker.push_blob(str(self.name).encode(), self.name)
        self.has_blob = self.born = True

    def delete_blob(self, worker: Trial, *_: object) -> None:
        """Delete the blob, if it is there."""
        if self.has_blob:
            self.has_blob = False
            run(blobs.delete(worker.installation, worker.owner, self.name, Digest.of(str(self.name).encode())))

    def turn(self, worker: Trial, *_: object) -> None:
        """Make the repository public or private, if it is there."""
        repository_id = worker.repository_id(self.name)
        if repository_id is not None:
            self.public = not self.public
            worker.write(lambda connection, _: repositories.set_public(connection, repository_id, public=self.public))

    def change_role(self, worker: Trial, tag: Tag, number: int) -> None:
        """Give the user another role; none of them is without the right to pull."""
        del tag
        self.role, user_id = list(Role)[number], self.user.user_id or ""
        worker.write(lambda connection, _: accounts.set_role(connection, worker.account_id, user_id, self.role))

    def change_password(self, worker: Trial, *_: object) -> None:
        """Log the user out everywhere."""
        self.logged_in, user_id = False, self.user.user_id or ""
        worker.write(lambda connection, _: users.set_password(connection, user_id, "another hash"))

    def revoke(self, worker: Trial, *_: object) -> None:
        """Revoke the token."""
        self.revoked, token_id = True, self.token.token_id or ""
        worker.write(lambda connection, now: tokens.revoke(connection, token_id, now))

    def digest(self, number: int) -> Digest:
        """Return an image's digest."""
        return Digest.parse(self.images[number].digest)

    def expected(self, caller: Caller) -> Mapping[object, object]:
        """Return what a caller should find."""
        may = {id(self.user): self.logged_in, id(self.token): not self.revoked, id(ANONYMOUS): self.public}[id(caller)]
        if not may or not self.born:
            return dict.fromkeys([*TAGS, 0, 1, 2, "blob"], NameUnknown if may else Unauthorized)
        found: dict[object, object] = {tag: self.tags.get(tag, ManifestUnknown) for tag in TAGS}
        found |= {number: number if number in self.live else ManifestUnknown for number in range(3)}
        return found | {"blob": True if self.has_blob else BlobUnknown}

    def found(self, worker: Trial, caller: Caller) -> Mapping[object, object]:
        """Return what a caller does find."""
        numbers = {self.digest(number): number for number in range(3)}

        def pull(reference: Digest | Tag) -> Callable[[], int]:
            return lambda: numbers[run(manifests.find(worker.installation, caller, self.name, reference)).digest]

        def pull_blob() -> bool:
            digest = Digest.of(str(self.name).encode())
            return run(blobs.find(worker.installation, caller, self.name, digest)).digest == digest

        asked: dict[object, Callable[[], object]] = {tag: pull(tag) for tag in TAGS}
        asked |= {number: pull(digest) for digest, number in numbers.items()}
        return {what: outcome(attempt) for what, attempt in (asked | {"blob": pull_blob}).items()}


def outcome(attempt: Callable[[], object]) -> object:
    """Return what an attempt returns, or the kind of error that it raises."""
    try:
        return attempt()
    except MoorageError as error:
        return type(error)


STEPS = [
    World.push,
    World.push,
    World.push,
    World.delete_tag,
    World.delete_image,
    World.push_blob,
    World.delete_blob,
    World.turn,
    World.change_role,
    World.change_password,
    World.revoke,
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@example(steps=[(World.push, 0, TAGS[0], 0), (World.delete_image, 0, TAGS[0], 0), (World.push, 0, TAGS[1], 0)])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, 1), st.sampled_from(TAGS), st.integers(0, 2)),
        min_size=4,
        max_size=10,
    )
)
def test_no_worker_remembers_what_is_no_longer_true(
    workers: list[Trial], steps: list[tuple[Callable[[World, Trial, Tag, int], None], int, Tag, int]]
) -> None:
    """After each step of either worker both find, for everybody, exactly what is there."""
    name, user = RepositoryName.parse(f"main/{secrets.token_hex(8)}"), workers[0].member(Role.DEVELOPER)
    images = [making.index(annotations={"unlike": secrets.token_hex(8)}) for _ in range(3)]
    world = World(workers, name, user, workers[0].token(user), images)

    for step, number, tag, image in steps:
        step(world, workers[number], tag, image)
        for caller in (world.user, world.token, ANONYMOUS):
            for worker in workers:
                assert world.found(worker, caller) == world.expected(caller)


def test_what_changes_while_it_is_read_is_not_remembered(trial: Trial) -> None:
    """An answer that was overtaken, by a change that another request has seen already, is given once and not kept."""
    old, new = (trial.push(making.index(annotations={"number": number}), "one").digest for number in "12")
    repository_id, worker = trial.repository_id() or "", trial.installation
    # All else that a pull asks for is remembered, so that the tag alone decides what it finds.
    for digest in (old, new):
        run(manifests.find(worker, trial.owner, APP, digest))
    reading, overtaken = threading.Event(), threading.Event()

    def slow(facts: Facts, now: datetime) -> Digest | None:
        del now
        answer = facts.ask(tags.find, repository_id, "one")
        if isinstance(facts, Stored):
            reading.set()
            overtaken.wait(10)
        return answer

    async def scenario() -> Digest | None:
        answer = asyncio.create_task(recall(worker, slow))
        await asyncio.to_thread(reading.wait, 10)
        await worker.database.write(lambda c, now: tags.point(c, repository_id, "one", old, now, None))
        await sessions.check(worker, trial.owner)
        overtaken.set()
        return await answer

    assert run(scenario()) == new
    assert [run(manifests.find(worker, trial.owner, APP, TAGS[0])).digest for _ in range(2)] == [old] * 2
