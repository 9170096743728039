# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker process that answers a number by its square and does harm on demand.

python -m tests.terminal.fake_worker [--die-at N] [--die-from N] [--die-once-at N FILE]
               [--die-telling N] [--hang-at N] [--never-start] [--break-at N] [--fail-at N]
               [--slow SECONDS]
"""

import argparse
import os
import pickle
import signal
import struct
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from facegen_addon.terminal.pool_worker import PIPE_VARIABLE, Answer, PoolPipe, Task


def make_parser() -> argparse.ArgumentParser:
    """The harm that can be asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--die-at", type=int)
    parser.add_argument("--die-from", type=int, default=sys.maxsize)
    parser.add_argument("--die-once-at", nargs=2, default=(None, None))
    parser.add_argument("--die-telling", type=int)
    parser.add_argument("--hang-at", type=int)
    parser.add_argument("--break-at", type=int)
    parser.add_argument("--fail-at", type=int)
    parser.add_argument("--never-start", action="store_true")
    parser.add_argument("--slow", type=float, default=0.0)
    return parser


class FakeWorker:
    """Serves a pool. answer: job -> answer; number_of: a job's number, which decides about harm."""

    def __init__(
        self,
        wanted: argparse.Namespace,
        answer: Callable[[Any], Any],
        number_of: Callable[[Any], int],
    ) -> None:
        self._wanted, self._answer, self._number_of = wanted, answer, number_of
        self._pipe = Connection(int(os.environ[PIPE_VARIABLE]))
        self._line = PoolPipe(self._pipe)

    def serve(self) -> None:
        """Answer jobs until the pipe closes."""
        if self._wanted.never_start:
            sys.exit("no room for Blender")
        self._line.ready("CPU")
        for task in self._line.tasks():
            number = self._number_of(task.content)
            self._kill(number, task)
            self._trouble(number)
            time.sleep(self._wanted.slow)
            self._line.answer(task, self._answer(task.content))

    def _kill(self, number: int, task: Task) -> None:
        once, mark = self._wanted.die_once_at
        if once is not None and number == int(once) and not Path(mark).exists():
            Path(mark).touch()
            self._line.step(5)
            os.kill(os.getpid(), signal.SIGSEGV)
        if number == self._wanted.die_at or number >= self._wanted.die_from:
            os.kill(os.getpid(), signal.SIGSEGV)
        if number == self._wanted.die_telling:
            message = pickle.dumps(Answer(task.number, self._answer(task.content)))
            half = message[: len(message) // 2]
            os.write(self._pipe.fileno(), struct.pack("!i", len(message)) + half)
            os.kill(os.getpid(), signal.SIGKILL)

    def _trouble(self, number: int) -> None:
        if number == self._wanted.hang_at:
            time.sleep(600)
        if number == self._wanted.break_at:
            self._line.break_off("forest.hdr cannot be read: give another picture")
        if number == self._wanted.fail_at:
            os.write(1, b"Fra:1 Mem:1M\nError: no GPU\n")
            raise ValueError("no such thing")


def main() -> None:
    """Answer numbers."""
    FakeWorker(make_parser().parse_args(), lambda number: number**2, int).serve()


if __name__ == "__main__":
    main()
