"""Which names a registry may have, and what the others are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import NameInvalid
from moorage.oci.reference import RepositoryName
from moorage.policy.naming import check_registry_name


@pytest.mark.parametrize("name", ["a", "main", "a1", "my-registry", "a--b", "a" * 63])
def test_name_of_letters_digits_and_hyphens_is_taken(name: str) -> None:
    """A fit name comes back as it is."""
    assert check_registry_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "1main", "-main", "main-", "ma in", "ma_in", "ma.in", "main/app", "main\n", "mäin", "a" * 64, "ﬁ"],
)
def test_other_name_is_refused_with_the_rule(name: str) -> None:
    """The message says what a name may hold."""
    with pytest.raises(NameInvalid, match="1 to 63 lower-case letters, digits and hyphens"):
        check_registry_name(name)


@pytest.mark.parametrize(("name", "better"), [("Main", "main"), ("MY-1", "my-1")])
def test_upper_case_is_refused_with_the_name_to_use(name: str, better: str) -> None:
    """Only a name that is fit once it is in lower case is suggested."""
    with pytest.raises(NameInvalid, match=f"use '{better}'"):
        check_registry_name(name)


@given(st.from_regex(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
def test_registry_can_be_pushed_to(name: str) -> None:
    """Whatever a registry is called, an image in it has a name by the distribution spec."""
    assert RepositoryName.parse(f"{check_registry_name(name)}/app").registry == name


@given(st.text())
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """No text raises anything but NameInvalid, and what is taken is not changed."""
    try:
        assert check_registry_name(text) == text
    except NameInvalid:
        assert text.strip("abcdefghijklmnopqrstuvwxyz") or not 1 <= len(text) <= 63
