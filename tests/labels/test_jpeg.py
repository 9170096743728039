# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG files less their notes, and whether they are whole."""

import struct

import pytest

from facegen_addon.labels.jpeg import is_whole, without_notes


def _segment(marker: int, value: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(value)) + value


JFIF = _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
TABLE = _segment(0xDB, b"\0" * 65)
# A scan holds what look like comments and markers.
SCAN = _segment(0xDA, b"\1\1\0\0\x3f\0") + b"\xff\xfe\0\x04ab\xff\0\xff\xd9"


def test_comments_and_application_data_go_and_all_else_stays() -> None:
    notes = _segment(0xFE, b"time:00:01.27") + _segment(0xE1, b"Exif\0\0")
    plain = b"\xff\xd8" + JFIF + TABLE + SCAN
    assert without_notes(b"\xff\xd8" + JFIF + notes + TABLE + notes + SCAN) == plain
    assert without_notes(plain) == plain


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG", b"\xff\xd8", b"\xff\xd8" + JFIF, b"\xff\xd8" + JFIF + b"text" * 9]
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="JPEG"):
        without_notes(content)


def test_a_file_that_ends_early_is_not_whole() -> None:
    """The end of a small picture in the notes is not that of the image."""
    notes = _segment(0xE1, b"Exif\0\0" + b"\xff\xd8" + JFIF + TABLE + SCAN)
    whole = b"\xff\xd8" + JFIF + b"\xff\xff" + notes + TABLE + SCAN
    assert is_whole(whole) and is_whole(whole + b"a film \xff\xda")
    assert not any(is_whole(whole[:length]) for length in range(len(whole)))
