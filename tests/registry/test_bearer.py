"""Bearer tokens: issued for what the caller may do, read only if they are ours, whole and in time."""

import base64
import hashlib
import hmac
import json
from asyncio import run
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwk, jws, jwt

from moorage.errors import Unauthorized
from moorage.metadata import tokens, users
from moorage.model import ANONYMOUS, Action, Caller, Role
from moorage.oci.reference import RepositoryName
from moorage.policy import scopes
from moorage.registry import access, bearer, sessions
from moorage.registry.bearer import LIFETIME, REFRESH_LIFETIME, Issued
from moorage.registry.facts import Stored
from moorage.testing import Clock, open_app
from tests.registry.trial import APP, OTHER, Trial, enter

PULL, PUSH, DELETE = Action.PULL, Action.PUSH, Action.DELETE
SECOND = timedelta(seconds=1)


def issue(trial: Trial, caller: Caller, *wanted: str, refresh: bool = False) -> Issued:
    """Ask for a token for some scopes."""
    return run(bearer.issue(trial.installation, caller, scopes.parse(wanted), refresh=refresh))


def payload(token: str) -> dict[str, Any]:
    """Read what a token says, without checking anything."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def allowed(trial: Trial, caller: Caller, name: RepositoryName) -> frozenset[Action]:
    """Return what a caller may do now."""
    return trial.read(lambda connection, now: access.look(Stored(connection), now, caller, name)).actions


def assert_refused(trial: Trial, token: str) -> None:
    """Check that a text is no bearer token."""
    with pytest.raises(Unauthorized) as refused:
        bearer.verify(trial.installation, token)
    assert refused.value.reason == "invalid_token"


def test_token_says_who_and_for_what(trial: Trial) -> None:
    """What was issued comes back: the caller, the repository with its ids, and the actions."""
    trial.push_blob(b"the first commit")
    issued = issue(trial, trial.owner, "repository:main/app:pull,push")
    caller = bearer.verify(trial.installation, issued.token)

    (bound,) = caller.bounds or ()
    assert (caller.user_id, caller.epoch, caller.token_id, caller.catalog) == (trial.owner.user_id, 1, None, False)
    assert (bound.name, bound.repository_id) == ("main/app", trial.repository_id())
    assert bound.actions == {PULL, PUSH}
    assert [str(scope) for scope in issued.scopes] == ["repository:main/app:pull,push"]


def test_token_of_an_api_token_names_that(trial: Trial) -> None:
    """What is revoked is the API token, so that is what a bearer token has to be traced to."""
    token = trial.token(trial.owner)
    caller = trial.bearer(token)

    assert (caller.token_id, caller.user_id) == (token.token_id, None)


def test_token_holds_no_secret_and_no_address(trial: Trial) -> None:
    """Whoever reads a token in a log learns opaque ids."""
    claims = payload(issue(trial, trial.owner, "repository:main/app:pull").token)

    assert set(claims) == {"iss", "aud", "jti", "sub", "user", "epoch", "iat", "exp", "access"}
    assert claims["sub"] == claims["user"] == trial.owner.user_id
    assert claims["iss"] == trial.installation.id
    assert claims["exp"] - claims["iat"] == LIFETIME.total_seconds()


def test_only_what_the_caller_may_is_granted(trial: Trial) -> None:
    """The rest is left out and is no error; a repository asked for in vain stays in the token, with nothing."""
    trial.push_blob(b"the first commit")
    viewer = trial.member(Role.VIEWER)
    issued = issue(trial, viewer, "repository:main/app:pull,push,delete", "repository:elsewhere/app:pull")

    assert [str(scope) for scope in issued.scopes] == ["repository:main/app:pull"]
    bounds = bearer.verify(trial.installation, issued.token).bounds or ()
    assert {bound.name: bound.actions for bound in bounds} == {"main/app": {PULL}, "elsewhere/app": frozenset()}


@pytest.mark.parametrize(
    "wanted",
    ["", "repository:main/app:", "repository:Main/App:pull", "repository:main//app:pull", "aws:thing:pull", "nonsense"],
)
def test_what_cannot_be_granted_gives_an_empty_token(trial: Trial, wanted: str) -> None:
    """Clients log in without a scope, and with scopes of other registries."""
    issued = issue(trial, trial.owner, wanted)

    assert issued.scopes == ()
    run(sessions.check(trial.installation, bearer.verify(trial.installation, issued.token)))


def test_scopes_of_one_repository_are_joined(trial: Trial) -> None:
    """Clients repeat a repository with another action each."""
    issued = issue(trial, trial.owner, "repository:main/app:pull repository:main/app:push", "repository:main/app:pull")

    assert [str(scope) for scope in issued.scopes] == ["repository:main/app:pull,push"]


def test_asterisk_asks_for_all(trial: Trial) -> None:
    """Actions are named one by one in the token, as clients that look into it expect."""
    issued = issue(trial, trial.owner, "repository:main/app:*")

    assert [str(scope) for scope in issued.scopes] == ["repository:main/app:delete,pull,push"]


def test_token_of_nobody_pulls_what_is_public(trial: Trial) -> None:
    """Anonymous clients get a token too; it is good for public repositories, and brings no refresh token."""
    for name in (APP, OTHER):
        trial.push_blob(b"the first commit", name)
    trial.set_public()
    issued = issue(trial, ANONYMOUS, "repository:main/app:pull,push", "repository:main/other:pull", refresh=True)
    caller = bearer.verify(trial.installation, issued.token)

    assert [str(scope) for scope in issued.scopes] == ["repository:main/app:pull"]
    assert issued.refresh_token is None
    assert caller.is_anonymous
    assert payload(issued.token)["sub"] == ""
    assert allowed(trial, caller, APP) == {PULL}
    assert allowed(trial, caller, OTHER) == set()


def test_catalog_is_for_those_who_ask_and_are_somebody(trial: Trial) -> None:
    """A token lists the catalog if it was asked to."""
    asking = "registry:catalog:*"

    assert trial.bearer(trial.owner, asking).catalog
    assert not trial.bearer(trial.owner, "repository:main/app:pull").catalog
    assert not trial.bearer(ANONYMOUS, asking).catalog
    assert [str(scope) for scope in issue(trial, trial.owner, asking).scopes] == [asking]


def test_bearer_token_brings_no_other(trial: Trial) -> None:
    """A narrow token of five minutes must not be exchanged for a wider or a longer one."""
    narrow = trial.bearer(trial.owner, "repository:main/app:pull")

    for wanted in ("registry:catalog:*", "repository:main/app:pull", "repository:main/other:push"):
        for refresh in (False, True):
            with pytest.raises(Unauthorized):
                issue(trial, narrow, wanted, refresh=refresh)


@pytest.mark.parametrize(("after", "good"), [(LIFETIME - SECOND, True), (LIFETIME + SECOND, False)])
@pytest.mark.parametrize("seen_before", [False, True])
def test_token_lasts_five_minutes(trial: Trial, after: timedelta, good: bool, seen_before: bool) -> None:
    """After its time a token is refused, whether or not it was used before."""
    token = issue(trial, trial.owner, "repository:main/app:pull").token
    if seen_before:
        bearer.verify(trial.installation, token)

    trial.clock.advance(after)
    if good:
        assert bearer.verify(trial.installation, token).user_id == trial.owner.user_id
    else:
        assert_refused(trial, token)


def test_refresh_token_brings_new_tokens_for_ninety_days(trial: Trial) -> None:
    """It stands for its user or API token, and lasts; after its time it is refused."""
    for caller in (trial.owner, trial.token(None)):
        refresh = issue(trial, caller, refresh=True).refresh_token
        assert refresh is not None
        trial.clock.advance(REFRESH_LIFETIME - SECOND)
        again = bearer.verify_refresh(trial.installation, refresh)
        assert again == caller
        assert allowed(trial, trial.bearer(again, "repository:main/app:push"), APP) == {PUSH}

        trial.clock.advance(2 * SECOND)
        with pytest.raises(Unauthorized):
            bearer.verify_refresh(trial.installation, refresh)


def test_refresh_token_is_given_on_request(trial: Trial) -> None:
    """Who does not ask has nothing to lose."""
    assert issue(trial, trial.owner).refresh_token is None


def test_refresh_token_dies_with_what_it_stands_for(trial: Trial) -> None:
    """After a new password, or when the API token is revoked, it brings nothing."""
    token = trial.token(None)
    refreshes = [issue(trial, caller, refresh=True).refresh_token or "" for caller in (trial.owner, token)]
    user_id, token_id = trial.owner.user_id or "", token.token_id or ""
    trial.write(lambda connection, _: users.set_password(connection, user_id, "new hash"))
    trial.write(lambda connection, now: tokens.revoke(connection, token_id, now))

    for refresh in refreshes:
        caller = bearer.verify_refresh(trial.installation, refresh)
        with pytest.raises(Unauthorized):
            issue(trial, caller, "repository:main/app:pull")


def test_bearer_and_refresh_tokens_are_not_mistaken_for_each_other(trial: Trial) -> None:
    """Each is good for its own purpose alone, although one key signs both."""
    issued = issue(trial, trial.owner, refresh=True)

    assert_refused(trial, issued.refresh_token or "")
    with pytest.raises(Unauthorized):
        bearer.verify_refresh(trial.installation, issued.token)


def test_tokens_of_another_installation_are_refused(trial: Trial, tmp_path: Path, clock: Clock) -> None:
    """Two servers may have users of one id, and do not trust each other's signatures."""
    (tmp_path / "other").mkdir()
    app = run(open_app(tmp_path / "other", clock=clock))
    theirs = enter(app, clock)
    issued = issue(theirs, theirs.owner, refresh=True)

    assert_refused(trial, issued.token)
    with pytest.raises(Unauthorized):
        bearer.verify_refresh(trial.installation, issued.refresh_token or "")
    run(app.close())


