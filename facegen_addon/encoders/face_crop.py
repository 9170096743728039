# SPDX-License-Identifier: GPL-3.0-or-later
"""The one definition of the face crops that encoders see, for renders and photos alike.

FaceNet was trained on what the detector MTCNN finds: an upright box, enlarged by a third and
stretched to a square. A render needs no detector, since its landmarks are known; so the box is
predicted from five points by a linear map fitted to photos (models/training/fit_face_crop.py), and
photos go through the same map. The crop itself follows facenet-pytorch's `extract_face` and
Pillow's antialiased bilinear resize, in NumPy, because Blender has no Pillow.

Encoders of ArcFace's family, SFace among them, want the face turned and scaled so that its five
landmarks lie as near as can be to fixed places: `align_face`.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated

import numpy as np

from ..arrays import ByteArray, Float32Array, FloatArray, RealArray
from ..artifacts import load_npz
from ..errors import RejectedSample, UserError

CROP_SIZE = 160

# facenet-pytorch's margin of 40 in an image of 160: the box grows by 40 / (160 - 40).
BOX_GROWTH = 40 / (CROP_SIZE - 40)

# Where ArcFace's family wants the landmarks in an image of 112 x 112, in pixels from the centre of
# the first one; ordered as FIVE_POINT_NAMES.
ALIGNED_SIZE = 112
ALIGNED_POINTS = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)

# Above so many pixels of the image to one of the aligned face, bilinear sampling would skip some.
_FINEST = 2.0

FACE_BOX = "face_box"  # the artifact
SMALLEST_FACE = 8  # pixels of a side; less than that holds no face worth embedding


def face_box(points: Annotated[RealArray, "... 5 2"]) -> Annotated[FloatArray, "... 4"]:
    """The crop's box from five landmarks: MTCNN's box as predicted, enlarged by a third.

    `points` (..., 5, 2) in pixels, x to the right and y down, ordered as FIVE_POINT_NAMES in
    heads/head_model.py. Returns (..., 4) float64 x0, y0, x1, y1, not clipped to the image.
    Moving or scaling the points moves and scales the box.
    RejectedSample if points are not finite or all coincide.
    """
    return enlarge_box(predict_box(points))


def predict_box(points: Annotated[RealArray, "... 5 2"]) -> Annotated[FloatArray, "... 4"]:
    """The box that MTCNN would find around five landmarks: (..., 5, 2) -> (..., 4) pixels."""
    centre, scale, shape = shape_of_points(_checked_points(points))
    return box_from_shape(centre, scale, shape @ _box_coefficients())


def _checked_points(points: RealArray) -> FloatArray:
    """Landmarks (..., 5, 2) as float64; the errors are those of `face_box`."""
    points = np.asarray(points, dtype=np.float64)
    if points.shape[-2:] != (5, 2):
        raise UserError(f"landmarks of shape {points.shape}: give (..., 5, 2), x and y in pixels")
    if not np.isfinite(points).all():
        raise RejectedSample("a face without finite landmarks cannot be cropped")
    if (np.ptp(points, axis=-2).max(axis=-1) <= 0).any():
        raise RejectedSample("a face whose five landmarks coincide cannot be cropped")
    return points


def shape_of_points(
    points: Annotated[RealArray, "... 5 2"],
) -> tuple[
    Annotated[FloatArray, "... 2"], Annotated[FloatArray, "..."], Annotated[FloatArray, "... 10"]
]:
    """Landmarks (..., 5, 2) taken apart: centre (..., 2), scale (...), shape (..., 10).

    The scale is the root mean square distance from the centre; the shape has centre 0, scale 1.
    """
    centre = points.mean(axis=-2)
    offsets = points - centre[..., None, :]
    scale = np.sqrt(np.square(offsets).sum(axis=(-2, -1)) / 5)
    safe = np.where(scale > 0, scale, 1.0)
    return centre, scale, (offsets / safe[..., None, None]).reshape(*points.shape[:-2], 10)


def box_from_shape(
    centre: Annotated[RealArray, "... 2"],
    scale: Annotated[RealArray, "..."],
    box: Annotated[RealArray, "... 4"],
) -> Annotated[FloatArray, "... 4"]:
    """Put a box (..., 4) given in the landmarks' own centre and scale back into pixels."""
    return box * scale[..., None] + np.concatenate([centre, centre], axis=-1)


