# SPDX-License-Identifier: GPL-3.0-or-later
"""What a photo's first bytes say before it is decoded: its format, and why it cannot be used."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from ..artifacts import read_file
from ..errors import UserError

FORMATS = ("JPEG", "PNG", "WebP")
_MOST_BYTES = 200_000_000
_MOST_PIXELS = 120_000_000
_REMEDY = "give a photo as JPEG, PNG or WebP"
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_OTHERS = {
    b"GIF8": "a GIF", b"BM": "a BMP", b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file", b"\0\0\0\x0cjP": "a JPEG 2000", b"v/1\x01": "an OpenEXR file",
}  # fmt: skip
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of JPEG that a frame's size follows."""
_TURN = re.compile(
    rb"EXIF.{4}(?:Exif\0\0)?(?:II\*\0.{0,512}?\x12\x01\x03\0\x01\0\0\0([\x01-\x08])\0"
    rb"|MM\0\*.{0,512}?\x01\x12\0\x03\0\0\0\x01\0([\x01-\x08]))",
    re.DOTALL,
)
"""The entry 0x0112 of the EXIF chunk of a WebP, which OpenImageIO does not read."""


@dataclass(frozen=True)
class PhotoHeader:
    """Format, one of FORMATS, and pixels across and down as stored; turn: EXIF's orientation, 1 to
    8, of a WebP, None where whoever decodes the file has it."""

    format: str
    width: int
    height: int
    turn: int | None = None


def check_photo(path: Path) -> PhotoHeader:
    """The header of a photo's file; UserError, one line, for what is no photo that can be used.

    These are: no file, no picture, another format, too large, animated, CMYK, cut short.
    """
    try:
        size = path.stat().st_size
    except OSError:
        size = 0  # read_file says why
    if size > _MOST_BYTES:
        raise UserError(
            f"{path} has {size / 1e6:.0f} MB; {_REMEDY} of {_MOST_BYTES / 1e6:.0f} MB at most"
        )
    data = read_file(path, _REMEDY)
    try:
        header, fault = _read(data)
    except (struct.error, IndexError):
        raise UserError(f"{path} is cut short: copy or download it again") from None
    if header is not None and not fault:
        fault = _size_fault(header)
    if header is None or fault:
        raise UserError(f"{path} {fault}")
    return header


def _read(data: bytes) -> tuple[PhotoHeader | None, str]:
    """Header and what is wrong, empty if nothing is. struct.error where the file ends early."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(_JPEG):
        return _jpeg(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        kind = "an AVIF" if data[8:12] == b"avif" else "a HEIC, as iPhones save them"
        return None, f"is {kind}; {_REMEDY}"
    for start, kind in _OTHERS.items():
        if data.startswith(start):
            return None, f"is {kind}; {_REMEDY}"
    return None, f"is empty; {_REMEDY}" if not data else f"is no picture; {_REMEDY}"


def _size_fault(header: PhotoHeader) -> str:
    if header.width * header.height > _MOST_PIXELS:
        return (
            f"has {header.width} x {header.height} pixels; give one of"
            f" {_MOST_PIXELS / 1e6:.0f} million at most"
        )
    return "" if min(header.width, header.height) else "has no pixels; give another photo"


def _png(data: bytes) -> tuple[PhotoHeader, str]:
    width, height = struct.unpack_from(">II", data, 16)
    place, animated, ended = len(_PNG), False, False
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        animated |= kind == b"acTL"
        ended = kind == b"IEND"
        place += 12 + length
        if ended:
            break
    if place > len(data) or not ended:
        raise struct.error
    return PhotoHeader("PNG", width, height), _animated(animated)


def _jpeg(data: bytes) -> tuple[PhotoHeader, str]:
    place = 2
    while True:
        marker, length = struct.unpack_from(">xBH", data, place)
        if marker == 0xFF:  # filling
            place += 1
        elif marker in _FRAMES:
            break
        else:
            place += 2 + length
    height, width, channels = struct.unpack_from(">HHB", data, place + 5)
    header = PhotoHeader("JPEG", width, height)
    if channels == 4:
        return header, "is CMYK, made for print; save it as RGB"
    # Cameras append things of their own behind the picture's end.
    if b"\xff\xd9" not in data[place:]:
        raise struct.error
    return header, ""


def _webp(data: bytes) -> tuple[PhotoHeader, str]:
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data) + 1:
        raise struct.error
    kind = data[12:16]
    if kind == b"VP8X":
        flags, *sides = struct.unpack_from("<B3x3s3s", data, 20)
        width, height = (int.from_bytes(side, "little") + 1 for side in sides)
        found = _TURN.search(data)
        turn = next((group[0] for group in found.groups() if group), 1) if found else 1
        return PhotoHeader("WebP", width, height, turn), _animated(bool(flags & 2))
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return PhotoHeader("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 1), ""
    width, height = struct.unpack_from("<HH", data, 26)
    return PhotoHeader("WebP", width & 0x3FFF, height & 0x3FFF, 1), ""


def _animated(animated: bool) -> str:
    return "is animated; save one of its pictures as JPEG or PNG" if animated else ""