def test_every_worker_reads_the_tokens_of_all(trial: Trial, folder: Path, clock: Clock) -> None:
    """The key is in the database."""
    other = run(open_app(folder, clock=clock))

    assert bearer.verify(other.installation, issue(trial, trial.owner).token).user_id == trial.owner.user_id
    run(other.close())


@dataclass(frozen=True, slots=True)
class Forger:
    """Somebody who has seen a token, and may even have our key where that alone must not help."""

    key: jwk.ECKey
    claims: dict[str, Any]

    def sign(self, key: jwk.Key | None = None, *, leave_out: str = "", **changes: object) -> str:
        """Sign other claims, by our key unless another one is given."""
        claims = {name: value for name, value in (self.claims | changes).items() if name != leave_out}
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, key or self.key, algorithms=["ES256"])

    def write(self, signature: str = "AAAA", **header: object) -> str:
        """Write a token by hand."""
        parts = ({"alg": "ES256", "kid": self.key.kid} | header, self.claims)
        return ".".join([*(base64url(json.dumps(part).encode()) for part in parts), signature])

    def sign_by_public_key(self) -> str:
        """Take the key that everybody may know for a shared secret."""
        text = self.write(alg="HS256").rpartition(".")[0]
        signature = hmac.digest(self.key.as_pem(private=False), text.encode(), hashlib.sha256)
        return f"{text}.{base64url(signature)}"

    def sign_by_key_in_header(self) -> str:
        """Bring the key along that the token is to be checked with."""
        key = jwk.ECKey.generate_key("P-256")
        return jwt.encode({"alg": "ES256", "jwk": key.as_dict(private=False)}, self.claims, key, algorithms=["ES256"])

    def sign_a_list(self) -> str:
        """Sign something that is no set of claims."""
        return jws.serialize_compact({"alg": "ES256", "kid": self.key.kid}, b"[]", self.key, algorithms=["ES256"])


