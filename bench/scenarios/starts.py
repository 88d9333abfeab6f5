"""Time from the start of a server to its first answer."""

from bench.scenario import Outcome, Scenario, Stage, Stand


def _start_anew(stand: Stand) -> Outcome:
    stand.running.wipe()
    return Outcome(stand.running.start())


def _start_again(stand: Stand) -> Outcome:
    stand.running.stop()
    return Outcome(stand.running.start())


STAGE = Stage(
    "starts",
    [
        Scenario(
            "start", "start to first answer, data there", "s", _start_again, higher_is_better=False, limited=False
        ),
        Scenario("first-start", "the same on an empty folder", "s", _start_anew, higher_is_better=False, limited=False),
    ],
    alone=True,
)
