# SPDX-License-Identifier: GPL-3.0-or-later
"""One process at a time in a folder."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from facegen_addon.errors import UserError


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, made with its folder where it is not there, during the block.

    A process that ends, killed or not, lets go of it. UserError if another holds it, or the disk
    refuses. Windows, which moves no folder with an open file, is left without a lock.
    """
    if sys.platform == "win32":
        yield
        return
    with _open(path) as stream:
        # Who held it may have removed the file, at its end, just after it was opened here.
        if take(stream) is False or not is_at(path, stream):
            raise UserError(
                f"another process is at work in {path.parent}; wait for it, or name another folder"
            )
        yield


def take(stream: IO[str]) -> bool | None:
    """Hold an open file until it is closed; False: another has it, None: there are no locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a disk without locks
        return None
    return True


def is_at(path: Path, stream: IO[str]) -> bool:
    """Whether an open file still has this name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); name another") from None
