# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG from an array: Blender's Python has no imaging library, bpy's would manage colours.

ISO/IEC 15948:2004, grey or RGB of 8 or 16 bits. Each kind has one filter for all of its rows, so
that both ways are a few operations on whole arrays.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from .arrays import AnyArray, ByteArray
from .errors import UserError

Image = ByteArray | NDArray[np.uint16]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NONE, _SUB, _UP = 0, 1, 2  # filters: as it is, less the left neighbour, less the one above
_HEADER = struct.Struct(">IIBBBBB")
_GREY, _RGB = 0, 2  # colour types
_MAXIMUM_SIDE = 16384


@dataclass(frozen=True)
class _Kind:
    """Encoding of one kind of image; chosen by size and time on a rendered head's maps, 256 x 256.

    Classes are flat (1 kB, 0.3 ms). What has 16 bits changes slowly, but its low bytes are noise in
    which longer matches are not worth the search: runs only, after the row above is taken off,
    take 2 ms for normals (148 kB), where the best filter and level save 2 % in 4 ms.
    """

    colour_type: int
    bits: int
    filter: int
    strategy: int

    @property
    def channels(self) -> int:
        return 3 if self.colour_type == _RGB else 1

    @property
    def pixel_bytes(self) -> int:
        return self.channels * self.bits // 8


_KINDS = {
    (_RGB, 8): _Kind(_RGB, 8, _SUB, zlib.Z_DEFAULT_STRATEGY),  # photographs shrink by a third
    (_GREY, 8): _Kind(_GREY, 8, _NONE, zlib.Z_DEFAULT_STRATEGY),
    (_GREY, 16): _Kind(_GREY, 16, _UP, zlib.Z_RLE),
    (_RGB, 16): _Kind(_RGB, 16, _UP, zlib.Z_RLE),
}


def encode_png(image: Annotated[Image, "H W ..."]) -> bytes:
    """The bytes of a PNG for an image (H, W) or (H, W, 3), uint8 or uint16; equal images, equal
    bytes. ValueError for any other array."""
    kind = _kind_of(image)
    height, width = image.shape[:2]
    # PNG is big-endian, and its filters work byte by byte, modulo 256.
    pixels = np.ascontiguousarray(image, image.dtype.newbyteorder(">")).view(np.uint8)
    pixels = pixels.reshape(height, width, kind.pixel_bytes)
    differences = pixels.copy()
    if kind.filter == _SUB:
        differences[:, 1:] -= pixels[:, :-1]
    elif kind.filter == _UP:
        differences[1:] -= pixels[:-1]
    rows = np.empty((height, 1 + width * kind.pixel_bytes), np.uint8)
    rows[:, 0] = kind.filter
    rows[:, 1:] = differences.reshape(height, -1)
    header = _HEADER.pack(width, height, kind.bits, kind.colour_type, 0, 0, 0)
    compressor = zlib.compressobj(6, strategy=kind.strategy)
    data = compressor.compress(rows.tobytes()) + compressor.flush()
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _kind_of(image: AnyArray) -> _Kind:
    bits = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16}.get(image.dtype)
    colour_type = {(): _GREY, (3,): _RGB}.get(image.shape[2:]) if image.ndim >= 2 else None
    if bits is None or colour_type is None or image.size == 0:
        raise ValueError(
            f"expected (H, W) or (H, W, 3) uint8 or uint16, got {image.shape} {image.dtype}"
        )
    return _KINDS[colour_type, bits]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def decode_png(data: bytes, name: str = "the image") -> Annotated[Image, "H W ..."]:
    """The image in a PNG as `encode_png` writes it: (H, W) or (H, W, 3), uint8 or uint16.

    UserError that names `name` for anything else, be it damaged or another program's.
    """
    try:
        return _decode(data)
    except (ValueError, struct.error, zlib.error, KeyError) as error:
        reason = str(error) or type(error).__name__
        raise UserError(
            f"{name} is no whole PNG as FaceGen writes it ({reason}): make it again"
        ) from None


def _decode(data: bytes) -> Image:
    if not data.startswith(_SIGNATURE):
        raise ValueError("no PNG signature")
    header, pixels = _chunks(data)
    width, height, bits, colour_type, *rest = _HEADER.unpack(header)
    if (colour_type, bits) not in _KINDS or any(rest):
        raise ValueError(f"colour type {colour_type} of {bits} bits")
    if not (0 < width <= _MAXIMUM_SIDE and 0 < height <= _MAXIMUM_SIDE):
        raise ValueError(f"{width} x {height} pixels")
    kind = _KINDS[colour_type, bits]
    rows = _rows(pixels, height, 1 + width * kind.pixel_bytes)
    if (rows[:, 0] != kind.filter).any():
        raise ValueError("other filters")
    values = _unfiltered(rows[:, 1:].reshape(height, width, kind.pixel_bytes), kind.filter)
    dtype = np.dtype(np.uint8 if kind.bits == 8 else np.uint16)
    shape = (height, width, 3) if kind.channels == 3 else (height, width)
    image: AnyArray = values.view(dtype.newbyteorder(">")).astype(dtype).reshape(shape)
    return image


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """Contents of the header and the one piece of pixels; ValueError for other chunks or sums."""
    found, start = [], len(_SIGNATURE)
    for expected in (b"IHDR", b"IDAT", b"IEND"):
        size, kind = struct.unpack_from(">I4s", data, start)
        content = data[start + 8 : start + 8 + size]
        (checksum,) = struct.unpack_from(">I", data, start + 8 + size)
        if kind != expected or checksum != zlib.crc32(kind + content):
            raise ValueError(f"its {expected.decode()} is another or damaged")
        found.append(content)
        start += 12 + size
    if start != len(data):
        raise ValueError("something follows its end")
    return found[0], found[1]


def _rows(compressed: bytes, height: int, width: int) -> ByteArray:
    """Exactly (height, width) bytes; never more memory than these, whatever the file says."""
    decompressor = zlib.decompressobj()
    raw = decompressor.decompress(compressed, height * width + 1)
    if len(raw) != height * width or not decompressor.eof or decompressor.unused_data:
        raise ValueError("too few or too many pixels")
    return np.frombuffer(raw, np.uint8).reshape(height, width)


def _unfiltered(differences: ByteArray, kind: int) -> ByteArray:
    """Sums of differences along rows or columns, modulo 256."""
    if kind == _NONE:
        return np.ascontiguousarray(differences)
    axis = 1 if kind == _SUB else 0
    return np.ascontiguousarray(np.cumsum(differences, axis=axis, dtype=np.uint8))
