"""What a worker remembers: true answers only, within bounds."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from moorage.metadata import blobs, changes, manifests, referrers, registries, repositories, tags, tokens, users
from moorage.metadata.manifests import ManifestRow
from moorage.metadata.watch import Watch
from moorage.model import Caller, ReferrerPage, ReferrerQuery
from moorage.oci.digest import Digest
from moorage.registry.memory import CHANGED_BY, CallerMemory, Memory, NotRemembered
from tests.registry.trial import Trial

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def watch(trial: Trial) -> Watch:
    """A watch that has looked once."""
    watch = trial.installation.database.watch()
    watch.changes()
    return watch


def test_it_answers_what_it_learned(watch: Watch) -> None:
    """An answer is given for the same question and arguments, and for no others; None is an answer too."""
    memory = Memory(watch)
    memory.learn([(tags.find, ("r", "latest"), ONE), (tags.find, ("r", "gone"), None)])
    assert memory.ask(tags.find, "r", "latest") == ONE
    assert memory.ask(tags.find, "r", "gone") is None
    for question, argument in ((tags.find, "other"), (registries.find, "latest")):
        with pytest.raises(NotRemembered):
            memory.ask(question, "r", argument)  # type: ignore[arg-type] # one question does not fit


def test_it_forgets_what_the_log_names_and_nothing_else(trial: Trial, watch: Watch) -> None:
    """A change drops the one fact that it names."""
    memory = Memory(watch)
    memory.learn([(tags.find, ("r", "moved"), ONE), (tags.find, ("r", "kept"), ONE)])
    before = memory.refresh()
    trial.write(lambda connection, _: changes.record(connection, [changes.of_tag("r", "moved")]))
    assert memory.refresh() > before
    assert memory.ask(tags.find, "r", "kept") == ONE
    with pytest.raises(NotRemembered):
        memory.ask(tags.find, "r", "moved")


def test_it_forgets_all_where_changes_were_missed(trial: Trial, watch: Watch) -> None:
    """Rows that were pruned before they were seen may have named anything."""
    memory = Memory(watch)
    memory.refresh()
    memory.learn([(tags.find, ("r", "latest"), ONE)])
    two = [changes.of_tag("r", "one"), changes.of_tag("r", "two")]
    trial.write(lambda connection, _: changes.record(connection, two))
    trial.write(lambda connection, _: changes.prune(connection, 1, 1000))
    memory.refresh()
    with pytest.raises(NotRemembered):
        memory.ask(tags.find, "r", "latest")


def test_one_look_is_enough_for_what_was_due_before_it(trial: Trial, watch: Watch) -> None:
    """In one turn of the event loop all see the same; what another thread schedules after a change sees the change."""
    memory = Memory(watch)

    async def turns() -> tuple[int, int, int]:
        loop = asyncio.get_running_loop()
        next_turn: asyncio.Future[int] = loop.create_future()
        first = memory.refresh_for_turn()

        def change() -> None:
            trial.write(lambda connection, _: changes.record(connection, [changes.of_tag("r", "moved")]))
            loop.call_soon_threadsafe(lambda: next_turn.set_result(memory.refresh_for_turn()))

        # The thread is waited for without giving the turn away.
        thread = Thread(target=change)
        thread.start()
        thread.join()
        return first, memory.refresh_for_turn(), await next_turn

    first, same, later = asyncio.run(turns())
    assert same == first < later


@pytest.mark.parametrize(
    ("question", "args", "answer"),
    [
        (manifests.find, (ONE,), ManifestRow(ONE, "application/json", b"x" * 3000)),
        (tags.page, ("", 100), ("x" * 1000,) * 3),
        (tags.page, ("x" * 3000, 100), ()),
        (referrers.page, (ReferrerQuery(ONE, (), "", 100),), ReferrerPage((b"x" * 1500,) * 2, None)),
        (referrers.page, (ReferrerQuery(ONE, ("x" * 3000,), "", 100),), ReferrerPage((), None)),
    ],
    ids=["manifest", "tags", "place among tags", "referrers", "types of referrers"],
)
def test_its_size_has_an_end(
    watch: Watch, question: Callable[..., object], args: tuple[object, ...], answer: object
) -> None:
    """All counts that clients write, in questions too; what does not fit any more makes room by forgetting the rest."""
    memory = Memory(watch, capacity=10_000)
    for number in range(20):
        memory.learn([(question, (str(number), *args), answer)])
    known = 0
    for number in range(20):
        try:
            memory.ask(question, str(number), *args)
            known += 1
        except NotRemembered:
            pass
    assert 0 < known <= 3


def test_every_change_has_the_name_of_what_it_makes_untrue() -> None:
    """What is recorded for a fact is what the memory files it under."""
    assert CHANGED_BY[users.epoch]("u") == CHANGED_BY[users.roles]("u") == changes.of_user("u")
    assert CHANGED_BY[tokens.find]("t") == changes.of_token("t")
    assert CHANGED_BY[registries.find]("main") == changes.of_registry("main")
    assert CHANGED_BY[repositories.find]("r", "app") == changes.of_repository("r", "app")
    assert CHANGED_BY[tags.find]("r", "latest") == changes.of_tag("r", "latest")
    assert CHANGED_BY[tags.page]("r", "", 100) == changes.of_tags("r")
    query = ReferrerQuery(ONE, (), "", 100)
    assert CHANGED_BY[referrers.page]("r", query) == changes.of_referrers("r", str(ONE))
    assert CHANGED_BY[manifests.find]("r", ONE) == changes.of_manifest("r", str(ONE))
    assert CHANGED_BY[blobs.is_linked]("r", ONE) == changes.of_link("r", str(ONE))
    assert CHANGED_BY[blobs.find](TWO, "default") == changes.of_blob(str(TWO))


def test_callers_are_known_until_their_token_expires() -> None:
    """A bearer token stands for its caller to the second of its end."""
    memory, caller = CallerMemory(), Caller(user_id="u")
    memory.learn("text", caller, NOW.timestamp())
    assert memory.find("text", NOW - timedelta(seconds=1)) == caller
    assert memory.find("text", NOW) is None
    assert memory.find("other", NOW - timedelta(seconds=1)) is None


def test_only_so_many_callers_are_known() -> None:
    """Tokens by the thousand do not fill the memory."""
    memory = CallerMemory(most=10)
    for number in range(25):
        memory.learn(str(number), Caller(user_id=str(number)), NOW.timestamp())
    known = [number for number in range(25) if memory.find(str(number), NOW - timedelta(seconds=1))]
    assert 0 < len(known) <= 10
