# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: a stopwatch, and a line that compares two lists of times."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that an action takes, and its result."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def print_ratio(name: str, ours: list[float], alternative: str, theirs: list[float]) -> None:
    """Print the medians of two lists of seconds and the first over the second."""
    a, b = float(np.median(ours)), float(np.median(theirs))
    print(f"{name}: {1e3 * a:.3g} ms; {alternative}: {1e3 * b:.3g} ms; ratio {a / b:.2f}")
