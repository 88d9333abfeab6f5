"""Running hashes whose state outlives the process: an upload resumes without reading its bytes again.

hashlib cannot save its state, but the library under it can: libcrypto keeps a running SHA-2 in one plain struct, which
its callers allocate. Where that is proven to work, saving is copying those bytes; elsewhere nothing is saved.
"""

import ctypes
import functools
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from moorage.oci.digest import Digest, parse_algorithm

Buffer = bytes | bytearray | memoryview

# sha.h, SHA256_CTX and SHA512_CTX: words of state, two counters, one block, two ints. Unchanged since OpenSSL 0.9.8.
_CONTEXT_SIZES = {"sha256": 112, "sha512": 216}
# Room behind a context: should a library's struct be larger after all, the proof fails and no other memory is harmed.
_GUARD = 256
_CHECKSUM_SIZE = 32


class RunningHash(Protocol):
    """One hash over bytes that come in order."""

    def update(self, data: Buffer) -> None:
        """Hash `data` as well, without holding the interpreter's lock."""

    def digest(self) -> Digest:
        """Return the digest of all bytes so far; more may follow."""

    def state(self) -> bytes | None:
        """Return the state from which the same hash goes on elsewhere; None where it cannot be had."""


class HashlibHash:
    """A running hash that cannot be saved."""

    def __init__(self, algorithm: str) -> None:
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)

    def update(self, data: Buffer) -> None:
        """Hash `data` as well; hashlib releases the interpreter's lock for all but the smallest."""
        self._hash.update(data)

    def digest(self) -> Digest:
        """Return the digest of all bytes so far."""
        return Digest(self._algorithm, self._hash.hexdigest())

    def state(self) -> None:
        """Return None: hashlib has no way to it."""


@dataclass(frozen=True, slots=True)
class Native:
    """One algorithm of libcrypto: its three functions, and the size of the context that they work on."""

    algorithm: str
    init: Callable[[object], int]
    update: Callable[[object, object, int], int]
    final: Callable[[object, object], int]
    context_size: int
    digest_size: int


class NativeHash:
    """A running hash in a libcrypto context, which is all there is to save."""

    def __init__(self, native: Native, state: bytes | None = None) -> None:
        self._native = native
        self._context = ctypes.create_string_buffer(state or b"", native.context_size + _GUARD)
        if state is None:
            native.init(self._context)

    def update(self, data: Buffer) -> None:
        """Hash `data` as well; ctypes releases the interpreter's lock meanwhile."""
        size = memoryview(data).nbytes
        if size:
            self._native.update(self._context, _address(data), size)

    def digest(self) -> Digest:
        """Return the digest of all bytes so far, from a copy: finishing spoils a context."""
        copy = ctypes.create_string_buffer(self._context.raw, len(self._context))
        result = ctypes.create_string_buffer(self._native.digest_size)
        self._native.final(result, copy)
        return Digest(self._native.algorithm, result.raw.hex())

    def state(self) -> bytes:
        """Return the context."""
        return self._context.raw[: self._native.context_size]


class RunningHashes:
    """All running hashes of one object, and how many bytes they cover."""

    def __init__(self, running: dict[str, RunningHash], length: int) -> None:
        self.length = length
        self._running = running

    @classmethod
    def resume(cls, algorithms: Iterable[str], length: int, saved: bytes | None = None) -> Self:
        """Go on behind `length` bytes, by those of `algorithms` that `saved` has; at 0 bytes, by all of them."""
        if length == 0:
            return cls({name: new_hash(name) for name in algorithms}, 0)
        states = _load(saved, length) if saved else {}
        return cls(
            {name: NativeHash(load_natives()[name], states[name]) for name in algorithms if name in states}, length
        )

    def update(self, data: Buffer) -> None:
        """Hash `data` by every algorithm."""
        for running in self._running.values():
            running.update(data)
        self.length += memoryview(data).nbytes

    def digest(self, algorithm: str) -> Digest | None:
        """Return the digest of all bytes; None where `algorithm` has not seen all of them."""
        running = self._running.get(algorithm)
        return running.digest() if running else None

    def adopt(self, algorithm: str, running: RunningHash) -> None:
        """Carry on a hash that was made elsewhere of the same bytes."""
        self._running[algorithm] = running

    def save(self) -> bytes | None:
        """Save what can be saved, to be used by `resume` under the same boot of this machine only.

        After a power cut the file may have lost bytes that the state covers, and nothing would show it.
        """
        boot = boot_id()
        states = {name: state.hex() for name, running in self._running.items() if (state := running.state())}
        if boot is None or not states:
            return None
        content = json.dumps({"boot": boot, "length": self.length, "states": states}).encode()
        return hashlib.sha256(content).digest() + content


