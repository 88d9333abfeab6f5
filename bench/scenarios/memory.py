"""Memory under many pushes at once, and under one very large one."""

from bench.generator import ImagesOrder
from bench.processes import Watch
from bench.scenario import MIB, Outcome, Scenario, Stage, Stand, pushes_of

_CROWD = 64


def _crowd(stand: Stand) -> Outcome:
    return _largest_process(stand, clients=_CROWD, layer=stand.scale.crowd)


def _huge(stand: Stand) -> Outcome:
    return _largest_process(stand, clients=1, layer=stand.scale.huge)


def _largest_process(stand: Stand, *, clients: int, layer: int) -> Outcome:
    order = ImagesOrder(
        address=stand.address,
        clients=[stand.client(f"main/crowd-{number}") for number in range(clients)],
        layers=[layer],
        count=clients,
    )
    with Watch(lambda: stand.running.pid) as watch:
        result = stand.generator.images(order)
    pushed = pushes_of(result)
    speed = f"{result.bytes / MIB / result.seconds:.0f} MiB/s"
    return Outcome(watch.usage().largest_rss / MIB, pushed.latency, pushed.failures, pushed.message or speed)


def stage(crowd: int, huge: int) -> Stage:
    """Return the stage; its titles state the sizes, which differ between long and quick runs."""
    crowd_title = f"memory of the largest process, {_CROWD} pushes of {crowd // MIB} MiB at once"
    huge_title = f"memory of the largest process, one push of {huge // MIB:,} MiB"
    return Stage(
        "memory",
        [
            Scenario("memory-crowd", crowd_title, "MiB", _crowd, higher_is_better=False, once=True, limited=False),
            Scenario("memory-huge", huge_title, "MiB", _huge, higher_is_better=False, once=True, limited=False),
        ],
        alone=True,
    )
