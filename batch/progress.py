# SPDX-License-Identifier: GPL-3.0-or-later
"""A progress bar with an ETA on stderr; plain lines where stderr is no terminal (farms, logs)."""

import sys
import time
from typing import TextIO

from facegen_addon.durations import format_seconds

_WIDTH = 28
_SECONDS_BETWEEN_FRAMES = 0.1
_SECONDS_BETWEEN_LINES = 5.0


class ProgressBar:
    """One bar for one stage after another: `update` draws, `close` ends the line.

    A stage that ends within `quiet` seconds is not shown.
    """

    def __init__(self, stream: TextIO | None = None, quiet: float = 0.0) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._terminal = self._stream.isatty()
        self._stage: str | None = None
        self._line_open = False
        self._start = self._drawn = 0.0

    def update(self, stage: str, done: float, total: float) -> None:
        """Show that `done` of `total` steps of `stage` are done; a new stage starts a new line."""
        now = time.monotonic()
        if stage != self._stage:
            self.close()
            self._stage, self._start, self._drawn = stage, now, now
        finished = done >= total
        interval = _SECONDS_BETWEEN_FRAMES if self._terminal else _SECONDS_BETWEEN_LINES
        due = finished or now - self._drawn >= interval
        if due and now - self._start >= self._quiet:
            self._drawn = now
            self._draw(_line(stage, done, total, now - self._start))
        if finished:
            self.close()

    def close(self) -> None:
        """End the current line; harmless when there is none."""
        if self._line_open:
            self._stream.write("\n")
            self._stream.flush()
        self._stage, self._line_open = None, False

    def _draw(self, line: str) -> None:
        self._stream.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        self._stream.flush()
        self._line_open = self._terminal


def _line(stage: str, done: float, total: float, elapsed: float) -> str:
    share = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
    if share >= 1.0:
        timing = f"in {format_seconds(elapsed)}"
    elif share > 0.0:
        timing = f"ETA {format_seconds(elapsed * (1.0 - share) / share)}"
    else:
        timing = "ETA -"
    return f"{stage:<22} {draw_bar(share)}  {timing}"


def draw_bar(share: float) -> str:
    """A bar of characters for a share in [0, 1], and its percentage."""
    filled = round(share * _WIDTH)
    return f"{'█' * filled}{'░' * (_WIDTH - filled)} {100 * share:3.0f} %"
