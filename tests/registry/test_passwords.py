"""Passwords, hashed and checked."""

from asyncio import gather, run
from collections.abc import Iterator

import pytest

from moorage.registry.passwords import Passwords


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """Passwords of which nothing is remembered."""
    made = Passwords()
    yield made
    made.close()


@pytest.mark.parametrize("password", ["secret", "", "pässwörd ✓", "x" * 1000, "with\nnew line", "nul\x00inside"])
def test_password_fits_its_own_hash(passwords: Passwords, password: str) -> None:
    """Any text may be a password, and nothing but itself fits."""

    async def scenario() -> None:
        hashed = await passwords.hash(password)
        assert await passwords.check(password, hashed)
        assert await passwords.check(password, hashed)
        assert not await passwords.check(password + "x", hashed)

    run(scenario())


@pytest.mark.parametrize("hashed", [None, "", "no hash", "$argon2id$v=19$m=19456,t=2,p=1$"])
def test_nothing_fits_where_there_is_no_hash(passwords: Passwords, hashed: str | None) -> None:
    """An unknown user, and a hash that cannot be read, are wrong and no error, as often as one tries."""

    async def scenario() -> None:
        for _ in range(2):
            for password in ("secret", ""):
                assert not await passwords.check(password, hashed)

    run(scenario())


def test_right_check_is_remembered_and_a_wrong_one_is_not(passwords: Passwords) -> None:
    """Without threads, that is without argon2, only what is remembered can be answered."""

    async def scenario() -> None:
        hashed, other = await gather(passwords.hash("secret"), passwords.hash("secret"))
        assert await passwords.check("secret", hashed)
        assert not await passwords.check("wrong", hashed)
        passwords.close()

        assert await passwords.check("secret", hashed)
        for password, unremembered in (("wrong", hashed), ("secret", other), ("secret", None)):
            with pytest.raises(RuntimeError):
                await passwords.check(password, unremembered)

    run(scenario())


def test_many_checks_at_once_do_not_mix(passwords: Passwords) -> None:
    """Each gets its own answer."""

    async def scenario() -> None:
        hashes = await gather(*(passwords.hash(str(number)) for number in range(4)))
        right = await gather(*(passwords.check(str(number), hashes[number]) for number in range(4)))
        wrong = await gather(*(passwords.check(str(number), hashes[number - 1]) for number in range(4)))
        assert (right, wrong) == ([True] * 4, [False] * 4)

    run(scenario())
