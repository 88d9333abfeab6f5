"""What a run writes."""

from bench import report
from tests.bench.found import results


def test_losses_are_named() -> None:
    """Where a peer does better, the document says so, with the ratio; where it does not, it is not named."""
    figures = {("get", "moorage"): [50], ("get", "zot"): [100], ("put", "moorage"): [100], ("put", "zot"): [100]}
    text = report.markdown(results(figures))

    assert "- title of get: 0.50x Zot" in text
    assert "- title of put" not in text


def test_figures_have_their_ratio_beside_them() -> None:
    """Each peer's figure is followed by how many times as good Moorage is."""
    text = report.summary(results({("get", "moorage"): [1500], ("get", "zot"): [1000]}))

    assert "| title of get (`get`), req/s | 1,500 | 1,000 (1.50x) |" in text
