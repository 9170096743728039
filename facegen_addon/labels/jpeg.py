# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG files without what a program notes in them: Blender notes how long it rendered, so that no
two files of the same image would be the same."""

from __future__ import annotations

from collections.abc import Iterator

_START, _END = b"\xff\xd8", b"\xff\xd9"
_SCAN, _COMMENT = 0xDA, 0xFE
_APPLICATION = range(0xE1, 0xF0)  # APP0 is JFIF's own header


def without_notes(content: bytes) -> bytes:
    """A JPEG file less its comments and application segments (ITU-T T.81, annex B); the image is
    untouched. ValueError if it is not one."""
    kept = [_START]
    for marker, start, end in _segments(content):
        if marker != _COMMENT and marker not in _APPLICATION:
            kept.append(content[start:end])
    return b"".join(kept)


def is_whole(content: bytes) -> bool:
    """Whether a JPEG file goes on until the end of its image; what comes after it is no matter.

    In the image's own data no byte 0xFF stands before a marker's.
    """
    try:
        *_, (_, scan, _) = _segments(content)
    except ValueError:
        return False
    return content.find(_END, scan) >= 0


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, first byte and end of each segment; the last is the image's data, to the file's end.

    ValueError if it is no JPEG file or ends before its image.
    """
    if not content.startswith(_START):
        raise ValueError("no JPEG file")
    position = len(_START)
    while True:
        start = position
        while content[position : position + 2] == b"\xff\xff":  # as many as a writer likes
            position += 1
        head = content[position : position + 4]
        if len(head) < 4 or head[0] != 0xFF:
            raise ValueError("a JPEG file that ends before its image, or is damaged")
        marker = head[1]
        if marker == _SCAN:
            yield marker, start, len(content)
            return
        position += 2 + int.from_bytes(head[2:], "big")
        yield marker, start, position
