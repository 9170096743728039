# SPDX-License-Identifier: GPL-3.0-or-later
"""Facial hair: where it grows, how it falls, and its shade on the skin.

Metres; places are on the template. All constants are chosen by eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, FloatArray, IntArray, RealArray
from ...random_streams import random_stream
from ..appearance import smoothstep
from ..strands import vertex_normals
from ..surface import Surface

Values = Mapping[str, float]
"""Name of a parameter -> its value; densities are those that show, of women none."""

POINTS = 6
HAIRS = 3900
"""On the whole face; how many of them show is the densities'."""

_LIP_CORNER, _UNDER_NOSE = 0.030, 0.6615
_CHIN, _JAW_SLOPE = np.array([-0.138, 0.618]), np.array([0.437, -0.9])
"""The jaw's edge in profile (y, z): a point of it, and the direction that leads below."""
_CHEEK_RANGE, _NECK_RANGE = 0.034, 0.040
_FULL_WIDTH, _CHIN_WIDTH = 0.088, 0.027
"""Metres from the middle to where a beard ends that is full, and on the chin alone."""
_CLUMPS = 170
_THIN, _USUAL, _THICK = 0.60e-4, 1.15e-4, 1.9e-4
_LENGTHS = (0.001, 0.004, 0.018)
"""Metres: of stubble, of a short beard and of a long one, and their hairs' radii above."""
_THINNING = np.array([1.0, 1.0, 0.95, 0.88, 0.72, 0.35])
_BEGINS = 0.12
_WITHIN = 1.7
"""Power of how dense hair is by which the skin under it is shaded."""
_SUNK = 0.0002
_FALL, _LEAST_LIFT = 26.0, 0.35


def growing(
    place: Annotated[RealArray, "M 3"],
    masks: Mapping[str, AnyArray],
    fields: Mapping[str, AnyArray],
) -> Annotated[FloatArray, "M"]:
    """Where facial hair can grow, (M,) in [0, 1]: the beard's mask, and up to the hair on the
    head before the ears. Places (M, 3), masks and fields as a Surface has them of its vertices."""
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    burns = smoothstep(0.005, -0.002, fields["hairline"]) * (1.0 - masks["ears"])
    burns = burns * smoothstep(0.672, 0.684, z) * smoothstep(0.055, 0.060, x)
    burns = burns * smoothstep(-0.050, -0.058, y) * smoothstep(-0.085, -0.076, y)
    return np.maximum(masks["beard"], burns).astype(np.float64)


@dataclass(frozen=True)
class Zones:
    """What M places of the template (M, 3) are of the face.

    skin (M,) in [0, 1]: where hair can grow; below (M,): metres below a beard's natural upper edge.
    """

    place: Annotated[FloatArray, "M 3"]
    skin: Annotated[FloatArray, "M"]
    below: Annotated[FloatArray, "M"]

    @cached_property
    def lip(self) -> FloatArray:
        """Upper lip, and down beside the corners of the mouth: where a moustache is, (M,)."""
        x, y, z = np.abs(self.place[:, 0]), self.place[:, 1], self.place[:, 2]
        above = smoothstep(_UNDER_NOSE - 0.010, _UNDER_NOSE - 0.002, z + 0.55 * (x - 0.024))
        beside = smoothstep(_LIP_CORNER + 0.004, _LIP_CORNER - 0.004, x)
        return above * beside * (y < -0.11)

    @cached_property
    def patch(self) -> FloatArray:
        """Right below the lower lip, (M,)."""
        x, z = np.abs(self.place[:, 0]), self.place[:, 2]
        return smoothstep(0.011, 0.006, x) * smoothstep(0.626, 0.634, z) * (1.0 - self.lip)

    @cached_property
    def beside(self) -> FloatArray:
        """Beside the corners of the mouth, where moustache and beard meet, (M,)."""
        x, y, z = np.abs(self.place[:, 0]), self.place[:, 1], self.place[:, 2]
        across = smoothstep(0.022, 0.027, x) * smoothstep(0.037, 0.031, x)
        return across * smoothstep(0.626, 0.634, z) * smoothstep(0.664, 0.656, z) * (y < -0.10)

    @cached_property
    def burns(self) -> FloatArray:
        """Before the ears, (M,)."""
        x, y, z = np.abs(self.place[:, 0]), self.place[:, 1], self.place[:, 2]
        front = smoothstep(-0.084, -0.070, y)
        return smoothstep(0.668, 0.690, z) * front * (x > 0.05)

    @cached_property
    def under(self) -> FloatArray:
        """Metres below the jaw's edge, (M,); negative on the face."""
        return (self.place[:, 1:] - _CHIN) @ _JAW_SLOPE

    def cover(self, values: Values) -> Annotated[FloatArray, "M"]:
        """How dense hair is, (M,) in [0, 1]: fading at all edges."""
        x, z = np.abs(self.place[:, 0]), self.place[:, 2]
        edge = _cheek_edge(values)
        cheek = smoothstep(edge - 0.006, edge + 0.010, self.below)
        reach = -0.004 + _NECK_RANGE * values["beard_neck"]
        neck = smoothstep(reach + 0.010, reach - 0.010, self.under)
        width = _FULL_WIDTH + (_CHIN_WIDTH - _FULL_WIDTH) * values["beard_goatee"]
        # A goatee goes up to the corners of the mouth and is widest there.
        chin = smoothstep(width + 0.006, width - 0.006, x + 0.10 * np.maximum(0.65 - z, 0.0))
        bare = (
            smoothstep(0.009, 0.013, x) * smoothstep(0.024, 0.018, x) * smoothstep(0.634, 0.643, z)
        )
        fringe = 1.0 - 0.6 * bare
        beard = values["beard_density"] * cheek * neck * chin * fringe * (1.0 - self.lip)
        beard = beard * (1.0 - self.burns)
        groove = 1.0 - 0.3 * smoothstep(0.0035, 0.001, x)
        layers = (
            beard,
            values["moustache_density"] * self.lip * groove,
            values["soul_patch"] * self.patch,
            min(values["moustache_density"], values["beard_density"]) * self.beside,
            values["beard_sideburns"] * self.burns,
        )
        dense: FloatArray = np.maximum.reduce(layers) * self.skin
        return dense

    def shade(self, values: Values) -> Annotated[FloatArray, "M"]:
        """How much of the beard's colour the skin under it has, (M,) in [0, 1]."""
        full = smoothstep(0.1, 0.5, np.array(values["beard_length"]))
        lip = smoothstep(0.1, 0.5, np.array(values["moustache_length"]))
        amount = 0.36 + 0.38 * (full + (lip - full) * self.lip)
        # At its edge a beard is single hairs on bare skin.
        return amount * self.cover(values) ** _WITHIN


