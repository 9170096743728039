# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that appears complete, or not at all."""

import contextlib
import errno
import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError

_NOT_FOR_FOLDERS = (errno.EBADF, errno.EINVAL, errno.ENOTSUP)
"""What network disks answer that flush no folders."""
_WAITS = (0.05, 0.1, 0.2, 0.4) if sys.platform == "win32" else ()
"""Seconds between tries to move a file: Windows moves none that a scanner looks at."""


@contextmanager
def replacing(path: Path, *, durable: bool = False, scratch: Path | None = None) -> Iterator[Path]:
    """A temporary file beside ``path``, with its suffix, moved into its place on success.

    It is removed on every other exit, Ctrl-C included, and what was at ``path`` stays. Who may read
    it is decided by the umask, from its first byte on. ``durable``:
    it is on the disk before it has its name, so that a power cut leaves it whole or absent, too.
    ``scratch``: a folder of the same disk for the temporary file, instead of ``path``'s own.
    UserError if the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = scratch or path.parent
        scratch.mkdir(parents=True, exist_ok=True)
        partial = scratch / f".facegen-{uuid.uuid4().hex[:12]}{path.suffix}"
        partial.open("xb").close()
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); name another file") from None
    try:
        yield partial
        if durable:
            _flush(partial)
        _move(partial, path)
        if durable:
            _flush(path.parent)
    except PermissionError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); close the program that has it open, or"
            " name another file"
        ) from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); make room or name another file"
        ) from None
    finally:
        with contextlib.suppress(PermissionError):  # a scanner's, in Windows
            partial.unlink(missing_ok=True)


def _move(source: Path, target: Path) -> None:
    """Move a file into its place; what Windows refuses for a moment is tried again."""
    for wait in _WAITS:
        with contextlib.suppress(PermissionError):
            source.replace(target)
            return
        time.sleep(wait)
    source.replace(target)


def _flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not path.is_dir() or error.errno not in _NOT_FOR_FOLDERS:
            raise
    finally:
        os.close(descriptor)
