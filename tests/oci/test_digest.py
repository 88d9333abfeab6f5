"""Which texts are digests, and what the refused ones are told."""

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.errors import DigestInvalid
from moorage.oci.digest import ALGORITHMS, Digest, parse_algorithm

SHA256 = "sha256:" + "a" * 64
SHA512 = "sha512:" + "0" * 128


@pytest.mark.parametrize("text", [SHA256, SHA512])
def test_supported_digest_round_trips(text: str) -> None:
    """A digest is written as it was read."""
    assert str(Digest.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not a digest: a digest is algorithm:encoded"),
        ("sha256", "is not a digest: a digest is algorithm:encoded"),
        ("sha256:", "is not a digest: a digest is algorithm:encoded"),
        (":" + "a" * 64, "is not a digest: a digest is algorithm:encoded"),
        ("SHA256:" + "a" * 64, "is not a digest: a digest is algorithm:encoded"),
        ("sha256+:" + "a" * 64, "is not a digest: a digest is algorithm:encoded"),
        (SHA256 + "\n", "is not a digest: a digest is algorithm:encoded"),
        (SHA256 + ":" + "a" * 64, "is not a digest: a digest is algorithm:encoded"),
        ("sha256:baddigeststring", "sha256 has exactly 64 lower-case hexadecimal digits"),
        ("sha256:" + "A" * 64, "sha256 has exactly 64 lower-case hexadecimal digits"),
        ("sha256:" + "a" * 63, "sha256 has exactly 64 lower-case hexadecimal digits"),
        ("sha256:" + "a" * 63 + "g", "sha256 has exactly 64 lower-case hexadecimal digits"),
        ("sha512:" + "a" * 64, "sha512 has exactly 128 lower-case hexadecimal digits"),
        ("blake3:" + "a" * 64, "'blake3' is not supported: use sha256 or sha512"),
        ("a+b.c_d-e:x=_-Y", "'a+b.c_d-e' is not supported: use sha256 or sha512"),
    ],
)
def test_refused_digest_is_told_why(text: str, told: str) -> None:
    """Malformed, wrong length and unsupported are told apart."""
    with pytest.raises(DigestInvalid) as refused:
        Digest.parse(text)
    assert told in refused.value.message


@pytest.mark.parametrize("text", ["a" * 100_000, "a-" * 50_000, "a" * 50_000 + ":" + "=" * 50_000, ":" * 100_000])
def test_hostile_text_is_refused_briefly(text: str) -> None:
    """Long texts neither slow the grammar down nor fill the message."""
    with pytest.raises(DigestInvalid) as refused:
        Digest.parse(text)
    assert len(refused.value.message) < 300


@given(st.text())
def test_any_text_is_a_digest_or_refused(text: str) -> None:
    """No text raises anything but DigestInvalid."""
    with contextlib.suppress(DigestInvalid):
        assert str(Digest.parse(text)) == text


@given(st.binary(), st.sampled_from(ALGORITHMS))
def test_digest_of_bytes_parses(data: bytes, algorithm: str) -> None:
    """What is computed is well-formed and is what hashlib says."""
    digest = Digest.of(data, algorithm)
    assert Digest.parse(str(digest)) == digest
    assert digest.encoded == hashlib.new(algorithm, data).hexdigest()


def test_digests_are_sha256_by_default() -> None:
    """Without an algorithm the required one is used."""
    assert str(Digest.of(b"{}")) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_digests_sort_and_hash() -> None:
    """Digests can be ordered, for lock order, and be members of sets."""
    first, second = Digest.parse(SHA256), Digest.parse(SHA512)
    assert sorted({second, first, Digest.parse(SHA256)}) == [first, second]


@pytest.mark.parametrize("text", ["", "md5", "SHA256", "sha256 "])
def test_unsupported_algorithm_is_refused(text: str) -> None:
    """Only the supported algorithms can be announced for an upload."""
    assert [parse_algorithm(name) for name in ALGORITHMS] == list(ALGORITHMS)
    with pytest.raises(DigestInvalid, match="use sha256 or sha512"):
        parse_algorithm(text)
