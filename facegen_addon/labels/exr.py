# SPDX-License-Identifier: GPL-3.0-or-later
"""Reader of the OpenEXR files that Blender writes render passes to: one part of uncompressed
scanlines of 32-bit floats.

Follows "OpenEXR File Layout" (openexr.com): magic number and version, attributes of name, type,
size and value, a table of offsets, then one chunk a scanline: its y, its size, and the channels one
after another in alphabetical order. Not every Blender has OpenImageIO's Python module.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32Array
from ..errors import UserError

_MAGIC = b"\x76\x2f\x31\x01"
_LONG_NAMES = 0x400  # of the version's flags, the one that changes nothing here
_VERSION = 2
_FLOAT = 2
_CHUNK_HEADER = np.dtype([("y", "<i4"), ("size", "<i4")])
_REQUIRED = {"channels": "chlist", "compression": "compression", "dataWindow": "box2i"}


@dataclass(frozen=True)
class ExrImage:
    """The channels of an image: names (C,) in alphabetical order, values (H, C, W) float32."""

    names: tuple[str, ...]
    values: Annotated[Float32Array, "H C W"]

    def channels(self, names: list[str]) -> Annotated[Float32Array, "H W N"]:
        """Some channels as one array (H, W, N); KeyError names one that is not there."""
        missing = sorted(set(names) - set(self.names))
        if missing:
            raise KeyError(f"channel {missing[0]!r} of {', '.join(self.names)}")
        return self.values[:, [self.names.index(name) for name in names]].transpose(0, 2, 1)


def read_exr(path: Path) -> ExrImage:
    """UserError naming the file where it is damaged or of another kind than described above."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); name another file") from None
    try:
        return _parse(content)
    except _Unreadable as problem:
        raise UserError(f"{path} cannot be read as OpenEXR ({problem}); render it anew") from None


def exr_channels(content: bytes) -> tuple[str, ...]:
    """Names of the channels of any OpenEXR file's first part; none where it is no such file."""
    header = _Header(content)
    try:
        if header.take(4) != _MAGIC:
            return ()
        header.number("<I")
        return tuple(name for name, _ in _channels(header.attributes()["channels"]))
    except _Unreadable:
        return ()


class _Unreadable(Exception):
    """What is wrong with the bytes of a file."""


def _parse(content: bytes) -> ExrImage:
    header = _Header(content)
    if header.take(4) != _MAGIC:
        raise _Unreadable("it begins like another kind of file")
    version = header.number("<I")
    if version & ~_LONG_NAMES != _VERSION:
        raise _Unreadable("it is tiled, deep, of several parts or of another version")
    attributes = header.attributes()
    if attributes["compression"] != b"\0":
        raise _Unreadable("it is compressed")
    names = _channel_names(attributes["channels"])
    left, top, right, bottom = header.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    if width < 1 or height < 1:
        raise _Unreadable(f"its size is {width} x {height}")
    chunks = _chunks(content, header.position, height, width, len(names))
    rows = chunks["y"].astype(np.int64) - top
    if not np.array_equal(np.sort(rows), np.arange(height)):
        raise _Unreadable("its scanlines are not each there once")
    values = np.empty((height, len(names), width), np.float32)
    values[rows] = chunks["values"]
    return ExrImage(names, values)


def _chunks(content: bytes, position: int, height: int, width: int, channels: int) -> NDArray:
    """The scanlines (H,) behind the table of offsets, which must say that they lie side by side."""
    size = 4 * width * channels
    first = position + 8 * height
    if first + height * (_CHUNK_HEADER.itemsize + size) > len(content):
        raise _Unreadable("it ends too early")
    chunk = np.dtype([*_CHUNK_HEADER.descr, ("values", "<f4", (channels, width))])
    offsets = np.frombuffer(content, "<u8", height, position).astype(np.int64)
    if not np.array_equal(np.sort(offsets), first + chunk.itemsize * np.arange(height)):
        raise _Unreadable("its scanlines lie elsewhere than expected")
    chunks = np.frombuffer(content, chunk, height, first)
    if (chunks["size"] != size).any():
        raise _Unreadable("a scanline has another size than its channels")
    return chunks


def _channel_names(value: bytes) -> tuple[str, ...]:
    """Names of the channels in a chlist, each of which must be of 32-bit floats, unsampled."""
    names = []
    for name, kept in _channels(value):
        if kept != (_FLOAT, 1, 1):
            raise _Unreadable(f"channel {name!r} is not of 32-bit floats for each pixel")
        names.append(name)
    if not names:
        raise _Unreadable("it has no channels")
    return tuple(names)


def _channels(value: bytes) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Each channel's name in a chlist, and how it is kept: type, columns and rows a value."""
    entries = _Header(value)
    while name := entries.string():
        kind, _linear, across, down = entries.unpack("<4i", entries.take(16))
        yield name, (kind, across, down)


class _Header:
    """Bytes read from the beginning on; _Unreadable where there are too few."""

    def __init__(self, content: bytes) -> None:
        self._content, self.position = content, 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        end = self.position + count
        if count < 0 or end > len(self._content):
            raise _Unreadable("it ends too early")
        taken = self._content[self.position : end]
        self.position = end
        return taken

    def unpack(self, layout: str, value: bytes) -> tuple[int, ...]:
        """Numbers from the bytes of one value."""
        try:
            return struct.unpack(layout, value)
        except struct.error:
            raise _Unreadable("a value has another size than its type") from None

    def number(self, layout: str) -> int:
        """The next number."""
        return self.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def string(self) -> str:
        """The next text, which ends with a zero."""
        end = self._content.find(b"\0", self.position)
        if end < 0:
            raise _Unreadable("it ends too early")
        return self.take(end + 1 - self.position)[:-1].decode("utf-8", "replace")

    def attributes(self) -> dict[str, bytes]:
        """The values of the required attributes, up to the empty name that ends the header."""
        found: dict[str, bytes] = {}
        while name := self.string():
            kind, size = self.string(), self.number("<i")
            value = self.take(size)
            if _REQUIRED.get(name) == kind:
                found[name] = value
        missing = [name for name in _REQUIRED if name not in found]
        if missing:
            raise _Unreadable(f"its header has no {missing[0]}")
        return found
