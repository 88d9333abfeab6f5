"""What an operator may set, where a setting may come from, and what each one allows."""

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from moorage.errors import ConfigInvalid
from moorage.units import parse_duration, parse_size

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Role = Literal["all", "web", "jobs"]
LogLevel = Literal["debug", "info", "warning", "error"]

_PREFIX = "MOORAGE_"
# Names the file itself, so it cannot stand in it.
_FILE_VARIABLE = "MOORAGE_CONFIG"
_HIGHEST_PORT = 65535


class Address(NamedTuple):
    """Where the server listens; port 0 lets the system choose a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as in a URL: an IPv6 address stands in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, checked. A name is the key in the file and, in capitals after MOORAGE_, in the environment."""

    data: Path = Path("var")
    listen: Address = field(default=Address("127.0.0.1", 5000))
    workers: int = field(default_factory=_cores)
    role: Role = "all"
    admin_email: str = "admin@localhost"
    admin_password: str | None = field(default=None, repr=False)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    access_log: bool = False
    log_level: LogLevel = "info"
    trusted_proxies: tuple[Network, ...] = ()
    accel_redirect: str | None = None
    public_url: str | None = None
    upload_lifetime: timedelta = timedelta(hours=24)
    upload_idle_timeout: timedelta = timedelta(seconds=60)
    free_space_reserve: int = 512 << 20
    stop_grace: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Written:
    """A value as somebody wrote it, and the words that say where."""

    name: str
    where: str
    value: object


def load(environment: Mapping[str, str], options: Mapping[str, str]) -> Settings:
    """Read the settings: defaults, then the TOML file that MOORAGE_CONFIG names, then `environment`, then `options`.

    An empty variable counts as not set. Raises ConfigInvalid, which names every bad or unknown key.
    """
    written = {one.name: one for one in _everything_written(environment, options)}
    problems = [_unknown(one) for one in written.values() if one.name not in _RULES]
    values: dict[str, Any] = {}
    for one in written.values():
        if one.name in _RULES:
            try:
                values[one.name] = _RULES[one.name].parse(one.value)
            except ValueError as error:
                problems.append(_bad(one, error))
    if problems:
        raise ConfigInvalid("\n".join(problems))
    settings = Settings(**values)
    _check_tls(settings)
    _check_accel_redirect(settings)
    return settings


def _everything_written(environment: Mapping[str, str], options: Mapping[str, str]) -> Iterator[_Written]:
    """List what is written anywhere, the weakest first."""
    file = environment.get(_FILE_VARIABLE)
    if file:
        for key, value in _read_file(Path(file)).items():
            yield _Written(key, f"{key} in {file}", value)
    for variable, text in environment.items():
        if variable.startswith(_PREFIX) and variable != _FILE_VARIABLE and text:
            yield _Written(variable.removeprefix(_PREFIX).lower(), variable, text)
    for name, text in options.items():
        yield _Written(name, "--" + name.replace("_", "-"), text)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigInvalid(f"{_FILE_VARIABLE} names a file that cannot be read: {path} ({error.strerror}).") from error
    except ValueError as error:
        raise ConfigInvalid(f"{_FILE_VARIABLE} names a file that is not TOML: {path} ({error}).") from error


def _bad(one: _Written, error: ValueError) -> str:
    """Say which key is bad and why; the value itself only where it is no secret."""
    rule = _RULES[one.name]
    shown = "" if rule.is_secret else f" {one.value!r}"
    return f"{one.where} has a bad value{shown}: {error}. Allowed: {rule.allowed}."


def _unknown(one: _Written) -> str:
    near = difflib.get_close_matches(one.name, _RULES, n=1)
    hint = f" Is {near[0]} meant?" if near else ""
    return f"{one.where} is not a setting.{hint} The settings are: {', '.join(_RULES)}."


def _check_tls(settings: Settings) -> None:
    """Refuse half a pair, and files that cannot be read."""
    pair = {"tls_cert": settings.tls_cert, "tls_key": settings.tls_key}
    missing = [name for name, path in pair.items() if path is None]
    if len(missing) == 1:
        raise ConfigInvalid(f"{missing[0]} is not set, but its partner is: set both, or none for plain HTTP.")
    for name, path in pair.items():
        if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
            raise ConfigInvalid(f"{name} names a file that cannot be read: {path}.")


