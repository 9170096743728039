# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender, and the libraries that come with it, without their chatter."""

import contextlib
import ctypes
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import IO, TextIO

from ..errors import NotReached, UserError
from .interruption import undisturbed
from .temporary import own_temporary_files

_SHOWN = 20  # lines of Blender's that are shown where something went wrong
_CHATTER = re.compile(r"Fra:\d|Saved: |Time: |Blender \d|\s*$")
"""What Blender says of every picture."""


class Chatter:
    """Blender's lines on stdout since they were last forgotten."""

    def __init__(self, log: IO[bytes]) -> None:
        self._log = log

    def forget(self) -> None:
        """Forget what was said so far: it is of what went well, and some ten kB a picture."""
        self._log.seek(0)  # fd 1 is the same file, and goes on from here
        self._log.truncate()

    def lines(self) -> list[str]:
        """The last lines that are not said of every picture."""
        _flush_c()
        self._log.seek(0)
        return telling_lines(self._log.read())


def telling_lines(said: bytes) -> list[str]:
    """The last lines that Blender does not say of every picture."""
    lines = said.decode(errors="replace").splitlines()
    return [line for line in lines if not _CHATTER.match(line)][-_SHOWN:]


@contextlib.contextmanager
def blender_silent() -> Iterator[Chatter]:
    """Blender prints up to 150 lines a picture, between which nobody finds the result.

    They are kept, and those that say something go to stderr if the block ends by a defect.
    Temporary files that are made in the block go with it. UserError if there is no place for them.
    """
    sys.stdout.flush()
    with own_temporary_files() as folder, (folder / "blender.log").open("w+b", 0) as log:
        chatter = Chatter(log)
        kept = os.dup(1)
        os.dup2(log.fileno(), 1)
        try:
            yield chatter
        except (UserError, NotReached, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            show_lines(chatter.lines())
            raise
        finally:
            sys.stdout.flush()
            _flush_c()
            os.dup2(kept, 1)
            os.close(kept)


def show_lines(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Write Blender's last lines, for whoever looks for the reason, to stderr or another file."""
    for line in lines:
        print(f"Blender: {line}", file=stream or sys.stderr)


def load_blender() -> None:
    """Have Blender's module loaded, whose start-up a signal must not cut in two."""
    with undisturbed():
        import bpy  # noqa: F401


def _flush_c() -> None:
    """Have written what C programs keep back where stdout is no terminal."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)


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
