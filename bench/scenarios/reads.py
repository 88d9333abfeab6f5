"""Small requests that read, and whole blobs and parts of them."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from bench.filling import MANIFEST_TYPE
from bench.generator import ImagesOrder, Request
from bench.scenario import KIB, MIB, Outcome, Scenario, Stage, Stand, rate_of, throughput_of

_SMALL, _LARGE = "main/small", "main/large"
_BLOB = 256 * MIB
_RANGE = 64 * KIB
_PUSHES_A_SECOND, _PUSHERS = 20.0, 8
_LAYERS = (4 * KIB,) * 3


def _prepare(stand: Stand) -> None:
    stand.push("small", _SMALL, _LAYERS)
    stand.push("large", _LARGE, (_BLOB,))


def _request(stand: Stand, method: str, path: str, repository: str, **headers: str) -> Request:
    authorization = stand.authorization(f"repository:{repository}:pull")
    return Request(method, path, {"Authorization": authorization, "Accept": MANIFEST_TYPE} | headers)


def _manifest(method: str, connections: int, *, thorough: bool = False) -> Scenario:
    def measure(stand: Stand) -> Outcome:
        request = _request(stand, method, stand.images["small"].manifest, _SMALL)
        return rate_of(stand.repeat([request], connections))

    name = f"manifest-{method.lower()}-{connections}"
    title = f"manifest {method} by tag, {connections} connections"
    return Scenario(name, title, "req/s", measure, thorough=thorough)


def _manifest_meanwhile(connections: int, *, thorough: bool = False) -> Scenario:
    quiet = _manifest("GET", connections)

    def measure(stand: Stand) -> Outcome:
        """Measure as on a quiet server, while somebody else pushes."""
        order = ImagesOrder(
            address=stand.address,
            clients=[stand.client(f"main/other-{number}") for number in range(_PUSHERS)],
            layers=_LAYERS,
            rate=_PUSHES_A_SECOND,
            warmup=stand.scale.warmup,
            seconds=stand.scale.seconds,
        )
        with ThreadPoolExecutor(1) as background:
            pushing = background.submit(stand.generator.images, order)
            outcome = quiet.measure(stand)
            pushed = pushing.result()
        message = f"{pushed.pushes / pushed.seconds:.0f} pushed/s"
        return replace(outcome, failures={**outcome.failures, **pushed.failures.counts}, message=message)

    title = f"{quiet.title}, while 20 small images/s are pushed"
    return Scenario(f"{quiet.name}-pushes", title, "req/s", measure, thorough=thorough)


def _head_blob(stand: Stand) -> Outcome:
    request = _request(stand, "HEAD", stand.images["small"].blobs[-1], _SMALL)
    return rate_of(stand.repeat([request], 16))


def _issue_tokens(stand: Stand) -> Outcome:
    path, authorization = stand.running.program.token_request(stand.running.place)
    return rate_of(stand.repeat([Request("GET", path, {"Authorization": authorization})], 4))


def _pull(connections: int, *, thorough: bool = False) -> Scenario:
    def measure(stand: Stand) -> Outcome:
        request = _request(stand, "GET", stand.images["large"].blobs[-1], _LARGE)
        return throughput_of(stand.repeat([request], connections))

    title = f"pull of a whole blob of 256 MiB, {connections} connection{'s' if connections > 1 else ''}"
    return Scenario(f"blob-get-{connections}", title, "MiB/s", measure, thorough=thorough)


def _read_ranges(stand: Stand) -> Outcome:
    path = stand.images["large"].blobs[-1]
    places = random.Random(1)  # noqa: S311 - the same places for every server
    starts = [places.randrange(_BLOB - _RANGE) for _ in range(200)]
    ranged = [{"Range": f"bytes={start}-{start + _RANGE - 1}"} for start in starts]
    plain = _request(stand, "GET", path, _LARGE)
    requests = [Request("GET", path, dict(plain.headers) | headers) for headers in ranged]
    return rate_of(stand.repeat(requests, 16))


STAGE = Stage(
    "reads",
    [
        _manifest("GET", 16),
        _manifest("GET", 64),
        _manifest("HEAD", 16),
        _manifest("HEAD", 64, thorough=True),
        _manifest_meanwhile(16),
        _manifest_meanwhile(64, thorough=True),
        Scenario("blob-head", "blob HEAD, 16 connections", "req/s", _head_blob),
        Scenario("token", "token issue, 4 connections", "tokens/s", _issue_tokens, limited=False),
        _pull(1),
        _pull(4, thorough=True),
        _pull(16),
        Scenario("range", "Range of 64 KiB of a blob of 256 MiB, 16 connections", "req/s", _read_ranges),
    ],
    prepare=_prepare,
)
