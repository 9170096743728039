# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary files of a process, which go with it however it ends."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from .interruption import undisturbed


@contextlib.contextmanager
def own_temporary_files() -> Iterator[Path]:
    """A folder for all temporary files that are made in the block, removed at its end.

    Also those of renderers that nobody could close. UserError if there is no place for them.
    """
    try:
        own = tempfile.TemporaryDirectory(prefix="facegen-", ignore_cleanup_errors=True)
    except OSError as error:
        raise no_temporary_files(error) from None
    before, tempfile.tempdir = tempfile.tempdir, own.name
    try:
        yield Path(own.name)
    finally:
        with undisturbed():
            tempfile.tempdir = before
            own.cleanup()


def no_temporary_files(error: OSError) -> UserError:
    """The error where there is no place for temporary files."""
    reason = (error.strerror or str(error)).partition(" found in ")[0]
    return UserError(
        f"temporary files cannot be written ({reason}); make room, or name another folder by TMPDIR"
    )
