# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard streams that may be closed, full, of any encoding, or left by whoever read them."""

import codecs
import contextlib
import io
import os
import sys
from typing import NoReturn

_ERRORS = "facegen.plain"
_PLAIN = {"█": "#", "░": ".", "✓": "+", "✗": "x", "°": " degrees", "–": "-", "—": "-", "…": "..."}
"""What stands for the characters of our own texts where an encoding lacks them."""


class OutputLost(Exception):
    """Standard output takes no more: its disk is full, or whoever read it has gone.

    No OSError, which would be taken for one of whatever else was being written. errno, strerror:
    the system's reason.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.errno, self.strerror = error.errno, error.strerror


class _Stream(io.TextIOWrapper):
    """Text that goes nowhere from the moment that its file takes no more.

    lost: why that is so; None as long as all was written.
    """

    lost: OSError | None = None

    def write(self, text: str) -> int:
        """Write, or take note that it cannot be."""
        try:
            return super().write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Have it written."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        self.lost = error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        super().flush()  # what could not be written: Python would try, and fail, again at its end


class _Output(_Stream):
    """Standard output: whose loss raises OutputLost, once, since results go there."""

    def _lose(self, error: OSError) -> NoReturn:
        super()._lose(error)
        raise OutputLost(error) from None


def mend_streams() -> None:
    """Have three standard streams that can be used, whatever this process was started with.

    A closed one becomes one of nothing, so that no file is opened in its place, which others'
    messages would then be written into. Messages on stderr that nobody can have are dropped.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _open_nowhere(number, name)
    codecs.register_error(_ERRORS, _plainly)
    for name, kind in (("stdout", _Output), ("stderr", _Stream)):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper:
            encoding, by_line = stream.encoding, stream.line_buffering
            mended = kind(stream.detach(), encoding, _ERRORS, line_buffering=by_line)
            setattr(sys, name, mended)
            setattr(sys, f"__{name}__", mended)


def lost_output() -> OutputLost | None:
    """Why something that was written to stdout has not arrived; None if all has."""
    with contextlib.suppress(OutputLost):
        sys.stdout.flush()
    lost = getattr(sys.stdout, "lost", None)
    return OutputLost(lost) if lost else None


def _open_nowhere(number: int, name: str) -> None:
    try:
        os.fstat(number)
    except OSError:
        # The lowest that is free: those below are open by now.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    mode = "r" if name == "stdin" else "w"
    setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the end


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """A codec's error handler: bytes of file names as they are, other characters as ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte of a file name that is no UTF-8
        return bytes([ord(character) - 0xDC00]), error.start + 1
    plain = _PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()
    return plain, error.start + 1
