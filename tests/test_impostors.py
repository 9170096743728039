# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the place of a file is told by its first bytes, and nothing else is."""

import io
import json
import pickle

import numpy as np
import pytest

from facegen_addon.impostors import describe_impostor

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
PAGE = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n"
PAGES = {
    "as it is": PAGE.encode(),
    "in capitals, after empty lines": b"\n\n  " + PAGE.upper().encode(),
    "without a doctype": b"<html lang='en'><body>404</body></html>",
    "a body alone": b"<body>Forbidden</body>",
    "XHTML": b'<?xml version="1.0" encoding="UTF-8"?>\n' + PAGE.encode(),
    "after a comment": b"<!-- cached -->\n" + PAGE.encode(),
    "with a byte order mark": PAGE.encode("utf-8-sig"),
    "UTF-16": PAGE.encode("utf-16"),
}


def test_a_pointer_of_git_lfs() -> None:
    assert "Git LFS pointer" in (describe_impostor(POINTER) or "")


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_of_the_web(kind: str) -> None:
    assert "web page (HTML)" in (describe_impostor(PAGES[kind]) or "")


def _npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, text=np.array(PAGE))
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 9000, b"<", b"<svg>", b"<headings>", _npz(), pickle.dumps({"a": POINTER}),
     json.dumps({"page": PAGE}).encode()],
)  # fmt: skip
def test_what_is_itself(data: bytes) -> None:
    assert describe_impostor(data) is None
