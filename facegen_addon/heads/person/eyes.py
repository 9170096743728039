# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head's eyes: their colours, the wet rims of their lids, and which eyes people have.

RGB is linear; radii are sines of the angle from the gaze. All constants are chosen by eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ...arrays import FloatArray, RealArray
from ..appearance import RGB, Shade, smoothstep
from ..surface import Surface

PUPIL, IRIS, WHITE = 0.125, 0.37, 0.425
"""Edges of the pupil and the iris, and where the white begins: an iris of 12 mm."""
SCLERA = (0.53, 0.485, 0.445)
SCLERA_CORNER = (0.47, 0.29, 0.25)
"""The white of the eye, and its flesh towards the corners of the lids."""

_PALE = np.array([[0.125, 0.205, 0.31], [0.19, 0.215, 0.22], [0.150, 0.190, 0.095]])
"""Irises of little melanin: blue, grey and green."""
_MELANIN = (0.12, 0.5, 0.75, 1.0)
_BROWNS = np.array([[0.155, 0.100, 0.042], [0.070, 0.034, 0.016], [0.014, 0.0085, 0.006]])
"""Hazel, brown and nearly black: at the upper three of _MELANIN."""

_WET = (0.0007, 0.0021)
"""Metres in front of the eye over which a lid's inside becomes its skin."""
_FLESH, _SHARE = np.array([0.44, 0.205, 0.165]), 0.8
"""Its colour, and how much of it covers the skin's."""
_ROOTED, _LINE = 0.0009, (0.0021, 0.0007)
"""Metres from the skin to cards of lashes where these begin, and from there to where the lid is
dark no more, and wholly."""
_FAINT, _FULL = 0.20, 0.75
"""How dark that is under lashes of no density, and what full ones add."""
_STEPS = 80
"""Points of the line that they begin on."""
_INNER = (-0.010, -0.005)
"""Metres outwards from the eye's middle between which lashes begin."""


def iris_colour(melanin: float, green: float) -> Annotated[RGB, "3"]:
    """The colour of an iris, linear RGB (3,).

    green in [0, 1]: blue, grey, green where there is little melanin; melanin in [0, 1]: from there
    over hazel and brown to nearly black.
    """
    pale = [np.interp(green, (0.0, 0.5, 1.0), shade) for shade in _PALE.T]
    anchors = np.vstack([pale, _BROWNS])
    return np.array([np.interp(melanin, _MELANIN, shade) for shade in anchors.T])


def paint(colours: RealArray, surface: Surface, iris: Annotated[RGB, "3"]) -> None:
    """Paint eyes into vertex colours (V, 3), for viewports without materials."""
    eyes = np.flatnonzero(surface.gaze.any(1))
    x, y, z = surface.gaze[eyes].T
    radius = np.where(y < 0.0, np.hypot(x, z), 1.0)[:, None]
    painted = iris * smoothstep(PUPIL, PUPIL + 0.06, radius)
    colours[eyes] = painted + (np.array(SCLERA) - painted) * smoothstep(IRIS - 0.02, 0.5, radius)


def wet_rims(surface: Surface) -> Shade:
    """The moist insides of the lids and the flesh in their inner corners, as a shade of skin."""
    amount = np.zeros(len(surface.part))
    rest = surface.rest_position.astype(np.float64)
    skin = surface.vertices_of("skin")
    for side in ("left", "right"):
        rows = surface.vertices_of(f"cornea_{side}")
        cornea, looks = rest[rows], surface.gaze[rows].astype(np.float64)
        about = middle(cornea, looks)
        near = np.flatnonzero(skin & (np.linalg.norm(rest - about, axis=1) < 0.024))
        gap = gaps(rest[near], cornea, about)
        amount[near] = np.maximum(amount[near], 1.0 - smoothstep(*_WET, gap))
    return Shade(_SHARE * amount, _FLESH)


def lash_line(surface: Surface) -> Annotated[FloatArray, "V"]:
    """How much of the skin lies between the roots of the upper lids' lashes, (V,) in [0, 1]: what
    makes eyes stand out from afar."""
    amount = np.zeros(len(surface.part))
    rest = surface.rest_position.astype(np.float64)
    lids = np.flatnonzero(surface.vertices_of("skin") & (surface.masks["lid"] > 0))
    lashes = np.flatnonzero(surface.vertices_of("lashes"))
    upper = rest[lashes[rest[lashes, 2] > rest[lashes, 2].mean()]]
    apart = np.linalg.norm(upper[:, None] - rest[lids], axis=2).min(1)
    roots = upper[apart < _ROOTED]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        cornea = surface.vertices_of(f"cornea_{side}")
        about = middle(rest[cornea], surface.gaze[cornea].astype(np.float64))
        along = roots[sign * roots[:, 0] > 0]
        along = along[along[:, 0].argsort()]
        x = np.linspace(along[0, 0], along[-1, 0], _STEPS)
        line = np.stack([x, *(np.interp(x, along[:, 0], along[:, k]) for k in (1, 2))], axis=1)
        near = lids[sign * rest[lids, 0] > 0]
        away = np.linalg.norm(rest[near][:, None] - line, axis=2).min(1)
        outwards = sign * (rest[near, 0] - about[0])
        amount[near] = smoothstep(*_LINE, away) * smoothstep(*_INNER, outwards)
    return amount


def darkness(density: float) -> float:
    """How much of `lash_line` lashes of a density in [0, 1] cover, in [0, 1]."""
    return _FAINT + _FULL * density


def middle(
    cornea: Annotated[FloatArray, "N 3"], looks: Annotated[FloatArray, "N 3"]
) -> Annotated[FloatArray, "3"]:
    """The point from which vertices lie in these directions: least squares over the lines."""
    across = np.eye(3) - looks[:, :, None] * looks[:, None, :]
    return np.linalg.solve(across.sum(0), np.einsum("nij,nj->i", across, cornea))


def gaps(
    points: Annotated[FloatArray, "P 3"],
    cornea: Annotated[FloatArray, "N 3"],
    about: Annotated[FloatArray, "3"],
) -> Annotated[FloatArray, "P"]:
    """How far points (P, 3) lie in front of an eye (N, 3) about its middle: metres, below zero
    inside."""
    out, eye = points - about, cornea - about
    far, radius = np.linalg.norm(out, axis=1), np.linalg.norm(eye, axis=1)
    along = (out / far[:, None]) @ (eye / radius[:, None]).T
    nearest = np.argsort(-along, axis=1)[:, :3]
    weight = 1.0 / (1.0 + 1e-9 - np.take_along_axis(along, nearest, axis=1))
    return far - (radius[nearest] * weight).sum(1) / weight.sum(1)


def draw_eyes(
    rng: np.random.Generator,
    column: Mapping[str, Annotated[FloatArray, "N"]],
    people: Mapping[str, Annotated[FloatArray, "N"]],
) -> None:
    """Give n drawn heads eyes such as people have; ``column``: name -> (n,), changed in place.

    ``people`` (n,) each, shares african and caucasian among them. Only Europeans have pale eyes.
    """
    n = len(people["caucasian"])
    fair = np.clip((people["caucasian"] - 0.4) / 0.5, 0.0, 1.0)
    dark = 0.86 + 0.09 * people["african"] - 0.1 * np.abs(rng.standard_normal(n))
    column["iris_melanin"][:] = dark - fair * 0.95 * rng.random(n)
    # More eyes are blue than grey, and more grey than green.
    column["iris_green"][:] = rng.random(n) ** 1.6
