"""Passwords: hashed and checked off the event loop, a few at a time."""

import asyncio
import hashlib
import hmac
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# argon2id as OWASP's password storage cheat sheet has it: 19 MiB a check, so that two at once fit any worker.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_THREADS = 2
# Seconds. Clients that send the password with every request would otherwise pay for argon2 each time.
_REMEMBERED = 60.0
_MOST_REMEMBERED = 1024


class Passwords:
    """Hashes and checks. A check that succeeded is remembered for a minute, under a key that only this process has."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="password")
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, float] = {}
        # Checked in place of an unknown user's, so that the answer takes as long.
        self._nobodys_hash = _HASHER.hash(secrets.token_urlsafe(16))

    async def hash(self, password: str) -> str:
        """Hash a new password."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _HASHER.hash, password)

    async def check(self, password: str, password_hash: str | None) -> bool:
        """Tell whether a password is the one that was hashed; None takes as long and is never right."""
        mark = hmac.digest(self._key, f"{password_hash}\n{password}".encode(), hashlib.sha256)
        if self._remembered.get(mark, 0.0) > time.monotonic():
            return True
        wanted = self._nobodys_hash if password_hash is None else password_hash
        right = await asyncio.get_running_loop().run_in_executor(self._threads, _verify, wanted, password)
        if right and password_hash is not None:
            self._remember(mark)
            return True
        return False

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _remember(self, mark: bytes) -> None:
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[mark] = time.monotonic() + _REMEMBERED


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
