# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of worker processes: started, fed, and started again when they die or hang.

Jobs and answers are the owner's; they go over a pipe, since Blender writes what it likes to stdout.
A process works at its jobs in their order; the one that it began last is the suspect if it dies.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from ..errors import UserError
from .pool_worker import PIPE_VARIABLE, Answer, Begun, Broken, Ready, Steps, Task
from .silence import show_lines, telling_lines
from .temporary import no_temporary_files

logger = logging.getLogger("facegen_addon.terminal")

TRIES = 2
"""Times that a job may take a process with it before it is given up."""
_TICK = 0.5  # seconds after which hanging processes are looked for
_GRACE = 10.0  # seconds that processes have to end by themselves
_STARTS = 3  # deaths in a row before its first answer, until a process is given up


@dataclass(frozen=True)
class WorkerState:
    """State of a process, to be shown: starting or ready, its job, how many it has answered."""

    number: int
    state: str
    job: Any
    done: int


@dataclass(frozen=True)
class Answered:
    """A job and what its process answered."""

    job: Any
    answer: Any


@dataclass(frozen=True)
class Death:
    """A process died, was killed, or hung while it worked at a task; None: at no task."""

    worker: int
    task: Task | None
    reason: str


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[bytes]
    pipe: connection.Connection
    log_start: int  # where in the log its own words begin
    tasks: deque[Task] = field(default_factory=deque)
    state: str = "starting"
    begun: int | None = None
    steps: int = 0
    done: int = 0
    heard: float = field(default_factory=time.monotonic)