def new_hash(algorithm: str) -> RunningHash:
    """Start a hash that can be saved if possible. Raises DigestInvalid for an unsupported algorithm."""
    native = load_natives().get(parse_algorithm(algorithm))
    return NativeHash(native) if native else HashlibHash(algorithm)


@functools.cache
def load_natives() -> dict[str, Native]:
    """Find the algorithms of libcrypto that are proven to survive being saved; none is a fine answer."""
    try:
        library = _libcrypto()
        natives = [_bind(library, algorithm, size) for algorithm, size in _CONTEXT_SIZES.items()]
    except (ImportError, OSError, AttributeError):
        return {}
    return {native.algorithm: native for native in natives if is_proven(native)}


def is_proven(native: Native) -> bool:
    """Tell whether a context saved in the middle of a block goes on elsewhere, and ends in the digest of hashlib."""
    sample = bytes(range(251))
    first = NativeHash(native)
    first.update(sample)
    second = NativeHash(native, first.state())
    second.update(sample)
    return (first.digest(), second.digest()) == (
        Digest.of(sample, native.algorithm),
        Digest.of(sample * 2, native.algorithm),
    )


@functools.cache
def boot_id() -> str | None:
    """Name this boot of the machine; None where the system does not."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _load(saved: bytes, length: int) -> dict[str, bytes]:
    """Read saved states by algorithm; none of damaged ones, of another boot, or of another number of bytes."""
    checksum, content = saved[:_CHECKSUM_SIZE], saved[_CHECKSUM_SIZE:]
    if hashlib.sha256(content).digest() != checksum:
        return {}
    fields = json.loads(content)
    if (fields["boot"], fields["length"]) != (boot_id(), length):
        return {}
    states = {name: bytes.fromhex(state) for name, state in fields["states"].items()}
    return {name: state for name, state in states.items() if _fits(name, state)}


def _fits(algorithm: str, state: bytes) -> bool:
    """Tell whether the library of this process can go on from `state`."""
    native = load_natives().get(algorithm)
    return native is not None and len(state) == native.context_size


def _libcrypto() -> ctypes.CDLL:
    """Open the very library that hashlib uses: a symbol is looked up in a module and in what it was linked with.

    CDLL, not PyDLL: only it releases the interpreter's lock. Without a file, _hashlib is part of the program itself.
    """
    import _hashlib  # noqa: PLC0415 -- missing in a Python that was built without OpenSSL

    return ctypes.CDLL(getattr(_hashlib, "__file__", None))


def _bind(library: ctypes.CDLL, algorithm: str, context_size: int) -> Native:
    """Declare the types of one algorithm's functions; raises AttributeError where the library has none."""
    init, update, final = (library[f"{algorithm.upper()}_{step}"] for step in ("Init", "Update", "Final"))
    init.argtypes = [ctypes.c_void_p]
    update.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    final.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return Native(algorithm, init, update, final, context_size, hashlib.new(algorithm).digest_size)


def _address(data: Buffer) -> object:
    """Point ctypes at bytes without copying them, except in a read-only view, which it has no way into."""
    if isinstance(data, bytes):
        return data
    if memoryview(data).readonly:
        return bytes(data)
    return ctypes.byref(ctypes.c_char.from_buffer(data))