def enlarge_box(box: Annotated[RealArray, "... 4"]) -> Annotated[FloatArray, "... 4"]:
    """A detector's box (..., 4) enlarged by a third about its centre, sides in proportion."""
    box = np.asarray(box, dtype=np.float64)
    half_growth = (box[..., 2:] - box[..., :2]) * (BOX_GROWTH / 2)
    return np.concatenate([box[..., :2] - half_growth, box[..., 2:] + half_growth], axis=-1)


def crop_face(
    image: Annotated[ByteArray, "H W 3"], box: Annotated[RealArray, "4"], size: int = CROP_SIZE
) -> Annotated[ByteArray, "S S 3"]:
    """Cut `box` out of `image` and stretch it to a square, antialiased.

    `image` (H, W, 3) uint8 RGB; `box` (4,) pixels as from `face_box`, cut off at the image's edges
    and truncated to whole pixels as facenet-pytorch does. Returns (size, size, 3) uint8. UserError
    on another kind of image or box; RejectedSample if hardly any of the box is inside the image.
    """
    _require_rgb(image)
    x0, y0, x1, y1 = clip_box(box, width=image.shape[1], height=image.shape[0])
    return resize_bilinear(image[y0:y1, x0:x1], size, size)


def align_face(
    image: Annotated[ByteArray, "H W 3"],
    points: Annotated[RealArray, "5 2"],
    size: int = ALIGNED_SIZE,
) -> Annotated[ByteArray, "S S 3"]:
    """Turn, scale and move the face so that its landmarks lie as near as can be to ALIGNED_POINTS.

    `image` (H, W, 3) uint8 RGB; `points` (5, 2) pixels as in `face_box`. Bilinear; beyond its edges
    the image goes on as it ends, and an image much finer than needed is first reduced. Returns
    (size, size, 3) uint8. Errors as of `crop_face`.
    """
    _require_rgb(image)
    points = _checked_points(points)
    reduction = abs(_alignment(points, size)[0])
    if reduction > _FINEST:
        height, width = (round(side / reduction) for side in image.shape[:2])
        points = points * [width / image.shape[1], height / image.shape[0]]
        image = resize_bilinear(image, max(width, 1), max(height, 1))
    box = _aligned_box(points, size)
    clip_box(box, width=image.shape[1], height=image.shape[0])
    turn, shift = _alignment(points, size)
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    source = turn * (columns + 1j * rows) + shift
    return interpolated(image, source.real, source.imag)


def aligned_box(points: Annotated[RealArray, "5 2"]) -> Annotated[FloatArray, "4"]:
    """The part of the image that `align_face` looks at: (5, 2) -> (4,) pixels as in `face_box`."""
    return _aligned_box(_checked_points(points), ALIGNED_SIZE)


def _aligned_box(points: FloatArray, size: int) -> FloatArray:
    turn, shift = _alignment(points, size)
    last = size - 1
    corners = turn * np.array([0, last, 1j * last, last + 1j * last]) + shift
    # From a pixel's centre to the far edges of the neighbours that interpolation reads.
    low = np.array([corners.real.min(), corners.imag.min()]) - 1.0
    high = np.array([corners.real.max(), corners.imag.max()]) + 2.0
    return np.concatenate([low, high])


