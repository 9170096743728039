# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of a farm: a line a render process and a total, and events for machines."""

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from batch.dataset.run_folder import key_of
from facegen_addon.durations import format_seconds
from facegen_addon.errors import UserError
from facegen_addon.terminal.pool import WorkerState
from facegen_addon.terminal.progress import draw_bar, is_terminal, terminal_size
from facegen_addon.terminal.streams import OutputLost

_REDRAWN = 0.2  # seconds between two drawings on a terminal
_LOGGED = 10.0  # seconds between two lines where stderr is no terminal


class EventLog:
    """Events as JSON lines, in a file that grows or on stdout; none where `target` is None.

    Each has "event" and "time" (seconds since 1970); see docs/farm.md for the rest.
    UserError if it cannot be written; nothing is written from then on.
    """

    def __init__(self, target: Path | None) -> None:
        self._target = target
        self._stream: TextIO | None = None
        try:
            if target == Path("-"):
                self._stream = sys.stdout
            elif target is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._stream = target.open("a", encoding="utf-8")
                if _ends_amid_a_line(target):
                    self._say("\n")
        except (OSError, OutputLost) as error:
            self._give_up(error)

    def write(self, event: str, **facts: Any) -> None:
        """Add an event."""
        line = {"event": event, "time": round(time.time(), 3), **facts}
        try:
            self._say(json.dumps(line) + "\n")
        except (OSError, OutputLost) as error:
            self._give_up(error)

    def _say(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()

    def _give_up(self, error: OSError | OutputLost) -> NoReturn:
        self._stream = None
        raise UserError(
            f"--log-json {self._target} cannot be written ({error.strerror}); make room, or name"
            " another file"
        ) from None


def _ends_amid_a_line(path: Path) -> bool:
    """Whether a file's last line was cut off, as by a full disk."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() != b"\n"


class Status:
    """State of the samples of one run so far.

    total: samples asked for of this process.
    """

    def __init__(self, total: int, log: EventLog, stream: TextIO | None = None) -> None:
        self.total, self._log = total, log
        self.accepted = self.rejected = self.failed = self.found_before = 0
        self._stream = stream or sys.stderr
        self._terminal = is_terminal(self._stream)
        self._start = time.monotonic()
        self._drawn = -_LOGGED
        self._lines = 0

    @property
    def settled(self) -> int:
        """Samples that are there, or given up."""
        return self.found_before + self.accepted + self.failed

    def found(self, count: int) -> None:
        """Samples that an earlier process has left."""
        self.found_before += count

    def sample(self, index: int, outcome: str, attempt: int, reason: str = "") -> None:
        """A sample was "accepted", "rejected" (and is drawn anew) or "failed"."""
        setattr(self, outcome, getattr(self, outcome) + 1)
        because = {"reason": reason} if reason else {}
        self._log.write(
            "sample", index=index, key=key_of(index), outcome=outcome, attempt=attempt, **because
        )

    def died(self, worker: int, reason: str) -> None:
        """A render process had to be started again."""
        self._log.write("worker", worker=worker, state="died", reason=reason)

    def shard(self, sidecar: dict[str, Any]) -> None:
        """A shard is complete."""
        names = ("shard", "file", "bytes", "sha256")
        self._log.write(
            "shard",
            **{name: sidecar[name] for name in names},
            samples=len(sidecar["samples"]),
            failed=len(sidecar["failed"]),
        )

    def take_notices(self) -> None:
        """Have what the program logs from now on written through this, above the drawing."""
        for handler in logging.getLogger("facegen_addon").handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
                handler.setStream(self)

    def write(self, text: str) -> None:
        """Write a line of text where the drawing is, which comes below it next time."""
        up = f"\r\x1b[{self._lines}A\x1b[J" if self._lines else ""
        self._lines = 0
        with contextlib.suppress(OSError):
            self._stream.write(up + text)

    def flush(self) -> None:
        """Have it seen."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def show(self, workers: Sequence[WorkerState], last: bool = False) -> None:
        """Draw, if it is time to; what is drawn last stays."""
        now = time.monotonic()
        if not last and now - self._drawn < (_REDRAWN if self._terminal else _LOGGED):
            return
        self._drawn = now
        lines = [*map(_worker_line, workers), self._total_line(now - self._start)]
        self._draw(lines)
        self._lines = 0 if last else self._lines
        self._log.write(
            "progress",
            done=self.settled,
            total=self.total,
            accepted=self.accepted,
            rejected=self.rejected,
            failed=self.failed,
            per_second=round(self._rate(now - self._start), 4),
            eta_seconds=self._eta(now - self._start),
        )

    def _draw(self, lines: Sequence[str]) -> None:
        if self._terminal:
            lines = self._fitting(lines)
        self.write("".join(f"{line}\n" for line in lines))
        self.flush()
        self._lines = len(lines) if self._terminal else 0

    def _fitting(self, lines: Sequence[str]) -> Sequence[str]:
        """As much as the terminal can show: what it wraps or scrolls away is not drawn over."""
        columns, rows = terminal_size(self._stream)
        if columns is None or rows is None:
            return lines
        if len(lines) >= rows:
            lines = [*lines[: max(rows - 2, 0)], lines[-1]]
        return [line[: columns - 1] for line in lines]

    def _rate(self, seconds: float) -> float:
        """Samples settled a second, by this process."""
        return (self.accepted + self.failed) / max(seconds, 1e-9)

    def _eta(self, seconds: float) -> float | None:
        rate = self._rate(seconds)
        return round((self.total - self.settled) / rate, 1) if rate > 0 else None

    def _total_line(self, seconds: float) -> str:
        share = self.settled / self.total if self.total else 1.0
        eta = self._eta(seconds)
        timing = f"in {format_seconds(seconds)}" if share >= 1.0 else "ETA -"
        if eta:
            timing = f"ETA {format_seconds(eta)}"
        return (
            f"{self.settled}/{self.total} {draw_bar(share)}  {timing}"
            f"  {self._rate(seconds):.2f} heads/s  accepted {self.accepted}"
            f"  rejected {self.rejected}  failed {self.failed}"
        )


def _worker_line(worker: WorkerState) -> str:
    at = "idle" if worker.job is None else f"sample {key_of(worker.job.index)}"
    if worker.state != "ready":
        at = worker.state
    return f"worker {worker.number}  {at:<16} {worker.done} rendered"
