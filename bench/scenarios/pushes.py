"""Pushes of large and small images, and pushes mixed with pulls."""

from bench.generator import ImagesOrder
from bench.scenario import KIB, MIB, Outcome, Scenario, Stage, Stand, pushes_of

_BLOB = 256 * MIB
_CLIENTS = 8
_MIXED_LAYER = MIB


def _prepare(stand: Stand) -> None:
    for number in range(_CLIENTS):
        stand.push(_mixed(number), _mixed(number), (_MIXED_LAYER,))


def _mixed(number: int) -> str:
    return f"main/mixed-{number}"


def _push_blob(stand: Stand) -> Outcome:
    client = stand.client("main/large")
    result = stand.generator.images(ImagesOrder(address=stand.address, clients=[client], layers=[_BLOB], count=1))
    pushed = pushes_of(result)
    return Outcome(result.bytes / MIB / result.seconds, pushed.latency, pushed.failures, pushed.message)


def _push_images(stand: Stand) -> Outcome:
    order = ImagesOrder(
        address=stand.address,
        clients=[stand.client(f"main/small-{number}") for number in range(_CLIENTS)],
        layers=(4 * KIB,) * 3,
        warmup=stand.scale.warmup,
        seconds=stand.scale.seconds,
    )
    return pushes_of(stand.generator.images(order))


def _mix(stand: Stand) -> Outcome:
    clients = []
    for number in range(_CLIENTS):
        image = stand.images[_mixed(number)]
        clients.append(stand.client(_mixed(number), [image.manifest, *image.blobs]))
    order = ImagesOrder(
        address=stand.address,
        clients=clients,
        layers=[_MIXED_LAYER],
        pulls=3,
        warmup=stand.scale.warmup,
        seconds=stand.scale.seconds,
    )
    result = stand.generator.images(order)
    pushed = pushes_of(result)
    done = (result.pushes + result.pulls) / result.seconds
    return Outcome(done, pushed.latency, pushed.failures, pushed.message)


STAGE = Stage(
    "pushes",
    [
        Scenario("blob-push", "push of a blob of 256 MiB", "MiB/s", _push_blob),
        Scenario("image-push", "push of images of 3 x 4 KiB from 8 clients", "images/s", _push_images),
        Scenario("mixed", "75 % pulls, 25 % pushes of images of 1 MiB, 8 clients", "images/s", _mix),
    ],
    prepare=_prepare,
)
