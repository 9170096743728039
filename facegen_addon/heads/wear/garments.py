# SPDX-License-Identifier: GPL-3.0-or-later
"""Garments by their necklines, and the skin that they leave bare.

Everything is laid on a `Torso`: a profile says, for each column, how far down a point of the cloth
lies and how far over the skin, both in metres. Their numbers are chosen by eye.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ..appearance import smoothstep
from .pieces import Piece, disc, grid, joined, piece, tube
from .torso import COLUMNS, Torso

_FRONT = COLUMNS // 2
_END = 0.335
"""Where cloth ends, below the picture."""
_BODY_WAYS = np.array(
    [0.0, 0.004, 0.012, 0.025, 0.045, 0.07, 0.095, 0.115, 0.135, 0.155, 0.18, 0.21, 0.25]
)
"""Rows of cloth below the neckline; the last goes to the end."""
_THICK, _LOOSE = 0.0042, 0.0075
"""How far the cloth's outside lies over the skin at the neckline, and below the shoulders."""
_ASIDE = 0.6
"""Metres across the cloth for each metre from front to back."""
BARE_WAYS = np.array(
    [0.0, 0.008, 0.018, 0.03, 0.044, 0.06, 0.078, 0.098, 0.12, 0.145, 0.17, 0.2, 0.235, 0.275, 0.32]
)
"""Rows of the bare chest below the neck's edge, metres; the neck's own rows lie as near."""


def bare(torso: Torso) -> Annotated[FloatArray, "R K 3"]:
    """The skin below a neck's edge: rows of as many vertices as the edge has, beginning with it."""
    column = np.arange(0, COLUMNS, 2)
    return torso.at(column[None], BARE_WAYS[:, None])


def garment(torso: Torso, neckline: str) -> Piece:
    """What is worn with one of NECKLINES."""
    return _GARMENTS[neckline](torso)


def _crew(torso: Torso) -> Piece:
    top = _by_side(torso, behind=0.004, aside=0.007, front=0.014)
    return _shirt(torso, top, band=0.019)


def _v_neck(torso: Torso) -> Piece:
    ahead = np.clip(1.0 - np.abs(torso.turned) / (0.5 * np.pi), 0.0, 1.0)
    top = _by_side(torso, behind=0.006, aside=0.012, front=0.012) + 0.094 * ahead**1.7
    return _shirt(torso, top, band=0.014)


def _scoop(torso: Torso) -> Piece:
    ahead = np.clip(np.cos(torso.turned), 0.0, 1.0)
    top = _by_side(torso, behind=0.016, aside=0.034, front=0.034) + 0.056 * ahead**1.3
    return _shirt(torso, top, band=0.008)


def _turtleneck(torso: Torso) -> Piece:
    top = _by_side(torso, behind=-0.034, aside=-0.036, front=-0.024)
    fold = [(0.012, 0.0012), (0.0, 0.0020), (-0.002, 0.0036), (-0.0005, 0.0056), (0.005, 0.0068)]
    fold += [(0.018, 0.0074), (0.030, 0.0078), (0.0345, 0.0074), (0.0355, 0.0060), (0.034, 0.0044)]
    collar = _laid(torso, top, np.array(fold), trim=1.0)
    return joined([collar, _cloth(torso, top + 0.030)])


def _hoodie(torso: Torso) -> Piece:
    top = _by_side(torso, behind=0.010, aside=0.014, front=0.030)
    body = _cloth(torso, top, thick=0.006)
    full = smoothstep(0.5, 2.4, np.abs(torso.turned))[:, None]
    # Up the neck, over, and down again over the back: the hood, which lies behind.
    way = np.array([0.010, -0.006, -0.018, -0.022, -0.018, -0.004, 0.016, 0.034, 0.044, 0.040])
    more = np.array([0.0, -0.004, -0.008, -0.010, -0.008, 0.004, 0.022, 0.044, 0.058, 0.050])
    out = np.array([0.005, 0.0045, 0.006, 0.011, 0.017, 0.022, 0.022, 0.018, 0.011, 0.006])
    fuller = np.array([0.0, 0.0, 0.006, 0.016, 0.026, 0.032, 0.034, 0.026, 0.012, 0.002])
    hood = _sheet(torso, top[:, None] + way + full * more, out + full * fuller)
    return joined([body, hood, *(_cord(torso, side) for side in (-1, 1))])


