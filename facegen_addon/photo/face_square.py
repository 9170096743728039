# SPDX-License-Identifier: GPL-3.0-or-later
"""The turned square around a face that the landmark network looks at.

Its places are complex numbers x + iy, x right and y down: in the picture in pixels, in the square
from -1 - 1i, its left upper corner, to 1 + 1i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np

from ..arrays import ByteArray, FloatArray, RealArray
from ..encoders.face_crop import interpolated
from ..errors import RejectedSample

_HALF = 1.78
"""Half of a side, of the distance from the eyes to the mouth: 12.5 cm of the mean head."""
_MIDDLE = 0.38
"""Where the middle lies on the way from the eyes to the mouth."""
_FINEST = 2.0
"""Above so many pixels of the picture to one of the square, bilinear sampling would skip some."""


@dataclass(frozen=True)
class FaceSquare:
    """middle: where its middle lies in the picture; across: from there to the middle of its right
    side, pixels, so that it is turned by the angle of this number."""

    middle: complex
    across: complex

    @classmethod
    def around(cls, points: Annotated[RealArray, "5 2"]) -> Self:
        """The square of a face with these five points (5, 2), FIVE_POINT_NAMES, in pixels.

        RejectedSample if eyes and mouth lie at one place."""
        eyes, mouth = (complex(*pair.mean(0)) for pair in (points[:2], points[3:]))
        down = mouth - eyes
        if not abs(down) > 1e-6:
            raise RejectedSample("a face whose eyes and mouth coincide cannot be cropped")
        return cls(eyes + _MIDDLE * down, -1j * _HALF * down)

    def to_picture(self, places: Annotated[RealArray, "... 2"]) -> Annotated[FloatArray, "... 2"]:
        """Places (..., 2) in the square, -1 to 1 -> pixels of the picture (..., 2)."""
        return _parts(self.middle + self.across * _whole(places))

    def to_square(self, pixels: Annotated[RealArray, "... 2"]) -> Annotated[FloatArray, "... 2"]:
        """Pixels of the picture (..., 2) -> places in the square (..., 2), -1 to 1 inside."""
        return _parts((_whole(pixels) - self.middle) / self.across)

    def cut(
        self, picture: Annotated[ByteArray, "H W 3"], side: int
    ) -> Annotated[ByteArray, "S S 3"]:
        """What it shows of a picture (H, W, 3), as (side, side, 3) uint8; beyond the picture's
        edges its outermost pixels go on."""
        step = max(1, int(2 * abs(self.across) / (side * _FINEST)))
        small = block_means(picture, step)
        line = (np.arange(side) + 0.5) * 2 / side - 1
        seen = self.middle + self.across * (line[None] + 1j * line[:, None])
        return interpolated(small, seen.real / step - 0.5, seen.imag / step - 0.5)


def block_means(picture: Annotated[ByteArray, "H W 3"], step: int) -> Annotated[ByteArray, "h w 3"]:
    """A picture (H, W, 3) made smaller by a whole number; what is left over at its ends is cut."""
    if step <= 1:
        return picture
    height, width = (length // step for length in picture.shape[:2])
    blocks = picture[: height * step, : width * step].reshape(height, step, width, step, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def _whole(places: RealArray) -> np.ndarray:
    places = np.asarray(places, np.float64)
    return places[..., 0] + 1j * places[..., 1]


def _parts(places: np.ndarray) -> FloatArray:
    return np.stack([places.real, places.imag], axis=-1)
