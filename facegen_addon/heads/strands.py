# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair, brows and beard as strands that grow from the head's surface.

Lengths are metres. All constants of how hair grows and lies are chosen by eye; where they only mix
directions they have no unit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, ByteArray, Float32Array, FloatArray, IndexArray, IntArray, RealArray

SCALP, BROW, BEARD, MOUSTACHE = range(4)
POINTS = 6
"""Points along each strand, the root included."""

RECESSION = 0.030
"""Metres by which the hairline rises when hair_recession goes from 0 to 1."""
BEARD_RANGE = 0.030
"""Metres by which the beard's edge falls when beard_extent goes from 1 to 0."""

_GRAVITY = np.array([0.0, 0.0, -1.0])
_FRONT = np.array([0.0, -1.0, 0.0])

# Radius at the root, metres: several times a real hair's 0.03 to 0.05 mm, as each strand stands
# for a tuft; and what of it is left at each of POINTS.
_SCALP_RADIUS, _BROW_RADIUS, _BEARD_RADIUS = 4.0e-4, 2.3e-4, 1.7e-4
_TAPER = np.array([1.0, 1.0, 0.95, 0.85, 0.7, 0.4])

_SHORTEST_SCALP, _SHORTEST_BEARD = 0.004, 0.002
"""Metres at length 0."""
_SCALP_GROWTH, _BEARD_GROWTH = 0.030, 0.016
"""Metres added at length 1; a beard's grow with the power 1.5 of its slider."""
_LONG_FROM, _LONG_GROWTH = 0.45, 0.16 * 2
"""Slider from which hair is long, and metres per power 1.5 of what is beyond."""
_BROW_LENGTH = 0.0062  # metres
_LENGTH_SPREAD, _LEAST_OWN, _MOST_OWN = 0.18, 0.5, 1.5
"""Standard deviation of a strand's own share of the length, and its limits."""
_SHORT_EDGE, _EDGE_LEAST = 0.02, 0.25
"""Metres behind the hairline within which hair is shorter, and the share of its length there."""
_BROW_HALF_WIDTH, _BROW_WIDENING = 0.0018, 0.0030
"""Metres from a brow's line to its edge at thickness 0, and added at 1."""
_THIN = 0.1
"""Density at which the first strand shows; all of the scalp's do at (1 + 0.1) / _SCALP_DENSITY."""
_SCALP_DENSITY = 1.25

_SIDE_REACH, _HEAD_REACH = 0.02, 0.08
"""Metres from the middle over which left turns to right, and front to back or top to side."""
_BROW_MIDDLE = 0.022
"""Metres: brows rise up to 1.6 times as far from the middle of the face, and fall beyond."""
_JITTER, _CURL_SWING, _CURL_TURNS = 0.07, 0.7, 5.0
"""Shares of a step's direction that are the strand's own and its curl's; radians that a curl turns
from root to tip without any curl, twice as many at curl 1."""
_FALL = 30.0
"""Gravity's share of a step's direction for each metre of hair."""
_SCALP_FALL, _STUBBLE_FALL = 0.35, 0.1
"""Shares of gravity that soft hair follows, and stiff brows and beards."""
_CROWN = 0.085
"""Metres from the top of the scalp down to the middle of the ellipsoid that hair lies on."""
_LARGEST_HEAD = 0.16
"""Metres of a half axis that the fit of the ellipsoid may find at most."""
_CLEARANCE = 0.002
"""Metres that hair keeps from the ellipsoid."""


