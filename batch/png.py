# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG from an array: Blender's Python has no imaging library, bpy's would manage colours."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FILTER_SUB = 1


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """The bytes of an 8-bit RGB PNG for an image (H, W, 3) uint8; equal images, equal bytes."""
    height, width, channels = image.shape
    if image.dtype != np.uint8 or channels != 3:
        raise ValueError(f"expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
    # Each pixel less its left neighbour (modulo 256): photographs shrink by a third.
    rows = np.empty((height, 1 + 3 * width), np.uint8)
    rows[:, 0] = _FILTER_SUB
    differences = image.copy()
    differences[:, 1:] -= image[:, :-1]
    rows[:, 1:] = differences.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
