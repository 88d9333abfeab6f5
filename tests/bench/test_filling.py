"""Repositories that are written rather than pushed."""

import json

from bench.filling import Filling


def test_referrers_are_about_the_image() -> None:
    """Each artifact names the image as its subject, and is unlike the others."""
    filling = Filling("main/some", tags=1, referrers=3)
    artifacts = list(filling.artifacts())

    assert {json.loads(one.content)["subject"]["digest"] for one in artifacts} == {filling.image().digest}
    assert len({one.digest for one in artifacts}) == 3


def test_tags_come_in_order() -> None:
    """Tags are made in the order in which a registry lists them."""
    names = list(Filling("main/some", tags=12).tag_names())

    assert names == sorted(names)
    assert len(names) == 12
