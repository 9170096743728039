# SPDX-License-Identifier: GPL-3.0-or-later
"""Which class of the segmentation each vertex of a head belongs to.

Hair, brows and beard are strands and clothes are the collar: they are no vertices of the head.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import numpy as np

from ..arrays import Float32Array, FloatArray
from ..heads.appearance import smoothstep
from ..heads.head_model import HeadModel
from .maps import CLASSES

_PARTS = {
    **dict.fromkeys(("eye_left", "eye_right", "cornea_left", "cornea_right"), "eyes"),
    **dict.fromkeys(("tongue", "teeth", "gums"), "mouth"),
}
_MASKS = ("mouth", "lips", "ears")  # each takes from what those before it leave

_JAW = slice(3, 14)
"""Landmarks of the jaw from one angle over the chin to the other; the ear bounds those above."""
_INWARD_SLOPE = 1.0
"""By which the border rises inwards from the jaw: what lies under the chin is neck, the dent above
the chin is not."""
_SOFTNESS = 0.006
"""Metres to either side of the border: a triangle is about as large."""
_ON_HAIRLINE = 16
"""Vertices at the nape, those nearest to the hairline, that tell where it is."""


@lru_cache(maxsize=4)
def vertex_classes(model: HeadModel) -> Annotated[Float32Array, "V C"]:
    """How much each vertex belongs to each of CLASSES: (V, C), in [0, 1], rows sum to 1; read-only.

    Interpolated over the surface, the class of most weight is the one that is seen.
    """
    surface = model.surface
    weights = np.zeros((len(surface.part), len(CLASSES)))
    left = np.ones(len(surface.part))
    for part, name in _PARTS.items():
        rows = surface.vertices_of(part)
        weights[rows, CLASSES.index(name)] = 1.0
        left[rows] = 0.0
    for name in _MASKS:
        taken = left * np.clip(surface.masks[name], 0.0, 1.0)
        weights[:, CLASSES.index(name)] += taken
        left -= taken
    neck = smoothstep(-_SOFTNESS, _SOFTNESS, below_jaw(model))
    weights[:, CLASSES.index("neck")] = left * neck
    weights[:, CLASSES.index("skin")] = left * (1.0 - neck)
    result = weights.astype(np.float32)
    result.flags.writeable = False
    return result


def below_jaw(model: HeadModel) -> Annotated[FloatArray, "V"]:
    """How far each vertex of the mean head lies below the border of the neck: (V,) metres.

    The border follows the jaw's landmarks, goes on below the ear lobes and along the hairline of
    the nape; in cylindrical coordinates about an upright axis between the ears, it is a distance
    and a height for each azimuth.
    """
    vertices = model.forward(model.table.default())[0].astype(np.float64)
    axis = float(vertices[model.surface.masks["ears"] > 0.5, 1].mean())
    border = _border(model, vertices, axis)
    azimuth, radius, height = _cylindrical(vertices, axis).T
    edge_radius, edge_height = (np.interp(azimuth, border[:, 0], border[:, k]) for k in (1, 2))
    inward = np.maximum(edge_radius - radius, 0.0)
    below: FloatArray = edge_height + _INWARD_SLOPE * inward - height
    return below


def _border(model: HeadModel, vertices: FloatArray, axis: float) -> FloatArray:
    """Azimuth, distance and height of points (B, 3) on the border, all the way round."""
    jaw = model.landmarks(vertices.astype(np.float32))[_JAW]
    ears = model.surface.masks["ears"] > 0.5
    lobes = [_lowest(vertices[ears & side]) for side in (vertices[:, 0] < 0, vertices[:, 0] >= 0)]
    front = _cylindrical(np.vstack([jaw, *lobes]), axis)
    ((_, radius, height),) = _cylindrical(_nape(model, vertices, axis)[None], axis)
    back = np.array([(-np.pi, radius, height), (np.pi, radius, height)])
    border = np.concatenate([front, back])
    ordered: FloatArray = border[border[:, 0].argsort(kind="stable")]
    return ordered


def _cylindrical(points: FloatArray, axis: float) -> FloatArray:
    """Points (N, 3) -> azimuth (0 ahead, radians), distance from an upright axis, height."""
    x, ahead, z = points[:, 0], axis - points[:, 1], points[:, 2]
    return np.stack([np.arctan2(x, ahead), np.hypot(x, ahead), z], axis=1)


def _lowest(points: FloatArray) -> FloatArray:
    lowest: FloatArray = points[points[:, 2].argmin()]
    return lowest


def _nape(model: HeadModel, vertices: FloatArray, axis: float) -> FloatArray:
    """The middle of the hairline (3,) on the back of the neck."""
    surface = model.surface
    skin = surface.part == surface.part_names.index("skin")
    behind = np.flatnonzero(skin & (vertices[:, 1] - axis > np.abs(vertices[:, 0])))
    nearest = np.abs(surface.fields["hairline"][behind]).argsort(kind="stable")[:_ON_HAIRLINE]
    middle: FloatArray = vertices[behind[nearest]].mean(0)
    return middle
