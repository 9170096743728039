# SPDX-License-Identifier: GPL-3.0-or-later
"""MATLAB files of version 5 (`save -v6` and `-v7`, scipy.io.savemat): the numeric arrays in them.

After "MAT-File Format" (MathWorks, R2019a). Text, cells and structures come back as None.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np

from ....arrays import AnyArray
from ....errors import UserError

HDF5 = b"\x89HDF\r\n\x1a\n"
_HEADER = 128
_MOST = 2**28  # bytes that one variable may take when unpacked
_MATRIX, _COMPRESSED = 14, 15
_COMPLEX = 0x0800
_NUMERIC_CLASSES = range(6, 16)  # double, single, and integers of 8 to 64 bits
_TYPES = dict(zip((1, 2, 3, 4, 5, 6, 7, 9, 12, 13), "bBhHiIfdqQ", strict=True))


def is_mat(data: bytes) -> bool:
    """Whether bytes begin as a MATLAB file of version 5 or 7.3 does."""
    return data.startswith(b"MATLAB ") and data[126:128] in (b"IM", b"MI")


def parse_mat(data: bytes, path: Path) -> dict[str, Annotated[AnyArray, "..."] | None]:
    """Read the variables of a file by name; UserError if it is damaged, or of version 7.3."""
    if HDF5 in data[:1024]:
        raise UserError(
            f"{path} is a MATLAB file of version 7.3 (HDF5): save it again as version 7, in MATLAB"
            " with save(..., '-v7')"
        )
    order = "<" if data[126:128] == b"IM" else ">"
    try:
        return dict(
            _variable(kind, body, order) for kind, body in _elements(data[_HEADER:], order)
            if kind in (_MATRIX, _COMPRESSED)
        )  # fmt: skip
    except (ValueError, KeyError, IndexError, struct.error, zlib.error):
        raise UserError(f"{path} is not a whole MATLAB file: get it again") from None


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of one data element after the other."""
    place = 0
    while place + 8 <= len(data):
        (tag,) = struct.unpack_from(order + "I", data, place)
        if tag >> 16:  # a small element: its size stands beside its type, its bytes follow at once
            kind, size, start, step = tag & 0xFFFF, tag >> 16, place + 4, 8
        else:
            kind, (size,) = tag, struct.unpack_from(order + "I", data, place + 4)
            start = place + 8
            step = 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(data):
            raise ValueError("an element that ends beyond the file")
        yield kind, data[start : start + size]
        place += step


def _variable(kind: int, body: bytes, order: str) -> tuple[str, AnyArray | None]:
    """Name and array of one matrix element."""
    if kind == _COMPRESSED:
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(body, _MOST)
        if unpacker.unconsumed_tail:
            raise ValueError("a variable that is too large")
        ((kind, body),) = _elements(unpacked, order)
        if kind != _MATRIX:
            raise ValueError(f"compressed data of type {kind}")
    parts = _elements(body, order)
    flags = struct.unpack_from(order + "I", next(parts, (0, b""))[1])[0]
    shape = tuple(_numbers(*next(parts, (0, b"")), order).tolist())
    name = next(parts, (0, b""))[1].decode("latin-1")
    if flags & 0xFF not in _NUMERIC_CLASSES:
        return name, None
    real = _numbers(*next(parts, (0, b"")), order)
    if real.size != math.prod(shape) or min(shape, default=0) < 0:
        raise ValueError(f"{real.size} numbers for an array of shape {shape}")
    if flags & _COMPLEX:
        real = real + 1j * _numbers(*next(parts, (0, b"")), order)
    return name, real.reshape(shape, order="F")


def _numbers(kind: int, body: bytes, order: str) -> AnyArray:
    return np.frombuffer(body, order + _TYPES[kind])
