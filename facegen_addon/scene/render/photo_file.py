# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a photo as people see it: upright, 8 bits of RGB, white behind what can be seen through."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, ByteArray, FloatArray
from ...errors import UserError
from ...photo.photo_header import check_photo
from .picture_file import DamagedPicture, decode


def read_photo(path: Path) -> Annotated[ByteArray, "H W 3"]:
    """The photo in a file (H, W, 3) uint8 RGB, turned as EXIF says.

    UserError, one line that names the file, for what check_photo refuses and what is damaged.
    """
    header = check_photo(path)
    try:
        picture = decode(path)
    except DamagedPicture as damaged:
        raise UserError(f"{path} {damaged}; copy or download it again") from None
    values = _levels(picture.values)
    count = values.shape[2] - ("A" in picture.channels)
    colour = values[..., :3] if count >= 3 else np.repeat(values[..., :1], 3, axis=2)
    if "A" in picture.channels:
        alpha = values[..., picture.channels.index("A"), None]
        colour = colour * alpha + (1.0 - alpha)
    upright = _turned(colour, header.turn or picture.orientation)
    return np.ascontiguousarray(np.rint(upright * 255.0).astype(np.uint8))


def _levels(values: AnyArray) -> FloatArray:
    """Grey levels from 0 to 1, whatever they are stored as."""
    if values.dtype.kind == "u":
        return np.asarray(values / np.float32(np.iinfo(values.dtype).max))
    return np.asarray(np.clip(np.nan_to_num(values), 0.0, 1.0))


def _turned(image: FloatArray, orientation: int) -> FloatArray:
    """An image of EXIF's orientation, 1 to 8, upright."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image[:, ::-1] if orientation in (2, 3, 6, 7) else image
