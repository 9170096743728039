# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: a stopwatch, and a line that compares two lists of times."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

PROCESSOR_TIME = "FACEGEN_BENCH_PROCESSOR_TIME"
"""Environment variable: what waits for other programs, on a busy machine, is not counted then."""

_LINE = re.compile(
    r"(?P<name>.+): (?P<ours>\S+) (?P<unit>\S+); (?P<alternative>.+): (?P<theirs>\S+) \S+;"
    r" ratio \S+"
)


@dataclass(frozen=True)
class Ratio:
    """A figure beside its obvious alternative, both in `unit`, measured in one run in turn."""

    name: str
    ours: float
    alternative: str
    theirs: float
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs

    def __str__(self) -> str:
        ours, theirs = f"{self.ours:.3g} {self.unit}", f"{self.theirs:.3g} {self.unit}"
        return f"{self.name}: {ours}; {self.alternative}: {theirs}; ratio {self.ratio:.2f}"

    @classmethod
    def read(cls, line: str) -> Ratio | None:
        """The ratio that a line of a benchmark tells; None for any other line."""
        found = _LINE.fullmatch(line.strip())
        if found is None:
            return None
        ours, theirs = float(found["ours"]), float(found["theirs"])
        return cls(found["name"], ours, found["alternative"], theirs, found["unit"])


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that an action takes, and its result; of this process's processors where that is
    asked for by PROCESSOR_TIME, else by the clock."""
    clock = time.process_time if os.environ.get(PROCESSOR_TIME) else time.perf_counter
    start = clock()
    result = action()
    return clock() - start, result


def print_ratio(name: str, ours: list[float], alternative: str, theirs: list[float]) -> None:
    """Print the medians of two lists of seconds and the first over the second."""
    a, b = 1e3 * float(np.median(ours)), 1e3 * float(np.median(theirs))
    print(Ratio(name, a, alternative, b), flush=True)