def base64url(data: bytes) -> str:
    """Encode as tokens are."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


FORGERIES: dict[str, Callable[[Forger], str]] = {
    "alg none": lambda forger: forger.write(signature="", alg="none"),
    "alg None": lambda forger: forger.write(signature="", alg="None"),
    "no signature": lambda forger: forger.write(signature=""),
    "the public key as a secret": Forger.sign_by_public_key,
    "a key of its own in the header": Forger.sign_by_key_in_header,
    "another key under our id": lambda forger: forger.sign(jwk.ECKey.generate_key("P-256")),
    "an id that is no key's": lambda forger: forger.write(kid="../../etc/passwd"),
    "an id that is no text": lambda forger: forger.write(kid=[1]),
    "an algorithm that is no text": lambda forger: forger.write(alg=7),
    "a header that nobody knows": lambda forger: forger.write(crit=["exp"], exp=0),
    "the signature of other claims": lambda forger: forger.write(signature=forger.sign(sub="x").split(".")[2]),
    "no claims but a list": Forger.sign_a_list,
    "no end": lambda forger: forger.sign(leave_out="exp"),
    "an end that is no number": lambda forger: forger.sign(exp="never"),
    "an end in the past": lambda forger: forger.sign(exp=forger.claims["iat"] - 1),
    "no audience": lambda forger: forger.sign(leave_out="aud"),
    "another audience": lambda forger: forger.sign(aud="registry.example"),
    "no issuer": lambda forger: forger.sign(leave_out="iss"),
    "another issuer": lambda forger: forger.sign(iss="somebody"),
    "encrypted": lambda forger: forger.write(alg="dir", enc="A128GCM") + ".AAAA.AAAA",
    "unfinished": lambda forger: forger.sign()[:-1],
    "white space": lambda forger: forger.sign() + " ",
}


@pytest.mark.parametrize("how", FORGERIES)
def test_forged_and_damaged_tokens_are_refused(trial: Trial, how: str) -> None:
    """Only what our own key signed, whole, for us, for this purpose and in time is a token."""
    real = issue(trial, trial.owner, "repository:main/app:pull").token
    key = trial.installation.signing_keys.keys[-1]
    assert isinstance(key, jwk.ECKey)
    forger = Forger(key, payload(real))
    assert bearer.verify(trial.installation, forger.sign()) == bearer.verify(trial.installation, real)

    assert_refused(trial, FORGERIES[how](forger))


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "....", "\x00", "é.é.é", "eyJhbGciOiJub25lIn0..", "x" * 100_000]
)
def test_texts_that_are_no_tokens_are_refused(trial: Trial, text: str) -> None:
    """Whatever a client sends, it is refused and never an error of ours."""
    assert_refused(trial, text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(text=st.text(), position=st.integers(0, 400), character=st.characters())
def test_any_text_is_refused_or_ours(trial: Trial, text: str, position: int, character: str) -> None:
    """A text made up, or a real token with one character changed, is Unauthorized and nothing else."""
    assert_refused(trial, text)
    real = issue(trial, trial.owner, "repository:main/app:pull").token
    changed = real[:position] + character + real[position + 1 :]
    with suppress(Unauthorized):
        assert bearer.verify(trial.installation, changed) == bearer.verify(trial.installation, real)


def test_caller_remembered_for_one_token_is_not_taken_for_another(trial: Trial) -> None:
    """Tokens are told apart by every character."""
    owner, viewer = trial.owner, trial.member(Role.VIEWER)
    issued = [issue(trial, caller, "repository:main/app:pull").token for caller in (owner, viewer)]

    for _ in range(2):
        found = [bearer.verify(trial.installation, token) for token in issued]
        assert [replace(one, bounds=None, catalog=True) for one in found] == [owner, viewer]
