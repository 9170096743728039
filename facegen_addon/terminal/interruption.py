# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C, the schedulers' SIGTERM and a terminal's SIGHUP, also inside Blender."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

_AGAIN = 0.05  # seconds until a signal that was lost in Python's own doings comes again
_SIGNALS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]

_stopped: list[KeyboardInterrupt] = []
"""What has been raised by signals, as long as it is not dealt with."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: what Ctrl-C is for people, these are for schedulers and terminals."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.number = number


def exit_status(stop: KeyboardInterrupt) -> int:
    """Exit status of a process that was stopped by this signal: 130, 143 or 129."""
    return 128 + (stop.number if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also inside Blender, which else only notes it.

    So do SIGTERM and SIGHUP, as Terminated; under nohup, SIGHUP stays ignored. An operator turns
    every exception into RuntimeError, and an import some into ImportError, so the signal is
    remembered as well.
    """
    interruption: KeyboardInterrupt | None = None

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interruption
        interruption = KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)
        _stopped.append(interruption)
        raise interruption

    with _handled_by(interrupt):
        try:
            yield
        except Exception:
            if interruption is not None:
                raise interruption from None
            raise
        finally:
            _stopped.clear()


def stop_if_asked() -> None:
    """Raise again what was raised where Blender lets nothing through, as while it renders."""
    if _stopped:
        raise _stopped[-1]


@contextmanager
def undisturbed() -> Iterator[None]:
    """A moment that signals wait for: what must not be left half done, and takes no time."""
    waiting: list[int] = []
    with _handled_by(lambda number, frame: waiting.append(number)):
        yield
    for number in waiting[:1]:
        signal.raise_signal(number)


def die_by_signals() -> None:
    """Have signals end the process without a word from now on: there is nothing left to be done."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def keep_lost_interruptions() -> None:
    """Have a signal come again that Python could only print, e.g. amid a weak reference's death.

    What else it could only print after a signal is a consequence of that, and of no interest; so
    is the way by which a signal found itself in Blender's own Python.
    """
    sys.unraisablehook, sys.excepthook = _hear_unraisable, _hear_uncaught


def _hear_unraisable(lost: "sys.UnraisableHookArgs") -> None:
    if issubclass(lost.exc_type, KeyboardInterrupt):
        stop = lost.exc_value
        number = stop.number if isinstance(stop, Terminated) else signal.SIGINT
        threading.Timer(_AGAIN, _raise_in_process, (number,)).start()
    elif not _stopped:
        sys.__unraisablehook__(lost)


def _raise_in_process(number: int) -> None:
    """Raise a signal for whatever the main thread is waiting for."""
    if sys.platform == "win32":
        signal.raise_signal(number)  # os.kill would end the process
    else:
        os.kill(os.getpid(), number)


def _hear_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


@contextmanager
def _handled_by(handler: "signal._HANDLER") -> Iterator[None]:
    """Have signals handled so; none in threads other than the main one, which hear of none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ignored = [n for n in _SIGNALS if n != signal.SIGINT and signal.getsignal(n) is signal.SIG_IGN]
    numbers = [number for number in _SIGNALS if number not in ignored]
    previous = [signal.signal(number, handler) for number in numbers]
    try:
        yield
    finally:
        for number, former in zip(numbers, previous, strict=True):
            signal.signal(number, former or signal.SIG_DFL)
