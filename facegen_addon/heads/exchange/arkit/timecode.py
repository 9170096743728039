# SPDX-License-Identifier: GPL-3.0-or-later
"""Times of the frames of a take: seconds from timecodes, and their rate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from ....arrays import FloatArray

_TIMECODE = re.compile(r"\s*(\d+):(\d+):(\d+)[:;](\d+(?:\.\d+)?)\s*$")
_DAY = 86400.0
_BASES = np.array([24, 25, 30, 48, 50, 60, 90, 100, 120, 240, 1000])
_MOST = 1000.0  # frames a second; more is no time in seconds
LIVE_LINK_BASE = 60
"""Frames a second in Live Link Face's timecodes, whatever rate it records at."""


def seconds_of(codes: Sequence[str]) -> Annotated[FloatArray, "N"] | None:
    """Seconds (N,) since the first of N timecodes HH:MM:SS:FF.fff, or of plain seconds.

    How many frames a second has is seen where one ends: 60 if none does. None if they are of no
    such form or do not increase.
    """
    try:
        times = np.array([float(code) for code in codes])
    except ValueError:
        found = [_TIMECODE.match(code) for code in codes]
        if not all(found):
            return None
        parts = np.array([[float(part) for part in match.groups()] for match in found if match])
        whole = parts[:, :3] @ np.array([3600.0, 60.0, 1.0])
        whole += _DAY * np.cumsum(np.diff(whole, prepend=whole[:1]) < -_DAY / 2)  # past midnight
        times = whole + parts[:, 3] / _base(whole, parts[:, 3])
    if not np.isfinite(times).all() or (np.diff(times) < 1.0 / _MOST - 1e-9).any():
        return None
    return times - times[0]


def rate_of(times: Annotated[FloatArray, "N"]) -> float | None:
    """Frames a second of times (N,) in seconds, gaps left out; None if there is but one frame."""
    if len(times) < 2:
        return None
    steps = np.diff(times)
    return float(np.rint(steps / np.median(steps)).sum() / (times[-1] - times[0]))


def _base(whole: FloatArray, frames: FloatArray) -> float:
    """Frames a second: the fall of the count, less a step, where the second goes up by one."""
    step = np.diff(frames)
    within = step[(np.diff(whole) == 0.0) & (step > 0.0)]
    ends = step[(np.diff(whole) == 1.0) & (step < 0.0)]
    if not len(within) or not len(ends):
        return LIVE_LINK_BASE
    seen = np.median(within) - np.median(ends)
    return float(_BASES[np.abs(_BASES - seen).argmin()])
