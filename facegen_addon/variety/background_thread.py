# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic in a thread, so that Blender can go on drawing; nothing in it may touch bpy."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

_TICK = 0.05  # seconds between two yields

Result = TypeVar("Result")
Tell = Callable[[int, int], None]


class _StoppedError(Exception):
    """Nobody waits for the result any more."""


def think(work: Callable[[Tell], Result]) -> Generator[tuple[int, int], None, Result]:
    """Yield the (done, total) that ``work(tell)`` told last, (0, 0) before, and return its result.

    Closed early, it does not wait: the work ends, unheard, where it next calls ``tell``.
    """
    latest = (0, 0)
    stopped = Event()

    def tell(done: int, total: int) -> None:
        nonlocal latest
        if stopped.is_set():
            raise _StoppedError
        latest = (done, total)

    pool = ThreadPoolExecutor(1)
    try:
        future = pool.submit(work, tell)
        while not wait([future], _TICK).done:
            yield latest
        return future.result()
    finally:
        stopped.set()
        pool.shutdown(wait=False)