def _cord(torso: Torso, side: int) -> Piece:
    """One of the cords that hang from a hood."""
    way = np.linspace(0.055, 0.165, 14)
    sway = 0.25 * np.sin(np.linspace(0.0, 2.5, 14))
    path = torso.at(_FRONT + side * (3.0 - 0.9 * np.linspace(0, 1, 14) + sway), way, 0.0125)
    return tube(path, np.array([0.0022, 0.0022]), 8)


def _collared(torso: Torso) -> Piece:
    ahead = np.clip(1.0 - np.abs(torso.turned) / 0.9, 0.0, 1.0)
    base = _by_side(torso, behind=0.004, aside=0.010, front=0.016)
    body = _cloth(torso, base + 0.076 * ahead**1.3)
    return joined([body, _collar(torso, base), *_placket(torso, 0.090)])


def _collar(torso: Torso, base: FloatArray) -> Piece:
    """Stand and leaf, open in front."""
    gap, spread, count = 3.0, 3.8, 81
    along = np.linspace(-1.0, 1.0, count)[
        :, None
    ]  # from the one front edge, by behind, to the other
    leaf = np.array([0.6, 0.6, 0.6, 0.55, 0.5, 0.5, 0.6, 0.75, 0.9, 1.0, 1.0, 0.85])
    near_front = smoothstep(0.45, 1.0, np.abs(along))
    point = smoothstep(0.72, 1.0, np.abs(along))
    half = 0.5 * COLUMNS - gap - spread * leaf * near_front
    column = along * half  # from behind: negative on the subject's left
    start = np.interp(np.abs(column), np.linspace(0, _FRONT, _FRONT + 1), base[: _FRONT + 1])
    stand = np.array([0.012, 0.004, -0.012, -0.024, -0.0265, -0.0255, -0.018])
    out = np.array(
        [0.003, 0.003, 0.0035, 0.005, 0.0075, 0.010, 0.0115, 0.0125, 0.0125, 0.012, 0.010, 0.009]
    )
    fall = np.array([-0.018, -0.004, 0.010, 0.020, 0.0205, 0.012])
    lower = 0.004 * near_front * np.array([0, 0, 0.5, 1, 1, 1, 1])
    way = np.concatenate(
        [
            start[:, :7] + stand * (1.0 - 0.6 * near_front) + lower,
            start[:, 7:] + fall[1:] + 0.034 * point * leaf[7:],
        ],
        axis=1,
    )
    points = torso.at(column % COLUMNS, way, np.broadcast_to(out, way.shape))
    cloth = np.stack([column / COLUMNS * 0.5, way], axis=2)
    return piece(points, grid(count, len(out), wound=True), cloth=cloth)


def _placket(torso: Torso, top: float) -> list[Piece]:
    """The strip in front and its buttons."""
    column = _FRONT + np.array([-2.9, -2.7, 0.0, 2.7, 2.9])
    way = np.linspace(top - 0.012, _END, 16)[:, None]
    shrink = np.interp(way, [0.0, 0.1, _END], [1.0, 0.62, 0.5])
    out = np.array([0.003, 0.0085, 0.0095, 0.0085, 0.003]) + 0.0008
    points = torso.at(_FRONT + (column - _FRONT) * shrink, way, np.broadcast_to(out, (16, 5)))
    strip = piece(points, grid(16, 5))
    buttons = []
    for place in (top + 0.016, top + 0.098, top + 0.18):
        at = torso.at(np.array(_FRONT), np.array(place), 0.010)
        normal = at - torso.at(np.array(_FRONT), np.array(place))
        buttons.append(disc(at, normal / np.linalg.norm(normal), 0.0052, 0.0022))
    return [strip, *buttons]


