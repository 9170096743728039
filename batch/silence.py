# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender without its chatter."""

import contextlib
import os
import sys
from collections.abc import Iterator


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
