# SPDX-License-Identifier: GPL-3.0-or-later
"""Protocol Buffers on the wire: enough to read TensorFlow's graphs and to write ONNX's models.

https://protobuf.dev/programming-guides/encoding: a message is a run of fields, each a tag (number
and wire type) and a value. Blender has no protobuf package.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}

Value = int | memoryview


def read_fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message in order: (number, value), an int for a varint, else its bytes.

    ValueError if the message is truncated or no message.
    """
    position = 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _read_varint(message, position)
            yield number, value
            continue
        if kind == _BYTES:
            size, position = _read_varint(message, position)
        elif kind in _FIXED_SIZES:
            size = _FIXED_SIZES[kind]
        else:
            raise ValueError(f"wire type {kind} at byte {position}")
        if position + size > len(message):
            raise ValueError(f"field {number} ends behind the message")
        yield number, message[position : position + size]
        position += size


def read_varints(packed: memoryview) -> list[int]:
    """The varints of a packed repeated field."""
    values, position = [], 0
    while position < len(packed):
        value, position = _read_varint(packed, position)
        values.append(value)
    return values


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """A varint and the position behind it: seven bits a byte, the lowest first."""
    value, shift = 0, 0
    while position < len(message):
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a varint ends behind the message")


def write_field(number: int, value: int | float | str | bytes) -> bytes:
    """One field: an int from 0 as a varint, a float in 32 bits, text, or bytes (a message)."""
    if isinstance(value, int):
        return _write_varint(number << 3 | _VARINT) + _write_varint(value)
    if isinstance(value, float):
        return _write_varint(number << 3 | _FIXED32) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return b"".join((_write_varint(number << 3 | _BYTES), _write_varint(len(data)), data))


def _write_varint(value: int) -> bytes:
    if value < 0:
        raise ValueError(f"{value} is below 0")
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