def _shirt(torso: Torso, top: FloatArray, band: float) -> Piece:
    """A knitted shirt, whose neckline is hemmed by a band."""
    rim = [(0.008, 0.0006), (0.001, 0.0010), (0.0, 0.0022), (0.0008, 0.0038), (0.003, _THICK)]
    rim += [(0.5 * band, _THICK + 0.0003), (band - 0.0015, _THICK), (band, 0.0026)]
    hem = _laid(torso, top, np.array(rim), trim=1.0)
    return joined([hem, _cloth(torso, top + band)])


def _cloth(torso: Torso, top: FloatArray, thick: float = _THICK) -> Piece:
    """Cloth from a neckline down to its end: first folded under, then over chest and shoulders."""
    share = _BODY_WAYS[1:] / _BODY_WAYS[-1]
    low = top[:, None] + (_END - top[:, None]) * share**1.15
    under = top[:, None] + np.array([0.004, 0.0002, 0.0])
    way = np.concatenate([under, low], axis=1)
    loose = smoothstep(0.03, 0.16, way)
    out = thick + (_LOOSE - _THICK) * loose + _folds(torso, way) * loose
    out[:, 0], out[:, 1] = 0.0022, 0.0026
    out[:, 2] = thick - 0.0006
    return _sheet(torso, way, out)


def _folds(torso: Torso, way: FloatArray) -> FloatArray:
    """Metres that cloth rises in slight folds, which run from the neck to the arms."""
    turned = torso.turned[:, None]
    slant = 5.0 * turned + 26.0 * way * np.sign(turned) + 1.3 * np.sin(2.0 * turned)
    second = 9.0 * turned - 40.0 * way + 0.7
    # Below the arms cloth hangs in folds that run down.
    hanging = smoothstep(0.10, 0.20, way) * np.sin(17.0 * turned + 6.0 * way + 2.0 * np.sin(turned))
    soft = 0.0040 * (0.5 + 0.5 * np.sin(slant)) ** 2 + 0.0015 * np.sin(second)
    return soft + 0.0022 * hanging


def _laid(torso: Torso, top: FloatArray, profile: FloatArray, trim: float) -> Piece:
    """The same profile (N, 2) of ways below the neckline and metres over the skin all round."""
    way = top[:, None] + profile[:, 0]
    return _sheet(torso, way, np.broadcast_to(profile[:, 1], way.shape), trim)


def _sheet(torso: Torso, way: FloatArray, out: FloatArray, trim: float = 0.0) -> Piece:
    """Cloth all round, from (COLUMNS, N) ways and metres over the skin."""
    column = np.arange(COLUMNS)[:, None]
    points = torso.at(column, way, out).transpose(1, 0, 2)  # rows go down, columns to the right
    # Pinstripes run down the sides of the arms, too, which are as wide from front to back.
    cloth = np.stack([points[..., 0] + _ASIDE * points[..., 1], points[..., 2]], axis=2)
    return piece(points, grid(way.shape[1], COLUMNS, closed=True), cloth=cloth, trim=trim)


def _by_side(torso: Torso, behind: float, aside: float, front: float) -> FloatArray:
    """A way (COLUMNS,) for each column that goes smoothly through those of the four sides."""
    ahead = np.cos(torso.turned)
    return aside + np.where(ahead > 0, front - aside, behind - aside) * ahead**2


_GARMENTS: dict[str, Callable[[Torso], Piece]] = {
    "crew": _crew,
    "v_neck": _v_neck,
    "scoop": _scoop,
    "shirt": _collared,
    "turtleneck": _turtleneck,
    "hoodie": _hoodie,
}
NECKLINES = tuple(_GARMENTS)
