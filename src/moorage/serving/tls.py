"""Tells whether a certificate and its key can be served."""

import ssl
from pathlib import Path

from moorage.errors import ConfigInvalid


def check_pair(certificate: Path, key: Path) -> None:
    """Raise ConfigInvalid that says what is wrong with the PEM files; load the same pair that the workers will."""
    for name, path in (("tls_cert", certificate), ("tls_key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigInvalid(f"{name} names a file that cannot be read: {path} ({error.strerror}).") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigInvalid(f"The key in {key} is not the key of the certificate in {certificate}.") from error
        raise ConfigInvalid(f"{certificate} and {key} are not a certificate and a key in PEM form.") from error
    except _EncryptedKeyError as error:
        raise ConfigInvalid(
            f"The key in {key} is encrypted: give it without a password, readable by us only."
        ) from error


class _EncryptedKeyError(Exception):
    pass


def _refuse_password() -> str:
    """Stand in for the question on the terminal that OpenSSL would ask."""
    raise _EncryptedKeyError
