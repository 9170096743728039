# SPDX-License-Identifier: GPL-3.0-or-later
"""Label images as the renderer's passes give them, one value a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..arrays import BoolArray, ByteArray, Float32Array, FloatArray

CLASSES = (
    "background",
    "skin",
    "lips",
    "mouth",
    "eyes",
    "brows",
    "ears",
    "neck",
    "hair",
    "beard",
    "clothes",
    "glasses",
    "headwear",
)
"""Names of the segmentation's values; "mouth" is its inside, "beard" every facial hair,
"glasses" their frames and dark lenses."""


@dataclass(frozen=True)
class LabelMaps:
    """Labels of one image of H x W pixels, all from the very render that made the image.

    segmentation (H, W) uint8: index into CLASSES, the class that covers most of the pixel;
    depth (H, W) float32: metres along the optical axis, of the surface that the segmentation names,
    0 where that is the background; normals (H, W, 3) float32: unit vectors in camera coordinates,
    0 on hair and background; uv (H, W, 2) float32 in [0, 1], of the head's texture, with uv_valid
    (H, W) bool: False off the head's surface and on seams.
    """

    segmentation: Annotated[ByteArray, "H W"]
    depth: Annotated[Float32Array, "H W"]
    normals: Annotated[Float32Array, "H W 3"]
    uv: Annotated[Float32Array, "H W 2"]
    uv_valid: Annotated[BoolArray, "H W"]


@dataclass(frozen=True)
class LandmarkLabels:
    """N points: world (N, 3) metres, pixels (N, 2), depth (N,) metres along the optical axis, and
    visibility (N,) uint8 as COCO has it: 0 outside the image, 1 hidden, 2 visible."""

    world: Annotated[FloatArray, "N 3"]
    pixels: Annotated[FloatArray, "N 2"]
    depth: Annotated[FloatArray, "N"]
    visibility: Annotated[ByteArray, "N"]
