# SPDX-License-Identifier: GPL-3.0-or-later
"""A progress bar with an ETA on stderr; plain lines where stderr is no terminal (farms, logs)."""

import contextlib
import os
import sys
import time
from typing import TextIO

from ..durations import format_seconds
from .interruption import stop_if_asked

_WIDTH = 28
_NARROWEST = 4
_VIRTUAL_TERMINAL = 4
"""The bit of a Windows console's mode by which it obeys escape sequences."""
_SECONDS_BETWEEN_FRAMES = 0.1
_SECONDS_BETWEEN_LINES = 10.0
_SHARE_BETWEEN_LINES = 0.25
"""Of the time passed: a log of ten hours has some fifty lines, not thousands."""

QUIET = 2.0
"""Seconds: what takes less needs no bar."""


class ProgressBar:
    """One bar for one stage after another: `update` draws, `close` ends the line.

    A stage that ends within `quiet` seconds is not shown. Whoever watches may go: the work is done
    all the same.
    """

    def __init__(self, stream: TextIO | None = None, quiet: float = 0.0) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._terminal = is_terminal(self._stream)
        self._stage: str | None = None
        self._line_open = False
        self._start = self._drawn = self._first = time.monotonic()
        self._heard: float | None = None
        self._begun: dict[str, float] = {}
        self._finished: set[str] = set()

    def update(self, stage: str, done: float, total: float) -> None:
        """Show that `done` of `total` steps of `stage` are done.

        A stage may give way to another and come back; once it is finished it is not shown again.
        KeyboardInterrupt if a signal came that Blender has kept to itself.
        """
        stop_if_asked()
        if stage in self._finished:
            return
        now = time.monotonic()
        if stage != self._stage:
            # What has been at work since the stage before was heard of last is this one.
            self._stage, self._start = stage, self._begun.setdefault(stage, self._heard or now)
        self._heard = now
        finished = done >= total
        if (finished or now - self._drawn >= self._interval(now)) and (
            now - self._start >= self._quiet
        ):
            self._drawn = now
            self._draw(stage, done, total, now - self._start)
        if finished:
            self._finished.add(stage)
            self._end_line()

    def close(self) -> None:
        """End the current line, and begin anew; harmless when there is none."""
        self._end_line()
        self._stage = self._heard = None
        self._begun.clear()
        self._finished.clear()

    def _interval(self, now: float) -> float:
        """Seconds between two drawings."""
        if self._terminal:
            return _SECONDS_BETWEEN_FRAMES
        return max(_SECONDS_BETWEEN_LINES, _SHARE_BETWEEN_LINES * (now - self._first))

    def _draw(self, stage: str, done: float, total: float, elapsed: float) -> None:
        columns = terminal_size(self._stream)[0] if self._terminal else None
        line = _line(stage, done, total, elapsed, columns)
        self._write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        self._line_open = self._terminal

    def _end_line(self) -> None:
        if self._line_open:
            self._write("\n")
        self._line_open = False

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


def is_terminal(stream: TextIO) -> bool:
    """Whether what was written can be drawn over."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return False
    return sys.platform != "win32" or _takes_escapes(stream)


def _takes_escapes(stream: TextIO) -> bool:
    """Have a console of Windows obey escape sequences; False if it cannot, and would show them."""
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt

    try:
        handle = msvcrt.get_osfhandle(stream.fileno())
    except (OSError, ValueError):
        return False
    console, mode = ctypes.windll.kernel32, ctypes.c_ulong()
    if not console.GetConsoleMode(handle, ctypes.byref(mode)):
        return False  # a terminal of another kind, as of Cygwin, has no mode
    return bool(console.SetConsoleMode(handle, mode.value | _VIRTUAL_TERMINAL))


def terminal_size(stream: TextIO) -> tuple[int | None, int | None]:
    """Columns and rows of a terminal, None where it does not say."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None, None
    return columns or None, rows or None


def _line(stage: str, done: float, total: float, elapsed: float, columns: int | None) -> str:
    """A line that is shorter than `columns`, at the cost of the bar, then of the stage's name."""
    share = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
    if share >= 1.0:
        timing = f"in {format_seconds(elapsed)}"
    elif share > 0.0:
        timing = f"ETA {format_seconds(elapsed * (1.0 - share) / share)}"
    else:
        timing = "ETA -"
    full = f"{stage:<22} {draw_bar(share)}  {timing}"
    if columns is None or len(full) < columns:
        return full
    end = f"{draw_bar(share, 0)}  {timing}"
    width = columns - 2 - len(stage) - len(end)
    if width >= _NARROWEST:
        return f"{stage} {draw_bar(share, width)}  {timing}"
    return f"{stage[: max(columns - 1 - len(end), 0)]}{end}"[: columns - 1]


def draw_bar(share: float, width: int = _WIDTH) -> str:
    """A bar of `width` characters for a share in [0, 1], and its percentage."""
    filled = round(share * width)
    return f"{'█' * filled}{'░' * (width - filled)} {100 * share:3.0f} %"
