"""Plots as inline SVG: no scripts, no fonts, colours from the page's style sheet, and a text that says what is to be seen."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from evals.metrics import Bin

__all__ = ["reliability", "risk_coverage"]

SIDE = 260
"""Of a square plot, without its margins; pixels at full size."""
MARGIN = 44


def risk_coverage(points: Sequence[tuple[float, float]]) -> Markup:
    """Returns the risk, upwards, of answering the surest share of the questions, rightwards; points as (coverage, risk)."""
    path = " ".join(f"{'L' if at else 'M'}{_x(coverage):.1f} {_y(risk):.1f}" for at, (coverage, risk) in enumerate(points))
    parts = [
        *_axes("share of questions answered, surest first", "share of these that is wrong"),
        f'<line x1="{_x(0)}" x2="{_x(1)}" y1="{_y(0.05):.1f}" y2="{_y(0.05):.1f}" class="guide"/>',
        f'<text x="{_x(1)}" y="{_y(0.05) - 4:.1f}" text-anchor="end" class="small">5% risk</text>',
        f'<path d="{path}" class="line"/>',
    ]
    last = f"{points[-1][1]:.0%} wrong with all answered" if points else "no questions"
    return _svg(SIDE + 2 * MARGIN, SIDE + 2 * MARGIN, f"Risk and coverage: {last}", parts)


def reliability(bins: Sequence[Bin]) -> Markup:
    """Returns for each bin of confidence, rightwards, the share that was answerable, upwards; larger dots hold more."""
    most = max((each.size for each in bins), default=1)
    parts = [
        *_axes("confidence", "share that the document answers"),
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" class="guide"/>',
    ]
    for each in bins:
        radius = 3 + 9 * (each.size / most) ** 0.5
        x, y = _x(each.mean), _y(each.share)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="dot"/>'
            f'<text x="{x + radius + 3:.1f}" y="{y + 4:.1f}" class="small">{each.size}</text>'
        )
    said = "; ".join(f"at {each.mean:.2f} {each.share:.0%} of {each.size}" for each in bins)
    return _svg(SIDE + 2 * MARGIN, SIDE + 2 * MARGIN, f"Reliability: {said}", parts)


def _axes(across: str, up: str) -> list[str]:
    parts = [f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}" class="frame"/>']
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<text x="{_x(tick):.1f}" y="{_y(0) + 15:.1f}" text-anchor="middle" class="small">{tick:.0%}</text>')
        parts.append(f'<text x="{_x(0) - 5:.1f}" y="{_y(tick) + 4:.1f}" text-anchor="end" class="small">{tick:.0%}</text>')
    middle = MARGIN + SIDE / 2
    parts.append(f'<text x="{middle}" y="{SIDE + 2 * MARGIN - 8}" text-anchor="middle" class="small">{across}</text>')
    parts.append(f'<text x="{MARGIN}" y="{MARGIN - 12}" class="small">{up}</text>')
    return parts


def _x(value: float) -> float:
    return MARGIN + value * SIDE


def _y(value: float) -> float:
    return MARGIN + (1 - value) * SIDE


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> Markup:
    # Every text among the parts was escaped where it came in.
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    return Markup(f'<svg {size} role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>')