class Pool:
    """Worker processes (a context manager, at whose end none is alive).

    command: starts one; set_up: what each is told first; log_folder: where what they say on stderr
    is kept, a file each, None: as long as the pool lives; timeout: seconds of silence after which
    one that has jobs counts as hanging; in_flight: jobs that each has at a time (2: it never waits
    for its owner); threads: that each has, 0: unknown.
    """

    def __init__(
        self,
        command: Sequence[str],
        size: int,
        set_up: Any,
        *,
        log_folder: Path | None = None,
        timeout: float = float("inf"),
        in_flight: int = 1,
        threads: int = 0,
    ) -> None:
        self.size, self._set_up, self._timeout = size, set_up, timeout
        self._command, self._in_flight, self._threads = list(command), in_flight, threads
        self._workers: list[_Worker] = []
        self._waiting: deque[Task] = deque()
        self._given = self._failed_starts = 0
        self._temporary = _temporary_folder()
        self._log_folder = log_folder or Path(self._temporary.name, "logs")
        self._keeps_logs = log_folder is not None
        self.facts = ""

    def __enter__(self) -> "Pool":
        try:
            for number in range(self.size):
                self._workers.append(self._start(number))
        except BaseException:  # Ctrl-C included: those that have started must not stay
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A process whose pipe is closed ends by itself, and removes its temporary files.
        for worker in self._workers:
            worker.pipe.close()
        try:
            until = time.monotonic() + _GRACE
            for worker in self._workers:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.process.wait(max(0.0, until - time.monotonic()))
        finally:
            # All at once: another Ctrl-C while one is waited for leaves none behind.
            for worker in self._workers:
                worker.process.kill()
            for worker in self._workers:
                worker.process.wait()
            self._temporary.cleanup()

    @property
    def states(self) -> list[WorkerState]:
        """State of each process."""
        return [
            WorkerState(w.number, w.state, w.tasks[0].content if w.tasks else None, w.done)
            for w in self._workers
        ]

    @property
    def pids(self) -> list[int]:
        """The process ids, of those that are alive at the moment."""
        return [worker.process.pid for worker in self._workers]

    @property
    def wants(self) -> int:
        """Number of jobs that can be given now."""
        room = sum(self._in_flight - len(w.tasks) for w in self._workers if w.state == "ready")
        return max(0, room - len(self._waiting))

    @property
    def busy(self) -> bool:
        """Whether answers are still to come."""
        return bool(self._waiting) or any(worker.tasks for worker in self._workers)

    def give(self, job: Any) -> None:
        """Give a job to the process that has least to do, as soon as one has room for it."""
        self._waiting.append(Task(self._given, job))
        self._given += 1
        self._deal()

    def work_off(self, jobs: Iterable[Any]) -> Iterator[Answered | Steps]:
        """Have all these jobs done, and tell what is heard of them, in the order of arrival.

        UserError if a job ends one process after another, or as `hear` says; run again to resume.
        """
        left, deaths = deque(jobs), Counter[int]()
        while left or self.busy:
            for _ in range(min(self.wants, len(left))):
                self.give(left.popleft())
            for heard in self.hear():
                if isinstance(heard, Death):
                    self._try_again(heard, deaths)
                else:
                    yield heard

    def hear(self) -> Iterator[Answered | Steps | Death]:
        """Answers of the processes within a moment. Of jobs, only a death's suspect comes back.

        UserError if they report what the user has to put right, or do not start at all.
        """
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in connection.wait(list(by_pipe), _TICK):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):  # OSError: it died in the middle of a message
                yield from self._bury(worker, "")
                continue
            worker.heard = time.monotonic()
            yield from self._understood(worker, message)
        yield from self._bury_the_silent()
        self._deal()

    def _understood(self, worker: _Worker, message: Any) -> Iterator[Answered | Steps]:
        if isinstance(message, Broken):
            raise UserError(message.message)
        if isinstance(message, Ready):
            worker.state, self.facts, self._failed_starts = "ready", message.facts, 0
        elif isinstance(message, Begun):
            worker.begun, worker.steps = message.number, 0
        elif isinstance(message, Steps):
            worker.steps += message.count
            yield message
        else:
            assert isinstance(message, Answer)
            task = worker.tasks.popleft()
            worker.done += 1
            if worker.begun == message.number:
                worker.begun = None
            yield Answered(task.content, message.content)

    def _deal(self) -> None:
        """Send waiting tasks to those that have room."""
        while self._waiting:
            room = [
                worker
                for worker in self._workers
                if worker.state == "ready" and len(worker.tasks) < self._in_flight
            ]
            if not room:
                return
            worker = min(room, key=lambda w: len(w.tasks))
            if not worker.tasks:
                worker.heard = time.monotonic()
            worker.tasks.append(self._waiting.popleft())
            # A process that has just died is noticed where it is listened to.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                worker.pipe.send(worker.tasks[-1])

    def _try_again(self, death: Death, deaths: Counter[int]) -> None:
        """Put back what a process died of; UserError if it was not the first."""
        if death.task is None:
            return
        deaths[death.task.number] += 1
        if deaths[death.task.number] >= TRIES:
            self._give_up(
                death.worker, f"a render process failed: {death.reason}; run again to resume"
            )
        self._waiting.appendleft(death.task)

    def _give_up(self, number: int, message: str) -> NoReturn:
        """UserError, after what the process has said where nobody could read it later."""
        if not self._keeps_logs:
            sys.stderr.write(_read(self._log(number)).decode(errors="replace"))
        raise UserError(message)

    def _bury_the_silent(self) -> Iterator[Steps | Death]:
        now = time.monotonic()
        for worker in self._workers:
            waited_for = worker.tasks or worker.state == "starting"
            if waited_for and now - worker.heard > self._timeout:
                worker.process.kill()
                yield from self._bury(worker, f"no answer for {self._timeout:g} s")

    def _bury(self, worker: _Worker, reason: str) -> Iterator[Steps | Death]:
        """Put a new process in a dead one's place, and back what it had not begun."""
        status = worker.process.wait()
        worker.pipe.close()
        reason = reason or _cause(status, _read(self._log(worker.number))[worker.log_start :])
        self._keep_last_words(worker.number)
        if worker.state == "starting":
            self._failed_starts += 1
            if self._failed_starts >= _STARTS:
                self._give_up(worker.number, f"the render processes do not start: {reason}")
        replacement = self._start(worker.number)
        replacement.done = worker.done
        self._workers[worker.number] = replacement
        logger.warning("render process %d: %s; started again", worker.number, reason)
        suspect = next((task for task in worker.tasks if task.number == worker.begun), None)
        self._waiting.extendleft(task for task in reversed(worker.tasks) if task is not suspect)
        if worker.steps and suspect is not None:
            yield Steps(-worker.steps)
        yield Death(worker.number, suspect, reason)

    def _start(self, number: int) -> _Worker:
        try:
            return self._started(number)
        except OSError as error:
            raise UserError(
                f"render process {number}, with its log {self._log(number)}, cannot be started"
                f" ({error.strerror}); make room, or give fewer --workers"
            ) from None

    def _started(self, number: int) -> _Worker:
        self._log_folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = multiprocessing.Pipe()
        replaces_another = number < len(self._workers)
        with (
            theirs,
            self._log(number).open("ab" if replaces_another else "wb") as log,
            self._stdout(number).open("wb") as stdout,
        ):
            log_start = log.tell()
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
                env={
                    **os.environ,
                    PIPE_VARIABLE: str(theirs.fileno()),
                    "TMPDIR": self._temporary.name,
                },
                # Ctrl-C reaches only the owner, which ends its processes.
                start_new_session=True,
                **_inheriting(theirs.fileno()),
            )
        self._pin(process.pid, number)
        worker = _Worker(number, process, ours, log_start)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            ours.send(self._set_up)
        return worker

    def _pin(self, pid: int, number: int) -> None:
        """Keep a process to as many cores as it has threads, where all cores are taken (Linux).

        A thread of Blender's waits for the others by yielding, which costs half a core elsewhere.
        """
        threads = self._threads
        if not hasattr(os, "sched_getaffinity") or not threads:
            return
        cores = sorted(os.sched_getaffinity(0))
        if self.size * threads < len(cores):
            return  # another task may have the rest, and would choose the same ones
        own = {cores[(number * threads + k) % len(cores)] for k in range(threads)}
        with contextlib.suppress(OSError):  # it has ended already
            os.sched_setaffinity(pid, own)

    def _keep_last_words(self, number: int) -> None:
        """Add what Blender said in a process that is dead to its log."""
        with contextlib.suppress(OSError), self._log(number).open("a", encoding="utf-8") as log:
            show_lines(telling_lines(_read(self._stdout(number))), log)

    def _log(self, number: int) -> Path:
        return self._log_folder / f"worker-{number}.log"

    def _stdout(self, number: int) -> Path:
        return Path(self._temporary.name, f"stdout-{number}")


def _inheriting(pipe: int) -> dict[str, Any]:
    """Arguments by which Popen leaves a pipe open in the process that it starts."""
    if sys.platform == "win32":
        os.set_handle_inheritable(pipe, True)
        return {"startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": [pipe]})}
    return {"pass_fds": [pipe]}


def _temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """Folder of the worker processes' temporary files: one that is killed leaves some."""
    try:
        return tempfile.TemporaryDirectory(prefix="facegen-pool-", ignore_cleanup_errors=True)
    except OSError as error:
        raise no_temporary_files(error) from None


def _cause(status: int, said: bytes) -> str:
    """Why a process ended that has said this on stderr, in a line."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"it died of {signal.Signals(-status).name}"
    lines = said[-2000:].decode(errors="replace").strip().splitlines()
    return f"it ended with status {status}" + (f" ({lines[-1][:200]})" if lines else "")


def _read(path: Path) -> bytes:
    """Contents of a file; nothing where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