def _alignment(points: FloatArray, size: int) -> tuple[complex, complex]:
    """(turn, shift): pixel x + iy when aligned lies at turn * (x + iy) + shift in the other.

    From the similarity that brings `points` (5, 2) nearest to ALIGNED_POINTS in the least squares.
    Both count from the centre of the first pixel.
    """
    target = ALIGNED_POINTS * (size / ALIGNED_SIZE) @ [1, 1j]
    source = (points - 0.5) @ [1, 1j]
    source_offset, target_offset = source - source.mean(), target - target.mean()
    forth = np.vdot(source_offset, target_offset) / np.vdot(source_offset, source_offset)
    if abs(forth) < 1e-9:
        raise RejectedSample("a face whose landmarks are mirrored cannot be cropped")
    turn = 1 / forth
    return complex(turn), complex(source.mean() - turn * target.mean())


def interpolated(
    image: Annotated[ByteArray, "H W 3"],
    x: Annotated[FloatArray, "S S"],
    y: Annotated[FloatArray, "S S"],
) -> Annotated[ByteArray, "S S 3"]:
    """`image` (H, W, 3) at pixels x and y (S, S), counted from the first one's centre; bilinear,
    and beyond its edges the image goes on as it ends."""
    height, width = image.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (x - left)[..., None], (y - top)[..., None]
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[bottom, left] * (1 - across) + image[bottom, right] * across
    return np.floor(upper * (1 - down) + lower * down + 0.5).astype(np.uint8)


def _require_rgb(image: object) -> None:
    if not is_rgb_image(image):
        raise UserError("the image to crop must be (H, W, 3) uint8 RGB")


def is_rgb_image(image: object) -> bool:
    """Whether `image` is an array (H, W, 3) uint8."""
    return (
        isinstance(image, np.ndarray)
        and image.ndim == 3
        and image.shape[2] == 3
        and image.dtype == np.uint8
    )


def clip_box(
    box: Annotated[RealArray, "4"], *, width: int, height: int
) -> tuple[int, int, int, int]:
    """A box in whole pixels inside an image; the errors are those of `crop_face`."""
    box = np.asarray(box, dtype=np.float64)
    if box.shape != (4,):
        raise UserError(f"a box of shape {box.shape}: give x0, y0, x1, y1 in pixels")
    if not np.isfinite(box).all():
        raise RejectedSample("a face whose box is not finite cannot be cropped")
    x0, y0, x1, y1 = (int(edge) for edge in np.clip(box, 0, [width, height, width, height]))
    if x1 - x0 < SMALLEST_FACE or y1 - y0 < SMALLEST_FACE:
        raise RejectedSample(
            f"only {max(x1 - x0, 0)} x {max(y1 - y0, 0)} pixels of the face are in the image"
        )
    return x0, y0, x1, y1


def resize_bilinear(
    image: Annotated[ByteArray, "H W 3"], width: int, height: int
) -> Annotated[ByteArray, "h w 3"]:
    """Pillow's `resize(..., BILINEAR)`: (H, W, 3) uint8 -> (height, width, 3) uint8.

    A triangle filter, as wide as the reduction demands; rows first, rounded to whole grey levels
    between the two passes as Pillow does.
    """
    rows = np.swapaxes(_resize_first_axis(np.swapaxes(image, 0, 1), width), 0, 1)
    return _resize_first_axis(rows, height)


def _resize_first_axis(image: ByteArray, size: int) -> ByteArray:
    columns = image.reshape(image.shape[0], -1).astype(np.float32)
    resized = _triangle_filter(image.shape[0], size) @ columns
    rounded = np.floor(np.clip(resized, 0, 255) + 0.5).astype(np.uint8)
    return rounded.reshape(size, *image.shape[1:])


def _triangle_filter(length: int, size: int) -> Float32Array:
    """Weights (size, length) float32 of each source pixel in each target pixel; rows sum to 1."""
    reduction = length / size
    support = max(reduction, 1.0)
    centres = (np.arange(size) + 0.5) * reduction
    distance = np.abs(np.arange(length) + 0.5 - centres[:, None]) / support
    weights = np.maximum(1.0 - distance, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


@cache
def _box_coefficients() -> FloatArray:
    """(10, 4) float64: from the shape of the landmarks to MTCNN's box, both centred and scaled."""
    return load_npz(FACE_BOX)["coefficients"]
