"""Cosign: sign and verify with a key pair, without any transparency log."""

import json

import pytest

from tests.clients.layouts import Layout
from tests.clients.terminal import Terminal
from tests.server import Server

# The bundle is a referrer of the image; the older form is a tag made of the image's digest.
REFERRER = ("--new-bundle-format=true",)
TAG = ("--new-bundle-format=false",)


@pytest.fixture
def cosign(terminal: Terminal, server: Server) -> Terminal:
    """A terminal that is logged in and has a key pair in its home folder."""
    cosign = terminal.with_variables(COSIGN_PASSWORD="of the key")
    cosign.run("cosign", "generate-key-pair")
    cosign.run("cosign", "login", server.host, "-u", server.email, "--password-stdin", stdin=server.password)
    return cosign


@pytest.fixture
def image(cosign: Terminal, server: Server, repository: str, layout: Layout) -> str:
    """The multi-architecture image, by digest as cosign wants it."""
    name = f"{server.host}/{repository}"
    cosign.run("crane", "push", layout.path, f"{name}:1")
    return f"{name}@{layout.index}"


def sign(cosign: Terminal, image: str, form: tuple[str, ...]) -> None:
    """Sign with the key of the home folder and leave the public log alone."""
    offline = ("--tlog-upload=false", "--use-signing-config=false", "--yes")
    cosign.run("cosign", "sign", "--key", "cosign.key", *offline, *form, image)


def tags(cosign: Terminal, image: str) -> list[str]:
    """Return the tags of the image's repository."""
    return cosign.run("crane", "ls", image.partition("@")[0]).split()


VERIFY = ("cosign", "verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true")


def test_sign_and_verify_by_referrer(cosign: Terminal, image: str, layout: Layout) -> None:
    """The signature is a referrer of the image, and no tag appears."""
    cosign.fail(*VERIFY, *REFERRER, image)
    sign(cosign, image, REFERRER)
    cosign.run(*VERIFY, *REFERRER, image)
    assert tags(cosign, image) == ["1"]
    assert layout.index in cosign.run("cosign", "tree", image)


def test_sign_and_verify_by_tag(cosign: Terminal, image: str, layout: Layout) -> None:
    """The signature lies under a tag that names the image's digest."""
    cosign.fail(*VERIFY, *TAG, image)
    sign(cosign, image, TAG)
    (verified,) = json.loads(cosign.run(*VERIFY, *TAG, image))
    assert verified["critical"]["image"]["docker-manifest-digest"] == layout.index
    assert f"{layout.index.replace(':', '-')}.sig" in tags(cosign, image)


def test_another_key_does_not_verify(cosign: Terminal, image: str) -> None:
    """A signature made with one key is worth nothing to the holder of another."""
    sign(cosign, image, REFERRER)
    cosign.run("cosign", "generate-key-pair", "--output-key-prefix", "other")
    cosign.fail("cosign", "verify", "--key", "other.pub", "--insecure-ignore-tlog=true", image)


def test_clean_removes_the_signatures(cosign: Terminal, image: str) -> None:
    """`clean` deletes the signature's tag; the image stays."""
    sign(cosign, image, TAG)
    cosign.run("cosign", "clean", "--force", image)
    assert tags(cosign, image) == ["1"]


def test_save_and_load(cosign: Terminal, image: str) -> None:
    """A saved image with its signature is loaded into another repository, the referrer before its blobs."""
    sign(cosign, image, REFERRER)
    copy = f"{image.partition('@')[0]}-copy"
    cosign.run("cosign", "save", "--dir", "saved", image)
    cosign.run("cosign", "load", "--dir", "saved", f"{copy}:1")
    cosign.run(*VERIFY, *REFERRER, f"{copy}@{image.partition('@')[2]}")
