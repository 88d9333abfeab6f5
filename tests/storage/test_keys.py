"""Object keys: unique, readable, and nothing else passes for one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.storage.keys import FOLDERS, check_key, is_key, key_time, new_key

KEY = "objects/3f/01990c5e-7d1a-7c3b-9a55-0242ac12e43f"


def test_keys_are_unique_and_valid() -> None:
    """No two keys are the same, and each is one."""
    keys = {new_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert all(is_key(key) for key in keys)


def test_keys_spread_over_the_folders() -> None:
    """Keys made in one moment lie in many folders, each of which is listed."""
    used = {new_key().rpartition("/")[0] for _ in range(2000)}
    assert len(used) > 200
    assert used <= set(FOLDERS)


def test_the_time_is_read_out_of_a_key() -> None:
    """A key tells when it was made, which the sweep for orphans goes by."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = key_time(new_key())
    assert before <= made <= datetime.now(UTC)
    assert key_time(KEY) == datetime.fromtimestamp(0x01990C5E7D1A / 1000, tz=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        KEY + "\n",
        " " + KEY,
        KEY.upper(),
        KEY.replace("3f", "3e", 1),
        KEY.replace("-7c3b", "-4c3b"),
        KEY.replace("-9a55", "-ca55"),
        KEY.removeprefix("objects/"),
        "objects/../3f/01990c5e-7d1a-7c3b-9a55-0242ac12e43f",
        "objects/..",
        "objects/3f/",
        "/" + KEY,
        KEY + "/..",
        KEY.replace("3f/", "3f\x00"),
    ],
)
def test_what_is_not_a_key_is_refused(text: str) -> None:
    """A key is matched to the letter, so that a path made of it stays under the root."""
    assert not is_key(text)
    with pytest.raises(ValueError, match="is not an object key"):
        check_key(text)
    with pytest.raises(ValueError, match="is not an object key"):
        key_time(text)


@given(st.text(alphabet=st.sampled_from("objects/.-0123456789af\\\0 "), max_size=60))
def test_no_key_leaves_its_folder(text: str) -> None:
    """Whatever passes as a key has three parts, the last two of them harmless."""
    if is_key(text):
        first, folder, name = text.split("/")
        assert (first, folder) == ("objects", name[-2:])
        assert "." not in text
