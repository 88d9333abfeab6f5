"""Figures of a benchmark."""

import pytest

from tests.bench.found import results


def test_value_is_the_median() -> None:
    """The figure of a scenario is the median over its rounds; one outlier does not move it."""
    assert results({("get", "moorage"): [90, 100, 1000]}).value("get", "moorage") == 100


def test_no_value_without_a_measurement() -> None:
    """A server that was not measured has no figure, and no ratio."""
    found = results({("get", "moorage"): [100], ("get", "zot"): [None]})

    assert found.value("get", "zot") is None
    assert found.ratio("get", "moorage", "zot") is None


def test_ratio_compares_round_by_round() -> None:
    """A ratio is the median of those of each round, so that a slow minute slows both sides of one ratio alone."""
    found = results({("get", "moorage"): [100, 10, 100], ("get", "zot"): [50, 5, 50]})

    assert found.ratio("get", "moorage", "zot") == pytest.approx(2)


def test_ratio_leaves_out_rounds_that_one_missed() -> None:
    """A round counts only where both servers have a figure."""
    found = results({("get", "moorage"): [None, 30], ("get", "zot"): [1, 10]})

    assert found.ratio("get", "moorage", "zot") == pytest.approx(3)


def test_ratio_above_one_is_always_better() -> None:
    """Where less is better, using half of the memory is twice as good."""
    found = results({("memory", "moorage"): [50], ("memory", "zot"): [100]}, lower_is_better=["memory"])

    assert found.ratio("memory", "moorage", "zot") == pytest.approx(2)
