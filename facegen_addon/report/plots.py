# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots as inline SVG. Colours are CSS variables of the page, so that they follow its scheme."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import RealArray

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 14, 14, 42
_MAP_HEIGHT = 460

# A set keeps its colour from plot to plot; series of other names take them in turn.
_COLOURS = {"run": "s0", "uniform": "s1", "prior": "s2", "real": "s3"}


@dataclass(frozen=True)
class _Axis:
    """A linear map from data to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)

    def ticks(self) -> list[float]:
        """About five round numbers inside the range."""
        rough = (self.high - self.low or 1.0) / 5
        power = 10.0 ** np.floor(np.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        first = np.ceil(self.low / step - 1e-9)
        last = np.floor(self.high / step + 1e-9)
        # Adding zero turns -0 into 0.
        return [float(step * i) + 0.0 for i in np.arange(first, last + 1)]


def histogram(
    series: Mapping[str, ArrayLike], label: str, marks: Mapping[str, float], of: str = "pairs"
) -> str:
    """Overlaid outlines of distributions (share of each bin), with vertical marks.

    series: legend name -> values (K,), one of each of what `of` names; marks: name -> position.
    """
    values = {name: np.asarray(data, float) for name, data in series.items()}
    everything = np.concatenate([*values.values(), list(marks.values())])
    high = float(everything.max()) * 1.03
    edges = np.linspace(0.0, high, 41)
    shares = {
        name: np.histogram(data, edges)[0] / max(len(data), 1) for name, data in values.items()
    }
    x = _x_axis(0.0, high)
    y = _y_axis(0.0, max(float(share.max()) for share in shares.values()) * 1.08)
    parts = [_frame(x, y, label, f"share of {of}")]
    for name, share in shares.items():
        corners = [f"{x(0):.1f},{y(0):.1f}"]
        for i, height in enumerate(share):
            corners += [
                f"{x(edges[i]):.1f},{y(height):.1f}",
                f"{x(edges[i + 1]):.1f},{y(height):.1f}",
            ]
        corners.append(f"{x(high):.1f},{y(0):.1f}")
        colour, points = _colour(name, series), " ".join(corners)
        parts.append(f'<polygon class="area {colour}" points="{points}"/>')
    parts += [_vertical_mark(x, y, name, position) for name, position in marks.items()]
    return _svg(parts, list(series), f"Histogram: {label}")


def curve(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    label_x: str,
    label_y: str,
    marks: Mapping[str, float],
) -> str:
    """Lines; series: legend name -> (x (K,), y (K,)); marks: name -> x."""
    data = {name: (np.asarray(a, float), np.asarray(b, float)) for name, (a, b) in series.items()}
    x = _x_axis(
        min(float(a.min()) for a, _ in data.values()), max(float(a.max()) for a, _ in data.values())
    )
    y = _y_axis(0.0, max(1.0, 1.08 * max(float(b.max()) for _, b in data.values())))
    parts = [_frame(x, y, label_x, label_y)]
    for name, (a, b) in data.items():
        points = " ".join(f"{x(u):.1f},{y(v):.1f}" for u, v in zip(a, b, strict=True))
        parts.append(f'<polyline class="line {_colour(name, series)}" points="{points}"/>')
    parts += [_vertical_mark(x, y, name, position) for name, position in marks.items()]
    return _svg(parts, list(series), f"{label_y} over {label_x}")


def latent_map(
    points: Mapping[str, Annotated[RealArray, "_ 2"]],
    arrows: tuple[Annotated[RealArray, "K 2"], Annotated[RealArray, "K 2"]] | None,
) -> str:
    """A plane of latents. points: legend name -> (K, 2); arrows: starts and ends (K, 2) each.

    Dots of the first name are numbered; they are the heads of the contact sheet.
    """
    everything = np.concatenate(list(points.values()) + (list(arrows) if arrows else []))
    low, high = everything.min(0), everything.max(0)
    margin = 0.06 * (high - low + 1e-9)
    x = _x_axis(float(low[0] - margin[0]), float(high[0] + margin[0]))
    y = _y_axis(float(low[1] - margin[1]), float(high[1] + margin[1]), _MAP_HEIGHT)
    parts = [_frame(x, y, "first principal direction", "second")]
    if arrows:
        for (a, b), (c, d) in zip(*arrows, strict=True):
            parts.append(
                f'<line class="arrow" x1="{x(a):.1f}" y1="{y(b):.1f}" x2="{x(c):.1f}"'
                f' y2="{y(d):.1f}" marker-end="url(#tip)"/>'
            )
    for name, cloud in reversed(list(points.items())):
        parts += [
            f'<circle class="dot {_colour(name, points)}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="3.5"/>'
            for a, b in cloud
        ]
    first = next(iter(points.values()))
    if len(first) <= 64:
        parts += [
            f'<text class="number" x="{x(a) + 5:.1f}" y="{y(b) - 4:.1f}">{i}</text>'
            for i, (a, b) in enumerate(first)
        ]
    return _svg(parts, list(points), "Map of the latents", _MAP_HEIGHT)


def bars(groups: Sequence[str], series: Mapping[str, Sequence[float]], label: str) -> str:
    """Horizontal bars side by side; series: legend name -> one value a group."""
    band = 9 * len(series) + 8
    height = _TOP + band * len(groups) + _BOTTOM
    left = 96
    x = _Axis(0.0, 1.05 * max(max(values) for values in series.values()), left, _WIDTH - _RIGHT)
    parts = [
        f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{_TOP}"'
        f' y2="{height - _BOTTOM}"/>' + _tick(x(tick), height - _BOTTOM + 16, tick, "middle")
        for tick in x.ticks()
    ]
    for row, group in enumerate(groups):
        top = _TOP + row * band
        parts.append(
            f'<text class="tick" text-anchor="end" x="{left - 8}" y="{top + band / 2 + 1:.1f}">'
            f"{html.escape(group)}</text>"
        )
        for number, (name, values) in enumerate(series.items()):
            width, colour = x(values[row]) - left, _colour(name, series)
            parts.append(
                f'<rect class="bar {colour}" x="{left}" y="{top + 9 * number}" height="8"'
                f' width="{width:.1f}" rx="2"/>'
            )
    parts.append(
        f'<text class="label" text-anchor="middle" x="{(left + _WIDTH) / 2}" y="{height - 6}">'
        f"{html.escape(label)}</text>"
    )
    return _svg(parts, list(series), label, height)


def _colour(name: str, names: Iterable[str]) -> str:
    others = [other for other in names if other not in _COLOURS]
    return _COLOURS[name] if name in _COLOURS else f"s{others.index(name) % len(_COLOURS)}"


def _x_axis(low: float, high: float) -> _Axis:
    return _Axis(low, high, _LEFT, _WIDTH - _RIGHT)


def _y_axis(low: float, high: float, height: float = _HEIGHT) -> _Axis:
    return _Axis(low, high, height - _BOTTOM, _TOP)


def _frame(x: _Axis, y: _Axis, label_x: str, label_y: str) -> str:
    parts = []
    for tick in y.ticks():
        at = f"{y(tick):.1f}"
        parts.append(f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{at}" y2="{at}"/>')
        parts.append(_tick(x.start - 6, y(tick) + 4, tick, "end"))
    parts += [_tick(x(tick), y.start + 16, tick, "middle") for tick in x.ticks()]
    middle = (y.start + y.end) / 2
    return "".join(parts) + (
        f'<text class="label" text-anchor="middle" x="{(x.start + x.end) / 2}"'
        f' y="{y.start + _BOTTOM - 6}">{html.escape(label_x)}</text>'
        f'<text class="label" text-anchor="middle" transform="translate(12 {middle}) rotate(-90)">'
        f"{html.escape(label_y)}</text>"
    )


def _tick(x: float, y: float, value: float, anchor: str) -> str:
    return f'<text class="tick" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{value:g}</text>'


def _vertical_mark(x: _Axis, y: _Axis, name: str, position: float) -> str:
    return (
        f'<line class="mark" x1="{x(position):.1f}" x2="{x(position):.1f}" y1="{y.end}"'
        f' y2="{y.start}"/><text class="tick" x="{x(position) + 5:.1f}" y="{y.end + 10}">'
        f"{html.escape(name)}</text>"
    )


def _svg(parts: Sequence[str], names: Sequence[str], title: str, height: float = _HEIGHT) -> str:
    legend = "".join(
        f'<span><i class="{_colour(name, names)}"></i>{html.escape(name)}</span>' for name in names
    )
    return (
        f'<div class="legend">{legend}</div>'
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{html.escape(title)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path class="tip" d="M0 1 L7 4 L0 7 z"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )
