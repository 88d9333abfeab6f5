"""The scope grammar of the token protocol."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.model import Action
from moorage.policy.scopes import Scope, parse, repository_scope

PULL, PUSH, DELETE = Action.PULL, Action.PUSH, Action.DELETE


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("repository:main/app:pull", Scope("repository", "main/app", ("pull",))),
        ("repository:main/app:push,pull", Scope("repository", "main/app", ("push", "pull"))),
        ("repository:main/app:*", Scope("repository", "main/app", ("*",))),
        ("repository(plugin):main/app:pull", Scope("repository", "main/app", ("pull",))),
        ("registry:catalog:*", Scope("registry", "catalog", ("*",))),
        # A name may begin with host and port: only the first and the last colon divide.
        ("repository:example.test:5000/main/app:pull", Scope("repository", "example.test:5000/main/app", ("pull",))),
        ("repository:main/app:", Scope("repository", "main/app", ("",))),
        ("unheard0of:thing:fly", Scope("unheard0of", "thing", ("fly",))),
    ],
)
def test_scope_is_split_at_its_first_and_last_colon(text: str, scope: Scope) -> None:
    """Type, name and actions, in the words of the grammar; a class of the type is dropped."""
    assert parse([text]) == [scope]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":",
        "::",
        "repository",
        "repository:",
        "repository:main/app",
        "repository::pull",
        ":main/app:pull",
        "Repository:main/app:pull",
        "repo-sitory:main/app:pull",
        "repository():main/app:pull",
        "repository(plug in):main/app:pull",
        "repository(plugin:main/app:pull",
        "répository:main/app:pull",
    ],
)
def test_malformed_scope_asks_for_nothing(text: str) -> None:
    """What the grammar does not allow is left out, and what stands beside it is read."""
    assert parse([text, "registry:catalog:*"]) == [Scope("registry", "catalog", ("*",))]


def test_scopes_come_in_one_text_or_in_several() -> None:
    """Clients separate scopes by spaces or repeat the parameter; both may be mixed."""
    texts = ["repository:a:pull  repository:b:push", "repository:c:pull"]

    assert [scope.name for scope in parse(texts)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("actions", "wanted"),
    [
        ("pull", {PULL}),
        ("push,pull", {PUSH, PULL}),
        ("pull,push,delete", {PULL, PUSH, DELETE}),
        ("*", {PULL, PUSH, DELETE}),
        ("pull,*", {PULL, PUSH, DELETE}),
        ("pull,fly,PUSH", {PULL}),
        ("", set()),
    ],
)
def test_only_actions_that_exist_are_wanted(actions: str, wanted: set[Action]) -> None:
    """An asterisk stands for all actions, an unknown word for none."""
    (scope,) = parse([f"repository:main/app:{actions}"])

    assert scope.wanted() == wanted


def test_what_no_client_would_ask_for_is_cut_off() -> None:
    """Of a very long list the beginning counts, so that nobody makes the server read for ever."""
    assert len(parse([" ".join(f"repository:r{number}:pull" for number in range(1000))])) == 100


@given(st.lists(st.text()))
def test_no_text_is_an_error(texts: list[str]) -> None:
    """Whatever a client asks for is read or left out."""
    assert all(scope.name for scope in parse(texts))


@given(st.from_regex(r"[a-z0-9]+:[a-z0-9:/.-]+:[a-z]*(,[a-z]*)*", fullmatch=True))
def test_what_the_grammar_allows_is_read_and_written_alike(text: str) -> None:
    """A scope of the grammar's form, without a class, goes out as it came in."""
    assert [str(scope) for scope in parse([text])] == [text]


def test_challenge_asks_for_actions_in_one_order() -> None:
    """The same actions are always the same text, by which clients recognise a scope they have asked for."""
    assert repository_scope("main/app", {PUSH, PULL}) == "repository:main/app:pull,push"
    assert repository_scope("main/app", [PULL, PUSH]) == "repository:main/app:pull,push"
