# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C and the schedulers' SIGTERM, also inside Blender."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM: what Ctrl-C is for people, it is for schedulers."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also inside Blender, which else only notes it.

    So does SIGTERM, as Terminated. An operator turns every exception into RuntimeError, so the
    signal is remembered as well.
    """
    interruption: KeyboardInterrupt | None = None

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interruption
        interruption = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        raise interruption

    signals = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, interrupt) for number in signals]
    try:
        yield
    except Exception:
        if interruption is not None:
            raise interruption from None
        raise
    finally:
        for number, handler in zip(signals, previous, strict=True):
            signal.signal(number, handler or signal.SIG_DFL)
