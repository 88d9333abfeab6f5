"""Running hashes: equal to hashlib's, and saved only where that is proven."""

import hashlib
import json
import sys
import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import DigestInvalid
from moorage.oci.digest import ALGORITHMS, Digest
from moorage.storage.hashing import (
    HashlibHash,
    RunningHash,
    RunningHashes,
    boot_id,
    is_proven,
    load_natives,
    new_hash,
)

natives = pytest.mark.parametrize("algorithm", ALGORITHMS)


def reseal(saved: bytes, **changes: object) -> bytes:
    """Change a saved state's fields, with a right checksum."""
    content = json.dumps(json.loads(saved[32:]) | changes).encode()
    return hashlib.sha256(content).digest() + content


def saved_after(data: bytes, algorithm: str = "sha256") -> bytes:
    """Save the running hash of `data`."""
    hashes = RunningHashes.resume([algorithm], 0)
    hashes.update(data)
    saved = hashes.save()
    assert saved is not None
    return saved


@pytest.mark.parametrize("kind", ["library", "hashlib"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(pieces=st.lists(st.binary(max_size=300), max_size=8))
def test_digests_are_those_of_hashlib(kind: str, algorithm: str, pieces: list[bytes]) -> None:
    """However the bytes are cut, the digest is hashlib's; asking for it in between changes nothing."""
    running: RunningHash = new_hash(algorithm) if kind == "library" else HashlibHash(algorithm)
    so_far = b""
    for piece in pieces:
        running.update(piece)
        so_far += piece
        assert running.digest() == Digest.of(so_far, algorithm)


@natives
@given(before=st.binary(max_size=300), after=st.binary(max_size=300))
def test_a_saved_hash_goes_on(algorithm: str, before: bytes, after: bytes) -> None:
    """Saved after any number of bytes, a hash ends as if it had never stopped."""
    resumed = RunningHashes.resume([algorithm], len(before), saved_after(before, algorithm))
    resumed.update(after)
    if before:
        assert resumed.digest(algorithm) == Digest.of(before + after, algorithm)


def test_this_machine_saves_hashes() -> None:
    """On the systems that we test on, both algorithms are proven: the fast way is not lost unnoticed."""
    assert set(load_natives()) == set(ALGORITHMS)
    assert boot_id()


@natives
def test_a_library_with_a_larger_context_is_not_used(algorithm: str) -> None:
    """A context of which a part is not saved is found out in the proof, where there is room for the rest."""
    assert not is_proven(replace(load_natives()[algorithm], context_size=60))


@natives
def test_a_library_with_wrong_digests_is_not_used(algorithm: str) -> None:
    """A function that does not hash is found out."""
    assert not is_proven(replace(load_natives()[algorithm], update=lambda *_: 1))


def test_what_cannot_be_saved_is_hashed_all_the_same() -> None:
    """A hash of hashlib has no state, and saving none is told apart from saving something."""
    hashes = RunningHashes({"sha256": HashlibHash("sha256")}, 0)
    hashes.update(b"123")
    assert hashes.digest("sha256") == Digest.of(b"123")
    assert hashes.save() is None


def test_another_boot_is_another_machine() -> None:
    """A state from before a reboot is ignored: the file may have lost what it covers."""
    saved = saved_after(b"123")
    assert RunningHashes.resume(["sha256"], 3, reseal(saved)).digest("sha256") == Digest.of(b"123")
    assert RunningHashes.resume(["sha256"], 3, reseal(saved, boot="another")).digest("sha256") is None


def test_a_context_of_another_size_is_ignored() -> None:
    """A state that this process's library could not hold is not put into it."""
    assert RunningHashes.resume(["sha256"], 3, reseal(saved_after(b"123"), states={"sha256": "00"})).save() is None


@given(st.integers(0), st.binary(min_size=1, max_size=4))
def test_damage_is_noticed(position: int, noise: bytes) -> None:
    """A state that was changed anywhere is ignored."""
    saved = saved_after(b"123")
    start = position % len(saved)
    damaged = saved[:start] + noise + saved[start + len(noise) :]
    if damaged != saved:
        assert RunningHashes.resume(["sha256"], 3, damaged).digest("sha256") is None


def test_only_announced_algorithms_run() -> None:
    """A saved state of an algorithm that nobody asks for any more is dropped."""
    resumed = RunningHashes.resume(["sha512"], 3, saved_after(b"123", "sha256"))
    assert resumed.digest("sha256") is None
    assert resumed.digest("sha512") is None


def test_an_unsupported_algorithm_is_refused() -> None:
    """Only the algorithms of digests are hashed by."""
    with pytest.raises(DigestInvalid):
        new_hash("md5")


def test_hashing_lets_other_threads_run() -> None:
    """While a thread hashes, others do: the event loop is one of them."""
    interval = sys.getswitchinterval()
    # From now on the interpreter's lock goes to another thread only where it is let go of.
    sys.setswitchinterval(60)
    try:
        assert any(turns_beside_a_hash() for _ in range(20))
    finally:
        sys.setswitchinterval(interval)


def turns_beside_a_hash() -> int:
    """Count the turns that this thread gets while another hashes."""
    steps: list[str] = []

    def hash_once() -> None:
        running = new_hash("sha256")
        steps.append("begun")
        running.update(data)
        steps.append("ended")

    data = bytes(32 << 20)
    turns = 0
    hashing = threading.Thread(target=hash_once)
    hashing.start()
    while "ended" not in steps:
        turns += "begun" in steps
        time.sleep(0)
    hashing.join()
    return turns