def _check_accel_redirect(settings: Settings) -> None:
    """Refuse to leave files to a proxy that is not named."""
    if settings.accel_redirect is not None and not settings.trusted_proxies:
        raise ConfigInvalid(
            "accel_redirect is set, but not trusted_proxies: name there the nginx that sends the files."
        )


def _typed(kind: Any) -> Callable[[object], Any]:  # noqa: ANN401 - an annotation, not always a type
    """Make a parser for what msgspec knows; texts of the environment count as the number or truth they spell."""
    return partial(msgspec.convert, type=kind, strict=False)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a text, or empty")
    return value


def _path(value: object) -> Path:
    return Path(_text(value)).expanduser()


def _address(value: object) -> Address:
    host, colon, port = _text(value).rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > _HIGHEST_PORT:
        raise ValueError(f"does not end in a colon and a port from 0 to {_HIGHEST_PORT}")
    if host == "localhost":
        return Address("127.0.0.1", int(port))
    if host.startswith("[") and host.endswith("]"):
        return Address(str(ipaddress.IPv6Address(host[1:-1])), int(port))
    return Address(str(ipaddress.IPv4Address(host)), int(port))


def _networks(value: object) -> tuple[Network, ...]:
    parts = value if isinstance(value, list) else _text(value).split(",")
    return tuple(ipaddress.ip_network(_text(part).strip()) for part in parts)


def _url(value: object) -> str:
    text = _text(value).rstrip("/")
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname or "@" in text or text != f"{url.scheme}://{url.netloc}":
        raise ValueError("not a scheme and a host, with or without a port")
    return text


def _duration(shortest: timedelta, longest: timedelta) -> Callable[[object], timedelta]:
    def parse(value: object) -> timedelta:
        duration = parse_duration(_text(value))
        if not shortest <= duration <= longest:
            raise ValueError("too short or too long")
        return duration

    return parse


def _size(value: object) -> int:
    return value if type(value) is int and value >= 0 else parse_size(_text(value))


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one setting allows, in words for people and as a parser that raises ValueError."""

    allowed: str
    parse: Callable[[object], Any]
    is_secret: bool = False


_RULES: Mapping[str, _Rule] = {
    "data": _Rule("a folder, made if it is not there", _path),
    "listen": _Rule("ADDRESS:PORT, where ADDRESS is an IP address (IPv6 in brackets) or localhost", _address),
    "workers": _Rule("a whole number from 1 to 1024", _typed(Annotated[int, msgspec.Meta(ge=1, le=1024)])),
    "role": _Rule("all, web or jobs", _typed(Role)),
    "admin_email": _Rule("an e-mail address", _typed(Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+$")])),
    "admin_password": _Rule("a text that is not empty", _text, is_secret=True),
    "tls_cert": _Rule("a PEM file with the certificate and its chain", _path),
    "tls_key": _Rule("a PEM file with the key, not encrypted", _path),
    "access_log": _Rule("true or false", _typed(bool)),
    "log_level": _Rule("debug, info, warning or error", _typed(LogLevel)),
    "trusted_proxies": _Rule("IP addresses or CIDR blocks, separated by commas", _networks),
    "accel_redirect": _Rule(
        "a path that begins and ends with a slash, such as /store/",
        _typed(Annotated[str, msgspec.Meta(pattern=r"^(/[A-Za-z0-9_-]+)+/\Z")]),
    ),
    "public_url": _Rule("an http or https URL without a path", _url),
    "upload_lifetime": _Rule(
        "a time like 90m or 12h, from 1m to 24h", _duration(timedelta(minutes=1), timedelta(hours=24))
    ),
    "upload_idle_timeout": _Rule("a time like 60s, from 1s to 1h", _duration(timedelta(seconds=1), timedelta(hours=1))),
    "free_space_reserve": _Rule("a size like 512MiB, or a number of bytes", _size),
    "stop_grace": _Rule("a time like 30s, from 0s to 24h", _duration(timedelta(0), timedelta(hours=24))),
}
