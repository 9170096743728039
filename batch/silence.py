# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender, and the libraries that come with it, without their chatter."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def blender_silent() -> Iterator[None]:
    """Blender prints some fifty lines a picture, between which nobody finds the result."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)


@contextlib.contextmanager
def libraries_silent() -> Iterator[TextIO]:
    """Libraries that decode pictures write to stderr of each that is damaged; what is given here
    goes there all the same."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        with open(kept, "w", encoding="utf-8", errors="replace", closefd=False) as stream:
            yield stream
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
