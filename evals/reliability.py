"""A reliability plot as text: how often what was said with some confidence is so (DeGroot and Fienberg 1983)."""

from __future__ import annotations

from collections.abc import Sequence

from evals.metrics import calibration_bins

__all__ = ["reliability_plot"]

WIDTH = 40


def reliability_plot(probabilities: Sequence[float], outcomes: Sequence[bool], weights: Sequence[float] | None = None) -> str:
    """Returns a line for each tenth of confidence: the mean confidence, the share that is so, the count, and a bar.

    The bar is as long as the share; `|` stands at the mean confidence, where a perfectly calibrated bar would end.
    """
    lines = [f"{'said':>5} {'is so':>6} {'count':>6}"]
    for each in calibration_bins(probabilities, outcomes, weights=weights):
        bar = list(("█" * round(each.share * WIDTH)).ljust(WIDTH + 1))
        bar[round(each.mean * WIDTH)] = "|"
        lines.append(f"{each.mean:5.2f} {each.share:6.2f} {each.size:6}  {''.join(bar).rstrip()}")
    return "\n".join(lines)
