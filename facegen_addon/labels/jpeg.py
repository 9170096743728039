# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG files without what a program notes in them: Blender notes how long it rendered, so that no
two files of the same image would be the same."""

from __future__ import annotations

_START, _SCAN, _COMMENT = b"\xff\xd8", 0xDA, 0xFE
_APPLICATION = range(0xE1, 0xF0)  # APP0 is JFIF's own header


def without_notes(content: bytes) -> bytes:
    """A JPEG file less its comments and application segments (ITU-T T.81, annex B); the image is
    untouched. ValueError if it is not one."""
    if not content.startswith(_START):
        raise ValueError("no JPEG file")
    kept, position = [_START], len(_START)
    while True:
        head = content[position : position + 4]
        if len(head) < 4 or head[0] != 0xFF:
            raise ValueError("a JPEG file that ends before its image, or is damaged")
        marker = head[1]
        if marker == _SCAN:
            return b"".join([*kept, content[position:]])
        end = position + 2 + int.from_bytes(head[2:], "big")
        if marker != _COMMENT and marker not in _APPLICATION:
            kept.append(content[position:end])
        position = end