@dataclass(frozen=True)
class StrandSet:
    """The roots of S strands and what sets each apart, the same for every head.

    triangle (S,) and bary (S, 3): the root on the surface; region (S,): SCALP, BROW, BEARD or
    MOUSTACHE; field (S,) metres: above the hairline, from the brow's line, below the beard's
    edge; rank (S,) in [0, 1]: the strand shows while the density exceeds it; jitter (S, 3):
    standard normal, the strand's own character.
    """

    triangle: Annotated[IntArray, "S"]
    bary: Annotated[Float32Array, "S 3"]
    region: Annotated[ByteArray, "S"]
    field: Annotated[Float32Array, "S"]
    rank: Annotated[Float32Array, "S"]
    jitter: Annotated[Float32Array, "S 3"]

    def __len__(self) -> int:
        return len(self.triangle)

    def subset(self, chosen: Annotated[BoolArray | IntArray, "_"]) -> StrandSet:
        """The strands where ``chosen`` (S,) holds, or those of these numbers."""
        return StrandSet(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Strands:
    """The strands of one head, one after another, from root to tip: points (P, 3) and radius (P,),
    both metres; sizes (S,): how many points each has. The radius is zero where none shows."""

    points: Annotated[Float32Array, "P 3"]
    radius: Annotated[Float32Array, "P"]
    sizes: Annotated[IntArray, "S"]

    @classmethod
    def of(
        cls, points: Annotated[RealArray, "S K 3"], radius: Annotated[RealArray, "S K"]
    ) -> Strands:
        """Strands of equally many points (S, K, 3), with their radii (S, K)."""
        flat = points.reshape(-1, 3).astype(np.float32, copy=False)
        sizes = np.full(len(points), points.shape[1])
        return cls(flat, radius.ravel().astype(np.float32, copy=False), sizes)

    @property
    def first(self) -> Annotated[IntArray, "S"]:
        """Which of the points is each strand's root, (S,)."""
        return np.asarray(np.cumsum(self.sizes) - self.sizes)

    def followed_by(self, others: Strands) -> Strands:
        """These strands and then others."""
        pairs = ((getattr(self, f.name), getattr(others, f.name)) for f in fields(self))
        return Strands(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class HairStyle:
    """Hair, brows and beard of one head as parameters, in [0, 1]; directions in [-1, 1]."""

    hair_density: float
    hair_length: float
    hair_recession: float
    hair_volume: float
    hair_curl: float
    hair_forward: float
    hair_sideways: float
    brow_density: float
    brow_thickness: float
    beard_density: float
    beard_length: float
    beard_extent: float
    moustache_density: float


def _lengths_of(vectors: FloatArray) -> FloatArray:
    """Lengths (..., 1) of vectors (..., 3), written out: NumPy is slow at sums of three."""
    x, y, z = (vectors[..., axis] for axis in range(3))
    return np.sqrt(x * x + y * y + z * z)[..., None]


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    product = a * b
    return (product[..., 0] + product[..., 1] + product[..., 2])[..., None]


def _normalise(vectors: FloatArray) -> FloatArray:
    return vectors / np.maximum(_lengths_of(vectors), 1e-12)


def _interpolated(values: RealArray, corners: IndexArray, bary: FloatArray) -> FloatArray:
    """Values (V, 3) at points on the surface: corners (S, 3), weights (S, 3) -> (S, 3)."""
    a, b, c = (values[corners[:, k]] * bary[:, k : k + 1] for k in range(3))
    return a + b + c


def vertex_normals(
    vertices: Annotated[RealArray, "V 3"], faces: Annotated[IndexArray, "T 3"]
) -> Annotated[FloatArray, "V 3"]:
    """Area-weighted unit normals (V, 3)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normals = np.cross(b - a, c - a)
    normals: FloatArray = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(face_normals[:, axis], 3), len(vertices))
            for axis in range(3)
        ],
        axis=1,
    )
    return _normalise(normals)


def grow(
    strands: StrandSet,
    style: HairStyle,
    vertices: Annotated[RealArray, "V 3"],
    faces: Annotated[IndexArray, "T 3"],
) -> Strands:
    """Grow the strands of a head with these vertices (V, 3) and faces (T, 3)."""
    corners = faces[strands.triangle]
    weights = strands.bary.astype(np.float64)
    roots = _interpolated(vertices, corners, weights)
    normals = _normalise(_interpolated(vertex_normals(vertices, faces), corners, weights))
    lengths, visible = _lengths(strands, style)
    # Some renderers draw a hair's width even where the radius is zero, but nothing of no length.
    points = np.repeat(roots[:, None], POINTS, axis=1)
    points[visible] = _march(
        strands.subset(visible),
        style,
        roots[visible],
        normals[visible],
        lengths[visible],
        roots[strands.region == SCALP],
    )
    thickness = np.select(
        [strands.region == SCALP, strands.region == BROW],
        [_SCALP_RADIUS, _BROW_RADIUS],
        _BEARD_RADIUS,
    )
    radius = thickness[:, None] * _TAPER * visible[:, None]
    return Strands.of(points, radius)


def _lengths(strands: StrandSet, style: HairStyle) -> tuple[FloatArray, BoolArray]:
    """Length (S,) of each strand in metres, and whether it shows (S,)."""
    own = 1.0 + _LENGTH_SPREAD * strands.jitter[:, 0].astype(np.float64)
    long = max(style.hair_length - _LONG_FROM, 0.0) ** 1.5
    scalp = _SHORTEST_SCALP + _SCALP_GROWTH * style.hair_length + _LONG_GROWTH * long
    edge = RECESSION * style.hair_recession
    near_edge = np.clip((strands.field - edge) / _SHORT_EDGE, _EDGE_LEAST, 1.0)
    brow = np.full(len(strands), _BROW_LENGTH)
    stubble = _SHORTEST_BEARD + _BEARD_GROWTH * style.beard_length**1.5
    beard = np.full(len(strands), stubble)
    length: FloatArray = np.select(
        [strands.region == SCALP, strands.region == BROW], [scalp * near_edge, brow], beard
    )
    beard_edge = BEARD_RANGE * (1.0 - style.beard_extent)
    half_width = _BROW_HALF_WIDTH + _BROW_WIDENING * style.brow_thickness
    shown = np.select(
        [strands.region == SCALP, strands.region == BROW, strands.region == MOUSTACHE],
        [
            (strands.rank < _SCALP_DENSITY * style.hair_density - _THIN) & (strands.field > edge),
            (strands.rank < style.brow_density) & (np.abs(strands.field) < half_width),
            strands.rank < style.moustache_density - _THIN,
        ],
        (strands.rank < style.beard_density - _THIN) & (strands.field > beard_edge),
    )
    return length * np.clip(own, _LEAST_OWN, _MOST_OWN), shown


def _comb(
    strands: StrandSet, style: HairStyle, roots: FloatArray, centre: FloatArray
) -> FloatArray:
    """Direction (S, 3) in which each strand is combed, before it is laid onto the surface."""
    offset = roots - centre
    side = np.tanh(offset[:, :1] / _SIDE_REACH)
    outward = np.concatenate([side, np.zeros((len(roots), 2))], axis=1)
    frontness = np.clip(-offset[:, 1:2] / _HEAD_REACH + 0.3, 0.0, 1.0)
    back = -_FRONT * (1.0 - style.hair_forward) + _FRONT * max(style.hair_forward, 0.0) * frontness
    scalp = 0.6 * outward + back * 0.8 + 0.5 * _GRAVITY
    scalp[:, 0] += 1.2 * style.hair_sideways * np.clip(offset[:, 2] / _HEAD_REACH, 0.0, 1.0)
    rise = np.clip(1.6 - np.abs(roots[:, :1]) / _BROW_MIDDLE, -0.5, 1)
    brow = 1.0 * outward + 0.35 * (-_GRAVITY) * rise
    beard = _GRAVITY + 0.25 * outward
    region = strands.region[:, None]
    return np.select([region == SCALP, region == BROW], [scalp, brow], beard)


def _march(
    strands: StrandSet,
    style: HairStyle,
    roots: FloatArray,
    normals: FloatArray,
    lengths: FloatArray,
    scalp_roots: FloatArray,
) -> FloatArray:
    """Points (S, POINTS, 3): each strand leaves along the normal, is combed and falls.

    Scalp strands are kept outside an ellipsoid around the scalp, so that long hair lies on the
    head and hangs beside it; ``scalp_roots`` (R, 3) are those of hair that does not show, too.
    """
    scalp = strands.region == SCALP
    low, high = scalp_roots.min(0), scalp_roots.max(0)
    centre = np.array([0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]), high[2] - _CROWN])
    comb = _comb(strands, style, roots, centre)
    comb = _normalise(comb - normals * _dot(comb, normals))
    lift = np.select([scalp, strands.region == BROW], [0.35 + 0.9 * style.hair_volume, 0.25], 0.5)
    curl = np.where(scalp, style.hair_curl, 0.15)[:, None]
    jitter = strands.jitter.astype(np.float64)
    step = (lengths / (POINTS - 1))[:, None]
    points = np.empty((len(roots), POINTS, 3))
    points[:, 0] = roots
    radii = _scalp_radii(scalp_roots, centre)
    for k in range(1, POINTS):
        age = k / (POINTS - 1)
        follows = np.where(scalp, _SCALP_FALL, _STUBBLE_FALL)[:, None]
        fall = _FALL * lengths[:, None] * age * follows
        twist = np.sin(_CURL_TURNS * age * (1 + curl) + 3 * jitter)
        direction = (
            normals * lift[:, None] * (1.0 - 0.8 * age)
            + comb * (0.4 + age)
            + _GRAVITY * fall
            + _JITTER * jitter
            + curl * twist * _CURL_SWING
        )
        points[:, k] = points[:, k - 1] + _normalise(direction) * step
        points[scalp, k] = _keep_outside(points[scalp, k], centre, radii)
    return points


def _scalp_radii(roots: FloatArray, centre: FloatArray) -> FloatArray:
    """Half axes (3,) of an upright ellipsoid fitted to the scalp's roots by least squares."""
    squared = (roots - centre) ** 2
    solution, *_ = np.linalg.lstsq(squared, np.ones(len(squared)), rcond=None)
    return 1.0 / np.sqrt(np.maximum(solution, 1.0 / _LARGEST_HEAD**2))


def _keep_outside(points: FloatArray, centre: FloatArray, radii: FloatArray) -> FloatArray:
    half_axes = radii + _CLEARANCE
    offset = (points - centre) / half_axes
    distance = _lengths_of(offset)
    inside = distance < 1.0
    return np.where(inside, centre + offset / distance * half_axes, points)
