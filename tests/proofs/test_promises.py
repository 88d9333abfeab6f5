"""A journal up to a moment: what had been answered is certain, the next write may have been done, and no other."""

import asyncio

import httpx2
import pytest

from tests.proofs.journal import Thing
from tests.proofs.promises import Ledger

pytestmark = pytest.mark.proof

TAG = Thing("tag", "latest")


def answered(request: str) -> httpx2.Response:
    """Return the answer to a request."""
    return httpx2.Response(201, headers={"X-Request-ID": request})


def test_until_a_moment() -> None:
    """Of three writes of which one had been answered, the second is in doubt and the third had not begun."""
    ledger = Ledger()
    for number in "123":
        with ledger.changing({TAG: number}):
            asyncio.run(ledger.hear(answered(number)))

    journal = ledger.until(lambda request: request == "1")

    assert journal.possible(TAG) == {"1", "2"}
    assert journal.answers == 1
    assert ledger.until(lambda _: True).state(TAG) == "3"
    assert ledger.until(lambda _: False).possible(TAG) == {None, "1"}
