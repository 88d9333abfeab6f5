"""Short-lived bearer tokens (JWT), and the refresh tokens that bring new ones.

A bearer token grants nothing: it says who asked and the most it may be used for. Rights are read from live rows at
each request (`registry.access`), so what is revoked stops working although the token has not expired.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry
from sqlalchemy import Connection

from moorage.errors import NameInvalid, Unauthorized
from moorage.model import Action, Bound, Caller, new_id
from moorage.oci.reference import RepositoryName
from moorage.policy.scopes import Scope
from moorage.registry import access
from moorage.registry.facts import Stored
from moorage.registry.installation import Installation

SERVICE = "moorage"
LIFETIME = timedelta(minutes=5)
REFRESH_LIFETIME = timedelta(days=90)
_REFRESH_SERVICE = "moorage-refresh"
_ALGORITHM = "ES256"
_CATALOG = ("registry", "catalog")


@dataclass(frozen=True, slots=True)
class Issued:
    """A bearer token, its time of issue, and the scopes it can be used for."""

    token: str
    issued_at: datetime
    scopes: tuple[Scope, ...]
    refresh_token: str | None


async def issue(installation: Installation, caller: Caller, scopes: Iterable[Scope], *, refresh: bool) -> Issued:
    """Make a bearer token for what of `scopes` the caller may do now; the rest is left out, never an error.

    A repository asked for in vain stays in the token with no actions: that tells a mount from it apart from one that
    never asked (`registry.mounts`). Raises Unauthorized where a bearer token is all that was shown: it brings
    no other, or five minutes would last for ever.
    """
    if caller.bounds is not None:
        raise Unauthorized("authentication required: a bearer token brings no other", reason="invalid_token")
    wanted = tuple(scopes)

    def survey(connection: Connection, now: datetime) -> tuple[datetime, list[Bound]]:
        access.holder_of(Stored(connection), now, caller)
        names = _repositories(wanted)
        return now, [_bound(connection, now, caller, name, actions) for name, actions in names.items()]

    now, bounds = await installation.database.read(survey)
    catalog = not caller.is_anonymous and any((scope.type, scope.name) == _CATALOG for scope in wanted)
    claims = _identity(caller) | {"access": _access_claim(bounds, catalog=catalog)}
    token = _sign(installation, claims, SERVICE, now, LIFETIME)
    refresh_token = None
    if refresh and not caller.is_anonymous:
        refresh_token = _sign(installation, _identity(caller), _REFRESH_SERVICE, now, REFRESH_LIFETIME)
    return Issued(token, now, _granted(bounds, catalog=catalog), refresh_token)


def verify(installation: Installation, text: str) -> Caller:
    """Read a bearer token that we signed; raises Unauthorized where it is foreign, damaged or expired."""
    now = installation.database.clock()
    known = installation.callers.find(text, now)
    if known is not None:
        return known
    claims = _verified(installation, text, SERVICE)
    entries = claims.get("access", [])
    bounds = tuple(_bound_from(entry) for entry in entries if entry["type"] == "repository")
    catalog = any((entry["type"], entry["name"]) == _CATALOG for entry in entries)
    caller = Caller(claims.get("token"), claims.get("user"), claims.get("epoch", 0), bounds, catalog)
    installation.callers.learn(text, caller, claims["exp"])
    return caller


def verify_refresh(installation: Installation, text: str) -> Caller:
    """Read a refresh token that we signed; whether its password or API token still holds is seen when it is used."""
    claims = _verified(installation, text, _REFRESH_SERVICE)
    return Caller(claims.get("token"), claims.get("user"), claims.get("epoch", 0), catalog=True)


def _repositories(scopes: Iterable[Scope]) -> Mapping[RepositoryName, frozenset[Action]]:
    """Gather what is asked of each repository; a name that cannot be one asks for nothing."""
    names: dict[RepositoryName, frozenset[Action]] = {}
    for scope in scopes:
        if scope.type == "repository":
            try:
                name = RepositoryName.parse(scope.name)
            except NameInvalid:
                continue
            names[name] = names.get(name, frozenset()) | scope.wanted()
    return names


def _bound(
    connection: Connection, now: datetime, caller: Caller, name: RepositoryName, wanted: frozenset[Action]
) -> Bound:
    place = access.look(Stored(connection), now, caller, name)
    return Bound(str(name), place.registry_id, place.repository_id, place.actions & wanted)


def _identity(caller: Caller) -> dict[str, Any]:
    identity = {"token": caller.token_id, "user": caller.user_id, "epoch": caller.epoch or None}
    subject = caller.token_id or caller.user_id or ""
    return {"sub": subject} | {key: value for key, value in identity.items() if value is not None}


def _access_claim(bounds: Iterable[Bound], *, catalog: bool) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [
        {
            "type": "repository",
            "name": bound.name,
            "registry": bound.registry_id,
            "repository": bound.repository_id,
            "actions": sorted(bound.actions),
        }
        for bound in bounds
    ]
    if catalog:
        entries.append({"type": "registry", "name": "catalog", "actions": ["*"]})
    return entries


def _granted(bounds: Iterable[Bound], *, catalog: bool) -> tuple[Scope, ...]:
    granted = [Scope("repository", bound.name, tuple(sorted(bound.actions))) for bound in bounds if bound.actions]
    return (*granted, Scope(*_CATALOG, ("*",))) if catalog else tuple(granted)


def _bound_from(entry: Mapping[str, Any]) -> Bound:
    actions = frozenset(Action(action) for action in entry["actions"])
    return Bound(entry["name"], entry["registry"], entry["repository"], actions)


def _sign(
    installation: Installation, claims: Mapping[str, Any], audience: str, now: datetime, lifetime: timedelta
) -> str:
    key = installation.signing_keys.keys[-1]
    times = {"iat": int(now.timestamp()), "exp": int((now + lifetime).timestamp())}
    whole = {"iss": installation.id, "aud": audience, "jti": new_id()} | times | dict(claims)
    return jwt.encode({"alg": _ALGORITHM, "kid": key.kid}, whole, key, algorithms=[_ALGORITHM])


def _verified(installation: Installation, text: str, audience: str) -> Mapping[str, Any]:
    """Check signature, issuer, audience and time. The key comes from ours alone, whatever the header says."""
    wanted = JWTClaimsRegistry(
        now=lambda: int(installation.database.clock().timestamp()),
        iss={"essential": True, "value": installation.id},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
    )
    try:
        token = jwt.decode(text, installation.signing_keys, algorithms=[_ALGORITHM])
        wanted.validate(token.claims)
    except (JoseError, ValueError) as error:
        raise Unauthorized(
            "authentication required: the token is expired or not ours; get a new one", reason="invalid_token"
        ) from error
    return token.claims
