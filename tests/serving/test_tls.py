"""Files that cannot be served are told apart, each with a sentence."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from moorage.errors import ConfigInvalid
from moorage.serving.tls import check_pair


@pytest.fixture
def issued() -> trustme.LeafCert:
    """A certificate with its key."""
    return trustme.CA().issue_cert("127.0.0.1")


@pytest.fixture
def pair(issued: trustme.LeafCert, tmp_path: Path) -> tuple[Path, Path]:
    """Its files."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return certificate, key


def test_a_certificate_and_its_key_are_fine(pair: tuple[Path, Path]) -> None:
    """Nothing is raised."""
    check_pair(*pair)


def test_a_missing_file_is_named(pair: tuple[Path, Path]) -> None:
    """The setting and the path are in the message."""
    pair[1].unlink()
    with pytest.raises(ConfigInvalid, match=f"^tls_key names a file that cannot be read: {pair[1]}"):
        check_pair(*pair)


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_is_not_pem_is_refused(pair: tuple[Path, Path], which: int) -> None:
    """Whichever of the two it is."""
    pair[which].write_text("nonsense")
    with pytest.raises(ConfigInvalid, match="are not a certificate and a key in PEM form"):
        check_pair(*pair)


def test_another_certificate_s_key_is_refused(pair: tuple[Path, Path]) -> None:
    """A renewal that replaced one file only is the usual reason."""
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(pair[1])
    with pytest.raises(ConfigInvalid, match="is not the key of the certificate"):
        check_pair(*pair)


def test_an_encrypted_key_is_refused_without_a_question(pair: tuple[Path, Path]) -> None:
    """A server that asks for a password at a terminal cannot start by itself."""
    key = serialization.load_pem_private_key(pair[1].read_bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    pair[1].write_bytes(encrypted)
    with pytest.raises(ConfigInvalid, match="is encrypted"):
        check_pair(*pair)
