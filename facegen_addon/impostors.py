# SPDX-License-Identifier: GPL-3.0-or-later
"""Files saved in the place of another: the pointer that Git LFS leaves, a page of the web, ..."""

from __future__ import annotations

import re

_LOOKED_AT = 4096
_LFS = b"version https://git-lfs.github.com/spec/"
_PAGE = re.compile(
    rb"(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.S
)
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def describe_impostor(data: bytes) -> str | None:
    """Name the kind of a wrong file by its first bytes, and how to get the right one; else None.

    Words that complete "FILE is ...": for a Git LFS pointer, and for an HTML page, which a download
    without a login ends in.
    """
    start = _as_ascii(data[:_LOOKED_AT])
    if start.startswith(_LFS):
        return "a Git LFS pointer, not the file itself; fetch that with `git lfs pull`"
    if _PAGE.match(start.lower()):
        return (
            "a web page (HTML) saved under this name, not the file itself; log in to its site in a"
            " browser and download it again"
        )
    return None


def _as_ascii(start: bytes) -> bytes:
    """The beginning without byte order mark, zeros (of UTF-16) and leading space."""
    for mark in _MARKS:
        start = start.removeprefix(mark)
    return start.replace(b"\0", b"").lstrip()
