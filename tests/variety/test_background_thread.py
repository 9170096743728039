# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic in a thread: what it tells, returns and raises, and that it can be stopped."""

from collections.abc import Iterator
from threading import Event

import pytest

from facegen_addon.errors import UserError
from facegen_addon.variety.background_thread import think


def test_thinking_tells_and_returns() -> None:
    def work(tell) -> str:
        tell(1, 2)
        return "thought"

    def told() -> Iterator[tuple[int, int]]:
        return (yield from think(work))

    steps = told()
    with pytest.raises(StopIteration) as finished:
        while True:
            assert next(steps) in ((0, 0), (1, 2))
    assert finished.value.value == "thought"


def test_stopped_thinking_ends_where_it_tells_next() -> None:
    """Closing does not wait for the thread, and the thread ends."""
    closed, ended = Event(), Event()

    def work(tell) -> None:
        closed.wait(60.0)
        try:
            tell(1, 2)
        finally:
            ended.set()
        raise AssertionError("goes on")

    steps = think(work)
    next(steps)
    steps.close()
    closed.set()
    assert ended.wait(60.0)


def test_errors_of_thoughts_are_raised() -> None:
    def work(tell) -> None:
        raise UserError("no such model")

    with pytest.raises(UserError, match="no such model"):
        list(think(work))
