# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary folders beside results: of which a killed process's are found and removed."""

import contextlib
import logging
import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from batch import lock
from facegen_addon.terminal.interruption import undisturbed

logger = logging.getLogger("facegen_addon.output")

PREFIX = ".facegen-run-"
EARLIER = "earlier"
"""What is in this folder of a workshop is to be put back if the work comes to nothing."""
_LOCK = "lock"
_TRIES = 5


@contextlib.contextmanager
def workshop(parent: Path) -> Iterator[Path]:
    """A new temporary folder in `parent`, as open to others as the umask says, removed at the end.

    OSError if the disk refuses.
    """
    shop, held = _new(parent)
    try:
        yield shop
    finally:
        with undisturbed():
            held.close()  # Windows removes no open file
            shutil.rmtree(shop, ignore_errors=True)


def remove_stale(parent: Path) -> None:
    """Remove the workshops in `parent` whose process, one of this machine, is dead.

    Those of other machines stay: whether a lock is seen by all is a matter of how the disk is
    mounted.
    """
    with contextlib.suppress(OSError):
        for shop in sorted(parent.glob(f"{PREFIX}*/")):
            with contextlib.suppress(OSError):
                _remove_if_stale(shop)


def _new(parent: Path) -> tuple[Path, IO[str]]:
    for left in reversed(range(_TRIES)):
        shop = parent / f"{PREFIX}{uuid.uuid4().hex[:12]}"
        shop.mkdir()
        try:
            held = (shop / _LOCK).open("x", encoding="utf-8")
        except FileNotFoundError:  # another process took the empty folder for a dead one's
            if not left:
                raise
            continue
        lock.take(held)
        held.write(platform.node())
        held.flush()
        return shop, held
    raise AssertionError("the last try returns or raises")


def _remove_if_stale(shop: Path) -> None:
    path = shop / _LOCK
    if not path.exists():
        shop.rmdir()  # killed as it began; OSError where anything is in it
        return
    with path.open("r+", encoding="utf-8") as stream:
        # Nothing stands there until its owner holds it.
        if stream.read() != platform.node() or not lock.take(stream):
            return
        if lock.is_at(path, stream):
            with undisturbed():
                _put_back(shop)
                shutil.rmtree(shop, ignore_errors=True)


def _put_back(shop: Path) -> None:
    """Return a run that was about to be replaced when the process was killed."""
    with contextlib.suppress(FileNotFoundError):
        for earlier in (shop / EARLIER).iterdir():
            place = shop.parent / earlier.name
            if not os.path.lexists(place):
                earlier.rename(place)
                logger.warning("%s is back: what was to replace it was killed", place)
