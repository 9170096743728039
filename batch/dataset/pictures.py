# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples to look at: each image with its labels beside it, on one sheet."""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from batch.contact_sheet import contact_sheet
from batch.dataset.members import read_labels
from batch.dataset.sample import StoredSample
from facegen_addon.arrays import ByteArray
from facegen_addon.heads.landmarks import LANDMARK_COUNT
from facegen_addon.labels.label_check import VISIBLE
from facegen_addon.labels.maps import LabelMaps, LandmarkLabels
from facegen_addon.png import Image, decode_png

CLASS_COLOURS = {
    "background": (0, 0, 0),
    "skin": (236, 178, 142),
    "lips": (214, 64, 92),
    "mouth": (120, 18, 40),
    "eyes": (72, 168, 240),
    "brows": (128, 84, 44),
    "ears": (240, 208, 72),
    "neck": (196, 132, 200),
    "hair": (92, 60, 160),
    "beard": (60, 140, 92),
    "clothes": (132, 140, 150),
    "glasses": (236, 120, 40),
    "headwear": (96, 72, 168),
}
"""The segmentation's colours on the sheet, sRGB."""
_PIXELS = 6_000_000
_POINT = (0, 0, 0)

Picture = ByteArray


def sample_sheet(samples: Sequence[StoredSample]) -> Annotated[Picture, "H W 3"]:
    """(H, W, 3): of each sample its image, and below and beside it segmentation with landmarks,
    depth (near is bright) and normals; the number is the sample's."""
    side = max(max(sample.camera.width, sample.camera.height) for sample in samples)
    tiles = [_tile(sample, side) for sample in samples]
    numbers = [sample.index for sample in samples]
    return contact_sheet(tiles, [math.nan] * len(tiles), _PIXELS, numbers)


def _tile(sample: StoredSample, side: int) -> Picture:
    """Four pictures (2 side, 2 side, 3), or the image alone where there are no labels."""
    name = f"sample {sample.key}"
    image = _squared(_rgb(_decode(sample)), side)
    if not sample.labels:
        return image
    maps, landmarks = read_labels(sample.labels, name)
    views = [_classes(maps, landmarks), _depth(maps), _normals(maps)]
    segmentation, depth, normals = (_squared(view, side) for view in views)
    return np.vstack([np.hstack([image, segmentation]), np.hstack([depth, normals])])


def _decode(sample: StoredSample) -> Image:
    if sample.suffix == "png":
        return decode_png(sample.image, f"sample {sample.key}: its image")
    # Blender's module is there where a data set is made, an imaging library is not.
    from facegen_addon.scene.render.portrait import decode_jpeg

    return decode_jpeg(sample.image)


def _rgb(image: Image) -> Picture:
    """8-bit colour of whatever PNG it was."""
    eight = (image >> 8 if image.dtype == np.uint16 else image).astype(np.uint8)
    return eight if eight.ndim == 3 else np.repeat(eight[..., None], 3, axis=2)


def _squared(image: Picture, side: int) -> Picture:
    """The image in the middle of a black square."""
    height, width = image.shape[:2]
    square = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = image
    return square


def _classes(maps: LabelMaps, landmarks: LandmarkLabels) -> Picture:
    picture = np.array(list(CLASS_COLOURS.values()), np.uint8)[maps.segmentation]
    # The dense ones would hide what they lie on.
    seen = landmarks.visibility[:LANDMARK_COUNT] == VISIBLE
    column, row = np.floor(landmarks.pixels[:LANDMARK_COUNT][seen]).astype(int).T
    picture[row, column] = _POINT
    return picture


def _depth(maps: LabelMaps) -> Picture:
    """The nearest white, the farthest dark grey, nothing black."""
    there = maps.depth > 0
    if not there.any():
        return np.zeros((*maps.depth.shape, 3), np.uint8)
    near, far = np.quantile(maps.depth[there], (0.0, 0.98))
    share = np.clip((far - maps.depth) / max(far - near, 1e-6), 0.0, 1.0)
    grey = np.where(there, 40 + 215 * share, 0).astype(np.uint8)
    return _rgb(grey)


def _normals(maps: LabelMaps) -> Picture:
    """Normals as colours: x to the right red, y up green, towards the viewer blue."""
    colour = (maps.normals * (1.0, -1.0, -1.0) + 1.0) / 2.0
    there = maps.normals.any(-1, keepdims=True)
    return np.rint(np.where(there, colour, 0.0) * 255).astype(np.uint8)
