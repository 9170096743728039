# SPDX-License-Identifier: GPL-3.0-or-later
"""The farm's render processes: started, fed, and started again when they die or hang.

Each has two jobs at most, so that it never waits for the farm; the one that it began last is the
suspect if it dies. Messages go over a pipe, since Blender writes what it likes to stdout.
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
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from types import TracebackType

from batch.command_line import worker_command
from batch.dataset.messages import PIPE_VARIABLE, Begun, Broken, Done, Job, Ready, SetUp
from facegen_addon.errors import UserError
from facegen_addon.terminal.temporary import no_temporary_files

logger = logging.getLogger("facegen_addon.dataset")

IN_FLIGHT = 2
"""Jobs that a process has at a time: one rendering, one waiting."""
_TICK = 0.5  # seconds after which hanging processes are looked for
_GRACE = 10.0  # seconds that processes have to end by themselves
_STARTS = 3  # deaths in a row before its first answer, until a process is given up


@dataclass(frozen=True)
class WorkerState:
    """What a process is at, to be shown: ready, dead or starting; done: samples it has answered."""

    number: int
    state: str
    index: int | None
    done: int


@dataclass(frozen=True)
class Death:
    """A process died, was killed, or hung while it rendered a job; `job` None: while it started."""

    worker: int
    job: Job | None
    reason: str


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[bytes]
    pipe: connection.Connection
    jobs: deque[Job] = field(default_factory=deque)
    state: str = "starting"
    begun: int | None = None
    done: int = 0
    heard: float = field(default_factory=time.monotonic)


class Crew:
    """Render processes (a context manager, at whose end none is alive).

    set_up: what each is told first; log_folder: where what they say on stderr is kept, a file each;
    timeout: seconds of silence after which one that has jobs counts as hanging.
    """

    def __init__(
        self,
        size: int,
        set_up: SetUp,
        log_folder: Path,
        timeout: float,
        command: Sequence[str] | None = None,
    ) -> None:
        self.size, self._set_up, self._timeout = size, set_up, timeout
        self._log_folder = log_folder
        self._command = list(command or worker_command(["render-worker"]))
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._temporary = _temporary_folder()
        self.device = ""

    def __enter__(self) -> "Crew":
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
        """What each process is at."""
        return [
            WorkerState(w.number, w.state, w.jobs[0].index if w.jobs else None, w.done)
            for w in self._workers
        ]

    @property
    def pids(self) -> list[int]:
        """The process ids, of those that are alive at the moment."""
        return [worker.process.pid for worker in self._workers]

    @property
    def wants(self) -> int:
        """How many jobs can be given now."""
        return sum(IN_FLIGHT - len(w.jobs) for w in self._workers if w.state == "ready")

    @property
    def busy(self) -> bool:
        """Whether answers are still to come."""
        return any(worker.jobs for worker in self._workers)

    def give(self, job: Job) -> None:
        """Give a job to the process that has least to do, one that is ready."""
        ready = [worker for worker in self._workers if worker.state == "ready"]
        worker = min(ready, key=lambda w: len(w.jobs))
        if not worker.jobs:
            worker.heard = time.monotonic()
        worker.jobs.append(job)
        # A process that has just died is noticed where it is listened to.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.pipe.send(job)

    def hear(self) -> Iterator[Done | Death | Job]:
        """What the processes answer within a moment: samples, deaths, and jobs to give again.

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
            if isinstance(message, Broken):
                raise UserError(message.message)
            if isinstance(message, Ready):
                worker.state, self.device, self._failed_starts = "ready", message.device, 0
            elif isinstance(message, Done):
                worker.jobs.popleft()
                worker.done += 1
                if worker.begun == message.index:
                    worker.begun = None
                yield message
            else:
                assert isinstance(message, Begun)
                worker.begun = message.index
        yield from self._bury_the_silent()

    def _bury_the_silent(self) -> Iterator[Death | Job]:
        now = time.monotonic()
        for worker in self._workers:
            waited_for = worker.jobs or worker.state == "starting"
            if waited_for and now - worker.heard > self._timeout:
                worker.process.kill()
                yield from self._bury(worker, f"no answer for {self._timeout:g} s")

    def _bury(self, worker: _Worker, reason: str) -> Iterator[Death | Job]:
        """Put a new process in a dead one's place, and its jobs back."""
        status = worker.process.wait()
        worker.pipe.close()
        reason = reason or _cause(status, self._log(worker.number))
        if worker.state == "starting":
            self._failed_starts += 1
            if self._failed_starts >= _STARTS:
                raise UserError(f"the render processes do not start: {reason}")
        replacement = self._start(worker.number)
        replacement.done = worker.done
        self._workers[worker.number] = replacement
        logger.warning("render process %d: %s; started again", worker.number, reason)
        suspect = next((job for job in worker.jobs if job.index == worker.begun), None)
        yield Death(worker.number, suspect, reason)
        yield from (job for job in worker.jobs if job is not suspect)

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
        with theirs, self._log(number).open("wb") as log:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[theirs.fileno()],
                env={
                    **os.environ,
                    PIPE_VARIABLE: str(theirs.fileno()),
                    "TMPDIR": self._temporary.name,
                },
                # Ctrl-C reaches only the farm, which ends its processes.
                start_new_session=True,
            )
        self._pin(process.pid, number)
        worker = _Worker(number, process, ours)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            ours.send(self._set_up)
        return worker

    def _pin(self, pid: int, number: int) -> None:
        """Keep a process to as many cores as it has threads, where all cores are taken (Linux).

        A thread of Blender's waits for the others by yielding, which costs half a core elsewhere.
        """
        threads = int(self._set_up.settings.get("threads", 0))
        if not hasattr(os, "sched_getaffinity") or not threads:
            return
        cores = sorted(os.sched_getaffinity(0))
        if self.size * threads < len(cores):
            return  # another task may have the rest, and would choose the same ones
        own = {cores[(number * threads + k) % len(cores)] for k in range(threads)}
        with contextlib.suppress(OSError):  # it has ended already
            os.sched_setaffinity(pid, own)

    def _log(self, number: int) -> Path:
        return self._log_folder / f"worker-{number}.log"


def _temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """Where render processes have their temporary files: one that is killed leaves some."""
    try:
        return tempfile.TemporaryDirectory(prefix="facegen-farm-", ignore_cleanup_errors=True)
    except OSError as error:
        raise no_temporary_files(error) from None


def _cause(status: int, log: Path) -> str:
    """Why a process ended, in a line."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"it died of {signal.Signals(-status).name}"
    return f"it ended with status {status}{_last_line(log)}"


def _last_line(log: Path) -> str:
    try:
        lines = log.read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f" ({lines[-1][:200]})" if lines else ""
