# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a face with its landmarks drawn."""

from typing import Annotated

import numpy as np

from facegen_addon.arrays import ByteArray, FloatArray
from facegen_addon.photo.face_square import FaceSquare
from facegen_addon.photo.landmark_network import LANDMARKS, FaceReading, five_of_landmarks

_SIDE = 640
_RADIUS, _DENSE_RADIUS = 3.0, 1.2
_SURE, _UNSURE = np.array([70.0, 235.0, 90.0]), np.array([240.0, 60.0, 40.0])
_SURE_SPREAD, _UNSURE_SPREAD = 0.01, 0.08
"""Shares of the picture's half side: a point is drawn in the first colour up to the one, and in the
second from the other on."""


def with_landmarks(
    photo: Annotated[ByteArray, "H W 3"], reading: FaceReading
) -> Annotated[ByteArray, "S S 3"]:
    """The face of a photo (H, W, 3) uint8, upright, with all its points: the dense ones
    small, green where the network is sure, red where it is not."""
    square = FaceSquare.around(five_of_landmarks(reading.points))
    upright = FaceSquare(square.middle, complex(abs(square.across)))
    sheet = upright.cut(photo, _SIDE).astype(np.float64)
    places = (upright.to_square(reading.points) + 1) * _SIDE / 2
    share = (reading.spread / abs(square.across) - _SURE_SPREAD) / (_UNSURE_SPREAD - _SURE_SPREAD)
    share = np.clip(share, 0, 1)[:, None]
    colours = _SURE * (1 - share) + _UNSURE * share
    for k in reversed(range(len(places))):  # the landmarks come to lie on the dense points
        _dot(sheet, places[k], _RADIUS if k < LANDMARKS else _DENSE_RADIUS, colours[k])
    return np.rint(sheet).astype(np.uint8)


def _dot(sheet: FloatArray, place: FloatArray, radius: float, colour: FloatArray) -> None:
    """A disc with a soft edge; what lies outside of the sheet is left out."""
    low = np.clip(np.floor(place - radius - 1).astype(int), 0, len(sheet))
    high = np.clip(np.ceil(place + radius + 1).astype(int), 0, len(sheet))
    columns, rows = (np.arange(low[axis], high[axis]) + 0.5 - place[axis] for axis in (0, 1))
    away = np.hypot(columns[None], rows[:, None])
    cover = np.clip(radius + 0.5 - away, 0, 1)[..., None]
    part = sheet[low[1] : high[1], low[0] : high[0]]
    part += (colour - part) * cover