class BeardRoots:
    """The roots of HAIRS hairs on a surface, and all about them that heads share."""

    def __init__(self, surface: Surface) -> None:
        rng = random_stream(2026, "beard")
        rest = surface.rest_position.astype(np.float64)
        self.triangle, self.bary = _strewn(rng, surface, rest)
        corners = surface.faces[self.triangle]

        def at_roots(values: AnyArray) -> FloatArray:
            return (values[corners] * self.bary).sum(1)

        place = (rest[corners] * self.bary[..., None]).sum(1)
        mask = growing(rest, surface.masks, surface.fields)
        self.zones = Zones(place, at_roots(mask), at_roots(surface.fields["beard"]))
        self.rank = rng.random(HAIRS)
        self.own = rng.standard_normal((HAIRS, 3))
        self._clump, self._leader = _clumps(rng, place)
        # The part of the mesh that roots are on, numbered anew: all that a head's normals need.
        around = np.isin(surface.faces, np.unique(corners)).any(1)
        self.used = np.unique(surface.faces[around])
        self._around = np.searchsorted(self.used, surface.faces[around])
        self._corners = np.searchsorted(self.used, corners)

    def grow(
        self, values: Values, under: Annotated[RealArray, "U 3"]
    ) -> tuple[Annotated[FloatArray, "S 6 3"], Annotated[FloatArray, "S 6"]]:
        """Points (S, POINTS, 3) and radius (S, POINTS) of all hairs, metres.

        under (U, 3): where the vertices ``used`` are.
        """
        margin = 1.1 * self.zones.cover(values) - self.rank
        shown = smoothstep(0.0, _BEGINS, margin)
        there = np.flatnonzero(shown)
        used = under.astype(np.float64)
        corners, bary = self._corners, self.bary[..., None]
        roots = (used[corners] * bary).sum(1)
        points = np.repeat(roots[:, None], POINTS, axis=1)
        thickness = np.zeros(HAIRS)
        if len(there):
            normals = vertex_normals(used, self._around)
            across = (normals[corners[there]] * bary[there]).sum(1)
            length = self._lengths(values)
            points[there] = self._fallen(there, roots[there], across, (length * shown)[there])
            if values["beard_length"] > 0.0:
                points[there] = self._clumped(points, there, length)
            thickness = np.interp(length, _LENGTHS, (_THIN, _USUAL, _THICK))
        return points, (thickness * shown)[:, None] * _THINNING

    def _lengths(self, values: Values) -> FloatArray:
        """Length (S,) of hairs, metres."""
        z = self.zones
        long = _length(values["beard_length"])
        lip = 0.0007 + 0.020 * values["moustache_length"] ** 1.3
        # Long on the chin, shorter on jaw and neck, short on the cheeks.
        x, under = np.abs(z.place[:, 0]), z.under
        chin = smoothstep(0.045, 0.012, x) * smoothstep(-0.030, -0.008, under)
        cheek = smoothstep(-0.012, -0.045, under)
        share = (
            (0.62 + 0.45 * chin)
            * (1.0 - 0.55 * cheek)
            * (1.0 - 0.45 * smoothstep(0.004, 0.02, under))
        )
        share = share * (0.45 + 0.55 * smoothstep(0.0, 0.024, z.below - _cheek_edge(values)))
        share = 1.0 + (share - 1.0) * float(smoothstep(0.002, 0.010, np.array(long)))
        burns = min(long, 0.010)
        length = np.where(z.lip > 0.5, lip, share * long + (burns - share * long) * z.burns)
        patch = np.minimum(length, 0.014)
        length = length + z.patch * (patch - length)
        return np.asarray(length * np.clip(1.0 + 0.2 * self.own[:, 0], 0.5, 1.6))

    def _fallen(
        self, there: IntArray, roots: FloatArray, normals: FloatArray, length: FloatArray
    ) -> FloatArray:
        """Points of hairs that leave the skin and are combed down, outwards on the lip."""
        zones, own = self.zones, self.own[there]
        x = zones.place[there, 0]
        side = np.tanh(x / 0.006)
        lip = zones.lip[there]
        comb = np.zeros((len(there), 3))
        comb[:, 0] = side * (0.10 + lip * (0.30 + 20.0 * np.abs(x)))
        comb[:, 1] = 0.12 * (1.0 - lip) * smoothstep(0.02, 0.05, np.abs(x))
        comb[:, 2] = -1.0
        comb = comb - normals * (comb * normals).sum(1)[:, None]
        comb /= np.maximum(np.sqrt((comb**2).sum(1)), 1e-9)[:, None]
        step = (length / (POINTS - 1))[:, None]
        points = np.empty((len(there), POINTS, 3))
        points[:, 0] = roots - _SUNK * normals
        for k in range(1, POINTS):
            age = k / (POINTS - 1)
            lift = (0.95 - 0.75 * age) * (1.0 - 0.45 * lip) + 0.12
            direction = comb * (0.45 + 0.6 * age) + normals * lift[:, None]
            direction[:, 2] -= np.minimum(_FALL * length * age, 2.2)
            direction += (0.16 + 0.10 * age) * own
            direction += 0.22 * np.sin(4.5 * age + 2.5 * own)
            direction /= np.sqrt((direction**2).sum(1))[:, None]
            points[:, k] = points[:, k - 1] + direction * step
        return points

    def _clumped(self, points: FloatArray, there: IntArray, length: FloatArray) -> FloatArray:
        """Points of long hairs, drawn to the hair that leads their clump: tips most."""
        leader = self._leader[self._clump[there]]
        away = points[leader] - points[there]
        away -= away[:, :1]
        pull = 0.55 * smoothstep(0.006, 0.03, length[there])[:, None]
        pull = pull * np.linspace(0.0, 1.0, POINTS) ** 1.3
        # A leader that does not show has no shape to follow.
        reach = np.abs(points[leader, -1] - points[leader, 0]).sum(1) > 0.5 * length[there]
        return points[there] + away * (pull * reach[:, None])[..., None]


