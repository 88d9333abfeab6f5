"""Log lines have one form, whoever writes them, and hold no secrets."""

import json
import logging
import subprocess
import sys

import pytest

from moorage import logs

TOKEN = "moor_0353AE1PEvhkt6i8OODUir1IPNlybybsuUyKoqmuXhJbgqYtf8Izn2pEJay"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
WRITE = """
import logging, structlog
from moorage import logs
logs.configure("info")
logs.request_id.set("r-1")
structlog.get_logger("ours").info("hello", number=1)
logging.getLogger("theirs").warning("hello %s", "there", extra={"token": "canary"})
try:
    raise RuntimeError("password=canary")
except RuntimeError:
    structlog.get_logger("ours").exception("failed")
logging.getLogger("ours").debug("not shown")
logging.getLogger("alembic.runtime").info("not shown")
"""


def hidden(**event: object) -> str:
    """Write an event as it would be written after the secrets are hidden."""
    return json.dumps(logs.hide_secrets(None, "info", dict(event)))


def test_every_line_is_json_of_one_form() -> None:
    """Our own lines and a library's differ in nothing but what they say; each has time, level, event and request id."""
    done = subprocess.run([sys.executable, "-c", WRITE], capture_output=True, text=True, check=True)
    ours, theirs, failed = [json.loads(line) for line in done.stderr.splitlines()]
    assert (ours["event"], ours["level"], ours["logger"], ours["number"]) == ("hello", "info", "ours", 1)
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("hello there", "warning", "theirs")
    assert failed["exception"].startswith("Traceback")
    assert {line["request_id"] for line in (ours, theirs, failed)} == {"r-1"}
    assert all(line["time"].endswith("Z") for line in (ours, theirs, failed))
    assert "canary" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        JWT,
        "Authorization: Bearer canary",
        "Authorization: Basic Y2FuYXJ5OmNhbmFyeQ==",
        "https://canary:canary@registry.example.test/v2/",
        "POST grant_type=password&username=me&password=canary&service=x",
        '{"username": "me", "password": "canary"}',
        "?token=canary",
    ],
)
def test_secrets_in_texts_are_hidden(secret: str) -> None:
    """Wherever in an event a text holds a secret, the secret is replaced and the rest stays."""
    for written in (
        hidden(event=f"before {secret} after"),
        hidden(event="x", deep={"list": [("a", f"before {secret} after")]}),
        hidden(event="x", raw=f"before {secret} after".encode()),
        hidden(event="x", object=RuntimeError(f"before {secret} after")),
    ):
        assert not any(canary in written for canary in ("canary", "Y2FuYXJ5", TOKEN[8:], JWT.split(".")[1]))
        assert "before" in written
        assert "after" in written


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "admin_password",
        "Authorization",
        "X-Registry-Auth",
        "cookie",
        "refresh_token",
        "secret",
        "identitytoken",
    ],
)
def test_values_of_secret_names_are_hidden(name: str) -> None:
    """A value is hidden for its name alone, also as a header among others."""
    assert "canary" not in hidden(**{name: "canary"})
    assert "canary" not in hidden(headers={name: ["canary"]})
    assert "canary" not in hidden(headers=[(b"host", b"x"), (name.encode(), b"canary")])


def test_what_is_no_secret_stays() -> None:
    """Digests, names, numbers and ids are what logs are read for."""
    event: dict[str, object] = {
        "event": "request",
        "digest": "sha256:" + "ab" * 32,
        "path": "/v2/main/busybox/manifests/1",
        "status": 200,
        "token_id": "019",
        "remote": None,
    }
    assert logs.hide_secrets(None, "info", dict(event)) == event


def test_the_level_is_a_threshold(capfd: pytest.CaptureFixture[str]) -> None:
    """What is less important than the level asked for is not written."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.configure("error")
        logging.getLogger("x").warning("quiet")
        logging.getLogger("x").error("loud")
    finally:
        root.handlers[:], root.level = before, level
    written = capfd.readouterr().err
    assert "loud" in written
    assert "quiet" not in written
