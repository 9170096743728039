# SPDX-License-Identifier: GPL-3.0-or-later
"""How busy a machine's cores and its NVIDIA cards are while something runs (Linux)."""

import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np

_EVERY = 0.5  # seconds
_ASK = ("nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits")
_CORES = Path("/proc/stat")


class Usage:
    """Watches as long as the block (a context manager); then what there was in the mean, and the
    most memory of all cards, MB. None for what the machine does not tell."""

    def __init__(self) -> None:
        self.gpu: float | None = None
        self.gpu_memory: float | None = None
        self.cpu: float | None = None
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Usage":
        self.begin()
        self._watcher.start()
        return self

    def begin(self) -> None:
        """Forget what was seen so far, such as programs that start."""
        self._start = core_times()
        self._cards: list[tuple[float, float]] = []

    def __exit__(self, *exception: Any) -> None:
        self._over.set()
        self._watcher.join()
        self.cpu = busy_share(self._start, core_times())
        if self._cards:
            shares, memory = np.array(self._cards).T
            self.gpu, self.gpu_memory = float(shares.mean()), float(memory.max())

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            found = ask_cards()
            if found is None:
                return
            self._cards.append(found)


def ask_cards() -> tuple[float, float] | None:
    """Share that the busiest card is busy, MB used on all; None without nvidia-smi."""
    try:
        said = subprocess.run(_ASK, capture_output=True, text=True, timeout=5, check=True).stdout
        return read_cards(said)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def read_cards(said: str) -> tuple[float, float]:
    """The same from the lines of nvidia-smi; ValueError if there are none."""
    rows = [[float(number) for number in line.split(",")] for line in said.splitlines() if line]
    return max(row[0] for row in rows) / 100.0, sum(row[1] for row in rows)


def core_times() -> tuple[float, float] | None:
    """Seconds, in some unit, that all cores were busy, and all; None where nobody tells."""
    try:
        times = [float(time) for time in _CORES.read_text().splitlines()[0].split()[1:]]
    except (OSError, ValueError, IndexError):
        return None
    idle = times[3] + times[4]
    return sum(times) - idle, sum(times)


def busy_share(start: tuple[float, float] | None, end: tuple[float, float] | None) -> float | None:
    """Share of the time between that the cores were busy."""
    if start is None or end is None or end[1] <= start[1]:
        return None
    return (end[0] - start[0]) / (end[1] - start[1])
