# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's side of a pool of processes (pool.py), and what the two say to one another."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from ..errors import UserError
from .interruption import stop_if_asked
from .remedies import explain
from .silence import Chatter
from .temporary import own_temporary_files

PIPE_VARIABLE = "FACEGEN_POOL_PIPE"
"""Environment variable with the number of the open pipe."""

_GONE = (EOFError, BrokenPipeError, ConnectionResetError)


@dataclass(frozen=True)
class Task:
    """A job with its number in the pool; the content is the owner's, and can be pickled."""

    number: int
    content: Any


@dataclass(frozen=True)
class Ready:
    """The worker waits for jobs. facts: what it has to say of itself, e.g. its device."""

    facts: str


@dataclass(frozen=True)
class Begun:
    """A task is being worked at: if nothing more is heard, it is the one that did the harm."""

    number: int


@dataclass(frozen=True)
class Steps:
    """Number of steps done since the last message; negative where they have to be done again."""

    count: int


@dataclass(frozen=True)
class Answer:
    """The result of a task; a worker answers in the order in which it was asked."""

    number: int
    content: Any


@dataclass(frozen=True)
class Broken:
    """Nothing can be done until the user has put this right, e.g. a picture is unreadable."""

    message: str


class PoolPipe:
    """A worker's end of the pipe, for all its threads. SystemExit once nobody listens any more.

    chatter: what Blender says on stdout, forgotten with every step that went well.
    """

    def __init__(self, pipe: Connection, chatter: Chatter | None = None) -> None:
        self._pipe, self._chatter, self._lock = pipe, chatter, threading.Lock()
        self.set_up: Any = self._hear()

    def ready(self, facts: str = "") -> None:
        """Say that jobs can come."""
        self._tell(Ready(facts))

    def tasks(self) -> Iterator[Task]:
        """The tasks as they come, each of which counts as begun; never ends by itself."""
        while True:
            task: Task = self._hear()
            self._tell(Begun(task.number))
            yield task
            self._forget()

    def step(self, count: int = 1) -> None:
        """Say that so many more steps of the task are done; 0: that this process is alive."""
        stop_if_asked()
        self._forget()
        self._tell(Steps(count))

    def answer(self, task: Task, content: Any) -> None:
        """Say what became of a task."""
        self._tell(Answer(task.number, content))

    def end_by(self, task: Task) -> NoReturn:
        """End this process by what a task did, though another may have begun since."""
        with self._lock:
            self._pipe.send(Begun(task.number))
            os._exit(1)

    def break_off(self, message: str) -> None:
        """Say what the user has to put right."""
        self._tell(Broken(message))

    def _hear(self) -> Any:
        try:
            return self._pipe.recv()
        except _GONE:
            raise SystemExit(0) from None

    def _tell(self, message: object) -> None:
        try:
            with self._lock:
                self._pipe.send(message)
        except _GONE:
            raise SystemExit(0) from None

    def _forget(self) -> None:
        if self._chatter is not None:
            self._chatter.forget()


Prepare = Callable[[PoolPipe], AbstractContextManager[Callable[[Any], Any]]]
"""What a worker needs for its jobs, opened: a function from a job to its answer."""


def answer_jobs(prepare: Prepare, started_by: str) -> int:
    """Answer one job after the other, as all that this process is for; see `serve_pool`."""

    def serve(pipe: PoolPipe) -> None:
        with prepare(pipe) as answer:
            pipe.ready()
            for task in pipe.tasks():
                pipe.answer(task, answer(task.content))

    return serve_pool(serve, started_by)


def serve_pool(serve: Callable[[PoolPipe], None], started_by: str) -> int:
    """Serve the pool that started this process until it closes the pipe; the exit status.

    Temporary files go with the process. UserError if no pool has: started_by says what would.
    """
    if PIPE_VARIABLE not in os.environ:
        raise UserError(f"this is started by {started_by}: run that")
    pipe = _opened(int(os.environ.pop(PIPE_VARIABLE)))
    # The pool has made stdout a file, which it reads if this process dies.
    with own_temporary_files(), open(1, "wb", 0, closefd=False) as stdout:
        line = PoolPipe(pipe, Chatter(stdout))
        try:
            serve(line)
        except UserError as error:
            line.break_off(explain(error))
    return 0


def _opened(number: int) -> Connection:
    if sys.platform == "win32":
        from multiprocessing.connection import PipeConnection

        return PipeConnection(number)
    return Connection(number)
