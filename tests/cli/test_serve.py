"""`moorage serve` hands on the options that were given, and only those."""

import pytest

from moorage.cli.main import run
from tests.cli.lent import Lent


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], {}),
        (["--data", "/srv", "--listen", "[::]:443"], {"data": "/srv", "listen": "[::]:443"}),
        (["--workers", "3", "--role", "web"], {"workers": "3", "role": "web"}),
        (["--tls-cert", "c.pem", "--tls-key", "k.pem"], {"tls_cert": "c.pem", "tls_key": "k.pem"}),
        (["--access-log"], {"access_log": "true"}),
        (["--no-access-log"], {"access_log": "false"}),
    ],
)
def test_options_become_settings(arguments: list[str], options: dict[str, str]) -> None:
    """As text: what is allowed is decided where it is for environment and file, with the same messages."""
    lent = Lent()
    assert run(lent.operations(), ["serve", *arguments]) == 0
    assert lent.served == [options]
