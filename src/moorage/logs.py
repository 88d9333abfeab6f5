"""The form of the logs: one JSON object a line on stderr, and never a secret in it."""

import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar

import structlog
from structlog.typing import EventDict, WrappedLogger

# Set for the length of a request; every line written meanwhile carries it.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# Libraries that tell at length, as news, how they go about what was asked of them.
_CHATTY = ("alembic", "dbos")

_HIDDEN = "[hidden]"
# Ends of names, so that X-Registry-Auth's and admin_password's values are hidden too.
_SECRET_NAME = re.compile(r"(?i)(authorization|auth|password|passwd|secret|cookie|credentials?|token)$")
_SECRET_TEXT = re.compile(
    r"""(?ix)
    moor_[A-Za-z0-9_-]+                                      # API token
    | eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?                      # JWT
    | (?<=\bBearer\s)[^\s"',]+ | (?<=\bBasic\s)[^\s"',]+     # Authorization header
    | (?<=://)[^/\s@"']+(?=@)                                # user and password in a URL
    | (?:(?<=password=)|(?<=password":\s")|(?<=password':\s')|(?<=token=)|(?<=secret=))[^\s&"',]+
    """
)


def configure(level: str) -> None:
    """Send everything logged in this process, by whatever library, to stderr in the one form; `level` is a name."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _add_request_id,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                hide_secrets,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    current = request_id.get()
    if current is not None:
        event["request_id"] = current
    return event


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace passwords, tokens and Authorization values wherever they stand in `event`."""
    return {name: _hide(name, value) for name, value in event.items()}


def _hide(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_NAME.search(name):
        return _HIDDEN
    if isinstance(value, Mapping):
        return {_text(key): _hide(_text(key), inner) for key, inner in value.items()}
    match value:
        case (str() | bytes() as key, str() | bytes() as inner):  # a header, as ASGI and HTTP clients hold it
            return [_text(key), _hide(_text(key), inner)]
        case list() | tuple() | set() | frozenset():
            return [_hide("", inner) for inner in value]
    return _SECRET_TEXT.sub(_HIDDEN, _text(value))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
