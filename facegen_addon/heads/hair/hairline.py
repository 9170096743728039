# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a full head of hair ends on the person's skin, and where its strands are rooted.

Metres on the head at rest; constants are chosen by eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, RealArray
from ...random_streams import random_stream
from ..appearance import smoothstep
from ..strands import SCALP, StrandSet
from ..surface import Surface

STRANDS = 8000
_SEED = 26
_AZIMUTH = [0, 12, 22, 31, 39, 46, 52, 57, 62, 67, 72, 76, 83, 88, 95, 125, 150, 180]
"""Degrees from the middle of the forehead to that of the nape."""
_HEIGHT = [
    *(0.7885, 0.788, 0.787, 0.785, 0.781, 0.774, 0.764, 0.755),  # forehead and its corners
    *(0.750, 0.740, 0.720, 0.703, 0.700, 0.730, 0.741, 0.705, 0.682, 0.668),
]
"""Rounded to a blunt point at the temple; then sideburn, ear and nape."""
_AXIS = -0.06
"""Where the axis stands that azimuths are measured about."""
_ON_THE_EAR = 0.05
"""What an ear has of a root that does not grow: on its slope hair would stand out sideways."""
_FRONT, _MORE_IN_FRONT = 0.025, 1.2
"""Metres above the hairline where roots are closer, and how much closer, at the forehead."""
_MIDDLE_RISES, _CORNERS_RISE = 0.015, 0.042
"""Metres by which the line rises where it recedes wholly, and more at its corners."""
_CLIPPED = (0.40, 0.22)
"""Lengths at the sides from which hair begins to fade out there, and fades wholly."""
_FADED, _MORE_FADED = 0.015, 0.022
"""Metres behind the edge until which it does, and what hair that is longer on top has more."""


def hairline_field(rest: Annotated[RealArray, "N 3"]) -> Annotated[FloatArray, "N"]:
    """Metres above the hairline at points of the head at rest (N, 3)."""
    azimuth = np.degrees(np.arctan2(np.abs(rest[:, 0]), _AXIS - rest[:, 1]))
    field: FloatArray = rest[:, 2] - np.interp(azimuth, _AZIMUTH, _HEIGHT)
    return field


def scalp_mask(surface: Surface) -> Annotated[Float32Array, "V"]:
    """How much of each vertex is where hair may grow, (V,) in [0, 1]."""
    skin = surface.vertices_of("skin") & (surface.masks["mouth"] < 0.5)
    grown = smoothstep(-0.010, 0.004, hairline_field(surface.rest_position))
    return (grown * skin * (1.0 - surface.masks["ears"])).astype(np.float32)


def scalp_strands(surface: Surface, seed: int = _SEED) -> StrandSet:
    """The roots of a head's hair, evenly spread and closest along the forehead; another seed: as
    well, other ones."""
    rest, faces = surface.rest_position.astype(np.float64), surface.faces
    corners = rest[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    weight = np.linalg.norm(cross, axis=1) * (scalp_mask(surface)[faces].max(1) > 0.05)
    middle = corners.mean(1)
    ahead = smoothstep(_AXIS + 0.02, _AXIS - 0.04, middle[:, 1])
    near = smoothstep(_FRONT, 0.0, hairline_field(middle))
    weight *= 1.0 + _MORE_IN_FRONT * ahead * near
    rng = random_stream(seed)
    wanted = 2 * STRANDS  # half of them lie below the hairline or on an ear
    place = (np.arange(wanted) + rng.random(wanted)) * (weight.sum() / wanted)
    triangle = np.searchsorted(np.cumsum(weight), place).clip(0, len(faces) - 1)
    bary = rng.dirichlet((1.0, 1.0, 1.0), wanted)
    points = np.einsum("nk,nkd->nd", bary, rest[faces[triangle]])
    field = hairline_field(points)
    ears = np.einsum("nk,nk->n", bary, surface.masks["ears"][faces[triangle]])
    grows = np.flatnonzero((field > 0) & (ears < _ON_THE_EAR))
    chosen = np.sort(rng.permutation(grows)[:STRANDS])
    return StrandSet(
        triangle=triangle[chosen],
        bary=bary[chosen].astype(np.float32),
        region=np.full(len(chosen), SCALP, np.uint8),
        field=field[chosen].astype(np.float32),
        rank=rng.random(len(chosen)).astype(np.float32),
        jitter=rng.standard_normal((len(chosen), 3)).astype(np.float32),
    )


def recession_edge(values: Mapping[str, float], fields: Mapping[str, RealArray]) -> RealArray:
    """Metres by which the hairline has risen at points with fields (N,) as Zones has them.

    Where hair is long at the sides, there are no sideburns.
    """
    recession, temple = values["hair_recession"], fields["temple"]
    without_burns = 0.04 * float(smoothstep(0.42, 0.66, np.array(values["hair_side_length"])))
    risen = fields["ahead"] * recession * (_MIDDLE_RISES + _CORNERS_RISE * temple)
    edge: RealArray = risen + without_burns * fields["burns"]
    return edge


def fullness(
    values: Mapping[str, float], fields: Mapping[str, RealArray], behind: Annotated[RealArray, "N"]
) -> Annotated[RealArray, "N"]:
    """How full hair is, (N,) in [0, 1], so many metres behind its edge (N,).

    What is clipped short fades out above ears and nape and at the temples, as barbers have it.
    """
    side, top = (np.array(values[f"hair_{name}_length"]) for name in ("side", "top"))
    clipped = smoothstep(*_CLIPPED, side)
    until = _FADED + _MORE_FADED * float(smoothstep(0.05, 0.30, top - side))
    full: RealArray = 1.0 - clipped * fields["low"] * smoothstep(until, 0.0, behind)
    return full
