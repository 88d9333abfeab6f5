"""Targets and verdicts."""

from bench.targets import judge
from tests.bench.found import results


def test_a_target_against_peers_has_a_verdict_each() -> None:
    """A target names several peers: each is judged apart, and one that is missing is neither met nor missed."""
    found = results({("blob-push", "moorage"): [300], ("blob-push", "distribution3"): [100]})

    assert [(one.wanted, one.found, one.met) for one in judge(found)] == [
        ("≥ 2x Distribution3", "3.00x", True),
        ("≥ 2x distribution2", "not measured", None),
    ]


def test_a_target_against_another_scenario() -> None:
    """The figure under disturbance is compared with the quiet one."""
    found = results({("manifest-get-16", "moorage"): [1000], ("manifest-get-16-pushes", "moorage"): [600]})
    verdict = next(one for one in judge(found) if one.scenario == "manifest-get-16-pushes")

    assert (verdict.found, verdict.met) == ("0.60x", False)


def test_a_limit() -> None:
    """A figure at the limit meets it."""
    found = results({("start", "moorage"): [1.0]}, lower_is_better=["start"])

    assert [one.met for one in judge(found)] == [True]


def test_only_scenarios_that_ran_are_judged() -> None:
    """A run of one scenario has no verdicts on others."""
    assert judge(results({("catalog", "moorage"): [1]})) == []