def _cheek_edge(values: Values) -> float:
    """Metres below its natural upper edge at which a beard begins."""
    return _CHEEK_RANGE * (1.0 - values["beard_cheek"]) - 0.004


def _length(slider: float) -> float:
    """Length of a beard, metres: from stubble to what hangs on the chest."""
    return 0.0007 + 0.030 * slider**2 + 0.050 * slider**4


def _strewn(
    rng: np.random.Generator, surface: Surface, rest: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Triangle (S,) and weights (S, 3) of roots, evenly over where a beard can grow."""
    faces = surface.faces
    a, b, c = (rest[faces[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    middle = (a + b + c) / 3.0
    mask = growing(rest, surface.masks, surface.fields)[faces].mean(1)
    mask = mask * (surface.part[faces[:, 0]] == 0)
    lip = (middle[:, 2] > _UNDER_NOSE) & (np.abs(middle[:, 0]) < _LIP_CORNER)
    chin = np.abs(middle[:, 0]) < 0.032
    burns = (middle[:, 2] > 0.675) & (np.abs(middle[:, 0]) > 0.055)
    x, z = np.abs(middle[:, 0]), middle[:, 2]
    beside = (x > 0.022) & (x < 0.036) & (z > 0.630) & (z < _UNDER_NOSE)
    weight = area * mask * np.where(beside, 2.5, 1.0)
    weight *= np.where(lip, 5.5, np.where(chin, 1.2, np.where(burns, 1.7, 1.0)))
    total = np.cumsum(weight)
    ticks = (np.arange(HAIRS) + rng.random(HAIRS)) / HAIRS * total[-1]
    return np.searchsorted(total, ticks).astype(np.intp), rng.dirichlet((1.0, 1.0, 1.0), HAIRS)


def _clumps(rng: np.random.Generator, place: FloatArray) -> tuple[IntArray, IntArray]:
    """The clump (S,) of each root and the root (C,) that leads each."""
    leader = rng.choice(HAIRS, _CLUMPS, replace=False)
    apart = ((place[:, None] - place[leader]) ** 2).sum(-1)
    return apart.argmin(1), leader
