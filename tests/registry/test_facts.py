"""Asking for facts: from memory where they are known, and never an answer that is no longer true."""

import secrets
from asyncio import run
from datetime import datetime

import pytest

from moorage.errors import ManifestUnknown
from moorage.metadata import tags
from moorage.oci.digest import Digest
from moorage.oci.reference import parse_tag
from moorage.registry import manifests
from moorage.registry.facts import Facts, Stored, recall
from tests.distribution.making import Content, index
from tests.registry.trial import APP, Trial

LATEST = parse_tag("latest")


def some_index() -> Content:
    """Make an index unlike any other."""
    return index(annotations={"unlike": secrets.token_hex(8)})


def move(trial: Trial, digest: Digest) -> None:
    """Let the tag point to another manifest, as another worker would."""
    repository_id = trial.repository_id() or ""
    trial.write(lambda connection, now: tags.point(connection, repository_id, "latest", digest, now, None))


def current(trial: Trial) -> Digest:
    """Pull the tag, as a client would, and return what it got."""
    return run(manifests.find(trial.installation, trial.owner, APP, LATEST)).digest


def test_a_known_fact_costs_no_query(trial: Trial) -> None:
    """The second time the unit runs on memory alone."""
    seen: list[type] = []
    trial.push(some_index(), "latest")
    repository_id = trial.repository_id() or ""

    def unit(facts: Facts, now: datetime) -> Digest | None:
        del now
        seen.append(type(facts))
        return facts.ask(tags.find, repository_id, "latest")

    first = run(recall(trial.installation, unit))
    assert run(recall(trial.installation, unit)) == first
    assert [kind is Stored for kind in seen] == [False, True, False]


def test_an_answer_is_true_when_it_is_given(trial: Trial) -> None:
    """Whatever was remembered, a moved tag is followed and a deleted one is gone at once."""
    one, two = trial.push(some_index(), "latest"), trial.push(some_index())
    assert [current(trial) for _ in range(3)] == [one.digest] * 3
    move(trial, two.digest)
    assert current(trial) == two.digest
    run(manifests.delete(trial.installation, trial.owner, APP, two.digest))
    with pytest.raises(ManifestUnknown):
        current(trial)


def test_what_changed_while_it_was_read_is_not_learned(trial: Trial) -> None:
    """An answer that became untrue between its query and its arrival does not enter the memory."""
    one, two = trial.push(some_index(), "latest"), trial.push(some_index())
    repository_id = trial.repository_id() or ""
    interfere = [two.digest]

    def unit(facts: Facts, now: datetime) -> Digest | None:
        del now
        answer = facts.ask(tags.find, repository_id, "latest")
        if isinstance(facts, Stored) and interfere:
            move(trial, interfere.pop())
        return answer

    assert run(recall(trial.installation, unit)) == one.digest
    assert run(recall(trial.installation, unit)) == two.digest
